//! Tags of what is published here: set, moved, dropped, and pending while what they are for may not be seen.

use serde_json::json;

use super::trusting;
use crate::support::airlock::Airlock;
use crate::support::http::Reply;
use crate::support::publish::Publish;
use crate::support::scenario::Scenario;

async fn tag(airlock: &Airlock, token: &str, method: &str, tag: &str, version: &str) -> Reply {
    let call = airlock.call(method, &format!("/-/package/@acme%2fweb/dist-tags/{tag}")).bearer(token);
    if method == "DELETE" { call.send().await } else { call.json(&json!(version)).send().await }
}

async fn tags(airlock: &Airlock) -> serde_json::Value {
    airlock.get("/-/package/@acme%2fweb/dist-tags").await.json()
}

/// Maria's `1.0.0` and `1.1.0`, and `2.0.0`, which waits.
async fn world() -> (Airlock, String) {
    let airlock = Scenario::new().gated_by(trusting).await;
    let maria = airlock.user("maria", "publisher").await;
    for version in ["1.0.0", "1.1.0"] {
        assert_eq!(airlock.publish(&maria, "@acme/web", version).await.status, 201);
    }
    let staged = Publish::new("@acme/web", "2.0.0").tag("next").staged(&airlock, &maria).send().await;
    assert_eq!(staged.status, 201, "{}", staged.text());
    (airlock, maria)
}

#[tokio::test]
async fn tags_are_set_moved_and_dropped() {
    let (airlock, maria) = world().await;
    assert_eq!(tags(&airlock).await, json!({"latest": "1.1.0"}));
    let set = tag(&airlock, &maria, "PUT", "old", "1.0.0").await;
    assert_eq!((set.status, set.header("npm-notice")), (201, None), "{}", set.text());
    assert_eq!(set.header("cache-control"), Some("no-store"));
    assert_eq!(tag(&airlock, &maria, "POST", "latest", "1.0.0").await.status, 201);
    assert_eq!(tags(&airlock).await, json!({"latest": "1.0.0", "old": "1.0.0"}));
    assert_eq!(airlock.get("/@acme/web/old").await.json()["version"], "1.0.0");
    assert_eq!(tag(&airlock, &maria, "DELETE", "old", "").await.status, 200);
    assert_eq!(tags(&airlock).await, json!({"latest": "1.0.0"}));
    for (method, name, version, status, said) in [
        ("DELETE", "latest", "", 403, "the tag latest stays"),
        ("DELETE", "old", "", 404, "has no tag"),
        ("PUT", "old", "9.9.9", 404, "has no version 9.9.9"),
        ("PUT", "1.x", "1.0.0", 400, "is a range"),
        ("PUT", "v1", "1.0.0", 400, "is a range"),
        ("PUT", "__proto__", "1.0.0", 400, "is not a tag"),
        ("PUT", "old", "", 400, "the body is the version"),
    ] {
        let reply = tag(&airlock, &maria, method, name, version).await;
        assert_eq!(reply.status, status, "{method} {name} {version}: {}", reply.text());
        assert!(reply.json()["error"].as_str().unwrap().contains(said), "{}", reply.text());
    }
    assert_eq!(tags(&airlock).await, json!({"latest": "1.0.0"}));
    let airlock = airlock.restart().await;
    assert_eq!(tags(&airlock).await, json!({"latest": "1.0.0"}));
}

#[tokio::test]
async fn a_tag_on_a_held_version_waits_and_the_old_one_stays() {
    let (airlock, maria) = world().await;
    let pending = tag(&airlock, &maria, "PUT", "latest", "2.0.0").await;
    assert_eq!(pending.status, 201, "{}", pending.text());
    let notice = pending.header("npm-notice").unwrap();
    assert!(notice.starts_with("the tag latest waits") && notice.contains("/-/airlock/r/@acme/web@2.0.0"), "{notice}");
    assert_eq!(tags(&airlock).await, json!({"latest": "1.1.0"}), "where it was wished to be before");
    let packument = airlock.get("/@acme%2fweb").await.json();
    assert_eq!(packument["dist-tags"], json!({"latest": "1.1.0"}));
    let airlock = airlock.restart().await;
    assert_eq!(tags(&airlock).await, json!({"latest": "1.1.0"}));
    for name in ["one", "two"] {
        let approver = airlock.user(name, "approver").await;
        let path = "/-/airlock/v1/releases/%40acme%2Fweb/2.0.0/decisions";
        let decided = airlock.call("POST", path).bearer(&approver).json(&json!({"decision": "approve", "reason": "read"})).send().await;
        assert!(matches!(decided.status, 200 | 409), "{}", decided.text());
    }
    assert_eq!(tags(&airlock).await, json!({"latest": "2.0.0", "next": "2.0.0"}));
    assert_eq!(airlock.decide("@acme/web", "2.0.0", "revoke", "broken").await.status, 200);
    assert_eq!(tags(&airlock).await["latest"], "1.1.0");
}

/// What is written back whole is held to the same as what is set alone.
#[tokio::test]
async fn tags_in_a_packument_that_is_written_back_are_tags_too() {
    let (airlock, maria) = world().await;
    let shown = airlock.call("GET", "/@acme%2fweb?write=true").bearer(&maria).send().await.json();
    let rev = shown["_rev"].as_str().unwrap();
    let write = |end: String, tags: serde_json::Value| {
        let mut body = shown.clone();
        body["dist-tags"] = tags;
        airlock.call("PUT", &format!("/@acme%2fweb{end}")).bearer(&maria).json(&body).send()
    };
    let many: serde_json::Map<_, _> = (0..1_001).map(|at| (format!("tag-{at}"), json!("1.0.0"))).collect();
    for (tags, status, said) in [
        (json!({"latest": "1.1.0", "1.x": "1.0.0"}), 400, "is a range"),
        (json!({"latest": "1.1.0", "v2": "1.0.0"}), 400, "is a range"),
        (json!({"latest": "1.1.0", "": "1.0.0"}), 400, "is not a tag"),
        (json!({"latest": "1.1.0", "la\ntest": "1.0.0"}), 400, ""),
        (json!({"latest": "1.1.0", "a\u{202e}b": "1.0.0"}), 400, "is not a tag"),
        (json!({"latest": "1.1.0", "__proto__": "1.0.0"}), 400, ""),
        (json!({"latest": "1.1.0", "x".repeat(257): "1.0.0"}), 400, "is not a tag"),
        (json!({"latest": "1.1.0", "next": "9.9.9"}), 404, "has no version 9.9.9"),
        (json!({"latest": "1.1.0", "next": "latest"}), 404, "has no version latest"),
        (json!({"latest": "1.1.0", "next": ""}), 400, "is to point at what is no version"),
        (json!({"latest": "1.1.0", "next": 1}), 400, "is to point at what is no version"),
        (json!(many), 400, "at most 1000"),
        (json!([]), 400, "dist-tags"),
    ] {
        for end in [String::new(), format!("/-rev/{rev}")] {
            let reply = write(end, tags.clone()).await;
            assert_eq!(reply.status, status, "{tags}: {}", reply.text());
            assert!(reply.json()["error"].as_str().unwrap().contains(said), "{}", reply.text());
        }
    }
    assert_eq!(tags(&airlock).await, json!({"latest": "1.1.0"}));
    // However many bodies they come in.
    let batch = |from: usize| {
        let new = (from..from + 600).map(|at| (format!("tag-{at}"), json!("1.0.0")));
        json!(new.chain([("latest".to_owned(), json!("1.1.0"))]).collect::<serde_json::Map<_, _>>())
    };
    assert_eq!(write(String::new(), batch(0)).await.status, 201);
    let more = write(String::new(), batch(600)).await;
    assert_eq!(more.status, 422, "{}", more.text());
    let waits = json!({"latest": "1.1.0", "next": "2.0.0", "held": "2.0.0"});
    assert_eq!(write(String::new(), waits).await.status, 201, "one that is held waits");
    assert_eq!(tags(&airlock).await.as_object().unwrap().len(), 601);
}

#[tokio::test]
async fn a_stranger_tags_nothing() {
    let (airlock, _) = world().await;
    let eve = airlock.user("eve", "publisher").await;
    for (method, name) in [("PUT", "old"), ("DELETE", "latest"), ("DELETE", "next")] {
        let reply = tag(&airlock, &eve, method, name, "1.0.0").await;
        assert_eq!(reply.status, 403, "{}", reply.text());
        assert!(reply.text().contains("you are not an owner of @acme/web"), "{}", reply.text());
    }
    let reader = airlock.user("a reader", "reader").await;
    assert_eq!(tag(&airlock, &reader, "PUT", "old", "1.0.0").await.status, 403);
}
