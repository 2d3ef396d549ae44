//! Fallback safety: what stands in for a withheld `latest` and has a known vulnerability is told of, or stands in for nothing.

use airlock::config::policy::FallbackAction;
use serde_json::json;

use crate::advisories::vulnerability;
use crate::support::airlock::Airlock;
use crate::support::scenario::Scenario;

const EARLIER: &str = "2026-11-20T01:00:00Z";

async fn repaired(action: FallbackAction, score: u8) -> Airlock {
    let scenario = Scenario::new().package("left-pad", |p| {
        p.release("1.0.0");
        p.release("1.1.0");
        p.release("1.2.0").age("9h");
    });
    let airlock = scenario
        .gated_by(|config| {
            (config.policy.fallback.action, config.policy.fallback.score) = (action, score);
            config.policy.release_age.security_lane = false;
        })
        .await;
    airlock.bring(&[vulnerability("GHSA-aaaa-bbbb-cccc", "left-pad", "1.2.0", EARLIER)]).await;
    airlock
}

async fn refusal(airlock: &Airlock) -> String {
    let refused = airlock.tarball("left-pad", "1.2.0").await;
    assert_eq!(refused.status, 403);
    let told = airlock.get("/left-pad").await.json();
    let message = told["policyRestrictions"]["message"].as_str().unwrap().to_owned();
    let error = refused.json()["error"].as_str().unwrap().to_owned();
    let sentence = error.split(" http").next().unwrap();
    assert!(message.contains(sentence), "{message} / {sentence}");
    sentence.to_owned()
}

#[tokio::test]
async fn by_default_it_is_served_and_told_of() {
    let airlock = repaired(FallbackAction::Notice, 70).await;
    assert_eq!(airlock.get("/left-pad").await.json()["dist-tags"]["latest"], "1.1.0");
    let sentence = refusal(&airlock).await;
    assert!(sentence.ends_with("1.1.0 is admissible, but GHSA-aaaa-bbbb-cccc (9.8) is known of it."), "{sentence}");
}

#[tokio::test]
async fn where_policy_says_so_people_choose() {
    let airlock = repaired(FallbackAction::Refuse, 70).await;
    assert_eq!(airlock.get("/left-pad").await.json()["dist-tags"], json!({}));
    let sentence = refusal(&airlock).await;
    let choice = "1.1.0 is admissible, but GHSA-aaaa-bbbb-cccc (9.8) is known of it: wait, or ask for it by its version.";
    assert!(sentence.ends_with(choice), "{sentence}");
    assert_eq!(airlock.tarball("left-pad", "1.1.0").await.status, 200, "who asks for it has it");
}

#[tokio::test]
async fn what_policy_does_not_mind_is_not_spoken_of() {
    let airlock = repaired(FallbackAction::Refuse, 99).await;
    assert_eq!(airlock.get("/left-pad").await.json()["dist-tags"]["latest"], "1.1.0");
    let sentence = refusal(&airlock).await;
    assert!(sentence.ends_with("1.1.0 is admissible."), "{sentence}");
}
