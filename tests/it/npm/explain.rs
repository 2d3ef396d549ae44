//! Why a release is not served: one wording, on every channel that some client shows.

use std::process::Command;

use airlock::model::time::Timestamp;
use serde_json::Value;
use serde_json::json;

use super::BRIEF;
use super::FULL;
use super::get;
use crate::support::PATIENCE;
use crate::support::airlock::Airlock;
use crate::support::command;
use crate::support::http::Reply;
use crate::support::scenario::Scenario;

/// Each channel says `sentence` and the link; GET and HEAD alike.
async fn refused(airlock: &Airlock, path: &str, release: &str, sentence: &str) {
    let said = format!("{sentence} {}-/airlock/r/{release}", airlock.url());
    for method in ["GET", "HEAD"] {
        let reply = airlock.call(method, path).send().await;
        assert_eq!(reply.status, 403, "{method} {path}: {}", reply.text());
        assert_eq!(reply.reason, said, "{method} {path}");
        assert_eq!(reply.header("npm-notice"), Some(said.as_str()));
        assert_eq!(reply.header("cache-control"), Some("no-store"));
        assert_eq!((reply.header("etag"), reply.header("retry-after")), (None, None), "no client shall come again by itself");
        assert_eq!(reply.header("content-type"), Some("application/json"));
        match method {
            "HEAD" => assert_eq!(reply.body.len(), 0),
            _ => assert_eq!(reply.json(), json!({"error": said, "message": said, "reason": said})),
        }
    }
}

/// Every route of a release, and the packument's own field.
async fn refused_everywhere(airlock: &Airlock, package: &str, version: &str, sentence: &str) {
    let release = format!("{package}@{version}");
    let unscoped = package.rsplit('/').next().unwrap();
    let encoded = package.replace('/', "%2f");
    for path in [
        format!("/{package}/{version}"),
        format!("/{encoded}/{version}"),
        format!("/{package}/-/{unscoped}-{version}.tgz"),
        format!("/{encoded}/-/{unscoped}-{version}.tgz"),
    ] {
        refused(airlock, &path, &release, sentence).await;
    }
    for accept in [FULL, BRIEF] {
        let packument = get(airlock, &format!("/{encoded}"), accept).await;
        assert_eq!(packument.status, 200);
        let restrictions = &packument.json()["policyRestrictions"];
        let message = restrictions["message"].as_str().unwrap_or_else(|| panic!("no message: {restrictions}"));
        assert!(message.lines().any(|line| line == format!("{sentence} {}-/airlock/r/{release}", airlock.url())), "{message}");
        assert_eq!(restrictions["versions"][version], json!({"name": package, "version": version}));
    }
    // What people read says the same.
    let one = airlock.release(package, version).await;
    assert!(one.to_string().contains(&serde_json::to_string(sentence).unwrap()[1..]) || one.to_string().contains(sentence), "{one}");
    let page = airlock.get(&format!("/-/airlock/r/{release}")).await;
    assert_eq!(page.status, 200, "the link leads somewhere: {}", page.text());
    assert!(page.text().contains(sentence), "{}", page.text());
}

fn at(now: &str) -> Scenario {
    Scenario { now: Timestamp::parse(now).unwrap(), ..Scenario::new() }
}

/// `airlock explain` says `sentence` too.
async fn explained_on_a_terminal(airlock: &Airlock, release: &str, sentence: &str) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_airlock"));
    command.args(["explain", release, "--server", airlock.url().as_str()]).env_clear().env("AIRLOCK_TOKEN", airlock.admin_token());
    let outcome = tokio::task::spawn_blocking(move || command::run(command, PATIENCE).unwrap()).await.unwrap();
    assert!([Some(0), Some(1)].contains(&outcome.code), "{}", outcome.output);
    outcome.assert_says(sentence);
}

/// The example of the contract, word for word.
#[tokio::test]
async fn the_contracts_sentence() {
    let airlock = at("2026-11-20T23:05:00Z")
        .package("lodash", |p| {
            p.release("4.17.21").published("2021-02-20T15:42:16.891Z");
            p.release("4.17.22").published("2026-11-20T14:05:00Z");
        })
        .gated()
        .await;
    assert_eq!(airlock.tarball("lodash", "4.17.21").await.status, 200);
    let sentence = "lodash@4.17.22 is held: published 9 hours ago, opens 2026-11-27 14:05 UTC (minimum age 7 days). 4.17.21 is approved.";
    refused_everywhere(&airlock, "lodash", "4.17.22", sentence).await;
    explained_on_a_terminal(&airlock, "lodash@4.17.22", sentence).await;
    airlock.advance("6d 15h");
    assert_eq!(airlock.get("/lodash/4.17.22").await.status, 200);
    assert_eq!(airlock.tarball("lodash", "4.17.22").await.status, 200);
}

#[tokio::test]
async fn age_is_counted_on_while_it_waits() {
    let airlock = Scenario::new()
        .package("@acme/web", |p| {
            p.release("1.0.0");
            p.release("1.1.0").age("1h");
        })
        .gated()
        .await;
    let rest = "opens 2026-11-27 11:00 UTC (minimum age 7 days). 1.0.0 is admissible.";
    for (advance, ago) in [("0s", "1 hour"), ("1h", "2 hours"), ("45h", "47 hours"), ("1h", "2 days"), ("4d", "6 days")] {
        airlock.advance(advance);
        refused_everywhere(&airlock, "@acme/web", "1.1.0", &format!("@acme/web@1.1.0 is held: published {ago} ago, {rest}")).await;
    }
}

#[tokio::test]
async fn with_nothing_to_take_instead_nothing_is_offered() {
    let airlock = Scenario::new()
        .package("fresh", |p| {
            p.release("1.0.0").age("1h");
            p.release("0.9.0-rc.1").age("2h");
        })
        .gated()
        .await;
    let sentence = "fresh@1.0.0 is held: published 1 hour ago, opens 2026-12-04 10:00 UTC (new packages wait 14 days).";
    refused_everywhere(&airlock, "fresh", "1.0.0", sentence).await;
}

#[tokio::test]
async fn a_persons_word_is_said_with_its_author_and_reason() {
    let airlock = Scenario::new()
        .package("x", |p| {
            p.release("1.0.0");
            p.release("1.1.0");
            p.release("1.2.0");
            p.release("1.3.0");
        })
        .gated()
        .await;
    for version in ["1.0.0", "1.2.0"] {
        assert_eq!(airlock.tarball("x", version).await.status, 200);
    }
    let by = airlock.as_admin("GET", "/-/whoami").send().await.json()["username"].as_str().unwrap().to_owned();
    assert_eq!(airlock.decide("x", "1.1.0", "reject", "phones home").await.status, 200);
    assert_eq!(airlock.decide("x", "1.2.0", "revoke", "stolen token").await.status, 200);
    assert_eq!(airlock.decide("x", "1.3.0", "hold", "until the audit ends").await.status, 200);
    refused_everywhere(&airlock, "x", "1.1.0", &format!("x@1.1.0 is rejected by {by}: phones home. 1.0.0 is approved.")).await;
    refused_everywhere(&airlock, "x", "1.2.0", &format!("x@1.2.0 was revoked by {by}: stolen token. 1.0.0 is approved.")).await;
    refused_everywhere(&airlock, "x", "1.3.0", &format!("x@1.3.0 is held by {by}: until the audit ends. 1.0.0 is approved.")).await;
}

#[tokio::test]
async fn a_finding_is_said_with_what_was_seen() {
    let airlock = Scenario::new()
        .package("x", |p| {
            p.release("1.0.0");
            p.release("1.1.0").dependency("y", "github:eve/y");
            p.release("1.2.0").without_integrity();
        })
        .gated()
        .await;
    let sentence = "x@1.1.0 is rejected: it depends on something that is in no registry (y: github:eve/y). 1.0.0 is admissible.";
    refused_everywhere(&airlock, "x", "1.1.0", sentence).await;
    // Found in the bytes: the first download finds it, and everyone is told from then on.
    let sentence = "x@1.2.0 waits for review: no hash is stated of its bytes. 1.0.0 is admissible.";
    refused(&airlock, "/x/-/x-1.2.0.tgz", "x@1.2.0", sentence).await;
    refused_everywhere(&airlock, "x", "1.2.0", sentence).await;
}

#[tokio::test]
async fn a_reason_in_any_script_reaches_every_channel_harmlessly() {
    let airlock = Scenario::new().package("x", |p| _ = p.release("1.0.0")).gated().await;
    let reason = format!("böse \u{202e}\u{1b}[31m {}", "lang ".repeat(80));
    assert_eq!(airlock.decide("x", "1.0.0", "reject", &reason).await.status, 200);
    for path in ["/x/1.0.0", "/x/-/x-1.0.0.tgz"] {
        let reply: Reply = airlock.get(path).await;
        assert_eq!(reply.status, 403);
        let link = format!("{}-/airlock/r/x@1.0.0", airlock.url());
        let notice = reply.header("npm-notice").unwrap();
        for line in [reply.reason.as_str(), notice] {
            assert!(line.is_ascii() && !line.contains(char::is_control) && line.ends_with(&link), "{line}");
        }
        assert!(reply.reason.len() <= 300, "{}", reply.reason.len());
        let error = reply.json()["error"].as_str().unwrap().to_owned();
        assert!(error.contains("böse") && !error.contains(['\u{202e}', '\u{1b}']), "{error}");
    }
}

#[tokio::test]
async fn many_withheld_releases_are_summed_up() {
    let airlock = Scenario::new()
        .package("x", |p| {
            p.release("1.0.0");
            for minor in 1..=9 {
                p.release(&format!("1.{minor}.0")).age("9h");
            }
        })
        .gated()
        .await;
    let restrictions = get(&airlock, "/x", FULL).await.json()["policyRestrictions"].take();
    let lines: Vec<&str> = restrictions["message"].as_str().unwrap().lines().collect();
    assert_eq!(lines.len(), 4, "{lines:?}");
    assert!(lines[0].starts_with("x@1.9.0 is held:") && lines[2].starts_with("x@1.7.0 is held:"));
    assert_eq!(lines[3], format!("and 6 more: {}-/airlock/r/x", airlock.url()));
    assert_eq!(restrictions["versions"].as_object().unwrap().len(), 9);
    assert_eq!(airlock.get("/-/airlock/r/x").await.status, 200);
}

#[tokio::test]
async fn a_version_nobody_ever_saw_is_404_and_no_policy() {
    let airlock = Scenario::new().package("x", |p| _ = p.release("1.0.0")).gated().await;
    for path in ["/x/2.0.0", "/x/-/x-2.0.0.tgz", "/y/1.0.0", "/y/-/y-1.0.0.tgz", "/y"] {
        let reply = airlock.get(path).await;
        assert_eq!((reply.status, reply.header("npm-notice")), (404, None), "{path}");
        let said = reply.json();
        assert_eq!((&said["error"], &said["error"]), (&said["message"], &said["reason"]));
        assert_eq!(said["error"], Value::from(reply.reason));
    }
}

#[tokio::test]
async fn a_download_still_being_inspected_is_asked_for_again() {
    let airlock = Scenario::new()
        .package("x", |p| _ = p.release("1.0.0"))
        .gated_by(|config| config.policy.inspection_wait = std::time::Duration::from_millis(1))
        .await;
    let gate = airlock.upstream.gate("/x/-/x-1.0.0.tgz");
    let reply = airlock.tarball("x", "1.0.0").await;
    assert_eq!((reply.status, reply.header("retry-after")), (503, Some("5")), "{}", reply.text());
    assert!(reply.json()["error"].as_str().unwrap().starts_with("x@1.0.0 is being inspected; try again in 5 seconds http://"));
    gate.open();
}
