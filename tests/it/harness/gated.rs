//! Airlock in-process before a scenario: the shortest way through the gate and back.

use crate::support::scenario::Scenario;

#[tokio::test]
async fn what_is_young_is_held_until_its_time() {
    let airlock = Scenario::file("held-latest").gated().await;
    assert_eq!(airlock.listed("left-pad").await, ["1.2.0", "1.3.0"]);
    assert_eq!(airlock.tarball("left-pad", "1.3.0").await.body, airlock.upstream.tarball("left-pad", "1.3.0"));
    let refused = airlock.tarball("left-pad", "1.4.0").await;
    assert_eq!(refused.status, 403);
    assert!(refused.reason.starts_with("left-pad@1.4.0 is held: published 9 hours ago, opens 2026-11-27 03:00 UTC"), "{}", refused.reason);
    let release = airlock.release("left-pad", "1.4.0").await;
    assert_eq!(release["standing"], "held", "{release}");

    airlock.advance("7d");
    assert_eq!(airlock.tarball("left-pad", "1.4.0").await.body, airlock.upstream.tarball("left-pad", "1.4.0"));
    assert_eq!(airlock.listed("left-pad").await, ["1.2.0", "1.3.0", "1.4.0"]);
}

#[tokio::test]
async fn it_comes_back_with_all_that_was_decided() {
    let airlock = Scenario::file("held-latest").gated().await;
    let decided = airlock.decide("left-pad", "1.2.0", "reject", "it is the wrong one").await;
    assert!((200..300).contains(&decided.status), "{} {}", decided.status, decided.text());
    let airlock = airlock.restart().await;
    assert_eq!(airlock.listed("left-pad").await, ["1.3.0"]);
    assert_eq!(airlock.tarball("left-pad", "1.2.0").await.status, 403);
    airlock.shutdown().await;
}
