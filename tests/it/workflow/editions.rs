//! After an upgrade: what an older edition of the inspection let through goes on being served while it is inspected anew, one after the
//! other; what had not opened is looked at by the new edition first.

use airlock::model::actor::Actor;
use airlock::model::package::PackageId;
use airlock::model::package::Version;
use airlock::model::release::ReleaseId;
use airlock::quarantine::checks::inspection::EDITION;
use airlock::storage::local::LocalState;
use airlock::storage::record::Command;
use airlock::storage::state::Batch;
use airlock::storage::state::State;
use serde_json::json;

use crate::support::airlock::Airlock;
use crate::support::binary::files_below;
use crate::support::scenario::Scenario;
use crate::support::within;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Bytes {
    Kept,
    Lost,
}

/// As if the edition before had looked at these releases, and had seen nothing in them.
async fn before_the_upgrade(airlock: Airlock, releases: &[(&str, &str)], bytes: Bytes) -> Airlock {
    let at = airlock.now();
    let releases = releases.iter().map(|(package, version)| ((*package).to_owned(), (*version).to_owned())).collect::<Vec<_>>();
    let rewrite = async move |data_dir: std::path::PathBuf| {
        let state = LocalState::open(&data_dir).unwrap();
        let mut commands = Vec::new();
        for (package, version) in releases {
            let release = ReleaseId { package: PackageId::npm(&package).unwrap(), version: Version::parse(&version).unwrap() };
            let known = state.package(&release.package).await.unwrap();
            for (file, inspection) in &known.releases[&release.version].inspections {
                let mut inspection = (**inspection).clone();
                assert_eq!(inspection.edition, EDITION);
                inspection.edition = EDITION - 1;
                inspection.facts.signals.clear();
                commands.push(Command::Inspected { release: release.clone(), file: file.clone(), inspection: Box::new(inspection) });
            }
        }
        state.commit(Batch { at, actor: Actor::Airlock, conditions: Vec::new(), commands }).await.unwrap();
        state.close().await;
        if bytes == Bytes::Lost {
            let kept = ["approved", "quarantine"].map(|zone| files_below(&data_dir.join(zone)));
            kept.into_iter().flatten().for_each(|file| std::fs::remove_file(file).unwrap());
        }
    };
    airlock.restart_after(rewrite).await
}

/// Editions of the inspections of a release, in the order in which they were recorded.
async fn editions(airlock: &Airlock, package: &str, version: &str) -> Vec<u64> {
    let audit = airlock.as_admin("GET", "/-/airlock/v1/audit?limit=500").send().await.json();
    let commands = audit["entries"].as_array().unwrap().iter().flat_map(|entry| entry["commands"].as_array().unwrap());
    let is_it = |command: &&serde_json::Value| {
        command["command"] == "inspected"
            && command["release"].to_string().contains(package)
            && command["release"].to_string().contains(version)
    };
    commands.filter(is_it).map(|command| command["inspection"]["edition"].as_u64().unwrap()).collect()
}

const NOW: u64 = EDITION as u64;

#[tokio::test]
async fn what_was_let_through_is_served_while_it_is_inspected_anew() {
    let names = ["a-pad", "b-pad", "c-pad"];
    let mut scenario = Scenario::new();
    for name in names {
        scenario = scenario.package(name, |p| _ = p.release("1.0.0"));
    }
    let airlock = scenario.gated().await;
    for name in names {
        assert_eq!(airlock.tarball(name, "1.0.0").await.status, 200);
    }
    let airlock = before_the_upgrade(airlock, &names.map(|name| (name, "1.0.0")), Bytes::Kept).await;
    for name in names {
        assert_eq!(airlock.release(name, "1.0.0").await["standing"], "approved");
        assert_eq!(airlock.tarball(name, "1.0.0").await.status, 200);
        within("it to be inspected anew", async {
            while editions(&airlock, name, "1.0.0").await != [NOW, NOW - 1, NOW] {
                assert_eq!(airlock.release(name, "1.0.0").await["standing"], "approved", "it never closes");
            }
        })
        .await;
        assert_eq!(airlock.release(name, "1.0.0").await["standing"], "approved");
        assert_eq!(airlock.upstream.count(&format!("/{name}/-/{name}-1.0.0.tgz")), 1, "its bytes are here");
    }
    let airlock = airlock.restart().await;
    within("the queue to be whole", async {
        while airlock.as_admin("GET", "/-/airlock/v1/queue").send().await.json()["complete"] != json!(true) {}
    })
    .await;
    for name in names {
        assert_eq!(editions(&airlock, name, "1.0.0").await, [NOW, NOW - 1, NOW], "once is enough");
    }
}

#[tokio::test]
async fn what_the_new_edition_sees_counts_from_then_on() {
    let scenario = Scenario::new().package("left-pad", |p| _ = p.release("1.0.0").file("lib.js", "eval(atob('eA=='))"));
    let airlock = scenario.gated().await;
    assert_eq!(airlock.tarball("left-pad", "1.0.0").await.status, 403);
    let airlock = before_the_upgrade(airlock, &[("left-pad", "1.0.0")], Bytes::Kept).await;
    within("the new edition to see it", async { while airlock.release("left-pad", "1.0.0").await["standing"] != "in_review" {} }).await;
    assert_eq!(airlock.tarball("left-pad", "1.0.0").await.status, 403);
    assert_eq!(airlock.upstream.count("/left-pad/-/left-pad-1.0.0.tgz"), 1);
}

#[tokio::test]
async fn what_had_not_opened_is_looked_at_before_it_does() {
    let scenario = Scenario::new().package("left-pad", |p| {
        p.release("1.0.0");
        p.release("1.1.0").age("6d");
    });
    let airlock = scenario.gated().await;
    // Somebody lets it through for an hour, so that it is inspected early.
    let until = airlock.now().plus(std::time::Duration::from_secs(3_600)).to_string();
    let order = json!({"decision": "approve", "reason": "just now", "expires_at": until});
    let decided = airlock.as_admin("POST", "/-/airlock/v1/releases/left-pad/1%2E1%2E0/decisions").json(&order).send().await;
    assert_eq!(decided.status, 200, "{}", decided.text());
    for version in ["1.0.0", "1.1.0"] {
        assert_eq!(airlock.tarball("left-pad", version).await.status, 200);
    }
    airlock.advance("2h");
    assert_eq!(airlock.release("left-pad", "1.1.0").await["standing"], "held");
    airlock.upstream.die().await;
    let airlock = before_the_upgrade(airlock, &[("left-pad", "1.0.0"), ("left-pad", "1.1.0")], Bytes::Lost).await;
    airlock.advance("1d");
    assert_eq!(airlock.release("left-pad", "1.0.0").await["standing"], "approved");
    assert_eq!(airlock.release("left-pad", "1.1.0").await["standing"], "admissible", "what the edition before saw does not open it");
    assert_ne!(airlock.tarball("left-pad", "1.1.0").await.status, 200);
    airlock.upstream.revive().await;
    airlock.advance("1h");
    within("it to be had", async { while airlock.tarball("left-pad", "1.1.0").await.status != 200 {} }).await;
    assert_eq!(editions(&airlock, "left-pad", "1.1.0").await, [NOW, NOW - 1, NOW]);
}
