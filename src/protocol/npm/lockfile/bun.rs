//! `bun.lock`: JSON with last commas; each package a list, by the path at which it is found.
//! Source: bun's documentation of its text lockfile, and what bun 1.4 writes.

use std::collections::HashMap;
use std::collections::HashSet;

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
use crate::protocol::npm::lockfile::draft::stated;
use crate::protocol::npm::lockfile::draft::wanted;
use crate::protocol::npm::lockfile::rewrite::Spot;
use crate::protocol::npm::order::semantic;

/// How many names deep a package may be found, and how long its path may be, in bytes.
const NAMES_MAX: usize = 64;
const PATH_BYTES_MAX: usize = 4_096;
/// Bytes of paths that are looked for, over a whole lockfile.
const LOOKED_FOR_BYTES_MAX: usize = 2_000_000_000;

const FIELDS: [(&str, WantKind); 4] = [
    ("dependencies", WantKind::Needed),
    ("devDependencies", WantKind::Dev),
    ("optionalDependencies", WantKind::Optional),
    ("peerDependencies", WantKind::Peer),
];

pub fn read(text: &str, tree: &Node<'_>) -> Result<Read, Fault> {
    let mut draft = Draft::new(text);
    let edition = tree.get("lockfileVersion").and_then(Node::word).unwrap_or_default();
    if !matches!(edition, "0" | "1" | "2") {
        let at = tree.get("lockfileVersion").map_or(0, Node::at);
        return Err(draft.fault(at, format!("lockfileVersion {edition:?} is not known; 0, 1 and 2 are")));
    }
    let mut found: HashMap<&str, usize> = HashMap::new();
    let mut wants: Vec<(&str, By, &Node<'_>)> = Vec::new();
    for (folder, project) in tree.get("workspaces").map(Node::pairs).unwrap_or_default() {
        // What a part of the workspace has for itself lies below its name.
        let from = project.text_of("name").filter(|_| !folder.text.is_empty()).unwrap_or_default();
        wants.push((from, draft.project(folder.at(), &folder.text)?, project));
    }
    let packages = tree.get("packages").map(Node::pairs).unwrap_or_default();
    let fetched: HashSet<&str> = packages.iter().filter(|(_, one)| is_fetched(one)).map(|(key, _)| &*key.text).collect();
    for (key, one) in packages {
        if key.text.len() > PATH_BYTES_MAX || key.text.matches('/').count() > NAMES_MAX {
            return Err(
                draft.fault(key.at(), format!("a path that is longer than {PATH_BYTES_MAX} bytes or deeper than {NAMES_MAX} names"))
            );
        }
        let is_brought = fetched.contains(last_name(&key.text).0);
        let place = entry(&mut draft, key.at(), &key.text, one, is_brought)?;
        found.insert(&key.text, place);
        if let Some(info) = one.elements().iter().find(|element| element.is_map()) {
            wants.push((&key.text, By::Entry(place), info));
        }
    }
    let mut budget = LOOKED_FOR_BYTES_MAX;
    for (from, by, info) in wants {
        for (field, kind) in FIELDS {
            for (key, range) in info.get(field).map(Node::pairs).unwrap_or_default() {
                let Some(text) = range.text() else {
                    return Err(draft.fault(range.at(), format!("what is wanted of {:?} is no text", &*key.text)));
                };
                let place = look(&found, from, &key.text, &mut budget);
                if let Some(place) = place.ok_or_else(|| draft.fault(key.at(), "its packages lie too deep in each other"))? {
                    let range = wanted(from_catalog(tree, &key.text, text)).range.map(Box::from);
                    draft.want(place, key.at(), Want { by, range, kind })?;
                }
            }
        }
    }
    Ok(draft.finish_with_purposes("bun.lock", edition))
}

/// What a catalog of the lockfile says where a range only names it: `catalog:`, `catalog:older`.
fn from_catalog<'n>(tree: &'n Node<'_>, name: &str, range: &'n str) -> &'n str {
    let Some(catalog) = range.strip_prefix("catalog:") else { return range };
    let catalog = if catalog.is_empty() { tree.get("catalog") } else { tree.get("catalogs").and_then(|all| all.get(catalog)) };
    catalog.and_then(|catalog| catalog.text_of(name)).unwrap_or(range)
}

/// Whether a package's bytes are fetched, so that others may come inside of them: no folder's and no part's of the workspace are.
fn is_fetched(one: &Node<'_>) -> bool {
    let reference = one.elements().first().and_then(Node::text).and_then(split_at).map(|(_, reference)| reference);
    reference.is_some_and(|reference| !reference.starts_with("root:") && place_of(reference) != Place::Local)
}

/// `is_brought`: it lies below a package that is fetched. bun fetches every other, whatever is said of it being bundled.
fn entry(draft: &mut Draft<'_>, at: usize, path: &str, one: &Node<'_>, is_brought: bool) -> Result<usize, Fault> {
    let elements = one.elements();
    let (name, reference) = elements
        .first()
        .and_then(Node::text)
        .and_then(split_at)
        .ok_or_else(|| draft.fault(at, "a package that does not begin with its name and version"))?;
    let is_bundled = is_brought && elements.iter().any(|element| element.is_true_of("bundled"));
    let address = elements.get(1).and_then(Node::text).unwrap_or_default();
    let is_release = semantic(reference).is_some();
    let source = match place_of(reference) {
        _ if is_bundled => Source::Bundled { release: is_release.then(|| draft.release(at, name, reference)).transpose()? },
        _ if is_release => {
            let address = Some(address.to_owned()).filter(|address| !address.is_empty());
            Source::Registry { release: draft.release(at, name, reference)?, address }
        }
        _ if reference.starts_with("root:") => Source::Local,
        Place::Local => Source::Local,
        Place::Web | Place::Other => Source::Elsewhere { address: reference.to_owned() },
    };
    // Of a repository the last element is the commit.
    let stated = match elements.last().and_then(Node::text).filter(|text| elements.len() > 1 && text.contains('-')) {
        Some(integrity) if !matches!(place_of(reference), Place::Other) || is_release => stated(Some(integrity), None),
        Some(_) | None => Stated::Nothing,
    };
    let release = (is_release && !address.is_empty()).then(|| draft.release(at, name, reference)).transpose()?;
    let place = draft.add(at, name, if is_release { reference } else { "" }, source, stated)?;
    if let (Some(release), Some(second)) = (release, elements.get(1)) {
        draft.spot(Some(place), Spot { release, at: second.at(), address: address.to_owned(), is_encoded: false });
    }
    draft.alias(place, last_name(path).1);
    Ok(place)
}

/// What a path is below, and its last name, which may have a scope.
fn last_name(path: &str) -> (&str, &str) {
    let cut = |path: &str| path.rfind('/');
    let at = match cut(path) {
        Some(at) => match path.get(..at).map(|above| (above, cut(above).map_or(0, |at| at + 1))) {
            Some((above, scope)) if above.get(scope..).is_some_and(|one| one.starts_with('@')) => scope.checked_sub(1),
            Some(_) | None => Some(at),
        },
        None => None,
    };
    match at {
        Some(at) => (path.get(..at).unwrap_or_default(), path.get(at + 1..).unwrap_or_default()),
        None => ("", path),
    }
}

/// The entry that is found from a path: the nearest on the way up. `None` where looking would go on for too long.
fn look(found: &HashMap<&str, usize>, from: &str, name: &str, budget: &mut usize) -> Option<Option<usize>> {
    let mut from = from;
    loop {
        let path = if from.is_empty() { name.to_owned() } else { format!("{from}/{name}") };
        *budget = budget.checked_sub(path.len() + 1)?;
        if let Some(place) = found.get(path.as_str()) {
            return Some(Some(*place));
        }
        if from.is_empty() {
            return Some(None);
        }
        from = last_name(from).0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_of_names_with_scopes() {
        for (path, above, name) in [
            ("a", "", "a"),
            ("a/b", "a", "b"),
            ("@s/a", "", "@s/a"),
            ("@s/a/b", "@s/a", "b"),
            ("b/@s/a", "b", "@s/a"),
            ("@s/a/@t/b", "@s/a", "@t/b"),
        ] {
            assert_eq!(last_name(path), (above, name), "{path}");
        }
    }
}
