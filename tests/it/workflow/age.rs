//! Release age: which clock counts, which rule holds, and that time alone opens what time alone holds.

use airlock::config::policy::Exemption;
use airlock::config::policy::Pattern;

use crate::support::scenario::Scenario;

fn young() -> Scenario {
    Scenario::new().package("left-pad", |p| {
        p.release("1.0.0");
        p.release("1.1.0").age("9h");
    })
}

#[tokio::test]
async fn a_hold_opens_by_itself_and_nobody_writes() {
    let airlock = young().gated().await;
    let before = airlock.get("/left-pad").await;
    let refused = airlock.tarball("left-pad", "1.1.0").await;
    let sentence = "left-pad@1.1.0 is held: published 9 hours ago, opens 2026-11-27 03:00 UTC (minimum age 7 days). 1.0.0 is admissible.";
    assert!(refused.status == 403 && refused.json()["error"].as_str().unwrap().starts_with(sentence), "{}", refused.text());
    assert_eq!(airlock.release("left-pad", "1.1.0").await["opens_at"], "2026-11-27T03:00:00.000Z");
    let entries =
        || async { airlock.as_admin("GET", "/-/airlock/v1/audit?limit=500").send().await.json()["entries"].as_array().unwrap().len() };
    let written = entries().await;
    airlock.upstream.die().await;

    airlock.advance("6d 14h 59m");
    assert_eq!(airlock.listed("left-pad").await, ["1.0.0"]);
    airlock.advance("1m");
    assert_eq!(airlock.listed("left-pad").await, ["1.0.0", "1.1.0"]);
    let again = airlock.call("GET", "/left-pad").header("if-none-match", before.header("etag").unwrap()).send().await;
    assert_eq!(again.status, 200, "what a client keeps is out of date");
    assert_eq!(airlock.release("left-pad", "1.1.0").await["standing"], "admissible");
    assert_eq!(entries().await, written, "time is not written down");
    airlock.upstream.revive().await;
    airlock.advance("1m");
    assert_eq!(airlock.tarball("left-pad", "1.1.0").await.status, 200);
}

#[tokio::test]
async fn a_new_name_waits_longer() {
    let airlock = Scenario::new().package("fresh", |p| _ = p.release("1.0.0").age("8d")).gated().await;
    let refused = airlock.tarball("fresh", "1.0.0").await;
    assert!(refused.text().contains("opens 2026-11-26 12:00 UTC (new packages wait 14 days)"), "{}", refused.text());
    assert_eq!(airlock.listed("fresh").await, [""; 0]);
    airlock.advance("6d");
    assert_eq!(airlock.tarball("fresh", "1.0.0").await.status, 200);
}

#[tokio::test]
async fn what_an_index_lacked_is_no_older_than_that() {
    let airlock = young().gated().await;
    airlock.listed("left-pad").await;
    airlock.advance("10m");
    airlock.upstream.package("left-pad", |p| _ = p.release("1.0.1").age("300d"));
    let refused = airlock.tarball("left-pad", "1.0.1").await;
    assert!(refused.text().contains("is held: first seen 10 minutes ago, opens 2026-11-27 12:00 UTC"), "{}", refused.text());
    airlock.advance("7d");
    assert_eq!(airlock.tarball("left-pad", "1.0.1").await.status, 200);
}

#[tokio::test]
async fn an_exemption_ends_at_the_floor_and_at_its_expiry() {
    let exemption = |expires: &str| Exemption {
        pattern: Pattern::Package("left-pad".into()),
        reason: Some("ours".into()),
        expires: Some(airlock::model::time::Timestamp::parse(expires).unwrap()),
    };
    let until = exemption("2026-11-22T12:00:00Z");
    let airlock = young().gated_by(|config| config.policy.release_age.exempt = vec![until]).await;
    let refused = airlock.tarball("left-pad", "1.1.0").await;
    assert!(refused.text().contains("opens 2026-11-21 03:00 UTC (no release opens before 24 hours)"), "{}", refused.text());
    airlock.advance("15h");
    assert_eq!(airlock.listed("left-pad").await, ["1.0.0", "1.1.0"]);
    assert_eq!(airlock.tarball("left-pad", "1.1.0").await.status, 200);
    airlock.advance("2d");
    assert_eq!(airlock.listed("left-pad").await, ["1.0.0"], "the exemption is over, the minimum age is not");
    assert_eq!(airlock.tarball("left-pad", "1.1.0").await.status, 403);
}

#[tokio::test]
async fn a_private_scope_is_never_asked_of_upstream() {
    let scenario = Scenario::new().package("@mine/web", |p| _ = p.release("1.0.0"));
    let airlock = scenario.gated_by(|config| config.policy.private_scopes = vec!["@mine".into()]).await;
    for path in ["/@mine%2fweb", "/@mine/web/-/web-1.0.0.tgz", "/@mine/web/1.0.0", "/-/package/@mine%2fweb/dist-tags"] {
        assert_eq!(airlock.get(path).await.status, 404, "{path}");
    }
    airlock.upstream.assert_never_told("@mine");
}
