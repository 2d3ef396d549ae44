//! `[[policy.rules]]` and `[policy.licenses]`, through the front door.

use airlock::config::rules::Rule;
use airlock::model::finding::Action;
use airlock::model::finding::FindingKind;
use airlock::model::glob::NameGlob;
use airlock::model::license::LicensePattern;
use serde_json::json;

use crate::support::scenario::Scenario;

pub fn rule(packages: &[&str], findings: &[(FindingKind, Action)]) -> Rule {
    Rule {
        packages: packages.iter().map(|text| NameGlob::parse(text).unwrap()).collect(),
        ecosystem: None,
        published_by: Default::default(),
        publishers: Default::default(),
        findings: findings.iter().copied().collect(),
        reason: "it builds on purpose".to_owned(),
    }
}

fn builders() -> Scenario {
    let all = ["esbuild", "@esbuild/linux", "left-pad"].into_iter();
    all.fold(Scenario::new(), |scenario, name| {
        scenario.package(name, |p| _ = p.release("1.0.0").script("postinstall", "node build.js").file("build.js", "1"))
    })
}

#[tokio::test]
async fn the_first_rule_about_a_package_decides_and_is_named() {
    let airlock = builders()
        .gated_by(|config| {
            config.policy.findings.insert(FindingKind::InstallScript, Action::Reject);
            config.policy.rules = vec![rule(&["esbuild", "@esbuild/*"], &[(FindingKind::InstallScript, Action::Note)])];
        })
        .await;
    for package in ["esbuild", "@esbuild/linux"] {
        assert_eq!(airlock.tarball(package, "1.0.0").await.status, 200, "{package}");
        let release = airlock.release(package, "1.0.0").await;
        assert_eq!(release["findings"][0]["rule"], "policy.rules[0]: it builds on purpose", "{release:#}");
    }
    assert_eq!(airlock.tarball("left-pad", "1.0.0").await.status, 403);
    assert!(airlock.listed("left-pad").await.is_empty());
    let release = airlock.release("left-pad", "1.0.0").await;
    assert_eq!((&release["findings"][0]["action"], release["findings"][0].get("rule")), (&json!("reject"), None));
    let page = airlock.as_admin("GET", "/-/airlock/r/esbuild@1.0.0").header("accept", "text/html").send().await;
    assert!(page.text().contains("by policy.rules[0]: it builds on purpose"), "{}", page.text());
}

#[tokio::test]
async fn a_stricter_rule_closes_what_is_open_and_says_what_would_change_it() {
    let airlock = builders().gated().await;
    assert_eq!(airlock.tarball("esbuild", "1.0.0").await.status, 200);
    let stricter = rule(&["es*"], &[(FindingKind::InstallScript, Action::Review)]);
    let airlock = airlock.restart_with(|config| config.policy.rules = vec![stricter]).await;
    assert_eq!(airlock.tarball("esbuild", "1.0.0").await.status, 403);
    let release = airlock.release("esbuild", "1.0.0").await;
    assert_eq!(release["standing"], "in_review");
    assert!(release["would_change"].to_string().contains("another action for install_script in policy.rules[0]"), "{release:#}");
}

#[tokio::test]
async fn a_licence_is_known_once_the_bytes_are() {
    let scenario = Scenario::new()
        .package("left-pad", |p| _ = p.release("1.0.0").field("license", json!("(MIT OR GPL-3.0-only)")))
        .package("copyleft", |p| _ = p.release("1.0.0").field("license", json!("AGPL-3.0-only")))
        .package("silent", |p| _ = p.release("1.0.0").field("license", json!("see LICENSE")));
    let airlock = scenario.gated_by(|config| config.policy.licenses.deny = vec![LicensePattern::parse("AGPL-*").unwrap()]).await;
    assert_eq!(airlock.tarball("left-pad", "1.0.0").await.status, 200);
    let refused = airlock.tarball("copyleft", "1.0.0").await;
    let sentence = "copyleft@1.0.0 waits for review: its licence is one that policy does not take (AGPL-3.0-only).";
    assert!(refused.status == 403 && refused.json()["error"].as_str().unwrap().starts_with(sentence), "{}", refused.text());
    assert_eq!(airlock.tarball("silent", "1.0.0").await.status, 403, "nobody can say that it may be used");
    assert_eq!(airlock.decide("copyleft", "1.0.0", "approve", "legal says yes").await.status, 200);
    assert_eq!(airlock.tarball("copyleft", "1.0.0").await.status, 200);
}
