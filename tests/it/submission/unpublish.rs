//! Releases that are taken back: gone for everyone, kept for the audit, and never published again.

use serde_json::Value;

use super::trusting;
use crate::support::airlock::Airlock;
use crate::support::scenario::Scenario;

async fn world() -> (Airlock, String) {
    let airlock = Scenario::new().gated_by(trusting).await;
    let maria = airlock.user("maria", "publisher").await;
    for version in ["1.0.0", "1.1.0"] {
        assert_eq!(airlock.publish(&maria, "@acme/web", version).await.status, 201);
    }
    (airlock, maria)
}

async fn read(airlock: &Airlock, token: &str) -> Value {
    airlock.call("GET", "/@acme%2fweb?write=true").bearer(token).send().await.json()
}

fn rev(packument: &Value) -> String {
    packument["_rev"].as_str().unwrap().to_owned()
}

/// As npm does it: the packument without the version, then the tarball.
#[tokio::test]
async fn one_version_is_unpublished() {
    let (airlock, maria) = world().await;
    let mut packument = read(&airlock, &maria).await;
    packument["versions"].as_object_mut().unwrap().remove("1.1.0");
    packument["dist-tags"]["latest"] = "1.0.0".into();
    let path = format!("/@acme%2fweb/-rev/{}", rev(&packument));
    let written = airlock.call("PUT", &path).bearer(&maria).json(&packument).send().await;
    assert_eq!(written.status, 201, "{}", written.text());
    let packument = read(&airlock, &maria).await;
    let tarball = format!("/@acme/web/-/web-1.1.0.tgz/-rev/{}", rev(&packument));
    for _ in 0..2 {
        let gone = airlock.call("DELETE", &tarball).bearer(&maria).send().await;
        assert_eq!(gone.status, 200, "{}", gone.text());
    }
    assert_eq!(airlock.listed("@acme/web").await, ["1.0.0"]);
    assert_eq!(packument["dist-tags"], serde_json::json!({"latest": "1.0.0"}));
    assert_eq!(packument["time"].get("1.1.0"), None);
    for path in ["/@acme/web/1.1.0", "/@acme/web/-/web-1.1.0.tgz"] {
        assert_eq!(airlock.get(path).await.status, 404, "{path}");
    }
    let again = airlock.publish(&maria, "@acme/web", "1.1.0").await;
    assert_eq!(again.status, 403, "{}", again.text());
    let airlock = airlock.restart().await;
    assert_eq!(airlock.listed("@acme/web").await, ["1.0.0"]);
    assert_eq!(airlock.tarball("@acme/web", "1.1.0").await.status, 404);
}

#[tokio::test]
async fn a_file_is_the_release_that_it_is_of() {
    let (airlock, maria) = world().await;
    let eve = airlock.user("eve", "publisher").await;
    let now = rev(&read(&airlock, &maria).await);
    let delete =
        |file: &str, rev: &str, token: &str| airlock.call("DELETE", &format!("/@acme/web/-/{file}/-rev/{rev}")).bearer(token).send();
    assert_eq!(delete("web-1.0.0.tgz", &now, &eve).await.status, 403);
    assert_eq!(delete("web-9.0.0.tgz", &now, &maria).await.status, 404);
    assert_eq!(delete("other-1.0.0.tgz", &now, &maria).await.status, 404);
    assert_eq!(delete("web-1.0.0.tgz", "1-0", &maria).await.status, 409);
    assert_eq!(airlock.listed("@acme/web").await, ["1.0.0", "1.1.0"]);
    assert_eq!(delete("web-1.0.0.tgz", &now, &maria).await.status, 200);
    assert_eq!(airlock.listed("@acme/web").await, ["1.1.0"]);
    assert_eq!(delete("web-1.0.0.tgz", &now, &eve).await.status, 403, "whose it is not learns nothing of what is gone");
}

#[tokio::test]
async fn a_package_is_unpublished() {
    let (airlock, maria) = world().await;
    let eve = airlock.user("eve", "publisher").await;
    let path = format!("/@acme%2fweb/-rev/{}", rev(&read(&airlock, &maria).await));
    assert_eq!(airlock.call("DELETE", &path).bearer(&eve).send().await.status, 403);
    let gone = airlock.call("DELETE", &path).bearer(&maria).send().await;
    assert_eq!(gone.status, 200, "{}", gone.text());
    for path in ["/@acme%2fweb", "/@acme/web/1.0.0", "/@acme/web/-/web-1.0.0.tgz", "/-/package/@acme%2fweb/dist-tags"] {
        assert_eq!(airlock.get(path).await.status, 404, "{path}");
    }
    assert_eq!(airlock.publish(&eve, "@acme/web", "3.0.0").await.status, 403, "its owners stay its owners");
    let ledger = airlock.as_admin("GET", "/-/airlock/v1/audit?limit=500").send().await.text();
    assert!(ledger.contains("withdrawn"), "it is kept for the audit");
}
