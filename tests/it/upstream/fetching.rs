//! Asking: one question for all who ask the same, conditional where upstream lets it be, and whatever form comes back.

use serde_json::json;

use super::metric;
use crate::support::airlock::Airlock;
use crate::support::http::Reply;
use crate::support::scenario::Package;
use crate::support::scenario::Scenario;
use crate::support::upstream::Fault;
use crate::support::within;

fn left_pad() -> Scenario {
    Scenario::new().package("left-pad", |p| _ = p.release("1.0.0"))
}

/// Waits until so many requests are being answered, the one that asks included.
async fn in_flight(airlock: &Airlock, count: f64) {
    within("requests in flight", async { while metric(airlock, "airlock_http_requests_in_flight").await < count {} }).await;
}

#[tokio::test]
async fn many_who_ask_the_same_share_one_question() {
    let airlock = left_pad().gated().await;
    let gate = airlock.upstream.gate("/left-pad");
    let paths = ["/left-pad", "/left-pad/latest", "/left-pad/1.0.0", "/-/package/left-pad/dist-tags", "/left-pad/-/left-pad-1.0.0.tgz"];
    let asked: Vec<_> = (0..50).map(|n| tokio::spawn(airlock.call("GET", paths[n % paths.len()]).send())).collect();
    gate.reached(1).await;
    in_flight(&airlock, 51.0).await;
    gate.open();
    for one in asked {
        assert_eq!(one.await.unwrap().status, 200);
    }
    assert_eq!(airlock.upstream.count("/left-pad"), 1);
    assert_eq!(airlock.upstream.count("/left-pad/-/left-pad-1.0.0.tgz"), 1);
}

#[tokio::test]
async fn a_client_that_goes_away_takes_nobodys_answer_with_it() {
    let airlock = left_pad().gated().await;
    let gate = airlock.upstream.gate("/left-pad");
    let first = tokio::spawn(airlock.call("GET", "/left-pad").send());
    gate.reached(1).await;
    let second = tokio::spawn(airlock.call("GET", "/left-pad").send());
    in_flight(&airlock, 3.0).await;
    first.abort();
    assert!(first.await.unwrap_err().is_cancelled());
    gate.open();
    assert_eq!(second.await.unwrap().status, 200);
    assert_eq!(airlock.upstream.count("/left-pad"), 1);
}

#[tokio::test]
async fn an_index_is_asked_for_again_only_when_it_is_no_longer_fresh() {
    let airlock = left_pad().gated().await;
    for (advance, count) in [("0s", 1), ("4m 59s", 1), ("1s", 2), ("0s", 2), ("4m 59s", 2), ("1s", 3)] {
        airlock.advance(advance);
        assert_eq!(airlock.get("/left-pad").await.status, 200);
        assert_eq!(airlock.upstream.count("/left-pad"), count, "after {advance}");
    }
}

#[tokio::test]
async fn what_upstream_confirms_is_not_sent_again() {
    for (etag, last_modified) in [(true, true), (true, false), (false, true)] {
        let scenario = left_pad().shape(|shape| {
            shape.etag = etag;
            shape.last_modified = last_modified;
        });
        let mut airlock = scenario.gated().await;
        let before = airlock.get("/left-pad").await;
        airlock.advance("5m");
        assert_eq!(airlock.get("/left-pad").await.body, before.body);
        // What makes a question conditional outlives a restart.
        airlock = airlock.restart().await;
        airlock.advance("5m");
        assert_eq!(airlock.get("/left-pad").await.json()["versions"].as_object().unwrap().len(), 1);
        let asked = airlock.upstream.requests("/left-pad");
        assert_eq!(asked.iter().map(|one| one.answered).collect::<Vec<_>>(), [200, 304, 304], "{etag} {last_modified}");
        for one in &asked[1..] {
            assert_eq!((one.header("if-none-match").is_some(), one.header("if-modified-since").is_some()), (etag, last_modified));
        }
        airlock.upstream.publish("left-pad", "1.1.0");
        airlock.advance("5m");
        let message = airlock.get("/left-pad").await.json()["policyRestrictions"]["message"].to_string();
        assert!(message.contains("left-pad@1.1.0 is held"), "{message}");
    }
}

#[tokio::test]
async fn without_validators_the_whole_is_asked_for_and_what_is_the_same_changes_nothing() {
    let airlock = left_pad().like_a_mirror().gated().await;
    let tag = airlock.get("/left-pad").await.header("etag").unwrap().to_owned();
    airlock.advance("5m");
    let again = airlock.call("GET", "/left-pad").header("if-none-match", &tag).send().await;
    assert_eq!(again.status, 304, "for our own clients nothing changed");
    let asked = airlock.upstream.requests("/left-pad");
    assert_eq!(asked.iter().map(|one| one.answered).collect::<Vec<_>>(), [200, 200]);
    assert!(asked.iter().all(|one| one.header("if-none-match").is_none() && one.header("if-modified-since").is_none()));
}

#[tokio::test]
async fn a_negative_answer_is_kept_briefly() {
    let airlock = left_pad().gated().await;
    for accept in ["application/vnd.npm.install-v1+json", "application/json", "*/*"] {
        assert_eq!(airlock.call("GET", "/nobody").header("accept", accept).send().await.status, 404);
    }
    assert_eq!(airlock.get("/nobody/-/nobody-1.0.0.tgz").await.status, 404);
    assert_eq!(airlock.upstream.count("/nobody"), 1);
    airlock.upstream.package("nobody", |p| _ = p.release("1.0.0"));
    airlock.advance("11s");
    assert_eq!(airlock.get("/nobody").await.status, 200);
    assert_eq!(airlock.upstream.count("/nobody"), 2);
}

fn times(p: &mut Package) {
    p.release("1.0.0").published("2025-01-02T10:00:00+10:00");
    // Half an hour before the minimum age, whatever the offset makes it look like.
    p.release("1.1.0").published("2026-11-14T02:30:00+14:00");
    p.release("1.2.0").published("2026-11-13T01:30:00-10:30");
}

/// One mid-size form for every Accept, no validators, times with offsets and without created and modified, one tag.
#[tokio::test]
async fn a_mirror_as_mirrors_are() {
    let mut package = Package::new("@acme/web");
    times(&mut package);
    package.release("1.3.0").without_time();
    let airlock = Scenario::new().package("@acme/web", |p| *p = package).like_a_mirror().gated().await;
    for accept in ["application/json", "application/vnd.npm.install-v1+json"] {
        let packument: Reply = airlock.call("GET", "/@acme%2fweb").header("accept", accept).send().await;
        assert_eq!(packument.header("content-type"), Some(accept));
        let packument = packument.json();
        assert_eq!(packument["dist-tags"], json!({"latest": "1.2.0"}), "1.3.0 has no time and counts from now");
        let times = packument["time"].as_object().unwrap();
        assert_eq!(times.keys().collect::<Vec<_>>(), ["1.0.0", "1.2.0", "created", "modified"]);
        assert_eq!((&times["1.0.0"], &times["1.2.0"]), (&json!("2025-01-02T00:00:00.000Z"), &json!("2026-11-13T12:00:00.000Z")));
        assert_eq!(times["created"], "2025-01-02T00:00:00.000Z");
    }
    assert_eq!(airlock.tarball("@acme/web", "1.2.0").await.body, airlock.upstream.tarball("@acme/web", "1.2.0"));
    airlock.advance("30m");
    assert_eq!(airlock.listed("@acme/web").await, ["1.0.0", "1.1.0", "1.2.0"]);
}

#[tokio::test]
async fn an_index_without_any_time_counts_from_the_first_sight() {
    let text = |version: &str| {
        format!(
            r#""{version}":{{"name":"x","version":"{version}","dist":{{"tarball":"https://registry.example/x/-/x-{version}.tgz","shasum":"da39a3ee5e6b4b0d3255bfef95601890afd80709"}}}}"#
        )
    };
    let document = format!(r#"{{"name":"x","dist-tags":{{"latest":"1.1.0"}},"versions":{{{},{}}}}}"#, text("1.0.0"), text("1.1.0"));
    let airlock = Scenario::new().package("x", |p| _ = p.document_text(&document)).gated().await;
    assert_eq!(airlock.listed("x").await, [""; 0]);
    let refused = airlock.get("/x/1.1.0").await;
    let said = "x@1.1.0 is held: first seen 0 seconds ago, opens 2026-12-04 12:00 UTC (new packages wait 14 days).";
    assert!(refused.reason.starts_with(said), "{}", refused.reason);
    airlock.advance("14d");
    let packument = airlock.get("/x").await.json();
    assert_eq!(packument["dist-tags"], json!({"latest": "1.1.0"}));
    assert_eq!(packument["time"]["1.1.0"], "2026-11-20T12:00:00.000Z");
}

#[tokio::test]
async fn gzip_is_understood_whether_or_not_it_was_asked_for() {
    let plain = left_pad().gated().await;
    let expect = plain.get("/left-pad").await.json()["versions"]["1.0.0"]["dist"]["integrity"].clone();
    let coded = left_pad().shape(|shape| shape.gzip = true).gated().await;
    assert_eq!(coded.get("/left-pad").await.json()["versions"]["1.0.0"]["dist"]["integrity"], expect);
    assert!(coded.upstream.log()[0].header("accept-encoding").unwrap().contains("gzip"));
    let unasked = left_pad().gated().await;
    unasked.upstream.fault("/left-pad", Fault::gzip());
    assert_eq!(unasked.get("/left-pad").await.json()["versions"]["1.0.0"]["dist"]["integrity"], expect);
    // A tarball is hashed as it is: no coding of it is asked for, and one that comes changes no byte.
    let path = "/left-pad/-/left-pad-1.0.0.tgz";
    unasked.upstream.fault(path, Fault::gzip().times(1));
    let first = unasked.get(path).await;
    assert!(first.status != 200 || first.body == unasked.upstream.tarball("left-pad", "1.0.0"));
    assert_eq!(unasked.upstream.requests(path)[0].header("accept-encoding"), Some("identity"));
}

#[tokio::test]
async fn upstream_is_asked_with_the_encoded_name_under_its_prefix() {
    let airlock = Scenario::new()
        .package("@acme/web", |p| _ = p.release("1.0.0"))
        .shape(|shape| shape.prefix = "/repository/npm/".to_owned())
        .gated()
        .await;
    assert_eq!(airlock.tarball("@acme/web", "1.0.0").await.body, airlock.upstream.tarball("@acme/web", "1.0.0"));
    let raw: Vec<String> = airlock.upstream.log().into_iter().map(|one| one.raw).collect();
    assert_eq!(raw, ["/repository/npm/@acme%2fweb", "/repository/npm/@acme/web/-/web-1.0.0.tgz", "/repository/npm/-/npm/v1/keys"]);
}

#[tokio::test]
async fn a_file_that_the_index_lacks_is_looked_for_upstream_before_it_is_denied() {
    let airlock = left_pad().gated().await;
    assert_eq!(airlock.get("/left-pad").await.status, 200);
    airlock.advance("6s");
    airlock.upstream.publish("left-pad", "1.1.0");
    let reply = airlock.tarball("left-pad", "1.1.0").await;
    assert_eq!(reply.status, 403, "known and not open, so not 404: {}", reply.text());
    assert!(reply.reason.starts_with("left-pad@1.1.0 is held: "), "{}", reply.reason);
    assert_eq!(airlock.upstream.count("/left-pad"), 2);
    // Not asked for each wrong name that somebody tries.
    for n in 0..5 {
        assert_eq!(airlock.tarball("left-pad", &format!("9.9.{n}")).await.status, 404);
    }
    assert_eq!(airlock.upstream.count("/left-pad"), 2);
    airlock.advance("7d");
    assert_eq!(airlock.tarball("left-pad", "1.1.0").await.status, 200);
}

#[tokio::test]
async fn a_scope_has_its_own_upstream() {
    let other = Scenario::new().package("@acme/web", |p| _ = p.release("1.0.0").field("description", json!("from acme"))).start().await;
    let url = other.url();
    let airlock = left_pad()
        .package("@acme/web", |p| _ = p.release("1.0.0").field("description", json!("from the default")))
        .package("@acme-web/x", |p| _ = p.release("1.0.0"))
        .gated_by(|config| {
            config.upstream.scopes.insert("@acme".to_owned(), airlock::config::upstream::Scope { url, token: None });
        })
        .await;
    assert_eq!(airlock.get("/@acme%2fweb").await.json()["versions"]["1.0.0"]["description"], "from acme");
    assert_eq!(airlock.tarball("@acme/web", "1.0.0").await.body, other.tarball("@acme/web", "1.0.0"));
    assert_eq!(airlock.get("/@acme%2fmissing").await.status, 404);
    assert_eq!(airlock.upstream.log().len(), 0, "the default upstream never hears of the scope");
    for path in ["/left-pad", "/@acme-web%2fx"] {
        assert_eq!(airlock.get(path).await.status, 200);
    }
    assert_eq!((other.count("/left-pad"), other.count("/@acme-web/x")), (0, 0));
    other.die().await;
    airlock.upstream.forget_requests();
    airlock.advance("10m");
    assert!(airlock.get("/@acme%2fweb").await.header("airlock-stale-seconds").is_some());
    assert_eq!(airlock.get("/@acme%2fother").await.status, 503, "not the default's answer");
    assert_eq!(airlock.upstream.log().len(), 0);
}
