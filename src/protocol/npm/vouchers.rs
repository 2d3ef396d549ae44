//! What npm's registries say of a release besides its bytes: `dist.signatures`, `dist.attestations`, and the keys to check them
//! with. Source: npm's documentation, "about registry signatures".

use data_encoding::BASE64;
use serde_json::Value;

use crate::ecosystem::Unreadable;
use crate::ecosystem::UpstreamPath;
use crate::ecosystem::json::Bounds;
use crate::ecosystem::json::strict;
use crate::ecosystem::signature::PublicKey;
use crate::ecosystem::voucher::RegistryKey;
use crate::ecosystem::voucher::Signature;
use crate::ecosystem::voucher::Vouchers;
use crate::model::package::PackageName;
use crate::model::package::Version;
use crate::model::time::Timestamp;
use crate::protocol::npm::attestations;
use crate::protocol::npm::manifest::DEPTH_MAX;
use crate::protocol::npm::manifest::Manifest;
use crate::protocol::npm::manifest::get;
use crate::protocol::npm::manifest::text;

/// Where registries have their keys.
pub const KEYS: &str = "-/npm/v1/keys";
/// Of keys and of statements alike.
const DOCUMENT: Bounds = Bounds { bytes_max: 4 * 1_024 * 1_024, depth_max: DEPTH_MAX };
const KEYS_MAX: usize = 100;
const SIGNATURES_MAX: usize = 16;
const STATEMENTS_MAX: usize = 16;
/// How statements of provenance begin that say from what something was built.
const PROVENANCE: &str = "https://slsa.dev/provenance/";

/// `None` where the manifest cannot be read: then nothing is known of it.
pub fn vouchers(package: &PackageName, version: &Version, manifest: &[u8]) -> Option<Vouchers> {
    let manifest = Manifest::split(manifest).ok()?;
    let dist = manifest.object("dist").ok()?;
    let integrity = text(&dist, "integrity", "dist.integrity").ok().filter(|integrity| !integrity.is_empty());
    let signatures = get(&dist, "signatures").and_then(|raw| serde_json::from_str::<Vec<Value>>(raw.get()).ok()).unwrap_or_default();
    let signatures = signatures.iter().take(SIGNATURES_MAX).filter_map(|signature| {
        let field = |name: &str| signature.get(name).and_then(Value::as_str);
        Some(Signature { key: field("keyid")?.to_owned(), bytes: BASE64.decode(field("sig")?.as_bytes()).unwrap_or_default() })
    });
    let is_attested = get(&dist, "attestations").is_some_and(|raw| raw.get().starts_with('{'));
    Some(Vouchers {
        message: integrity.map(|integrity| format!("{package}@{version}:{integrity}")),
        signatures: signatures.collect(),
        statements: is_attested.then(|| UpstreamPath(attestations::path(package, version))),
        subject: format!("pkg:npm/{package}@{version}"),
    })
}

/// The keys of a registry's answer.
pub fn keys(document: &[u8]) -> Result<Vec<RegistryKey>, Unreadable> {
    let document = strict(document, DOCUMENT)?;
    let keys = document.get("keys").and_then(Value::as_array).ok_or_else(|| Unreadable::Malformed("it has no keys".to_owned()))?;
    let read = |key: &Value| {
        let field = |name: &str| key.get(name).and_then(Value::as_str);
        let expires_at = match key.get("expires") {
            None | Some(Value::Null) => None,
            Some(at) => Some(at.as_str().and_then(|at| Timestamp::parse(at).ok())?),
        };
        let spki = BASE64.decode(field("key")?.as_bytes()).ok()?;
        Some(RegistryKey { id: field("keyid")?.to_owned(), key: PublicKey::of_spki(&spki), expires_at })
    };
    Ok(keys.iter().take(KEYS_MAX).filter_map(read).collect())
}

/// The bundles of a registry's answer that say from what a release was built.
pub fn provenance(document: &[u8]) -> Result<Vec<Value>, Unreadable> {
    let document = strict(document, DOCUMENT)?;
    let all = document.get("attestations").and_then(Value::as_array);
    let all = all.ok_or_else(|| Unreadable::Malformed("it has no attestations".to_owned()))?;
    let is_provenance = |one: &&Value| one.get("predicateType").and_then(Value::as_str).is_some_and(|kind| kind.starts_with(PROVENANCE));
    Ok(all.iter().filter(is_provenance).take(STATEMENTS_MAX).filter_map(|one| one.get("bundle").cloned()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vouchers {
        vouchers(&PackageName::npm("@acme/web").unwrap(), &Version::parse("1.0.0+b").unwrap(), text.as_bytes()).unwrap()
    }

    #[test]
    fn what_a_manifest_leads_to() {
        let all = read(
            r#"{"dist":{"integrity":"sha512-x","attestations":{"url":"u"},
                "signatures":[{"keyid":"k","sig":"AAEC"},{"keyid":"j","sig":"?"},{"sig":"AA=="},7]}}"#,
        );
        assert_eq!(all.message.as_deref(), Some("@acme/web@1.0.0+b:sha512-x"));
        let signature = |key: &str, bytes: &[u8]| Signature { key: key.to_owned(), bytes: bytes.to_vec() };
        assert_eq!(all.signatures, [signature("k", &[0, 1, 2]), signature("j", &[])], "one that is no base64 does not verify");
        assert_eq!(all.statements, Some(UpstreamPath("-/npm/v1/attestations/@acme%2fweb@1.0.0%2Bb".to_owned())));
        assert_eq!(all.subject, "pkg:npm/@acme/web@1.0.0+b");
        for text in [r#"{"dist":{}}"#, "{}", r#"{"dist":{"integrity":"","signatures":{},"attestations":true}}"#] {
            assert_eq!(read(text), Vouchers { subject: all.subject.clone(), ..Vouchers::default() }, "{text}");
        }
    }

    #[test]
    fn keys_are_read_one_by_one() {
        let spki = BASE64.encode(&[b"\x30\x2a\x30\x05\x06\x03\x2b\x65\x70\x03\x21\x00".as_slice(), &[7; 32]].concat());
        let text = format!(
            r#"{{"keys":[{{"keyid":"a","key":"{spki}","expires":null}},{{"keyid":"b","key":"AAAA","expires":"2026-01-01T00:00:00Z"}},
                {{"keyid":"c","key":"?"}},{{"key":"{spki}"}},{{"keyid":"d","key":"{spki}","expires":"soon"}},7]}}"#
        );
        let keys = keys(text.as_bytes()).unwrap();
        let seen: Vec<_> = keys.iter().map(|key| (key.id.as_str(), key.key.is_some(), key.expires_at.is_some())).collect();
        assert_eq!(seen, [("a", true, false), ("b", false, true)], "a key whose end cannot be read is none");
        for text in ["", "[]", r#"{"keys":{}}"#, r#"{"keys":[],"keys":[]}"#] {
            assert!(super::keys(text.as_bytes()).is_err(), "{text}");
        }
    }

    #[test]
    fn only_provenance_is_taken_of_statements() {
        let text = r#"{"attestations":[{"predicateType":"https://slsa.dev/provenance/v1","bundle":{"a":1}},
            {"predicateType":"https://registry.example/publish/v0.1","bundle":{"a":2}},{"predicateType":"https://slsa.dev/provenance/v0.2"},7]}"#;
        assert_eq!(provenance(text.as_bytes()).unwrap(), [serde_json::json!({"a": 1})]);
        assert!(provenance(b"{}").is_err());
    }
}
