//! Who may do what, what they decided, and that it stays written down.

mod approvals;
mod decisions;
mod ledger;
mod recalls;
mod requests;
mod secrets;
mod tokens;
mod waivers;

use serde_json::Value;
use serde_json::json;

use crate::support::airlock::Airlock;
use crate::support::http::Reply;

/// A new token and its id.
async fn token(airlock: &Airlock, name: &str, role: &str) -> (String, String) {
    let made = airlock.as_admin("POST", TOKENS).json(&json!({"name": name, "role": role})).send().await;
    assert_eq!(made.status, 201, "{}", made.text());
    (made.json()["token"].as_str().unwrap().to_owned(), made.json()["id"].as_str().unwrap().to_owned())
}

const TOKENS: &str = "/-/airlock/v1/tokens";

/// A decision as the person with this token, with whatever `order` says.
async fn order(airlock: &Airlock, token: &str, release: &str, order: &Value) -> Reply {
    let (package, version) = release.rsplit_once('@').unwrap();
    let path = format!("/-/airlock/v1/releases/{}/{version}/decisions", package.replace('/', "%2f"));
    airlock.call("POST", &path).bearer(token).json(order).send().await
}

async fn decide(airlock: &Airlock, token: &str, release: &str, decision: &str) -> Reply {
    order(airlock, token, release, &json!({"decision": decision, "reason": "looked at it"})).await
}
