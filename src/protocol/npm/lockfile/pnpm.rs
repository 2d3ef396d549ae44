//! `pnpm-lock.yaml`, of version 6 and 9: projects with what they ask for, packages with their bytes, and (in 9 apart) what each
//! of them was joined with. Which range another package asks for, it does not tell.
//! Source: pnpm's lockfile types, and what pnpm 8 to 12 write.

use std::collections::HashMap;

use crate::ecosystem::tree::Fault;
use crate::ecosystem::tree::Key;
use crate::ecosystem::tree::Node;
use crate::model::lockfile::By;
use crate::model::lockfile::Source;
use crate::model::lockfile::Want;
use crate::model::lockfile::WantKind;
use crate::protocol::npm::lockfile::draft::Draft;
use crate::protocol::npm::lockfile::draft::Read;
use crate::protocol::npm::lockfile::draft::split_at;
use crate::protocol::npm::lockfile::draft::stated;
use crate::protocol::npm::lockfile::draft::wanted;
use crate::protocol::npm::lockfile::rewrite::Spot;

const OF_PROJECTS: [(&str, WantKind); 3] =
    [("dependencies", WantKind::Needed), ("devDependencies", WantKind::Dev), ("optionalDependencies", WantKind::Optional)];
const OF_PACKAGES: [(&str, WantKind); 2] = [("dependencies", WantKind::Needed), ("optionalDependencies", WantKind::Optional)];

pub fn read(text: &str, documents: &[Node<'_>]) -> Result<Read, Fault> {
    let mut draft = Draft::new(text);
    let mut found = Found::default();
    let mut edition = "";
    for document in documents {
        edition = document.text_of("lockfileVersion").unwrap_or(edition);
        let is_known = edition.starts_with("6.") || edition.starts_with("9.");
        if !is_known {
            let at = document.get("lockfileVersion").map_or(document.at(), Node::at);
            return Err(draft.fault(at, format!("lockfileVersion {edition:?} is not known; 6.0 and 9.0 are, which pnpm writes from 8 on")));
        }
        for (key, one) in document.get("packages").map(Node::pairs).unwrap_or_default() {
            package(&mut draft, &mut found, key, one)?;
        }
    }
    for document in documents {
        let joined = if edition.starts_with("6.") { document.get("packages") } else { document.get("snapshots") };
        for (key, one) in joined.map(Node::pairs).unwrap_or_default() {
            let Some(place) = found.of(&key.text) else { return Err(draft.fault(key.at(), "a snapshot of no package of the lockfile")) };
            flags(&mut draft, place, one);
            for (field, kind) in OF_PACKAGES {
                for (name, reference) in one.get(field).map(Node::pairs).unwrap_or_default() {
                    let peer = found.peers.get(&place).and_then(|peers| peers.get(&name.text)).and_then(Node::text);
                    let kind = if peer.is_some() { WantKind::Peer } else { kind };
                    let want = Want { by: By::Entry(place), range: peer.and_then(|range| wanted(range).range).map(Box::from), kind };
                    join(&mut draft, &found, name, reference, want)?;
                }
            }
        }
        let projects =
            document.get("importers").map(Node::pairs).unwrap_or_default().iter().map(|(folder, project)| (&*folder.text, project));
        // Of a project alone, version 6 writes what it asks for at the top.
        for (folder, project) in projects.chain([("", document)]) {
            let by = draft.project(project.at(), folder)?;
            for (field, kind) in OF_PROJECTS {
                for (name, one) in project.get(field).map(Node::pairs).unwrap_or_default() {
                    let specifier = one.text_of("specifier").map(|range| from_catalog(document, &name.text, range));
                    let range = specifier.and_then(|range| wanted(range).range).map(Box::from);
                    if let Some(reference) = one.get("version") {
                        join(&mut draft, &found, name, reference, Want { by, range, kind })?;
                    }
                }
            }
        }
    }
    Ok(draft.finish_with_purposes("pnpm-lock", edition))
}

/// Entries by their key, and by it without the peers that they are beside.
#[derive(Default)]
struct Found<'n> {
    places: HashMap<String, usize>,
    /// By all that is said of where an entry's bytes come from and what they are.
    resolutions: HashMap<String, usize>,
    peers: HashMap<usize, &'n Node<'n>>,
}

impl Found<'_> {
    fn of(&self, key: &str) -> Option<usize> {
        self.places.get(slashless(key)).or_else(|| self.places.get(bare(key))).copied()
    }

    /// The last of a key counts: of several documents, the later is the project's.
    fn is_at(&mut self, key: &str, place: usize) {
        self.places.insert(slashless(key).to_owned(), place);
        self.places.entry(bare(key).to_owned()).or_insert(place);
    }
}

fn slashless(key: &str) -> &str {
    key.strip_prefix('/').unwrap_or(key)
}

/// `left@1.0.0` of `/left@1.0.0(right@2.0.0)`: without the slash of version 6, and without peers.
fn bare(key: &str) -> &str {
    let key = slashless(key);
    key.split('(').next().unwrap_or(key)
}

fn package<'n>(draft: &mut Draft<'_>, found: &mut Found<'n>, key: &Key<'_>, one: &'n Node<'n>) -> Result<(), Fault> {
    let known = bare(&key.text);
    let resolution = one.get("resolution").ok_or_else(|| draft.fault(key.at(), "a package without a resolution"))?;
    let (name, reference) = match (split_at(known), one.text_of("name")) {
        // Version 6 names a package besides where its key is an address.
        (_, Some(name)) => (name, known),
        (Some((name, reference)), None) => (name, reference),
        (None, None) => return Err(draft.fault(key.at(), "a package without a name")),
    };
    let tarball = resolution.text_of("tarball");
    let is_address = one.has("name") || reference.contains(':') || reference.contains('/');
    let version = if is_address { one.text_of("version").unwrap_or_default() } else { reference };
    let source = match (resolution.text_of("type"), tarball) {
        (Some("directory"), _) => Source::Local,
        (Some(_), _) if resolution.has("repo") => {
            let commit = resolution.text_of("commit").unwrap_or_default();
            Source::Elsewhere { address: format!("{}#{commit}", resolution.text_of("repo").unwrap_or_default()) }
        }
        (_, Some(tarball)) if tarball.starts_with("file:") => Source::Local,
        (_, Some(tarball)) if is_address => Source::Elsewhere { address: tarball.to_owned() },
        (None, tarball) if !is_address => {
            Source::Registry { release: draft.release(key.at(), name, version)?, address: tarball.map(str::to_owned) }
        }
        (Some(_) | None, _) => Source::Elsewhere { address: reference.to_owned() },
    };
    let release = match &source {
        Source::Registry { release, .. } => Some(release.clone()),
        Source::Beneath { .. } | Source::Elsewhere { .. } | Source::Local | Source::Bundled { .. } => None,
    };
    let stated = stated(resolution.text_of("integrity"), None);
    // The same with other peers is the same, if it is the same bytes from the same place.
    let said = format!("{name}@{version} {source:?} {stated:?}");
    let place = match found.resolutions.get(&said) {
        Some(place) => *place,
        None => draft.add(key.at(), name, version, source, stated)?,
    };
    found.resolutions.insert(said, place);
    if let (Some(release), Some(node)) = (release, resolution.get("tarball")) {
        let address = node.text().unwrap_or_default().to_owned();
        draft.spot(Some(place), Spot { release, at: node.at(), address, is_encoded: false });
    }
    found.is_at(&key.text, place);
    if let Some(peers) = one.get("peerDependencies") {
        found.peers.insert(place, peers);
    }
    Ok(())
}

fn flags(draft: &mut Draft<'_>, place: usize, one: &Node<'_>) {
    if let Some(entry) = draft.entry(place) {
        entry.dev |= one.is_true_of("dev");
        entry.optional |= one.is_true_of("optional");
    }
}

/// `1.0.0(right@2.0.0)` is a version of the package that the key names; an alias, an address and a file are named in full.
fn join(draft: &mut Draft<'_>, found: &Found<'_>, name: &Key<'_>, reference: &Node<'_>, want: Want) -> Result<(), Fault> {
    let Some(text) = reference.text() else {
        return Err(draft.fault(reference.at(), format!("what {:?} is joined with is no text", &*name.text)));
    };
    let of_name = || found.of(&format!("{}@{text}", name.text));
    let Some(place) = of_name().or_else(|| found.of(text)) else { return Ok(()) };
    draft.alias(place, &name.text);
    draft.want(place, name.at(), want)
}

/// What a catalog of the lockfile says where a range only names it: `catalog:`, `catalog:older`.
fn from_catalog<'n>(document: &'n Node<'_>, name: &str, range: &'n str) -> &'n str {
    let Some(catalog) = range.strip_prefix("catalog:") else { return range };
    let catalog = if catalog.is_empty() { "default" } else { catalog };
    let all = document.get("catalogs").and_then(|catalogs| catalogs.get(catalog));
    all.and_then(|all| all.get(name)).and_then(|one| one.text_of("specifier")).unwrap_or(range)
}
