//! Whether a body is a submission, and whether all that it says of itself agrees: one release of the package that its path
//! names, one tarball under its name.

use bytes::Bytes;
use serde_json::Map;
use serde_json::Value;

use crate::catalog::submit::Offer;
use crate::ecosystem::json;
use crate::ecosystem::json::Bounds;
use crate::ecosystem::json::JsonFault;
use crate::ecosystem::json::entries;
use crate::model::finding::printable;
use crate::model::package::EcosystemId;
use crate::model::package::PackageId;
use crate::model::package::PackageName;
use crate::model::package::Version;
use crate::protocol::npm::integrity;
use crate::protocol::npm::manifest;
use crate::protocol::npm::manifest::Manifest;
use crate::protocol::npm::order;
use crate::protocol::npm::publish::name;
use crate::protocol::npm::publish::scan::ATTACHMENTS;
use crate::protocol::npm::publish::scan::DATA;
use crate::protocol::npm::publish::scan::DEPTH_MAX;
use crate::protocol::npm::publish::scan::PACKUMENT_BYTES_MAX;
use crate::protocol::npm::publish::scan::SIGSTORE;
use crate::protocol::npm::publish::scan::ScanFault;
use crate::protocol::npm::publish::scan::Scanned;
use crate::protocol::npm::tag;
use crate::protocol::npm::write::write_key;
use crate::protocol::npm::write::write_text;

/// Tags that one release is published with.
const TAGS_MAX: usize = 16;
/// A provenance bundle, in bytes.
const BUNDLE_BYTES_MAX: usize = 1_024 * 1_024;
/// A readme that is kept, in bytes; npm cuts it there as well.
const README_BYTES_MAX: usize = 64 * 1_024;
/// How much of an offending text is repeated.
const SHOWN_BYTES_MAX: usize = 80;
const README: &str = "readme";
const NPM_USER: &str = "_npmUser";
/// Who is told of a package: callers with a name only.
const RESTRICTED: &str = "restricted";

/// What the content of a tarball is called.
const TARBALL_TYPES: [&str; 5] =
    ["application/octet-stream", "application/gzip", "application/x-gzip", "application/x-compressed", "application/x-tgz"];

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum Fault {
    #[error(transparent)]
    Scan(#[from] ScanFault),
    #[error("the body cannot be read: {0}")]
    Json(#[from] JsonFault),
    #[error("{0}")]
    Said(String),
}

/// What a body is.
#[derive(Debug)]
pub enum Body {
    Release(Box<Offer>),
    /// It brings no file: what was read comes back changed.
    Packument(Box<Value>),
}

/// What came in besides the skeleton.
pub struct Came<'c> {
    /// Under which path.
    pub package: &'c PackageName,
    /// Bytes that were decoded of the tarball.
    pub bytes: u64,
    /// The submitter's name.
    pub by: &'c str,
    pub staged: bool,
}

fn said<T>(text: impl Into<String>) -> Result<T, Fault> {
    Err(Fault::Said(text.into()))
}

fn shown(text: &str) -> String {
    printable(text, SHOWN_BYTES_MAX)
}

/// Reads what was scanned.
pub fn check(scanned: &Scanned, came: &Came<'_>) -> Result<Body, Fault> {
    let bounds = Bounds { bytes_max: PACKUMENT_BYTES_MAX, depth_max: DEPTH_MAX };
    let body = json::strict(&scanned.skeleton, bounds)?;
    let Value::Object(fields) = &body else { return said("the body is not an object") };
    let package = came.package.as_str();
    for key in ["_id", "name"] {
        match fields.get(key) {
            Some(Value::String(named)) if named == package => {}
            Some(Value::String(named)) => return said(format!("the body's {key} is {:?}, its path says {package}", shown(named))),
            Some(_) => return said(format!("the body's {key} is not a string")),
            None => {}
        }
    }
    let attachments = match fields.get(ATTACHMENTS) {
        Some(Value::Object(attachments)) => Some(attachments).filter(|attachments| !attachments.is_empty()),
        Some(_) => return said("the body's _attachments are not an object"),
        None => None,
    };
    let Some(attachments) = attachments else { return Ok(Body::Packument(Box::new(body))) };
    if !fields.contains_key("name") {
        return said("the body has no name");
    }
    let asks_restricted = match fields.get("access") {
        None | Some(Value::Null) => false,
        Some(Value::String(access)) if access == "public" || access == RESTRICTED => access == RESTRICTED,
        Some(_) => return said("the body's access is neither public nor restricted"),
    };
    let (version, manifest) = only_version(fields, came.package)?;
    let tags = tags(fields, version.as_str())?;
    let attached = attached(attachments, &version, scanned, came)?;
    let dist = match manifest.get("dist") {
        Some(Value::Object(dist)) => Some(dist),
        Some(Value::Null) | None => None,
        Some(_) => return said("the manifest's dist is not an object"),
    };
    let hash = |key: &str| match dist.and_then(|dist| dist.get(key)) {
        Some(Value::String(hash)) => Ok(Some(hash.as_str())),
        Some(Value::Null) | None => Ok(None),
        Some(_) => said(format!("the manifest's dist.{key} is not a string")),
    };
    let stated = integrity::stated(hash("integrity")?, hash("shasum")?);
    let text = text_of(&scanned.skeleton, manifest, fields, came.by)?;
    Ok(Body::Release(Box::new(Offer {
        package: PackageId { ecosystem: EcosystemId::Npm, name: came.package.clone() },
        version,
        manifest: text,
        stated,
        tags,
        provenance: attached,
        asks_restricted,
        means_restricted: manifest.get("publishConfig").and_then(|config| config.get("access")).and_then(Value::as_str) == Some(RESTRICTED),
        staged: came.staged,
        name_fault: name::new_name_fault(package).map(str::to_owned),
    })))
}

/// The one version that the body is about, and its manifest.
fn only_version<'b>(fields: &'b Map<String, Value>, package: &PackageName) -> Result<(Version, &'b Map<String, Value>), Fault> {
    let Some(Value::Object(versions)) = fields.get("versions") else { return said("the body has no versions") };
    let mut each = versions.iter();
    let (Some((key, manifest)), None) = (each.next(), each.next()) else {
        return said(format!("the body is about {} versions; one is published at a time", versions.len()));
    };
    let version = Version::parse(key).ok().filter(|_| order::semantic(key).is_some());
    let Some(version) = version else { return said(format!("{:?} is not a semantic version", shown(key))) };
    let Value::Object(manifest) = manifest else { return said("the manifest is not an object") };
    for (field, expect) in [("name", package.as_str()), ("version", key)] {
        match manifest.get(field) {
            Some(Value::String(found)) if found == expect => {}
            Some(Value::String(found)) => {
                return said(format!("the manifest's {field} is {:?}, and it stands under {expect}", shown(found)));
            }
            Some(_) | None => return said(format!("the manifest has no {field}")),
        }
    }
    if manifest.get("private") == Some(&Value::Bool(true)) {
        return said(format!("{package}@{version} is private, as its package.json says: remove that to publish it"));
    }
    Ok((version, manifest))
}

fn tags(fields: &Map<String, Value>, version: &str) -> Result<Vec<String>, Fault> {
    let Some(Value::Object(tags)) = fields.get("dist-tags") else { return said("the body has no dist-tags") };
    if tags.is_empty() || tags.len() > TAGS_MAX {
        return said(format!("a release is published with 1 to {TAGS_MAX} tags, the body has {}", tags.len()));
    }
    for (tag, target) in tags {
        if target.as_str() != Some(version) {
            return said(format!("the tag {:?} is not for {version}, which is published", shown(tag)));
        }
        tag::check(tag).or_else(|wrong| said(wrong.to_string()))?;
    }
    Ok(tags.keys().cloned().collect())
}

/// The tarball is there and is the release's. Gives the provenance that came with it.
fn attached(attachments: &Map<String, Value>, version: &Version, scanned: &Scanned, came: &Came<'_>) -> Result<Option<String>, Fault> {
    let base = [format!("{}-{version}", came.package), format!("{}-{version}", came.package.unscoped())];
    let is_named = |key: &str, ending: &str| key.strip_suffix(ending).is_some_and(|name| base.iter().any(|base| base == name));
    let mut tarballs = 0;
    let mut provenance = None;
    for (key, attachment) in attachments {
        let Value::Object(attachment) = attachment else { return said(format!("the attachment {:?} is not an object", shown(key))) };
        let length = match attachment.get("length") {
            Some(length) => match length.as_u64() {
                Some(length) => Some(length),
                None => return said(format!("the length of {:?} is not a number", shown(key))),
            },
            None => None,
        };
        let Some(Value::String(data)) = attachment.get(DATA) else { return said(format!("the data of {:?} is not a string", shown(key))) };
        if key.ends_with(SIGSTORE) {
            if !is_named(key, SIGSTORE) || provenance.is_some() {
                return said(format!("the attachment {:?} is not the provenance of what is published", shown(key)));
            }
            provenance = Some(bundle(key, data, length)?);
            continue;
        }
        tarballs += 1;
        if !is_named(key, ".tgz") {
            return said(format!("the attachment {:?} is not the tarball of what is published", shown(key)));
        }
        match attachment.get("content_type") {
            Some(Value::String(content_type)) if TARBALL_TYPES.contains(&content_type.as_str()) => {}
            None => {}
            Some(_) => return said(format!("the content_type of {:?} is not that of a tarball", shown(key))),
        }
        // What stands here was not seen as a tarball while it came in: the body was read in two ways.
        if !data.is_empty() || scanned.tarball.as_deref() != Some(key) {
            return said(format!("the data of {:?} cannot be read", shown(key)));
        }
        if came.bytes == 0 {
            return said(format!("the tarball {:?} is empty", shown(key)));
        }
        if let Some(length) = length
            && length != came.bytes
        {
            return said(format!("the tarball {:?} has {} bytes, its length says {length}", shown(key), came.bytes));
        }
    }
    match tarballs {
        1 => Ok(provenance),
        0 => said("the body has no tarball"),
        _ => said("the body has more than one tarball"),
    }
}

/// A sigstore bundle comes as the text that it is; its length counts characters as JavaScript does.
fn bundle(key: &str, data: &str, length: Option<u64>) -> Result<String, Fault> {
    if data.len() > BUNDLE_BYTES_MAX {
        return said(format!("{:?} is larger than {BUNDLE_BYTES_MAX} bytes", shown(key)));
    }
    if length.is_some_and(|length| length != data.encode_utf16().count() as u64) {
        return said(format!("the length of {:?} is not that of its data", shown(key)));
    }
    match json::strict(data.as_bytes(), Bounds { bytes_max: BUNDLE_BYTES_MAX, depth_max: DEPTH_MAX }) {
        Ok(Value::Object(_)) => Ok(data.to_owned()),
        Ok(_) => said(format!("the data of {:?} is not a sigstore bundle", shown(key))),
        Err(fault) => said(format!("the data of {:?} is not a sigstore bundle: {fault}", shown(key))),
    }
}

/// The manifest as it was written, but for who published it, which we know better, and its readme.
fn text_of(skeleton: &[u8], manifest: &Map<String, Value>, fields: &Map<String, Value>, by: &str) -> Result<Bytes, Fault> {
    let unreadable = |fault: manifest::Fault| Fault::Said(format!("the manifest cannot be read: {fault}"));
    let top = entries(skeleton)?;
    let versions = manifest::get(&top, "versions").map(|versions| entries(versions.get().as_bytes())).transpose()?.unwrap_or_default();
    let Some((_, text)) = versions.into_iter().next() else { return said("the body has no versions") };
    let split = Manifest::split(text.get().as_bytes()).map_err(unreadable)?;
    let mut out = vec![b'{'];
    for (key, value) in split.pairs.iter().filter(|(key, _)| **key != *NPM_USER && **key != *README) {
        write_key(&mut out, key, 1);
        out.extend_from_slice(value.get().as_bytes());
    }
    let readme = [manifest.get(README), fields.get(README)].into_iter().flatten().filter_map(Value::as_str).find(|text| !text.is_empty());
    if let Some(readme) = readme {
        let end = readme.floor_char_boundary(README_BYTES_MAX);
        write_key(&mut out, README, 1);
        write_text(&mut out, readme.get(..end).unwrap_or_default());
    }
    write_key(&mut out, NPM_USER, 1);
    out.extend_from_slice(b"{\"name\":");
    write_text(&mut out, by);
    out.extend_from_slice(b",\"email\":\"\"}}");
    Ok(Bytes::from(out))
}
