//! What people see and do with their own tokens: whoami, `npm token`, `npm logout`, `npm profile`.

use serde_json::Value;
use serde_json::json;

use super::PASSWORD;
use super::airlock;
use super::make_user;
use super::sign_in;
use super::whoami;
use crate::support::airlock::Airlock;
use crate::support::http::Reply;
use crate::support::publish::Publish;

const TOKENS: &str = "/-/npm/v1/tokens";

async fn make(airlock: &Airlock, token: &str, order: &Value) -> Reply {
    airlock.call("POST", TOKENS).bearer(token).json(order).send().await
}

async fn listed(airlock: &Airlock, token: &str) -> Vec<Value> {
    let reply = airlock.call("GET", TOKENS).bearer(token).send().await;
    assert_eq!((reply.status, reply.header("cache-control")), (200, Some("no-store")), "{}", reply.text());
    let said = reply.json();
    assert!(said["urls"].is_object() && said.get("next").is_none(), "{said}");
    said["objects"].as_array().unwrap().clone()
}

#[tokio::test]
async fn people_list_make_and_revoke_their_own() {
    let airlock = airlock().await;
    make_user(&airlock, "maria", "publisher").await;
    make_user(&airlock, "otto", "publisher").await;
    let (maria, otto) = (sign_in(&airlock, "maria").await, sign_in(&airlock, "otto").await);
    let made = make(
        &airlock,
        &maria,
        &json!({"password": PASSWORD, "readonly": false, "cidr_whitelist": [], "name": "ci", "expires": 2, "bypass_2fa": true}),
    )
    .await;
    assert_eq!(made.status, 201, "{}", made.text());
    let (token, key) = (made.json()["token"].as_str().unwrap().to_owned(), made.json()["key"].as_str().unwrap().to_owned());
    assert_eq!(whoami(&airlock, &token).await.json()["username"], "maria");
    let list = listed(&airlock, &maria).await;
    assert_eq!(list.len(), 2);
    let entry = list.iter().find(|one| one["key"] == json!(key)).unwrap();
    assert_eq!((&entry["name"], &entry["readonly"], &entry["cidr_whitelist"]), (&json!("ci"), &json!(false), &Value::Null));
    assert_eq!(entry["token"], json!(format!("airlock_{}", &key[..6])), "a list tells no secret");
    let delete = |token: &str, which: &str| airlock.call("DELETE", &format!("{TOKENS}/token/{which}")).bearer(token).send();
    // A stranger learns nothing, not even that it is there.
    let (foreign, unknown) = (delete(&otto, &key).await, delete(&otto, "0123456789ab").await);
    assert_eq!((foreign.status, unknown.status), (404, 404));
    assert_eq!(foreign.text().replace(&key, "?"), unknown.text().replace("0123456789ab", "?"));
    assert_eq!(delete(&maria, &key).await.status, 204);
    assert_eq!(whoami(&airlock, &token).await.status, 401, "at once");
    assert_eq!(listed(&airlock, &maria).await.len(), 1);
    let other = make(&airlock, &maria, &json!({"password": PASSWORD, "expires": "2"})).await.json()["token"].as_str().unwrap().to_owned();
    assert_eq!(whoami(&airlock, &other).await.status, 200);
    airlock.advance("2d");
    assert_eq!(whoami(&airlock, &other).await.status, 401);
    assert_eq!(airlock.as_admin("DELETE", &format!("{TOKENS}/token/{otto}")).send().await.status, 204, "an admin ends any");
    assert_eq!(whoami(&airlock, &otto).await.status, 401);
}

#[tokio::test]
async fn a_token_is_made_by_who_knows_the_password_within_bounds() {
    let airlock = airlock().await;
    make_user(&airlock, "maria", "approver").await;
    let maria = sign_in(&airlock, "maria").await;
    for (order, status) in [
        (json!({"password": "wrong"}), 401),
        (json!({}), 400),
        (json!({"password": PASSWORD, "cidr_whitelist": ["x"]}), 422),
        (json!({"password": PASSWORD, "packages": ["../x"]}), 422),
        (json!({"password": PASSWORD, "scopes": ["@a/b"]}), 422),
        (json!({"password": PASSWORD, "expires": 0}), 422),
        (json!({"password": PASSWORD, "expires": "soon"}), 422),
        (json!({"password": PASSWORD, "name": "x".repeat(300)}), 422),
        (json!({"password": PASSWORD, "packages_and_scopes_permission": "no-access"}), 422),
        (json!({"password": PASSWORD, "packages_and_scopes_permission": "read-write-stage-only"}), 422),
    ] {
        let reply = make(&airlock, &maria, &order).await;
        assert_eq!(reply.status, status, "{order}: {}", reply.text());
    }
    // A token of an admin's making has no password behind it.
    let named = airlock.user("ann", "publisher").await;
    let refused = make(&airlock, &named, &json!({"password": PASSWORD})).await;
    assert!(refused.status == 403 && refused.json()["error"].as_str().unwrap().contains("user with a password"), "{}", refused.text());
    let read_only = json!({"password": PASSWORD, "readonly": true});
    let reader = make(&airlock, &maria, &read_only).await.json()["token"].as_str().unwrap().to_owned();
    let queue = |token: String| airlock.call("GET", "/-/airlock/v1/queue").bearer(&token).send();
    assert_eq!((queue(maria.clone()).await.status, queue(reader.clone()).await.status), (200, 403));
    // It ends itself, and nothing else of its user.
    let session = maria["airlock_".len()..][..12].to_owned();
    assert_eq!(airlock.call("DELETE", &format!("{TOKENS}/token/{session}")).bearer(&reader).send().await.status, 404);
    assert_eq!(airlock.call("POST", "/-/npm/v1/user").bearer(&reader).json(&json!({"email": "eve@evil.example"})).send().await.status, 403);
    assert_eq!(airlock.call("DELETE", &format!("/-/user/token/{reader}")).bearer(&reader).send().await.status, 200);
    assert_eq!(whoami(&airlock, &reader).await.status, 401);
}

/// npm since 11 says what a token may do, and nothing where it may do nothing.
#[tokio::test]
async fn a_token_publishes_where_that_was_asked_for() {
    let airlock = airlock().await;
    make_user(&airlock, "maria", "publisher").await;
    let maria = sign_in(&airlock, "maria").await;
    for (number, (order, is_readonly)) in (0_u32..).zip([
        (json!({"readonly": false}), false),
        (json!({"packages_and_scopes_permission": "read-write"}), false),
        (json!({"readonly": true}), true),
        (json!({"readonly": true, "packages_and_scopes_permission": "read-write"}), true),
        (json!({"readonly": false, "packages_and_scopes_permission": "read-only"}), true),
        (json!({"name": null}), true),
    ]) {
        let mut order = order;
        order["password"] = json!(PASSWORD);
        let made = make(&airlock, &maria, &order).await.json();
        assert_eq!(made["readonly"], is_readonly, "{order}");
        let release = Publish::new("web-of-maria", &format!("1.{number}.0"));
        let published = release.call(&airlock, made["token"].as_str().unwrap()).send().await;
        assert_eq!(published.status, if is_readonly { 403 } else { 202 }, "{order}: {}", published.text());
    }
}

#[tokio::test]
async fn a_token_serves_only_from_its_networks() {
    let airlock = airlock().await;
    make_user(&airlock, "maria", "publisher").await;
    let maria = sign_in(&airlock, "maria").await;
    for (networks, status) in [(json!(["127.0.0.0/8"]), 200), (json!(["10.0.0.0/8", "127.0.0.1"]), 200), (json!(["10.0.0.0/8"]), 401)] {
        let made = make(&airlock, &maria, &json!({"password": PASSWORD, "cidr_whitelist": networks})).await.json();
        assert_eq!(made["cidr_whitelist"], networks);
        assert_eq!(whoami(&airlock, made["token"].as_str().unwrap()).await.status, status, "{networks}");
    }
}

#[tokio::test]
async fn logging_out_ends_the_token_at_once_and_for_good() {
    let airlock = airlock().await;
    make_user(&airlock, "maria", "publisher").await;
    make_user(&airlock, "otto", "publisher").await;
    let (maria, otto) = (sign_in(&airlock, "maria").await, sign_in(&airlock, "otto").await);
    let log_out = |bearer: &str, token: &str| airlock.call("DELETE", &format!("/-/user/token/{token}")).bearer(bearer).send();
    assert_eq!(log_out(&otto, &maria).await.status, 404);
    assert_eq!(log_out(&maria, &format!("{}x", &maria[..maria.len() - 1])).await.status, 404);
    let reply = log_out(&maria, &maria).await;
    assert_eq!((reply.status, reply.json()), (200, json!({"ok": true})));
    assert_eq!(whoami(&airlock, &maria).await.status, 401);
    let airlock = airlock.restart().await;
    assert_eq!((whoami(&airlock, &maria).await.status, whoami(&airlock, &otto).await.status), (401, 200));
}

#[tokio::test]
async fn a_profile_has_every_member_that_clients_read() {
    let airlock = airlock().await;
    make_user(&airlock, "maria", "publisher").await;
    let maria = sign_in(&airlock, "maria").await;
    let profile = airlock.call("GET", "/-/npm/v1/user").bearer(&maria).send().await;
    assert_eq!((profile.status, profile.header("cache-control")), (200, Some("no-store")));
    let shown = profile.json();
    assert_eq!((&shown["name"], &shown["email"], &shown["tfa"]), (&json!("maria"), &json!("maria@acme.example"), &json!(false)));
    for member in ["email_verified", "created", "updated", "cidr_whitelist", "fullname", "homepage", "github", "twitter"] {
        assert!(shown.get(member).is_some(), "{member}: {shown}");
    }
    let set = |body: Value| airlock.call("POST", "/-/npm/v1/user").bearer(&maria).json(&body).send();
    let changed = set(json!({"email": "m@acme.example", "fullname": "", "homepage": null})).await;
    assert_eq!((changed.status, changed.json()["email"].clone()), (200, json!("m@acme.example")));
    let not_kept = set(json!({"email": "other@acme.example", "fullname": "M"})).await;
    assert_eq!(not_kept.status, 422, "{}", not_kept.text());
    assert_eq!(airlock.call("GET", "/-/npm/v1/user").bearer(&maria).send().await.json()["email"], "m@acme.example");
    assert_eq!(set(json!({"email": "no address"})).await.status, 422);
    let refused = set(json!({"tfa": {"mode": "auth-only", "password": PASSWORD}})).await;
    assert!(refused.status == 403 && refused.json()["error"].as_str().unwrap().contains("second factor"), "{}", refused.text());
    // Whose token an admin made has a profile too, and nothing to change in it.
    let named = airlock.user("ann", "reader").await;
    assert_eq!(airlock.call("GET", "/-/npm/v1/user").bearer(&named).send().await.json()["name"], "ann");
    assert_eq!(airlock.call("POST", "/-/npm/v1/user").bearer(&named).json(&json!({"email": "a@acme.example"})).send().await.status, 403);
}
