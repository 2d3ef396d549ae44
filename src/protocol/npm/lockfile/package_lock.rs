//! `package-lock.json` and `npm-shrinkwrap.json`, of every number: a tree of folders, by path in 2 and 3, nested in 1.
//! Source: npm's documentation of package-lock.json, and what npm 6 to 12 write.

use std::collections::HashMap;

use crate::ecosystem::tree::Fault;
use crate::ecosystem::tree::Node;
use crate::model::lockfile::By;
use crate::model::lockfile::Source;
use crate::model::lockfile::Want;
use crate::model::lockfile::WantKind;
use crate::protocol::npm::lockfile::draft::Draft;
use crate::protocol::npm::lockfile::draft::Place;
use crate::protocol::npm::lockfile::draft::Read;
use crate::protocol::npm::lockfile::draft::place_of;
use crate::protocol::npm::lockfile::draft::replaced_by_npm;
use crate::protocol::npm::lockfile::draft::split_at;
use crate::protocol::npm::lockfile::draft::stated;
use crate::protocol::npm::lockfile::draft::wanted;
use crate::protocol::npm::lockfile::rewrite::Spot;
use crate::protocol::npm::order::semantic;

const MODULES: &str = "node_modules/";
/// How many folders deep packages may lie in packages, and how long a path may be, in bytes.
const FOLDERS_MAX: usize = 64;
const PATH_BYTES_MAX: usize = 4_096;
/// Bytes of paths that are looked for, over a whole lockfile: a large one needs a hundredth.
const LOOKED_FOR_BYTES_MAX: usize = 2_000_000_000;

pub fn read(text: &str, tree: &Node<'_>, is_shrinkwrap: bool) -> Result<Read, Fault> {
    let format = if is_shrinkwrap { "npm-shrinkwrap" } else { "package-lock" };
    let edition = tree.get("lockfileVersion").and_then(Node::word).unwrap_or("1");
    let draft = Draft::new(text);
    if !matches!(edition, "0" | "1" | "2" | "3") {
        let at = tree.get("lockfileVersion").map_or(0, Node::at);
        return Err(draft.fault(at, format!("lockfileVersion {edition:?} is not known; 1, 2 and 3 are")));
    }
    match tree.get("packages") {
        Some(packages) => {
            let mut draft = draft;
            // Version 2 has everything in the older form besides.
            if let Some(older) = tree.get("dependencies") {
                older_addresses(&mut draft, older, 0)?;
            }
            by_path(draft, packages, format, edition)
        }
        None => nested(draft, tree, format, edition),
    }
}

/// What stands at a path.
#[derive(Clone, Copy)]
enum At {
    Project(By),
    Entry(usize),
}

/// Which folders there are, and what is wanted of each: `(from, name, range, kind, at)`.
struct Folders<'n> {
    at: HashMap<String, At>,
    wants: Vec<(String, &'n Node<'n>, WantKind)>,
}

fn by_path(mut draft: Draft<'_>, packages: &Node<'_>, format: &'static str, edition: &str) -> Result<Read, Fault> {
    let mut folders = Folders { at: HashMap::new(), wants: Vec::new() };
    for (key, one) in packages.pairs() {
        let path = &*key.text;
        if !one.is_map() {
            return Err(draft.fault(key.at(), "a package that is no map"));
        }
        if path.len() > PATH_BYTES_MAX || path.matches(MODULES).count() > FOLDERS_MAX {
            return Err(
                draft.fault(key.at(), format!("a path that is longer than {PATH_BYTES_MAX} bytes or deeper than {FOLDERS_MAX} packages"))
            );
        }
        let is_project = path != "node_modules" && !path.starts_with(MODULES) && !path.contains("/node_modules/");
        let at = match is_project {
            true => At::Project(draft.project(key.at(), path)?),
            false => At::Entry(folder(&mut draft, key.at(), path, one)?),
        };
        folders.at.insert(path.to_owned(), at);
        let fields = [
            ("dependencies", WantKind::Needed),
            ("optionalDependencies", WantKind::Optional),
            ("peerDependencies", WantKind::Peer),
            ("devDependencies", WantKind::Dev),
        ];
        for (field, kind) in fields {
            if let Some(all) = one.get(field).filter(|_| is_project || kind != WantKind::Dev) {
                folders.wants.push((path.to_owned(), all, kind));
            }
        }
    }
    join(&mut draft, &folders)?;
    Ok(draft.finish(format, edition))
}

/// An entry of the newer form.
fn folder(draft: &mut Draft<'_>, at: usize, path: &str, one: &Node<'_>) -> Result<usize, Fault> {
    let key = path.rfind(MODULES).and_then(|found| path.get(found + MODULES.len()..)).unwrap_or(path);
    let name = one.text_of("name").unwrap_or(key);
    let version = one.text_of("version").unwrap_or_default();
    let resolved = one.text_of("resolved");
    let source = if one.is_true_of("link") {
        Source::Local
    } else if one.is_true_of("inBundle") && path.matches(MODULES).count() > 1 && is_brought(one, version) {
        bundled(draft, at, name, version)?
    } else {
        source(draft, at, name, version, resolved)?
    };
    let place = draft.add(at, name, version, source, stated(one.text_of("integrity"), None))?;
    draft.alias(place, key);
    flags(draft, place, one);
    spot(draft, Some(place), at, name, version, one);
    Ok(place)
}

/// Whether another package may bring it along: that has neither an address nor a hash, and npm fetches what has, whatever else stands there.
fn is_brought(one: &Node<'_>, version: &str) -> bool {
    let is_fetched = ["resolved", "integrity"].into_iter().any(|key| one.text_of(key).is_some_and(|text| !text.is_empty()));
    !is_fetched && (version.is_empty() || semantic(version).is_some())
}

fn bundled(draft: &Draft<'_>, at: usize, name: &str, version: &str) -> Result<Source, Fault> {
    let release = (!version.is_empty()).then(|| draft.release(at, name, version)).transpose()?;
    Ok(Source::Bundled { release })
}

/// Notes where the address of a registry's file stands.
fn spot(draft: &mut Draft<'_>, place: Option<usize>, at: usize, name: &str, version: &str, one: &Node<'_>) {
    let Some(node) = one.get("resolved") else { return };
    let Some(address) = node.text().filter(|address| place_of(address) == Place::Web) else { return };
    if let Ok(release) = draft.release(at, name, version) {
        draft.spot(place, Spot { release, at: node.at(), address: address.to_owned(), is_encoded: false });
    }
}

fn older_addresses(draft: &mut Draft<'_>, all: &Node<'_>, depth: usize) -> Result<(), Fault> {
    if depth > FOLDERS_MAX {
        return Err(draft.fault(all.at(), format!("deeper than {FOLDERS_MAX} packages")));
    }
    for (key, one) in all.pairs() {
        let stands = one.text_of("version").unwrap_or_default();
        let (name, version) = stands.strip_prefix("npm:").and_then(split_at).unwrap_or((&key.text, stands));
        if !version.contains([':', '/']) {
            spot(draft, None, key.at(), name, version, one);
        }
        if let Some(inner) = one.get("dependencies") {
            older_addresses(draft, inner, depth + 1)?;
        }
    }
    Ok(())
}

fn flags(draft: &mut Draft<'_>, place: usize, one: &Node<'_>) {
    if let Some(entry) = draft.entry(place) {
        entry.dev = one.is_true_of("dev") || one.is_true_of("devOptional");
        entry.optional = one.is_true_of("optional") || one.is_true_of("devOptional");
        entry.peer = one.is_true_of("peer");
    }
}

/// Where npm fetches it: at the address, unless that is one for which it asks the registry that it is configured with, at the
/// same path.
fn source(draft: &Draft<'_>, at: usize, name: &str, version: &str, resolved: Option<&str>) -> Result<Source, Fault> {
    let Some(address) = resolved.filter(|address| !address.is_empty()) else {
        return Ok(Source::Registry { release: draft.release(at, name, version)?, address: None });
    };
    Ok(match place_of(address) {
        Place::Local => Source::Local,
        Place::Other => Source::Elsewhere { address: address.to_owned() },
        Place::Web => {
            let release = draft.release(at, name, version)?;
            match replaced_by_npm(address) {
                Some(path) => Source::Beneath { release, path },
                None => Source::Registry { release, address: Some(address.to_owned()) },
            }
        }
    })
}

fn nested(mut draft: Draft<'_>, tree: &Node<'_>, format: &'static str, edition: &str) -> Result<Read, Fault> {
    let mut folders = Folders { at: HashMap::new(), wants: Vec::new() };
    if let Some(all) = tree.get("dependencies") {
        descend(&mut draft, &mut folders, "", all, 0)?;
    }
    join(&mut draft, &folders)?;
    Ok(draft.finish(format, edition))
}

fn descend<'n>(draft: &mut Draft<'_>, folders: &mut Folders<'n>, above: &str, all: &'n Node<'n>, depth: usize) -> Result<(), Fault> {
    if depth > FOLDERS_MAX {
        return Err(draft.fault(all.at(), format!("deeper than {FOLDERS_MAX} packages")));
    }
    for (key, one) in all.pairs() {
        let path = if above.is_empty() { format!("{MODULES}{}", key.text) } else { format!("{above}/{MODULES}{}", key.text) };
        if path.len() > PATH_BYTES_MAX {
            return Err(draft.fault(key.at(), format!("a path that is longer than {PATH_BYTES_MAX} bytes")));
        }
        let place = old_folder(draft, key.at(), &key.text, one, depth)?;
        folders.at.insert(path.clone(), At::Entry(place));
        if above.is_empty() {
            // Perhaps the project wants it; as which range, this form does not tell.
            draft.want(place, key.at(), Want { by: By::Unknown, range: None, kind: WantKind::Needed })?;
        }
        if let Some(wants) = one.get("requires") {
            folders.wants.push((path.clone(), wants, WantKind::Needed));
        }
        if let Some(inner) = one.get("dependencies") {
            descend(draft, folders, &path, inner, depth + 1)?;
        }
    }
    Ok(())
}

/// An entry of the older form: its version may be an alias, or an address.
fn old_folder(draft: &mut Draft<'_>, at: usize, key: &str, one: &Node<'_>, depth: usize) -> Result<usize, Fault> {
    if !one.is_map() {
        return Err(draft.fault(at, "a dependency that is no map"));
    }
    let stands = one.text_of("version").unwrap_or_default();
    let (name, version) = stands.strip_prefix("npm:").and_then(split_at).unwrap_or((key, stands));
    let is_address = version.contains(':') || version.contains('/');
    let source = match (one.is_true_of("bundled") && depth > 0 && is_brought(one, version), is_address, place_of(version)) {
        (true, _, _) => bundled(draft, at, name, version)?,
        (false, false, _) => source(draft, at, name, version, one.text_of("resolved"))?,
        (false, true, Place::Local) => Source::Local,
        (false, true, Place::Web | Place::Other) => Source::Elsewhere { address: version.to_owned() },
    };
    let version = if is_address { "" } else { version };
    let place = draft.add(at, name, version, source, stated(one.text_of("integrity"), None))?;
    draft.alias(place, key);
    flags(draft, place, one);
    spot(draft, Some(place), at, name, version, one);
    Ok(place)
}

/// Joins what is wanted with the entry that node would find from there: the nearest on the way up.
fn join(draft: &mut Draft<'_>, folders: &Folders<'_>) -> Result<(), Fault> {
    let mut budget = LOOKED_FOR_BYTES_MAX;
    for (from, all, kind) in &folders.wants {
        let by = match folders.at.get(from) {
            Some(At::Entry(place)) => By::Entry(*place),
            Some(At::Project(by)) => *by,
            None => By::Unknown,
        };
        for (key, range) in all.pairs() {
            let Some(range) = range.text() else {
                return Err(draft.fault(range.at(), format!("what is wanted of {:?} is no text", &*key.text)));
            };
            let place = found(folders, from, &key.text, &mut budget);
            let is_address = place_of(range.trim()) == Place::Web;
            if let Some(place) = place.ok_or_else(|| draft.fault(key.at(), "its folders lie too deep in each other"))? {
                let range = wanted(range).range.map(Box::from);
                draft.want(place, key.at(), Want { by, range, kind: *kind })?;
                if is_address {
                    draft.is_wanted_by_address(place);
                }
            }
        }
    }
    Ok(())
}

/// `None` where looking would go on for too long.
fn found(folders: &Folders<'_>, from: &str, name: &str, budget: &mut usize) -> Option<Option<usize>> {
    let mut from = from;
    loop {
        let path = if from.is_empty() { format!("{MODULES}{name}") } else { format!("{from}/{MODULES}{name}") };
        *budget = budget.checked_sub(path.len())?;
        if let Some(At::Entry(place)) = folders.at.get(&path) {
            return Some(Some(*place));
        }
        if from.is_empty() {
            return Some(None);
        }
        // Up to the folder that the package lies in; of a part of a workspace, folder by folder.
        from = match from.rfind(MODULES) {
            Some(at) => from.get(..at).unwrap_or_default().trim_end_matches('/'),
            None => from.rsplit_once('/').map_or("", |(above, _)| above),
        };
    }
}
