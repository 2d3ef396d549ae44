//! What is listed: what screening passed, or only what passed everything. And an entry of the index that changes later.

use airlock::config::policy::Listing;
use serde_json::json;

use crate::support::scenario::Scenario;

#[tokio::test]
async fn where_only_what_passed_is_listed_what_a_client_wants_next_is_inspected_when_it_asks() {
    let scenario = Scenario::new().package("left-pad", |p| {
        for version in ["1.0.0", "1.1.0", "2.0.0", "2.1.0-rc.1"] {
            p.release(version);
        }
        p.tag("latest", "2.0.0");
    });
    let airlock = scenario.gated_by(|config| config.policy.listing = Listing::Approved).await;
    assert_eq!(airlock.listed("left-pad").await, ["1.1.0", "2.0.0"], "the newest of each major");
    assert_eq!(airlock.listed("left-pad").await, ["1.1.0", "2.0.0"], "and no more of them at each request");
    assert_eq!(airlock.upstream.count("/left-pad/-/left-pad-1.0.0.tgz"), 0);
    assert_eq!(airlock.get("/left-pad").await.json()["dist-tags"]["latest"], "2.0.0");
    assert_eq!(airlock.tarball("left-pad", "1.0.0").await.status, 200, "a lockfile still has its own way in");
    assert_eq!(airlock.listed("left-pad").await, ["1.0.0", "1.1.0", "2.0.0"]);
}

#[tokio::test]
async fn an_entry_that_changes_after_its_inspection_is_inspected_again() {
    let airlock = Scenario::new().package("left-pad", |p| _ = p.release("1.0.0")).gated().await;
    assert_eq!(airlock.tarball("left-pad", "1.0.0").await.status, 200);
    airlock.upstream.package("left-pad", |p| _ = p.release("1.0.0").listed("deprecated", json!("old")));
    airlock.advance("10m");
    assert_eq!(airlock.get("/left-pad").await.json()["versions"]["1.0.0"]["deprecated"], "old");
    assert_eq!(airlock.release("left-pad", "1.0.0").await["standing"], "approved", "a deprecation changes nothing that installs");
    airlock.upstream.package("left-pad", |p| _ = p.release("1.0.0").listed("dependencies", json!({"evil": "1.0.0"})));
    airlock.advance("10m");
    let refused = airlock.tarball("left-pad", "1.0.0").await;
    assert!(refused.status == 403 && refused.text().contains("its archive says something else than the index"), "{}", refused.text());
    assert!(airlock.listed("left-pad").await.is_empty());
    assert_eq!(airlock.upstream.count("/left-pad/-/left-pad-1.0.0.tgz"), 1, "the bytes were kept");
}

#[tokio::test]
async fn an_entry_that_two_readers_take_differently_is_never_admissible_bytes() {
    let scenario = Scenario::new().package("left-pad", |p| {
        p.release("0.9.0");
        for (version, odd) in [("1.0.0", r#""config":{"a":1,"a":2}"#), ("1.1.0", r#""config":{"__proto__":{}}"#)] {
            let integrity = p.release(version).tarball().integrity.clone();
            let url = format!("https://files.example/left-pad/-/left-pad-{version}.tgz");
            let text =
                format!(r#"{{"name":"left-pad","version":"{version}",{odd},"dist":{{"tarball":"{url}","integrity":"{integrity}"}}}}"#);
            p.release(version).manifest_text(&text);
        }
    });
    let airlock = scenario.gated().await;
    assert!(!airlock.listed("left-pad").await.contains(&"1.1.0".to_owned()), "a forbidden key is found at reading");
    for (version, kind) in [("1.0.0", "unreadable_artifact"), ("1.1.0", "unreadable_manifest")] {
        assert_eq!(airlock.tarball("left-pad", version).await.status, 403, "{version}");
        let release = airlock.release("left-pad", version).await;
        assert_eq!((&release["standing"], &release["findings"][0]["kind"]), (&json!("rejected"), &json!(kind)), "{release:#}");
    }
    assert_eq!(airlock.listed("left-pad").await, ["0.9.0"]);
}
