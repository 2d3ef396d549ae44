//! A release of ours that is held beside one that is open: nothing of it is seen, and everything says why.

use serde_json::Value;
use serde_json::json;

use super::workflow::WEB;
use super::workflow::decided;
use crate::support::airlock::Airlock;
use crate::support::publish::Publish;
use crate::support::scenario::Scenario;

fn release(version: &str) -> Publish {
    Publish::new(WEB, version).field("description", json!(format!("marker {version}"))).file("README.md", &format!("# marker {version}\n"))
}

/// `1.0.0`, which another person approved, and `1.1.0`, which waits, `latest` and `next` both.
async fn world() -> (Airlock, String, String) {
    let airlock = Scenario::new().gated().await;
    let (ann, bob) = (airlock.user("ann", "publisher").await, airlock.user("bob", "approver").await);
    assert_eq!(release("1.0.0").call(&airlock, &ann).send().await.status, 202);
    assert_eq!(decided(&airlock, &bob, WEB, "1.0.0", "approve").await.status, 200);
    assert_eq!(release("1.1.0").call(&airlock, &ann).send().await.status, 202);
    let next = airlock.call("PUT", "/-/package/@acme%2fweb/dist-tags/next").bearer(&ann).json(&json!("1.1.0")).send().await;
    assert_eq!(next.status, 201, "{}", next.text());
    assert!(next.header("npm-notice").unwrap().starts_with("the tag next waits"), "{:?}", next.headers);
    (airlock, ann, bob)
}

fn keys(value: &Value) -> Vec<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

#[tokio::test]
async fn only_what_is_open_is_in_the_packument() {
    let (airlock, ann, _) = world().await;
    // Not even for who published it.
    for token in [None, Some(&ann)] {
        for accept in ["application/json", "application/vnd.npm.install-v1+json"] {
            for query in ["", "?write=true"] {
                let call = airlock.call("GET", &format!("/@acme%2fweb{query}")).header("accept", accept);
                let reply = if let Some(token) = token { call.bearer(token).send().await } else { call.send().await };
                let shown = reply.json();
                assert_eq!((reply.status, keys(&shown["versions"])), (200, vec!["1.0.0"]), "{accept}");
                assert_eq!(shown["dist-tags"], json!({"latest": "1.0.0"}), "a tag never points at what is held");
                assert_eq!(shown["time"].get("1.1.0"), None);
                assert!(!reply.text().contains("marker 1.1.0"), "{}", reply.text());
                let restrictions = &shown["policyRestrictions"];
                assert_eq!(keys(&restrictions["versions"]), ["1.1.0"]);
                let why = restrictions["message"].as_str().unwrap();
                assert!(why.starts_with("@acme/web@1.1.0 is held") && why.contains("1.0.0 is approved"), "{why}");
            }
        }
    }
    let head = airlock.call("HEAD", "/@acme%2fweb").send().await;
    assert_eq!((head.status, head.body.len()), (200, 0));
}

#[tokio::test]
async fn each_way_to_it_says_the_same() {
    let (airlock, ann, _) = world().await;
    let tarball = "/@acme/web/-/web-1.1.0.tgz";
    let paths = [tarball, "/@acme%2fweb/-/web-1.1.0.tgz", "/@acme/web/-/@acme/web-1.1.0.tgz", "/@acme/web/1.1.0"];
    for path in paths.into_iter().chain(["/-/npm/v1/attestations/@acme%2fweb@1.1.0"]) {
        for token in [None, Some(&ann)] {
            let call = airlock.call("GET", path);
            let reply = if let Some(token) = token { call.bearer(token).send().await } else { call.send().await };
            assert_eq!(reply.status, 403, "{path}: {}", reply.text());
            let said = reply.json()["error"].as_str().unwrap().to_owned();
            assert!(said.starts_with("@acme/web@1.1.0 is held") && said.contains("1.0.0 is approved"), "{path}: {said}");
            assert!(reply.reason.starts_with("@acme/web@1.1.0 is held") && reply.header("npm-notice").is_some(), "{path}");
        }
        assert_eq!(airlock.call("HEAD", path).send().await.status, 403, "{path}");
    }
    assert_eq!(airlock.get("/@acme/web/next").await.status, 404, "the tag is not there yet");
    assert_eq!(airlock.get("/@acme/web/latest").await.json()["version"], "1.0.0");
    assert_eq!(airlock.get("/-/package/@acme%2fweb/dist-tags").await.json(), json!({"latest": "1.0.0"}));
    assert_eq!(airlock.tarball(WEB, "1.0.0").await.body, release("1.0.0").packed().bytes);
    let found = airlock.get("/-/v1/search?text=web").await;
    assert_eq!(found.json()["objects"][0]["package"]["version"], "1.0.0");
    assert!(!found.text().contains("marker 1.1.0"));
    let explained = airlock.release(WEB, "1.1.0").await;
    assert_eq!((&explained["standing"], &explained["submitted_by"]), (&json!("held"), &json!("ann")), "{explained}");
    let page = airlock.get("/-/airlock/r/@acme/web@1.1.0").await;
    assert!(page.status == 200 && page.text().contains("is held") && !page.text().contains("marker 1.1.0"), "{}", page.text());
}

#[tokio::test]
async fn once_it_is_open_everything_follows() {
    let (airlock, _, bob) = world().await;
    let before = airlock.get("/@acme%2fweb").await;
    assert_eq!(decided(&airlock, &bob, WEB, "1.1.0", "approve").await.status, 200);
    let after = airlock.call("GET", "/@acme%2fweb").header("if-none-match", before.header("etag").unwrap()).send().await;
    assert_eq!((after.status, keys(&after.json()["versions"])), (200, vec!["1.0.0", "1.1.0"]));
    assert_eq!(after.json()["dist-tags"], json!({"latest": "1.1.0", "next": "1.1.0"}));
    assert_eq!(after.json().get("policyRestrictions"), None);
    assert_eq!(after.json()["description"], "marker 1.1.0");
    assert_eq!(airlock.tarball(WEB, "1.1.0").await.body, release("1.1.0").packed().bytes);
    assert_eq!(decided(&airlock, &bob, WEB, "1.1.0", "revoke").await.status, 200);
    assert_eq!(airlock.get("/-/package/@acme%2fweb/dist-tags").await.json(), json!({"latest": "1.0.0"}));
    assert_eq!(airlock.tarball(WEB, "1.1.0").await.status, 403);
}
