//! What the made-up registry says besides of where releases come from: keys, signatures, statements. None of it is true.

use bytes::Bytes;
use data_encoding::BASE64;
use serde_json::Map;
use serde_json::Value;
use serde_json::json;

use crate::model::package::PackageName;
use crate::model::package::Version;
use crate::protocol::npm::attestations;
use crate::protocol::npm::violation::BAD;
use crate::protocol::npm::vouchers::KEYS;

const KEY: &str = "airlock-selftest";
/// Of Ed25519, as a subject's public key is written. Source: RFC 8410.
const SPKI: &[u8] = b"\x30\x2a\x30\x05\x06\x03\x2b\x65\x70\x03\x21\x00";
/// Source: RFC 8032, 7.1, test 1.
const PUBLIC: &[u8; 32] = b"\xd7\x5a\x98\x01\x82\xb1\x0a\xb7\xd5\x4b\xfe\xd3\xc9\x64\x07\x3a\
    \x0e\xe1\x72\xf3\xda\xa6\x23\x25\xaf\x02\x1a\x68\xf7\x07\x51\x1a";
const PROVENANCE: &str = "https://slsa.dev/provenance/v1";

pub(super) fn attested(dist: &mut Map<String, Value>) {
    let attestations = json!({"url": "https://registry.example/", "provenance": {"predicateType": PROVENANCE}});
    dist.insert("attestations".to_owned(), attestations);
}

/// By the registry's key, and of nothing.
pub(super) fn signed(dist: &mut Map<String, Value>) {
    dist.insert("signatures".to_owned(), json!([{"keyid": KEY, "sig": BASE64.encode(&[0; 64])}]));
}

pub(super) fn keys() -> (String, Bytes) {
    let key = BASE64.encode(&[SPKI, PUBLIC].concat());
    let keys = json!({"keys": [{"keyid": KEY, "keytype": "ed25519", "scheme": "ed25519", "key": key, "expires": null}]});
    (KEYS.to_owned(), Bytes::from(keys.to_string()))
}

/// A bundle that proves nothing.
pub(super) fn statements(package: &PackageName) -> (String, Bytes) {
    let bundle = json!({"mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json"});
    let all = json!({"attestations": [{"predicateType": PROVENANCE, "bundle": bundle}]});
    let path = Version::parse(BAD).map(|version| attestations::path(package, &version)).unwrap_or_default();
    // As it is asked for, which is decoded before it is looked up.
    (path.replace("%2f", "/"), Bytes::from(all.to_string()))
}
