//! What operators and load balancers ask, and what one request may cost.

use serde_json::json;

use crate::support::airlock::Airlock;
use crate::support::binary::Launch;
use crate::support::scenario::Scenario;

async fn gated() -> Airlock {
    let scenario = Scenario::new().package("left-pad", |p| {
        p.release("1.0.0");
        p.release("1.1.0").age("1h");
    });
    scenario.gated_by(|config| config.server.body_bytes_max = 1_000).await
}

#[tokio::test]
async fn it_says_that_it_lives_and_can_serve_and_what_it_did() {
    let airlock = gated().await;
    assert_eq!(airlock.get("/-/airlock/livez").await.status, 200);
    assert_eq!(airlock.get("/-/airlock/readyz").await.status, 200);
    airlock.tarball("left-pad", "1.0.0").await;
    airlock.tarball("left-pad", "1.1.0").await;
    let metrics = airlock.get("/-/airlock/metrics").await;
    assert_eq!(metrics.status, 200);
    let text = metrics.text();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let (_, value) = line.rsplit_once(' ').unwrap_or_else(|| panic!("{line}"));
        assert!(value.parse::<f64>().is_ok(), "{line}");
    }
    assert!(text.contains("airlock_jobs_parked 0") && text.contains("# TYPE "), "{text}");
    assert!(!text.contains("left-pad"), "no package's name is a label");
}

#[tokio::test]
async fn a_request_is_bounded() {
    let airlock = gated().await;
    let large = json!({"name": "x".repeat(2_000), "role": "reader"});
    let reply = airlock.as_admin("POST", "/-/airlock/v1/tokens").json(&large).send().await;
    assert_eq!(reply.status, 413, "{}", reply.text());
    let reply = airlock.call("GET", "/left-pad").header("x-large", &"x".repeat(100_000)).send().await;
    assert_eq!(reply.status, 431, "{}", reply.text());
    let many = (0..200).fold(airlock.call("GET", "/left-pad"), |call, at| call.header(&format!("x-{at}"), "1"));
    assert_eq!(many.send().await.status, 431);
    assert_eq!(airlock.get(&format!("/{}", "x".repeat(3_000))).await.status, 400);
    assert_eq!(airlock.get("/.hidden").await.status, 400, "no name is no name");
    let foreign = airlock.call("GET", "/left-pad").header("host", "evil.example").send().await;
    assert_eq!(foreign.status, 421, "{}", foreign.text());
    assert_eq!(airlock.get("/left-pad").await.status, 200);
}

/// As the image's HEALTHCHECK asks: the address from the environment, no token, no other program.
#[tokio::test]
async fn the_binary_asks_after_its_own_health() {
    let upstream = Scenario::live().start().await;
    let server = Launch::at(&upstream).start().await;
    let asks = Launch::at(&upstream).environment("AIRLOCK_SERVER__LISTEN", &server.address().to_string());
    asks.run(&["health"]).await.assert_success().assert_says("ready");
    drop(server);
    let outcome = asks.run(&["health"]).await;
    assert_eq!(outcome.code, Some(1), "{}", outcome.output);
}
