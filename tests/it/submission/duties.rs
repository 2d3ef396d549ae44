//! Whoever stands behind a submission does not let it through.

use serde_json::json;

use super::workflow::WEB;
use super::workflow::decided;
use crate::support::airlock::Airlock;
use crate::support::http::Reply;
use crate::support::publish::Publish;
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
        let expect = format!(
            "{by} stands behind @acme/web@1.0.0 as who submitted it, or who gave or was given a token or a password for it: another person is needed"
        );
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
async fn who_made_the_token_that_made_the_token_stands_behind_it() {
    let airlock = Scenario::new().gated().await;
    // The first token made root's, root ann's, ann the build's.
    let root = airlock.user("root", "admin").await;
    let ann = made_by(&airlock, &root, "ann", "admin").await;
    let build = made_by(&airlock, &ann, "build", "publisher").await;
    assert_eq!(airlock.publish(&build, WEB, "1.0.0").await.status, 202);
    for (token, by) in [(&ann, "ann"), (&root, "root"), (&airlock.admin_token(), "admin")] {
        refused(&approved_both_ways(&airlock, token, "1.0.0").await, by);
    }
    let bob = made_by(&airlock, &root, "bob", "approver").await;
    assert_eq!(decided(&airlock, &bob, WEB, "1.0.0", "approve").await.status, 200, "who got a token of the same admin is another person");

    // And the other way round: the submitter's tokens, and what they made.
    assert_eq!(airlock.publish(&root, WEB, "1.1.0").await.status, 202);
    let second = made_by(&airlock, &ann, "second", "approver").await;
    for token in [&ann, &second, &bob] {
        let reply = decided(&airlock, token, WEB, "1.1.0", "approve").await;
        assert!(reply.status == 403 && reply.text().contains("stands behind @acme/web@1.1.0"), "{}", reply.text());
    }
    let eve = airlock.user("eve", "approver").await;
    let airlock = airlock.restart().await;
    assert_eq!(decided(&airlock, &ann, WEB, "1.1.0", "approve").await.status, 403, "after a restart too");
    assert_eq!(decided(&airlock, &eve, WEB, "1.1.0", "approve").await.status, 200);
}

const GIVEN: &str = "a password that was given";
const OWN: &str = "a password of my own";

async fn user(airlock: &Airlock, by: &str, name: &str, role: &str) {
    let order = json!({"name": name, "role": role, "password": GIVEN});
    let made = airlock.call("POST", "/-/airlock/v1/users").bearer(by).json(&order).send().await;
    assert_eq!(made.status, 201, "{}", made.text());
}

async fn signed_in(airlock: &Airlock, name: &str, password: &str) -> String {
    let body = json!({"name": name, "password": password});
    let reply = airlock.call("PUT", &format!("/-/user/org.couchdb.user:{name}")).json(&body).send().await;
    assert_eq!(reply.status, 201, "{}", reply.text());
    reply.json()["token"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn who_gave_a_user_the_password_stands_behind_them_until_they_have_another() {
    let airlock = Scenario::new().gated().await;
    let root = airlock.user("root", "admin").await;
    let eve = airlock.user("eve", "admin").await;
    user(&airlock, &root, "otto", "publisher").await;
    let given = signed_in(&airlock, "otto", GIVEN).await;
    let basic = format!("Basic {}", data_encoding::BASE64.encode(format!("otto:{GIVEN}").as_bytes()));
    assert_eq!(airlock.publish(&given, WEB, "1.0.0").await.status, 202);
    refused(&approved_both_ways(&airlock, &root, "1.0.0").await, "root");
    let with_password = Publish::new(WEB, "1.1.0").body();
    let published = airlock.call("PUT", "/@acme%2fweb").header("authorization", &basic).json(&with_password).send().await;
    assert_eq!(published.status, 202, "{}", published.text());
    assert_eq!(decided(&airlock, &root, WEB, "1.1.0", "approve").await.status, 403, "with the password itself, the same");

    let change = json!({"password": {"old": GIVEN, "new": OWN}});
    assert_eq!(airlock.call("POST", "/-/npm/v1/user").bearer(&given).json(&change).send().await.status, 200);
    assert_eq!(airlock.publish(&given, WEB, "1.2.0").await.status, 202);
    assert_eq!(decided(&airlock, &root, WEB, "1.2.0", "approve").await.status, 403, "a sign-in of before may be root's");
    let own = signed_in(&airlock, "otto", OWN).await;
    assert_eq!(airlock.publish(&own, WEB, "1.3.0").await.status, 202);
    assert_eq!(decided(&airlock, &root, WEB, "1.3.0", "approve").await.status, 200);

    // Whoever sets another for them knows that one.
    let reset = airlock.call("PATCH", "/-/airlock/v1/users/OTTO").bearer(&eve).json(&json!({"password": GIVEN})).send().await;
    assert_eq!(reset.status, 200, "{}", reset.text());
    let given = signed_in(&airlock, "otto", GIVEN).await;
    assert_eq!(airlock.publish(&given, WEB, "1.4.0").await.status, 202);
    assert_eq!(decided(&airlock, &eve, WEB, "1.4.0", "approve").await.status, 403);
    assert_eq!(decided(&airlock, &root, WEB, "1.4.0", "approve").await.status, 200);
    let audit = airlock.as_admin("GET", "/-/airlock/v1/audit?limit=500").send().await.text();
    for said in ["nobody else knows the password of otto", "eve, admin could sign in as otto too"] {
        assert!(audit.contains(said), "{said}: {audit}");
    }
}

#[tokio::test]
async fn who_knows_anothers_secret_is_no_second_person_with_them() {
    let scenario = Scenario::new().package("left-pad", |p| _ = p.release("1.0.0").age("1h"));
    let airlock = scenario.gated().await;
    let ann = airlock.user("ann", "admin").await;
    user(&airlock, &ann, "otto", "approver").await;
    let otto = signed_in(&airlock, "otto", GIVEN).await;
    let second = made_by(&airlock, &ann, "second", "approver").await;
    let approve = async |token: &str| decided(&airlock, token, "left-pad", "1.0.0", "approve").await;
    assert_eq!(approve(&otto).await.json()["approvals"], json!({"given": 1, "needed": 2}));
    let reply = approve(&ann).await;
    let said = "ann and otto, who has approved left-pad@1.0.0 already, count as one person, because one of them gave the other a token or a \
                password; another person is needed";
    assert_eq!((reply.status, &reply.json()["detail"]), (409, &json!(said)));
    assert_eq!(approve(&otto).await.status, 409);
    // Held and approved the other way round, it is the same.
    assert_eq!(decided(&airlock, &ann, "left-pad", "1.0.0", "hold").await.status, 200);
    assert_eq!(approve(&ann).await.json()["approvals"]["given"], 1);
    for token in [&otto, &second] {
        assert_eq!(approve(token).await.status, 409);
    }
    assert_eq!(airlock.tarball("left-pad", "1.0.0").await.status, 403);
    let eve = airlock.user("eve", "approver").await;
    assert_eq!(approve(&eve).await.status, 200);
    assert_eq!(airlock.tarball("left-pad", "1.0.0").await.status, 200);
}

#[tokio::test]
async fn a_name_in_capitals_is_the_same_person() {
    let scenario = Scenario::new().package("left-pad", |p| _ = p.release("1.0.0").age("1h"));
    let airlock = scenario.gated().await;
    let ann = airlock.user("ann", "admin").await;
    let twin = airlock.as_admin("POST", "/-/airlock/v1/tokens").json(&json!({"name": "ANN", "role": "admin"})).send().await;
    assert_eq!(twin.status, 409, "{}", twin.text());
    assert_eq!(airlock.publish(&ann, WEB, "1.0.0").await.status, 202);
    assert_eq!(decided(&airlock, &ann, "left-pad", "1.0.0", "approve").await.status, 200);
    assert_eq!(airlock.call("DELETE", &format!("/-/user/token/{ann}")).bearer(&ann).send().await.status, 200);
    let twin = airlock.user("ANN", "admin").await;
    refused(&approved_both_ways(&airlock, &twin, "1.0.0").await, "ANN");
    let reply = decided(&airlock, &twin, "left-pad", "1.0.0", "approve").await;
    assert!(reply.status == 409 && reply.text().contains("ANN has approved"), "{}", reply.text());
    assert_eq!(airlock.publish(&twin, WEB, "1.1.0").await.status, 202, "and owns what was ann's");
}

#[tokio::test]
async fn unless_policy_says_so_and_never_below_the_floor() {
    let airlock = Scenario::new().gated_by(|config| config.policy.review.self_approval = true).await;
    let ann = airlock.user("ann", "admin").await;
    for version in ["1.0.0", "1.1.0"] {
        assert_eq!(airlock.publish(&ann, WEB, version).await.status, 202);
        let own = decided(&airlock, &ann, WEB, version, "approve").await;
        assert_eq!((own.status, &own.json()["approvals"]), (200, &json!({"given": 1, "needed": 2})), "{}", own.text());
        assert_eq!(airlock.tarball(WEB, version).await.status, 403, "no single person opens what is younger than the floor");
    }
    // Whoever made her token is not somebody else.
    assert_eq!(airlock.decide(WEB, "1.0.0", "approve", "I made her token").await.status, 409);
    let bob = airlock.user("bob", "approver").await;
    assert_eq!(decided(&airlock, &bob, WEB, "1.0.0", "approve").await.status, 200);
    assert_eq!(airlock.tarball(WEB, "1.0.0").await.status, 200);
    airlock.advance("24h");
    assert_eq!(airlock.tarball(WEB, "1.1.0").await.status, 200, "from the floor on her own word counts");

    let airlock = airlock.restart_with(|config| config.policy.review.self_approval = false).await;
    assert_eq!(airlock.tarball(WEB, "1.1.0").await.status, 403, "her word counts for as long as policy says so");
}
