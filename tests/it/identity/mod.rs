//! People: how they sign in, what they are called, what they may do and what they see of themselves.

mod lockout;
mod login;
mod oidc;
mod passwords;
mod roles;
mod tokens;
mod trusted_publishing;
mod web;

use serde_json::json;

use crate::support::airlock::Airlock;
use crate::support::http::Reply;
use crate::support::scenario::Scenario;

const USERS: &str = "/-/airlock/v1/users";
pub const PASSWORD: &str = "correct horse battery";

async fn airlock() -> Airlock {
    Scenario::new().package("left-pad", |p| _ = p.release("1.0.0")).gated().await
}

/// A user with the password [`PASSWORD`].
pub async fn make_user(airlock: &Airlock, name: &str, role: &str) {
    let order = json!({"name": name, "role": role, "password": PASSWORD, "email": format!("{name}@acme.example")});
    let made = airlock.as_admin("POST", USERS).json(&order).send().await;
    assert_eq!(made.status, 201, "{}", made.text());
}

/// What `npm login --auth-type=legacy` sends.
async fn couch(airlock: &Airlock, name: &str, password: &str) -> Reply {
    let body = json!({"_id": format!("org.couchdb.user:{name}"), "name": name, "password": password, "type": "user", "roles": [], "date": "2026-11-20"});
    airlock.call("PUT", &format!("/-/user/org.couchdb.user:{name}")).json(&body).send().await
}

pub async fn sign_in(airlock: &Airlock, name: &str) -> String {
    let reply = couch(airlock, name, PASSWORD).await;
    assert_eq!(reply.status, 201, "{}", reply.text());
    reply.json()["token"].as_str().unwrap().to_owned()
}

async fn whoami(airlock: &Airlock, token: &str) -> Reply {
    airlock.call("GET", "/-/whoami").bearer(token).send().await
}

async fn edit(airlock: &Airlock, name: &str, edit: &serde_json::Value) -> Reply {
    airlock.as_admin("PATCH", &format!("{USERS}/{name}")).json(edit).send().await
}

fn basic(name: &str, password: &str) -> String {
    format!("Basic {}", data_encoding::BASE64.encode(format!("{name}:{password}").as_bytes()))
}

/// All that a caller learns, but for what differs by nature.
fn without_ids(reply: &Reply) -> (u16, String, Vec<(String, String)>, String) {
    let headers = reply.headers.iter().filter(|(name, _)| !["date", "airlock-request-id"].contains(&name.to_lowercase().as_str()));
    (reply.status, reply.reason.clone(), headers.cloned().collect(), reply.text())
}

#[tokio::test]
async fn each_token_is_somebody() {
    let airlock = Scenario::new().gated().await;
    for (name, role) in [("ann", "reader"), ("otto", "publisher"), ("maria", "approver"), ("root", "admin")] {
        let token = airlock.user(name, role).await;
        let reply = whoami(&airlock, &token).await;
        assert_eq!((reply.status, &reply.json()["username"]), (200, &name.into()));
    }
}
