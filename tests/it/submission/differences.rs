//! What clients write back of what they read: deprecations, stars, and nothing of what they were not shown.

use serde_json::Value;
use serde_json::json;

use super::trusting;
use crate::support::airlock::Airlock;
use crate::support::http::Reply;
use crate::support::publish::Publish;
use crate::support::scenario::Scenario;

type Edit = fn(&mut Value);

/// Maria's `1.0.0` and `1.1.0`, and `1.2.0`, which waits.
async fn world() -> (Airlock, String) {
    let airlock = Scenario::new().package("left-pad", |p| _ = p.release("1.0.0")).gated_by(trusting).await;
    let maria = airlock.user("maria", "publisher").await;
    for version in ["1.0.0", "1.1.0"] {
        assert_eq!(airlock.publish(&maria, "@acme/web", version).await.status, 201);
    }
    assert_eq!(Publish::new("@acme/web", "1.2.0").staged(&airlock, &maria).send().await.status, 201);
    (airlock, maria)
}

async fn read(airlock: &Airlock, token: &str) -> Value {
    let reply = airlock.call("GET", "/@acme%2fweb?write=true").bearer(token).send().await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    reply.json()
}

async fn write(airlock: &Airlock, token: &str, end: &str, body: &Value) -> Reply {
    airlock.call("PUT", &format!("/@acme%2fweb{end}")).bearer(token).json(body).send().await
}

fn rev(packument: &Value) -> String {
    format!("/-rev/{}", packument["_rev"].as_str().unwrap())
}

async fn standing(airlock: &Airlock, version: &str) -> String {
    airlock.release("@acme/web", version).await["standing"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_version_is_deprecated_and_it_is_taken_back() {
    let (airlock, maria) = world().await;
    let mut packument = read(&airlock, &maria).await;
    packument["versions"]["1.0.0"]["deprecated"] = json!("use 1.1.0");
    let reply = write(&airlock, &maria, "", &packument).await;
    assert_eq!(reply.status, 201, "{}", reply.text());
    assert_eq!(reply.header("cache-control"), Some("no-store"));
    for accept in ["application/json", "application/vnd.npm.install-v1+json"] {
        let shown = airlock.call("GET", "/@acme%2fweb").header("accept", accept).send().await.json();
        assert_eq!(shown["versions"]["1.0.0"]["deprecated"], "use 1.1.0");
        assert_eq!(shown["versions"]["1.1.0"].get("deprecated"), None);
    }
    assert_eq!(standing(&airlock, "1.0.0").await, "approved", "a deprecation is no other release");
    let airlock = airlock.restart().await;
    let mut packument = read(&airlock, &maria).await;
    assert_eq!(packument["versions"]["1.0.0"]["deprecated"], "use 1.1.0");
    packument["versions"]["1.0.0"]["deprecated"] = json!("");
    assert_eq!(write(&airlock, &maria, "", &packument).await.status, 201);
    assert_eq!(read(&airlock, &maria).await["versions"]["1.0.0"].get("deprecated"), None);
    assert_eq!(airlock.tarball("@acme/web", "1.0.0").await.status, 200);
}

#[tokio::test]
async fn what_was_not_seen_is_not_deleted() {
    let (airlock, maria) = world().await;
    let before = standing(&airlock, "1.2.0").await;
    let mut packument = read(&airlock, &maria).await;
    assert_eq!(packument["versions"].get("1.2.0"), None);
    packument["versions"]["1.1.0"]["deprecated"] = json!("old");
    assert_eq!(write(&airlock, &maria, "", &packument).await.status, 201);
    let packument = read(&airlock, &maria).await;
    let star = json!({"_id": "@acme/web", "_rev": packument["_rev"], "users": {"maria": true}});
    assert_eq!(write(&airlock, &maria, "", &star).await.status, 201);
    let mut packument = read(&airlock, &maria).await;
    assert_eq!(packument["users"], json!({"maria": true}));
    packument["versions"].as_object_mut().unwrap().remove("1.1.0");
    packument["dist-tags"] = json!({"latest": "1.0.0"});
    assert_eq!(write(&airlock, &maria, &rev(&packument), &packument).await.status, 201);
    assert_eq!(airlock.listed("@acme/web").await, ["1.0.0"]);
    let packument = read(&airlock, &maria).await;
    let all = airlock.call("DELETE", &format!("/@acme%2fweb{}", rev(&packument))).bearer(&maria).send().await;
    assert_eq!(all.status, 200, "{}", all.text());
    assert!(airlock.listed("@acme/web").await.is_empty());
    assert_eq!(standing(&airlock, "1.2.0").await, before, "nobody was shown it");
    assert_eq!(airlock.call("GET", "/-/airlock/v1/releases/%40acme%2Fweb/1.0.0").send().await.status, 404);
}

#[tokio::test]
async fn an_old_view_is_told_from_a_new_one() {
    let (airlock, maria) = world().await;
    let old = read(&airlock, &maria).await;
    assert_eq!(airlock.publish(&maria, "@acme/web", "1.3.0").await.status, 201);
    let now = read(&airlock, &maria).await;
    assert_ne!(old["_rev"], now["_rev"]);
    // Who read it before 1.3.0 was there does not mean it.
    let mut edited = old.clone();
    edited["versions"]["1.0.0"]["deprecated"] = json!("old");
    assert_eq!(write(&airlock, &maria, "", &edited).await.status, 201);
    let mut edited = old.clone();
    edited["versions"].as_object_mut().unwrap().remove("1.0.0");
    assert_eq!(write(&airlock, &maria, &rev(&old), &edited).await.status, 201);
    assert_eq!(airlock.listed("@acme/web").await, ["1.1.0", "1.3.0"]);
    for nobodys in ["/-rev/1-00000000000000000000000000000000", "/-rev/7-x", "/-rev/undefined"] {
        let reply = write(&airlock, &maria, nobodys, &now).await;
        assert!(matches!(reply.status, 409 | 400), "{nobodys}: {} {}", reply.status, reply.text());
        let reply = airlock.call("DELETE", &format!("/@acme%2fweb{nobodys}")).bearer(&maria).send().await;
        assert_eq!(reply.status, 409, "{nobodys}: {}", reply.text());
    }
    // Views are remembered for as long as the process lives; the present one is always known.
    let airlock = airlock.restart().await;
    let stale = write(&airlock, &maria, &rev(&old), &old).await;
    assert_eq!(stale.status, 409, "{}", stale.text());
    assert!(stale.text().contains("is not as it was when you read it"));
    let fresh = read(&airlock, &maria).await;
    assert_eq!(write(&airlock, &maria, &rev(&fresh), &fresh).await.status, 201);
}

#[tokio::test]
async fn a_revision_is_of_what_is_listed_and_not_of_the_hour() {
    let (airlock, maria) = world().await;
    let before = read(&airlock, &maria).await;
    airlock.advance("3h");
    assert_eq!(read(&airlock, &maria).await["_rev"], before["_rev"]);
}

#[tokio::test]
async fn nothing_is_written_into_a_release() {
    let (airlock, maria) = world().await;
    let shown = read(&airlock, &maria).await;
    let edits: [(&str, Edit); 6] = [
        ("a new version", |body| body["versions"]["9.0.0"] = body["versions"]["1.0.0"].clone()),
        ("a withheld version", |body| body["versions"]["1.2.0"] = body["versions"]["1.0.0"].clone()),
        ("other bytes", |body| body["versions"]["1.0.0"]["dist"]["integrity"] = json!("sha512-AAAA")),
        ("a script", |body| body["versions"]["1.0.0"]["scripts"] = json!({"install": "evil"})),
        ("a dependency", |body| body["versions"]["1.0.0"]["dependencies"] = json!({"evil": "1"})),
        ("another name", |body| body["versions"]["1.0.0"]["name"] = json!("evil")),
    ];
    for (what, edit) in edits {
        let mut body = shown.clone();
        edit(&mut body);
        for end in [String::new(), rev(&shown)] {
            let reply = write(&airlock, &maria, &end, &body).await;
            assert_eq!(reply.status, 403, "{what}: {}", reply.text());
        }
    }
    for (what, body) in [
        ("an array", json!([])),
        ("another package", json!({"_id": "left-pad", "_rev": shown["_rev"], "versions": {}})),
        ("versions that are none", json!({"_rev": shown["_rev"], "versions": 7})),
        ("owners that are none", json!({"_rev": shown["_rev"], "maintainers": ["maria"]})),
    ] {
        let reply = write(&airlock, &maria, &rev(&shown), &body).await;
        assert_eq!(reply.status, 400, "{what}: {}", reply.text());
    }
    assert_eq!(read(&airlock, &maria).await, shown);
}

#[tokio::test]
async fn a_stranger_writes_nothing_and_upstreams_is_not_ours_to_write() {
    let (airlock, maria) = world().await;
    let eve = airlock.user("eve", "publisher").await;
    let mut body = read(&airlock, &eve).await;
    body["versions"]["1.0.0"]["deprecated"] = json!("mine");
    for end in [String::new(), rev(&body)] {
        let reply = write(&airlock, &eve, &end, &body).await;
        assert_eq!(reply.status, 403, "{}", reply.text());
        assert_eq!(reply.json()["error"], "you are not an owner of @acme/web; its owners can make you one");
    }
    let theirs = airlock.call("GET", "/left-pad?write=true").bearer(&maria).send().await.json();
    let mut edited = theirs.clone();
    edited["versions"]["1.0.0"]["deprecated"] = json!("ours");
    for path in ["/left-pad".to_owned(), format!("/left-pad{}", rev(&theirs))] {
        let reply = airlock.call("PUT", &path).bearer(&maria).json(&edited).send().await;
        assert_eq!(reply.status, 403, "{}", reply.text());
        assert!(reply.text().contains("belongs to the upstream registry"), "{}", reply.text());
    }
    let admin = airlock.admin_token();
    assert_eq!(write(&airlock, &admin, "", &body).await.status, 201, "an admin may change every package of ours");
}

#[tokio::test]
async fn everybody_stars_for_themselves() {
    let (airlock, maria) = world().await;
    let bob = airlock.user("bob", "reader").await;
    let star = |method: &'static str, path: &'static str, body: Option<Value>| {
        let call = airlock.call(method, path).bearer(&bob);
        async move { if let Some(body) = body { call.json(&body).send().await } else { call.send().await }.status }
    };
    assert_eq!(star("PUT", "/-/user/package/@acme%2fweb/star", None).await, 200);
    assert_eq!(star("PUT", "/-/user/v1/star", Some(json!({"name": "left-pad"}))).await, 200);
    assert_eq!(star("PUT", "/-/user/package/unheard-of/star", None).await, 404);
    assert_eq!(read(&airlock, &maria).await["users"], json!({"bob": true}));
    let rows = airlock.call("GET", "/-/_view/starredByUser?key=%22bob%22").bearer(&maria).send().await.json();
    assert_eq!(rows, json!({"rows": [{"value": "@acme/web"}, {"value": "left-pad"}]}));
    let stars = airlock.get("/-/user/bob/stars").await.json();
    assert_eq!(stars, json!({"@acme/web": true, "left-pad": true}));
    assert_eq!(airlock.get("/-/user/maria/stars").await.json(), json!({}));
    let mine = json!({"_id": "left-pad", "_rev": "1-0", "users": {"bob": true, "maria": true}});
    assert_eq!(airlock.call("PUT", "/left-pad").bearer(&maria).json(&mine).send().await.status, 201);
    assert_eq!(airlock.get("/-/user/maria/stars").await.json(), json!({"left-pad": true}));
    assert_eq!(star("DELETE", "/-/user/package/@acme%2fweb/star", None).await, 200);
    assert_eq!(read(&airlock, &maria).await.get("users"), None);
    assert_eq!(airlock.listed("left-pad").await, ["1.0.0"], "a star changes nothing else");
}
