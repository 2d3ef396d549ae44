//! One release's document, by version and by tag.

use serde_json::json;

use super::FULL;
use super::get;
use crate::support::scenario::Scenario;

#[tokio::test]
async fn corepacks_question_is_answered_with_signatures() {
    let signatures = json!([{"keyid": "SHA256:a", "sig": "MEUCIQ=="}]);
    let airlock = Scenario::new()
        .package("pnpm", |p| _ = p.release("10.0.0").dist("signatures", signatures.clone()))
        .package("@yarnpkg/cli-dist", |p| _ = p.release("4.5.0").dist("signatures", signatures.clone()))
        .gated()
        .await;
    for (path, name) in [
        ("/pnpm/10.0.0", "pnpm"),
        ("/pnpm/latest", "pnpm"),
        ("/@yarnpkg/cli-dist/4.5.0", "@yarnpkg/cli-dist"),
        ("/@yarnpkg%2fcli-dist/latest", "@yarnpkg/cli-dist"),
        ("/@yarnpkg%2Fcli-dist/4.5.0", "@yarnpkg/cli-dist"),
        ("/%40yarnpkg/cli-dist/4.5.0", "@yarnpkg/cli-dist"),
    ] {
        let reply = get(&airlock, path, FULL).await;
        assert_eq!((reply.status, reply.header("content-type")), (200, Some("application/json")), "{path}");
        assert_eq!((&reply.json()["name"], &reply.json()["dist"]["signatures"]), (&json!(name), &signatures), "{path}");
        let head = airlock.call("HEAD", path).send().await;
        assert_eq!(
            (head.status, head.body.len(), head.header("content-length"), head.header("etag")),
            (200, 0, reply.header("content-length"), reply.header("etag"))
        );
    }
}

#[tokio::test]
async fn build_metadata_is_part_of_a_version() {
    let airlock = Scenario::new()
        .package("x", |p| {
            p.release("1.0.0+linux.1");
            p.tag("build", "1.0.0+linux.1");
        })
        .gated()
        .await;
    for path in ["/x/1.0.0+linux.1", "/x/1.0.0%2Blinux.1", "/x/1.0.0%2blinux.1", "/x/build", "/x/latest"] {
        let reply = get(&airlock, path, FULL).await.json();
        assert_eq!(reply["version"], "1.0.0+linux.1", "{path}");
        assert_eq!(reply["dist"]["tarball"], format!("{}x/-/x-1.0.0.tgz", airlock.url()), "{path}");
    }
    assert_eq!(get(&airlock, "/x/1.0.0", FULL).await.status, 404);
}

#[tokio::test]
async fn what_is_not_there_is_404_in_json() {
    let airlock = Scenario::new().package("x", |p| _ = p.release("1.0.0")).gated().await;
    for (path, said) in [
        ("/x/9.9.9", "x has no version or tag \"9.9.9\""),
        ("/x/next", "x has no version or tag \"next\""),
        ("/x/1.0", "x has no version or tag \"1.0\""),
        ("/x/%5E1.0.0", "x has no version or tag \"^1.0.0\""),
        ("/x/v1.0.0", "x has no version or tag \"v1.0.0\""),
        ("/x/__proto__", "x has no version or tag \"__proto__\""),
        ("/x/constructor", "x has no version or tag \"constructor\""),
    ] {
        let reply = get(&airlock, path, FULL).await;
        assert_eq!((reply.status, reply.header("cache-control")), (404, Some("no-store")), "{path}");
        assert_eq!(reply.json(), json!({"error": said, "message": said, "reason": said}));
        assert_eq!(reply.reason, said);
    }
}

#[tokio::test]
async fn a_tag_that_is_spelled_like_a_version_does_not_hide_the_version() {
    let airlock = Scenario::new()
        .package("x", |p| {
            p.release("1.0.0");
            p.release("2.0.0");
            p.tag("1.0.0", "2.0.0");
        })
        .gated()
        .await;
    assert_eq!(get(&airlock, "/x/1.0.0", FULL).await.json()["version"], "1.0.0");
}
