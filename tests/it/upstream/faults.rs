//! An upstream that fails, cuts, lies about lengths or says too much.

use super::metric;
use crate::support::airlock::Airlock;
use crate::support::scenario::Scenario;
use crate::support::scenario::gzip;
use crate::support::upstream::Fault;

const FILE: &str = "/left-pad/-/left-pad-1.0.0.tgz";

async fn left_pad() -> Airlock {
    Scenario::new().package("left-pad", |p| _ = p.release("1.0.0")).gated().await
}

#[tokio::test]
async fn passing_failures_are_tried_again() {
    for (what, fault) in [
        ("500", Fault::status(500)),
        ("502", Fault::status(502)),
        ("503", Fault::status(503)),
        ("504", Fault::status(504)),
        ("503 with patience", Fault::status(503).retry_after("0")),
        ("429", Fault::status(429)),
        ("429 with patience", Fault::status(429).retry_after("0")),
        ("reset", Fault::reset()),
        ("truncated", Fault::truncated(20)),
    ] {
        let airlock = left_pad().await;
        for path in ["/left-pad", FILE] {
            airlock.upstream.fault(path, fault.clone().times(2));
            assert_eq!(airlock.get(path).await.status, 200, "{what} {path}");
            assert_eq!(airlock.upstream.count(path), 3, "{what} {path}");
        }
        assert_eq!(airlock.get(FILE).await.body, airlock.upstream.tarball("left-pad", "1.0.0"));
        assert_eq!(metric(&airlock, "airlock_upstream_retries_total{upstream=\"default\"}").await, 4.0, "{what}");
    }
}

#[tokio::test]
async fn what_keeps_failing_is_given_up_after_the_configured_tries() {
    for retries in [0, 1] {
        for fault in [Fault::status(503), Fault::reset()] {
            let airlock = Scenario::new().package("left-pad", |p| _ = p.release("1.0.0")).gated_by(|c| c.upstream.retries = retries).await;
            airlock.upstream.fault("/left-pad", fault);
            let reply = airlock.get("/left-pad").await;
            assert_eq!(reply.status, 503, "{}", reply.text());
            assert!(reply.header("retry-after").is_some() && reply.json()["error"].as_str().unwrap().contains("left-pad"));
            assert_eq!(airlock.upstream.count("/left-pad"), retries as usize + 1);
        }
    }
}

#[tokio::test]
async fn patience_beyond_reason_is_the_clients_to_have() {
    let airlock = left_pad().await;
    airlock.upstream.fault("/left-pad", Fault::status(429).retry_after("600"));
    let reply = airlock.get("/left-pad").await;
    assert_eq!((reply.status, reply.header("retry-after")), (503, Some("600")));
    assert_eq!(airlock.upstream.count("/left-pad"), 1);
}

#[tokio::test]
async fn a_definite_answer_is_never_tried_again() {
    for status in [400, 401, 403, 405, 406, 409, 418, 422, 451] {
        let airlock = left_pad().await;
        for path in ["/left-pad", FILE] {
            airlock.upstream.fault(path, Fault::status(status).times(1));
            let reply = airlock.get(path).await;
            assert_eq!((reply.status, reply.header("retry-after")), (502, None), "{status} {path}: {}", reply.text());
            assert_eq!(airlock.upstream.count(path), 1, "{status}");
            assert_eq!(airlock.get(path).await.status, 200, "{status} {path}: asked again, it is answered");
        }
    }
    for status in [404, 410] {
        let airlock = left_pad().await;
        airlock.upstream.fault("/left-pad", Fault::status(status));
        assert_eq!(airlock.get("/left-pad").await.status, 404);
        assert_eq!(airlock.upstream.count("/left-pad"), 1);
        let airlock = left_pad().await;
        airlock.upstream.fault(FILE, Fault::status(status));
        let reply = airlock.get(FILE).await;
        assert_eq!(reply.status, 404, "{}", reply.text());
        assert_eq!(airlock.upstream.count(FILE), 1);
    }
}

#[tokio::test]
async fn an_upstream_that_fails_on_and_on_is_left_alone_for_a_while() {
    let packages = ["a", "b", "c", "d", "e"];
    let airlock = packages.iter().fold(Scenario::new(), |s, name| s.package(name, |p| _ = p.release("1.0.0"))).gated().await;
    airlock.upstream.fault("/*", Fault::status(500));
    for name in packages {
        assert_eq!(airlock.get(&format!("/{name}")).await.status, 503, "{name}");
    }
    assert_eq!(airlock.upstream.log().len(), 8, "the breaker opened");
    assert_eq!(metric(&airlock, "airlock_upstream_breaker_open{upstream=\"default\"}").await, 1.0);
    airlock.upstream.heal_all();
    let still = airlock.get("/e").await;
    assert_eq!(still.status, 503);
    assert!(still.header("retry-after").unwrap().parse::<u64>().unwrap() <= 60);
    assert_eq!(airlock.upstream.log().len(), 8);
    airlock.advance("61s");
    for name in packages {
        assert_eq!(airlock.get(&format!("/{name}")).await.status, 200, "{name}");
    }
    assert_eq!(metric(&airlock, "airlock_upstream_breaker_open{upstream=\"default\"}").await, 0.0);
}

#[tokio::test]
async fn a_body_beyond_its_limit_is_refused_while_it_is_read() {
    let limited = || {
        Scenario::new().package("left-pad", |p| _ = p.release("1.0.0")).gated_by(|config| {
            config.upstream.index_bytes_max = 100_000;
            config.upstream.artifact_bytes_max = 100_000;
        })
    };
    for fault in [
        Fault::oversize(100_000_000_000),
        Fault::oversize_unannounced(50_000_000),
        // Counted unpacked.
        Fault::body(gzip(&vec![b' '; 50_000_000])).header("content-encoding", "gzip"),
    ] {
        let airlock = limited().await;
        for path in ["/left-pad", FILE] {
            airlock.upstream.fault(path, fault.clone().times(1));
            let reply = airlock.get(path).await;
            assert_eq!((reply.status, reply.header("retry-after")), (502, None), "{path}: {}", reply.text());
            assert_eq!(airlock.upstream.count(path), 1, "a large answer stays large");
            assert_eq!(airlock.get(path).await.status, 200, "{path}");
        }
    }
}

#[tokio::test]
async fn a_cut_tarball_is_never_served_and_never_judged() {
    let airlock = left_pad().await;
    airlock.upstream.fault(FILE, Fault::truncated(100));
    let reply = airlock.get(FILE).await;
    assert_eq!(reply.status, 503, "{}", reply.text());
    let release = airlock.release("left-pad", "1.0.0").await;
    assert_eq!(release["standing"], "admissible", "a cut says nothing about the release: {release}");
    airlock.upstream.heal_all();
    airlock.advance("5m");
    assert_eq!(airlock.get(FILE).await.body, airlock.upstream.tarball("left-pad", "1.0.0"));
}

#[tokio::test]
async fn other_bytes_than_the_index_states_are_held_and_never_served() {
    let airlock = left_pad().await;
    airlock.upstream.fault(FILE, Fault::body("other bytes"));
    let reply = airlock.get(FILE).await;
    assert_eq!(reply.status, 403, "{}", reply.text());
    assert!(reply.reason.starts_with("left-pad@1.0.0 is rejected: its bytes are not those the index states"), "{}", reply.reason);
    assert_eq!(airlock.listed("left-pad").await, [""; 0]);
}

#[tokio::test]
async fn a_status_that_nobody_asked_for_is_no_answer() {
    for status in [201, 204, 206, 300, 304, 305] {
        let airlock = left_pad().await;
        for path in ["/left-pad", FILE] {
            airlock.upstream.fault(path, Fault::status(status).times(1));
            let reply = airlock.get(path).await;
            assert_eq!(reply.status, 502, "{status} {path}: {}", reply.text());
            assert_eq!(airlock.get(path).await.status, 200, "{status} {path}");
        }
    }
}
