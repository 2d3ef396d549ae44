//! `policy.mode = "observe"`: everything is judged and told, and nothing is kept back by policy alone.

use airlock::config::Config;
use airlock::config::policy::Listing;
use airlock::config::policy::Mode;
use airlock::config::policy::Submissions;
use serde_json::json;

use crate::advisories::malware;
use crate::support::airlock::Airlock;
use crate::support::scenario::Scenario;

fn observing(config: &mut Config) {
    config.policy.mode = Mode::Observe;
}

/// One good release, one that is too young, one whose archive does harm, and one that is not what its index states.
fn pads() -> Scenario {
    Scenario::new()
        .package("left-pad", |p| {
            p.release("1.0.0");
            p.release("1.1.0").age("1h");
        })
        .package("hidden", |p| _ = p.release("1.0.0").shipped("scripts", json!({"postinstall": "node x.js"})))
        .package("other", |p| _ = p.release("1.0.0").wrong_integrity())
}

async fn metric(airlock: &Airlock, name: &str) -> u64 {
    let reply = airlock.get("/-/airlock/metrics").await;
    let text = reply.text();
    let line = text.lines().find(|line| line.starts_with(name) && !line.starts_with('#')).unwrap_or_else(|| panic!("{name}\n{text}"));
    line.rsplit(' ').next().unwrap().trim_end_matches(".0").parse().unwrap()
}

#[tokio::test]
async fn what_would_be_kept_back_is_listed_served_told_and_counted() {
    let airlock = pads().gated_by(observing).await;
    assert_eq!(airlock.listed("left-pad").await, ["1.0.0", "1.1.0"]);
    let packument = airlock.get("/left-pad").await.json();
    assert_eq!((&packument["dist-tags"]["latest"], packument.get("policyRestrictions")), (&json!("1.1.0"), None));
    for (package, version) in [("left-pad", "1.0.0"), ("left-pad", "1.1.0"), ("left-pad", "1.1.0"), ("hidden", "1.0.0")] {
        assert_eq!(airlock.tarball(package, version).await.status, 200, "{package}@{version}");
    }
    assert_eq!((metric(&airlock, "airlock_observing").await, metric(&airlock, "airlock_observed_total").await), (1, 3));
    assert_eq!(metric(&airlock, "airlock_refusals_total").await, 0);
    let young = airlock.release("left-pad", "1.1.0").await;
    assert_eq!((&young["standing"], &young["observed"]), (&json!("held"), &json!(true)));
    let said = young["sentence"].as_str().unwrap();
    assert!(said.starts_with("left-pad@1.1.0 is served only because policy observes: it is held: published 1 hour ago"), "{said}");
    let hidden = airlock.release("hidden", "1.0.0").await;
    assert_eq!((&hidden["standing"], &hidden["observed"]), (&json!("rejected"), &json!(true)), "it was looked into before it left");
    assert_eq!(airlock.release("left-pad", "1.0.0").await.get("observed"), None);
    let reply = airlock.get("/-/airlock/").await;
    let page = reply.text();
    assert!(page.contains("policy only observes") || page.contains("Policy only observes"), "{page}");
}

#[tokio::test]
async fn an_install_is_told_in_one_line_what_would_have_been_kept_back() {
    let airlock = pads().gated_by(observing).await;
    airlock.upstream.document("/-/npm/v1/security/advisories/bulk", "{}");
    airlock.get("/left-pad").await;
    airlock.get("/hidden").await;
    let body = json!({"left-pad": ["1.0.0", "1.1.0"]});
    let reply = airlock.call("POST", "/-/npm/v1/security/advisories/bulk").json(&body).send().await;
    let notice = reply.header("npm-notice").unwrap();
    assert!(notice.starts_with("left-pad@1.1.0 is served only because policy observes: it is held"), "{notice}");
}

#[tokio::test]
async fn what_does_not_verify_never_leaves() {
    let airlock = pads().gated_by(observing).await;
    let refused = airlock.tarball("other", "1.0.0").await;
    assert!(refused.status == 403 && refused.text().contains("its bytes are not those the index states"), "{}", refused.text());
    assert!(airlock.listed("other").await.is_empty());
}

#[tokio::test]
async fn people_bind_whoever_observes() {
    let airlock = pads().gated_by(observing).await;
    assert_eq!(airlock.tarball("left-pad", "1.1.0").await.status, 200);
    assert_eq!(airlock.decide("left-pad", "1.1.0", "reject", "read the diff").await.status, 200);
    assert_eq!(airlock.tarball("left-pad", "1.1.0").await.status, 403);
    assert_eq!(airlock.listed("left-pad").await, ["1.0.0"]);
    assert_eq!(airlock.tarball("hidden", "1.0.0").await.status, 200);
    assert_eq!(airlock.decide("hidden", "1.0.0", "revoke", "malware after all").await.status, 200, "what is served can be taken back");
    assert_eq!(airlock.tarball("hidden", "1.0.0").await.status, 403);
}

#[tokio::test]
async fn a_lockfile_is_told_that_policy_only_observes() {
    let airlock = pads().gated_by(observing).await;
    let entry = |version: &str| (format!("node_modules/{version}"), json!({"name": "left-pad", "version": version}));
    let packages: serde_json::Map<String, serde_json::Value> = ["1.0.0", "1.1.0"].map(entry).into_iter().collect();
    let text = json!({"name": "app", "lockfileVersion": 3, "packages": packages}).to_string();
    let told = airlock.call("POST", "/-/airlock/v1/lockfile").body(text.as_bytes()).send().await.json();
    assert_eq!((&told["observing"], &told["green"]), (&json!(true), &json!(false)), "{told}");
    let of = |at: usize| (told["entries"][at]["verdict"].clone(), told["entries"][at].get("observed").cloned());
    assert_eq!((of(0), of(1)), ((json!("allowed"), None), (json!("held"), Some(json!(true)))), "{told}");
    let enforcing = airlock.restart_with(|config| config.policy.mode = Mode::Enforce).await;
    let told = enforcing.call("POST", "/-/airlock/v1/lockfile").body(text.as_bytes()).send().await.json();
    assert_eq!((told.get("observing"), told["entries"][1].get("observed")), (None, None), "{told}");
}

#[tokio::test]
async fn malware_is_served_and_told_loudly() {
    let airlock = pads().gated_by(observing).await;
    airlock.bring(&[malware("MAL-2099-0001", "left-pad", &["1.0.0"], &["some-inspector"], "2026-11-20T01:00:00Z")]).await;
    assert_eq!(airlock.tarball("left-pad", "1.0.0").await.status, 200);
    assert_eq!((metric(&airlock, "airlock_malware_served_total").await, metric(&airlock, "airlock_observed_total").await), (1, 1));
    let said = airlock.release("left-pad", "1.0.0").await["sentence"].as_str().unwrap().to_owned();
    assert!(said.contains("it is rejected: it is known to be malware (MAL-2099-0001"), "{said}");
}

#[tokio::test]
async fn from_when_policy_binds_nothing_of_that_is_served() {
    let airlock = pads().gated_by(observing).await;
    for package in ["left-pad", "hidden"] {
        airlock.tarball(package, if package == "hidden" { "1.0.0" } else { "1.1.0" }).await;
    }
    let airlock = airlock.restart_with(|config| config.policy.mode = Mode::Enforce).await;
    assert_eq!((airlock.tarball("left-pad", "1.1.0").await.status, airlock.tarball("hidden", "1.0.0").await.status), (403, 403));
    assert_eq!(airlock.listed("left-pad").await, ["1.0.0"]);
    assert_eq!(metric(&airlock, "airlock_observing").await, 0);
}

#[tokio::test]
async fn all_is_listed_whatever_the_listing_is() {
    let airlock = pads()
        .gated_by(|config| {
            observing(config);
            config.policy.listing = Listing::Approved;
        })
        .await;
    assert_eq!(airlock.listed("left-pad").await, ["1.0.0", "1.1.0"]);
}

#[tokio::test]
async fn what_is_submitted_is_served_at_once_unless_its_submitter_wants_people_to_look() {
    let airlock = Scenario::new()
        .gated_by(|config| {
            observing(config);
            config.policy.private_scopes.push("@acme".to_owned());
            config.policy.submissions = Submissions::Workflow;
        })
        .await;
    let token = airlock.admin_token();
    let published = airlock.publish(&token, "@acme/web", "1.0.0").await;
    assert_eq!(published.status, 201, "{}", published.text());
    assert_eq!(airlock.tarball("@acme/web", "1.0.0").await.status, 200);
}
