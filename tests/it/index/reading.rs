//! Documents as careless and hostile registries write them.

use serde_json::Value;
use serde_json::json;

use crate::support::airlock::Airlock;
use crate::support::scenario::Scenario;
use crate::support::upstream::Fault;

const DIST: &str = r#""dist":{"tarball":"https://registry.example/x/-/x-1.1.0.tgz"}"#;

/// The manifest of 1.1.0 cannot be read, for this reason: it is held with a finding on every channel, and its neighbours
/// are served as if it were not there.
async fn check(manifest: &str, evidence: &str) {
    let airlock = Scenario::new()
        .package("x", |p| {
            p.release("1.0.0");
            p.release("1.1.0").manifest_text(manifest);
            p.release("1.2.0");
            p.tag("latest", "1.1.0").tag("next", "1.2.0");
        })
        .gated()
        .await;
    assert_eq!(airlock.listed("x").await, ["1.0.0", "1.2.0"], "{manifest}");
    let packument = airlock.get("/x").await;
    assert_eq!(packument.json()["dist-tags"], json!({"latest": "1.0.0", "next": "1.2.0"}), "{manifest}");
    assert_eq!(packument.json()["time"].get("1.1.0"), None);
    let shown = format!("x@1.1.0 is rejected: its index entry cannot be read ({evidence}). 1.0.0 is admissible.");
    for path in ["/x/1.1.0", "/x/-/x-1.1.0.tgz"] {
        let reply = airlock.get(path).await;
        assert_eq!(reply.status, 403, "{path} {manifest}: {}", reply.text());
        let error = reply.json()["error"].as_str().unwrap().to_owned();
        assert!(error.starts_with(&shown), "{error}\n{shown}");
    }
    let release = airlock.release("x", "1.1.0").await;
    let finding = release["findings"].as_array().unwrap().iter().find(|one| one["kind"] == "unreadable_manifest");
    assert_eq!(finding.unwrap_or_else(|| panic!("{release}"))["evidence"], evidence);
    for version in ["1.0.0", "1.2.0"] {
        assert_eq!(airlock.tarball("x", version).await.body, airlock.upstream.tarball("x", version), "{manifest}");
    }
    assert_eq!(airlock.upstream.count("/x/-/x-1.1.0.tgz"), 0, "nothing is fetched for what cannot be read");
}

#[tokio::test]
async fn a_key_that_stands_twice() {
    check(
        &format!(r#"{{"name":"x","version":"1.1.0","scripts":{{}},"scripts":{{"install":"evil"}},{DIST}}}"#),
        r#"its manifest has the key "scripts" twice"#,
    )
    .await;
    check(
        &format!(r#"{{"name":"x","version":"1.1.0","s\u0063ripts":{{}},"scripts":{{}},{DIST}}}"#),
        r#"its manifest has the key "scripts" twice"#,
    )
    .await;
    check(
        r#"{"name":"x","version":"1.1.0","dist":{"tarball":"https://a.example/x.tgz","tarball":"https://b.example/x.tgz"}}"#,
        r#"dist has the key "tarball" twice"#,
    )
    .await;
}

#[tokio::test]
async fn a_key_that_means_something_else_in_javascript() {
    check(
        &format!(r#"{{"name":"x","version":"1.1.0","__proto__":{{"scripts":{{}}}},{DIST}}}"#),
        r#"its manifest has the key "__proto__", which is not allowed"#,
    )
    .await;
    check(
        &format!(r#"{{"name":"x","version":"1.1.0","\u005f_proto__":1,{DIST}}}"#),
        r#"its manifest has the key "__proto__", which is not allowed"#,
    )
    .await;
}

#[tokio::test]
async fn a_name_or_a_version_that_disagrees() {
    check(&format!(r#"{{"name":"y","version":"1.1.0",{DIST}}}"#), r#"its name "y" disagrees with "x", under which it stands"#).await;
    check(&format!(r#"{{"name":"X","version":"1.1.0",{DIST}}}"#), r#"its name "X" disagrees with "x", under which it stands"#).await;
    check(&format!(r#"{{"name":"x","version":"1.1.1",{DIST}}}"#), r#"its version "1.1.1" disagrees with "1.1.0", under which it stands"#)
        .await;
    check(&format!(r#"{{"name":"x",{DIST}}}"#), "its version is missing").await;
    check(&format!(r#"{{"name":["x"],"version":"1.1.0",{DIST}}}"#), "its name is not a string").await;
}

#[tokio::test]
async fn a_dist_that_is_missing_or_odd() {
    check(r#"{"name":"x","version":"1.1.0"}"#, "its dist is missing").await;
    check(r#"{"name":"x","version":"1.1.0","dist":null}"#, "its dist is missing").await;
    check(r#"{"name":"x","version":"1.1.0","dist":{}}"#, "its dist.tarball is missing").await;
    check(r#"{"name":"x","version":"1.1.0","dist":{"tarball":7}}"#, "its dist.tarball is not a string").await;
    check(r#"{"name":"x","version":"1.1.0","dist":{"tarball":""}}"#, "its dist.tarball is not an address").await;
    check(
        r#"{"name":"x","version":"1.1.0","dist":{"tarball":"https://registry.example/x.tgz","integrity":7}}"#,
        "its dist.integrity is not a string",
    )
    .await;
}

#[tokio::test]
async fn what_is_no_manifest_or_nested_beyond_reason() {
    check(r#""1.1.0""#, "its manifest is not an object").await;
}

#[tokio::test]
async fn a_deep_manifest() {
    let deep = format!(r#"{{"name":"x","version":"1.1.0","a":{}{},{DIST}}}"#, "[".repeat(100), "]".repeat(100));
    check(&deep, "it is nested deeper than 64").await;
}

#[tokio::test]
async fn versions_that_are_no_versions() {
    let airlock = Scenario::new()
        .package("x", |p| {
            p.release("1.0.0");
            for odd in ["1.0", "v2.0.0", "latest", "1.0.0.0", "01.0.0", "../evil", "__proto__", "constructor"] {
                p.release(odd);
            }
            p.tag("latest", "1.0.0").tag("odd", "v2.0.0").tag("worse", "../evil");
        })
        .gated()
        .await;
    let packument = airlock.get("/x").await.json();
    assert_eq!(packument["versions"].as_object().unwrap().keys().collect::<Vec<_>>(), ["1.0.0"]);
    assert_eq!(packument["dist-tags"], json!({"latest": "1.0.0"}));
    // Clients parse these keys, so none is named that is no version.
    assert_eq!(packument["policyRestrictions"]["versions"], json!({}));
    assert_eq!(airlock.get("/x/v2.0.0").await.status, 403);
    assert_eq!(airlock.tarball("x", "1.0.0").await.status, 200);
}

#[tokio::test]
async fn a_version_that_stands_twice() {
    let manifest = |description: &str| {
        format!(
            r#"{{"name":"x","version":"1.1.0","description":"{description}","dist":{{"tarball":"https://registry.example/x/-/x-1.1.0.tgz"}}}}"#
        )
    };
    let good = r#"{"name":"x","version":"1.0.0","dist":{"tarball":"https://registry.example/x/-/x-1.0.0.tgz"}}"#;
    let text = format!(
        r#"{{"name":"x","dist-tags":{{"latest":"1.0.0"}},"versions":{{"1.1.0":{},"1.0.0":{good},"1.1.\u0030":{}}},
        "time":{{"1.0.0":"2020-01-01T00:00:00Z","1.1.0":"2020-01-01T00:00:00Z"}}}}"#,
        manifest("the first"),
        manifest("the second")
    );
    let airlock = Scenario::new().package("x", |p| _ = p.document_text(&text)).gated().await;
    assert_eq!(airlock.listed("x").await, ["1.0.0"]);
    let refused = airlock.get("/x/1.1.0").await;
    assert!(refused.reason.contains("its version stands twice in the index"), "{}", refused.reason);
}

#[tokio::test]
async fn tags_that_are_broken_hold_no_release() {
    let good = r#"{"name":"x","version":"1.0.0","dist":{"tarball":"https://registry.example/x/-/x-1.0.0.tgz"}}"#;
    let text = format!(
        r#"{{"name":"x","dist-tags":{{"latest":"1.0.0","null":null,"number":7,"object":{{}},"nothing":"","none":"9.9.9","__proto__":"1.0.0",
        "twice":"1.0.0","twice":"1.0.1","agreed":"1.0.0","agreed":"1.0.0","":"1.0.0","odd\u0000":"1.0.0"}},
        "versions":{{"1.0.0":{good}}},"time":{{"1.0.0":"2020-01-01T00:00:00Z"}}}}"#
    );
    let airlock = Scenario::new().package("x", |p| _ = p.document_text(&text)).gated().await;
    assert_eq!(airlock.get("/x").await.json()["dist-tags"], json!({"latest": "1.0.0", "agreed": "1.0.0"}));
    assert_eq!(airlock.listed("x").await, ["1.0.0"]);
}

#[tokio::test]
async fn times_that_cannot_be_read_count_as_unknown() {
    let manifest = |version: &str| {
        format!(r#""{version}":{{"name":"x","version":"{version}","dist":{{"tarball":"https://registry.example/x/-/x-{version}.tgz"}}}}"#)
    };
    let text = format!(
        r#"{{"name":"x","versions":{{{},{},{},{},{}}},"time":{{"1.0.0":"2020-01-01T00:00:00Z","1.1.0":"yesterday","1.2.0":1577836800000,"1.3.0":null,
        "1.4.0":"2020-01-01T00:00:00Z","1.4.0":"2019-01-01T00:00:00Z"}}}}"#,
        manifest("1.0.0"),
        manifest("1.1.0"),
        manifest("1.2.0"),
        manifest("1.3.0"),
        manifest("1.4.0")
    );
    let airlock = Scenario::new().package("x", |p| _ = p.document_text(&text)).gated().await;
    assert_eq!(airlock.listed("x").await, ["1.0.0"], "an unknown time is not an old one");
    let release = airlock.release("x", "1.4.0").await;
    assert!(release["findings"].as_array().unwrap().iter().any(|one| one["kind"] == "unknown_publish_time"), "{release}");
    airlock.advance("7d");
    assert_eq!(airlock.listed("x").await.len(), 5);
}

/// Documents that are bad as a whole.
const UNREADABLE: [(&str, &str); 10] = [
    ("empty", ""),
    ("no JSON", "<html>login</html>"),
    ("cut JSON", r#"{"name":"x","versions":{"1.0.0":"#),
    ("an array", "[]"),
    ("null", "null"),
    ("another package", r#"{"name":"y","versions":{}}"#),
    ("no name", r#"{"versions":{}}"#),
    ("versions twice", r#"{"name":"x","versions":{},"versions":{}}"#),
    ("versions no object", r#"{"name":"x","versions":[]}"#),
    ("a prototype", r#"{"name":"x","__proto__":{"versions":{}},"versions":{}}"#),
];

#[tokio::test]
async fn a_document_bad_as_a_whole_is_an_upstream_fault() {
    for (what, text) in UNREADABLE {
        let airlock = Scenario::new().package("x", |p| _ = p.document_text(text)).gated().await;
        for path in ["/x", "/x/latest", "/x/-/x-1.0.0.tgz"] {
            let reply = airlock.get(path).await;
            assert_eq!((reply.status, reply.header("cache-control")), (502, Some("no-store")), "{what} {path}: {}", reply.text());
            let error: Value = reply.json()["error"].clone();
            assert!(
                error.as_str().unwrap().starts_with("the upstream registry does not answer for x: its answer cannot be read: "),
                "{error}"
            );
        }
    }
}

#[tokio::test]
async fn a_document_bad_as_a_whole_leaves_what_is_known_in_place() {
    for (what, text) in UNREADABLE {
        // Without validators: what is answered 304 has no body that could be bad.
        let airlock = Scenario::new()
            .package("x", |p| {
                p.release("1.0.0");
                p.release("1.1.0").age("9h");
            })
            .like_a_mirror()
            .gated()
            .await;
        assert_eq!(airlock.listed("x").await, ["1.0.0"]);
        airlock.upstream.fault("/x", Fault::body(text));
        airlock.advance("10m");
        let stale = airlock.get("/x").await;
        assert_eq!((stale.status, stale.header("airlock-stale-seconds")), (200, Some("600")), "{what}");
        assert_eq!(airlock.listed("x").await, ["1.0.0"], "{what}");
        assert_eq!(airlock.tarball("x", "1.0.0").await.status, 200, "{what}");
        assert_eq!(airlock.tarball("x", "1.1.0").await.status, 403, "{what}");
        airlock.upstream.heal_all();
        airlock.advance("1m");
        assert_eq!(airlock.get("/x").await.header("airlock-stale-seconds"), None, "{what}");
    }
}

#[tokio::test]
async fn a_release_that_becomes_unreadable_is_held_and_one_that_is_mended_opens() {
    let airlock: Airlock = Scenario::new()
        .package("x", |p| {
            p.release("1.0.0");
            p.release("1.1.0");
        })
        .gated()
        .await;
    assert_eq!(airlock.listed("x").await, ["1.0.0", "1.1.0"]);
    airlock.upstream.package("x", |p| _ = p.release("1.1.0").manifest_text(r#"{"name":"x","version":"1.1.0"}"#));
    airlock.advance("10m");
    assert_eq!(airlock.listed("x").await, ["1.0.0"]);
}

#[tokio::test]
async fn a_manifest_nested_to_break_readers() {
    let deep = format!(r#"{{"name":"x","version":"1.1.0","a":{}{},{DIST}}}"#, "[".repeat(200_000), "]".repeat(200_000));
    check(&deep, "it is nested deeper than 64").await;
}

#[tokio::test]
async fn an_address_longer_than_any() {
    let long = format!(r#"{{"name":"x","version":"1.1.0","dist":{{"tarball":"https://registry.example/{}"}}}}"#, "a".repeat(3_000));
    check(&long, "its dist.tarball is not an address").await;
}

/// As npm's own registry writes a package that its owner took away.
#[tokio::test]
async fn an_unpublished_package_has_nothing_and_says_nothing_of_it() {
    let text = r#"{"name":"x","_id":"x","time":{"created":"2020-01-01T00:00:00Z","modified":"2021-01-01T00:00:00Z","1.0.0":"2020-01-01T00:00:00Z",
        "unpublished":{"name":"ann","time":"2021-01-01T00:00:00Z","tags":{"latest":"1.0.0"},"versions":["1.0.0"]}}}"#;
    let airlock = Scenario::new().package("x", |p| _ = p.document_text(text)).gated().await;
    let packument = airlock.get("/x").await;
    assert_eq!((packument.status, &packument.json()["versions"], &packument.json()["dist-tags"]), (200, &json!({}), &json!({})));
    assert_eq!(packument.json()["time"].as_object().unwrap().keys().collect::<Vec<_>>(), ["created", "modified"]);
    assert_eq!((airlock.get("/x/latest").await.status, airlock.tarball("x", "1.0.0").await.status), (404, 404));
}

#[tokio::test]
async fn bytes_that_are_no_text() {
    let airlock = Scenario::new().package("x", |p| _ = p.release("1.0.0")).gated().await;
    airlock.upstream.fault("/x", Fault::body(b"{\"name\":\"x\",\"readme\":\"\xff\xfe\",\"versions\":{}}".to_vec()).times(1));
    assert_eq!(airlock.get("/x").await.status, 502);
    assert_eq!(airlock.listed("x").await, ["1.0.0"]);
}
