//! The security lane: the fix of what is in use opens at the floor, by an independent word only, and all else is asked of it as ever.

use serde_json::json;

use crate::advisories::malware;
use crate::advisories::vulnerability;
use crate::advisories::with;
use crate::support::airlock::Airlock;
use crate::support::scenario::Scenario;

const EARLIER: &str = "2026-11-20T01:00:00Z";
const LATER: &str = "2026-11-20T02:00:00Z";

async fn in_use() -> Airlock {
    let scenario = Scenario::new().package("left-pad", |p| {
        p.release("1.0.0");
        p.release("1.0.1").age("30h");
        p.release("1.0.2").age("9h");
    });
    let airlock = scenario.gated().await;
    assert_eq!(airlock.tarball("left-pad", "1.0.0").await.status, 200);
    assert_eq!(airlock.listed("left-pad").await, ["1.0.0"]);
    airlock
}

#[tokio::test]
async fn the_fix_of_what_is_in_use_opens_at_the_floor() {
    let airlock = in_use().await;
    let advisory = vulnerability("GHSA-aaaa-bbbb-cccc", "left-pad", "1.0.1", EARLIER);
    airlock.bring(std::slice::from_ref(&advisory)).await;
    assert_eq!(airlock.listed("left-pad").await, ["1.0.0", "1.0.1"]);
    assert_eq!(airlock.get("/left-pad").await.json()["dist-tags"]["latest"], "1.0.1");
    assert_eq!(airlock.tarball("left-pad", "1.0.1").await.status, 200);
    let fix = airlock.release("left-pad", "1.0.1").await;
    assert_eq!(fix["fix_of"], "GHSA-aaaa-bbbb-cccc");
    let sentence = fix["sentence"].as_str().unwrap();
    assert!(sentence.contains("is approved: opened early as the security fix of GHSA-aaaa-bbbb-cccc"), "{sentence}");
    assert_eq!(airlock.tarball("left-pad", "1.0.2").await.status, 403, "what is newer than the fix is not it");

    airlock.bring(&[with(with(advisory, "withdrawn", json!(LATER)), "modified", json!(LATER))]).await;
    assert_eq!(airlock.listed("left-pad").await, ["1.0.0"], "what was taken back opens nothing");
    assert_eq!(airlock.tarball("left-pad", "1.0.1").await.status, 403);
}

#[tokio::test]
async fn nothing_opens_below_the_floor() {
    let airlock = in_use().await;
    airlock.bring(&[vulnerability("GHSA-aaaa-bbbb-cccc", "left-pad", "1.0.2", EARLIER)]).await;
    let held = airlock.tarball("left-pad", "1.0.2").await;
    let sentence = "left-pad@1.0.2 is held: published 9 hours ago, opens 2026-11-21 03:00 UTC (security fix of GHSA-aaaa-bbbb-cccc: no release opens before 24 hours).";
    assert!(held.status == 403 && held.json()["error"].as_str().unwrap().starts_with(sentence), "{}", held.text());
    airlock.advance("14h 59m");
    assert_eq!(airlock.tarball("left-pad", "1.0.2").await.status, 403);
    airlock.advance("1m");
    assert_eq!(airlock.tarball("left-pad", "1.0.2").await.status, 200);
}

#[tokio::test]
async fn no_owner_opens_it_and_no_finding_is_passed_over() {
    let airlock = in_use().await;
    let own = with(
        vulnerability("GHSA-aaaa-bbbb-cccc", "left-pad", "1.0.1", EARLIER),
        "database_specific",
        json!({"github_reviewed": false, "severity": "CRITICAL"}),
    );
    airlock.bring(&[own]).await;
    assert_eq!(airlock.listed("left-pad").await, ["1.0.0"], "a repository's owner writes such records");
    airlock.bring(&[vulnerability("GHSA-dddd-eeee-ffff", "left-pad", "1.0.1", EARLIER)]).await;
    assert_eq!(airlock.listed("left-pad").await, ["1.0.0", "1.0.1"]);
    airlock.bring(&[malware("MAL-2099-0001", "left-pad", &["1.0.1"], &["some-inspector"], EARLIER)]).await;
    assert_eq!(airlock.tarball("left-pad", "1.0.1").await.status, 403);
    let off = airlock.restart_with(|config| config.policy.release_age.security_lane = false).await;
    assert_eq!(off.listed("left-pad").await, ["1.0.0"]);
}

#[tokio::test]
async fn what_nobody_uses_needs_no_lane() {
    let scenario = Scenario::new().package("left-pad", |p| {
        p.release("1.0.0");
        p.release("1.0.1").age("30h");
    });
    let airlock = scenario.gated_by(|config| config.upstream.ask_ahead = 0).await;
    airlock.bring(&[vulnerability("GHSA-aaaa-bbbb-cccc", "left-pad", "1.0.1", EARLIER)]).await;
    let held = airlock.release("left-pad", "1.0.1").await;
    assert_eq!((&held["standing"], &held["fix_of"]), (&json!("held"), &serde_json::Value::Null), "{held:#}");
}
