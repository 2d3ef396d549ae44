//! What an npm manifest says of its release's companions: which releases it needs in exactly one version, whether it is for one
//! platform only, and who published it.

use crate::ecosystem::Bonds;
use crate::ecosystem::Pin;
use crate::model::package::Version;
use crate::model::release::ReleaseId;
use crate::protocol::npm::manifest::Manifest;
use crate::protocol::npm::manifest::as_text;
use crate::protocol::npm::needs::need;
use crate::protocol::npm::order::semantic;

/// Exact needs of one release that are looked at.
const PINS_MAX: usize = 256;
/// Manifests above this, in bytes, are not looked at: they belong to nobody.
const MANIFEST_BYTES_MAX: usize = 256 * 1_024;
const PUBLISHER_BYTES_MAX: usize = 214;
/// Under this name everybody's builds publish.
const SHARED_PUBLISHER: &str = "GitHub Actions";

pub fn bonds(manifest: &[u8]) -> Bonds {
    if manifest.len() > MANIFEST_BYTES_MAX {
        return Bonds::default();
    }
    let Ok(manifest) = Manifest::split(manifest) else { return Bonds::default() };
    let mut pins = Vec::new();
    for (field, optional) in [("optionalDependencies", true), ("dependencies", false)] {
        for (name, wanted) in manifest.object(field).unwrap_or_default() {
            let Some(pin) = as_text(wanted).and_then(|wanted| pin(&name, wanted.trim(), optional)) else { continue };
            // What is optional stands in both lists in what registries serve.
            if pins.len() < PINS_MAX && !pins.iter().any(|one: &Pin| one.release == pin.release) {
                pins.push(pin);
            }
        }
    }
    let is_for_platform = ["os", "cpu", "libc"].iter().any(|field| manifest.get(field).is_some_and(|value| names_some(value.get())));
    Bonds { pins, is_for_platform, publisher: publisher(&manifest) }
}

fn pin(name: &str, wanted: &str, optional: bool) -> Option<Pin> {
    let need = need(name, wanted)?;
    let exact = need.range.trim().trim_start_matches('=').trim();
    let version = semantic(exact).and_then(|_| Version::parse(exact).ok())?;
    Some(Pin { release: ReleaseId { package: need.package, version }, optional })
}

/// A list that names something, or a text that does.
fn names_some(value: &str) -> bool {
    match serde_json::from_str::<serde_json::Value>(value) {
        Ok(serde_json::Value::Array(all)) => !all.is_empty(),
        Ok(serde_json::Value::String(one)) => !one.is_empty(),
        Ok(_) | Err(_) => false,
    }
}

fn publisher(manifest: &Manifest<'_>) -> Option<String> {
    let published_by = manifest.object("_npmUser").ok()?;
    if published_by.iter().any(|(key, _)| *key == "trustedPublisher") {
        return None;
    }
    let (_, name) = published_by.iter().find(|(key, _)| *key == "name")?;
    let name = as_text(*name)?;
    Some(name.into_owned()).filter(|name| !name.is_empty() && name.len() <= PUBLISHER_BYTES_MAX && name != SHARED_PUBLISHER)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(manifest: &str, pins: &[(&str, bool)], is_for_platform: bool, publisher: Option<&str>) {
        let found = bonds(manifest.as_bytes());
        let texts: Vec<(String, bool)> = found.pins.iter().map(|one| (one.release.to_string(), one.optional)).collect();
        let expected: Vec<(String, bool)> = pins.iter().map(|(release, optional)| ((*release).to_owned(), *optional)).collect();
        assert_eq!((texts, found.is_for_platform, found.publisher.as_deref()), (expected, is_for_platform, publisher), "{manifest}");
    }

    #[test]
    fn only_one_exact_version_is_a_pin() {
        check(
            r#"{"dependencies":{"a":"1.0.0","b":"^1.0.0","c":"=2.0.0-rc.1","d":"*","e":"1.x","f":"1.0.0 || 2.0.0","g":"latest"}}"#,
            &[("a@1.0.0", false), ("c@2.0.0-rc.1", false)],
            false,
            None,
        );
        check(r#"{"dependencies":{"x":"npm:@s/b@1.2.3","y":"git+https://git.example/y.git"}}"#, &[("@s/b@1.2.3", false)], false, None);
        check(
            r#"{"dependencies":{"@e/linux":"0.21.5"},"optionalDependencies":{"@e/linux":"0.21.5","@e/mac":"0.21.5"},"devDependencies":{"z":"1.0.0"}}"#,
            &[("@e/linux@0.21.5", true), ("@e/mac@0.21.5", true)],
            false,
            None,
        );
    }

    #[test]
    fn a_platform_and_a_publisher_are_named() {
        check(r#"{"os":["linux"],"cpu":["x64"],"_npmUser":{"name":"ann","email":"a@mail.example"}}"#, &[], true, Some("ann"));
        check(r#"{"os":[],"cpu":null,"libc":"glibc"}"#, &[], true, None);
        check(r#"{"os":[],"cpu":{},"_npmUser":{"name":"GitHub Actions"}}"#, &[], false, None);
        check(r#"{"_npmUser":{"name":"ann","trustedPublisher":{"id":"github"}}}"#, &[], false, None);
        check("no manifest", &[], false, None);
        let many: Vec<String> = (0..PINS_MAX + 5).map(|number| format!(r#""p{number}":"1.0.0""#)).collect();
        assert_eq!(bonds(format!(r#"{{"dependencies":{{{}}}}}"#, many.join(",")).as_bytes()).pins.len(), PINS_MAX);
    }
}
