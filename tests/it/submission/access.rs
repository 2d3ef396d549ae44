//! Access in the body of a publish: what the author wrote down counts for the first release, what a client makes up is
//! recorded and said.

use serde_json::Value;
use serde_json::json;

use super::trusting;
use crate::support::airlock::Airlock;
use crate::support::http::Reply;
use crate::support::publish::Publish;
use crate::support::scenario::Scenario;

const WEB: &str = "@acme/web";

async fn publish(airlock: &Airlock, token: &str, publish: &Publish, access: Value) -> Reply {
    let mut body = publish.body();
    body["access"] = access;
    airlock.call("PUT", "/@acme%2fweb").bearer(token).json(&body).send().await
}

async fn access(airlock: &Airlock, token: &str) -> Value {
    airlock.call("GET", "/-/package/@acme%2fweb/access").bearer(token).send().await.json()["access"].clone()
}

fn meant(version: &str, access: &str) -> Publish {
    Publish::new(WEB, version).field("publishConfig", json!({"access": access}))
}

async fn set(airlock: &Airlock, token: &str, access: &str) {
    let reply = airlock.call("POST", "/-/package/@acme%2fweb/access").bearer(token).json(&json!({"access": access})).send().await;
    assert_eq!(reply.status, 200, "{}", reply.text());
}

/// As yarn writes it for every scoped package.
#[tokio::test]
async fn what_nobody_wrote_down_is_recorded_and_said() {
    let airlock = Scenario::new().gated_by(trusting).await;
    let maria = airlock.user("maria", "publisher").await;
    let said = "@acme/web is readable by everybody who may read here, access \"restricted\" in a publish hides nothing: \
                `npm access set status=private @acme/web` does.";
    for (publish_it, version) in [(Publish::new(WEB, "1.0.0"), "1.0.0"), (meant("1.1.0", "public"), "1.1.0")] {
        let reply = publish(&airlock, &maria, &publish_it, json!("restricted")).await;
        assert_eq!((reply.status, &reply.json()["message"]), (201, &json!(said)), "{version}: {}", reply.text());
        assert!(reply.header("npm-notice").unwrap().starts_with(said), "{:?}", reply.headers);
    }
    let staged = Publish::new(WEB, "1.2.0");
    let mut body = staged.body();
    body["access"] = json!("restricted");
    let reply = airlock.call("POST", "/-/stage/package/@acme%2fweb").bearer(&maria).json(&body).send().await;
    assert!(reply.json()["message"].as_str().unwrap().ends_with(said), "{}", reply.text());
    assert_eq!(access(&airlock, &maria).await, "public");
    assert_eq!(airlock.get("/-/package/@acme%2fweb/visibility").await.json(), json!({"public": true}));
    assert_eq!(airlock.listed(WEB).await, ["1.0.0", "1.1.0"]);
    let audit = airlock.as_admin("GET", "/-/airlock/v1/audit?limit=500").send().await.text();
    assert_eq!(audit.matches("with access \\\"restricted\\\"").count(), 3, "{audit}");
    for quiet in [json!(null), json!("public")] {
        let version = if quiet.is_null() { "2.0.0" } else { "2.1.0" };
        let reply = publish(&airlock, &maria, &Publish::new(WEB, version), quiet).await;
        assert_eq!((reply.status, reply.header("npm-notice"), reply.json().get("message")), (201, None, None));
    }
}

#[tokio::test]
async fn what_the_author_wrote_down_counts_for_the_first_release() {
    let airlock = Scenario::new().gated_by(trusting).await;
    let maria = airlock.user("maria", "publisher").await;
    let first = publish(&airlock, &maria, &meant("1.0.0", "restricted"), json!("restricted")).await;
    assert_eq!((first.status, first.header("npm-notice")), (201, None), "{}", first.text());
    for path in ["/@acme%2fweb", "/@acme/web/-/web-1.0.0.tgz", "/-/package/@acme%2fweb/visibility", "/-/package/@acme%2fweb/dist-tags"] {
        assert_eq!(airlock.get(path).await.status, 404, "{path}");
        assert_eq!(airlock.call("GET", path).bearer(&maria).send().await.status, 200, "{path}");
    }
    assert_eq!(access(&airlock, &maria).await, "restricted");
    // A publish never shows what is hidden, and a later one never hides what was shown.
    assert_eq!(publish(&airlock, &maria, &meant("1.1.0", "public"), json!("public")).await.status, 201);
    let airlock = airlock.restart().await;
    assert_eq!(access(&airlock, &maria).await, "restricted");
    assert_eq!(airlock.get("/@acme%2fweb").await.status, 404);
    set(&airlock, &maria, "public").await;
    let later = publish(&airlock, &maria, &meant("1.2.0", "restricted"), json!("restricted")).await;
    assert!(later.header("npm-notice").unwrap().contains("hides nothing"), "{:?}", later.headers);
    assert_eq!(airlock.listed(WEB).await, ["1.0.0", "1.1.0", "1.2.0"]);
    set(&airlock, &maria, "restricted").await;
    let hidden = publish(&airlock, &maria, &meant("1.3.0", "restricted"), json!("restricted")).await;
    assert_eq!((hidden.status, hidden.header("npm-notice")), (201, None), "it is hidden already");
}

/// The command line beats what is written down.
#[tokio::test]
async fn who_publishes_with_access_public_hides_nothing() {
    let airlock = Scenario::new().gated_by(trusting).await;
    let maria = airlock.user("maria", "publisher").await;
    for (version, said) in [("1.0.0", json!("public")), ("1.1.0", json!(null))] {
        assert_eq!(publish(&airlock, &maria, &meant(version, "restricted"), said).await.status, 201);
    }
    assert_eq!(airlock.listed(WEB).await, ["1.0.0", "1.1.0"]);
}

/// What waits is hidden from the start, and what is refused hides nothing.
#[tokio::test]
async fn what_waits_is_hidden_as_well() {
    let airlock = Scenario::new().gated().await;
    let maria = airlock.user("maria", "publisher").await;
    let exotic = meant("1.0.0", "restricted").field("dependencies", json!({"x": "git+https://git.example/x.git"}));
    assert_eq!(publish(&airlock, &maria, &exotic, json!("restricted")).await.status, 422);
    assert_eq!(publish(&airlock, &maria, &meant("1.0.0", "restricted"), json!("restricted")).await.status, 202);
    let status = "/-/package/@acme%2fweb/version/1.0.0/status";
    assert_eq!(airlock.get(status).await.status, 404);
    assert_eq!(airlock.call("GET", status).bearer(&maria).send().await.json()["status"], "staged");
    let listed = airlock.call("GET", "/-/stage").bearer(&maria).send().await.json();
    assert_eq!(listed["items"][0]["access"], "restricted", "{listed}");
}
