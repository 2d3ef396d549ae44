//! Whoever stands behind a submission does not let it through.

use serde_json::json;

use super::workflow::WEB;
use super::workflow::decided;
use crate::support::airlock::Airlock;
use crate::support::http::Reply;
use crate::support::scenario::Scenario;

/// A token for `name`, made by whoever has the token `by`.
async fn made_by(airlock: &Airlock, by: &str, name: &str, role: &str) -> String {
    let body = json!({"name": name, "role": role});
    let made = airlock.call("POST", "/-/airlock/v1/tokens").bearer(by).json(&body).send().await;
    assert_eq!(made.status, 201, "{}", made.text());
    made.json()["token"].as_str().unwrap().to_owned()
}

/// By the API that the console and `airlock approve` use, and as `npm stage approve` asks.
async fn approved_both_ways(airlock: &Airlock, token: &str, version: &str) -> [Reply; 2] {
    let listed = airlock.call("GET", "/-/stage").bearer(token).send().await.json();
    let waiting = listed["items"].as_array().unwrap().iter().find(|item| item["version"] == version).unwrap().clone();
    let path = format!("/-/stage/{}/approve", waiting["id"].as_str().unwrap());
    [airlock.call("POST", &path).bearer(token).send().await, decided(airlock, token, WEB, version, "approve").await]
}

#[track_caller]
fn refused(replies: &[Reply], by: &str) {
    for reply in replies {
        let expect =
            format!("{by} stands behind @acme/web@1.0.0 as who submitted it, or who made the token for it: another person is needed");
        let body = reply.json();
        let said = if body["error"].is_string() { &body["error"] } else { &body["detail"] };
        assert_eq!((reply.status, said), (403, &json!(expect)), "{}", reply.text());
    }
}

#[tokio::test]
async fn nobody_approves_what_they_submitted() {
    let airlock = Scenario::new().gated().await;
    // An admin, so that no role stands in the way.
    let ann = airlock.user("ann", "admin").await;
    let bob = airlock.user("bob", "approver").await;
    assert_eq!(airlock.publish(&ann, WEB, "1.0.0").await.status, 202);

    refused(&approved_both_ways(&airlock, &ann, "1.0.0").await, "ann");
    refused(&[airlock.decide(WEB, "1.0.0", "approve", "I made her token").await], "admin");
    let second = made_by(&airlock, &ann, "ann's other name", "approver").await;
    refused(&approved_both_ways(&airlock, &second, "1.0.0").await, "ann's other name");
    for token in [&ann, &second] {
        assert_eq!(decided(&airlock, token, WEB, "1.0.0", "reopen").await.status, 403, "nor does anybody undo another's word");
    }
    assert_eq!(airlock.release(WEB, "1.0.0").await["approvals"]["given"], 0, "nothing of that was recorded");
    assert_eq!(airlock.tarball(WEB, "1.0.0").await.status, 403);

    // Stricter is for everybody.
    assert_eq!(decided(&airlock, &ann, WEB, "1.0.0", "hold").await.status, 200);
    assert_eq!(decided(&airlock, &bob, WEB, "1.0.0", "approve").await.status, 200);
    assert_eq!(airlock.tarball(WEB, "1.0.0").await.status, 200);
}

#[tokio::test]
async fn who_makes_a_token_stands_behind_what_it_publishes() {
    let airlock = Scenario::new().gated().await;
    let ann = airlock.user("ann", "admin").await;
    let build = made_by(&airlock, &ann, "build", "publisher").await;
    let bob = airlock.user("bob", "approver").await;
    assert_eq!(airlock.publish(&build, WEB, "1.0.0").await.status, 202);
    refused(&approved_both_ways(&airlock, &ann, "1.0.0").await, "ann");
    let [approved, again] = approved_both_ways(&airlock, &bob, "1.0.0").await;
    assert_eq!((approved.status, again.status), (201, 409), "{}", approved.text());
    assert_eq!(airlock.tarball(WEB, "1.0.0").await.status, 200);
}

#[tokio::test]
async fn unless_policy_says_so() {
    let airlock = Scenario::new().gated_by(|config| config.policy.review.self_approval = true).await;
    let ann = airlock.user("ann", "admin").await;
    assert_eq!(airlock.publish(&ann, WEB, "1.0.0").await.status, 202);
    assert_eq!(decided(&airlock, &ann, WEB, "1.0.0", "approve").await.status, 200);
    assert_eq!(airlock.tarball(WEB, "1.0.0").await.status, 200);

    let airlock = airlock.restart_with(|config| config.policy.review.self_approval = false).await;
    assert_eq!(airlock.tarball(WEB, "1.0.0").await.status, 403, "her word counts for as long as policy says so");
}
