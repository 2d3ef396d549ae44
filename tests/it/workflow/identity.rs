//! Who published a release, and as what: what speaks for it is shown, what cannot be had is never taken for good.

use airlock::config::Config;
use airlock::config::policy::Submissions;
use airlock::config::upstream::Scope;
use airlock::model::digest::Digest;
use serde_json::Value;
use serde_json::json;

use crate::support::airlock::Airlock;
use crate::support::scenario::Scenario;
use crate::support::sigstore::Made;
use crate::support::sigstore::Sigstore;
use crate::support::upstream::Fault;
use crate::support::within;

const KEYS: &str = "/-/npm/v1/keys";
const STATEMENTS: &str = "/-/npm/v1/attestations/@acme/web@1.0.0";

fn trust(config: &mut Config, sigstore: &Sigstore) {
    let path = config.storage.data_dir.with_file_name("trusted_root.json");
    std::fs::write(&path, sigstore.trust_root()).unwrap();
    config.upstream.trust_root = Some(path);
    config.upstream.retries = 0;
}

/// A release that is signed and attested as it should be.
async fn attested(sigstore: &Sigstore) -> Airlock {
    let mut message = String::new();
    let mut made = Made::of("", "");
    let scenario = Scenario::new().package("@acme/web", |p| {
        let release = p.release("1.0.0");
        let tarball = release.tarball();
        message = format!("@acme/web@1.0.0:{}", tarball.integrity);
        made = Made::of("pkg:npm/%40acme/web@1.0.0", &Digest::of(&tarball.bytes).hex());
        let provenance = json!({"url": "https://registry.example/x", "provenance": {"predicateType": "https://slsa.dev/provenance/v1"}});
        release.dist("signatures", sigstore.signatures(&message)).dist("attestations", provenance);
    });
    let airlock = scenario.gated_by(|config| trust(config, sigstore)).await;
    airlock.upstream.document(KEYS, sigstore.keys());
    airlock.upstream.document(STATEMENTS, sigstore.attestations(&made).to_string());
    airlock
}

async fn evidence(airlock: &Airlock) -> Value {
    assert_eq!(airlock.tarball("@acme/web", "1.0.0").await.status, 200);
    airlock.release("@acme/web", "1.0.0").await["evidence"].clone()
}

#[tokio::test]
async fn what_speaks_for_a_release_is_checked_and_shown() {
    let sigstore = Sigstore::new();
    let airlock = attested(&sigstore).await;
    let seen = evidence(&airlock).await;
    assert_eq!((&seen["signature"], &seen["provenance"]), (&json!({"is": "good"}), &json!({"is": "good"})), "{seen:#}");
    assert_eq!(seen["repository"], Sigstore::REPOSITORY);
    assert_eq!(seen["workflow"], Sigstore::WORKFLOW);
    assert_eq!(seen["issuer"], Sigstore::ISSUER);
    assert_eq!(seen["commit"], Sigstore::COMMIT);
    assert_eq!(seen["checked"], json!(["subject", "signature", "certificate", "time", "log"]));
    assert_eq!(seen["unchecked"], json!(["issuance: the timestamp of the certificate's own log is not looked at"]));
    let page = airlock.get("/-/airlock/r/@acme%2fweb@1.0.0").await.text();
    assert!(page.contains("what speaks for it") && page.contains(Sigstore::REPOSITORY), "{page}");
    let airlock = airlock.restart().await;
    airlock.upstream.die().await;
    assert_eq!(airlock.release("@acme/web", "1.0.0").await["evidence"], seen);
}

#[tokio::test]
async fn what_cannot_be_had_is_unavailable_and_never_good() {
    for (path, fault, what, why) in [
        (KEYS, Fault::status(500), "signature", "its registry's keys cannot be had"),
        (KEYS, Fault::body("<html>"), "signature", "its registry's keys cannot be had"),
        (KEYS, Fault::status(404), "signature", "its registry tells no keys"),
        (KEYS, Fault::body(r#"{"keys":[]}"#), "signature", "its registry tells no keys"),
        (STATEMENTS, Fault::status(500), "provenance", "the registry's statements cannot be had"),
        (STATEMENTS, Fault::status(404), "provenance", "its entry speaks of statements, and its registry has none"),
        (STATEMENTS, Fault::body("<html>"), "provenance", "the registry's statements cannot be read"),
        (STATEMENTS, Fault::body(r#"{"attestations":[]}"#), "provenance", "its entry speaks of statements, and none is of provenance"),
    ] {
        let sigstore = Sigstore::new();
        let airlock = attested(&sigstore).await;
        airlock.upstream.fault(path, fault);
        let seen = evidence(&airlock).await;
        assert_eq!(seen[what]["is"], "unavailable", "{seen:#}");
        assert!(seen[what]["why"].as_str().unwrap().starts_with(why), "{why}: {seen:#}");
        let other = if what == "signature" { "provenance" } else { "signature" };
        assert_eq!(seen[other]["is"], "good", "{seen:#}");
    }
}

#[tokio::test]
async fn what_the_registry_did_not_say_is_asked_for_again() {
    for (path, what) in [(KEYS, "signature"), (STATEMENTS, "provenance")] {
        let sigstore = Sigstore::new();
        let airlock = attested(&sigstore).await;
        airlock.upstream.fault(path, Fault::status(503));
        assert_eq!(evidence(&airlock).await[what]["is"], "unavailable");
        airlock.upstream.heal(path);
        let airlock = airlock.restart().await;
        airlock.advance("1m");
        within("the registry to be asked again", async {
            while airlock.release("@acme/web", "1.0.0").await["evidence"][what]["is"] != "good" {
                tokio::task::yield_now().await;
            }
        })
        .await;
        let seen = airlock.release("@acme/web", "1.0.0").await["evidence"].clone();
        assert_eq!((&seen["signature"]["is"], &seen["provenance"]["is"]), (&json!("good"), &json!("good")), "{seen:#}");
        assert_eq!(airlock.upstream.count("/@acme/web/-/web-1.0.0.tgz"), 1, "its bytes are known");
    }
}

#[tokio::test]
async fn what_turns_out_to_be_false_counts_when_it_is_heard_late() {
    let (sigstore, another) = (Sigstore::new(), Sigstore::new());
    let airlock = attested(&sigstore).await;
    airlock.upstream.fault(STATEMENTS, Fault::status(503));
    evidence(&airlock).await;
    let bytes = airlock.upstream.tarball("@acme/web", "1.0.0");
    let made = Made::of("pkg:npm/%40acme/web@1.0.0", &Digest::of(&bytes).hex());
    airlock.upstream.document(STATEMENTS, another.attestations(&made).to_string());
    airlock.upstream.heal(STATEMENTS);
    airlock.advance("1m");
    within("the registry to be asked again", async {
        while airlock.tarball("@acme/web", "1.0.0").await.status != 403 {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_registry_that_never_answers_is_asked_a_few_times() {
    let sigstore = Sigstore::new();
    let airlock = attested(&sigstore).await;
    airlock.upstream.fault(STATEMENTS, Fault::status(503));
    evidence(&airlock).await;
    within("the job to end", async {
        while !airlock.get("/-/airlock/metrics").await.text().contains("airlock_jobs_waiting 0") {
            airlock.advance("6h");
        }
    })
    .await;
    // Fewer where the clock went on before an answer was there.
    let asked = airlock.upstream.count(STATEMENTS);
    assert!((2..=5).contains(&asked), "{asked}");
    assert!(airlock.get("/-/airlock/metrics").await.text().contains("airlock_jobs_parked 0"), "it is nothing for people");
}

#[tokio::test]
async fn keys_are_kept_while_the_registry_is_out() {
    let sigstore = Sigstore::new();
    let airlock = attested(&sigstore).await;
    assert_eq!(evidence(&airlock).await["signature"]["is"], "good");
    assert_eq!(airlock.upstream.count(KEYS), 1);
    airlock.upstream.fault(KEYS, Fault::status(500));
    airlock.advance("2h");
    airlock.upstream.package("@acme/web", |p| {
        let release = p.release("2.0.0");
        let message = format!("@acme/web@2.0.0:{}", release.tarball().integrity);
        release.dist("signatures", sigstore.signatures(&message));
    });
    airlock.listed("@acme/web").await;
    airlock.advance("8d");
    assert_eq!(airlock.tarball("@acme/web", "2.0.0").await.status, 200);
    assert_eq!(airlock.release("@acme/web", "2.0.0").await["evidence"]["signature"], json!({"is": "good"}));
    airlock.upstream.reached(KEYS, 2).await;
}

#[tokio::test]
async fn a_key_that_expired_signs_nothing_new() {
    let sigstore = Sigstore::new();
    let scenario = Scenario::new().package("@acme/web", |p| {
        for (version, age) in [("1.0.0", "400d"), ("1.1.0", "100d")] {
            let release = p.release(version).age(age);
            let message = format!("@acme/web@{version}:{}", release.tarball().integrity);
            release.dist("signatures", sigstore.old_signatures(&message));
        }
    });
    let airlock = scenario.gated_by(|config| trust(config, &sigstore)).await;
    airlock.upstream.document(KEYS, sigstore.keys());
    assert_eq!(airlock.tarball("@acme/web", "1.0.0").await.status, 200);
    assert_eq!(airlock.release("@acme/web", "1.0.0").await["evidence"]["signature"], json!({"is": "good"}));
    let refused = airlock.tarball("@acme/web", "1.1.0").await;
    assert!(refused.status == 403 && refused.text().contains("its signature does not verify"), "{}", refused.text());
}

#[tokio::test]
async fn a_bundle_that_the_trust_root_does_not_know_is_rejected() {
    let (sigstore, another) = (Sigstore::new(), Sigstore::new());
    let airlock = attested(&sigstore).await;
    let bytes = airlock.upstream.tarball("@acme/web", "1.0.0");
    let made = Made::of("pkg:npm/%40acme/web@1.0.0", &Digest::of(&bytes).hex());
    airlock.upstream.document(STATEMENTS, another.attestations(&made).to_string());
    let refused = airlock.tarball("@acme/web", "1.0.0").await;
    assert!(refused.status == 403 && refused.text().contains("its provenance is not about these bytes"), "{}", refused.text());
    let release = airlock.release("@acme/web", "1.0.0").await;
    assert_eq!(release["evidence"]["provenance"]["is"], "wrong", "{release:#}");
}

#[tokio::test]
async fn who_published_is_known_after_a_restart_without_upstream() {
    let airlock = Scenario::new()
        .package("left-pad", |p| {
            p.release("1.0.0");
            p.release("1.1.0").age("100d").listed("_npmUser", json!({"name": "mallory"}));
        })
        .gated()
        .await;
    let found = |release: &Value| {
        let findings = release["findings"].as_array().unwrap().clone();
        findings.into_iter().find(|one| one["kind"] == "new_publisher").map(|one| one["evidence"].clone())
    };
    let before = found(&airlock.release("left-pad", "1.1.0").await).unwrap();
    assert_eq!(before, "mallory; someone published 1.0.0");
    let airlock = airlock.restart().await;
    airlock.upstream.die().await;
    assert_eq!(found(&airlock.release("left-pad", "1.1.0").await), Some(before));
}

#[tokio::test]
async fn a_name_like_a_known_one_waits_until_people_let_it_in() {
    let airlock = Scenario::new()
        .package("electorn", |p| {
            p.release("1.0.0");
            p.release("1.1.0");
        })
        .package("electron", |p| _ = p.release("1.0.0"))
        .gated()
        .await;
    assert_eq!(airlock.tarball("electron", "1.0.0").await.status, 200);
    assert_eq!(airlock.listed("electorn").await, [""; 0]);
    let release = airlock.release("electorn", "1.0.0").await;
    assert_eq!(release["standing"], "in_review");
    let evidence = &release["findings"][0]["evidence"];
    assert_eq!(evidence, "electron, which is widely used: two letters changed places");
    airlock.tarball("electorn", "1.0.0").await;
    assert_eq!(airlock.decide("electorn", "1.0.0", "approve", "it is ours").await.status, 200);
    assert_eq!(airlock.listed("electorn").await, ["1.0.0", "1.1.0"], "the name is known now");
}

#[tokio::test]
async fn a_name_like_one_of_our_own_is_looked_at() {
    let scenario = Scenario::new().package("acme-teaspoons", |p| _ = p.release("1.0.0"));
    let airlock = scenario.gated_by(|config| config.policy.submissions = Submissions::Trusted).await;
    let ann = airlock.user("ann", "publisher").await;
    assert_eq!(airlock.publish(&ann, "acme-teaspoon", "1.0.0").await.status, 201);
    assert_eq!(airlock.listed("acme-teaspoon").await, ["1.0.0"]);
    let release = airlock.release("acme-teaspoons", "1.0.0").await;
    assert_eq!(release["standing"], "in_review", "{release:#}");
    assert_eq!(release["findings"][0]["evidence"], "acme-teaspoon, which is in use here: one letter differs");
}

#[tokio::test]
async fn a_name_like_one_that_people_let_in_is_looked_at_from_then_on_and_after_a_restart() {
    let mut scenario = Scenario::new().package("acme-teaspoon", |p| _ = p.release("1.0.0").age("3d"));
    for name in ["acme-teaspoons", "acme-tea-spoon"] {
        scenario = scenario.package(name, |p| _ = p.release("1.0.0"));
    }
    let airlock = scenario.gated().await;
    assert_eq!(airlock.listed("acme-teaspoons").await, ["1.0.0"]);
    airlock.tarball("acme-teaspoon", "1.0.0").await;
    assert_eq!(airlock.decide("acme-teaspoon", "1.0.0", "approve", "it is what we use").await.status, 200);
    assert_eq!(airlock.listed("acme-teaspoons").await, [""; 0], "what was judged before is judged anew");
    let airlock = airlock.restart().await;
    let release = airlock.release("acme-tea-spoon", "1.0.0").await;
    assert_eq!(release["standing"], "in_review", "{release:#}");
    assert!(release["findings"][0]["evidence"].as_str().unwrap().starts_with("acme-teaspoon, which is in use here: "), "{release:#}");
}

#[tokio::test]
async fn a_registry_whose_keys_do_not_come_holds_up_no_other() {
    let (sigstore, mut message) = (Sigstore::new(), String::new());
    let of_scope = Scenario::new().package("@acme/web", |p| {
        let release = p.release("1.0.0");
        message = format!("@acme/web@1.0.0:{}", release.tarball().integrity);
        release.dist("signatures", sigstore.signatures(&message));
    });
    let acme = of_scope.start().await;
    acme.document(KEYS, sigstore.keys());
    let scenario = Scenario::new().package("left-pad", |p| {
        let release = p.release("1.0.0");
        let message = format!("left-pad@1.0.0:{}", release.tarball().integrity);
        release.dist("signatures", sigstore.signatures(&message));
    });
    let url = acme.url();
    let airlock = scenario.gated_by(|config| _ = config.upstream.scopes.insert("@acme".to_owned(), Scope { url, token: None })).await;
    let gate = airlock.upstream.gate(KEYS);
    let slow = airlock.tarball("left-pad", "1.0.0");
    let other = async {
        gate.reached(1).await;
        airlock.tarball("@acme/web", "1.0.0").await
    };
    tokio::pin!(slow);
    tokio::select! {
        _ = &mut slow => panic!("the other one waited for the keys that do not come"),
        served = other => assert_eq!(served.status, 200),
    }
    assert_eq!(airlock.release("@acme/web", "1.0.0").await["evidence"]["signature"], json!({"is": "good"}));
    gate.open();
    slow.await;
}

#[tokio::test]
async fn a_burst_is_told_of_those_that_were_seen_before_it_was_one() {
    let mut scenario = Scenario::new();
    for number in 0..10 {
        scenario = scenario.package(&format!("@acme/p{number}"), |p| {
            p.release("1.0.0");
            p.release("1.1.0").age("2h");
        });
    }
    let airlock = scenario.gated().await;
    let is_told = |release: &Value| release["findings"].to_string().contains("publish_burst");
    for number in 0..9 {
        assert!(!is_told(&airlock.release(&format!("@acme/p{number}"), "1.1.0").await), "{number}");
    }
    assert!(is_told(&airlock.release("@acme/p9", "1.1.0").await));
    for number in 0..9 {
        assert!(is_told(&airlock.release(&format!("@acme/p{number}"), "1.1.0").await), "{number}");
    }
    assert!(!is_told(&airlock.release("@acme/p0", "1.0.0").await));
}
