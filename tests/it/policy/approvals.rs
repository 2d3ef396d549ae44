//! What an approval rests on, and what makes it lapse.

use airlock::model::finding::Action;
use airlock::model::finding::FindingKind;
use serde_json::Value;

use crate::policy::rules::rule;
use crate::support::airlock::Airlock;
use crate::support::scenario::Scenario;

async fn decided(airlock: &Airlock) -> Value {
    let audit = airlock.as_admin("GET", "/-/airlock/v1/audit?limit=500").send().await.json();
    let all = audit["entries"].as_array().unwrap().iter().flat_map(|entry| entry["commands"].as_array().unwrap().clone());
    all.rev().find(|command| command["command"] == "decided").unwrap()["decision"].clone()
}

#[tokio::test]
async fn an_approval_records_what_it_was_given_in_sight_of() {
    let scenario = Scenario::new().package("left-pad", |p| _ = p.release("1.0.0").script("postinstall", "node x.js").file("x.js", "1"));
    let airlock = scenario.gated_by(|config| _ = config.policy.findings.insert(FindingKind::InstallScript, Action::Review)).await;
    assert_eq!(airlock.decide("left-pad", "1.0.0", "approve", "read it").await.status, 200);
    let decision = decided(&airlock).await;
    assert_eq!(decision["basis"]["marks"].as_array().unwrap().len(), 1, "{decision:#}");
    let reply = airlock.as_admin("GET", "/-/airlock/v1/audit?limit=500").send().await;
    let audit = reply.text();
    let policy = decision["basis"]["policy"].as_str().unwrap();
    assert!(audit.contains(&format!("policy {policy} judges from here on")), "the policy it names is one that the ledger has");
    assert_eq!(airlock.tarball("left-pad", "1.0.0").await.status, 200);
}

#[tokio::test]
async fn a_policy_that_minds_more_is_asked_anew_and_one_that_minds_less_approves_nothing() {
    let scenario = Scenario::new().package("left-pad", |p| {
        p.release("1.0.0").script("postinstall", "node x.js").file("x.js", "1").deprecated("old");
    });
    let airlock = scenario.gated_by(|config| _ = config.policy.findings.insert(FindingKind::InstallScript, Action::Review)).await;
    airlock.decide("left-pad", "1.0.0", "approve", "read it").await;
    assert_eq!(airlock.tarball("left-pad", "1.0.0").await.status, 200);
    let airlock = airlock.restart_with(|config| config.policy.rules = vec![rule(&[], &[(FindingKind::Deprecated, Action::Review)])]).await;
    assert_eq!(airlock.release("left-pad", "1.0.0").await["standing"], "in_review", "nobody approved that it is deprecated");
    let airlock = airlock
        .restart_with(|config| {
            config.policy.rules.clear();
            config.policy.findings.clear();
        })
        .await;
    let release = airlock.release("left-pad", "1.0.0").await;
    assert_eq!(release["standing"], "approved");
}

#[tokio::test]
async fn what_a_looser_policy_opens_is_recorded_and_decided_by_nobody() {
    let scenario = Scenario::new().package("left-pad", |p| _ = p.release("1.0.0").script("postinstall", "node x.js").file("x.js", "1"));
    let scenario = scenario.package("right-pad", |p| _ = p.release("1.0.0"));
    let airlock =
        scenario.gated_by(|config| config.policy.rules = vec![rule(&["left-pad"], &[(FindingKind::HiddenCode, Action::Note)])]).await;
    for package in ["left-pad", "right-pad"] {
        assert_eq!(airlock.tarball(package, "1.0.0").await.status, 200);
    }
    let stricter =
        |config: &mut airlock::config::Config| config.policy.rules = vec![rule(&[], &[(FindingKind::InstallScript, Action::Reject)])];
    let airlock = airlock.restart_with(stricter).await;
    rejudged(&airlock, "opened none, closed left-pad@1.0.0").await;
    assert_eq!(airlock.tarball("left-pad", "1.0.0").await.status, 403);
    let airlock = airlock.restart_with(|config| config.policy.rules.clear()).await;
    rejudged(&airlock, "opened left-pad@1.0.0, closed none").await;
    let reply = airlock.as_admin("GET", "/-/airlock/v1/audit?limit=500").send().await;
    let audit = reply.text();
    assert!(!audit.contains("\"decided\""), "{audit}");
}

async fn rejudged(airlock: &Airlock, words: &str) {
    let recorded = async {
        loop {
            let reply = airlock.as_admin("GET", "/-/airlock/v1/audit?limit=500").send().await;
            let audit = reply.text();
            if audit.contains(words) {
                return;
            }
        }
    };
    crate::support::within(words, recorded).await;
}
