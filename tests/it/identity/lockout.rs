//! Guessing passwords: bounded, and answered alike whoever is guessed at.

use serde_json::json;

use super::PASSWORD;
use super::airlock;
use super::basic;
use super::couch;
use super::edit;
use super::make_user;
use super::sign_in;
use super::whoami;
use super::without_ids;

#[tokio::test]
async fn an_unknown_user_and_a_wrong_password_are_answered_alike() {
    let airlock = airlock().await;
    for (name, role) in [("maria", "admin"), ("otto", "reader")] {
        make_user(&airlock, name, role).await;
    }
    airlock.as_admin("POST", super::USERS).json(&json!({"name": "lisa", "role": "reader"})).send().await;
    assert_eq!(edit(&airlock, "otto", &json!({"disabled": true})).await.status, 200);
    let mut answers = Vec::new();
    // Unknown, wrong, without a password, disabled with the right one, no name at all, far too long.
    for (name, password) in
        [("nobody", PASSWORD), ("maria", "wrong"), ("lisa", ""), ("otto", PASSWORD), ("-", "x"), ("maria", &"x".repeat(2_000))]
    {
        let reply = couch(&airlock, name, password).await;
        assert_eq!(reply.status, 401, "{name}: {}", reply.text());
        assert!(!reply.text().contains("one-time pass"));
        answers.push(without_ids(&reply));
    }
    assert!(answers.windows(2).all(|two| two[0] == two[1]), "{answers:#?}");
}

#[tokio::test]
async fn a_name_is_locked_after_ten_failures_and_its_tokens_go_on() {
    let airlock = airlock().await;
    make_user(&airlock, "maria", "publisher").await;
    let token = sign_in(&airlock, "maria").await;
    let mut answers = Vec::new();
    for name in ["maria", "nobody"] {
        for _ in 0..10 {
            assert_eq!(couch(&airlock, name, "wrong").await.status, 401);
        }
        if name == "maria" {
            // Those that failed count for the address too.
            airlock.advance("10m");
        }
    }
    airlock.advance("1s");
    for name in ["Nobody", "nobody"] {
        let locked = couch(&airlock, name, PASSWORD).await;
        assert_eq!(locked.status, 429, "{}", locked.text());
        answers.push(without_ids(&locked));
    }
    let locked = couch(&airlock, "maria", PASSWORD).await;
    assert_eq!((locked.status, locked.header("retry-after")), (429, Some("299")), "the right password does not help");
    assert_eq!(locked.json()["error"].as_str(), serde_json::from_str::<serde_json::Value>(&answers[0].3).unwrap()["error"].as_str());
    assert_eq!(airlock.call("GET", "/-/whoami").header("authorization", &basic("maria", PASSWORD)).send().await.status, 429);
    assert_eq!(whoami(&airlock, &token).await.status, 200);
    airlock.advance("5m");
    assert_eq!(couch(&airlock, "maria", PASSWORD).await.status, 201);
}

#[tokio::test]
async fn an_address_is_locked_after_twenty_failures_whatever_it_tries() {
    let airlock = airlock().await;
    make_user(&airlock, "maria", "publisher").await;
    for n in 0..20 {
        assert_eq!(couch(&airlock, &format!("user{n}"), "wrong").await.status, 401);
    }
    assert_eq!(couch(&airlock, "maria", PASSWORD).await.status, 429);
    assert_eq!(airlock.get("/left-pad").await.status, 200, "who reads is not hindered");
    airlock.advance("10m");
    assert_eq!(couch(&airlock, "maria", PASSWORD).await.status, 201);
}

/// Behind a proxy, so that the test has addresses.
#[tokio::test]
async fn guesses_from_elsewhere_lock_nobody_out_where_they_sign_in() {
    let trusting = |config: &mut airlock::config::Config| config.server.trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()];
    let airlock = crate::support::scenario::Scenario::new().gated_by(trusting).await;
    make_user(&airlock, "maria", "publisher").await;
    let from = async |address: &str, password: &str| {
        let body = json!({"name": "maria", "password": password});
        airlock.call("PUT", "/-/user/org.couchdb.user:maria").header("x-forwarded-for", address).json(&body).send().await.status
    };
    assert_eq!(from("192.0.2.1", PASSWORD).await, 201);
    for n in 0..10 {
        assert_eq!(from(&format!("198.51.100.{n}"), "wrong").await, 401);
    }
    assert_eq!(from("198.51.100.99", PASSWORD).await, 429, "from elsewhere she is locked");
    assert_eq!(from("192.0.2.1", PASSWORD).await, 201);
    for _ in 0..10 {
        assert_eq!(from("192.0.2.1", "wrong").await, 401);
    }
    assert_eq!(from("192.0.2.1", PASSWORD).await, 429, "there too guesses are counted");
}
