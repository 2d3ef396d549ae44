//! Who may not change a package is told before anything of the body is heard.

use serde_json::json;

use super::trusting;
use crate::support::airlock::Airlock;
use crate::support::scenario::Scenario;
use crate::support::slow::Slow;

async fn world() -> (Airlock, String, String) {
    let airlock = Scenario::new()
        .package("left-pad", |p| _ = p.release("1.0.0"))
        .package("never-asked-for", |p| _ = p.release("1.0.0"))
        .gated_by(trusting)
        .await;
    let maria = airlock.user("maria", "publisher").await;
    let eve = airlock.user("eve", "publisher").await;
    assert_eq!(airlock.publish(&maria, "@acme/web", "1.0.0").await.status, 201);
    (airlock, maria, eve)
}

#[tokio::test]
async fn a_stranger_is_refused_before_the_body() {
    let (airlock, maria, eve) = world().await;
    let rev = airlock.get("/@acme%2fweb").await.json()["_rev"].as_str().unwrap().to_owned();
    let theirs = airlock.get("/left-pad").await.json()["_rev"].as_str().unwrap().to_owned();
    let (ours, theirs) = (format!("/@acme%2fweb/-rev/{rev}"), format!("/left-pad/-rev/{theirs}"));
    for (token, method, path, said) in [
        (&eve, "PUT", ours.as_str(), "not an owner of @acme/web"),
        (&eve, "PUT", "/@acme%2fweb/-rev/1-0", "not an owner of @acme/web"),
        (&eve, "PUT", "/-/package/@acme%2fweb/dist-tags/next", "not an owner of @acme/web"),
        (&eve, "POST", "/-/package/@acme%2fweb/dist-tags/next", "not an owner of @acme/web"),
        (&eve, "POST", "/-/package/@acme%2fweb/access", "not an owner of @acme/web"),
        (&eve, "PUT", "/-/package/@acme%2fweb/owners", "not an owner of @acme/web"),
        (&eve, "POST", "/-/stage/package/@acme%2fweb", "not an owner of @acme/web"),
        (&maria, "PUT", theirs.as_str(), "belongs to the upstream registry"),
        (&maria, "PUT", "/-/package/left-pad/dist-tags/next", "belongs to the upstream registry"),
        (&maria, "POST", "/-/stage/package/left-pad", "belongs to the upstream registry"),
        (&maria, "POST", "/-/stage/package/never-asked-for", "belongs to the upstream registry"),
        (&maria, "POST", "/-/stage/package/@acme%2fWeb", "differs only in its case from @acme/web"),
        (&maria, "POST", "/-/stage/package/Left-Pad", "differs only in its case from left-pad, which comes from the upstream registry"),
    ] {
        let answer = Slow::begin(&airlock, method, path, token).await.answer().await;
        assert!(answer.starts_with("HTTP/1.1 403 ") && answer.contains(said), "{method} {path}: {answer}");
    }
    assert_eq!(airlock.listed("@acme/web").await, ["1.0.0"]);
}

/// Anybody may star with it, so that a little is heard.
#[tokio::test]
async fn of_a_stranger_a_star_is_heard_and_no_tarball() {
    let (airlock, maria, eve) = world().await;
    for (token, name, said) in [(&eve, "@acme/web", "not an owner of @acme/web"), (&maria, "left-pad", "belongs to the upstream registry")]
    {
        let answer = Slow::publish(&airlock, name, token).await.answer().await;
        assert!(answer.starts_with("HTTP/1.1 403 ") && answer.contains(said), "{name}: {answer}");
        let mut long = Slow::begin(&airlock, "PUT", &format!("/{}", name.replace('/', "%2f")), token).await;
        long.send(&format!(r#"{{"users":{{"{}"#, "x".repeat(1_100_000))).await;
        let answer = long.answer().await;
        assert!(answer.starts_with("HTTP/1.1 4") && (answer.contains(said) || answer.contains("a key of the body")), "{answer}");
        let users: serde_json::Map<String, serde_json::Value> = (0..80_000).map(|at| (format!("user-{at:010}"), json!(true))).collect();
        let reply =
            airlock.call("PUT", &format!("/{}", name.replace('/', "%2f"))).bearer(token).json(&json!({"users": users})).send().await;
        assert_eq!(reply.status, 403, "{}", reply.text());
        assert!(reply.text().contains(said), "{}", reply.text());
    }
    let rev = airlock.get("/@acme%2fweb").await.json()["_rev"].clone();
    let star = json!({"_id": "@acme/web", "_rev": rev, "users": {"eve": true, "bob": true}});
    assert_eq!(airlock.call("PUT", "/@acme%2fweb").bearer(&eve).json(&star).send().await.status, 201);
    assert_eq!(airlock.get("/-/user/eve/stars").await.json(), json!({"@acme/web": true}));
    // Half a body that is no star is still somebody else's to write.
    let tagged = json!({"_id": "@acme/web", "_rev": rev, "dist-tags": {"next": "1.0.0"}});
    assert_eq!(airlock.call("PUT", "/@acme%2fweb").bearer(&eve).json(&tagged).send().await.status, 403);
}

#[tokio::test]
async fn a_packument_that_is_written_back_brings_no_tarball() {
    let (airlock, maria, _) = world().await;
    let rev = airlock.get("/@acme%2fweb").await.json()["_rev"].as_str().unwrap().to_owned();
    let mut slow = Slow::begin(&airlock, "PUT", &format!("/@acme%2fweb/-rev/{rev}"), &maria).await;
    slow.send(r#"{"_attachments":{"@acme/web-2.0.0.tgz":{"data":"AAAA"#).await;
    let answer = slow.answer().await;
    assert!(answer.starts_with("HTTP/1.1 400 ") && answer.contains("brings no tarball"), "{answer}");
}
