//! What is kept of passwords, and how they change.

use serde_json::json;

use super::PASSWORD;
use super::USERS;
use super::airlock;
use super::couch;
use super::edit;
use super::make_user;
use super::sign_in;
use crate::support::binary::files_below;

#[tokio::test]
async fn only_a_hash_is_kept() {
    let airlock = airlock().await;
    make_user(&airlock, "maria", "publisher").await;
    let token = sign_in(&airlock, "maria").await;
    let change = json!({"password": {"old": PASSWORD, "new": "a password that is new"}});
    assert_eq!(airlock.call("POST", "/-/npm/v1/user").bearer(&token).json(&change).send().await.status, 200);
    let audit = airlock.as_admin("GET", "/-/airlock/v1/audit?limit=500").send().await.text();
    let list = airlock.as_admin("GET", USERS).send().await.text();
    for told in [&audit, &list] {
        assert!(told.contains("maria") && !told.contains("argon2"), "{told}");
    }
    let mut kept = false;
    for file in files_below(&airlock.data_dir()) {
        let bytes = std::fs::read(&file).unwrap();
        let holds = |text: &str| bytes.windows(text.len()).any(|window| window == text.as_bytes());
        assert!(!holds(PASSWORD) && !holds("a password that is new") && !holds(&token[21..]), "{}", file.display());
        kept |= holds("$argon2id$v=19$m=19456,t=2,p=1$");
    }
    assert!(kept, "the hash is somewhere");
}

#[tokio::test]
async fn a_password_is_changed_by_who_knows_the_old_one() {
    let airlock = airlock().await;
    make_user(&airlock, "maria", "publisher").await;
    let token = sign_in(&airlock, "maria").await;
    let change = |old: &str, new: &str| {
        let body = json!({"password": {"old": old, "new": new}});
        airlock.call("POST", "/-/npm/v1/user").bearer(&token).json(&body).send()
    };
    assert_eq!(change("wrong", "another password").await.status, 401);
    assert_eq!(change(PASSWORD, "short").await.status, 422);
    assert_eq!(change(PASSWORD, &"x".repeat(1_025)).await.status, 422);
    assert_eq!(change(PASSWORD, "another password").await.status, 200);
    assert_eq!(couch(&airlock, "maria", PASSWORD).await.status, 401);
    assert_eq!(couch(&airlock, "maria", "another password").await.status, 201);
    for _ in 0..9 {
        assert_eq!(change("wrong", "another password").await.status, 401);
    }
    assert_eq!(change("wrong", "another password").await.status, 401);
    assert_eq!(change("another password", "a third password").await.status, 429, "guessing the old one is guessing");
}

#[tokio::test]
async fn the_last_admin_stays() {
    let airlock = airlock().await;
    let admin = airlock.admin_token();
    make_user(&airlock, "root", "admin").await;
    let root = sign_in(&airlock, "root").await;
    // With another admin the first token may end.
    assert_eq!(airlock.call("DELETE", &format!("/-/user/token/{admin}")).bearer(&admin).send().await.status, 200);
    let as_root = |body: serde_json::Value| airlock.call("PATCH", "/-/airlock/v1/users/root").bearer(&root).json(&body).send();
    for body in [json!({"role": "reader"}), json!({"disabled": true})] {
        assert_eq!(as_root(body).await.status, 409);
    }
    assert_eq!(as_root(json!({"email": "root@acme.example"})).await.status, 200);
}

#[tokio::test]
async fn orders_for_users_are_read_strictly() {
    let airlock = airlock().await;
    make_user(&airlock, "maria", "publisher").await;
    let post = |body: serde_json::Value| airlock.as_admin("POST", USERS).json(&body).send();
    for (body, status) in [
        (json!({"name": "maria", "role": "reader"}), 409),
        (json!({"name": "MARIA", "role": "reader"}), 409),
        (json!({"name": "admin", "role": "reader"}), 409),
        (json!({"name": "a b", "role": "reader"}), 422),
        (json!({"name": "otto", "role": "reader", "password": "short"}), 422),
        (json!({"name": "otto", "role": "reader", "email": "otto"}), 422),
        (json!({"name": "otto", "role": "owner"}), 400),
        (json!({"name": "otto", "role": "reader", "admin": true}), 400),
    ] {
        assert_eq!(post(body.clone()).await.status, status, "{body}");
    }
    assert_eq!(edit(&airlock, "nobody", &json!({"role": "reader"})).await.status, 404);
    assert_eq!(edit(&airlock, "maria", &json!({})).await.status, 422);
    // A token of the name comes before: nobody becomes a user over it.
    airlock.user("ann", "reader").await;
    assert_eq!(post(json!({"name": "Ann", "role": "admin"})).await.status, 409);
}
