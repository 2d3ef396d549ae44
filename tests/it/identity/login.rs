//! Signing in with name and password, as npm's older way does it, and with every request.

use airlock::config::access::Anonymous;
use airlock::config::access::Registration;
use serde_json::json;

use super::PASSWORD;
use super::USERS;
use super::airlock;
use super::basic;
use super::couch;
use super::edit;
use super::make_user;
use super::sign_in;
use super::whoami;
use crate::support::scenario::Scenario;

#[tokio::test]
async fn name_and_password_give_a_token_that_ends() {
    let airlock = airlock().await;
    make_user(&airlock, "maria", "publisher").await;
    let reply = couch(&airlock, "maria", PASSWORD).await;
    assert_eq!((reply.status, reply.header("cache-control")), (201, Some("no-store")));
    let said = reply.json();
    assert_eq!((&said["ok"], &said["id"], &said["rev"]), (&json!(true), &json!("org.couchdb.user:maria"), &json!("1-0")));
    let token = said["token"].as_str().unwrap().to_owned();
    assert!(token.starts_with("airlock_"));
    assert_eq!(whoami(&airlock, &token).await.json()["username"], "maria");
    let airlock = airlock.restart().await;
    assert_eq!(whoami(&airlock, &token).await.status, 200, "after a restart too");
    airlock.advance("30d");
    assert_eq!(whoami(&airlock, &token).await.status, 401);
    // In whatever case it is typed, it is the same person.
    let upper = sign_in(&airlock, "MARIA").await;
    assert_eq!(whoami(&airlock, &upper).await.json()["username"], "maria");
}

#[tokio::test]
async fn a_user_is_shown_to_who_is_known() {
    let airlock = airlock().await;
    make_user(&airlock, "maria", "publisher").await;
    let token = airlock.user("otto", "reader").await;
    let path = |name: &str| format!("/-/user/org.couchdb.user:{name}");
    let shown = airlock.call("GET", &path("maria")).bearer(&token).send().await;
    assert_eq!((shown.status, shown.json()["email"].clone()), (200, json!("maria@acme.example")));
    assert!(!shown.text().contains("argon2"));
    assert_eq!(airlock.call("GET", &path("otto")).bearer(&token).send().await.json()["name"], "otto");
    assert_eq!(airlock.call("GET", &path("nobody")).bearer(&token).send().await.status, 404);
    assert_eq!(airlock.get(&path("maria")).await.status, 401);
    assert_eq!(airlock.get(&path("nobody")).await.status, 401);
}

#[tokio::test]
async fn what_is_no_sign_in_is_told_and_repeats_no_password() {
    let airlock = airlock().await;
    make_user(&airlock, "maria", "publisher").await;
    let path = "/-/user/org.couchdb.user:maria";
    let other = json!({"name": "otto", "password": PASSWORD});
    assert_eq!(airlock.call("PUT", path).json(&other).send().await.status, 400);
    for body in ["", "{", "[]", r#"{"name":"maria"}"#, r#"{"name":"maria","password":"#, r#"{"name":"maria","password":["hunter22"]}"#] {
        let reply = airlock.call("PUT", path).body(body.as_bytes()).send().await;
        assert_eq!(reply.status, 400, "{body}: {}", reply.text());
        assert!(!reply.json()["error"].as_str().unwrap().is_empty() && !reply.text().contains("hunter22"));
    }
    let large = format!("{{\"name\":\"maria\",\"password\":\"{}\"}}", "x".repeat(70_000));
    assert_eq!(airlock.call("PUT", path).body(large.as_bytes()).send().await.status, 413);
}

#[tokio::test]
async fn who_is_unknown_becomes_a_user_only_where_registration_is_open() {
    let closed = airlock().await;
    assert_eq!(couch(&closed, "otto", PASSWORD).await.status, 401);
    let open = Scenario::new().gated_by(|config| config.access.registration = Registration::Open).await;
    let body = json!({"name": "otto", "password": PASSWORD, "email": "otto@acme.example"});
    let reply = open.call("PUT", "/-/user/org.couchdb.user:otto").json(&body).send().await;
    assert_eq!(reply.status, 201, "{}", reply.text());
    let users = open.as_admin("GET", USERS).send().await.json();
    assert_eq!((&users["users"][0]["name"], &users["users"][0]["role"]), (&json!("otto"), &json!("publisher")));
    assert_eq!(couch(&open, "otto", "another password").await.status, 401, "a name is taken once");
    for (name, password, status) in [("eve", "short", 422), ("-eve", PASSWORD, 422), ("Admin", PASSWORD, 401), ("OTTO", "another one", 401)]
    {
        assert_eq!(couch(&open, name, password).await.status, status, "{name}");
    }
    // Who came first is not known to be whom an admin means.
    let token = open.as_admin("POST", "/-/airlock/v1/tokens").json(&json!({"name": "Otto", "role": "approver"})).send().await;
    assert_eq!(token.status, 409, "{}", token.text());
    // What somebody did under a name stays theirs, also when their token is over.
    open.user("ann", "approver").await;
    let tokens = open.as_admin("GET", "/-/airlock/v1/tokens").send().await.json();
    let id = tokens["tokens"].as_array().unwrap().iter().find(|one| one["name"] == "ann").unwrap()["id"].as_str().unwrap().to_owned();
    open.as_admin("DELETE", &format!("/-/airlock/v1/tokens/{id}")).send().await;
    assert_eq!(couch(&open, "ann", PASSWORD).await.status, 401);
}

#[tokio::test]
async fn a_password_with_every_request_is_as_good_as_a_token() {
    let airlock =
        Scenario::new().package("left-pad", |p| _ = p.release("1.0.0")).gated_by(|config| config.access.anonymous = Anonymous::None).await;
    make_user(&airlock, "maria", "publisher").await;
    let get = |path: &'static str, auth: String| airlock.call("GET", path).header("authorization", &auth).send();
    for _ in 0..3 {
        assert_eq!(get("/-/whoami", basic("maria", PASSWORD)).await.json()["username"], "maria");
        assert_eq!(get("/left-pad", basic("maria", PASSWORD)).await.status, 200);
    }
    assert_eq!(get("/left-pad", basic("maria", "wrong")).await.status, 401);
    assert_eq!(get("/left-pad", basic("nobody", PASSWORD)).await.status, 401);
    // What is remembered of it ends with the password, and with the user.
    assert_eq!(edit(&airlock, "maria", &json!({"password": "another password"})).await.status, 200);
    assert_eq!(get("/-/whoami", basic("maria", PASSWORD)).await.status, 401);
    assert_eq!(get("/-/whoami", basic("maria", "another password")).await.status, 200);
    assert_eq!(edit(&airlock, "maria", &json!({"disabled": true})).await.status, 200);
    assert_eq!(get("/-/whoami", basic("maria", "another password")).await.status, 401);
}

/// What a cold install sends: npm has fifteen requests under way, others fifty.
#[tokio::test]
async fn many_requests_with_one_password_are_all_answered() {
    let airlock =
        Scenario::new().package("left-pad", |p| _ = p.release("1.0.0")).gated_by(|config| config.access.anonymous = Anonymous::None).await;
    make_user(&airlock, "maria", "reader").await;
    let at_once = async |name: &str, password: &str| {
        let calls = (0..50).map(|_| airlock.call("GET", "/left-pad").header("authorization", &basic(name, password)).send());
        futures_util::future::join_all(calls).await.into_iter().map(|reply| reply.status).collect::<Vec<u16>>()
    };
    assert_eq!(at_once("maria", PASSWORD).await, [200; 50]);
    let guessed = at_once("maria", "wrong").await;
    let count = |status| guessed.iter().filter(|one| **one == status).count();
    assert_eq!((count(401), count(429)), (50, 0), "one mistake is not many guesses: {guessed:?}");
    assert_eq!(at_once("maria", PASSWORD).await, [200; 50], "who signed in a moment ago goes on");
}
