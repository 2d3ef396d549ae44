//! Search: what was seen here and is listed, best first, a page at a time, and never a question to upstream.

use airlock::config::policy::Submissions;
use serde_json::Value;
use serde_json::json;

use crate::support::airlock::Airlock;
use crate::support::publish::Publish;
use crate::support::scenario::Scenario;
use crate::support::within;

fn pads() -> Scenario {
    Scenario::new()
        .package("left-pad", |p| {
            p.field("maintainers", json!([{"name": "ann", "email": "ann@mail.example"}]));
            p.release("1.0.0").field("description", json!("Fills up to the left")).field("keywords", json!(["strings", "fill"]));
            p.release("2.0.0").age("1h").field("description", json!("zebra")).field("keywords", json!(["zebra"]));
        })
        .package("@acme/left-pad", |p| _ = p.release("1.0.0").field("description", json!("Ours")))
        .package("right-pad", |p| _ = p.release("1.0.0").field("description", json!("Not to the left")))
        .package("too-young", |p| _ = p.release("1.0.0").age("1h").field("description", json!("left")))
}

/// Somebody asks for all of them, so that they are known here.
async fn known(airlock: &Airlock) {
    for path in ["/left-pad", "/@acme%2fleft-pad", "/right-pad", "/too-young"] {
        assert_eq!(airlock.get(path).await.status, 200, "{path}");
    }
    airlock.upstream.forget_requests();
}

async fn search(airlock: &Airlock, query: &str) -> Value {
    let reply = airlock.get(&format!("/-/v1/search?{query}")).await;
    assert_eq!((reply.status, reply.header("cache-control")), (200, Some("no-store")), "{query}: {}", reply.text());
    reply.json()
}

fn names(found: &Value) -> Vec<&str> {
    found["objects"].as_array().unwrap().iter().map(|one| one["package"]["name"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn what_is_listed_is_found_with_what_it_says_of_itself() {
    let airlock = pads().gated().await;
    assert_eq!(search(&airlock, "text=pad").await["total"], 0, "nobody asked for any of it yet");
    known(&airlock).await;
    let found = search(&airlock, "text=left").await;
    assert_eq!((names(&found), &found["total"]), (vec!["left-pad", "@acme/left-pad", "right-pad"], &json!(3)));
    let package = &found["objects"][0]["package"];
    assert_eq!(package["version"], "1.0.0");
    assert_eq!(package["description"], "Fills up to the left");
    assert_eq!(package["keywords"], json!(["strings", "fill"]));
    assert_eq!(package["publisher"]["username"], "ann");
    assert_eq!(package["maintainers"][0]["username"], "ann");
    assert_eq!(package["links"]["npm"], format!("{}-/airlock/r/left-pad", airlock.url()));
    assert!(package["date"].as_str().unwrap().ends_with('Z'), "{package:#}");
    for (query, expect) in [
        ("text=fills+left", vec!["left-pad"]),
        ("text=keywords:strings", vec!["left-pad"]),
        ("text=maintainer:ann", vec!["left-pad"]),
        ("text=scope:acme", vec!["@acme/left-pad"]),
        ("text=@acme/left-pad", vec!["@acme/left-pad"]),
        ("text=LEFT-PAD&size=1", vec!["left-pad"]),
        ("text=left&from=1&size=1", vec!["@acme/left-pad"]),
        ("text=left&from=3", vec![]),
    ] {
        assert_eq!(names(&search(&airlock, query).await), expect, "{query}");
    }
    for query in ["text=zebra", "text=too-young", "text=2.0.0"] {
        assert_eq!(search(&airlock, query).await["total"], 0, "{query} speaks of what is held");
    }
    assert_eq!(airlock.upstream.log().len(), 0, "{:?}", airlock.upstream.log());
}

#[tokio::test]
async fn what_is_not_listed_any_more_is_not_found() {
    let airlock = pads().gated().await;
    known(&airlock).await;
    assert_eq!(names(&search(&airlock, "text=right-pad").await), ["right-pad"]);
    assert_eq!(airlock.decide("right-pad", "1.0.0", "revoke", "not what it says").await.status, 200);
    let found = search(&airlock, "text=right-pad").await;
    assert_eq!((names(&found), &found["total"]), (vec![], &json!(0)));
    airlock.advance("30d");
    let found = search(&airlock, "text=left-pad").await;
    assert_eq!(found["objects"][0]["package"]["version"], "2.0.0", "it opened by itself");
    assert_eq!(found["objects"][0]["package"]["description"], "zebra");
}

#[tokio::test]
async fn what_was_used_here_is_found_after_a_start() {
    let airlock = pads().gated().await;
    assert_eq!(airlock.tarball("left-pad", "1.0.0").await.status, 200);
    let airlock = airlock.restart().await;
    let found = async {
        while names(&search(&airlock, "text=left-pad").await) != ["left-pad"] {
            tokio::task::yield_now().await;
        }
    };
    within("the walk to find what is known", found).await;
}

#[tokio::test]
async fn a_question_without_words_is_refused_in_words() {
    let airlock = pads().gated().await;
    known(&airlock).await;
    for query in ["", "?text=", "?text=%20", "?size=5"] {
        let reply = airlock.get(&format!("/-/v1/search{query}")).await;
        assert_eq!((reply.status, &reply.json()["error"]), (400, &json!("'text' query parameter is required")), "{query}");
    }
    for query in ["text=x&size=-1", "text=x&from=x"] {
        assert_eq!(airlock.get(&format!("/-/v1/search?{query}")).await.status, 400, "{query}");
    }
    assert_eq!(search(&airlock, "text=pad&size=1000").await["total"], 3);
    let closed = pads().gated_by(|config| config.access.anonymous = airlock::config::access::Anonymous::None).await;
    assert_eq!(closed.get("/-/v1/search?text=x").await.status, 401);
}

#[tokio::test]
async fn what_is_published_here_is_found_by_those_who_may_know_of_it() {
    let airlock = Scenario::new()
        .gated_by(|config| {
            config.policy.submissions = Submissions::Trusted;
            config.policy.private_scopes.push("@acme".to_owned());
        })
        .await;
    let token = airlock.user("otto", "publisher").await;
    let publish = Publish::new("@acme/web", "1.0.0").field("description", json!("Widgets of our own")).field("keywords", json!(["ui"]));
    assert_eq!(publish.call(&airlock, &token).send().await.status, 201);
    let found = search(&airlock, "text=widgets").await;
    assert_eq!(names(&found), ["@acme/web"]);
    assert_eq!(found["objects"][0]["package"]["maintainers"][0]["username"], "otto");
    let restrict = airlock.call("POST", "/-/package/@acme%2fweb/access").bearer(&token).json(&json!({"access": "restricted"})).send().await;
    assert_eq!(restrict.status, 200, "{}", restrict.text());
    assert_eq!(search(&airlock, "text=widgets").await["total"], 0, "who has no name is not told");
    // After a start, before anybody asked for it.
    let airlock = airlock.restart().await;
    let named = async {
        let call = || airlock.call("GET", "/-/v1/search?text=widgets").bearer(&token);
        while names(&call().send().await.json()) != ["@acme/web"] {
            tokio::task::yield_now().await;
        }
    };
    within("the walk to find what is at home here", named).await;
    assert_eq!(search(&airlock, "text=widgets").await["total"], 0);
    assert_eq!(airlock.upstream.log().len(), 0, "{:?}", airlock.upstream.log());
}
