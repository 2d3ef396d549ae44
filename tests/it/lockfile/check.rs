//! `POST /-/airlock/v1/lockfile`: what becomes of each entry, and of the whole.

use serde_json::Value;
use serde_json::json;

use super::LOCKFILE;
use super::checked;
use super::left;
use super::package_lock;
use super::post;
use super::verdicts;
use crate::support::airlock::Airlock;
use crate::support::scenario::Scenario;
use crate::support::scenario::gzip;
use crate::support::upstream::Fault;

fn sri(airlock: &Airlock, package: &str, version: &str) -> String {
    airlock::model::digest::Digest::of(&airlock.upstream.tarball(package, version)).sri()
}

fn world() -> Scenario {
    left()
        .package("bad", |p| _ = p.release("1.0.0"))
        .package("gone", |p| _ = p.release("1.0.0"))
        .package("queued", |p| _ = p.release("1.0.0").without_integrity())
        .package("@acme/web", |p| _ = p.release("1.0.0"))
}

#[tokio::test]
async fn every_entry_has_its_verdict() {
    let airlock = world().gated_by(|config| config.policy.private_scopes.push("@ours".to_owned())).await;
    assert_eq!(airlock.decide("bad", "1.0.0", "reject", "no").await.status, 200);
    assert_eq!(airlock.tarball("gone", "1.0.0").await.status, 200);
    assert_eq!(airlock.decide("gone", "1.0.0", "revoke", "malware").await.status, 200);
    // What its bytes say comes with the first download.
    assert_eq!(airlock.tarball("queued", "1.0.0").await.status, 403);
    let here = |path: &str| format!("{}{path}", airlock.url());
    let text = package_lock(
        &json!({"left": "^1"}),
        &[
            ("left", json!({"version": "1.1.0", "resolved": here("left/-/left-1.1.0.tgz"), "integrity": sri(&airlock, "left", "1.1.0")})),
            ("a/node_modules/left", json!({"version": "1.2.0", "integrity": sri(&airlock, "left", "1.2.0"), "dev": true})),
            ("@acme/web", json!({"version": "1.0.0", "integrity": sri(&airlock, "left", "1.0.0")})),
            ("bad", json!({"version": "1.0.0"})),
            ("gone", json!({"version": "1.0.0", "optional": true})),
            ("queued", json!({"version": "1.0.0"})),
            ("who", json!({"version": "1.0.0"})),
            ("b/node_modules/left", json!({"version": "7.0.0"})),
            ("@ours/secret", json!({"version": "3.1.4"})),
            ("fork", json!({"version": "1.0.0", "resolved": "git+ssh://git@git.example/fork.git#0123"})),
            ("alias", json!({"name": "left", "version": "1.0.0", "resolved": "https://mirror.example/left/-/left-1.0.0.tgz"})),
            ("poisoned", json!({"name": "left", "version": "1.0.0", "resolved": here("bad/-/bad-1.0.0.tgz")})),
            ("app", json!({"resolved": "packages/app", "link": true})),
            ("c/node_modules/inner", json!({"version": "1.0.0", "inBundle": true})),
        ],
    );
    let told = checked(&airlock, &text).await;
    let expect = [
        "left@1.1.0 allowed",
        "left@1.2.0 held",
        "@acme/web@1.0.0 allowed",
        "bad@1.0.0 denied",
        "gone@1.0.0 denied",
        "queued@1.0.0 held",
        "who@1.0.0 unknown",
        "left@7.0.0 unknown",
        "@ours/secret@3.1.4 unknown",
        "fork@1.0.0 elsewhere",
        "left@1.0.0 elsewhere",
        "left@1.0.0 elsewhere",
        "app@ local",
        "inner@1.0.0 bundled",
    ];
    let mut found = verdicts(&told);
    let mut expect = expect.map(str::to_owned).to_vec();
    // The lockfile is written with its keys in order.
    found.sort();
    expect.sort();
    assert_eq!(found, expect);
    let counts = json!({"allowed": 2, "held": 2, "denied": 2, "unknown": 3, "elsewhere": 3, "local": 1, "bundled": 1});
    assert_eq!((&told["counts"], &told["green"], told.get("opens_at")), (&counts, &json!(false), None));
    assert_eq!((&told["format"], &told["edition"]), (&json!("package-lock"), &json!("3")));
    let entry = |package: &str, verdict: &str| {
        let all = told["entries"].as_array().unwrap();
        all.iter().find(|entry| entry["package"] == package && entry["verdict"] == verdict).unwrap().clone()
    };
    let held = entry("left", "held");
    assert_eq!((&held["opens_at"], &held["dev"], &held["integrity"]), (&json!("2026-11-27T03:00:00.000Z"), &json!(true), &json!("agrees")));
    assert!(
        held["sentence"].as_str().unwrap().starts_with("left@1.2.0 is held: published 9 hours ago, opens 2026-11-27 03:00 UTC"),
        "{held}"
    );
    assert_eq!(held["link"], format!("{}-/airlock/r/left@1.2.0", airlock.url()));
    assert_eq!(
        (&entry("@acme/web", "allowed")["integrity"], &entry("left", "allowed")["integrity"]),
        (&json!("differs"), &json!("agrees"))
    );
    assert_eq!((&entry("gone", "denied")["standing"], &entry("gone", "denied")["optional"]), (&json!("revoked"), &json!(true)));
    assert_eq!(entry("queued", "held")["standing"], "in_review");
    let line = usize::try_from(entry("fork", "elsewhere")["line"].as_u64().unwrap()).unwrap();
    assert!(text.lines().nth(line - 1).unwrap().contains("node_modules/fork"));
    let aliased: Vec<Value> = told["entries"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|one| one["verdict"] == "elsewhere" && one["package"] == "left")
        .cloned()
        .collect();
    assert_eq!([&aliased[0]["alias"], &aliased[1]["alias"]], [&json!("alias"), &json!("poisoned")]);
    assert!(aliased[1]["sentence"].as_str().unwrap().ends_with("bad/-/bad-1.0.0.tgz, which is bad@1.0.0."), "{aliased:#?}");
    for secret in ["ours", "secret", "3.1.4"] {
        airlock.upstream.assert_never_told(secret);
    }
    assert_eq!(airlock.upstream.count("/left/-/left-1.1.0.tgz"), 0, "nothing is downloaded for it");
}

#[tokio::test]
async fn it_is_green_by_itself_when_the_last_one_opens() {
    let airlock = left().gated().await;
    let text =
        package_lock(&json!({"left": "*"}), &[("left", json!({"version": "1.2.0"})), ("a/node_modules/left", json!({"version": "1.3.0"}))]);
    let told = checked(&airlock, &text).await;
    assert_eq!((&told["green"], &told["opens_at"]), (&json!(false), &json!("2026-11-27T03:00:00.000Z")));
    airlock.advance("6d");
    let told = checked(&airlock, &text).await;
    assert_eq!(
        (verdicts(&told), &told["opens_at"]),
        (vec!["left@1.3.0 allowed".to_owned(), "left@1.2.0 held".to_owned()], &json!("2026-11-27T03:00:00.000Z"))
    );
    airlock.advance("1d");
    let told = checked(&airlock, &text).await;
    assert_eq!((&told["green"], told.get("opens_at"), &told["counts"]), (&json!(true), None, &json!({"allowed": 2})));
    assert_eq!(told["plan"], json!({"complete": true, "changes": [], "stuck": [], "steps": []}));
}

#[tokio::test]
async fn what_is_newer_than_what_is_known_is_asked_for() {
    let airlock = left().gated().await;
    let text = package_lock(&json!({"left": "*"}), &[("left", json!({"version": "1.4.0"}))]);
    assert_eq!(verdicts(&checked(&airlock, &text).await), ["left@1.4.0 unknown"]);
    airlock.upstream.publish("left", "1.4.0");
    airlock.advance("10s");
    assert_eq!(verdicts(&checked(&airlock, &text).await), ["left@1.4.0 held"]);
}

#[tokio::test]
async fn where_upstream_is_silent_nothing_is_green() {
    let airlock = left().package("mute", |p| _ = p.release("1.0.0")).gated().await;
    airlock.upstream.fault("/mute", Fault::status(500));
    let text = package_lock(&json!({"left": "*"}), &[("left", json!({"version": "1.0.0"})), ("mute", json!({"version": "1.0.0"}))]);
    let told = checked(&airlock, &text).await;
    assert_eq!((verdicts(&told), &told["green"]), (vec!["left@1.0.0 allowed".to_owned(), "mute@1.0.0 unknown".to_owned()], &json!(false)));
    let why = told["entries"][1]["sentence"].as_str().unwrap();
    assert!(why.starts_with("Nothing could be learned of mute: the upstream registry does not answer for mute"), "{why}");
    airlock.upstream.heal_all();
    airlock.advance("1m");
    assert_eq!(checked(&airlock, &text).await["green"], true);
}

#[tokio::test]
async fn what_cannot_be_read_is_refused_with_its_line() {
    let airlock = left().gated().await;
    for (body, status, says) in [
        ("", 422, "the lockfile cannot be read: line 1: it is empty"),
        ("{\"name\":\"app\",\"version\":\"1.0.0\"}", 422, "line 1: this is a package.json, and no lockfile"),
        ("#!/usr/bin/env bun\nbun-lockfile-format-v0\n\u{0}", 422, "bun install --save-text-lockfile"),
        ("# yarn lockfile v1\n\n\na@1:\n  version \"1\n", 422, "line 5: a quoted text that does not end"),
        ("lockfileVersion: '9.0'\npackages:\n  a@1: &x {}\n", 422, "line 3: anchors, aliases and tags are not read"),
        ("lockfileVersion: 5.4\n", 422, "line 1: lockfileVersion \"5.4\" is not known"),
        ("{\"lockfileVersion\":9,\"packages\":{}}", 422, "lockfileVersion \"9\" is not known"),
        ("# yarn lockfile v1\n<<<<<<< HEAD\n", 422, "line 2: a conflict of git's is not resolved here"),
        (
            "{\"lockfileVersion\":3,\n\"packages\":{\"node_modules/a b\":{\"version\":\"1.0.0\"}}}",
            422,
            "line 2: \"a b\" is not a package name",
        ),
    ] {
        let reply = post(&airlock, body).await;
        assert_eq!(reply.status, status, "{body}: {}", reply.text());
        let detail = reply.json()["detail"].as_str().unwrap().to_owned();
        assert!(detail.contains(says), "{body}: {detail}");
    }
    assert_eq!(airlock.upstream.log().len(), 0, "nothing was asked for any of them");
}

#[tokio::test]
async fn bodies_are_bounded_and_may_be_packed() {
    let airlock = left().gated().await;
    let text = package_lock(&json!({"left": "*"}), &[("left", json!({"version": "1.0.0"}))]);
    let packed = airlock.call("POST", LOCKFILE).header("content-encoding", "gzip").body(&gzip(text.as_bytes())).send().await;
    assert_eq!((packed.status, &packed.json()["green"]), (200, &json!(true)));
    let large = airlock.call("POST", LOCKFILE).header("content-encoding", "gzip").body(&gzip(&vec![b' '; 64_000_001])).send().await;
    assert_eq!((large.status, large.json()["detail"].as_str()), (413, Some("a lockfile has at most 64000000 bytes")));
    let named = airlock.call("POST", &format!("{LOCKFILE}?name=yarn.lock")).body(b"left@*:\n  version \"1.0.0\"\n").send().await;
    assert_eq!((named.status, &named.json()["format"]), (200, &json!("yarn.lock")), "{}", named.text());
    assert_eq!(post(&airlock, "left@*:\n  version \"1.0.0\"\n").await.status, 422);
    assert_eq!(airlock.call("POST", &format!("{LOCKFILE}?nam=x")).body(b"").send().await.status, 400);
    assert_eq!(airlock.call("POST", &format!("{LOCKFILE}?name={}", "x".repeat(256))).body(b"").send().await.status, 400);
    assert_eq!(airlock.get(LOCKFILE).await.status, 405);
}
