//! How many people it takes: policy's number, never one alone below the floor or against a rejection, nobody twice.

use super::decide;
use super::token;
use crate::support::airlock::Airlock;
use crate::support::scenario::Scenario;

const YOUNG: &str = "1.1.0";
const IN_REVIEW: &str = "1.2.0";
const REJECTED: &str = "1.3.0";
const BELOW_FLOOR: &str = "1.4.0";

async fn gated(approvals: u32) -> (Airlock, String, String) {
    let scenario = Scenario::new().package("left-pad", |p| {
        p.release("1.0.0");
        p.release(YOUNG).age("3d");
        p.release(IN_REVIEW).without_integrity();
        p.release(REJECTED).dependency("x", "git+https://git.example/x.git");
        p.release(BELOW_FLOOR).age("1h");
    });
    let airlock = scenario.gated_by(|config| config.policy.review.approvals = approvals).await;
    let (maria, otto) = (token(&airlock, "maria", "approver").await.0, token(&airlock, "otto", "approver").await.0);
    airlock.tarball("left-pad", IN_REVIEW).await;
    (airlock, maria, otto)
}

/// After so many different people, and not before, it is served; the same person twice counts once.
async fn takes(airlock: &Airlock, people: &[&String], version: &str) {
    let release = format!("left-pad@{version}");
    for (at, person) in people.iter().enumerate() {
        let refused = airlock.tarball("left-pad", version).await;
        assert_eq!(refused.status, 403, "{release} after {at} approvals: {}", refused.text());
        assert!(!airlock.listed("left-pad").await.contains(&version.to_owned()));
        let reply = decide(airlock, person, &release, "approve").await;
        assert_eq!(reply.status, 200, "{}", reply.text());
        assert_eq!(reply.json()["approvals"]["given"], at + 1);
        assert_eq!(reply.json()["approvals"]["needed"], people.len(), "{}", reply.text());
        if at + 1 < people.len() {
            let twice = decide(airlock, person, &release, "approve").await;
            assert!(twice.status == 409 && twice.text().contains("another person is needed"), "{} {}", twice.status, twice.text());
        }
    }
    assert_eq!(airlock.tarball("left-pad", version).await.status, 200, "{release}");
}

#[tokio::test]
async fn where_policy_asks_for_one() {
    let (airlock, maria, otto) = gated(1).await;
    takes(&airlock, &[&maria], YOUNG).await;
    takes(&airlock, &[&maria], IN_REVIEW).await;
    takes(&airlock, &[&maria, &otto], REJECTED).await;
    takes(&airlock, &[&maria, &otto], BELOW_FLOOR).await;
}

#[tokio::test]
async fn where_policy_asks_for_two() {
    let (airlock, maria, otto) = gated(2).await;
    for version in [YOUNG, IN_REVIEW, REJECTED, BELOW_FLOOR] {
        takes(&airlock, &[&otto, &maria], version).await;
    }
}

#[tokio::test]
async fn a_hold_between_two_approvals_starts_the_count_again() {
    let (airlock, maria, otto) = gated(2).await;
    let release = format!("left-pad@{IN_REVIEW}");
    for (person, decision) in [(&maria, "approve"), (&otto, "hold"), (&otto, "approve")] {
        assert_eq!(decide(&airlock, person, &release, decision).await.status, 200);
    }
    assert_eq!(airlock.tarball("left-pad", IN_REVIEW).await.status, 403);
    assert_eq!(decide(&airlock, &maria, &release, "approve").await.status, 200);
    assert_eq!(airlock.tarball("left-pad", IN_REVIEW).await.status, 200);
}
