//! Tags: touched only where they dangle, and then never raised.

use serde_json::Value;
use serde_json::json;

use super::BRIEF;
use super::FULL;
use super::get;
use crate::support::scenario::Scenario;

/// Releases as `version` or `version held`; tags as upstream says them; tags as clients are to see them, the same in each
/// form, in the dist-tags document, and each a document by its name.
async fn check(releases: &[&str], upstream: &[(&str, &str)], expect: &[(&str, &str)]) {
    let airlock = Scenario::new()
        .package("x", |p| {
            p.untag("latest");
            for release in releases {
                match release.strip_suffix(" held") {
                    Some(version) => _ = p.release(version).age("9h"),
                    None => _ = p.release(release),
                }
            }
            for (tag, version) in upstream {
                p.tag(tag, version);
            }
        })
        .gated()
        .await;
    let expect: Value = expect.iter().map(|(tag, version)| ((*tag).to_owned(), json!(version))).collect::<serde_json::Map<_, _>>().into();
    for accept in [FULL, BRIEF] {
        assert_eq!(get(&airlock, "/x", accept).await.json()["dist-tags"], expect, "{releases:?} {upstream:?}");
    }
    let tags = airlock.get("/-/package/x/dist-tags").await;
    assert_eq!((tags.status, tags.json()), (200, expect.clone()));
    assert_eq!((tags.header("cache-control"), tags.header("etag")), (Some("no-store"), None), "npm keeps whatever has an ETag");
    for (tag, _) in upstream {
        let one = airlock.get(&format!("/x/{tag}")).await;
        match expect.get(*tag) {
            Some(version) => assert_eq!((one.status, &one.json()["version"]), (200, version), "{tag}"),
            None => assert_eq!(one.status, 404, "{tag}: {}", one.text()),
        }
    }
}

#[tokio::test]
async fn a_tag_of_a_listed_release_is_left_alone() {
    check(
        &["1.0.0", "1.1.0", "2.0.0-rc.1"],
        &[("latest", "1.0.0"), ("next", "2.0.0-rc.1")],
        &[("latest", "1.0.0"), ("next", "2.0.0-rc.1")],
    )
    .await;
    // Even where another is held.
    check(&["1.0.0", "1.1.0 held"], &[("latest", "1.0.0"), ("old", "1.0.0")], &[("latest", "1.0.0"), ("old", "1.0.0")]).await;
}

#[tokio::test]
async fn latest_falls_to_the_newest_listed_stable_release() {
    check(&["1.0.0", "1.9.0", "1.10.0", "2.0.0-rc.1", "2.0.0 held"], &[("latest", "2.0.0")], &[("latest", "1.10.0")]).await;
    check(&["0.9.0", "1.0.0 held"], &[("latest", "1.0.0")], &[("latest", "0.9.0")]).await;
}

#[tokio::test]
async fn latest_never_rises() {
    check(&["1.0.0", "1.1.0 held", "2.0.0", "3.0.0"], &[("latest", "1.1.0")], &[("latest", "1.0.0")]).await;
    check(&["1.0.0 held", "2.0.0"], &[("latest", "1.0.0")], &[]).await;
}

#[tokio::test]
async fn another_tag_stays_in_its_major_and_its_class() {
    let releases = [
        "1.0.0",
        "1.1.0",
        "1.2.0 held",
        "2.0.0-beta.1",
        "2.0.0-beta.2 held",
        "2.0.0-rc.0",
        "2.0.0-rc.1 held",
        "3.0.0-beta.1 held",
        "4.0.0 held",
    ];
    check(
        &releases,
        &[
            ("latest", "1.1.0"),
            ("v1", "1.2.0"),
            ("beta", "2.0.0-beta.2"),
            ("rc", "2.0.0-rc.1"),
            ("next", "3.0.0-beta.1"),
            ("canary", "4.0.0"),
        ],
        &[("latest", "1.1.0"), ("v1", "1.1.0"), ("beta", "2.0.0-beta.1"), ("rc", "2.0.0-rc.0")],
    )
    .await;
}

#[tokio::test]
async fn another_tag_never_rises() {
    check(&["1.0.0 held", "1.1.0", "2.0.0"], &[("latest", "2.0.0"), ("v1", "1.0.0")], &[("latest", "2.0.0")]).await;
    check(&["2.0.0-beta.1 held", "2.0.0-beta.2", "1.0.0"], &[("latest", "1.0.0"), ("beta", "2.0.0-beta.1")], &[("latest", "1.0.0")]).await;
}

#[tokio::test]
async fn a_tag_of_what_upstream_does_not_have_is_repaired_alike() {
    check(&["1.0.0", "1.1.0"], &[("latest", "1.2.0"), ("next", "2.0.0-rc.1")], &[("latest", "1.1.0")]).await;
    // What is no version can be compared with none.
    check(&["1.0.0"], &[("latest", "newest"), ("old", "1.0.0")], &[("old", "1.0.0")]).await;
}

#[tokio::test]
async fn latest_on_a_prerelease_falls_to_a_stable_release_first() {
    check(&["1.0.0", "2.0.0-beta.1", "2.0.0-beta.2 held"], &[("latest", "2.0.0-beta.2")], &[("latest", "1.0.0")]).await;
    // A package that never had a stable release keeps its latest.
    check(&["2.0.0-alpha.1", "2.0.0-beta.1", "2.0.0-beta.2 held"], &[("latest", "2.0.0-beta.2")], &[("latest", "2.0.0-beta.1")]).await;
}

#[tokio::test]
async fn nothing_listed_has_no_tags() {
    check(&["1.0.0 held"], &[("latest", "1.0.0"), ("next", "1.0.0")], &[]).await;
}

#[tokio::test]
async fn a_repaired_tag_comes_back_when_its_release_opens_and_falls_when_it_is_revoked() {
    let airlock = Scenario::new()
        .package("x", |p| {
            p.release("1.0.0");
            p.release("1.1.0").age("9h");
        })
        .gated()
        .await;
    let latest = async || airlock.get("/-/package/x/dist-tags").await.json()["latest"].clone();
    assert_eq!(latest().await, "1.0.0");
    airlock.advance("7d");
    assert_eq!(latest().await, "1.1.0");
    assert_eq!(airlock.tarball("x", "1.1.0").await.status, 200);
    assert_eq!(airlock.decide("x", "1.1.0", "revoke", "stolen token").await.status, 200);
    assert_eq!(latest().await, "1.0.0");
    assert_eq!(airlock.get("/x/latest").await.json()["version"], "1.0.0");
}

#[tokio::test]
async fn dist_tags_in_every_spelling() {
    let airlock = Scenario::new().package("@acme/web", |p| _ = p.tag("next", "1.0.0").release("1.0.0")).gated().await;
    for path in ["@acme%2fweb", "@acme%2Fweb", "@acme/web", "%40acme%2fweb"] {
        let reply = airlock.get(&format!("/-/package/{path}/dist-tags")).await;
        assert_eq!(reply.json(), json!({"latest": "1.0.0", "next": "1.0.0"}), "{path}");
        let head = airlock.call("HEAD", &format!("/-/package/{path}/dist-tags")).send().await;
        assert_eq!((head.status, head.body.len(), head.header("content-length")), (200, 0, reply.header("content-length")));
    }
}
