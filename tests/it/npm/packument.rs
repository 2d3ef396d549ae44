//! Packuments: which fields each form has, what survives untouched, times, and what is told of withheld releases.

use airlock::model::time::Timestamp;
use serde_json::Value;
use serde_json::json;

use super::BRIEF;
use super::FULL;
use super::get;
use super::keys;
use super::manifest_in;
use super::raw;
use crate::support::scenario::Scenario;

/// A manifest that a careless reader would change: spaces, escapes, a lone surrogate, a number beyond every float.
const ODD_MANIFEST: &str = r#"{ "name":"left-pad" ,"version" : "1.0.0","description":"a \u0041\/\u00e9 <b>","x-number":1e999,"x-long":12345678901234567890123,
 "_id":"left-pad@1.0.0","_rev":"7-x","_npmUser" : {"name":"ann","trustedPublisher":{"id":"github","oidcConfigId":"oidc:1"},"approver":{"name":"bob"}},
 "deprecated":"use \"pad\"","funding":[ {"url":"https://fund.example"} ],"engines":{"node":">=0.10"},"cpu":["x64"],"os":["!win32"],"libc":["glibc"],
 "bin":{"pad":"./pad.js"},"directories":{"lib":"lib"},"dependencies":{"b":"^1.0.0"},"optionalDependencies":{"c":"1"},"devDependencies":{"d":"1"},
 "peerDependencies":{"e":"1"},"peerDependenciesMeta":{"e":{"optional":true}},"acceptDependencies":{"f":"1"},"bundleDependencies":["b"],"_hasShrinkwrap":false,
 "scripts":{"test":"t"},"maintainers":[{"name":"ann"}],"gitHead":"0a","_nodeVersion":"20.0.0","_npmVersion":"11.0.0","license":"MIT","keywords":[],
 "dist":{"shasum":"da39a3ee5e6b4b0d3255bfef95601890afd80709", "tarball":"https:\/\/registry.example\/left-pad\/-\/left-pad-1.0.0.tgz","fileCount":3,"unpackedSize":10,
  "integrity":"sha512-z4PhNX7vuL3xVChQ1m2AB9Yg5AULVxXcg/SpIdNs6c5H0NE8XYXysP+DGNKHfuwvY7kxvUdBeoGlODJ6+SfaPg==",
  "signatures":[{"keyid":"SHA256:a","sig":"MEUCIQ=="}],"attestations":{"url":"https://registry.example/-/npm/v1/attestations/left-pad@1.0.0","provenance":{"predicateType":"https://slsa.example/v1"}},
  "npm-signature":"-----BEGIN"}}"#;

/// What the abbreviated form keeps of a manifest. Source: protocol.md, section 3.
const KEPT: [&str; 22] = [
    "_hasShrinkwrap",
    "_npmUser",
    "acceptDependencies",
    "bin",
    "bundleDependencies",
    "bundledDependencies",
    "cpu",
    "dependencies",
    "deprecated",
    "devDependencies",
    "directories",
    "dist",
    "engines",
    "funding",
    "hasInstallScript",
    "libc",
    "name",
    "optionalDependencies",
    "os",
    "peerDependencies",
    "peerDependenciesMeta",
    "version",
];

fn left_pad() -> Scenario {
    Scenario::new().package("left-pad", |p| {
        p.release("1.0.0").age("400d");
        p.release("1.1.0").age("30d");
        p.release("1.2.0").age("9h").field("description", json!("secret words of a held release"));
    })
}

#[tokio::test]
async fn every_spelling_of_a_scoped_name_is_the_same_package() {
    let airlock = Scenario::new().package("@acme/web", |p| _ = p.release("1.0.0")).gated().await;
    let first = get(&airlock, "/@acme%2fweb", FULL).await;
    assert_eq!((first.status, first.json()["name"].as_str()), (200, Some("@acme/web")));
    for path in ["/@acme%2Fweb", "/@acme/web", "/%40acme%2fweb", "/%40acme/web", "/%40acme%2Fweb", "/@acme/web?x=1"] {
        let reply = get(&airlock, path, FULL).await;
        assert_eq!((reply.status, &reply.body), (200, &first.body), "{path}");
        assert_eq!(get(&airlock, path, BRIEF).await.json()["dist-tags"], json!({"latest": "1.0.0"}), "{path}");
    }
    assert_eq!(airlock.upstream.log().iter().map(|received| received.raw.as_str()).collect::<Vec<_>>(), ["/@acme%2fweb"]);
}

#[tokio::test]
async fn the_form_follows_accept() {
    let airlock = left_pad().gated().await;
    for (accept, is_brief) in [
        ("application/json", false),
        ("*/*", false),
        ("text/html", false),
        ("application/vnd.npm.install-v1+json; q=1.0, application/json; q=0.8, */*", true),
        ("application/vnd.npm.install-v1+json", true),
        ("application/json, application/vnd.npm.install-v1+json;q=0.5", false),
    ] {
        let reply = get(&airlock, "/left-pad", accept).await;
        let expect = if is_brief { "application/vnd.npm.install-v1+json" } else { "application/json" };
        assert_eq!((reply.header("content-type"), reply.json().get("_id").is_none()), (Some(expect), is_brief), "{accept}");
    }
    let without = airlock.get("/left-pad").await;
    assert_eq!(without.header("content-type"), Some("application/json"));
    let to_write = get(&airlock, "/left-pad?write=true", BRIEF).await.json();
    assert_eq!(to_write["_id"], "left-pad");
    assert!(to_write["_rev"].as_str().unwrap().starts_with("1-"), "{}", to_write["_rev"]);
}

#[tokio::test]
async fn a_manifest_is_upstreams_text_with_our_address() {
    let airlock = Scenario::new().package("left-pad", |p| _ = p.release("1.0.0").manifest_text(ODD_MANIFEST)).gated().await;
    let ours = format!("http://{}/left-pad/-/left-pad-1.0.0.tgz", airlock.address());
    let expect = ODD_MANIFEST.replace(r"https:\/\/registry.example\/left-pad\/-\/left-pad-1.0.0.tgz", &ours);
    assert_ne!(expect, ODD_MANIFEST);
    let expect = expect.replace("https://registry.example/-/npm", &format!("http://{}/-/npm", airlock.address()));
    assert_eq!(manifest_in(&get(&airlock, "/left-pad", FULL).await, "1.0.0"), expect);
    assert_eq!(get(&airlock, "/left-pad/1.0.0", FULL).await.text(), expect);
    assert_eq!(get(&airlock, "/left-pad/latest", FULL).await.text(), expect);
}

#[tokio::test]
async fn the_abbreviated_form_keeps_what_installing_needs_untouched() {
    let airlock = Scenario::new().package("left-pad", |p| _ = p.release("1.0.0").manifest_text(ODD_MANIFEST)).gated().await;
    let packument = get(&airlock, "/left-pad", BRIEF).await;
    assert_eq!(keys(&packument.json()), ["dist-tags", "modified", "name", "time", "versions"]);
    let (brief, full) = (raw(&manifest_in(&packument, "1.0.0")), raw(ODD_MANIFEST));
    for (key, value) in &brief {
        assert!(KEPT.contains(&key.as_str()), "{key}");
        if key == "dist" {
            let (brief, full) = (raw(value.get()), raw(full["dist"].get()));
            assert_eq!(brief.keys().collect::<Vec<_>>(), full.keys().collect::<Vec<_>>());
            for (key, value) in brief.iter().filter(|(key, _)| *key != "tarball") {
                let full = full[key].get().replace("https://registry.example/-/npm", &format!("http://{}/-/npm", airlock.address()));
                assert_eq!(value.get(), full, "dist.{key}");
            }
        } else {
            assert_eq!(value.get(), full[key].get(), "{key}");
        }
    }
    let lost: Vec<&&str> = KEPT.iter().filter(|key| full.contains_key(**key) && !brief.contains_key(**key)).collect();
    assert_eq!(lost, [&""; 0]);
}

#[tokio::test]
async fn whether_installing_runs_something_is_computed() {
    let airlock = Scenario::new()
        .package("x", |p| {
            p.release("1.0.0").script("test", "t");
            p.release("1.1.0").script("postinstall", "node x.js");
            p.release("1.2.0").script("preinstall", "node x.js").listed("hasInstallScript", json!(false));
            p.release("1.3.0").listed("hasInstallScript", json!(true));
            p.release("1.4.0").listed("gypfile", json!(true));
        })
        .gated()
        .await;
    let brief = get(&airlock, "/x", BRIEF).await.json();
    for (version, expect) in [("1.0.0", None), ("1.1.0", Some(true)), ("1.2.0", Some(true)), ("1.3.0", Some(true)), ("1.4.0", Some(true))] {
        assert_eq!(brief["versions"][version].get("hasInstallScript").and_then(Value::as_bool), expect, "{version}");
    }
}

#[tokio::test]
async fn the_full_form_has_the_head_of_the_package() {
    let airlock = Scenario::new()
        .package("x", |p| {
            p.release("1.0.0").listed("readme", json!("a readme of one release"));
            p.field("readme", json!("# x")).field("description", json!("pads")).field("license", json!("MIT"));
            p.field("maintainers", json!([{"name": "ann"}])).field("users", json!({"bob": true})).field("_attachments", json!({}));
            p.field("policyRestrictions", json!({"message": "evil", "versions": {}})).field("stagedVersions", json!({}));
        })
        .gated()
        .await;
    let full = get(&airlock, "/x", FULL).await.json();
    assert_eq!((&full["readme"], &full["description"], &full["license"]), (&json!("# x"), &json!("pads"), &json!("MIT")));
    assert_eq!((&full["maintainers"], &full["users"]), (&json!([{"name": "ann"}]), &json!({"bob": true})));
    for key in ["_attachments", "policyRestrictions", "stagedVersions", "latest", "created"] {
        assert_eq!(full.get(key), None, "{key}");
    }
    // A readme of each release makes packuments huge; the package's own stays.
    assert_eq!(full["versions"]["1.0.0"].get("readme"), None);
}

#[tokio::test]
async fn a_head_that_speaks_of_a_held_release_is_not_shown() {
    let airlock = Scenario::new()
        .package("x", |p| {
            p.release("1.0.0").field("description", json!("of the first")).field("license", json!("MIT"));
            p.release("1.1.0").age("1h").field("description", json!("of the held"));
            p.field("description", json!("of the held")).field("readme", json!("# of the held")).field("license", json!("held"));
        })
        .gated()
        .await;
    for accept in [FULL, BRIEF] {
        let reply = get(&airlock, "/x", accept).await;
        assert!(!reply.text().contains("of the held") && !reply.text().contains("\"held\""), "{}", reply.text());
    }
    let full = get(&airlock, "/x", FULL).await.json();
    assert_eq!((&full["description"], &full["license"]), (&json!("of the first"), &json!("MIT")));
    airlock.advance("7d");
    assert_eq!(get(&airlock, "/x", FULL).await.json()["readme"], "# of the held");
}

#[tokio::test]
async fn a_held_release_leaves_no_word_of_its_manifest() {
    let airlock = left_pad().gated().await;
    for path in ["/left-pad", "/left-pad?write=true", "/left-pad/latest", "/left-pad/1.2.0", "/-/package/left-pad/dist-tags"] {
        for accept in [FULL, BRIEF] {
            let reply = get(&airlock, path, accept).await;
            assert!(!reply.text().contains("secret words"), "{path}: {}", reply.text());
        }
    }
    assert_eq!(airlock.listed("left-pad").await, ["1.0.0", "1.1.0"]);
    airlock.advance("7d");
    assert!(get(&airlock, "/left-pad", FULL).await.text().contains("secret words"));
}

#[tokio::test]
async fn times_are_of_every_listed_release_and_of_no_other() {
    let airlock = Scenario::new()
        .package("x", |p| {
            p.release("0.9.0").age("500d");
            p.release("1.0.0").published("2025-01-02T03:04:05+02:00");
            p.release("1.1.0").without_time();
            p.release("1.2.0").age("9h");
            p.release("1.3.0").published("not a time");
            p.release("1.4.0").published("2026-01-02T03:04:05.678901Z");
            p.remove("0.9.0");
        })
        .gated()
        .await;
    for accept in [FULL, BRIEF] {
        let reply = get(&airlock, "/x", accept).await.json();
        assert_eq!(keys(&reply["time"]), ["1.0.0", "1.4.0", "created", "modified"]);
        assert_eq!(reply["time"]["1.0.0"], "2025-01-02T01:04:05.000Z");
        assert_eq!(reply["time"]["1.4.0"], "2026-01-02T03:04:05.678Z");
    }
    // Without a time of publication, age counts from the first sight.
    airlock.advance("7d");
    for accept in [FULL, BRIEF] {
        let reply = get(&airlock, "/x", accept).await.json();
        assert_eq!(keys(&reply["time"]), ["1.0.0", "1.1.0", "1.2.0", "1.3.0", "1.4.0", "created", "modified"]);
        assert_eq!(keys(&reply["versions"]), ["1.0.0", "1.1.0", "1.2.0", "1.3.0", "1.4.0"]);
        assert_eq!(
            (&reply["time"]["1.1.0"], &reply["time"]["1.3.0"]),
            (&json!("2026-11-20T12:00:00.000Z"), &json!("2026-11-20T12:00:00.000Z"))
        );
        assert_eq!(reply["time"]["1.2.0"], "2026-11-20T03:00:00.000Z");
    }
}

#[tokio::test]
async fn modified_is_never_older_than_the_newest_listed_release_and_moves_when_one_opens() {
    let airlock = left_pad().gated().await;
    let at = |value: &Value| Timestamp::parse(value.as_str().unwrap()).unwrap();
    let before = get(&airlock, "/left-pad", BRIEF).await.json();
    assert_eq!(before["modified"], before["time"]["modified"]);
    assert!(at(&before["modified"]) >= at(&before["time"]["1.1.0"]));
    airlock.advance("7d");
    let opened_at = "2026-11-27T03:00:00.000Z";
    for accept in [FULL, BRIEF] {
        let reply = get(&airlock, "/left-pad", accept).await;
        let after = reply.json();
        assert_eq!(after["time"]["modified"], opened_at, "an opening is a change, whatever upstream's dates say");
        assert_eq!(reply.header("last-modified"), Some("Fri, 27 Nov 2026 03:00:00 GMT"));
        assert_eq!(after["time"]["1.2.0"], "2026-11-20T03:00:00.000Z", "the time of publication, not that of opening");
    }
}

#[tokio::test]
async fn withheld_releases_are_named_with_their_reasons_and_nothing_else() {
    let airlock = left_pad().gated().await;
    let link = format!("http://{}/-/airlock/r/left-pad@1.2.0", airlock.address());
    let said = format!(
        "left-pad@1.2.0 is held: published 9 hours ago, opens 2026-11-27 03:00 UTC (minimum age 7 days). 1.1.0 is admissible. {link}"
    );
    for accept in [FULL, BRIEF] {
        let reply = get(&airlock, "/left-pad", accept).await.json();
        let expect = json!({"message": said, "versions": {"1.2.0": {"name": "left-pad", "version": "1.2.0"}}});
        assert_eq!(reply["policyRestrictions"], expect);
    }
    airlock.advance("7d");
    for accept in [FULL, BRIEF] {
        assert_eq!(get(&airlock, "/left-pad", accept).await.json().get("policyRestrictions"), None);
    }
}

#[tokio::test]
async fn a_package_with_nothing_listed_is_empty_and_says_why() {
    let airlock = Scenario::new().package("fresh", |p| _ = p.release("1.0.0").age("1h")).gated().await;
    for accept in [FULL, BRIEF] {
        let reply = get(&airlock, "/fresh", accept).await;
        let packument = reply.json();
        assert_eq!(reply.status, 200);
        assert_eq!((&packument["versions"], &packument["dist-tags"]), (&json!({}), &json!({})));
        assert_eq!(keys(&packument["time"]), ["created", "modified"]);
        let message = packument["policyRestrictions"]["message"].as_str().unwrap();
        assert!(
            message
                .starts_with("fresh@1.0.0 is held: published 1 hour ago, opens 2026-12-04 11:00 UTC (new packages wait 14 days). http://"),
            "{message}"
        );
    }
}

#[tokio::test]
async fn head_is_get_without_a_body() {
    let airlock = left_pad().gated().await;
    for accept in [FULL, BRIEF] {
        for coding in ["identity", "gzip"] {
            let ask = |method: &str| airlock.call(method, "/left-pad").header("accept", accept).header("accept-encoding", coding).send();
            let (get, head) = (ask("GET").await, ask("HEAD").await);
            assert_eq!((head.status, head.body.len()), (200, 0));
            let headers = |reply: &crate::support::http::Reply| {
                let mut headers = reply.headers.clone();
                headers.retain(|(name, _)| !["date", "airlock-request-id"].contains(&name.as_str()));
                headers.sort();
                headers
            };
            assert_eq!(headers(&get), headers(&head));
            assert_eq!(head.header("content-length").unwrap(), get.body.len().to_string());
            assert!(head.header("last-modified").is_some(), "pnpm 12 reads it");
        }
    }
}

#[tokio::test]
async fn an_unknown_package_is_404_in_json() {
    let airlock = Scenario::new().gated().await;
    for path in
        ["/nobody", "/@acme%2fnobody", "/nobody/1.0.0", "/nobody/latest", "/nobody/-/nobody-1.0.0.tgz", "/-/package/nobody/dist-tags"]
    {
        let reply = get(&airlock, path, FULL).await;
        assert_eq!(
            (reply.status, reply.header("content-type"), reply.header("cache-control")),
            (404, Some("application/json"), Some("no-store"))
        );
        assert!(reply.json()["error"].as_str().unwrap().contains("is not known, neither here nor at the upstream registry"), "{path}");
        assert_eq!(reply.header("npm-notice"), None, "nothing is said of policy where nothing is known");
    }
}

#[tokio::test]
async fn hundreds_of_withheld_releases_are_named_within_bounds() {
    let airlock = Scenario::new()
        .package("x", |p| {
            p.release("1.0.0");
            for patch in 0..250 {
                p.release(&format!("2.0.{patch}")).age("9h");
            }
        })
        .gated()
        .await;
    for accept in [FULL, BRIEF] {
        let packument = get(&airlock, "/x", accept).await.json();
        assert_eq!(keys(&packument["versions"]), ["1.0.0"]);
        let restrictions = &packument["policyRestrictions"];
        let named = keys(&restrictions["versions"]);
        assert!(named.len() == 200 && named.contains(&"2.0.249") && !named.contains(&"2.0.0"), "the newest are named");
        let message = restrictions["message"].as_str().unwrap();
        assert!(message.ends_with(&format!("and 247 more: {}-/airlock/r/x", airlock.url())), "{message}");
    }
    assert_eq!(airlock.get("/x/2.0.0").await.status, 403, "and those that are not named are withheld all the same");
}
