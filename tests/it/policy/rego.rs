//! `[policy.rego]`, through the front door.

use airlock::config::rego::Module;
use airlock::model::finding::Action;
use airlock::model::finding::FindingKind;
use serde_json::json;

use crate::support::airlock::Airlock;
use crate::support::scenario::Scenario;

const MODULE: &str = r#"package airlock

builds if {
    some found in input.findings
    found.kind == "install_script"
}

deny contains sprintf("%v runs programs and is under %v", [input.name, input.artifacts[0].license]) if {
    builds
    input.artifacts[0].license != "MIT"
}

review contains "it runs programs" if builds
"#;

fn builders() -> Scenario {
    let with = |scenario: Scenario, name: &str, license: &str| {
        scenario.package(name, |p| {
            p.release("1.0.0").field("license", json!(license)).script("postinstall", "node build.js").file("build.js", "1");
        })
    };
    let scenario = Scenario::new().package("left-pad", |p| _ = p.release("1.0.0"));
    let scenario = scenario.package("no-licence", |p| {
        p.release("1.0.0").script("postinstall", "node build.js").file("build.js", "1");
    });
    with(with(scenario, "esbuild", "MIT"), "other-build", "GPL-3.0-only")
}

fn module(text: &str) -> Option<Module> {
    Some(Module::parse(text).unwrap())
}

async fn standing(airlock: &Airlock, package: &str) -> String {
    airlock.release(package, "1.0.0").await["standing"].as_str().unwrap().to_owned()
}

/// `kind: evidence`, of what the rules found.
async fn found(airlock: &Airlock, package: &str) -> Vec<String> {
    let release = airlock.release(package, "1.0.0").await;
    let all = release["findings"].as_array().unwrap().iter();
    let all = all.map(|one| format!("{}: {}", one["kind"].as_str().unwrap(), one["evidence"].as_str().unwrap()));
    all.filter(|one| one.starts_with("rego_")).collect()
}

#[tokio::test]
async fn rules_of_ones_own_are_asked_once_the_bytes_are_known_and_only_close() {
    let airlock = builders().gated_by(|config| config.policy.rego = module(MODULE)).await;
    assert_eq!(airlock.tarball("left-pad", "1.0.0").await.status, 200);
    let denied = airlock.tarball("other-build", "1.0.0").await;
    assert_eq!(denied.status, 403);
    let told = "a rule of this company denies it (other-build runs programs and is under GPL-3.0-only)";
    assert!(denied.text().contains(told), "{}", denied.text());
    assert_eq!(standing(&airlock, "other-build").await, "rejected");
    assert!(found(&airlock, "other-build").await.contains(&"rego_review: it runs programs".to_owned()));
    assert!(airlock.listed("other-build").await.is_empty());

    assert_eq!(airlock.tarball("no-licence", "1.0.0").await.status, 403);
    assert_eq!(standing(&airlock, "no-licence").await, "rejected", "what says nothing of its licence is not under MIT");

    assert_eq!(airlock.tarball("esbuild", "1.0.0").await.status, 403);
    assert_eq!(standing(&airlock, "esbuild").await, "in_review");
    assert_eq!(airlock.decide("esbuild", "1.0.0", "approve", "we read it").await.status, 200);
    assert_eq!(airlock.tarball("esbuild", "1.0.0").await.status, 200);

    let words = MODULE.replace("it runs programs", "it runs programs, and somebody has to see which");
    let airlock = airlock.restart_with(|config| config.policy.rego = module(&words)).await;
    assert_eq!(airlock.tarball("esbuild", "1.0.0").await.status, 403, "what was approved is what the rule said then");
    let airlock = airlock.restart_with(|config| config.policy.rego = None).await;
    assert_eq!(airlock.tarball("other-build", "1.0.0").await.status, 200);
}

#[tokio::test]
async fn a_rule_that_fails_keeps_back_what_it_was_asked_of() {
    let failing = "package airlock\ndeny contains input.artifacts[0].files if input.name == \"esbuild\"\n";
    let airlock = builders().gated_by(|config| config.policy.rego = module(failing)).await;
    assert_eq!(airlock.tarball("left-pad", "1.0.0").await.status, 200);
    assert_eq!(airlock.tarball("esbuild", "1.0.0").await.status, 403);
    assert_eq!(standing(&airlock, "esbuild").await, "in_review");
    assert_eq!(found(&airlock, "esbuild").await, ["rego_failed: deny is neither a set of texts nor a boolean"]);
}

#[tokio::test]
async fn what_a_finding_of_the_rules_does_is_policys_business() {
    let airlock = builders()
        .gated_by(|config| {
            config.policy.rego = module(MODULE);
            config.policy.findings.insert(FindingKind::RegoDenied, Action::Note);
            config.policy.findings.insert(FindingKind::RegoReview, Action::Note);
        })
        .await;
    assert_eq!(airlock.tarball("other-build", "1.0.0").await.status, 200);
    assert_eq!(found(&airlock, "other-build").await.len(), 2);
}
