//! What one person decides: with a reason, for these bytes, at this revision, until a day.

use serde_json::json;

use super::decide;
use super::order;
use super::token;
use crate::support::scenario::Scenario;

fn scenario() -> Scenario {
    Scenario::new().package("left-pad", |p| {
        p.release("1.0.0");
        p.release("1.1.0").without_integrity();
        p.release("1.2.0").age("3d");
    })
}

#[tokio::test]
async fn each_decision_does_what_it_says_and_is_written_down() {
    let airlock = scenario().gated().await;
    let (maria, _) = token(&airlock, "maria", "approver").await;
    let status = || async { airlock.tarball("left-pad", "1.0.0").await.status };
    assert_eq!(status().await, 200);
    for (decision, standing, served) in [
        ("hold", "held", 403),
        ("approve", "approved", 200),
        ("reject", "rejected", 403),
        ("reopen", "admissible", 200),
        ("revoke", "revoked", 403),
    ] {
        let reply = decide(&airlock, &maria, "left-pad@1.0.0", decision).await;
        assert_eq!((reply.status, &reply.json()["standing"]), (200, &json!(standing)), "{decision}: {}", reply.text());
        assert_eq!(status().await, served, "{decision}");
        let event = reply.json()["history"].as_array().unwrap().iter().rfind(|event| event["by"] == "maria").cloned();
        if decision != "reopen" {
            assert_eq!(event.unwrap()["reason"], "looked at it");
        }
    }
    let refused = airlock.tarball("left-pad", "1.0.0").await.text();
    assert!(refused.contains("left-pad@1.0.0 was revoked by maria: looked at it"), "{refused}");
    let audit = airlock.as_admin("GET", "/-/airlock/v1/audit?limit=500").send().await.json();
    let by_maria = audit["entries"].as_array().unwrap().iter().filter(|entry| entry["by"] == "maria").count();
    assert_eq!(by_maria, 5);
}

#[tokio::test]
async fn an_order_that_is_not_for_what_is_there_is_refused_and_changes_nothing() {
    let airlock = scenario().gated().await;
    let (maria, _) = token(&airlock, "maria", "approver").await;
    assert_eq!(airlock.tarball("left-pad", "1.1.0").await.status, 403);
    let seen = airlock.release("left-pad", "1.1.0").await;
    let (digest, revision) = (seen["digest"].clone(), seen["revision"].clone());
    let other = airlock::model::digest::Digest::of(b"other bytes").sri();
    let cases = [
        (json!({"decision": "approve", "reason": "ok", "digest": other}), 409),
        (json!({"decision": "approve", "reason": "ok", "revision": revision.as_u64().unwrap() - 1}), 409),
        (json!({"decision": "approve", "reason": "ok", "digest": "md5-x"}), 422),
        (json!({"decision": "approve", "reason": " "}), 422),
        (json!({"decision": "approve"}), 422),
        (json!({"decision": "approve", "reason": "x".repeat(1_001)}), 422),
        (json!({"decision": "approve", "reason": "ok", "expires_at": "2026-11-20T12:00:00Z"}), 422),
        (json!({"decision": "reopen", "reason": "ok", "expires_at": "2027-11-20T12:00:00Z"}), 422),
        (json!({"decision": "bless", "reason": "ok"}), 400),
    ];
    for (wrong, status) in cases {
        let reply = order(&airlock, &maria, "left-pad@1.1.0", &wrong).await;
        assert_eq!(reply.status, status, "{wrong}: {}", reply.text());
        assert_eq!(reply.header("content-type"), Some("application/problem+json"));
    }
    assert_eq!(order(&airlock, &maria, "left-pad@9.9.9", &json!({"decision": "hold", "reason": "ok"})).await.status, 404);
    assert_eq!(airlock.release("left-pad", "1.1.0").await["revision"], revision);
    let good = json!({"decision": "approve", "reason": "ok", "digest": digest, "revision": revision, "expires_at": "2026-12-20T12:00:00Z"});
    assert_eq!(order(&airlock, &maria, "left-pad@1.1.0", &good).await.status, 200);
    assert_eq!(airlock.tarball("left-pad", "1.1.0").await.status, 200);
    let again = order(&airlock, &maria, "left-pad@1.1.0", &good).await;
    assert_eq!(again.status, 409, "the package has moved on: {}", again.text());
    airlock.advance("30d");
    assert_eq!(airlock.tarball("left-pad", "1.1.0").await.status, 403, "the approval has expired");
}

#[tokio::test]
async fn a_recall_says_who_pulled_it() {
    let airlock = scenario().gated().await;
    let (ci, _) = token(&airlock, "ci", "reader").await;
    let path = "/left-pad/-/left-pad-1.0.0.tgz";
    for _ in 0..2 {
        let pulled = airlock.call("GET", path).bearer(&ci).header("user-agent", "npm/11.19.1").send().await;
        assert_eq!(pulled.status, 200);
    }
    airlock.advance("1h");
    assert_eq!(airlock.call("GET", path).header("user-agent", "bun/1").send().await.status, 200);
    assert_eq!(airlock.decide("left-pad", "1.0.0", "revoke", "malware after all").await.status, 200);
    assert_eq!(airlock.tarball("left-pad", "1.0.0").await.status, 403);
    let airlock = airlock.restart().await;
    let recall = airlock.as_admin("GET", "/-/airlock/v1/recalls/left-pad/1.0.0").send().await.json();
    assert_eq!(recall["total"], 3, "{recall:#}");
    let pulls = recall["pulls"].as_array().unwrap();
    let by_ci = pulls.iter().find(|pull| pull["by"] == "ci").unwrap();
    assert_eq!((&by_ci["count"], &by_ci["user_agent"], &by_ci["address"]), (&json!(2), &json!("npm/11.19.1"), &json!("127.0.0.1")));
    let anonymous = pulls.iter().find(|pull| pull["by"].is_null()).unwrap();
    assert_eq!((&anonymous["count"], &anonymous["at_first"]), (&json!(1), &json!("2026-11-20T13:00:00.000Z")));
}
