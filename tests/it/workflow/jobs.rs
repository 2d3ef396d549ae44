//! Inspections as jobs: tried again, given up, taken up again by a person.

use serde_json::Value;

use crate::support::airlock::Airlock;
use crate::support::within;

/// Downloads a release whose inspection fails until its job is parked for people. Fails if it is ever served.
pub async fn until_given_up(airlock: &Airlock, package: &str, version: &str) {
    let given_up = async {
        loop {
            let refused = airlock.tarball(package, version).await;
            assert!(refused.status == 503 || refused.status == 403, "{} {}", refused.status, refused.text());
            if parked(airlock, package, version).await.is_some() {
                return;
            }
            airlock.advance("1m");
        }
    };
    within("an inspection to be given up", given_up).await;
}

/// The job of this release that `queue` shows as given up.
pub async fn parked(airlock: &Airlock, package: &str, version: &str) -> Option<Value> {
    let queue = airlock.as_admin("GET", "/-/airlock/v1/queue").send().await.json();
    queue["parked"].as_array().unwrap().iter().find(|job| job["package"] == package && job["version"] == version).cloned()
}

/// More than the inspection compares with: it fails each time, and for no fault of the bytes.
pub fn too_much_to_compare() -> String {
    format!(r#""padding":"{}""#, "x".repeat(5 << 20))
}

async fn crashing() -> Airlock {
    let scenario = crate::support::scenario::Scenario::new().package("left-pad", |p| {
        p.release("0.9.0");
        let integrity = p.release("1.0.0").tarball().integrity.clone();
        let url = "https://files.example/left-pad/-/left-pad-1.0.0.tgz";
        p.release("1.0.0").manifest_text(&format!(
            r#"{{"name":"left-pad","version":"1.0.0",{},"dist":{{"tarball":"{url}","integrity":"{integrity}"}}}}"#,
            too_much_to_compare()
        ));
    });
    scenario.gated().await
}

#[tokio::test]
async fn an_inspection_that_crashes_is_given_up_shown_and_taken_up_again() {
    let airlock = crashing().await;
    until_given_up(&airlock, "left-pad", "1.0.0").await;
    let refused = airlock.tarball("left-pad", "1.0.0").await;
    let words = "left-pad@1.0.0 is in quarantine: inspecting it was given up (the inspection crashed: ";
    assert!(refused.status == 403 && refused.text().contains(words), "{} {}", refused.status, refused.text());
    assert_eq!(airlock.listed("left-pad").await, ["0.9.0"], "nothing of it is shown");
    let release = airlock.release("left-pad", "1.0.0").await;
    assert_eq!(release["standing"], "quarantined", "{release:#}");
    let job = parked(&airlock, "left-pad", "1.0.0").await.unwrap();
    assert!(job["attempts"] == 5 && job["error"].as_str().unwrap().starts_with("the inspection crashed"), "{job}");
    let fetched = airlock.upstream.count("/left-pad/-/left-pad-1.0.0.tgz");
    assert_eq!(fetched, 5, "asking often does not try it more often");
    assert_eq!(airlock.tarball("left-pad", "1.0.0").await.status, 403);
    assert_eq!(airlock.upstream.count("/left-pad/-/left-pad-1.0.0.tgz"), fetched, "nobody begins it again by asking");
    let approval = airlock.decide("left-pad", "1.0.0", "approve", "never mind").await;
    assert!(approval.status >= 400 && approval.text().contains("reopen it first"), "{}", approval.text());

    // It stays so over a restart.
    let airlock = airlock.restart().await;
    assert_eq!(airlock.listed("left-pad").await, ["0.9.0"]);
    assert_eq!(airlock.tarball("left-pad", "1.0.0").await.status, 403);

    // Upstream mends its entry, and a person reopens it.
    airlock.upstream.package("left-pad", |p| {
        let integrity = p.release("1.0.0").tarball().integrity.clone();
        let url = "https://files.example/left-pad/-/left-pad-1.0.0.tgz";
        let text =
            format!(r#"{{"name":"left-pad","version":"1.0.0","main":"index.js","dist":{{"tarball":"{url}","integrity":"{integrity}"}}}}"#);
        p.release("1.0.0").manifest_text(&text);
    });
    airlock.advance("10m");
    airlock.listed("left-pad").await;
    assert_eq!(airlock.decide("left-pad", "1.0.0", "reopen", "they mended it").await.status, 200);
    assert!(parked(&airlock, "left-pad", "1.0.0").await.is_none());
    let served = airlock.tarball("left-pad", "1.0.0").await;
    assert_eq!(served.status, 200, "{}", served.text());
    let ledger = airlock.as_admin("GET", "/-/airlock/v1/audit?limit=500").send().await.text();
    for command in ["sight", "job_queued", "job_leased", "job_failed", "decided", "job_done", "inspected", "policy", "token_created"] {
        assert!(ledger.contains(&format!("\"command\":\"{command}\"")), "{command}: {ledger}");
    }
}
