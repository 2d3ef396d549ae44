//! `yarn.lock` of yarn 2 and later: YAML, by what is wanted, with the protocol of each. Its checksum is of the zip file that
//! yarn makes of a package, and says nothing about the registry's bytes.
//! Source: yarn's documentation of protocols, and what yarn 3 and 4 write.

use std::collections::HashMap;
use std::collections::HashSet;

use percent_encoding::percent_decode_str;

use crate::ecosystem::tree::Fault;
use crate::ecosystem::tree::Node;
use crate::model::lockfile::By;
use crate::model::lockfile::Source;
use crate::model::lockfile::Stated;
use crate::model::lockfile::Want;
use crate::model::lockfile::WantKind;
use crate::protocol::npm::lockfile::draft::Draft;
use crate::protocol::npm::lockfile::draft::Place;
use crate::protocol::npm::lockfile::draft::Read;
use crate::protocol::npm::lockfile::draft::place_of;
use crate::protocol::npm::lockfile::draft::split_at;
use crate::protocol::npm::lockfile::draft::wanted;
use crate::protocol::npm::lockfile::rewrite::Spot;

const CHECKSUM: &str = "yarn's checksum is of the zip file that it makes, not of the registry's tarball";
/// Where an address stands for a tarball that lies elsewhere than is usual.
const ARCHIVE: &str = "__archiveUrl=";
/// How many patches may lie over one package.
const PATCHES_MAX: usize = 16;
const METADATA: &str = "__metadata";

pub fn read(text: &str, tree: &Node<'_>) -> Result<Read, Fault> {
    let mut draft = Draft::new(text);
    let edition = tree.get(METADATA).and_then(|metadata| metadata.text_of("version")).unwrap_or_default();
    if edition.parse::<u32>().is_err() {
        return Err(draft.fault(tree.get(METADATA).map_or(0, Node::at), "its __metadata states no version"));
    }
    let locators: HashSet<&str> =
        tree.pairs().iter().filter(|(key, _)| key.text != METADATA).filter_map(|(_, one)| one.text_of("resolution")).collect();
    let mut found: HashMap<&str, usize> = HashMap::new();
    let mut wanted_by_some: HashSet<usize> = HashSet::new();
    let mut blocks = Vec::new();
    for (key, one) in tree.pairs() {
        if key.text == METADATA {
            continue;
        }
        let locator = one.text_of("resolution").ok_or_else(|| draft.fault(key.at(), "an entry without a resolution"))?;
        let Some((name, reference)) = split_at(locator) else {
            return Err(draft.fault(one.at(), "a resolution that names nothing"));
        };
        let version = one.text_of("version").unwrap_or_default();
        let patched = patched(locator, &locators);
        let (target, source) = match &patched {
            Patched::No => source(&draft, key.at(), name, reference, version)?,
            Patched::Entry => (name, Source::Local),
            Patched::Nothing => (name, Source::Elsewhere { address: reference.to_owned() }),
            Patched::Only(inner) => match split_at(inner) {
                Some((name, reference)) => source(&draft, key.at(), name, reference, version)?,
                None => (name, Source::Elsewhere { address: reference.to_owned() }),
            },
        };
        let stated = if one.has("checksum") { Stated::NotComparable(CHECKSUM) } else { Stated::Nothing };
        let spot = spot(one, &source).filter(|_| patched == Patched::No);
        let version = match &source {
            Source::Registry { release, .. } => release.version.to_string(),
            Source::Beneath { .. } | Source::Elsewhere { .. } | Source::Local | Source::Bundled { .. } => version.to_owned(),
        };
        let place = draft.add(key.at(), target, &version, source, stated)?;
        if let Some(spot) = spot {
            draft.spot(Some(place), spot);
        }
        let mut alias = None;
        for descriptor in key.text.split(',').map(str::trim) {
            alias = alias.or_else(|| split_at(descriptor).map(|(name, _)| name).filter(|name| *name != target));
            if found.insert(descriptor, place).is_some() {
                return Err(draft.fault(key.at(), format!("{descriptor:?} is wanted twice")));
            }
        }
        if let Some(alias) = alias {
            draft.alias(place, alias);
        }
        let by = match reference.strip_prefix("workspace:") {
            Some(folder) => draft.project(key.at(), folder)?,
            None => By::Entry(place),
        };
        blocks.push((place, by, key, one));
    }
    for (_, by, _, one) in &blocks {
        join(&mut draft, &found, &mut wanted_by_some, *by, one)?;
    }
    // What is patched is wanted by its patch.
    for (place, _, key, _) in blocks.iter().filter(|(place, ..)| !wanted_by_some.contains(place)) {
        for (_, range) in key.text.split(',').filter_map(|descriptor| split_at(descriptor.trim())) {
            let range = wanted(range).range.map(Box::from);
            draft.want(*place, key.at(), Want { by: By::Unknown, range, kind: WantKind::Needed })?;
        }
    }
    Ok(draft.finish_with_purposes("yarn.lock", edition))
}

/// What a locator patches.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Patched {
    /// It is no patch.
    No,
    /// An entry of the lockfile, which is judged for itself.
    Entry,
    /// This locator, which is no entry and yet is fetched.
    Only(String),
    /// It cannot be read.
    Nothing,
}

/// Follows a locator through its patches, the locator within each percent-encoded, to what is fetched.
fn patched(locator: &str, locators: &HashSet<&str>) -> Patched {
    let mut inner: Option<String> = None;
    for _ in 0..PATCHES_MAX {
        let now = inner.as_deref().unwrap_or(locator);
        let Some(patch) = split_at(now).and_then(|(_, reference)| reference.strip_prefix("patch:")) else {
            return inner.map_or(Patched::No, Patched::Only);
        };
        let Some((source, _)) = patch.split_once('#') else { return Patched::Nothing };
        let Ok(source) = percent_decode_str(source).decode_utf8() else { return Patched::Nothing };
        if source.is_empty() {
            return Patched::Nothing;
        }
        // What an entry of the same locator is, is told there.
        if locators.contains(&*source) {
            return Patched::Entry;
        }
        inner = Some(source.into_owned());
    }
    Patched::Nothing
}

/// The package's own name, and where yarn fetches it: what `npm:` names is asked of the registry that is configured.
fn source<'l>(draft: &Draft<'_>, at: usize, name: &'l str, reference: &'l str, version: &str) -> Result<(&'l str, Source), Fault> {
    let (protocol, bound) = reference.split_once("::").unwrap_or((reference, ""));
    if let Some(npm) = protocol.strip_prefix("npm:") {
        let (name, version) = split_at(npm).unwrap_or((name, npm));
        // As yarn reads it, which decodes the keys too.
        let mut bindings = url::form_urlencoded::parse(bound.as_bytes());
        let address = bindings.find(|(key, _)| key == ARCHIVE.trim_end_matches('=')).map(|(_, value)| value.into_owned());
        return Ok((name, Source::Registry { release: draft.release(at, name, version)?, address }));
    }
    let source = match place_of(protocol) {
        _ if protocol.starts_with("exec:") => Source::Local,
        Place::Local => Source::Local,
        Place::Web if !version.is_empty() => Source::Elsewhere { address: protocol.to_owned() },
        Place::Web | Place::Other => Source::Elsewhere { address: reference.to_owned() },
    };
    Ok((name, source))
}

/// Where an address of a tarball stands, percent-encoded behind its locator.
fn spot(one: &Node<'_>, source: &Source) -> Option<Spot> {
    let Source::Registry { release, address: Some(address) } = source else { return None };
    Some(Spot { release: release.clone(), at: one.get("resolution")?.at(), address: address.clone(), is_encoded: true })
}

fn join(draft: &mut Draft<'_>, found: &HashMap<&str, usize>, some: &mut HashSet<usize>, by: By, one: &Node<'_>) -> Result<(), Fault> {
    let optional = one.get("dependenciesMeta");
    for (key, range) in one.get("dependencies").map(Node::pairs).unwrap_or_default() {
        let Some(range) = range.text() else {
            return Err(draft.fault(range.at(), format!("what is wanted of {:?} is no text", &*key.text)));
        };
        let kind = match optional.and_then(|meta| meta.get(&key.text)).is_some_and(|meta| meta.is_true_of("optional")) {
            true => WantKind::Optional,
            false => WantKind::Needed,
        };
        // Up to yarn 3 ranges stand without the protocol that they are looked up with.
        let bare = format!("{}@{range}", key.text);
        let place = found.get(bare.as_str()).copied().or_else(|| found.get(format!("{}@npm:{range}", key.text).as_str()).copied());
        if let Some(place) = place {
            some.insert(place);
            draft.want(place, key.at(), Want { by, range: wanted(range).range.map(Box::from), kind })?;
        }
    }
    Ok(())
}
