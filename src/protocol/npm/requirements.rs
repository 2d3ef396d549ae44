//! What a release asks for of other packages, whole and with its kind: a plan counts on it, where foresight only guesses.

use std::collections::HashSet;

use crate::ecosystem::Requirement;
use crate::model::lockfile::WantKind;
use crate::model::package::PackageId;
use crate::protocol::npm::lockfile::wanted;
use crate::protocol::npm::manifest::Manifest;
use crate::protocol::npm::manifest::as_text;

/// Of one release.
const REQUIREMENTS_MAX: usize = 2_000;

const FIELDS: [(&str, WantKind); 3] =
    [("optionalDependencies", WantKind::Optional), ("dependencies", WantKind::Needed), ("peerDependencies", WantKind::Peer)];

/// Each package once: what is optional counts as that, as npm has it. Optional peers are left out, and so is what no registry
/// serves.
pub fn requirements(manifest: &[u8]) -> Vec<Requirement> {
    let Ok(manifest) = Manifest::split(manifest) else { return Vec::new() };
    let optional_peers = optional_peers(&manifest);
    let mut seen = HashSet::new();
    let mut all = Vec::new();
    for (field, kind) in FIELDS {
        for (name, text) in manifest.object(field).unwrap_or_default() {
            if all.len() == REQUIREMENTS_MAX
                || (kind == WantKind::Peer && optional_peers.contains(&*name))
                || !seen.insert(name.to_string())
            {
                continue;
            }
            let Some(text) = as_text(text) else { continue };
            let wanted = wanted(&text);
            if let (Some(range), Ok(package)) = (wanted.range, PackageId::npm(wanted.target.unwrap_or(&name))) {
                all.push(Requirement { package, range: range.to_owned(), kind });
            }
        }
    }
    all
}

fn optional_peers(manifest: &Manifest<'_>) -> HashSet<String> {
    let meta = manifest.object("peerDependenciesMeta").unwrap_or_default();
    let is_optional =
        |text: &str| serde_json::from_str::<serde_json::Value>(text).is_ok_and(|meta| meta.get("optional") == Some(&true.into()));
    meta.into_iter().filter(|(_, meta)| is_optional(meta.get())).map(|(name, _)| name.to_string()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_release_asks_for() {
        let manifest = r#"{"dependencies":{"a":"^1","b":"npm:@s/b@~2","c":"git+https://h.example/c.git","d":"1"},
            "optionalDependencies":{"d":"1","e":" 2 "},"peerDependencies":{"f":">=1","g":"*"},"peerDependenciesMeta":{"g":{"optional":true}},
            "devDependencies":{"h":"1"}}"#;
        let told: Vec<(String, String, WantKind)> =
            requirements(manifest.as_bytes()).into_iter().map(|one| (one.package.name.to_string(), one.range, one.kind)).collect();
        let expect = [
            ("d", "1", WantKind::Optional),
            ("e", "2", WantKind::Optional),
            ("a", "^1", WantKind::Needed),
            ("@s/b", "~2", WantKind::Needed),
            ("f", ">=1", WantKind::Peer),
        ];
        assert_eq!(told, expect.map(|(name, range, kind)| (name.to_owned(), range.to_owned(), kind)));
        assert_eq!(requirements(b"no manifest"), []);
    }
}
