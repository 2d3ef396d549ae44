//! What a manifest's `dist` states of its bytes: `integrity` in the W3C's form and the older `shasum`.

use data_encoding::BASE64;
use data_encoding::HEXLOWER;

use crate::model::digest::Digest;
use crate::model::digest::DocumentDigest;
use crate::model::digest::Integrity;
use crate::model::finding::printable;

/// Statements longer than this, in bytes, are not read.
const STATED_BYTES_MAX: usize = 2_048;

/// How much of an unreadable statement is repeated.
const SHOWN_BYTES_MAX: usize = 120;

/// Reads `dist.integrity` and `dist.shasum`; a field that is absent or empty states nothing.
///
/// `integrity` may hold several hashes, parted by spaces, each with options after a `?`. A hash of a kind that is not
/// checked here, one that is garbled, and two of a kind that differ make the whole unreadable: where clients would pick
/// one, nobody knows which. Source: W3C Subresource Integrity, as ssri reads it.
pub fn stated(integrity: Option<&str>, shasum: Option<&str>) -> Integrity {
    let mut stated = Integrity::default();
    let hashes = integrity.unwrap_or_default();
    if hashes.len() > STATED_BYTES_MAX {
        stated.unreadable = Some("its integrity is too long".to_owned());
        return stated;
    }
    for hash in hashes.split_ascii_whitespace() {
        if !take(&mut stated, hash) {
            stated.unreadable = Some(printable(hashes, SHOWN_BYTES_MAX));
            return stated;
        }
    }
    let shasum = shasum.unwrap_or_default().trim().to_ascii_lowercase();
    if !shasum.is_empty() {
        let is_sha1 = HEXLOWER.decode(shasum.as_bytes()).is_ok_and(|raw| raw.len() == SHA1_BYTES);
        if !is_sha1 || !agree(&mut stated.sha1, shasum.clone()) {
            stated.unreadable = Some(format!("shasum {}", printable(&shasum, SHOWN_BYTES_MAX)));
        }
    }
    stated
}

const SHA1_BYTES: usize = 20;

/// Whether `hash` could be read and agrees with what was stated before.
fn take(stated: &mut Integrity, hash: &str) -> bool {
    let hash = hash.split('?').next().unwrap_or(hash);
    let Some((algorithm, encoded)) = hash.split_once('-') else { return false };
    let Ok(raw) = BASE64.decode(encoded.as_bytes()) else { return false };
    match algorithm {
        "sha512" => raw.try_into().is_ok_and(|raw| agree(&mut stated.sha512, Digest::from_raw(raw))),
        "sha256" => raw.try_into().is_ok_and(|raw| agree(&mut stated.sha256, DocumentDigest::from_raw(raw))),
        "sha1" => raw.len() == SHA1_BYTES && agree(&mut stated.sha1, HEXLOWER.encode(&raw)),
        _ => false,
    }
}

fn agree<T: PartialEq>(before: &mut Option<T>, now: T) -> bool {
    match before {
        Some(before) => *before == now,
        None => {
            *before = Some(now);
            true
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHA1: &str = "da39a3ee5e6b4b0d3255bfef95601890afd80709";
    const SHA1_SRI: &str = "sha1-2jmj7l5rSw0yVb/vlWAYkK/YBwk=";

    #[test]
    fn hashes_are_read_in_every_form_npm_has() {
        let digest = Digest::of(b"");
        let sha256 = format!("sha256-{}", BASE64.encode(DocumentDigest::of(b"").raw()));
        let all = stated(Some(&format!("{SHA1_SRI} {sha256}\n{}?opt=1", digest.sri())), Some(&SHA1.to_uppercase()));
        let expect =
            Integrity { sha512: Some(digest), sha256: Some(DocumentDigest::of(b"")), sha1: Some(SHA1.to_owned()), unreadable: None };
        assert_eq!(all, expect);
        assert_eq!(stated(None, Some(SHA1)).sha1.as_deref(), Some(SHA1));
        assert_eq!(stated(Some(SHA1_SRI), None).sha1.as_deref(), Some(SHA1));
    }

    #[test]
    fn nothing_stated_is_nothing() {
        assert_eq!(stated(None, None), Integrity::default());
        assert_eq!(stated(Some("  "), Some("")), Integrity::default());
    }

    #[test]
    fn what_nobody_can_check_is_unreadable_and_not_absent() {
        let other = Digest::of(b"x").sri();
        let good = Digest::of(b"").sri();
        for integrity in [
            "md5-1B2M2Y8AsgTpgAmY7PhCfg==",
            &format!("{good} md5-1B2M2Y8AsgTpgAmY7PhCfg=="),
            "sha512-AAAA",
            "sha512",
            "sha512-not base64",
            &format!("{good} {other}"),
            &"x".repeat(3_000),
        ] {
            assert!(stated(Some(integrity), None).unreadable.is_some(), "{integrity}");
        }
        for shasum in ["abc", "z".repeat(40).as_str(), &SHA1[1..]] {
            assert!(stated(None, Some(shasum)).unreadable.is_some(), "{shasum}");
        }
        assert!(stated(Some(SHA1_SRI), Some(&"0".repeat(40))).unreadable.is_some());
    }
}
