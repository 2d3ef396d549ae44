//! What publishing is: the body of every client in whatever order it writes it, read as it streams; an answer that says
//! where the release stands; and each version once.

use airlock::config::policy::Submissions;
use bytes::Bytes;
use data_encoding::BASE64;
use serde_json::Value;
use serde_json::json;

use crate::support::airlock::Airlock;
use crate::support::binary::files_below;
use crate::support::publish::Publish;
use crate::support::scenario::Scenario;
use crate::support::slow::Slow;
use crate::support::within;

/// Where `@acme` is ours, and what is published there is open at once.
async fn trusting() -> Airlock {
    Scenario::new()
        .gated_by(|config| {
            config.policy.private_scopes.push("@acme".to_owned());
            config.policy.submissions = Submissions::Trusted;
        })
        .await
}

/// Where it waits like any other.
async fn waiting() -> Airlock {
    Scenario::new().gated_by(|config| config.policy.private_scopes.push("@acme".to_owned())).await
}

/// An object in this order.
fn object(parts: &[(&str, Value)]) -> String {
    let pairs: Vec<String> = parts.iter().map(|(key, value)| format!("{}:{value}", json!(key))).collect();
    format!("{{{}}}", pairs.join(","))
}

/// The body of `publish` as some client writes it: which parts in which order.
fn written(publish: &Publish, order: &[&str], more: &[(&str, Value)]) -> String {
    let body = publish.body();
    let part = |key: &str| more.iter().find(|(name, _)| *name == key).map_or_else(|| body[key].clone(), |(_, value)| value.clone());
    object(&order.iter().map(|key| (*key, part(key))).collect::<Vec<_>>())
}

async fn put(airlock: &Airlock, token: &str, name: &str, body: &str) -> crate::support::http::Reply {
    let path = format!("/{}", name.replace('/', "%2f"));
    airlock.call("PUT", &path).bearer(token).header("content-type", "application/json").body(body.as_bytes()).send().await
}

#[tokio::test]
async fn a_body_is_read_as_a_stream_in_any_order() {
    let airlock = trusting().await;
    let maria = airlock.user("maria", "publisher").await;
    let npm = ["_id", "name", "description", "dist-tags", "versions", "access", "_attachments"];
    let publish = |version: &str| Publish::new("@acme/web", version).file("README.md", "# web\n");
    let mut bodies: Vec<(Publish, String)> = Vec::new();
    let said = publish("1.0.0");
    bodies.push((said.clone(), written(&said, &npm, &[("description", json!("web"))])));
    // yarn 1: the tarball before the versions, under its unscoped name.
    let said = publish("1.1.0");
    let tarball = said.packed();
    let attachment =
        json!({"content_type": "application/octet-stream", "data": BASE64.encode(&tarball.bytes), "length": tarball.bytes.len()});
    let unscoped = json!({"web-1.1.0.tgz": attachment});
    let order = ["_id", "access", "name", "dist-tags", "_attachments", "versions"];
    bodies.push((said.clone(), written(&said, &order, &[("_attachments", unscoped)])));
    // yarn 4: the tarball second, a readme beside the manifest, scopes restricted unless said otherwise.
    let said = publish("1.2.0");
    let order = ["_id", "_attachments", "name", "access", "dist-tags", "versions", "readme"];
    bodies.push((said.clone(), written(&said, &order, &[("access", json!("restricted")), ("readme", json!("# web"))])));
    // bun: hashes in the manifest as well. pnpm 10: what it resolved, with a path of the publisher's machine.
    for (version, fields) in [
        ("1.3.0", json!({"integrity": "x", "shasum": "y"})),
        ("1.4.0", json!({"_integrity": "x", "_resolved": "/home/maria/web.tgz", "_from": "file:web.tgz", "readme": "# web"})),
    ] {
        let said = publish(version);
        let mut body = said.body();
        for (key, value) in fields.as_object().unwrap() {
            body["versions"][version][key] = value.clone();
        }
        bodies.push((said, body.to_string()));
    }
    // A slash may be escaped in JSON.
    let said = publish("1.5.0");
    let data = BASE64.encode(&said.packed().bytes);
    let escaped = data.replace('/', "\\/");
    assert_ne!(data, escaped);
    bodies.push((said.clone(), written(&said, &npm[1..], &[("description", json!(null))]).replace(&data, &escaped)));
    for (said, body) in &bodies {
        let reply = put(&airlock, &maria, &said.name, body).await;
        assert_eq!(reply.status, 201, "{}: {}", said.version, reply.text());
        let answer = reply.json();
        assert_eq!([&answer["ok"], &answer["success"], &answer["id"]], [&json!("created"), &json!(true), &json!("@acme/web")]);
        let tarball = airlock.tarball("@acme/web", &said.version).await;
        assert_eq!((tarball.status, &tarball.body), (200, &said.packed().bytes), "{}", said.version);
        let manifest = airlock.get(&format!("/@acme%2fweb/{}", said.version)).await.json();
        assert_eq!(manifest["dist"]["integrity"], said.packed().integrity);
        assert_eq!(manifest["dist"]["shasum"], said.packed().shasum);
        assert_eq!(manifest["dist"]["tarball"], format!("http://{}/@acme/web/-/web-{}.tgz", airlock.address(), said.version));
        assert_eq!((&manifest["dist"]["fileCount"], &manifest["_npmUser"]["name"]), (&json!(3), &json!("maria")));
        let text = manifest.to_string();
        for left in ["/home/maria", "_resolved", "_from", "_integrity", "registry.example"] {
            assert!(!text.contains(left), "{}: {left} is left in {text}", said.version);
        }
    }
    assert_eq!(airlock.listed("@acme/web").await.len(), bodies.len());
    assert_eq!(airlock.get("/@acme%2fweb").await.json()["dist-tags"], json!({"latest": "1.5.0"}));
    assert_eq!(airlock.upstream.log().len(), 0, "{:?}", airlock.upstream.log());
    // And what is there is there after a restart.
    let airlock = airlock.restart().await;
    assert_eq!(airlock.tarball("@acme/web", "1.0.0").await.body, bodies[0].0.packed().bytes);
}

#[tokio::test]
async fn the_answer_says_where_it_stands() {
    let airlock = waiting().await;
    let maria = airlock.user("maria", "publisher").await;
    let reply = airlock.publish(&maria, "@acme/web", "1.0.0").await;
    assert_eq!((reply.status, &reply.json()["success"]), (202, &json!(true)), "{}", reply.text());
    let message = reply.json()["message"].as_str().unwrap().to_owned();
    assert!(message.starts_with("@acme/web@1.0.0 is held: "), "{message}");
    let notice = reply.header("npm-notice").unwrap();
    assert_eq!(notice, format!("{message} http://{}/-/airlock/r/@acme/web@1.0.0", airlock.address()));
    assert_eq!((reply.header("airlock-stage-id").unwrap().len(), reply.header("cache-control")), (36, Some("no-store")));
    assert_eq!(airlock.listed("@acme/web").await, [""; 0]);
    assert_eq!(airlock.tarball("@acme/web", "1.0.0").await.status, 403);
    let release = airlock.release("@acme/web", "1.0.0").await;
    assert_eq!(release["standing"], "held", "{release:#}");

    let airlock = airlock.restart_with(|config| config.policy.submissions = Submissions::Trusted).await;
    let staged = Publish::new("@acme/web", "1.1.0").staged(&airlock, &maria).send().await;
    assert_eq!((staged.status, &staged.json()["success"]), (201, &json!(true)), "{}", staged.text());
    assert_eq!(staged.json()["stageId"], staged.json()["id"]);
    assert_eq!(staged.header("airlock-stage-id"), staged.json()["stageId"].as_str());
    assert_eq!(airlock.tarball("@acme/web", "1.1.0").await.status, 403, "staged is staged, whatever is trusted");
    assert_eq!(airlock.publish(&maria, "@acme/web", "1.2.0").await.status, 201);
}

#[tokio::test]
async fn a_version_is_published_once() {
    let airlock = trusting().await;
    let maria = airlock.user("maria", "publisher").await;
    let eve = airlock.user("eve", "publisher").await;
    let refused = async |token: &str, publish: Publish| {
        let before = airlock.release("@acme/web", "1.0.0").await["revision"].clone();
        let reply = publish.call(&airlock, token).send().await;
        assert_eq!(reply.status, 403, "{}", reply.text());
        assert_eq!(airlock.release("@acme/web", "1.0.0").await["revision"], before);
        reply.json()["error"].as_str().unwrap().to_owned()
    };
    assert_eq!(airlock.publish(&maria, "@acme/web", "1.0.0").await.status, 201);
    let other = || Publish::new("@acme/web", "1.0.0").file("other.js", "2");
    assert_eq!(refused(&maria, other()).await, "You cannot publish over the previously published versions: 1.0.0.");
    assert_eq!(refused(&airlock.admin_token(), other()).await, "You cannot publish over the previously published versions: 1.0.0.");
    assert_eq!(refused(&eve, other()).await, "you are not an owner of @acme/web");
    assert_eq!(refused(&eve, Publish::new("@acme/web", "2.0.0")).await, "you are not an owner of @acme/web");
    // One that waits is there as well.
    assert_eq!(Publish::new("@acme/web", "1.1.0").staged(&airlock, &maria).send().await.status, 201);
    let said = refused(&maria, Publish::new("@acme/web", "1.1.0")).await;
    assert!(
        said.starts_with("You cannot publish over the previously published versions: 1.1.0. It is already in quarantine, see"),
        "{said}"
    );
    // What people turned away is no success for anybody's tools.
    assert_eq!(airlock.decide("@acme/web", "1.1.0", "reject", "it sends mail").await.status, 200);
    let said = refused(&maria, Publish::new("@acme/web", "1.1.0")).await;
    assert!(said.starts_with("@acme/web@1.1.0 cannot be published again: "), "{said}");
    // And so is one whose file would have the same name.
    let twin = Publish::new("@acme/web", "1.0.0+build").call(&airlock, &maria).send().await;
    assert_eq!(twin.status, 422, "{}", twin.text());
    assert_eq!(airlock.tarball("@acme/web", "1.0.0").await.body, Publish::new("@acme/web", "1.0.0").packed().bytes);
}

#[tokio::test]
async fn a_name_is_whose_it_is() {
    let airlock = Scenario::new()
        .package("left-pad", |p| _ = p.release("1.0.0"))
        .gated_by(|config| config.policy.submissions = Submissions::Trusted)
        .await;
    let maria = airlock.user("maria", "publisher").await;
    let known = airlock.publish(&maria, "left-pad", "9.0.0").await;
    assert_eq!(known.status, 403, "{}", known.text());
    assert_eq!(known.json()["error"], "left-pad belongs to the upstream registry; an admin can assign it to this one");
    assert_eq!(airlock.listed("left-pad").await, ["1.0.0"]);
    assert_eq!(airlock.publish(&maria, "our-own", "1.0.0").await.status, 201);
    assert_eq!(airlock.listed("our-own").await, ["1.0.0"]);
    airlock.upstream.die().await;
    let silent = airlock.publish(&maria, "unheard-of", "1.0.0").await;
    assert_eq!(silent.status, 503, "{}", silent.text());
    assert!(silent.header("retry-after").is_some());
    assert_eq!(airlock.publish(&maria, "our-own", "1.1.0").await.status, 201, "what is ours is ours without upstream");
    airlock.upstream.revive().await;
    assert_eq!(airlock.publish(&maria, "unheard-of", "1.0.0").await.status, 201);
}

#[tokio::test]
async fn of_two_who_publish_first_one_has_the_name() {
    let airlock = trusting().await;
    let (maria, eve) = (airlock.user("maria", "publisher").await, airlock.user("eve", "publisher").await);
    for round in 0..4 {
        let name = format!("@acme/web-{round}");
        let (first, second) = tokio::join!(airlock.publish(&maria, &name, "1.0.0"), airlock.publish(&eve, &name, "1.0.1"));
        let mut statuses = [first.status, second.status];
        statuses.sort_unstable();
        assert_eq!(statuses, [201, 403], "{} {}", first.text(), second.text());
        assert_eq!(airlock.listed(&name).await.len(), 1);
    }
}

/// What is left of uploads that did not end well.
fn unfinished(airlock: &Airlock) -> usize {
    files_below(&airlock.data_dir().join("quarantine/unfinished")).len()
}

/// As many as one caller may send at once.
const UPLOADS_OF_ONE: usize = 6;

#[tokio::test]
async fn slow_uploads_of_one_keep_nobody_else_from_publishing() {
    let airlock = trusting().await;
    let (maria, eve) = (airlock.user("maria", "publisher").await, airlock.user("eve", "publisher").await);
    let mut open = Vec::new();
    for number in 0..UPLOADS_OF_ONE + 2 {
        open.push(Slow::publish(&airlock, &format!("@acme/slow-{number}"), &eve).await);
    }
    let until = async |count: usize| {
        within("uploads to begin or end", async {
            while unfinished(&airlock) != count {
                tokio::task::yield_now().await;
            }
        })
        .await;
    };
    until(UPLOADS_OF_ONE).await;
    for version in ["1.0.0", "1.1.0"] {
        let reply = airlock.publish(&maria, "@acme/web", version).await;
        assert_eq!(reply.status, 201, "{}", reply.text());
    }
    // What is written back is heard as well.
    let mut packument = airlock.call("GET", "/@acme%2fweb?write=true").bearer(&maria).send().await.json();
    packument["versions"]["1.0.0"]["deprecated"] = json!("old");
    assert_eq!(airlock.call("PUT", "/@acme%2fweb").bearer(&maria).json(&packument).send().await.status, 201);
    assert_eq!(unfinished(&airlock), UPLOADS_OF_ONE, "and hers wait for themselves");
    // One of hers waits until others of hers are through.
    let waits = airlock.publish(&eve, "@acme/mine", "1.0.0");
    let ends = async {
        tokio::task::yield_now().await;
        drop(open);
    };
    let (reply, ()) = tokio::join!(waits, ends);
    assert_eq!(reply.status, 201, "{}", reply.text());
    until(0).await;
}

#[tokio::test]
async fn bytes_that_somebody_else_has_published_already_are_kept_once() {
    let airlock = trusting().await;
    let maria = airlock.user("maria", "publisher").await;
    let said = Publish::new("@acme/web", "1.0.0");
    assert_eq!(said.call(&airlock, &maria).send().await.status, 201);
    // The same bytes as another release say that they are not it.
    let other = Publish { tarball: Some(Bytes::clone(&said.packed().bytes)), ..Publish::new("@acme/web", "1.1.0") };
    let reply = other.call(&airlock, &maria).send().await;
    assert_eq!(reply.status, 422, "{}", reply.text());
    assert_eq!(unfinished(&airlock), 0);
    assert_eq!(airlock.tarball("@acme/web", "1.0.0").await.body, said.packed().bytes);
}
