//! Packages of a registry that the company runs itself: their bytes are proven, and nothing else is asked of them.

use airlock::config::Config;
use airlock::config::policy::TrustedPackages;
use airlock::model::pattern::PackagePattern;
use serde_json::json;

use crate::support::scenario::Package;
use crate::support::scenario::Scenario;

const WEB: &str = "@acme/web";

fn trusting(config: &mut Config) {
    let packages = vec![PackagePattern::parse("@acme/*").unwrap()];
    config.policy.trusted.push(TrustedPackages { packages, reason: "our own registry".to_owned() });
}

/// Published an hour ago, with what would wait for people elsewhere.
fn young_and_odd(p: &mut Package) {
    p.release("1.0.0").age("1h").file("binding.gyp", "{}");
}

#[tokio::test]
async fn integrity_only_and_said_so() {
    let airlock = Scenario::new().package(WEB, young_and_odd).package("left-pad", young_and_odd).gated_by(trusting).await;
    assert_eq!(airlock.listed(WEB).await, ["1.0.0"]);
    assert_eq!(airlock.tarball(WEB, "1.0.0").await.body, airlock.upstream.tarball(WEB, "1.0.0"));
    assert_eq!(airlock.tarball("left-pad", "1.0.0").await.status, 403, "nobody else is");

    let open = airlock.release(WEB, "1.0.0").await;
    assert_eq!((&open["trusted"], &open["standing"]), (&json!("our own registry"), &json!("approved")));
    assert_eq!(open["sentence"], "@acme/web@1.0.0 is approved: trusted (our own registry).");
    assert_eq!(open["findings"], json!([]), "nobody looked inside");
    let audit = airlock.as_admin("GET", "/-/airlock/v1/audit?limit=500").send().await.text();
    assert!(audit.contains("trusted, so that nobody looked inside"), "{audit}");
    assert!(audit.contains("our own registry"), "the policy is recorded whole: {audit}");
}

#[tokio::test]
async fn a_person_still_stops_it() {
    let airlock = Scenario::new().package(WEB, young_and_odd).gated_by(trusting).await;
    assert_eq!(airlock.decide(WEB, "1.0.0", "reject", "it phones home").await.status, 200);
    assert_eq!(airlock.tarball(WEB, "1.0.0").await.status, 403);
}

#[tokio::test]
async fn a_wrong_hash_is_refused_all_the_same() {
    let lying = |p: &mut Package| _ = p.release("1.0.0").wrong_integrity();
    let silent = |p: &mut Package| _ = p.release("1.0.0").without_integrity();
    let airlock = Scenario::new().package(WEB, lying).package("@acme/silent", silent).gated_by(trusting).await;
    for name in [WEB, "@acme/silent"] {
        let refused = airlock.tarball(name, "1.0.0").await;
        assert_eq!(refused.status, 403, "{name}: {}", refused.text());
    }
    assert_eq!(airlock.release(WEB, "1.0.0").await["standing"], "rejected");
}

#[tokio::test]
async fn untrusting_it_inspects() {
    let old_and_odd = |p: &mut Package| _ = p.release("1.0.0").file("binding.gyp", "{}");
    let airlock = Scenario::new().package(WEB, old_and_odd).gated_by(trusting).await;
    assert_eq!(airlock.tarball(WEB, "1.0.0").await.status, 200);
    let airlock = airlock.restart_with(|config| config.policy.trusted.clear()).await;
    let refused = airlock.tarball(WEB, "1.0.0").await;
    assert_eq!(refused.status, 403, "what was never looked into is looked into now: {}", refused.text());
    assert_eq!(airlock.release(WEB, "1.0.0").await["standing"], "in_review");
}
