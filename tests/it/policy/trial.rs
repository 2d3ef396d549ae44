//! A policy on trial: over what was pulled, and over all that is known.

use serde_json::Value;
use serde_json::json;

use crate::support::airlock::Airlock;
use crate::support::http::Reply;
use crate::support::scenario::Scenario;

const REPLAY: &str = "/-/airlock/v1/policy/replay";

async fn pads() -> Airlock {
    let scenario = Scenario::new()
        .package("left-pad", |p| {
            p.release("1.0.0");
            p.release("1.1.0").age("10d");
            p.release("1.2.0").age("3d");
        })
        .package("right-pad", |p| _ = p.release("1.0.0").script("postinstall", "node x.js").file("x.js", "1"))
        .package("unused", |p| _ = p.release("1.0.0").script("postinstall", "node x.js").file("x.js", "1"));
    scenario.gated().await
}

async fn ask(airlock: &Airlock, body: &Value) -> Reply {
    airlock.as_admin("POST", REPLAY).json(body).send().await
}

fn named(moved: &Value) -> Vec<String> {
    let one = |one: &Value| format!("{}@{} {}", one["package"].as_str().unwrap(), one["version"].as_str().unwrap(), one["pulls"]);
    moved.as_array().unwrap().iter().map(one).collect()
}

#[tokio::test]
async fn each_pull_is_judged_as_of_its_own_time() {
    let airlock = pads().await;
    let token = airlock.admin_token();
    for (package, version) in [("left-pad", "1.0.0"), ("left-pad", "1.1.0"), ("right-pad", "1.0.0")] {
        assert_eq!(airlock.tarball(package, version).await.status, 200);
    }
    let path = "/left-pad/-/left-pad-1.1.0.tgz";
    assert_eq!(airlock.call("GET", path).bearer(&token).send().await.status, 200);
    assert_eq!(airlock.tarball("left-pad", "1.2.0").await.status, 403);
    // By now everything is old, and was not when it was pulled.
    airlock.advance("20d");
    let candidate = "[policy.release_age]\nminimum = \"14d\"\n[policy.findings]\ninstall_script = \"reject\"\n";
    let reply = ask(&airlock, &json!({"candidate": candidate, "days": 30})).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    let told = reply.json();
    assert_eq!((&told["pulls"], &told["refused_pulls"], &told["complete"]), (&json!(4), &json!(3), &json!(true)), "{told:#}");
    assert_eq!(named(&told["newly_blocked"]), ["left-pad@1.1.0 2", "right-pad@1.0.0 1"]);
    let blocked = &told["newly_blocked"][0];
    assert_eq!((&blocked["before"], &blocked["after"]), (&json!("approved"), &json!("held")));
    assert!(blocked["sentence"].as_str().unwrap().contains("published 10 days ago"), "{blocked:#}");
    let hit: Vec<(Option<&str>, u64)> =
        told["hit"].as_array().unwrap().iter().map(|one| (one["by"].as_str(), one["pulls"].as_u64().unwrap())).collect();
    assert_eq!(hit, [(None, 2), (Some("admin"), 1)]);
    assert_eq!(told["newly_allowed_total"], 0);
    let short = ask(&airlock, &json!({"candidate": candidate, "days": 1})).await.json();
    assert_eq!((&short["pulls"], &short["newly_blocked_total"]), (&json!(0), &json!(0)), "nothing was pulled of late");
}

#[tokio::test]
async fn what_was_refused_and_would_not_be_is_told_with_how_often_it_was_wanted() {
    let airlock = pads().await;
    airlock.tarball("left-pad", "1.0.0").await;
    for _ in 0..3 {
        assert_eq!(airlock.tarball("left-pad", "1.2.0").await.status, 403);
    }
    let told = ask(&airlock, &json!({"candidate": "policy.release_age.minimum = \"2d\"", "days": 7})).await.json();
    assert_eq!(named(&told["newly_allowed"]), ["left-pad@1.2.0 0"], "{told:#}");
    let allowed = &told["newly_allowed"][0];
    assert_eq!((&allowed["wanted"], &allowed["before"], &allowed["after"]), (&json!(3), &json!("held"), &json!("admissible")));
    assert!(allowed["sentence"].as_str().unwrap().contains("minimum age 7 days"), "{allowed:#}");
}

#[tokio::test]
async fn two_policies_are_compared_over_all_that_is_known() {
    let airlock = pads().await;
    for package in ["left-pad", "right-pad", "unused"] {
        airlock.listed(package).await;
    }
    let order = json!({"baseline": "", "candidate": "policy.findings.install_script = \"review\""});
    let told = ask(&airlock, &order).await.json();
    assert_eq!(named(&told["newly_blocked"]), ["right-pad@1.0.0 0", "unused@1.0.0 0"], "{told:#}");
    assert_eq!((&told["releases"], told.get("from")), (&json!(5), None));
    assert_eq!(airlock.tarball("right-pad", "1.0.0").await.status, 200, "a trial changes nothing");
}

#[tokio::test]
async fn a_policy_with_faults_is_not_tried() {
    let airlock = pads().await;
    let reply = ask(&airlock, &json!({"candidate": "[policy]\nmode = \"watch\"", "days": 7})).await;
    assert_eq!(reply.status, 422);
    assert!(reply.text().contains("candidate:2:8: policy.mode: \\\"watch\\\" is not known here"), "{}", reply.text());
    for days in [0, 401] {
        assert_eq!(ask(&airlock, &json!({"candidate": "", "days": days})).await.status, 422, "{days}");
    }
    assert_eq!(airlock.call("POST", REPLAY).json(&json!({"candidate": ""})).send().await.status, 401);
}

#[tokio::test]
async fn what_stands_elsewhere_in_the_file_says_nothing() {
    let airlock = pads().await;
    let candidate = "[server]\nlisten = \"nonsense\"\n[upstream]\ntoken_env = \"NOT_SET\"\n";
    let reply = ask(&airlock, &json!({"candidate": candidate, "days": 7})).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
}

/// What belongs together opens by the policy that is tried, and not by the one that judges here.
#[tokio::test]
async fn siblings_open_by_the_policy_that_is_tried() {
    let scenario = Scenario::new()
        .package("@acme/web", |p| {
            p.release("1.0.0");
            p.release("2.0.0").age("3d").dependency("@acme/part", "2.0.0");
        })
        .package("@acme/part", |p| {
            p.release("1.0.0");
            p.release("2.0.0").age("3d 10m");
        });
    let airlock = scenario.gated().await;
    for package in ["@acme/web", "@acme/part", "@acme/web"] {
        assert_eq!(airlock.listed(package).await, ["1.0.0"]);
    }
    let tried = async |minimum: &str| {
        let candidate = format!("policy.release_age.minimum = \"{minimum}\"");
        named(&ask(&airlock, &json!({"candidate": candidate})).await.json()["newly_allowed"])
    };
    assert_eq!(tried("2d").await, ["@acme/part@2.0.0 0", "@acme/web@2.0.0 0"]);
    // Of the two one is old enough, and waits for the other, which names it.
    assert_eq!(tried("72h 5m").await, [""; 0]);
    let candidate = json!({"candidate": "", "baseline": "policy.release_age.minimum = \"2d\""});
    assert_eq!(named(&ask(&airlock, &candidate).await.json()["newly_blocked"]), ["@acme/part@2.0.0 0", "@acme/web@2.0.0 0"]);
}

#[tokio::test]
async fn what_is_not_known_any_more_is_counted_once_and_apart() {
    let airlock = pads().await;
    let token = airlock.admin_token();
    let path = "/left-pad/-/left-pad-1.1.0.tgz";
    for _ in 0..2 {
        assert_eq!(airlock.call("GET", path).bearer(&token).send().await.status, 200);
        assert_eq!(airlock.tarball("left-pad", "1.1.0").await.status, 200);
        airlock.advance("1d");
    }
    assert_eq!(airlock.tarball("left-pad", "1.0.0").await.status, 200);
    let of = |told: &Value| ["pulls", "unknown", "unknown_pulls"].map(|key| told[key].as_u64().unwrap());
    let order = json!({"candidate": "", "days": 30});
    assert_eq!(of(&ask(&airlock, &order).await.json()), [5, 0, 0]);
    airlock.upstream.die().await;
    let airlock = airlock.restart_after(async |data_dir| std::fs::remove_dir_all(data_dir.join("documents")).unwrap()).await;
    let told = ask(&airlock, &order).await.json();
    assert_eq!(of(&told), [0, 2, 5], "{told:#}");
    assert_eq!((&told["refused_pulls"], &told["complete"]), (&json!(0), &json!(true)));
}
