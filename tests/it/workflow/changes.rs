//! What upstream does after a release was seen: other bytes, a removal, silence. And first downloads that wait.

use std::time::Duration;

use crate::support::scenario::Scenario;

const TARBALL: &str = "/left-pad/-/left-pad-1.0.0.tgz";

fn one() -> Scenario {
    Scenario::new().package("left-pad", |p| _ = p.release("1.0.0"))
}

#[tokio::test]
async fn other_bytes_after_an_approval_are_noted_and_the_old_ones_served() {
    let airlock = one().gated().await;
    let first = airlock.tarball("left-pad", "1.0.0").await;
    assert_eq!(first.status, 200);
    let integrity = airlock.get("/left-pad").await.json()["versions"]["1.0.0"]["dist"]["integrity"].clone();
    airlock.upstream.package("left-pad", |p| _ = p.release("1.0.0").file("index.js", "evil"));
    airlock.advance("10m");
    let packument = airlock.get("/left-pad").await.json();
    assert_eq!(packument["versions"]["1.0.0"]["dist"]["integrity"], integrity);
    assert_eq!(airlock.tarball("left-pad", "1.0.0").await.body, first.body);
    let release = airlock.release("left-pad", "1.0.0").await;
    assert_eq!(release["standing"], "approved");
    assert!(release["findings"].to_string().contains("changed_upstream"), "{release:#}");
    assert_eq!(airlock.upstream.count(TARBALL), 1);
}

#[tokio::test]
async fn a_removal_asks_people_and_their_word_is_enough_without_upstream() {
    let airlock = one().gated().await;
    let first = airlock.tarball("left-pad", "1.0.0").await;
    airlock.upstream.package("left-pad", |p| {
        p.release("0.9.0");
        p.remove("1.0.0");
    });
    airlock.advance("10m");
    assert!(!airlock.listed("left-pad").await.contains(&"1.0.0".to_owned()));
    let refused = airlock.tarball("left-pad", "1.0.0").await;
    assert!(refused.status == 403 && refused.text().contains("waits for review: upstream took it down"), "{}", refused.text());
    airlock.upstream.die().await;
    assert_eq!(airlock.decide("left-pad", "1.0.0", "approve", "we use it and know why it went").await.status, 200);
    let served = airlock.tarball("left-pad", "1.0.0").await;
    assert_eq!((served.status, served.body), (200, first.body));
    assert!(airlock.listed("left-pad").await.contains(&"1.0.0".to_owned()));
}

#[tokio::test]
async fn a_download_that_cannot_wait_longer_comes_back_and_costs_no_second_fetch() {
    let airlock = one().gated_by(|config| config.policy.inspection_wait = Duration::from_millis(50)).await;
    airlock.listed("left-pad").await;
    let gate = airlock.upstream.gate(TARBALL);
    let waited = airlock.tarball("left-pad", "1.0.0").await;
    assert_eq!((waited.status, waited.header("retry-after")), (503, Some("5")), "{}", waited.text());
    assert!(waited.text().contains("left-pad@1.0.0 is being inspected; try again in 5 seconds"), "{}", waited.text());
    gate.open();
    let come_again = async {
        loop {
            let reply = airlock.tarball("left-pad", "1.0.0").await;
            if reply.status == 200 {
                return reply;
            }
            assert_eq!(reply.status, 503, "{}", reply.text());
        }
    };
    let served = crate::support::within("the verdict", come_again).await;
    assert_eq!(served.body, airlock.upstream.tarball("left-pad", "1.0.0"));
    assert_eq!(airlock.upstream.count(TARBALL), 1);
}

#[tokio::test]
async fn many_first_downloads_are_one_fetch_and_one_inspection() {
    let airlock = one().gated().await;
    airlock.listed("left-pad").await;
    let gate = airlock.upstream.gate(TARBALL);
    let downloads = futures_util::future::join_all((0..20).map(|_| airlock.tarball("left-pad", "1.0.0")));
    let opened = async {
        gate.reached(1).await;
        gate.open();
    };
    let (replies, ()) = tokio::join!(downloads, opened);
    for reply in replies {
        assert_eq!((reply.status, reply.body), (200, airlock.upstream.tarball("left-pad", "1.0.0")));
    }
    assert_eq!(airlock.upstream.count(TARBALL), 1);
    let ledger = airlock.as_admin("GET", "/-/airlock/v1/audit?limit=500").send().await.text();
    assert_eq!(ledger.matches("\"command\":\"inspected\"").count(), 1, "{ledger}");
    assert_eq!(ledger.matches("\"command\":\"job_queued\"").count(), 1);
}

#[tokio::test]
async fn wrong_bytes_are_asked_for_again_once_and_never_served() {
    let airlock = Scenario::new().package("left-pad", |p| _ = p.release("1.0.0").wrong_integrity()).gated().await;
    let refused = airlock.tarball("left-pad", "1.0.0").await;
    assert!(refused.status == 403 && refused.text().contains("its bytes are not those the index states"), "{}", refused.text());
    assert_eq!(airlock.upstream.count(TARBALL), 2);
    assert_eq!(airlock.tarball("left-pad", "1.0.0").await.status, 403);
    assert_eq!(airlock.upstream.count(TARBALL), 2, "what is known is not fetched again");
    let approval = airlock.decide("left-pad", "1.0.0", "approve", "trust me").await;
    assert!(approval.status == 409 || approval.status == 422, "{} {}", approval.status, approval.text());
    assert_eq!(airlock.tarball("left-pad", "1.0.0").await.status, 403);
    // Upstream puts it right, and a person has it looked at again.
    airlock.upstream.package("left-pad", |p| {
        let honest = p.release("1.0.0").tarball();
        p.release("1.0.0").dist("integrity", serde_json::json!(honest.integrity)).dist("shasum", serde_json::json!(honest.shasum));
    });
    airlock.advance("10m");
    airlock.listed("left-pad").await;
    assert_eq!(airlock.decide("left-pad", "1.0.0", "reopen", "they put it right").await.status, 200);
    airlock.tarball("left-pad", "1.0.0").await;
    let release = airlock.release("left-pad", "1.0.0").await;
    assert_eq!(release["standing"], "in_review", "its bytes were stated differently before: {release:#}");
    assert_eq!(airlock.decide("left-pad", "1.0.0", "approve", "read the bytes").await.status, 200);
    assert_eq!(airlock.tarball("left-pad", "1.0.0").await.status, 200);
}

#[tokio::test]
async fn a_transfer_that_goes_wrong_once_is_not_held_against_it() {
    let airlock = one().gated().await;
    airlock.upstream.fault(TARBALL, crate::support::upstream::Fault::body("damaged on the way").times(1));
    assert_eq!(airlock.tarball("left-pad", "1.0.0").await.status, 200);
    assert_eq!(airlock.upstream.count(TARBALL), 2);
}

#[tokio::test]
async fn a_manifest_that_disagrees_with_the_bytes_is_rejected_field_by_field() {
    use serde_json::json;
    let cases = [
        ("name", json!("other")),
        ("version", json!("9.9.9")),
        ("scripts", json!({"install": "node x.js"})),
        ("dependencies", json!({"x": "1"})),
        ("bin", json!({"left-pad": "index.js"})),
        ("peerDependencies", json!({"x": "*"})),
    ];
    let scenario = Scenario::new().package("left-pad", |p| {
        for (at, (field, value)) in cases.iter().enumerate() {
            p.release(&format!("1.{at}.0")).shipped(field, value.clone());
        }
    });
    let airlock = scenario.gated().await;
    for (at, (field, _)) in cases.iter().enumerate() {
        let version = format!("1.{at}.0");
        assert_eq!(airlock.tarball("left-pad", &version).await.status, 403, "{field}");
        let release = airlock.release("left-pad", &version).await;
        let finding = release["findings"].as_array().unwrap().iter().find(|one| one["kind"] == "manifest_mismatch");
        let evidence = finding.unwrap_or_else(|| panic!("{field}: {release:#}"))["evidence"].as_str().unwrap().to_owned();
        assert!(evidence.starts_with(field), "{field}: {evidence}");
    }
}
