//! Requests: developers ask, nothing opens by it, and whoever decides sees how many ask and why.

use serde_json::Value;
use serde_json::json;

use super::decide;
use super::token;
use crate::support::airlock::Airlock;
use crate::support::http::Reply;
use crate::support::scenario::Scenario;

fn scenario() -> Scenario {
    let scenario = Scenario::new().package("left-pad", |p| {
        p.release("1.0.0");
        p.release("1.1.0").age("9h");
        p.release("1.2.0").without_integrity();
        p.release("1.3.0").manifest_text(r#"{"name":"left-pad","version":"1.3.0","version":"1.3.0"}"#);
    });
    scenario.package("right-pad", |p| _ = p.release("2.0.0").age("9h"))
}

async fn request(airlock: &Airlock, token: &str, release: &str, reason: &str) -> Reply {
    let (package, version) = release.rsplit_once('@').unwrap();
    let path = format!("/-/airlock/v1/releases/{package}/{version}/requests");
    airlock.call("POST", &path).bearer(token).json(&json!({"reason": reason})).send().await
}

/// Each release that waits, and how many people ask for it.
async fn queue(airlock: &Airlock) -> Vec<(String, u64)> {
    let queue = airlock.as_admin("GET", "/-/airlock/v1/queue").send().await.json();
    let one = |one: &Value| {
        (format!("{}@{}", one["package"].as_str().unwrap(), one["version"].as_str().unwrap()), one["requests"].as_u64().unwrap())
    };
    queue["waiting"].as_array().unwrap().iter().map(one).collect()
}

fn rows(rows: &[(&str, u64)]) -> Vec<(String, u64)> {
    rows.iter().map(|(release, people)| ((*release).to_owned(), *people)).collect()
}

#[tokio::test]
async fn what_people_ask_for_waits_for_people_most_asked_first() {
    let airlock = scenario().gated().await;
    let (maria, _) = token(&airlock, "maria", "approver").await;
    let (ann, joe) = (token(&airlock, "ann", "reader").await.0, token(&airlock, "joe", "reader").await.0);
    // Tried often, and asked for by nobody.
    for _ in 0..3 {
        assert_eq!(airlock.tarball("left-pad", "1.2.0").await.status, 403);
    }
    assert_eq!(queue(&airlock).await, rows(&[("left-pad@1.2.0", 0)]), "what is only held waits for its age");
    assert_eq!(request(&airlock, &ann, "right-pad@2.0.0", "ticket 1").await.json()["requests"], 1);
    assert_eq!(request(&airlock, &ann, "left-pad@1.1.0", "ticket 2").await.json()["requests"], 1);
    let second = request(&airlock, &joe, "left-pad@1.1.0", "it mends the crash of ticket 3").await;
    assert_eq!((second.status, &second.json()["requests"], &second.json()["standing"]), (200, &json!(2), &json!("held")));
    assert_eq!(queue(&airlock).await, rows(&[("left-pad@1.1.0", 2), ("right-pad@2.0.0", 1), ("left-pad@1.2.0", 0)]));
    assert_eq!(airlock.tarball("left-pad", "1.1.0").await.status, 403, "asking opens nothing");

    let release = airlock.release("left-pad", "1.1.0").await;
    let words: Vec<&Value> = release["history"].as_array().unwrap().iter().filter(|event| event["by"] == "joe").collect();
    assert_eq!(words[0]["reason"], "it mends the crash of ticket 3");
    let page = airlock.call("GET", "/-/airlock/r/left-pad@1.1.0").header("accept", "text/html").send().await.text();
    assert!(page.contains("by 2 people") && page.contains("airlock request left-pad@1.1.0"), "{page}");

    // Over a restart, and until somebody opens it.
    let airlock = airlock.restart().await;
    let waiting = async {
        while !queue(&airlock).await.contains(&("left-pad@1.1.0".to_owned(), 2)) {
            tokio::task::yield_now().await;
        }
    };
    crate::support::within("the queue to be whole", waiting).await;
    airlock.advance("16h");
    assert_eq!(decide(&airlock, &maria, "left-pad@1.1.0", "approve").await.status, 200);
    assert_eq!(airlock.tarball("left-pad", "1.1.0").await.status, 200);
    assert!(!queue(&airlock).await.iter().any(|(release, _)| release == "left-pad@1.1.0"));
}

#[tokio::test]
async fn one_person_counts_once_and_a_refusal_answers() {
    let airlock = scenario().gated().await;
    let (maria, ann) = (token(&airlock, "maria", "approver").await.0, token(&airlock, "ann", "reader").await.0);
    let records = || async {
        let audit = airlock.as_admin("GET", "/-/airlock/v1/audit?limit=500").send().await.json();
        let told = |entry: &Value| entry["what"][0].as_str().unwrap().starts_with("ann asks for left-pad@1.1.0");
        audit["entries"].as_array().unwrap().iter().filter(|entry| told(entry)).count()
    };
    for (reason, recorded) in [("needed", 1), ("needed", 1), (" needed ", 1), ("needed by Friday", 2)] {
        let reply = request(&airlock, &ann, "left-pad@1.1.0", reason).await;
        assert_eq!((reply.status, &reply.json()["requests"]), (200, &json!(1)), "{}", reply.text());
        assert_eq!(records().await, recorded, "{reason}");
    }
    airlock.advance("1m");
    assert_eq!(decide(&airlock, &maria, "left-pad@1.1.0", "reject").await.json()["requests"], 0);
    assert!(queue(&airlock).await.is_empty());
    airlock.advance("1m");
    assert_eq!(request(&airlock, &ann, "left-pad@1.1.0", "it is good, see ticket 4").await.json()["requests"], 1);
    assert_eq!(queue(&airlock).await, rows(&[("left-pad@1.1.0", 1)]));
}

#[tokio::test]
async fn what_is_in_vain_is_refused() {
    let airlock = scenario().gated().await;
    let (ann, _) = token(&airlock, "ann", "reader").await;
    for (release, reason, status, word) in [
        ("left-pad@1.0.0", "needed", 409, "is admissible"),
        ("left-pad@1.3.0", "needed", 409, "cannot be approved by anyone"),
        ("left-pad@9.9.9", "needed", 404, "9.9.9"),
        ("no-such-package@1.0.0", "needed", 404, "no-such-package"),
        ("left-pad@1.1.0", " ", 422, "a reason is needed"),
        ("left-pad@1.1.0", &"x".repeat(1_001), 422, "1000"),
    ] {
        let reply = request(&airlock, &ann, release, reason).await;
        assert!(reply.status == status && reply.text().contains(word), "{release}: {} {}", reply.status, reply.text());
    }
    let path = "/-/airlock/v1/releases/left-pad/1.1.0/requests";
    let nobody = airlock.call("POST", path).json(&json!({"reason": "needed"})).send().await;
    assert_eq!(nobody.status, 401, "who asks is counted by name: {}", nobody.text());
    assert_eq!(airlock.release("left-pad", "1.1.0").await["requests"], 0);
    for number in 0..60 {
        assert_eq!(request(&airlock, &ann, "left-pad@1.1.0", &format!("again {number}")).await.status, 200);
    }
    let too_many = request(&airlock, &ann, "left-pad@1.1.0", "once more").await;
    assert!(too_many.status == 429 && too_many.header("retry-after").is_some(), "{} {}", too_many.status, too_many.text());
}
