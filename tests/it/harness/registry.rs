//! A scenario upstream speaks as an npm registry does.

use std::io::Read;

use airlock::model::digest::Digest;
use serde_json::json;

use crate::support::http::Call;
use crate::support::scenario::Scenario;

const ABBREVIATED: &str = "application/vnd.npm.install-v1+json";

fn two_packages() -> Scenario {
    Scenario::new()
        .package("left-pad", |p| {
            p.release("1.9.0").age("30d").dependency("@acme/web", "^1.0.0").script("install", "node x").bin("left-pad");
            p.release("1.10.0").published("2026-11-20T09:00:00+02:00").file("package/lib/a.js", "1");
        })
        .package("@acme/web", |p| _ = p.release("1.0.0"))
}

#[tokio::test]
async fn the_full_form_has_times_tags_and_releases_in_order() {
    let upstream = two_packages().start().await;
    let reply = Call::get(upstream.address(), "/left-pad").send().await;
    assert_eq!((reply.status, reply.header("content-type")), (200, Some("application/json")));
    let document = reply.json();
    assert_eq!(document["dist-tags"], json!({"latest": "1.10.0"}));
    assert_eq!(document["time"]["1.9.0"], "2026-10-21T12:00:00.000Z");
    assert_eq!(document["time"]["1.10.0"], "2026-11-20T09:00:00+02:00");
    assert_eq!(document["time"]["modified"], "2026-11-20T07:00:00.000Z");
    assert_eq!(document["versions"]["1.9.0"]["scripts"], json!({"install": "node x"}));
    let text = reply.text();
    assert!(text.find("\"1.9.0\":{").unwrap() < text.find("\"1.10.0\":{").unwrap(), "order of publication");
}

#[tokio::test]
async fn the_abbreviated_form_is_for_those_who_ask() {
    let upstream = two_packages().start().await;
    let reply = Call::get(upstream.address(), "/left-pad").header("accept", ABBREVIATED).send().await;
    assert_eq!(reply.header("content-type"), Some(ABBREVIATED));
    let document = reply.json();
    assert_eq!(document["time"], json!(null));
    assert_eq!(document["versions"]["1.9.0"]["hasInstallScript"], true);
    assert_eq!(document["versions"]["1.9.0"]["scripts"], json!(null));

    upstream.shape(|shape| shape.single_form = true);
    let reply = Call::get(upstream.address(), "/left-pad").header("accept", ABBREVIATED).send().await;
    assert_eq!(reply.header("content-type"), Some("application/json"));
    assert!(reply.json()["time"].is_object());
}

#[tokio::test]
async fn scoped_names_come_in_all_spellings() {
    let upstream = two_packages().start().await;
    let spellings = ["/@acme%2fweb", "/@acme%2Fweb", "/@acme/web", "/%40acme%2fweb"];
    for path in spellings {
        let reply = Call::get(upstream.address(), path).send().await;
        assert_eq!((reply.status, reply.json()["name"].as_str()), (200, Some("@acme/web")), "{path}");
    }
    assert_eq!(upstream.requests("/@acme/web").iter().map(|received| received.raw.as_str()).collect::<Vec<_>>(), spellings);
}

#[tokio::test]
async fn a_tarball_is_a_true_archive_under_its_stated_hashes() {
    let upstream = two_packages().start().await;
    let document = Call::get(upstream.address(), "/left-pad").send().await.json();
    let dist = &document["versions"]["1.10.0"]["dist"];
    let url = dist["tarball"].as_str().unwrap();
    let path = url.strip_prefix(upstream.url().as_str()).unwrap();
    assert_eq!(path, "left-pad/-/left-pad-1.10.0.tgz");
    let reply = Call::get(upstream.address(), &format!("/{path}")).send().await;
    assert_eq!(dist["integrity"], Digest::of(&reply.body).sri());
    assert_eq!(reply.body, upstream.tarball("left-pad", "1.10.0"));

    let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(&reply.body[..]));
    let files: Vec<(String, String)> = archive
        .entries()
        .unwrap()
        .map(|entry| {
            let mut entry = entry.unwrap();
            let mut text = String::new();
            entry.read_to_string(&mut text).unwrap();
            (entry.path().unwrap().display().to_string(), text)
        })
        .collect();
    assert_eq!(
        files.iter().map(|(path, _)| path.as_str()).collect::<Vec<_>>(),
        ["package/package.json", "package/index.js", "package/lib/a.js"]
    );
    assert_eq!(serde_json::from_str::<serde_json::Value>(&files[0].1).unwrap()["version"], "1.10.0");
    assert_eq!(files[2].1, "1");
}

#[tokio::test]
async fn head_says_what_get_would() {
    let upstream = two_packages().start().await;
    for path in ["/left-pad", "/left-pad/-/left-pad-1.9.0.tgz"] {
        let get = Call::get(upstream.address(), path).send().await;
        let head = Call::new(upstream.address(), "HEAD", path).send().await;
        assert_eq!((head.status, head.body.len()), (200, 0));
        assert_eq!(head.header("content-length").unwrap(), get.body.len().to_string());
    }
}

#[tokio::test]
async fn validators_are_honoured_where_they_are_given() {
    let upstream = two_packages().start().await;
    let first = Call::get(upstream.address(), "/left-pad").send().await;
    let (etag, modified) = (first.header("etag").unwrap(), first.header("last-modified").unwrap());
    assert_eq!(modified, "Fri, 20 Nov 2026 07:00:00 GMT");
    for (name, value) in [("if-none-match", etag), ("if-modified-since", modified)] {
        let again = Call::get(upstream.address(), "/left-pad").header(name, value).send().await;
        assert_eq!((again.status, again.body.len()), (304, 0), "{name}");
    }
    upstream.publish("left-pad", "1.11.0");
    let changed =
        Call::get(upstream.address(), "/left-pad").header("if-none-match", etag).header("if-modified-since", modified).send().await;
    assert_eq!((changed.status, &changed.json()["dist-tags"]["latest"]), (200, &json!("1.11.0")));

    let mirror = two_packages().like_a_mirror().start().await;
    let reply = Call::get(mirror.address(), "/left-pad").send().await;
    assert_eq!((reply.header("etag"), reply.header("last-modified")), (None, None));
    assert_eq!(reply.json()["time"]["created"], json!(null));
}

#[tokio::test]
async fn it_changes_while_it_runs() {
    let upstream = two_packages().start().await;
    let get = |path: &'static str| Call::get(upstream.address(), path).send();
    upstream.remove("left-pad", "1.10.0");
    let document = get("/left-pad").await.json();
    assert_eq!(document["versions"].as_object().unwrap().keys().collect::<Vec<_>>(), ["1.9.0"]);
    assert_eq!(document["time"]["1.10.0"], "2026-11-20T09:00:00+02:00", "the time stays");
    assert_eq!(get("/left-pad/-/left-pad-1.10.0.tgz").await.status, 404);

    let before = upstream.tarball("left-pad", "1.9.0");
    upstream.package("left-pad", |p| _ = p.release("1.9.0").file("index.js", "other"));
    assert_ne!(get("/left-pad/-/left-pad-1.9.0.tgz").await.body, before);

    upstream.set_time("left-pad", "1.9.0", "nonsense");
    assert_eq!(get("/left-pad").await.json()["time"]["1.9.0"], "nonsense");
    upstream.remove_package("left-pad");
    assert_eq!(get("/left-pad").await.status, 404);
}

#[tokio::test]
async fn a_release_lies_only_where_it_is_told_to() {
    let upstream = Scenario::new()
        .package("liar", |p| {
            p.release("1.0.0").listed("scripts", json!({})).shipped("scripts", json!({"install": "node x"})).wrong_integrity();
            p.release("2.0.0").only_sha1().file_name("odd.tgz");
            p.release("3.0.0").manifest_text(r#"{"name":"liar","name":"twice"}"#);
            p.release("4.0.0+build").tarball_url("https://files.registry.example/liar.tgz").without_time();
            p.tag("beta", "9.9.9").untag("latest");
        })
        .start()
        .await;
    let reply = Call::get(upstream.address(), "/liar").send().await;
    assert!(reply.text().contains(r#""3.0.0":{"name":"liar","name":"twice"}"#));
    let document = reply.json();
    let dist = |version: &str| &document["versions"][version]["dist"];
    assert_ne!(dist("1.0.0")["integrity"], Digest::of(&upstream.tarball("liar", "1.0.0")).sri());
    assert_eq!((&dist("2.0.0")["integrity"], dist("2.0.0")["shasum"].as_str().unwrap().len()), (&json!(null), 40));
    assert!(dist("2.0.0")["tarball"].as_str().unwrap().ends_with("/liar/-/odd.tgz"));
    assert_eq!(dist("4.0.0+build")["tarball"], "https://files.registry.example/liar.tgz");
    assert_eq!(document["time"]["4.0.0+build"], json!(null));
    assert_eq!(document["dist-tags"], json!({"beta": "9.9.9"}));
    assert_eq!(Call::get(upstream.address(), "/liar/-/liar-4.0.0.tgz").send().await.status, 200, "+build is not in a file's name");
}

#[tokio::test]
async fn single_versions_tags_and_unknown_names() {
    let upstream = two_packages().start().await;
    for (path, status) in [
        ("/left-pad/1.9.0", 200),
        ("/left-pad/latest", 200),
        ("/@acme/web/1.0.0", 200),
        ("/left-pad/3.0.0", 404),
        ("/right-pad", 404),
        ("/-/ping", 200),
        ("/-/package/@acme%2fweb/dist-tags", 200),
    ] {
        assert_eq!(Call::get(upstream.address(), path).send().await.status, status, "{path}");
    }
    assert_eq!(Call::new(upstream.address(), "PUT", "/left-pad").json(&json!({})).send().await.status, 405);
}

#[tokio::test]
async fn a_prefix_is_part_of_every_address() {
    let upstream = two_packages().shape(|shape| shape.prefix = "/repository/npm/".into()).start().await;
    let reply = Call::get(upstream.address(), "/repository/npm/left-pad").send().await;
    let tarball = reply.json()["versions"]["1.9.0"]["dist"]["tarball"].as_str().unwrap().to_owned();
    assert_eq!(tarball, format!("http://{}/repository/npm/left-pad/-/left-pad-1.9.0.tgz", upstream.address()));
    assert_eq!(Call::get(upstream.address(), "/left-pad").send().await.status, 404);
    assert_eq!(upstream.count("/left-pad"), 2);
}

#[tokio::test]
async fn what_was_told_is_known() {
    let upstream = two_packages().start().await;
    Call::get(upstream.address(), "/left-pad").bearer("S3cret").send().await;
    assert_eq!(upstream.log()[0].header("authorization"), Some("Bearer S3cret"));
    assert!(upstream.log()[0].mentions("s3CRET") && upstream.log()[0].mentions("left-pad"));
    upstream.assert_never_told("@acme");
    upstream.forget_requests();
    upstream.assert_never_told("S3cret");
}

#[tokio::test]
#[should_panic(expected = "upstream was told")]
async fn a_secret_that_was_told_fails_the_test() {
    let upstream = two_packages().start().await;
    Call::get(upstream.address(), "/@acme%2fprivate").send().await;
    upstream.assert_never_told("@acme/private");
}
