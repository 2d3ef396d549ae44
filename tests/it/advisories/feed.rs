//! The feed: all of it first, then what is new; a failure takes nothing away, and nothing opens until it was heard.

use serde_json::Value;
use serde_json::json;

use crate::advisories::ADVISORIES;
use crate::advisories::malware;
use crate::advisories::vulnerability;
use crate::advisories::zip_of;
use crate::support::airlock::Airlock;
use crate::support::scenario::Scenario;
use crate::support::upstream::Fault;
use crate::support::upstream::Upstream;
use crate::support::within;

const ALL: &str = "/feeds/npm/all.zip";
const LIST: &str = "/feeds/npm/modified_id.csv";

fn first() -> Value {
    malware("MAL-2099-0001", "evil", &["1.0.0"], &["some-inspector"], "2026-11-20T10:00:00Z")
}

/// 1.1.0 opens in a day.
async fn feed() -> Upstream {
    let scenario = Scenario::new().package("left-pad", |p| {
        p.release("1.0.0");
        p.release("1.1.0").age("6d");
    });
    let upstream = scenario.start().await;
    upstream.document(ALL, zip_of(&[first(), vulnerability("GHSA-aaaa-bbbb-cccc", "other", "1.0.0", "2026-11-20T09:00:00Z")]));
    upstream
}

async fn before(upstream: Upstream) -> Airlock {
    let url = upstream.url().join("feeds/npm/").unwrap();
    Airlock::before(upstream, |config| config.feeds.osv.url = Some(url)).await
}

/// How the feeds are, once it is as `wanted` says.
async fn once(airlock: &Airlock, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
    within(what, async {
        loop {
            let state = airlock.get(ADVISORIES).await.json();
            if wanted(&state) {
                return state;
            }
        }
    })
    .await
}

async fn heard(airlock: &Airlock) -> Value {
    once(airlock, "the feed to be heard", |state| state["fresh"] == true).await
}

#[tokio::test]
async fn it_is_heard_whole_and_then_what_is_new() {
    let airlock = before(feed().await).await;
    let state = heard(&airlock).await;
    assert_eq!((&state["feeds"][0]["advisories"], &state["as_of"]), (&json!(2), &json!("2026-11-20T12:00:00.000Z")), "{state:#}");
    assert_eq!(state["asked"], airlock.upstream.url().origin().ascii_serialization());
    assert_eq!((airlock.upstream.count(ALL), airlock.upstream.count(LIST)), (1, 0));

    let named = malware("MAL-2099-0002", "left-pad", &["1.0.0"], &["some-inspector"], "2026-11-20T13:00:00Z");
    let new = "2026-11-20T13:00:00Z,MAL-2099-0002\n2026-11-20T10:00:00Z,MAL-2099-0001\n2026-11-20T09:00:00Z,GHSA-aaaa-bbbb-cccc\n";
    // Megabytes of what is known, which nobody waits for.
    airlock.upstream.document(LIST, format!("{new}{}", "2025-01-01T00:00:00Z,MAL-2025-1\n".repeat(100_000)));
    airlock.upstream.document("/feeds/npm/MAL-2099-0002.json", serde_json::to_string_pretty(&named).unwrap());
    airlock.upstream.document("/feeds/npm/MAL-2099-0001.json", first().to_string());
    assert_eq!(airlock.tarball("left-pad", "1.0.0").await.status, 200);
    airlock.advance("2h");
    let airlock = airlock.restart().await;
    let state = once(&airlock, "what is new", |state| state["feeds"][0]["advisories"] == 3).await;
    assert_eq!(state["as_of"], "2026-11-20T14:00:00.000Z");
    assert_eq!((airlock.upstream.count(ALL), airlock.upstream.count(LIST)), (1, 1), "not all of it again");
    assert_eq!(airlock.upstream.count("/feeds/npm/GHSA-aaaa-bbbb-cccc.json"), 0, "what is known for long is not asked again");
    assert_eq!(airlock.tarball("left-pad", "1.0.0").await.status, 403);
    for secret in ["left-pad", "1.0.0"] {
        let told = airlock.upstream.log().into_iter().filter(|asked| asked.path.starts_with("/feeds/")).any(|asked| asked.mentions(secret));
        assert!(!told, "a feed does not learn what is used here");
    }
}

#[tokio::test]
async fn a_failure_takes_nothing_away_and_what_is_known_gets_older() {
    let upstream = feed().await;
    let airlock = before(upstream).await;
    heard(&airlock).await;
    airlock.upstream.fault(LIST, Fault::status(500));
    airlock.advance("1d");
    let airlock = airlock.restart().await;
    let state = once(&airlock, "the failure", |state| state["last_error"].is_string()).await;
    assert_eq!((&state["fresh"], &state["feeds"][0]["advisories"]), (&json!(false), &json!(2)), "{state:#}");
    let held = airlock.tarball("left-pad", "1.1.0").await;
    assert!(held.status == 403 && held.text().contains("what is known of malware is too old"), "{}", held.text());
    assert_eq!(airlock.tarball("left-pad", "1.0.0").await.status, 200, "what had opened stays open");
    assert!(airlock.get("/-/airlock/metrics").await.text().contains("airlock_feed_failures_total 1"));
    assert_eq!(airlock.get(&format!("{ADVISORIES}?package=evil")).await.json()["advisories"][0]["id"], "MAL-2099-0001");
}

#[tokio::test]
async fn nothing_opens_before_it_was_heard() {
    for fault in [Fault::status(500), Fault::body("not a zip"), Fault::status(302), Fault::reset()] {
        let upstream = feed().await;
        upstream.fault(ALL, fault.clone());
        let airlock = before(upstream).await;
        let state = once(&airlock, "the failure", |state| state["last_error"].is_string()).await;
        assert_eq!((&state["fresh"], &state["feeds"]), (&json!(false), &json!([])), "{fault:?}");
        let held = airlock.tarball("left-pad", "1.0.0").await;
        assert!(held.status == 403 && held.text().contains("nothing was heard yet"), "{fault:?}: {}", held.text());
    }
}

#[tokio::test]
async fn a_mirror_that_nobody_renews_gets_too_old() {
    let upstream = feed().await;
    upstream.package("left-pad", |p| _ = p.release("1.2.0").age("3d"));
    let airlock = before(upstream).await;
    heard(&airlock).await;
    let known = "2026-11-20T10:00:00Z,MAL-2099-0001\n2026-11-20T09:00:00Z,GHSA-aaaa-bbbb-cccc\n";
    airlock.upstream.document(LIST, known);
    airlock.upstream.document("/feeds/npm/MAL-2099-0001.json", first().to_string());
    airlock.advance("4d");
    let airlock = airlock.restart().await;
    let state = once(&airlock, "the old list", |state| state["as_of"] != "2026-11-20T12:00:00.000Z").await;
    assert_eq!((&state["as_of"], &state["fresh"]), (&json!("2026-11-23T10:00:00.000Z"), &json!(false)), "{state:#}");
    let held = airlock.tarball("left-pad", "1.2.0").await;
    assert!(held.status == 403 && held.text().contains("what is known of malware is too old"), "{}", held.status);
    assert_eq!(airlock.tarball("left-pad", "1.1.0").await.status, 200, "it opened while the mirror counted");

    let new = malware("MAL-2099-0002", "evil", &["2.0.0"], &["some-inspector"], "2026-11-24T11:00:00Z");
    airlock.upstream.document(LIST, format!("2026-11-24T11:00:00Z,MAL-2099-0002\n{known}"));
    airlock.upstream.document("/feeds/npm/MAL-2099-0002.json", new.to_string());
    airlock.upstream.document("/feeds/npm/GHSA-aaaa-bbbb-cccc.json", "{}");
    airlock.advance("10m");
    let airlock = airlock.restart().await;
    assert_eq!(heard(&airlock).await["as_of"], "2026-11-24T12:10:00.000Z");
    assert_eq!(airlock.tarball("left-pad", "1.2.0").await.status, 200);
}

#[tokio::test]
async fn all_there_is_counts_no_longer_than_its_newest_record_and_a_while() {
    let upstream = feed().await;
    let url = upstream.url().join("feeds/npm/").unwrap();
    let airlock = Airlock::before(upstream, |config| {
        config.feeds.osv.url = Some(url);
        config.feeds.osv.quiet_max = std::time::Duration::from_secs(3_600);
    })
    .await;
    assert_eq!(heard(&airlock).await["as_of"], "2026-11-20T11:00:00.000Z");
}

#[tokio::test]
async fn what_an_admin_brings_waits_for_no_download() {
    let upstream = feed().await;
    let gate = upstream.gate(ALL);
    let airlock = before(upstream).await;
    gate.reached(1).await;
    let own = malware("MAL-2099-0009", "left-pad", &["1.0.0"], &["some-inspector"], "2026-11-20T11:00:00Z");
    within("what was brought to be heard", airlock.bring(&[own])).await;
    assert_eq!(airlock.get(&format!("{ADVISORIES}?package=left-pad")).await.json()["advisories"][0]["id"], "MAL-2099-0009");
    gate.open();
    heard(&airlock).await;
    assert_eq!(airlock.tarball("left-pad", "1.0.0").await.status, 403);
}

#[tokio::test]
async fn what_is_new_is_asked_for_again_where_all_was_brought_meanwhile() {
    let airlock = before(feed().await).await;
    heard(&airlock).await;
    let known = "2026-11-20T10:00:00Z,MAL-2099-0001\n2026-11-20T09:00:00Z,GHSA-aaaa-bbbb-cccc\n";
    airlock.upstream.document(LIST, known);
    airlock.upstream.document("/feeds/npm/MAL-2099-0001.json", first().to_string());
    let gate = airlock.upstream.gate(LIST);
    airlock.advance("2h");
    let airlock = airlock.restart().await;
    gate.reached(1).await;
    let all = [first(), vulnerability("GHSA-aaaa-bbbb-cccc", "other", "1.0.0", "2026-11-20T13:00:00Z")];
    let reply = within("all to be brought", airlock.bring_all(&all)).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    gate.open();
    once(&airlock, "the list to be heard", |state| state["as_of"] == "2026-11-20T14:00:00.000Z").await;
    assert_eq!(airlock.upstream.count(LIST), 2);
}

/// What becomes of a record that could not be read.
#[derive(Clone, Copy, Debug)]
enum Mended {
    Readable,
    OffTheList,
    /// The list names it still, and it is in nothing that is fetched.
    Gone,
    ByHand,
}

#[tokio::test]
async fn a_record_that_cannot_be_read_is_named_and_holds_the_age_until_it_is_mended() {
    const RECORD: &str = "/feeds/npm/MAL-2099-0002.json";
    const REST: &str = "2026-11-20T10:00:00Z,MAL-2099-0001\n2026-11-20T09:00:00Z,GHSA-aaaa-bbbb-cccc\n";
    for mended in [Mended::Readable, Mended::OffTheList, Mended::Gone, Mended::ByHand] {
        let airlock = before(feed().await).await;
        heard(&airlock).await;
        let record = malware("MAL-2099-0002", "bad", &["1.0.0"], &["some-inspector"], "2026-11-20T13:00:00Z");
        airlock.upstream.document(LIST, format!("2026-11-20T13:00:00Z,MAL-2099-0002\n{REST}"));
        airlock.upstream.document("/feeds/npm/MAL-2099-0001.json", first().to_string());
        airlock.upstream.document(RECORD, "{");
        airlock.advance("1d");
        let airlock = airlock.restart().await;
        let state = once(&airlock, "the fault", |state| state["feeds"][0]["unreadable"] == 1).await;
        assert_eq!((&state["fresh"], &state["as_of"]), (&json!(false), &json!("2026-11-20T12:00:00.000Z")), "{state:#}");
        let fault = &state["feeds"][0]["faults"][0];
        assert_eq!(fault["record"], "MAL-2099-0002.json");
        assert!(fault["why"].as_str().unwrap().contains("not an OSV record"), "{fault}");
        assert_eq!(airlock.tarball("left-pad", "1.1.0").await.status, 403);

        airlock.advance("10m");
        let airlock = airlock.restart().await;
        let again = once(&airlock, "it to be heard again", |state| state["last_error"].is_string()).await;
        assert_eq!((&again["fresh"], &again["feeds"][0]["faults"]), (&json!(false), &state["feeds"][0]["faults"]), "it is missed still");
        match mended {
            Mended::Readable => airlock.upstream.document(RECORD, record.to_string()),
            Mended::OffTheList => airlock.upstream.document(LIST, REST),
            Mended::Gone => airlock.upstream.fault(RECORD, Fault::status(404)),
            Mended::ByHand => airlock.bring(&[record]).await,
        }
        airlock.advance("10m");
        let airlock = airlock.restart().await;
        let state = heard(&airlock).await;
        let feed = state["feeds"].as_array().unwrap().iter().find(|feed| feed["name"] == "osv").unwrap();
        assert_eq!((&state["as_of"], &feed["unreadable"]), (&json!("2026-11-21T12:20:00.000Z"), &json!(0)), "{mended:?}: {state:#}");
        assert_eq!(feed["faults"], Value::Null);
        assert_eq!(airlock.tarball("left-pad", "1.1.0").await.status, 200, "{mended:?}");
        let fetched_whole = if matches!(mended, Mended::Gone) { 2 } else { 1 };
        assert_eq!(airlock.upstream.count(ALL), fetched_whole, "{mended:?}");
        let is_known = airlock.get(&format!("{ADVISORIES}?package=bad")).await.json()["advisories"].as_array().unwrap().len();
        assert_eq!(is_known, usize::from(matches!(mended, Mended::Readable | Mended::ByHand)), "{mended:?}");
    }
}
