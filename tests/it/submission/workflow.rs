//! Where a submission stands, and what lets it through: its age, another person, or the policy that trusts it.

use airlock::config::policy::Submissions;
use serde_json::Value;
use serde_json::json;

use crate::support::airlock::Airlock;
use crate::support::http::Reply;
use crate::support::publish::Publish;
use crate::support::scenario::Scenario;

pub const WEB: &str = "@acme/web";
pub const STANDING_OF_WEB: &str = "/-/package/@acme%2fweb/version/1.0.0/status";

/// A decision in the name of whoever has this token.
pub async fn decided(airlock: &Airlock, token: &str, name: &str, version: &str, decision: &str) -> Reply {
    let name = name.replace('/', "%2f");
    let path = format!("/-/airlock/v1/releases/{name}/{version}/decisions");
    airlock.call("POST", &path).bearer(token).json(&json!({"decision": decision, "reason": "looked at it"})).send().await
}

pub async fn status(airlock: &Airlock, path: &str) -> Value {
    let reply = airlock.get(path).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    reply.json()["status"].clone()
}

#[tokio::test]
async fn a_submission_waits_its_age_or_for_one_other_person() {
    let airlock = Scenario::new().gated().await;
    let (ann, bob) = (airlock.user("ann", "publisher").await, airlock.user("bob", "approver").await);
    for version in ["1.0.0", "1.1.0"] {
        assert_eq!(airlock.publish(&ann, WEB, version).await.status, 202);
        assert_eq!(airlock.tarball(WEB, version).await.status, 403);
    }
    let held = airlock.release(WEB, "1.0.0").await;
    assert_eq!(
        (&held["standing"], &held["submitted_by"], &held["approvals"]),
        (&json!("held"), &json!("ann"), &json!({"given": 0, "needed": 1}))
    );
    assert!(held["history"][0]["what"] == "submitted" && held["history"][0]["by"] == "ann", "{held}");
    let queue = airlock.as_admin("GET", "/-/airlock/v1/queue").send().await.json();
    assert_eq!(queue["waiting"].as_array().unwrap().len(), 2, "both wait for people from the start: {queue}");

    let approved = decided(&airlock, &bob, WEB, "1.0.0", "approve").await;
    assert_eq!((approved.status, &approved.json()["standing"]), (200, &json!("approved")), "{}", approved.text());
    assert_eq!(airlock.tarball(WEB, "1.0.0").await.body, Publish::new(WEB, "1.0.0").packed().bytes);
    assert_eq!(airlock.listed(WEB).await, ["1.0.0"]);

    airlock.advance("14d");
    assert_eq!(airlock.tarball(WEB, "1.1.0").await.status, 200, "its age opens the other");
    assert_eq!(airlock.listed(WEB).await, ["1.0.0", "1.1.0"]);
}

#[tokio::test]
async fn what_waits_is_known_after_a_restart() {
    let airlock = Scenario::new().gated().await;
    let ann = airlock.user("ann", "publisher").await;
    assert_eq!(airlock.publish(&ann, WEB, "1.0.0").await.status, 202);
    let airlock = airlock.restart().await;
    assert_eq!(airlock.tarball(WEB, "1.0.0").await.status, 403);
    let bob = airlock.user("bob", "approver").await;
    assert_eq!(decided(&airlock, &bob, WEB, "1.0.0", "approve").await.status, 200);
    assert_eq!(airlock.tarball(WEB, "1.0.0").await.status, 200);
}

#[tokio::test]
async fn trusted_is_201_and_installable_at_once() {
    let airlock = Scenario::new().gated_by(|config| config.policy.submissions = Submissions::Trusted).await;
    let ann = airlock.user("ann", "publisher").await;
    let published = airlock.publish(&ann, WEB, "1.0.0").await;
    assert_eq!(published.status, 201, "{}", published.text());
    assert_eq!(airlock.tarball(WEB, "1.0.0").await.status, 200);
    let open = airlock.release(WEB, "1.0.0").await;
    assert_eq!(
        (&open["trusted"], &open["sentence"]),
        (&json!("published here"), &json!("@acme/web@1.0.0 is approved: trusted (published here)."))
    );
    assert_eq!(status(&airlock, STANDING_OF_WEB).await, "published");

    let airlock = airlock.restart_with(|config| config.policy.submissions = Submissions::Workflow).await;
    assert_eq!(airlock.tarball(WEB, "1.0.0").await.status, 403, "trust lasts for as long as policy says so");
}

#[tokio::test]
async fn a_rejected_one_is_422_and_the_version_is_free() {
    let airlock = Scenario::new().gated().await;
    let ann = airlock.user("ann", "publisher").await;
    let exotic = Publish::new(WEB, "1.0.0").field("dependencies", json!({"x": "git+https://git.example/x.git"}));
    let refused = exotic.call(&airlock, &ann).send().await;
    assert_eq!(refused.status, 422, "{}", refused.text());
    assert!(refused.json()["error"].as_str().unwrap().contains("it depends on something that is in no registry"), "{}", refused.text());
    assert_eq!(airlock.get(STANDING_OF_WEB).await.status, 404);
    assert_eq!(airlock.publish(&ann, WEB, "1.0.0").await.status, 202);
}

#[tokio::test]
async fn a_status_for_every_standing() {
    let airlock = Scenario::new().gated().await;
    let (ann, bob) = (airlock.user("ann", "publisher").await, airlock.user("bob", "approver").await);
    assert_eq!(airlock.get(STANDING_OF_WEB).await.status, 404);
    assert_eq!(airlock.publish(&ann, WEB, "1.0.0").await.status, 202);
    for (decision, expect) in [("", "staged"), ("approve", "published"), ("revoke", "blocked"), ("reopen", "staged"), ("reject", "blocked")]
    {
        if !decision.is_empty() {
            assert_eq!(decided(&airlock, &bob, WEB, "1.0.0", decision).await.status, 200, "{decision}");
        }
        let reply = airlock.get(STANDING_OF_WEB).await;
        assert_eq!(reply.json(), json!({"packageName": WEB, "version": "1.0.0", "status": expect}), "{decision}");
        assert_eq!(reply.header("cache-control"), Some("no-store"));
    }
}
