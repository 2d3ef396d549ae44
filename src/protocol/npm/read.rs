//! Upstream's packument, read into an index: one opaque manifest per release, and what screening needs of each. One bad
//! release is a row that says so; only a document that is bad as a whole is refused.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::LazyLock;

use bytes::Bytes;
use memchr::memmem::Finder;
use percent_encoding::NON_ALPHANUMERIC;
use percent_encoding::utf8_percent_encode;

use crate::ecosystem::Fetched;
use crate::ecosystem::Reading;
use crate::ecosystem::Unreadable;
use crate::ecosystem::json;
use crate::ecosystem::json::Bounds;
use crate::ecosystem::json::Key;
use crate::ecosystem::json::Pair;
use crate::ecosystem::json::Raw;
use crate::ecosystem::json::entries;
use crate::model::finding::printable;
use crate::model::index::Artifact;
use crate::model::index::Claims;
use crate::model::index::Index;
use crate::model::index::Origin;
use crate::model::index::Row;
use crate::model::package::PackageId;
use crate::model::package::PackageName;
use crate::model::package::Version;
use crate::model::time::Timestamp;
use crate::protocol::npm::claims::claims;
use crate::protocol::npm::files;
use crate::protocol::npm::head;
use crate::protocol::npm::integrity;
use crate::protocol::npm::manifest;
use crate::protocol::npm::manifest::DEPTH_MAX;
use crate::protocol::npm::manifest::Fault;
use crate::protocol::npm::manifest::Manifest;
use crate::protocol::npm::order;
use crate::protocol::npm::origin::Hands;
use crate::protocol::npm::write::write_key;
use crate::protocol::npm::write::write_text;

/// Most dist-tags a packument may have.
pub const TAGS_MAX: usize = 10_000;

/// Longest dist-tag that is kept, in bytes.
pub const TAG_BYTES_MAX: usize = 256;

/// Longest `dist.tarball` that is read, in bytes.
const LOCATION_BYTES_MAX: usize = 2_048;

/// What is kept of a packument's head. What is not named here cannot tell of a release that is withheld.
pub const FRAME_FIELDS: [&str; 13] = [
    "description",
    "maintainers",
    "author",
    "contributors",
    "homepage",
    "keywords",
    "repository",
    "bugs",
    "license",
    "licenses",
    "users",
    "readmeFilename",
    "readme",
];

/// The key under which the frame keeps upstream's `time.created`.
pub const CREATED: &str = "created";

/// The tag whose release upstream copies a packument's head from, and the key under which the frame keeps its target.
pub const LATEST: &str = "latest";

/// Reads the one document that upstream answered with.
///
/// Errors: [`Unreadable`] when it is no packument of this package, is ambiguous in its head, or is over a limit. How many
/// bytes it may have is the caller's to bound.
pub fn read(package: &PackageId, fetched: &[Fetched]) -> Result<Reading, Unreadable> {
    let [document] = fetched else {
        return Err(Unreadable::Malformed("a package is described by one document".to_owned()));
    };
    let mut rows = Rows::new(&package.name, document.body.len());
    let head = head::split(&document.body, |key, text, manifest| rows.add(key, text, manifest))?;
    let name = manifest::text(&head, "name", "name").map_err(malformed)?;
    if name != package.name.as_str() {
        let name = printable(&name, PackageName::BYTES_MAX);
        return Err(Unreadable::Malformed(format!("it describes {name:?} and not {}", package.name)));
    }
    let times = manifest::get(&head, "time").map(times).unwrap_or_default();
    let (rows, text) = rows.finish(&times);
    let pointers = manifest::get(&head, "dist-tags").map(pointers).transpose()?.unwrap_or_default();
    Ok(Reading::Complete(Index {
        package: package.clone(),
        source: Fetched::digest(fetched),
        frame: frame(&head, times.get(CREATED).copied().flatten(), &pointers)?,
        pointers,
        earlier: Vec::new(),
        rows,
        text,
    }))
}

fn malformed(fault: Fault) -> Unreadable {
    Unreadable::Malformed(fault.to_string())
}

/// The rows of an index, made one by one.
struct Rows<'d> {
    package: &'d PackageName,
    rows: Vec<Row>,
    /// What each row stands under.
    keys: Vec<Key<'d>>,
    places: HashMap<Version, usize>,
    hands: Hands<'d>,
    text: Vec<u8>,
}

impl<'d> Rows<'d> {
    /// `bytes`: how long their text may become.
    fn new(package: &'d PackageName, bytes: usize) -> Rows<'d> {
        Rows {
            package,
            rows: Vec::new(),
            keys: Vec::new(),
            places: HashMap::new(),
            hands: Hands::default(),
            text: Vec::with_capacity(bytes),
        }
    }

    fn add(&mut self, key: Key<'d>, text: Raw<'d>, manifest: Result<Manifest<'d>, Fault>) {
        let Some(version) = nameable(&key) else { return };
        if let Some(row) = self.places.get(&version).and_then(|place| self.rows.get_mut(*place)) {
            *row = Row {
                unreadable: Some(Fault::SameVersion.to_string()),
                claims: Claims::default(),
                origin: Origin::default(),
                artifacts: Vec::new(),
                ..row.clone()
            };
            return;
        }
        self.places.insert(version.clone(), self.rows.len());
        let start = self.text.len();
        self.text.extend_from_slice(text.get().as_bytes());
        let hands = &mut self.hands;
        let read = manifest.and_then(|manifest| release(self.package, &key, text, &manifest, hands));
        let (artifacts, claims, origin, unreadable) = match read {
            Ok((artifact, claims, origin)) => (vec![artifact], claims, origin, None),
            Err(fault) => (Vec::new(), Claims::default(), Origin::default(), Some(fault.to_string())),
        };
        let manifest = start..self.text.len();
        self.rows.push(Row { version, manifest, published_at: None, artifacts, claims, origin, unreadable, removed_at: None });
        self.keys.push(key);
    }

    /// The rows with their times and files, and all their text.
    fn finish(mut self, times: &HashMap<Key<'_>, Option<Timestamp>>) -> (Vec<Row>, Bytes) {
        for (row, key) in self.rows.iter_mut().zip(&self.keys) {
            row.published_at = times.get(key).copied().flatten();
        }
        name_files(self.package, &mut self.rows);
        self.text.shrink_to_fit();
        (self.rows, Bytes::from(self.text))
    }
}

/// Gives each release its file. One that cannot be read has a file too, so that asking for it is told why it is held.
fn name_files(package: &PackageName, rows: &mut [Row]) {
    let located: Vec<(&Version, &str)> =
        rows.iter().map(|row| (&row.version, row.artifacts.first().map_or("", |artifact| artifact.location.as_str()))).collect();
    let names = files::name_all(package, &located);
    for (row, (file, aliases)) in rows.iter_mut().zip(names) {
        match row.artifacts.first_mut() {
            Some(artifact) => {
                artifact.file = file;
                artifact.aliases = aliases;
            }
            None => row.artifacts.push(Artifact { file, aliases, location: String::new(), integrity: Default::default() }),
        }
    }
}

/// Texts with words that some readers take for something else are read strictly to their depths; what else is ambiguous
/// inside a value is found when the release is inspected.
fn unambiguous(text: Raw<'_>) -> Result<(), Fault> {
    static SUSPICIOUS: LazyLock<[Finder<'static>; 5]> =
        LazyLock::new(|| ["__proto__", "\"constructor\"", "\"prototype\"", "\\ud", "\\uD"].map(Finder::new));
    let text = text.get().as_bytes();
    if SUSPICIOUS.iter().any(|word| word.find(text).is_some()) {
        json::strict(text, Bounds { bytes_max: usize::MAX, depth_max: manifest::DEPTH_MAX })?;
    }
    Ok(())
}

/// What one manifest states; the artifact has no name yet.
fn release<'d>(
    package: &PackageName,
    key: &str,
    text: Raw<'_>,
    manifest: &Manifest<'d>,
    hands: &mut Hands<'d>,
) -> Result<(Artifact, Claims, Origin), Fault> {
    if order::semantic(key).is_none() || key.len() > Version::BYTES_MAX {
        return Err(Fault::not_a_version(key));
    }
    unambiguous(text)?;
    let name = manifest.text("name")?;
    if name != package.as_str() {
        return Err(Fault::disagrees("name", &name, package.as_str()));
    }
    let version = manifest.text("version")?;
    if cleaned(&version) != key {
        return Err(Fault::disagrees("version", &version, key));
    }
    if !manifest.get("dist").is_some_and(|dist| dist.get().starts_with('{')) {
        return Err(Fault::Missing { field: "dist" });
    }
    let dist = manifest.object("dist")?;
    let location = manifest::text(&dist, "tarball", "dist.tarball")?;
    if location.is_empty() || location.len() > LOCATION_BYTES_MAX || location.chars().any(char::is_control) {
        return Err(Fault::Shape { field: "dist.tarball", wanted: "an address" });
    }
    let integrity =
        integrity::stated(hash(&dist, "integrity", "dist.integrity")?.as_deref(), hash(&dist, "shasum", "dist.shasum")?.as_deref());
    let artifact = Artifact { file: String::new(), aliases: Vec::new(), location: location.into_owned(), integrity };
    Ok((artifact, claims(manifest)?, hands.origin(manifest, &dist)))
}

/// A hash that is stated, or not; what is stated in no readable form is a fault.
fn hash<'t>(dist: &[Pair<'t>], key: &str, field: &'static str) -> Result<Option<Cow<'t, str>>, Fault> {
    match manifest::get(dist, key) {
        Some(value) if value.get() != "null" => manifest::text(dist, key, field).map(Some),
        Some(_) | None => Ok(None),
    }
}

/// A version as old manifests spell it, `v1.0.0` or `= 1.0.0`, without what npm strips. Source: semver, `clean`.
fn cleaned(version: &str) -> &str {
    version.trim().trim_start_matches(['=', 'v', ' '])
}

/// A name for the release under `key`. A key that can be no version gets one too, percent-encoded and cut, so that people
/// can see what is held; its row is unreadable.
fn nameable(key: &str) -> Option<Version> {
    if let Ok(version) = Version::parse(key) {
        return Some(version);
    }
    let encoded = utf8_percent_encode(key, NON_ALPHANUMERIC).to_string();
    let shown = if encoded.is_empty() { "%" } else { encoded.get(..Version::BYTES_MAX).unwrap_or(&encoded) };
    Version::parse(shown).ok()
}

/// Every time that can be read. A key that stands twice with different times has none.
fn times(time: Raw<'_>) -> HashMap<Key<'_>, Option<Timestamp>> {
    let pairs = entries(time.get().as_bytes()).unwrap_or_default();
    let mut times: HashMap<Key<'_>, Option<Timestamp>> = HashMap::with_capacity(pairs.len());
    for (key, value) in pairs {
        let at = manifest::as_text(value).and_then(|text| Timestamp::parse(text.trim()).ok());
        times.entry(key).and_modify(|before| *before = before.filter(|before| Some(*before) == at)).or_insert(at);
    }
    times
}

/// Tags in upstream's order. One that is no text, or points at what can be no version, or stands twice with different
/// versions, is left out: a tag is a convenience and never a reason to hold releases.
fn pointers(tags: Raw<'_>) -> Result<Vec<(String, Version)>, Unreadable> {
    let pairs = entries(tags.get().as_bytes()).map_err(|fault| malformed(fault.into()))?;
    if pairs.len() > TAGS_MAX {
        return Err(Unreadable::TooLarge { what: "the number of dist-tags", max: TAGS_MAX as u64 });
    }
    let mut targets: HashMap<&str, Option<Version>> = HashMap::with_capacity(pairs.len());
    for (tag, value) in &pairs {
        let version = manifest::as_text(*value).and_then(|text| Version::parse(&text).ok());
        targets
            .entry(tag)
            .and_modify(|before| *before = before.take().filter(|before| Some(before) == version.as_ref()))
            .or_insert(version);
    }
    let is_tag = |tag: &str| !tag.is_empty() && tag.len() <= TAG_BYTES_MAX && tag != "__proto__" && !tag.chars().any(char::is_control);
    let each = pairs.iter().filter(|(tag, _)| is_tag(tag));
    Ok(each.filter_map(|(tag, _)| Some(((**tag).to_owned(), targets.remove(&**tag)??))).collect())
}

/// The head of the document with the fields that may be shown, each value as upstream wrote it; beside them when the
/// package was created and which release the head describes.
fn frame(head: &[Pair<'_>], created: Option<Timestamp>, pointers: &[(String, Version)]) -> Result<Bytes, Unreadable> {
    let mut frame = vec![b'{'];
    for (key, value) in head.iter().filter(|(key, _)| FRAME_FIELDS.contains(&&**key)) {
        write_key(&mut frame, key, 1);
        frame.extend_from_slice(value.get().as_bytes());
    }
    if let Some(created) = created {
        write_key(&mut frame, CREATED, 1);
        write_text(&mut frame, &created.to_string());
    }
    if let Some((_, latest)) = pointers.iter().find(|(tag, _)| tag == LATEST) {
        write_key(&mut frame, LATEST, 1);
        write_text(&mut frame, latest.as_str());
    }
    frame.push(b'}');
    if manifest::is_deeper_than(&frame, DEPTH_MAX) {
        return Err(Unreadable::TooLarge { what: "the depth of the document", max: DEPTH_MAX as u64 });
    }
    Ok(Bytes::from(frame))
}

#[cfg(test)]
mod tests;
