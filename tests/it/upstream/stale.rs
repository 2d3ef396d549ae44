//! Upstream does not answer, or gives nothing to go by: what is known is served, with its age, and judged as ever.

use super::metric;
use crate::support::airlock::Airlock;
use crate::support::http::Reply;
use crate::support::scenario::Scenario;
use crate::support::upstream::Fault;

const STALE: &str = "airlock-stale-seconds";

fn left_pad() -> Scenario {
    Scenario::new().package("left-pad", |p| {
        p.release("1.0.0");
        p.release("1.1.0").age("9h");
    })
}

async fn all(airlock: &Airlock) -> Vec<Reply> {
    let mut replies = Vec::new();
    for path in ["/left-pad", "/left-pad/1.0.0", "/left-pad/latest", "/-/package/left-pad/dist-tags"] {
        replies.push(airlock.get(path).await);
    }
    replies
}

#[tokio::test]
async fn a_dead_upstreams_index_is_served_with_its_age() {
    let airlock = left_pad().gated().await;
    for reply in all(&airlock).await {
        assert_eq!((reply.status, reply.header(STALE)), (200, None));
    }
    assert_eq!(metric(&airlock, "airlock_indexes_served_stale_total").await, 0.0);
    airlock.upstream.die().await;
    airlock.advance("4m");
    assert_eq!(airlock.get("/left-pad").await.header(STALE), None, "still fresh");
    airlock.advance("6m");
    for reply in all(&airlock).await {
        assert_eq!((reply.status, reply.header(STALE)), (200, Some("600")));
    }
    assert_eq!(metric(&airlock, "airlock_indexes_served_stale_total").await, 4.0);
    // A client that holds it is not sent it again, and told its age too.
    let tag = airlock.get("/left-pad").await.header("etag").unwrap().to_owned();
    let again = airlock.call("GET", "/left-pad").header("if-none-match", &tag).send().await;
    assert_eq!((again.status, again.header(STALE)), (304, Some("600")));
    airlock.upstream.revive().await;
    airlock.advance("2m");
    for reply in all(&airlock).await {
        assert_eq!((reply.status, reply.header(STALE)), (200, None), "it answers again");
    }
}

#[tokio::test]
async fn a_dead_upstream_is_not_asked_by_every_request() {
    let airlock = left_pad().gated_by(|config| config.upstream.retries = 0).await;
    assert_eq!(airlock.get("/left-pad").await.status, 200);
    airlock.upstream.fault("/left-pad", Fault::status(500));
    airlock.advance("10m");
    for _ in 0..20 {
        assert_eq!(airlock.get("/left-pad").await.header(STALE), Some("600"));
    }
    assert_eq!(airlock.upstream.count("/left-pad"), 2);
}

#[tokio::test]
async fn holds_open_by_themselves_while_upstream_is_dead() {
    let airlock = left_pad().gated().await;
    assert_eq!(airlock.tarball("left-pad", "1.0.0").await.status, 200);
    airlock.upstream.die().await;
    airlock.advance("7d");
    assert_eq!(airlock.listed("left-pad").await, ["1.0.0", "1.1.0"]);
    // What was inspected is served from here; what was not cannot be had from anywhere.
    assert_eq!(airlock.tarball("left-pad", "1.0.0").await.body, airlock.upstream.tarball("left-pad", "1.0.0"));
    let other = airlock.tarball("left-pad", "1.1.0").await;
    assert_eq!(other.status, 503, "{}", other.text());
    assert!(other.header("retry-after").is_some());
}

#[tokio::test]
async fn what_is_known_outlives_a_restart_into_a_dead_upstream() {
    let airlock = left_pad().gated().await;
    assert_eq!(airlock.tarball("left-pad", "1.0.0").await.status, 200);
    let before = airlock.get("/left-pad").await.json();
    airlock.upstream.die().await;
    airlock.advance("20m");
    let airlock = airlock.restart().await;
    let after = airlock.get("/left-pad").await;
    assert_eq!((after.status, after.header(STALE)), (200, Some("1200")));
    assert_eq!((&after.json()["dist-tags"], &after.json()["time"]), (&before["dist-tags"], &before["time"]));
    assert_eq!(airlock.tarball("left-pad", "1.0.0").await.body, airlock.upstream.tarball("left-pad", "1.0.0"));
    assert_eq!(airlock.tarball("left-pad", "1.1.0").await.status, 403, "and what was held is held");
}

#[tokio::test]
async fn an_upstream_dead_from_the_start_is_said_and_waited_for() {
    let upstream = left_pad().start().await;
    upstream.die().await;
    let airlock = Airlock::before(upstream, |_| {}).await;
    assert_eq!(airlock.get("/-/ping").await.status, 200);
    for path in ["/-/airlock/livez", "/-/airlock/readyz"] {
        assert_eq!(airlock.get(path).await.status, 200, "{path}: only the store and the blobs make it ready");
    }
    for path in ["/left-pad", "/left-pad/latest", "/left-pad/-/left-pad-1.0.0.tgz"] {
        let reply = airlock.get(path).await;
        assert_eq!((reply.status, reply.header("cache-control")), (503, Some("no-store")), "{path}: {}", reply.text());
        assert!(reply.header("retry-after").is_some());
        assert!(reply.json()["error"].as_str().unwrap().starts_with("the upstream registry does not answer for left-pad"));
    }
    airlock.upstream.revive().await;
    airlock.advance("61s");
    assert_eq!(airlock.listed("left-pad").await, ["1.0.0"], "an outage is not remembered as an absence");
}

#[tokio::test]
async fn a_definite_refusal_does_not_take_away_what_is_known() {
    for fault in [
        Fault::status(403),
        Fault::status(500),
        Fault::truncated(10),
        Fault::body("<html>login</html>"),
        Fault::redirect("http://192.0.2.1/x"),
    ] {
        let airlock = left_pad().like_a_mirror().gated_by(|config| config.upstream.retries = 0).await;
        assert_eq!(airlock.listed("left-pad").await, ["1.0.0"]);
        airlock.upstream.fault("/left-pad", fault);
        airlock.advance("10m");
        let reply = airlock.get("/left-pad").await;
        assert_eq!((reply.status, reply.header(STALE)), (200, Some("600")));
        assert_eq!(airlock.listed("left-pad").await, ["1.0.0"]);
    }
}

#[tokio::test]
async fn a_package_that_upstream_took_away_is_held_and_not_forgotten() {
    let airlock = left_pad().gated().await;
    assert_eq!(airlock.listed("left-pad").await, ["1.0.0"]);
    airlock.upstream.remove_package("left-pad");
    airlock.advance("10m");
    let reply = airlock.get("/left-pad").await;
    assert_eq!((reply.status, reply.header(STALE)), (200, None), "upstream did answer");
    assert_eq!(reply.json()["versions"], serde_json::json!({}));
    let refused = airlock.tarball("left-pad", "1.0.0").await;
    assert_eq!(refused.status, 403);
    assert!(refused.reason.starts_with("left-pad@1.0.0 waits for review: upstream took it down"), "{}", refused.reason);
}
