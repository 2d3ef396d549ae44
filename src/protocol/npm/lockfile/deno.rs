//! `deno.lock`, of version 4 and 5: packages of npm's registry, of JSR, and modules by their address.
//! Source: deno's documentation of its lockfile, and what deno 2.9 writes.

use std::collections::HashMap;

use crate::ecosystem::tree::Fault;
use crate::ecosystem::tree::Node;
use crate::model::lockfile::By;
use crate::model::lockfile::Source;
use crate::model::lockfile::Stated;
use crate::model::lockfile::Want;
use crate::model::lockfile::WantKind;
use crate::protocol::npm::lockfile::draft::Draft;
use crate::protocol::npm::lockfile::draft::Read;
use crate::protocol::npm::lockfile::draft::split_at;
use crate::protocol::npm::lockfile::draft::stated;
use crate::protocol::npm::lockfile::rewrite::Spot;

pub fn read(text: &str, tree: &Node<'_>) -> Result<Read, Fault> {
    let mut draft = Draft::new(text);
    let edition = tree.get("version").and_then(Node::word).unwrap_or_default();
    if !matches!(edition, "4" | "5") {
        let at = tree.get("version").map_or(0, Node::at);
        return Err(draft.fault(at, format!("version {edition:?} is not known; 4 and 5 are")));
    }
    let mut found: HashMap<&str, usize> = HashMap::new();
    // A dependency names a package alone where it is there in one version only.
    let mut by_name: HashMap<&str, usize> = HashMap::new();
    let mut packages = Vec::new();
    for (key, one) in tree.get("npm").map(Node::pairs).unwrap_or_default() {
        let (name, version) = split_at(&key.text).ok_or_else(|| draft.fault(key.at(), "a package without a version"))?;
        // Behind an underscore stand the peers that it is beside.
        let version = version.split('_').next().unwrap_or(version);
        let address = one.text_of("tarball").map(str::to_owned);
        let release = draft.release(key.at(), name, version)?;
        let source = Source::Registry { release: release.clone(), address: address.clone() };
        let place = draft.add(key.at(), name, version, source, stated(one.text_of("integrity"), None))?;
        if let Some((address, node)) = address.zip(one.get("tarball")) {
            draft.spot(Some(place), Spot { release, at: node.at(), address, is_encoded: false });
        }
        found.insert(&key.text, place);
        by_name.insert(name, place);
        packages.push((place, one));
    }
    for (place, one) in packages {
        for (field, kind) in [("dependencies", WantKind::Needed), ("optionalDependencies", WantKind::Optional)] {
            for needed in one.get(field).map(Node::elements).unwrap_or_default() {
                let Some(text) = needed.text() else { return Err(draft.fault(needed.at(), "a dependency that is no text")) };
                let text = text.split_once("@npm:").map_or(text, |(_, target)| target);
                if let Some(target) = found.get(text).or_else(|| by_name.get(text)).copied() {
                    draft.want(target, needed.at(), Want { by: By::Entry(place), range: None, kind })?;
                }
            }
        }
    }
    let project = draft.project(0, "")?;
    for (key, resolved) in tree.get("specifiers").map(Node::pairs).unwrap_or_default() {
        let Some((name, range)) = key.text.strip_prefix("npm:").and_then(split_at) else { continue };
        let Some(target) = resolved.text().and_then(|version| found.get(format!("{name}@{version}").as_str())).copied() else { continue };
        draft.want(target, key.at(), Want { by: project, range: Some(range.into()), kind: WantKind::Needed })?;
    }
    for (key, one) in tree.get("jsr").map(Node::pairs).unwrap_or_default() {
        let (name, version) = split_at(&key.text).unwrap_or((&key.text, ""));
        let address = format!("jsr:{}", key.text);
        draft.add(one.at(), name, version, Source::Elsewhere { address }, Stated::Nothing)?;
    }
    for (key, _) in tree.get("remote").map(Node::pairs).unwrap_or_default() {
        draft.add(key.at(), &key.text, "", Source::Elsewhere { address: key.text.to_string() }, Stated::Nothing)?;
    }
    Ok(draft.finish_with_purposes("deno.lock", edition))
}
