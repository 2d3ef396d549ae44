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
    let all = queue["parked"].as_array().unwrap().iter();
    all.filter(|job| job["package"] == package && job["version"] == version).next().cloned()
}
