//! Bundles as they are made, and as somebody changed them.

use rcgen::ExtendedKeyUsagePurpose;
use serde_json::json;

use super::sample::Made;
use super::sample::SIGNED_AT;
use super::sample::Sigstore;
use super::*;

const NAME: &str = "pkg:npm/@acme/web@1.0.0";

fn bytes() -> Digest {
    Digest::of(b"tarball")
}

fn honest() -> Made {
    Made::of("pkg:npm/%40acme/web@1.0.0", &bytes().hex())
}

fn root_of(sigstore: &Sigstore) -> TrustRoot {
    TrustRoot::parse(&sigstore.trust_root()).unwrap()
}

fn check(bundle: &Value, root: &TrustRoot) -> Result<Sound, String> {
    verify(bundle, &Wanted { name: NAME, digest: &bytes() }, root).map_err(|fault| match fault {
        Fault::Wrong(why) => format!("wrong: {why}"),
        Fault::Unknown(why) => format!("unknown: {why}"),
    })
}

#[test]
fn an_honest_bundle_holds_and_says_where_it_was_built() {
    let sigstore = Sigstore::new();
    for kind in ["dsse", "intoto"] {
        let sound = check(&sigstore.bundle(&Made { kind, ..honest() }), &root_of(&sigstore)).unwrap();
        assert_eq!(sound.checked, [Check::Subject, Check::Signature, Check::Certificate, Check::Time, Check::Log]);
        assert_eq!(sound.unchecked.iter().map(|one| one.what).collect::<Vec<_>>(), [Check::Issuance]);
        assert_eq!(
            sound.source,
            Source {
                workflow: Some(Sigstore::WORKFLOW.to_owned()),
                repository: Some(Sigstore::REPOSITORY.to_owned()),
                commit: Some(Sigstore::COMMIT.to_owned()),
                issuer: Some(Sigstore::ISSUER.to_owned()),
            }
        );
    }
}

#[test]
fn what_was_not_checked_is_named() {
    let sigstore = Sigstore::new();
    let root = root_of(&sigstore);
    let unchecked =
        |bundle: &Value, root: &TrustRoot| check(bundle, root).unwrap().unchecked.iter().map(|one| one.what).collect::<Vec<_>>();
    let made = |with_promise, with_proof| sigstore.bundle(&Made { with_promise, with_proof, ..honest() });
    assert_eq!(unchecked(&made(true, false), &root), [Check::Log, Check::Issuance]);
    assert_eq!(unchecked(&made(false, true), &root), [Check::Time, Check::Issuance], "a proof says nothing of the time");
    assert_eq!(unchecked(&made(false, false), &root), [Check::Time, Check::Log, Check::Issuance]);
    let mut without_log = made(true, true);
    without_log["verificationMaterial"]["tlogEntries"] = json!([]);
    assert_eq!(unchecked(&without_log, &root), [Check::Time, Check::Log, Check::Issuance]);
    let of_no_log = TrustRoot { logs: Vec::new(), ..root_of(&sigstore) };
    assert_eq!(unchecked(&made(true, true), &of_no_log), [Check::Time, Check::Log, Check::Issuance]);
    let mut unproven = made(true, true);
    unproven["verificationMaterial"]["tlogEntries"][0]["inclusionProof"]["checkpoint"] = Value::Null;
    assert_eq!(unchecked(&unproven, &root), [Check::Log, Check::Issuance]);
}

#[test]
fn what_is_false_is_wrong() {
    let sigstore = Sigstore::new();
    let root = root_of(&sigstore);
    let other = Sigstore::new();
    let wrong = |made: Made| check(&sigstore.bundle(&made), &root).unwrap_err();
    for (made, expect) in [
        (Made { name: "pkg:npm/%40acme/web@1.0.1".to_owned(), ..honest() }, "wrong: its statement is about pkg:npm/@acme/web@1.0.1"),
        (Made { sha512: Digest::of(b"other").hex(), ..honest() }, "wrong: its statement is about other bytes"),
        (Made { logged_at: SIGNED_AT + 601, ..honest() }, "wrong: its certificate was not valid when it came into the log"),
        (Made { logged_at: SIGNED_AT - 1, ..honest() }, "wrong: its certificate was not valid when it came into the log"),
        (Made { logged_at: 1_700_000_000, ..honest() }, "wrong: the key of its log was not valid when it came in"),
        (
            Made { purpose: ExtendedKeyUsagePurpose::ServerAuth, ..honest() },
            "wrong: its certificate was issued by no authority of the trust root",
        ),
        (Made { kind: "hashedrekord", ..honest() }, "unknown: its log entry is of a kind that is not known here, hashedrekord 0.0.2"),
    ] {
        assert_eq!(wrong(made), expect);
    }
    // Another authority's word, and another log's.
    let foreign = TrustRoot { logs: root_of(&sigstore).logs, ..root_of(&other) };
    assert_eq!(
        check(&sigstore.bundle(&honest()), &foreign).unwrap_err(),
        "wrong: its certificate was issued by no authority of the trust root"
    );
}

#[test]
fn what_was_changed_afterwards_is_wrong() {
    let sigstore = Sigstore::new();
    let root = root_of(&sigstore);
    let changed = |pointer: &str, change: &dyn Fn(&str) -> String| {
        let mut bundle = sigstore.bundle(&honest());
        let place = bundle.pointer_mut(pointer).unwrap_or_else(|| panic!("{pointer}"));
        *place = Value::String(change(place.as_str().unwrap()));
        check(&bundle, &root).unwrap_err()
    };
    // Turns a bit in the middle of what is encoded.
    let bit = |text: &str| {
        let mut bytes = BASE64.decode(text.as_bytes()).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        BASE64.encode(&bytes)
    };
    let entry = "/verificationMaterial/tlogEntries/0";
    assert!(changed("/dsseEnvelope/payload", &bit).starts_with("wrong: "));
    assert!(changed("/dsseEnvelope/signatures/0/sig", &bit).starts_with("wrong: it is not signed"));
    assert!(changed("/verificationMaterial/certificate/rawBytes", &bit).starts_with("wrong: "));
    assert!(changed(&format!("{entry}/inclusionPromise/signedEntryTimestamp"), &bit).starts_with("wrong: its log's promise"));
    assert!(changed(&format!("{entry}/integratedTime"), &|_| (SIGNED_AT + 61).to_string()).starts_with("wrong: its log's promise"));
    assert!(changed(&format!("{entry}/logIndex"), &|_| "4712".to_owned()).starts_with("wrong: its log's promise"));
    for place in ["hashes/0", "rootHash"] {
        assert!(changed(&format!("{entry}/inclusionProof/{place}"), &bit).starts_with("wrong: the proof that it is in the log"));
    }
    for (from, to) in [("\n3\n", "\n4\n"), ("log.example - 1", "log.example - 2")] {
        let changed = changed(&format!("{entry}/inclusionProof/checkpoint/envelope"), &|text| text.replacen(from, to, 1));
        assert!(changed.starts_with("wrong: the state of the log"), "{changed}");
    }
    // The entry of another bundle.
    let mut swapped = sigstore.bundle(&honest());
    swapped["verificationMaterial"]["tlogEntries"] = sigstore.bundle(&honest())["verificationMaterial"]["tlogEntries"].clone();
    assert_eq!(check(&swapped, &root).unwrap_err(), "wrong: its log entry is of something else");
    // A key of one's own that says it is the certificate's.
    let mut signed_anew = sigstore.bundle(&honest());
    signed_anew["verificationMaterial"]["certificate"] = sigstore.bundle(&honest())["verificationMaterial"]["certificate"].clone();
    assert_eq!(check(&signed_anew, &root).unwrap_err(), "wrong: it is not signed with the key of its certificate");
}

#[test]
fn what_is_no_bundle_is_told() {
    let root = &TrustRoot::public();
    for (text, expect) in [
        ("{}", "unknown: its bundle is of a form that is not known here, "),
        (r#"{"mediaType":"application/vnd.dev.sigstore.bundle.v9+json"}"#, "unknown: its bundle is of a form"),
        (r#"{"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json"}"#, "wrong: its bundle is not what its form asks"),
        (
            r#"{"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json","verificationMaterial":{},
                "dsseEnvelope":{"payload":"","payloadType":"text/plain","signatures":[]}}"#,
            "unknown: its statement is of a type that is not known here, text/plain",
        ),
        (
            r#"{"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json","verificationMaterial":{},
                "dsseEnvelope":{"payload":"e30=","payloadType":"application/vnd.in-toto+json","signatures":[]}}"#,
            "wrong: its statement is about nothing",
        ),
    ] {
        let found = check(&serde_json::from_str(text).unwrap(), root).unwrap_err();
        assert!(found.starts_with(expect), "{found}");
    }
}
