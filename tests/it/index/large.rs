//! Large packages: 25 MB and 2,500 versions are answered like any other, and limits are limits.

use std::fmt::Write;
use std::io::Read;
use std::time::Instant;

use serde_json::Value;

use crate::support::scenario::Scenario;

/// A packument of `versions` releases, each padded to `bytes`; every hundredth is too young. 1.0.0 is the first.
fn document(versions: usize, bytes: usize) -> String {
    let mut manifests = String::with_capacity(versions * (bytes + 64));
    let mut times = String::with_capacity(versions * 48);
    for n in 0..versions {
        let version = format!("1.{n}.0");
        let comma = if n == 0 { "" } else { "," };
        let head = format!(
            r#"{comma}"{version}":{{"name":"big","version":"{version}","dependencies":{{"a":"^1.{n}.0"}},"dist":{{"tarball":"https://registry.example/big/-/big-{version}.tgz","shasum":"da39a3ee5e6b4b0d3255bfef95601890afd80709"}},"x-padding":""#
        );
        let padding = bytes.saturating_sub(head.len());
        manifests.push_str(&head);
        // Varied, so that it packs as real text does and not to nothing.
        for at in 0..padding {
            manifests.push(char::from(b'a' + u8::try_from((at * 7 + at / 11 + n) % 26).unwrap()));
        }
        manifests.push_str("\"}");
        let time = if n % 100 == 99 { "2026-11-20T03:00:00.000Z" } else { "2024-01-01T00:00:00.000Z" };
        write!(times, r#"{comma}"{version}":"{time}""#).unwrap();
    }
    let latest = versions - 1;
    format!(r#"{{"name":"big","dist-tags":{{"latest":"1.{latest}.0"}},"versions":{{{manifests}}},"time":{{{times}}}}}"#)
}

#[tokio::test]
async fn twenty_five_megabytes_and_2500_versions() {
    const VERSIONS: usize = 2_500;
    let text = document(VERSIONS, 10_400);
    assert!(text.len() > 25_000_000, "{}", text.len());
    let airlock = Scenario::new().package("big", |p| _ = p.document_text(&text)).gated().await;
    let began = Instant::now();
    let full = airlock.get("/big").await;
    eprintln!("cold, full: {:?} for {} bytes", began.elapsed(), full.body.len());
    assert_eq!((full.status, full.complete), (200, true));
    assert_eq!(full.header("content-length").unwrap(), full.body.len().to_string());
    let packument: Value = full.json();
    let versions = packument["versions"].as_object().unwrap();
    assert_eq!(versions.len(), VERSIONS - VERSIONS / 100);
    assert!(!versions.contains_key("1.99.0") && versions.contains_key("1.100.0"));
    assert_eq!(packument["time"].as_object().unwrap().len(), versions.len() + 2);
    assert_eq!(packument["dist-tags"]["latest"], "1.2498.0");
    assert_eq!(packument["policyRestrictions"]["versions"].as_object().unwrap().len(), 25);
    for (version, manifest) in versions {
        assert_eq!(manifest["dist"]["tarball"], format!("{}big/-/big-{version}.tgz", airlock.url()));
    }
    let began = Instant::now();
    let packed = airlock.call("GET", "/big").header("accept-encoding", "gzip").send().await;
    eprintln!("warm, gzip: {:?} for {} bytes", began.elapsed(), packed.body.len());
    let mut unpacked = Vec::new();
    flate2::read::GzDecoder::new(&packed.body[..]).read_to_end(&mut unpacked).unwrap();
    assert_eq!(unpacked, full.body);
    let began = Instant::now();
    let brief = airlock.call("GET", "/big").header("accept", "application/vnd.npm.install-v1+json").send().await;
    eprintln!("abbreviated: {:?} for {} bytes", began.elapsed(), brief.body.len());
    assert_eq!(brief.json()["versions"].as_object().unwrap().len(), versions.len());
    assert!(brief.body.len() * 10 < full.body.len());
    assert_eq!(airlock.upstream.count("/big"), 1, "read once");
    assert_eq!(airlock.get("/big/1.99.0").await.status, 403);
    assert_eq!(airlock.get("/big/1.2400.0").await.json()["version"], "1.2400.0");
    airlock.advance("7d");
    assert_eq!(airlock.listed("big").await.len(), VERSIONS);
}

#[tokio::test]
async fn more_versions_than_anyone_publishes_are_an_upstream_fault() {
    let many = |count: usize| {
        let mut text = String::from(r#"{"name":"big","versions":{"#);
        for n in 0..count {
            write!(text, r#"{}"1.0.{n}":{{}}"#, if n == 0 { "" } else { "," }).unwrap();
        }
        text + "}}"
    };
    let airlock = Scenario::new().package("big", |p| _ = p.document_text(&many(50_001))).gated().await;
    let reply = airlock.get("/big").await;
    assert_eq!(reply.status, 502);
    assert!(reply.json()["error"].as_str().unwrap().contains("the number of versions"), "{}", reply.text());
}

#[tokio::test]
async fn more_tags_than_anyone_sets_are_an_upstream_fault() {
    let mut tags = String::new();
    for n in 0..10_001 {
        write!(tags, r#"{}"t{n}":"1.0.0""#, if n == 0 { "" } else { "," }).unwrap();
    }
    let text = format!(r#"{{"name":"big","dist-tags":{{{tags}}},"versions":{{}}}}"#);
    let airlock = Scenario::new().package("big", |p| _ = p.document_text(&text)).gated().await;
    let reply = airlock.get("/big").await;
    assert_eq!(reply.status, 502);
    assert!(reply.json()["error"].as_str().unwrap().contains("the number of dist-tags"), "{}", reply.text());
}

#[tokio::test]
async fn a_head_nested_beyond_reason_is_an_upstream_fault() {
    let text = format!(r#"{{"name":"big","readme":{}{},"versions":{{}}}}"#, "[".repeat(100_000), "]".repeat(100_000));
    let airlock = Scenario::new().package("big", |p| _ = p.document_text(&text)).gated().await;
    assert_eq!(airlock.get("/big").await.status, 502);
    assert_eq!(airlock.get("/-/ping").await.status, 200);
}
