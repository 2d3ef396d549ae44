//! The npm-shrinkwrap.json inside a package: from where clients fetch what it needs, whatever registry they are set to.
//!
//! Plain is the address of a tarball at the host that serves this very release, or at the one host that every npm client
//! replaces by its own registry's. From any other host a client fetches past its gate. Source: npm's documentation of the
//! setting `replace-registry-host`.

use serde_json::Value;
use url::Url;

use crate::ecosystem::json;
use crate::ecosystem::json::Bounds;
use crate::protocol::npm::inspect::LIST_MAX;
use crate::protocol::npm::inspect::manifest::Manifest;
use crate::protocol::npm::inspect::shown;

/// The largest seen is 2 MB.
pub(super) const BOUNDS: Bounds = Bounds { bytes_max: 16 << 20, depth_max: 128 };

/// The parts of the name of the host that npm replaces.
const REPLACED: [&str; 3] = ["registry", "npmjs", "org"];

/// Addresses that are not plain, at most [`LIST_MAX`]; or why that cannot be told.
pub(super) fn foreign(text: &[u8], listed: &Manifest) -> Vec<String> {
    let own = listed.get("dist").and_then(|dist| dist.get("tarball")).and_then(Value::as_str).and_then(host_of);
    let document = match json::strict(text, BOUNDS) {
        Ok(document) => document,
        Err(fault) => return vec![shown(&format!("it cannot be read: {fault}"))],
    };
    let mut found = Vec::new();
    let mut open = vec![&document];
    while let Some(value) = open.pop() {
        match value {
            Value::Object(pairs) => {
                for (key, value) in pairs {
                    match (key.as_str(), value) {
                        ("resolved", Value::String(address)) if !is_plain(address, own.as_deref()) => found.push(shown(address)),
                        // Where something else than a registry served it, its version was once its address.
                        ("version", Value::String(version)) if version.contains([':', '/']) && !is_alias(version) => {
                            if !is_plain(version, own.as_deref()) {
                                found.push(shown(version));
                            }
                        }
                        _ => open.push(value),
                    }
                }
            }
            Value::Array(values) => open.extend(values),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
        if found.len() >= LIST_MAX {
            break;
        }
    }
    found.sort();
    found.dedup();
    found.truncate(LIST_MAX);
    found
}

/// `npm:other@1.0.0` is another package of a registry.
fn is_alias(version: &str) -> bool {
    version.starts_with("npm:")
}

fn host_of(address: &str) -> Option<String> {
    Url::parse(address).ok()?.host_str().map(str::to_owned)
}

fn is_plain(address: &str, own: Option<&str>) -> bool {
    // Without an address a client asks its registry.
    if address.is_empty() {
        return true;
    }
    let Ok(url) = Url::parse(address) else { return false };
    let Some(host) = url.host_str() else { return false };
    let tarball = matches!(url.scheme(), "http" | "https") && url.path().contains("/-/") && url.path().ends_with(".tgz");
    let known = own == Some(host) || host.split('.').eq(REPLACED);
    tarball && known && url.username().is_empty() && url.port().is_none_or(|_| own == Some(host))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(fields: &str, expect: &[&str]) {
        let Value::Object(listed) = serde_json::json!({"dist":{"tarball":"https://registry.example/a/-/a-1.0.0.tgz"}}) else { panic!() };
        assert_eq!(foreign(fields.as_bytes(), &listed), expect, "{fields}");
    }

    #[test]
    fn tarballs_of_the_registry_are_plain() {
        let replaced = REPLACED.join(".");
        for address in [
            "https://registry.example/b/-/b-1.0.0.tgz",
            "",
            &format!("https://{replaced}/@s/b/-/b-1.0.0.tgz"),
            &format!("http://{replaced}/b/-/b.tgz"),
        ] {
            check(&format!(r#"{{"packages":{{"node_modules/b":{{"version":"1.0.0","resolved":"{address}"}}}}}}"#), &[]);
            check(&format!(r#"{{"dependencies":{{"b":{{"version":"1.0.0","dependencies":{{"c":{{"resolved":"{address}"}}}}}}}}}}"#), &[]);
        }
        check(r#"{"packages":{"":{"name":"a","version":"1.0.0"},"node_modules/b":{"version":"npm:c@1.0.0","bundled":true}}}"#, &[]);
    }

    #[test]
    fn what_leads_past_the_gate_is_foreign() {
        for address in [
            "https://evil.example/b/-/b-1.0.0.tgz",
            "git+ssh://git@host.example/o/r.git#0123",
            "https://registry.example/b.zip",
            "https://registry.example.evil.example/b/-/b.tgz",
            "https://u@registry.example/b/-/b.tgz",
            "file:../b.tgz",
            "../b",
        ] {
            check(&format!(r#"{{"packages":{{"node_modules/b":{{"resolved":"{address}"}}}}}}"#), &[address]);
        }
        check(r#"{"dependencies":{"b":{"version":"github:o/r#0123"}}}"#, &["github:o/r#0123"]);
        check(r#"{"a":1,"a":2}"#, &[r#"it cannot be read: the key "a" stands twice in one object, at line 1 column 10"#]);
        let many: Vec<String> = (0..100).map(|n| format!(r#""d{n}":{{"resolved":"git://{n}"}}"#)).collect();
        let Value::Object(listed) = serde_json::json!({}) else { panic!() };
        assert_eq!(foreign(format!("{{{}}}", many.join(",")).as_bytes(), &listed).len(), LIST_MAX);
    }
}
