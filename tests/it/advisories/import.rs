//! Imports: what is brought, what is passed over, how old what is known is, and that damage holds instead of opening.

use airlock::model::digest::Digest;
use serde_json::Value;
use serde_json::json;

use crate::advisories::ADVISORIES;
use crate::advisories::malware;
use crate::advisories::vulnerability;
use crate::advisories::zip;
use crate::support::airlock::Airlock;
use crate::support::binary::Launch;
use crate::support::scenario::Scenario;

const EARLIER: &str = "2026-11-20T06:00:00Z";
const NOW: &str = "2026-11-20T12:00:00.000Z";

/// 1.1.0 opens in a day.
fn waiting() -> Scenario {
    Scenario::new().package("left-pad", |p| {
        p.release("1.0.0");
        p.release("1.1.0").age("6d");
    })
}

fn some(modified: &str) -> Vec<Value> {
    vec![
        malware("MAL-2099-0001", "evil", &["1.0.0"], &["some-inspector"], "2026-11-01T00:00:00Z"),
        vulnerability("GHSA-aaaa-bbbb-cccc", "other", "1.0.0", modified),
    ]
}

async fn state(airlock: &Airlock) -> Value {
    airlock.get(ADVISORIES).await.json()
}

#[tokio::test]
async fn what_is_known_counts_as_of_its_newest_record_and_gets_older() {
    let airlock = waiting().gated().await;
    assert_eq!(state(&airlock).await, json!({"feeds": [], "advisories": []}));
    let reply = airlock.bring_all(&some(EARLIER)).await;
    assert_eq!((reply.status, &reply.json()["as_of"]), (200, &json!("2026-11-20T06:00:00.000Z")), "{}", reply.text());
    assert_eq!(state(&airlock).await["fresh"], true);
    airlock.advance("1d");
    let held = airlock.tarball("left-pad", "1.1.0").await;
    let sentence =
        "left-pad@1.1.0 is held: what is known of malware is too old (last heard as of 2026-11-20 06:00 UTC). 1.0.0 is admissible.";
    assert!(held.status == 403 && held.json()["error"].as_str().unwrap().starts_with(sentence), "{}", held.text());
    assert_eq!(state(&airlock).await["fresh"], false);
    assert_eq!(airlock.tarball("left-pad", "1.0.0").await.status, 200, "what had opened before stays open");
    assert!(airlock.get("/-/airlock/metrics").await.text().contains("airlock_feed_stale 1"));
    assert_eq!(airlock.bring_all(&some("2026-11-21T11:00:00Z")).await.status, 200);
    assert_eq!(airlock.tarball("left-pad", "1.1.0").await.status, 200);
    airlock.advance("30d");
    assert_eq!(airlock.tarball("left-pad", "1.1.0").await.status, 200, "and that it opened while the feed was fresh stays so");
}

#[tokio::test]
async fn what_is_said_of_bytes_is_known_of_what_nobody_uses_yet() {
    let airlock = waiting().gated().await;
    assert_eq!(airlock.listed("left-pad").await, ["1.0.0"]);
    let bytes = Digest::of(&airlock.upstream.tarball("left-pad", "1.0.0"));
    let mut record = malware("MAL-2099-0001", "evil", &["1.0.0"], &["some-inspector"], EARLIER);
    record["affected"][0]["database_specific"] = json!({"indicators": {"package_integrity": [{"hashes": {"sha512_sri": bytes.sri()}}]}});
    airlock.bring(std::slice::from_ref(&record)).await;
    assert_eq!(airlock.listed("left-pad").await, [""; 0], "what was judged before is judged anew");
    record["withdrawn"] = json!(EARLIER);
    record["modified"] = json!("2026-11-20T07:00:00Z");
    airlock.bring(&[record]).await;
    assert_eq!(airlock.listed("left-pad").await, ["1.0.0"], "and when it is taken back");
}

#[tokio::test]
async fn a_record_that_cannot_be_read_is_told_and_nothing_gets_younger() {
    let airlock = waiting().gated().await;
    airlock.bring_all(&some(EARLIER)).await;
    let (good, bad) = (malware("MAL-2099-0002", "bad", &["1.0.0"], &["x"], "2026-11-20T11:00:00Z").to_string(), "{\"id\":\"MAL-\u{202e}");
    let whole = zip(&[("npm/good.json", &good), ("npm/broken.json", bad), ("README.md", "x")]);
    let reply = airlock.as_admin("POST", &format!("{ADVISORIES}?whole=true")).body(&whole).send().await;
    let told = reply.json();
    assert_eq!(
        (reply.status, &told["advisories"], &told["unreadable"], &told["as_of"]),
        (200, &json!(1), &json!(1), &json!("2026-11-20T06:00:00.000Z"))
    );
    assert_eq!(told["faults"][0]["record"], "npm/broken.json");
    let said = airlock.get(&format!("{ADVISORIES}?package=bad")).await.json();
    assert_eq!(said["advisories"].as_array().unwrap().len(), 1, "the others count");
    let kept = airlock.get(&format!("{ADVISORIES}?package=evil")).await.json();
    assert_eq!(kept["advisories"].as_array().unwrap().len(), 1, "and what has a gap takes nothing away");
    let future = malware("MAL-2099-0003", "evil", &["1.0.0"], &["x"], "2099-01-01T00:00:00Z");
    assert_eq!(airlock.bring_all(&[some(EARLIER), vec![future]].concat()).await.json()["as_of"], NOW, "nothing is younger than now");
}

#[tokio::test]
async fn what_holds_nothing_or_suddenly_little_is_not_believed() {
    let airlock = waiting().gated().await;
    assert_eq!(airlock.bring_all(&some(EARLIER)).await.status, 200);
    let four: Vec<Value> =
        (0..6).map(|number| malware(&format!("MAL-2099-1{number}"), &format!("p{number}"), &["1.0.0"], &["x"], EARLIER)).collect();
    assert_eq!(airlock.bring_all(&[some(EARLIER), four].concat()).await.status, 200);
    let before = state(&airlock).await;
    let shrunk = airlock.bring_all(&some(EARLIER)).await;
    assert!(shrunk.status == 422 && shrunk.text().contains("2 advisories where 8 were known"), "{}", shrunk.text());
    for (body, words) in [
        (b"".to_vec(), "no advisory"),
        (b"PK\x03\x04".to_vec(), "damaged"),
        (b"not json".to_vec(), "no advisory"),
        (zip(&[]), "no advisory"),
    ] {
        let reply = airlock.as_admin("POST", &format!("{ADVISORIES}?whole=true")).body(&body).send().await;
        assert!(reply.status == 422 && reply.text().contains(words), "{}", reply.text());
    }
    assert_eq!(state(&airlock).await, before);
    let reader = airlock.as_admin("POST", "/-/airlock/v1/tokens").json(&json!({"name": "ci", "role": "reader"})).send().await;
    let token = reader.json()["token"].as_str().unwrap().to_owned();
    assert_eq!(airlock.call("POST", ADVISORIES).bearer(&token).body(b"{}").send().await.status, 403);
    assert_eq!(airlock.call("POST", ADVISORIES).body(b"{}").send().await.status, 401);
}

#[tokio::test]
async fn a_damaged_file_holds_what_would_open() {
    let airlock = waiting().gated().await;
    airlock.bring_all(&some(EARLIER)).await;
    let folder = airlock.data_dir().join("advisories");
    let file = std::fs::read_dir(&folder).unwrap().next().unwrap().unwrap().path();
    let mut bytes = std::fs::read(&file).unwrap();
    bytes[40] ^= 1;
    std::fs::write(&file, &bytes).unwrap();
    let airlock = airlock.restart().await;
    let lost = state(&airlock).await;
    assert!(lost["fresh"] == false && lost["feeds"][0]["lost"].as_str().unwrap().contains("damaged"), "{lost:#}");
    airlock.advance("1d");
    assert_eq!(airlock.tarball("left-pad", "1.1.0").await.status, 403);
    assert_eq!(airlock.bring_all(&some("2026-11-21T11:00:00Z")).await.status, 200);
    assert_eq!(airlock.tarball("left-pad", "1.1.0").await.status, 200);
}

#[tokio::test]
async fn audits_are_answered_from_a_fresh_feed_and_else_by_upstream() {
    const BULK: &str = "/-/npm/v1/security/advisories/bulk";
    let airlock = waiting().gated().await;
    airlock.upstream.document(BULK, json!({}).to_string());
    let body = json!({"left-pad": ["1.0.0"], "right-pad": ["1.0.0"]});
    let ask = || airlock.call("POST", BULK).json(&body).send();
    assert_eq!((ask().await.json(), airlock.upstream.count(BULK)), (json!({}), 1));
    let known = vulnerability("GHSA-dddd-eeee-ffff", "left-pad", "1.1.0", EARLIER);
    airlock.bring_all(&[known]).await;
    let answer = ask().await.json();
    assert_eq!(airlock.upstream.count(BULK), 1, "nobody else is asked");
    let of_it = &answer["left-pad"][0];
    assert_eq!(
        (&of_it["severity"], &of_it["vulnerable_versions"], &of_it["title"]),
        (&json!("critical"), &json!("<1.1.0"), &json!("It fills too much"))
    );
    assert_eq!(answer["right-pad"], Value::Null);
    airlock.advance("7h");
    assert_eq!((ask().await.json(), airlock.upstream.count(BULK)), (json!({}), 2), "what is too old is no answer");
}

#[tokio::test]
async fn the_command_brings_zips_folders_and_files() {
    let upstream = Scenario::live().package("left-pad", |p| _ = p.release("1.0.0")).start().await;
    let server = Launch::at(&upstream).start().await;
    let folder = tempfile::tempdir().unwrap();
    let now = upstream.now().to_string();
    let write = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, bytes).unwrap();
        path.display().to_string()
    };
    server.run(&["advisories", "status"]).await.assert_success().assert_says("No feed of advisories is configured");
    let zipped = write("all.zip", &zip(&[("MAL-2099-0001.json", &malware("MAL-2099-0001", "evil", &["1.0.0"], &["x"], &now).to_string())]));
    server
        .run(&["advisories", "import", &zipped])
        .await
        .assert_success()
        .assert_says("npm packages that were read: 1.")
        .assert_says("counts as of");
    write("osv/npm/evil/MAL-2099-0001.json", malware("MAL-2099-0001", "evil", &["1.0.0"], &["x"], &now).to_string().as_bytes());
    write("osv/npm/left-pad/MAL-2099-0002.json", malware("MAL-2099-0002", "left-pad", &["1.0.0"], &["x"], &now).to_string().as_bytes());
    let osv = folder.path().join("osv").display().to_string();
    server.run(&["advisories", "import", &osv]).await.assert_success().assert_says("npm packages that were read: 2.");
    let explained = server.run(&["explain", "left-pad@1.0.0"]).await;
    explained.assert_says("is rejected: it is known to be malware (MAL-2099-0002 (x))");
    let one = write("own.json", malware("ACME-2099-1", "other", &["1.0.0"], &["acme"], &now).to_string().as_bytes());
    server.run(&["advisories", "import", &one]).await.assert_success().assert_says("that were read: 1.");
    write("osv/npm/broken.json", b"{");
    let broken = server.run(&["advisories", "import", &osv]).await;
    broken.assert_failure().assert_says("1 could not be read").assert_says("npm/broken.json: it is not an OSV record");
    let status = server.run(&["advisories", "status"]).await;
    status.assert_success().assert_says("osv").assert_says("own");
    assert_eq!(server.run(&["advisories", "import", "/nowhere/at/all"]).await.code, Some(2));
}
