//! What advisories do to releases: malware is refused, a withdrawal reverses it, one source alone does not take away what is long in use.

use airlock::model::digest::Digest;
use serde_json::json;

use crate::advisories::malware;
use crate::advisories::vulnerability;
use crate::advisories::with;
use crate::support::airlock::Airlock;
use crate::support::scenario::Scenario;

const EARLIER: &str = "2026-11-20T01:00:00Z";
const LATER: &str = "2026-11-20T02:00:00Z";
/// More than 90 days after the releases came into use.
const MONTHS_EARLIER: &str = "2027-02-18T13:00:00Z";
const MONTHS_LATER: &str = "2027-02-18T14:00:00Z";
const MONTHS_LAST: &str = "2027-02-18T15:00:00Z";

async fn in_use() -> Airlock {
    let scenario = Scenario::new().package("left-pad", |p| {
        p.release("1.0.0");
        p.release("1.1.0");
    });
    let airlock = scenario.package("right-pad", |p| _ = p.release("1.0.0")).gated().await;
    for (package, version) in [("left-pad", "1.1.0"), ("right-pad", "1.0.0")] {
        assert_eq!(airlock.tarball(package, version).await.status, 200);
    }
    airlock
}

async fn queue(airlock: &Airlock) -> Vec<String> {
    let queue = airlock.as_admin("GET", "/-/airlock/v1/queue").send().await.json();
    queue["waiting"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| format!("{}@{}", one["package"].as_str().unwrap(), one["version"].as_str().unwrap()))
        .collect()
}

#[tokio::test]
async fn malware_is_refused_at_once_and_a_withdrawal_reverses_it() {
    let airlock = in_use().await;
    let before = airlock.get("/left-pad").await;
    let named = malware("MAL-2099-0001", "left-pad", &["1.1.0"], &["some-inspector"], EARLIER);
    airlock.bring(std::slice::from_ref(&named)).await;
    let refused = airlock.tarball("left-pad", "1.1.0").await;
    assert_eq!(refused.status, 403);
    let sentence = "left-pad@1.1.0 is rejected: it is known to be malware (MAL-2099-0001 (some-inspector)). 1.0.0 is admissible.";
    assert!(refused.json()["error"].as_str().unwrap().starts_with(sentence), "{}", refused.text());
    assert_eq!(airlock.listed("left-pad").await, ["1.0.0"]);
    let again = airlock.call("GET", "/left-pad").header("if-none-match", before.header("etag").unwrap()).send().await;
    assert_eq!(again.status, 200, "what a client keeps is out of date");
    assert_eq!(airlock.tarball("right-pad", "1.0.0").await.status, 200, "nobody else suffers");
    assert!(airlock.get("/-/airlock/metrics").await.text().contains("airlock_malware_in_use_total 1"));

    airlock.bring(&[with(with(named.clone(), "withdrawn", json!(LATER)), "modified", json!(LATER))]).await;
    assert_eq!(airlock.tarball("left-pad", "1.1.0").await.status, 200);
    assert_eq!(airlock.listed("left-pad").await, ["1.0.0", "1.1.0"]);
    airlock.bring(&[named]).await;
    assert_eq!(airlock.tarball("left-pad", "1.1.0").await.status, 200, "an older word does not beat a newer one");
    let airlock = airlock.restart().await;
    assert_eq!(airlock.standing("left-pad", "1.1.0").await, "approved");
}

#[tokio::test]
async fn what_was_said_outlives_a_restart() {
    let airlock = in_use().await;
    airlock.bring(&[malware("MAL-2099-0001", "left-pad", &["1.1.0"], &["some-inspector"], EARLIER)]).await;
    let airlock = airlock.restart().await;
    assert_eq!(airlock.tarball("left-pad", "1.1.0").await.status, 403);
    let said = airlock.get("/-/airlock/v1/advisories?package=left-pad").await.json();
    assert_eq!((&said["advisories"][0]["id"], &said["advisories"][0]["kind"]), (&json!("MAL-2099-0001"), &json!("malware")));
    assert_eq!(said["advisories"][0]["sources"], json!(["some-inspector"]));
    assert_eq!((&said["feeds"][0]["name"], &said["fresh"]), (&json!("own"), &serde_json::Value::Null), "single records say nothing of age");
    let audit = airlock.as_admin("GET", "/-/airlock/v1/audit?limit=500").send().await.text();
    assert!(audit.contains("heard the feed own as of 2026-11-20 01:00 UTC: 1 advisories"), "{audit}");
}

#[tokio::test]
async fn one_source_alone_does_not_take_away_what_is_long_in_use() {
    let airlock = in_use().await;
    airlock.advance("91d");
    airlock.bring(&[malware("MAL-2099-0001", "left-pad", &["1.0.0", "1.1.0"], &["some-inspector"], MONTHS_EARLIER)]).await;
    assert_eq!(airlock.tarball("left-pad", "1.1.0").await.status, 200);
    assert_eq!(airlock.findings("left-pad", "1.1.0").await, ["malware_unconfirmed: MAL-2099-0001 (some-inspector)"]);
    assert_eq!(airlock.tarball("left-pad", "1.0.0").await.status, 403, "what nobody used here has no such credit");
    assert_eq!(queue(&airlock).await, ["left-pad@1.1.0"], "people are told");
    airlock.bring(&[malware("MAL-2099-0002", "left-pad", &["1.1.0"], &["ghsa-malware"], MONTHS_LATER)]).await;
    assert_eq!(airlock.tarball("left-pad", "1.1.0").await.status, 403);
    assert_eq!(airlock.standing("left-pad", "1.1.0").await, "rejected");
    let third = malware("MAL-2099-0002", "left-pad", &["1.1.0"], &["ghsa-malware"], MONTHS_LAST);
    airlock.bring(&[with(third, "withdrawn", json!(MONTHS_LAST))]).await;
    assert_eq!(airlock.standing("left-pad", "1.1.0").await, "approved");
}

#[tokio::test]
async fn people_decide_what_one_source_alone_says() {
    let airlock = in_use().await;
    airlock.advance("91d");
    let named = |id: &str, package: &str| malware(id, package, &["1.0.0", "1.1.0"], &["some-inspector"], MONTHS_EARLIER);
    airlock.bring(&[named("MAL-2099-0001", "left-pad"), named("MAL-2099-0002", "right-pad")]).await;
    assert_eq!(queue(&airlock).await, ["left-pad@1.1.0", "right-pad@1.0.0"]);
    let explained = airlock.release("left-pad", "1.1.0").await["would_change"].to_string();
    assert!(explained.contains("approval by one person, which answers the question"), "{explained}");

    assert_eq!(airlock.decide("left-pad", "1.1.0", "approve", "we read it: it is sound").await.status, 200);
    assert_eq!(queue(&airlock).await, ["right-pad@1.0.0"], "the question is answered");
    assert_eq!(airlock.tarball("left-pad", "1.1.0").await.status, 200);
    let again = airlock.decide("left-pad", "1.1.0", "approve", "once more").await;
    assert!(again.status == 409 || again.status == 422, "{} {}", again.status, again.text());

    assert_eq!(airlock.decide("right-pad", "1.0.0", "revoke", "it does what they say").await.status, 200);
    assert_eq!(queue(&airlock).await, [""; 0]);
    assert_eq!(airlock.tarball("right-pad", "1.0.0").await.status, 403);

    // What people answered was about the word of one.
    airlock.bring(&[malware("MAL-2099-0003", "left-pad", &["1.1.0"], &["ghsa-malware"], MONTHS_LATER)]).await;
    assert_eq!(airlock.standing("left-pad", "1.1.0").await, "rejected");
    assert_eq!(airlock.tarball("left-pad", "1.1.0").await.status, 403);
}

#[tokio::test]
async fn bytes_are_known_under_any_name() {
    let airlock = in_use().await;
    let mut named = malware("MAL-2099-0001", "evil", &["6.6.6"], &["some-inspector"], EARLIER);
    let bytes = Digest::of(&airlock.upstream.tarball("left-pad", "1.1.0")).sri();
    named["affected"][0]["database_specific"] = json!({"indicators": {"package_integrity": [{"hashes": {"sha512_sri": bytes}}]}});
    airlock.advance("90d");
    airlock.bring(&[named]).await;
    assert_eq!(airlock.tarball("left-pad", "1.1.0").await.status, 403);
    assert_eq!(airlock.findings("left-pad", "1.1.0").await, ["malware: MAL-2099-0001 (some-inspector) names these very bytes, as evil"]);
    assert_eq!(airlock.tarball("left-pad", "1.0.0").await.status, 200);
}

#[tokio::test]
async fn private_names_are_not_those_that_feeds_speak_of() {
    let airlock =
        Scenario::new().package("@acme/web", |p| _ = p.release("1.0.0")).package("@other/web", |p| _ = p.release("1.0.0")).start().await;
    let acme = Scenario::new().package("@acme/web", |p| _ = p.release("1.0.0")).start().await;
    let (url, token) = (acme.url(), None);
    let airlock = Airlock::before(airlock, |config| {
        config.upstream.scopes.insert("@acme".to_owned(), airlock::config::upstream::Scope { url, token });
    })
    .await;
    let all = |id: &str, name: &str| malware(id, name, &["1.0.0"], &["some-inspector", "ghsa-malware"], EARLIER);
    airlock.bring(&[all("MAL-2099-0001", "@acme/web"), all("MAL-2099-0002", "@other/web")]).await;
    assert_eq!(airlock.tarball("@acme/web", "1.0.0").await.status, 200);
    assert_eq!(airlock.tarball("@other/web", "1.0.0").await.status, 403);
}

#[tokio::test]
async fn vulnerabilities_are_noted_and_policy_may_do_more() {
    let airlock = in_use().await;
    airlock.bring(&[vulnerability("GHSA-aaaa-bbbb-cccc", "left-pad", "1.1.0", EARLIER)]).await;
    assert_eq!(airlock.tarball("left-pad", "1.0.0").await.status, 200);
    let found = airlock.findings("left-pad", "1.0.0").await;
    assert_eq!(found, ["vulnerable_critical: GHSA-aaaa-bbbb-cccc (9.8): It fills too much, fixed in 1.1.0"]);
    assert_eq!(airlock.findings("left-pad", "1.1.0").await, [""; 0]);
    let airlock = airlock
        .restart_with(|config| {
            let kind = airlock::model::finding::FindingKind::VulnerableCritical;
            config.policy.findings.insert(kind, airlock::model::finding::Action::Reject);
        })
        .await;
    assert_eq!(airlock.tarball("left-pad", "1.0.0").await.status, 403);
}
