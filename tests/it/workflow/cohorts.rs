//! Cohorts: what is of use only together opens together or not at all; nobody outside is asked for that.

use serde_json::json;

use crate::support::airlock::Airlock;
use crate::support::scenario::Scenario;
use crate::support::within;

const SET: [&str; 3] = ["esbuild", "@esbuild/linux-x64", "@esbuild/darwin-arm64"];
const TRAIN: [&str; 5] = ["@acme/core", "@acme/dom", "@acme/router", "@acme/store", "@acme/web"];

/// A package with parts for single platforms, one of them as `edit` makes it.
fn platforms(bad: bool) -> Scenario {
    let parts = |p: &mut crate::support::scenario::Package, os: &str, cpu: &str, bad: bool| {
        p.release("0.21.4");
        let part = p.release("0.21.5").age("6d 10m").field("os", json!([os])).field("cpu", json!([cpu]));
        if bad {
            part.dependency("x", "git+https://git.example/x.git");
        }
    };
    let scenario = Scenario::new().package(SET[0], |p| {
        p.release("0.21.4");
        p.release("0.21.5").age("6d").optional_dependency(SET[1], "0.21.5").optional_dependency(SET[2], "0.21.5");
    });
    scenario.package(SET[1], |p| parts(p, "linux", "x64", false)).package(SET[2], |p| parts(p, "darwin", "arm64", bad))
}

/// Each pins the next, and came out some minutes after it.
fn train() -> Scenario {
    let mut scenario = Scenario::new();
    for (at, name) in TRAIN.iter().enumerate() {
        scenario = scenario.package(name, |p| {
            p.release("1.0.0");
            let one = p.release("2.0.0").age(&format!("6d {}m", 10 * (at + 1)));
            if let Some(next) = TRAIN.get(at + 1) {
                one.dependency(next, "2.0.0");
            }
        });
    }
    scenario
}

async fn without_foresight(scenario: Scenario) -> Airlock {
    scenario.gated_by(|config| config.upstream.ask_ahead = 0).await
}

/// Whether the newest release of each is listed, of all the same.
async fn all_listed(airlock: &Airlock, packages: &[&str], version: &str) -> bool {
    let mut listed = Vec::new();
    // Twice, so that each is judged in the light of the others.
    for package in packages.iter().chain(packages) {
        listed.push(airlock.listed(package).await.contains(&version.to_owned()));
    }
    let last = &listed[packages.len()..];
    assert!(last.iter().all(|one| one == &last[0]), "they do not open together: {packages:?} {last:?}");
    last[0]
}

async fn sentence(airlock: &Airlock, package: &str, version: &str) -> String {
    airlock.release(package, version).await["sentence"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_release_and_its_platforms_open_together() {
    let airlock = without_foresight(platforms(false)).await;
    assert!(!all_listed(&airlock, &SET, "0.21.5").await);
    airlock.advance("23h 55m");
    assert!(!all_listed(&airlock, &SET, "0.21.5").await, "its parts are old enough, and it is not");
    let held = sentence(&airlock, SET[1], "0.21.5").await;
    assert!(
        held.starts_with(
            "@esbuild/linux-x64@0.21.5 is held: published 7 days ago, opens 2026-11-21 12:00 UTC (together with esbuild@0.21.5)."
        ),
        "{held}"
    );
    let siblings = airlock.release(SET[0], "0.21.5").await["siblings"].clone();
    assert_eq!(siblings, json!(["@esbuild/darwin-arm64@0.21.5", "@esbuild/linux-x64@0.21.5"]));
    airlock.advance("5m");
    assert!(all_listed(&airlock, &SET, "0.21.5").await);
    assert_eq!(airlock.tarball(SET[1], "0.21.5").await.status, 200);
}

#[tokio::test]
async fn one_bad_platform_holds_the_set_until_people_say_otherwise() {
    let airlock = without_foresight(platforms(true)).await;
    airlock.advance("2d");
    assert!(!all_listed(&airlock, &SET, "0.21.5").await);
    for package in &SET[..2] {
        let refused = airlock.tarball(package, "0.21.5").await;
        let why = "is held: it belongs together with @esbuild/darwin-arm64@0.21.5, which is rejected (it depends on something that is in no registry).";
        assert!(refused.status == 403 && refused.text().contains(why), "{} {}", refused.status, refused.text());
    }
    assert_eq!(airlock.get(&format!("/{}", SET[0])).await.json()["dist-tags"]["latest"], "0.21.4");
    // Whoever approves one decides about that one.
    assert_eq!(airlock.decide(SET[0], "0.21.5", "approve", "we build on linux only").await.status, 200);
    assert_eq!(airlock.tarball(SET[0], "0.21.5").await.status, 200);
    assert_eq!(airlock.tarball(SET[1], "0.21.5").await.status, 403);
    // Two people let the bad one through, and so the rest.
    let people = [airlock.user("maria", "approver").await, airlock.user("otto", "approver").await];
    let path = "/-/airlock/v1/releases/%40esbuild%2fdarwin-arm64/0.21.5/decisions";
    let order = json!({"decision": "approve", "reason": "read it"});
    for person in &people {
        assert_eq!(airlock.call("POST", path).bearer(person).json(&order).send().await.status, 200);
    }
    assert!(all_listed(&airlock, &SET, "0.21.5").await);
}

#[tokio::test]
async fn a_train_opens_with_its_last_car_over_a_restart_too() {
    let airlock = without_foresight(train()).await;
    assert!(!all_listed(&airlock, &TRAIN, "2.0.0").await);
    airlock.advance("23h 45m");
    assert!(!all_listed(&airlock, &TRAIN, "2.0.0").await, "four of them are old enough");
    let airlock = airlock.restart().await;
    let asked = airlock.upstream.log().len();
    // What is kept here is enough to know, once it was looked through after the start.
    let held = async {
        while !sentence(&airlock, "@acme/web", "2.0.0").await.contains("opens 2026-11-21 11:50 UTC (together with @acme/core@2.0.0)") {
            tokio::task::yield_now().await;
        }
    };
    within("the last to be known to belong to the first", held).await;
    let others = airlock.upstream.log().split_off(asked).into_iter().filter(|one| !one.path.contains("web")).count();
    assert_eq!(others, 0, "nobody was asked for the others");
    airlock.advance("5m");
    assert!(all_listed(&airlock, &TRAIN, "2.0.0").await);
}

#[tokio::test]
async fn a_sibling_that_is_rejected_takes_the_others_along_and_brings_them_back() {
    let airlock = without_foresight(train()).await;
    airlock.advance("2d");
    assert!(all_listed(&airlock, &TRAIN, "2.0.0").await);
    for package in TRAIN {
        assert_eq!(airlock.tarball(package, "2.0.0").await.status, 200);
    }
    assert_eq!(airlock.decide("@acme/store", "2.0.0", "reject", "it phones home").await.status, 200);
    for package in TRAIN {
        let refused = airlock.tarball(package, "2.0.0").await;
        assert_eq!(refused.status, 403, "{package}: {}", refused.text());
    }
    let held = sentence(&airlock, "@acme/core", "2.0.0").await;
    assert!(held.contains("belongs together with @acme/store@2.0.0, which is rejected by admin"), "{held}");
    let airlock = airlock.restart().await;
    assert_eq!(airlock.tarball("@acme/dom", "2.0.0").await.status, 403);
    assert!(!all_listed(&airlock, &TRAIN, "2.0.0").await);
    assert_eq!(airlock.tarball("@acme/core", "1.0.0").await.status, 200, "older ones have nothing to do with it");
    assert_eq!(airlock.decide("@acme/store", "2.0.0", "reopen", "it does not").await.status, 200);
    assert!(all_listed(&airlock, &TRAIN, "2.0.0").await);
    assert_eq!(airlock.tarball("@acme/core", "2.0.0").await.status, 200);
}

#[tokio::test]
async fn a_sibling_that_nobody_saw_is_waited_for_by_age_and_no_longer() {
    let scenario = train();
    let airlock = scenario
        .gated_by(|config| {
            config.upstream.ask_ahead = 0;
            let pattern = airlock::config::policy::Pattern::Scope("@acme".to_owned());
            config.policy.release_age.exempt = vec![airlock::config::policy::Exemption { pattern, reason: None, expires: None }];
        })
        .await;
    // By the exemption it would be open long ago; of the next in the train nothing is known here.
    assert_eq!(airlock.listed("@acme/store").await, ["1.0.0"]);
    let held = sentence(&airlock, "@acme/store", "2.0.0").await;
    assert!(held.contains("opens 2026-11-21 11:20 UTC (together with @acme/web@2.0.0)"), "{held}");
    assert_eq!(airlock.upstream.count("/@acme/web"), 0, "nobody is asked for it");
    // Known, it is as exempt as the other.
    assert_eq!(airlock.listed("@acme/web").await, ["1.0.0", "2.0.0"]);
    assert_eq!(airlock.listed("@acme/store").await, ["1.0.0", "2.0.0"]);
    // And one that is never seen does not hold up for ever.
    let airlock = without_foresight(train()).await;
    assert_eq!(airlock.listed("@acme/router").await, ["1.0.0"]);
    airlock.advance("25h");
    assert_eq!(airlock.listed("@acme/router").await, ["1.0.0", "2.0.0"]);
    assert_eq!(airlock.upstream.count("/@acme/store"), 0);
}
