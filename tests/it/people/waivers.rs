//! Waivers: findings that people say do not count, shown as such, until a date or until they are gone.

use serde_json::Value;
use serde_json::json;

use super::token;
use crate::support::airlock::Airlock;
use crate::support::http::Reply;
use crate::support::scenario::Scenario;
use crate::support::within;

const WAIVERS: &str = "/-/airlock/v1/waivers";
const EXPIRES: &str = "2026-12-20T12:00:00Z";

fn scenario() -> Scenario {
    let scenario = Scenario::new().package("left-pad", |p| {
        p.release("1.0.0");
        p.release("1.1.0").without_integrity();
        p.release("1.2.0").dependency("x", "git+https://git.example/x.git");
    });
    scenario.package("@acme/web", |p| _ = p.release("1.0.0").dependency("x", "git+https://git.example/x.git"))
}

async fn waive(airlock: &Airlock, token: &str, packages: &[&str], findings: &[&str], expires_at: &str) -> Reply {
    let order = json!({"packages": packages, "findings": findings, "reason": "its build was read", "expires_at": expires_at});
    airlock.call("POST", WAIVERS).bearer(token).json(&order).send().await
}

async fn list(airlock: &Airlock, query: &str) -> Vec<Value> {
    airlock.as_admin("GET", &format!("{WAIVERS}{query}")).send().await.json()["waivers"].as_array().unwrap().clone()
}

async fn end(airlock: &Airlock, token: &str, id: &str) -> Reply {
    airlock.call("POST", &format!("{WAIVERS}/{id}/end")).bearer(token).json(&json!({"reason": "not needed"})).send().await
}

fn finding(release: &Value, kind: &str) -> Value {
    release["findings"].as_array().unwrap().iter().find(|one| one["kind"] == kind).cloned().unwrap_or_default()
}

#[tokio::test]
async fn a_waiver_opens_shows_ends_and_is_written_down() {
    let airlock = scenario().gated().await;
    let (maria, _) = token(&airlock, "maria", "approver").await;
    assert_eq!(airlock.tarball("left-pad", "1.1.0").await.status, 403);
    assert_eq!(airlock.listed("left-pad").await, ["1.0.0"]);
    let made = waive(&airlock, &maria, &["left-pad"], &["missing_integrity"], EXPIRES).await;
    assert_eq!(made.status, 201, "{}", made.text());
    assert_eq!((&made.json()["by"], &made.json()["counts"]), (&json!(["maria"]), &json!(true)));
    assert_eq!(made.json()["people"], json!([{"finding": "missing_integrity", "given": 1, "needed": 1}]));
    let id = made.json()["id"].as_str().unwrap().to_owned();
    assert_eq!(airlock.tarball("left-pad", "1.1.0").await.status, 200);
    assert_eq!(airlock.listed("left-pad").await, ["1.0.0", "1.1.0"]);

    let shown = finding(&airlock.release("left-pad", "1.1.0").await, "missing_integrity");
    assert_eq!((&shown["action"], &shown["covered"]), (&json!("review"), &json!(false)));
    assert_eq!((&shown["waived"]["id"], &shown["waived"]["by"]), (&json!(id), &json!(["maria"])));
    let page = airlock.call("GET", "/-/airlock/r/left-pad@1.1.0").header("accept", "text/html").send().await.text();
    assert!(page.contains("waived until 2026-12-20 12:00 UTC by maria: its build was read"), "{page}");

    // It outlives a restart, and ends by a word or by its date.
    let airlock = airlock.restart().await;
    assert_eq!(airlock.tarball("left-pad", "1.1.0").await.status, 200);
    assert_eq!(end(&airlock, &maria, &id).await.json()["ended_by"], "maria");
    assert_eq!(airlock.tarball("left-pad", "1.1.0").await.status, 403, "at once");
    assert_eq!(end(&airlock, &maria, &id).await.status, 409);
    assert_eq!(end(&airlock, &maria, "ffffffffffff").await.status, 404);
    assert!(list(&airlock, "").await.is_empty() && list(&airlock, "?ended=true").await.len() == 1);
    assert_eq!(waive(&airlock, &maria, &["left-pad"], &["missing_integrity"], EXPIRES).await.status, 201);
    assert_eq!(airlock.tarball("left-pad", "1.1.0").await.status, 200);
    airlock.advance("30d");
    assert_eq!(airlock.tarball("left-pad", "1.1.0").await.status, 403);
    assert_eq!(airlock.listed("left-pad").await, ["1.0.0"]);
    let audit = airlock.as_admin("GET", "/-/airlock/v1/audit?limit=500").send().await.text();
    for told in ["waived missing_integrity of left-pad until 2026-12-20 12:00 UTC", &format!("waiver {id} ended by maria: not needed")] {
        assert!(audit.contains(told), "{told}: {audit}");
    }
}

#[tokio::test]
async fn what_policy_rejects_takes_two_and_a_scope_takes_an_admin() {
    let airlock = scenario().gated().await;
    let (maria, otto) = (token(&airlock, "maria", "approver").await.0, token(&airlock, "otto", "approver").await.0);
    let exotic = &["exotic_dependency"][..];
    let first = waive(&airlock, &maria, &["left-pad"], exotic, EXPIRES).await;
    assert_eq!(first.json()["people"][0]["needed"], 2, "{}", first.text());
    assert_eq!(airlock.tarball("left-pad", "1.2.0").await.status, 403);
    let twice = waive(&airlock, &maria, &["left-pad"], exotic, EXPIRES).await;
    assert!(twice.status == 409 && twice.text().contains("maria has waived this already"), "{}", twice.text());
    let second = waive(&airlock, &otto, &["left-pad"], exotic, "2026-11-25T12:00:00Z").await;
    assert_eq!(second.json()["people"][0]["given"], 2, "{}", second.text());
    assert_eq!(airlock.tarball("left-pad", "1.2.0").await.status, 200);
    airlock.advance("5d");
    assert_eq!(airlock.tarball("left-pad", "1.2.0").await.status, 403, "one of the two has run out");

    let wide = waive(&airlock, &maria, &["@acme/*"], exotic, EXPIRES).await;
    assert!(wide.status == 403 && wide.text().contains("role admin"), "{}", wide.text());
    assert_eq!(waive(&airlock, &airlock.admin_token(), &["@acme/*"], exotic, EXPIRES).await.status, 201);
    assert_eq!(airlock.tarball("@acme/web", "1.0.0").await.status, 403);
    // Whose token the admin made is no second person beside the admin.
    assert_eq!(waive(&airlock, &otto, &["@acme/web"], exotic, EXPIRES).await.status, 201);
    assert_eq!(airlock.tarball("@acme/web", "1.0.0").await.status, 403);
    assert_eq!(waive(&airlock, &maria, &["@acme/web"], exotic, EXPIRES).await.status, 201);
    assert_eq!(airlock.tarball("@acme/web", "1.0.0").await.status, 200);
    let about = list(&airlock, "?package=@acme%2fweb").await;
    assert_eq!(about.len(), 3, "{about:#?}");
}

#[tokio::test]
async fn a_wrong_waiver_is_refused_and_changes_nothing() {
    let airlock = scenario().gated().await;
    let (maria, _) = token(&airlock, "maria", "approver").await;
    let good = json!({"packages": ["left-pad"], "findings": ["missing_integrity"], "reason": "read", "expires_at": EXPIRES});
    let cases = [
        ("packages", json!([]), 422, "1 to 50"),
        ("packages", json!(vec!["x"; 51]), 201, ""),
        ("packages", json!((0..51).map(|at| format!("x{at}")).collect::<Vec<_>>()), 422, "1 to 50"),
        ("packages", json!(["../x"]), 422, "packages"),
        ("packages", json!(["left-*"]), 422, "packages"),
        ("version", json!("no version at all"), 422, "version"),
        ("findings", json!([]), 422, "at least one"),
        ("findings", json!(["nonsense"]), 400, "nonsense"),
        ("findings", json!(["integrity_mismatch"]), 422, "nobody can waive it"),
        ("findings", json!(["unreadable_manifest"]), 422, "nobody can waive it"),
        ("findings", json!(["malware"]), 422, "for one release only"),
        ("reason", json!(" "), 422, "reason"),
        ("reason", json!("x".repeat(1_001)), 422, "1000"),
        ("expires_at", json!("2026-11-20T12:00:00Z"), 422, "not in the future"),
        ("expires_at", json!("2027-11-22T12:00:00Z"), 422, "366 days"),
        ("expires_at", Value::Null, 400, ""),
        ("by", json!(["otto"]), 400, "by"),
    ];
    let mut made = 0;
    for (field, value, status, word) in cases {
        let mut order = good.clone();
        order[field] = value;
        let reply = airlock.call("POST", WAIVERS).bearer(&maria).json(&order).send().await;
        assert_eq!(reply.status, status, "{order}: {}", reply.text());
        assert!(reply.text().contains(word), "{order}: {}", reply.text());
        made += usize::from(status == 201);
    }
    let mut many = good.clone();
    (many["packages"], many["version"]) = (json!(["left-pad", "x"]), json!("1.0.0"));
    assert_eq!(airlock.call("POST", WAIVERS).bearer(&maria).json(&many).send().await.status, 422);
    assert_eq!(list(&airlock, "?ended=true").await.len(), made);
}

#[tokio::test]
async fn nobody_waives_what_they_submitted() {
    let airlock = Scenario::new().gated_by(|config| config.policy.release_age.new_package = std::time::Duration::ZERO).await;
    let (ann, bob) = (airlock.user("ann", "admin").await, airlock.user("bob", "approver").await);
    let release = crate::support::publish::Publish::new("@acme/web", "1.0.0").field("scripts", json!({"install": "node-gyp rebuild"}));
    let release = release.file("binding.gyp", "{'targets': [{'target_name': 'x', 'sources': ['<!(node x.js)']}]}");
    assert_eq!(release.call(&airlock, &ann).send().await.status, 202);
    airlock.advance("8d");
    assert_eq!(airlock.release("@acme/web", "1.0.0").await["standing"], "in_review");
    let order = |version: Value| json!({"packages": ["@acme/web"], "version": version, "findings": ["build_command"], "reason": "mine", "expires_at": EXPIRES});
    let own = airlock.call("POST", WAIVERS).bearer(&ann).json(&order(json!("1.0.0"))).send().await;
    assert!(own.status == 403 && own.text().contains("ann stands behind @acme/web@1.0.0"), "{} {}", own.status, own.text());
    // For the package it may be made, and does not count for what she submitted.
    assert_eq!(airlock.call("POST", WAIVERS).bearer(&ann).json(&order(Value::Null)).send().await.status, 201);
    assert_eq!(airlock.release("@acme/web", "1.0.0").await["standing"], "in_review");
    assert_eq!(airlock.call("POST", WAIVERS).bearer(&bob).json(&order(Value::Null)).send().await.status, 201);
    let release = airlock.release("@acme/web", "1.0.0").await;
    assert_eq!(finding(&release, "build_command")["waived"]["by"], json!(["bob"]), "{release:#}");
}

#[tokio::test]
async fn a_waiver_ends_by_itself_when_its_reason_is_gone() {
    let airlock = scenario().gated().await;
    let (maria, _) = token(&airlock, "maria", "approver").await;
    assert_eq!(airlock.tarball("left-pad", "1.1.0").await.status, 403);
    let id = waive(&airlock, &maria, &["left-pad"], &["missing_integrity"], EXPIRES).await.json()["id"].clone();
    let other = waive(&airlock, &maria, &["left-pad"], &["vulnerable_critical"], EXPIRES).await.json()["id"].clone();
    let unseen = waive(&airlock, &maria, &["never-seen"], &["vulnerable_critical"], EXPIRES).await.json()["id"].clone();
    assert_eq!(airlock.tarball("left-pad", "1.1.0").await.status, 200);
    airlock.advance("25h");
    let ended = async {
        loop {
            let all = list(&airlock, "?ended=true").await;
            if let Some(one) = all.iter().find(|one| one["id"] == other && one["ended_by"].is_string()) {
                return one.clone();
            }
            tokio::task::yield_now().await;
        }
    };
    let ended = within("a waiver to end by itself", ended).await;
    assert_eq!(ended["ended_by"], "airlock", "nothing of the package has that finding");
    let counting: Vec<Value> = list(&airlock, "").await.into_iter().map(|one| one["id"].clone()).collect();
    assert_eq!(counting, [id, unseen], "one has its reason still, and of the other nothing is known");
    // It lets nothing through any more before it is recorded.
    let recorded = async {
        while !airlock.as_admin("GET", "/-/airlock/v1/audit?limit=500").send().await.text().contains("its reason is gone") {
            tokio::task::yield_now().await;
        }
    };
    within("the end to be recorded", recorded).await;
}
