//! Tarballs: every shape of their path, odd file names found through the index, and how their bytes are sent.

use serde_json::json;

use crate::support::airlock::Airlock;
use crate::support::scenario::Scenario;

async fn acme() -> Airlock {
    Scenario::new()
        .package("@acme/web", |p| {
            p.release("1.0.0");
            p.release("1.1.0").age("9h");
        })
        .package("left-pad", |p| _ = p.release("1.0.0"))
        .gated()
        .await
}

#[tokio::test]
async fn every_shape_of_path_serves_the_very_bytes() {
    let airlock = acme().await;
    for path in [
        "/@acme/web/-/web-1.0.0.tgz",
        "/@acme%2fweb/-/web-1.0.0.tgz",
        "/@acme%2Fweb/-/web-1.0.0.tgz",
        "/%40acme%2fweb/-/web-1.0.0.tgz",
        "/%40acme/web/-/web-1.0.0.tgz",
        "/@acme/web/-/@acme/web-1.0.0.tgz",
        "/@acme%2fweb/-/@acme%2fweb-1.0.0.tgz",
        "/@acme%2fweb/-/@acme/web-1.0.0.tgz",
        "/@acme/web/-/web-1%2E0%2E0.tgz",
        "/@acme/web/-/web-1.0.0.tgz?x=1",
    ] {
        let reply = airlock.get(path).await;
        assert_eq!((reply.status, reply.complete), (200, true), "{path}: {}", reply.text());
        assert_eq!(reply.body, airlock.upstream.tarball("@acme/web", "1.0.0"), "{path}");
    }
    assert_eq!(airlock.get("/left-pad/-/left-pad-1.0.0.tgz").await.body, airlock.upstream.tarball("left-pad", "1.0.0"));
    assert_eq!(airlock.upstream.count("/@acme/web/-/web-1.0.0.tgz"), 1, "bytes are fetched once");
}

#[tokio::test]
async fn bytes_are_sent_with_their_length_for_good_and_never_encoded() {
    let airlock = acme().await;
    let length = airlock.upstream.tarball("left-pad", "1.0.0").len().to_string();
    for coding in ["gzip, deflate, br, zstd", "identity", "gzip;q=1.0, identity;q=0", ""] {
        let ask = |method: &str| airlock.call(method, "/left-pad/-/left-pad-1.0.0.tgz").header("accept-encoding", coding).send();
        let (get, head) = (ask("GET").await, ask("HEAD").await);
        for reply in [&get, &head] {
            assert_eq!(reply.status, 200);
            assert_eq!(reply.header("content-length"), Some(length.as_str()), "{coding}");
            assert_eq!(reply.header("content-encoding"), None);
            assert_eq!(reply.header("transfer-encoding"), None);
            assert_eq!(reply.header("content-type"), Some("application/octet-stream"));
            assert_eq!(reply.header("cache-control"), Some("public, max-age=31536000, immutable"));
            assert!(reply.header("etag").is_some());
        }
        assert_eq!((head.body.len(), head.header("etag")), (0, get.header("etag")));
        assert_eq!(get.body, airlock.upstream.tarball("left-pad", "1.0.0"));
    }
}

#[tokio::test]
async fn a_head_is_judged_as_a_get_is() {
    let airlock = acme().await;
    let first = airlock.call("HEAD", "/@acme/web/-/web-1.0.0.tgz").send().await;
    assert_eq!((first.status, first.body.len()), (200, 0), "asked before anyone downloaded it");
    for path in ["/@acme/web/-/web-1.1.0.tgz", "/@acme%2fweb/-/web-1.1.0.tgz", "/@acme/web/-/@acme/web-1.1.0.tgz"] {
        for method in ["GET", "HEAD"] {
            let reply = airlock.call(method, path).send().await;
            assert_eq!((reply.status, reply.header("cache-control")), (403, Some("no-store")), "{method} {path}");
            assert_eq!(reply.body.is_empty(), method == "HEAD");
        }
    }
    assert_eq!(airlock.upstream.count("/@acme/web/-/web-1.1.0.tgz"), 0, "a held release is not even fetched");
}

#[tokio::test]
async fn a_client_that_holds_the_bytes_gets_304() {
    let airlock = acme().await;
    let path = "/left-pad/-/left-pad-1.0.0.tgz";
    let etag = airlock.get(path).await.header("etag").unwrap().to_owned();
    for method in ["GET", "HEAD"] {
        let again = airlock.call(method, path).header("if-none-match", &etag).send().await;
        assert_eq!((again.status, again.body.len(), again.header("etag")), (304, 0, Some(etag.as_str())));
        let other = airlock.call(method, path).header("if-none-match", "\"other\"").send().await;
        assert_eq!(other.status, 200);
    }
    // Who holds the bytes of a revoked release is told so.
    assert_eq!(airlock.decide("left-pad", "1.0.0", "revoke", "stolen token").await.status, 200);
    assert_eq!(airlock.call("GET", path).header("if-none-match", &etag).send().await.status, 403);
}

#[tokio::test]
async fn an_irregular_old_file_name_is_found_through_the_index() {
    let airlock = Scenario::new()
        .package("esprima-fb", |p| {
            p.release("3001.1.0-dev-harmony-fb").file_name("esprima-fb-3001.0001.0000-dev-harmony-fb.tgz");
            p.release("3001.2.0-dev").file_name("esprima-fb-3001.0002.0000-dev.tgz").age("9h");
        })
        .gated()
        .await;
    let full = airlock.get("/esprima-fb").await.json();
    let ours = format!("{}esprima-fb/-/esprima-fb-3001.1.0-dev-harmony-fb.tgz", airlock.url());
    assert_eq!(full["versions"]["3001.1.0-dev-harmony-fb"]["dist"]["tarball"], ours, "the conventional shape");
    for file in ["esprima-fb-3001.1.0-dev-harmony-fb.tgz", "esprima-fb-3001.0001.0000-dev-harmony-fb.tgz"] {
        let reply = airlock.get(&format!("/esprima-fb/-/{file}")).await;
        assert_eq!((reply.status, reply.body), (200, airlock.upstream.tarball("esprima-fb", "3001.1.0-dev-harmony-fb")), "{file}");
    }
    assert_eq!(airlock.upstream.count("/esprima-fb/-/esprima-fb-3001.0001.0000-dev-harmony-fb.tgz"), 1);
    // A held one is refused by each of its names, for the release that the index says it is.
    for file in ["esprima-fb-3001.2.0-dev.tgz", "esprima-fb-3001.0002.0000-dev.tgz"] {
        let reply = airlock.get(&format!("/esprima-fb/-/{file}")).await;
        assert_eq!(reply.status, 403, "{file}");
        assert!(reply.json()["error"].as_str().unwrap().starts_with("esprima-fb@3001.2.0-dev is held:"));
    }
}

#[tokio::test]
async fn a_file_name_that_lies_about_its_version_opens_nothing() {
    // The held release is listed under the open one's file name, and the other way round.
    let airlock = Scenario::new()
        .package("x", |p| {
            p.release("1.0.0").file_name("x-2.0.0.tgz");
            p.release("2.0.0").age("9h").file_name("x-1.0.0.tgz");
        })
        .gated()
        .await;
    let (open, held) = (airlock.upstream.tarball("x", "1.0.0"), airlock.upstream.tarball("x", "2.0.0"));
    assert_ne!(open, held);
    for file in ["x-1.0.0.tgz", "x-2.0.0.tgz"] {
        let reply = airlock.get(&format!("/x/-/{file}")).await;
        assert_ne!(reply.body, held, "{file}");
    }
    assert_eq!(airlock.get("/x/-/x-1.0.0.tgz").await.body, open);
    assert_eq!(airlock.get("/x/-/x-2.0.0.tgz").await.status, 403);
}

#[tokio::test]
async fn build_metadata_is_not_in_the_file_name_and_found_with_it_too() {
    let airlock = Scenario::new()
        .package("x", |p| {
            p.release("1.0.0+linux");
            p.release("2.0.0+a").file_name("x-2.0.0+a.tgz");
            p.release("2.0.0+b").file_name("x-2.0.0+b.tgz");
        })
        .gated()
        .await;
    let full = airlock.get("/x").await.json();
    assert_eq!(full["versions"]["1.0.0+linux"]["dist"]["tarball"], format!("{}x/-/x-1.0.0.tgz", airlock.url()));
    assert_eq!(airlock.get("/x/-/x-1.0.0.tgz").await.body, airlock.upstream.tarball("x", "1.0.0+linux"));
    // Two that differ in their build only stay two: each document leads to its own bytes.
    for version in ["2.0.0+a", "2.0.0+b"] {
        let address = full["versions"][version]["dist"]["tarball"].as_str().unwrap();
        let path = address.strip_prefix(airlock.url().as_str().trim_end_matches('/')).unwrap();
        assert_eq!(airlock.get(path).await.body, airlock.upstream.tarball("x", version), "{path}");
        for exact in [format!("/x/-/x-{version}.tgz"), format!("/x/-/x-{}.tgz", version.replace('+', "%2B"))] {
            assert_eq!(airlock.get(&exact).await.body, airlock.upstream.tarball("x", version), "{exact}");
        }
    }
}

#[tokio::test]
async fn a_file_that_no_release_has_is_404_in_json() {
    let airlock = acme().await;
    for (path, said) in [
        ("/left-pad/-/left-pad-9.9.9.tgz", "left-pad has no file \"left-pad-9.9.9.tgz\""),
        ("/left-pad/-/left-pad-1.0.0.tar.gz", "left-pad has no file \"left-pad-1.0.0.tar.gz\""),
        ("/left-pad/-/web-1.0.0.tgz", "left-pad has no file \"web-1.0.0.tgz\""),
        ("/left-pad/-/LEFT-PAD-1.0.0.tgz", "left-pad has no file \"LEFT-PAD-1.0.0.tgz\""),
        ("/@acme/web/-/acme-web-1.0.0.tgz", "@acme/web has no file \"acme-web-1.0.0.tgz\""),
    ] {
        for method in ["GET", "HEAD"] {
            let reply = airlock.call(method, path).send().await;
            assert_eq!((reply.status, reply.reason.as_str()), (404, said), "{method} {path}");
            assert_eq!(reply.header("content-type"), Some("application/json"));
            if method == "GET" {
                assert_eq!(reply.json(), json!({"error": said, "message": said, "reason": said}));
            }
        }
    }
}

#[tokio::test]
async fn many_first_downloads_are_one_inspection() {
    let airlock = acme().await;
    let gate = airlock.upstream.gate("/left-pad/-/left-pad-1.0.0.tgz");
    let asked: Vec<_> = (0..20).map(|_| tokio::spawn(airlock.call("GET", "/left-pad/-/left-pad-1.0.0.tgz").send())).collect();
    gate.reached(1).await;
    gate.open();
    for one in asked {
        let reply = one.await.unwrap();
        assert_eq!((reply.status, reply.body), (200, airlock.upstream.tarball("left-pad", "1.0.0")));
    }
    assert_eq!(airlock.upstream.count("/left-pad/-/left-pad-1.0.0.tgz"), 1);
}

#[tokio::test]
async fn a_part_is_never_sent_for_the_whole() {
    let airlock = acme().await;
    for range in ["bytes=0-9", "bytes=-5", "bytes=5-"] {
        let reply = airlock.call("GET", "/left-pad/-/left-pad-1.0.0.tgz").header("range", range).send().await;
        assert_eq!((reply.status, reply.body), (200, airlock.upstream.tarball("left-pad", "1.0.0")), "{range}");
    }
}

#[tokio::test]
async fn a_head_is_no_pull() {
    let airlock = acme().await;
    let path = "/left-pad/-/left-pad-1.0.0.tgz";
    assert_eq!(airlock.call("HEAD", path).send().await.status, 200);
    let recall = airlock.as_admin("GET", "/-/airlock/v1/recalls/left-pad/1.0.0").send().await.json();
    assert_eq!(recall["total"], 0);
    assert_eq!(airlock.get(path).await.status, 200);
    let recall = airlock.as_admin("GET", "/-/airlock/v1/recalls/left-pad/1.0.0").send().await.json();
    assert_eq!(recall["total"], 1);
}
