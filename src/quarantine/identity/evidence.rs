//! Evidence: the registry's signature of a release and the statement of where it was built, weighed. Pure; what cannot be said is
//! never taken for good.

use serde_json::Value;

use crate::ecosystem::sigstore;
use crate::ecosystem::sigstore::Fault;
use crate::ecosystem::sigstore::Wanted;
use crate::ecosystem::sigstore::root::TrustRoot;
use crate::ecosystem::voucher::Vouchers;
use crate::model::digest::Digest;
use crate::model::evidence::Evidence;
use crate::model::evidence::Proof;
use crate::model::finding::Finding;
use crate::model::finding::FindingKind;
use crate::model::finding::printable;
use crate::model::time::Timestamp;
use crate::quarantine::identity::keyring::Keys;

/// Statements about a release, as far as they could be had.
#[derive(Clone, Debug)]
pub enum Statements {
    /// Its entry speaks of none.
    None,
    Bundles(Vec<Value>),
    Unavailable(String),
    /// The registry did not answer; asked later it may.
    Unanswered(String),
}

/// What speaks for the release whose bytes have `digest`. `published_at`: when it was published, as far as that is believed.
pub fn weigh(
    vouchers: &Vouchers,
    keys: &Keys,
    statements: &Statements,
    root: &TrustRoot,
    digest: &Digest,
    published_at: Option<Timestamp>,
) -> Evidence {
    let signature = signature(vouchers, keys, published_at);
    let wanted = Wanted { name: &vouchers.subject, digest };
    let bundles = match statements {
        Statements::None => return Evidence { signature, provenance: Proof::Absent, ..Evidence::default() },
        Statements::Unavailable(why) | Statements::Unanswered(why) => {
            return Evidence { signature, provenance: unavailable(why), ..Evidence::default() };
        }
        Statements::Bundles(bundles) => bundles,
    };
    let mut provenance = unavailable("its entry speaks of statements, and none is of provenance");
    for bundle in bundles {
        match sigstore::verify(bundle, &wanted, root) {
            Ok(sound) => {
                let (checked, unchecked) = (sound.checked, sound.unchecked);
                return Evidence { signature, provenance: Proof::Good, source: Some(sound.source), checked, unchecked };
            }
            Err(Fault::Wrong(why)) => provenance = Proof::Wrong { why: shown(&why) },
            Err(Fault::Unknown(why)) => match &provenance {
                Proof::Wrong { .. } => {}
                Proof::Good | Proof::Absent | Proof::Unavailable { .. } => provenance = unavailable(&why),
            },
        }
    }
    Evidence { signature, provenance, ..Evidence::default() }
}

/// What is known after asking again: what could be told before, and cannot be now, is known still.
pub fn joined(before: &Evidence, now: Evidence) -> Evidence {
    let is_unavailable = |proof: &Proof| match proof {
        Proof::Unavailable { .. } => true,
        Proof::Good | Proof::Absent | Proof::Wrong { .. } => false,
    };
    let signature = if is_unavailable(&now.signature) { before.signature.clone() } else { now.signature.clone() };
    let provenance = if is_unavailable(&now.provenance) { before.clone() } else { now };
    Evidence { signature, ..provenance }
}

/// Whether the registry signed that these bytes are this release. One good signature is enough; a false one without a good one
/// is false.
fn signature(vouchers: &Vouchers, keys: &Keys, published_at: Option<Timestamp>) -> Proof {
    let keys = match keys {
        Keys::Known(keys) => keys,
        Keys::None => return unavailable("its registry tells no keys"),
        Keys::Unavailable(why) => return unavailable(&format!("its registry's keys cannot be had: {why}")),
    };
    let Some(message) = vouchers.message.as_deref() else { return unavailable("no hash is stated of it that could be signed") };
    let mut proof = match vouchers.signatures.as_slice() {
        [] => unavailable("its registry signs releases, and this one is not signed"),
        _ => unavailable("it is signed with a key that its registry does not tell"),
    };
    for signature in &vouchers.signatures {
        let Some(known) = keys.iter().find(|key| key.id == signature.key) else { continue };
        let Some(key) = &known.key else {
            proof = or_wrong(proof, unavailable("it is signed with a key of a kind that is not known here"));
            continue;
        };
        if !key.signed(message.as_bytes(), &signature.bytes) {
            proof = Proof::Wrong { why: shown(&format!("the signature with {} is not of {message}", known.id)) };
            continue;
        }
        match (known.expires_at, published_at) {
            (None, _) => return Proof::Good,
            (Some(expires_at), Some(published_at)) if published_at < expires_at => return Proof::Good,
            (Some(expires_at), Some(_)) => {
                let why = format!("{} signed it and had expired on {}", known.id, expires_at.for_people());
                proof = Proof::Wrong { why: shown(&why) };
            }
            (Some(_), None) => proof = or_wrong(proof, unavailable("it is signed with a key that expires, and nobody knows when")),
        }
    }
    proof
}

/// What was found to be false stays so.
fn or_wrong(found: Proof, other: Proof) -> Proof {
    match found {
        Proof::Wrong { .. } => found,
        Proof::Good | Proof::Absent | Proof::Unavailable { .. } => other,
    }
}

fn unavailable(why: &str) -> Proof {
    Proof::Unavailable { why: shown(why) }
}

fn shown(why: &str) -> String {
    printable(why, Evidence::TEXT_BYTES_MAX)
}

/// What of it counts against a release.
pub fn examine(evidence: &Evidence) -> Vec<Finding> {
    let kinds = [(FindingKind::SignatureInvalid, &evidence.signature), (FindingKind::ProvenanceInvalid, &evidence.provenance)];
    let found = kinds.into_iter().filter_map(|(kind, proof)| match proof {
        Proof::Wrong { why } => Some(Finding::new(kind, why)),
        Proof::Good | Proof::Absent | Proof::Unavailable { .. } => None,
    });
    found.collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use ring::signature::Ed25519KeyPair;
    use ring::signature::KeyPair;
    use serde_json::json;

    use super::*;
    use crate::ecosystem::signature::PublicKey;
    use crate::ecosystem::voucher::RegistryKey;
    use crate::ecosystem::voucher::Signature;
    use crate::model::evidence::Source;

    const MESSAGE: &str = "@acme/web@1.0.0:sha512-x";

    fn at(text: &str) -> Timestamp {
        Timestamp::parse(text).unwrap()
    }

    fn pair(seed: u8) -> Ed25519KeyPair {
        Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap()
    }

    fn key(id: &str, seed: u8, expires_at: Option<&str>) -> RegistryKey {
        let spki = [b"\x30\x2a\x30\x05\x06\x03\x2b\x65\x70\x03\x21\x00".as_slice(), pair(seed).public_key().as_ref()].concat();
        RegistryKey { id: id.to_owned(), key: PublicKey::of_spki(&spki), expires_at: expires_at.map(at) }
    }

    fn signed(by: &[(&str, u8, &str)]) -> Vouchers {
        let signature = |(id, seed, message): &(&str, u8, &str)| Signature {
            key: (*id).to_owned(),
            bytes: pair(*seed).sign(message.as_bytes()).as_ref().to_vec(),
        };
        Vouchers { message: Some(MESSAGE.to_owned()), signatures: by.iter().map(signature).collect(), ..Vouchers::default() }
    }

    #[track_caller]
    fn check(by: &[(&str, u8, &str)], published_at: Option<&str>, expect: &str) {
        let keys = [key("now", 1, None), key("old", 2, Some("2025-01-29T00:00:00Z")), RegistryKey { key: None, ..key("odd", 3, None) }];
        let proof = signature(&signed(by), &Keys::Known(Arc::from(keys)), published_at.map(at));
        let found = match &proof {
            Proof::Good => "good".to_owned(),
            Proof::Absent => "absent".to_owned(),
            Proof::Unavailable { why } => format!("unavailable: {why}"),
            Proof::Wrong { why } => format!("wrong: {why}"),
        };
        assert!(found.starts_with(expect), "{found}");
    }

    #[test]
    fn a_signature_is_good_false_or_cannot_be_told() {
        check(&[("now", 1, MESSAGE)], None, "good");
        check(&[("now", 1, "@acme/web@1.0.0:sha512-y")], None, "wrong: the signature with now is not of @acme/web@1.0.0:sha512-x");
        check(&[("now", 2, MESSAGE)], None, "wrong: the signature");
        check(&[], None, "unavailable: its registry signs releases, and this one is not signed");
        check(&[("another", 1, MESSAGE)], None, "unavailable: it is signed with a key that its registry does not tell");
        check(&[("odd", 3, MESSAGE)], None, "unavailable: it is signed with a key of a kind");
        check(&[("another", 1, "x"), ("now", 1, MESSAGE)], None, "good");
        check(&[("now", 1, "x"), ("odd", 3, MESSAGE)], None, "wrong: the signature");
    }

    #[test]
    fn a_key_that_expired_counts_for_what_was_published_before() {
        check(&[("old", 2, MESSAGE)], Some("2025-01-28T23:59:59Z"), "good");
        check(&[("old", 2, MESSAGE)], Some("2025-01-29T00:00:00Z"), "wrong: old signed it and had expired on 2025-01-29");
        check(&[("old", 2, MESSAGE)], None, "unavailable: it is signed with a key that expires");
        check(&[("old", 2, MESSAGE), ("now", 1, MESSAGE)], Some("2026-01-01T00:00:00Z"), "good");
    }

    #[test]
    fn without_keys_nobody_can_say() {
        for keys in [Keys::None, Keys::Unavailable("out".to_owned())] {
            assert!(matches!(signature(&signed(&[("now", 1, MESSAGE)]), &keys, None), Proof::Unavailable { .. }));
        }
    }

    #[test]
    fn statements_that_cannot_be_had_are_not_absent() {
        let weigh = |statements: &Statements| {
            weigh(&Vouchers::default(), &Keys::None, statements, &TrustRoot::public(), &Digest::of(b"x"), None).provenance
        };
        assert_eq!(weigh(&Statements::None), Proof::Absent);
        assert_eq!(weigh(&Statements::Unavailable("out".to_owned())), Proof::Unavailable { why: "out".to_owned() });
        assert!(matches!(weigh(&Statements::Bundles(Vec::new())), Proof::Unavailable { .. }));
        assert!(matches!(weigh(&Statements::Bundles(vec![json!({"mediaType": "x"})])), Proof::Unavailable { .. }));
        let wrong = json!({"mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json"});
        assert!(matches!(weigh(&Statements::Bundles(vec![wrong.clone()])), Proof::Wrong { .. }));
        assert!(matches!(weigh(&Statements::Bundles(vec![wrong, json!({"mediaType": "x"})])), Proof::Wrong { .. }));
    }

    #[test]
    fn what_was_told_before_is_not_forgotten_by_asking_again() {
        let out = |why: &str| Proof::Unavailable { why: why.to_owned() };
        let source = Source { repository: Some("https://git.example/acme/web".to_owned()), ..Source::default() };
        let good = Evidence { signature: out("a"), provenance: Proof::Good, source: Some(source.clone()), ..Evidence::default() };
        let later = Evidence { signature: Proof::Good, provenance: out("b"), ..Evidence::default() };
        let whole = Evidence { signature: Proof::Good, provenance: Proof::Good, source: Some(source), ..Evidence::default() };
        assert_eq!(joined(&good, later.clone()), whole);
        assert_eq!(joined(&later, good), whole);
        let wrong = Evidence { signature: Proof::Wrong { why: "x".to_owned() }, ..Evidence::default() };
        assert_eq!(joined(&later, wrong.clone()), wrong, "what is found is found");
    }

    #[test]
    fn only_what_is_false_counts_against_a_release() {
        let wrong = || Proof::Wrong { why: "why".to_owned() };
        let unavailable = || Proof::Unavailable { why: "why".to_owned() };
        let kinds = |signature, provenance| {
            let found = examine(&Evidence { signature, provenance, ..Evidence::default() });
            found.into_iter().map(|finding| finding.kind).collect::<Vec<_>>()
        };
        assert_eq!(kinds(wrong(), wrong()), [FindingKind::SignatureInvalid, FindingKind::ProvenanceInvalid]);
        assert_eq!(kinds(unavailable(), Proof::Good), []);
        assert_eq!(kinds(Proof::Absent, unavailable()), []);
    }
}
