//! `airlock check` and `airlock lock rewrite`, as programs and people run them.

use std::path::Path;

use serde_json::Value;

use crate::support::binary::Launch;
use crate::support::binary::Server;
use crate::support::command::Outcome;
use crate::support::scenario::Scenario;
use crate::support::upstream::Upstream;

async fn serving() -> (Server, Upstream) {
    let scenario = Scenario::live().package("left", |p| {
        p.release("1.0.0");
        p.release("1.1.0").age("9h");
    });
    let upstream = scenario.start().await;
    (Launch::at(&upstream).start().await, upstream)
}

fn yarn_lock(registry: &str, version: &str) -> String {
    format!("# yarn lockfile v1\n\n\nleft@^1.0.0:\n  version \"{version}\"\n  resolved \"{registry}left/-/left-{version}.tgz\"\n")
}

fn json(outcome: &Outcome) -> Value {
    serde_json::from_str(&outcome.output).unwrap_or_else(|error| panic!("{error}: {}", outcome.output))
}

async fn run(server: &Server, words: &[&str], path: &Path) -> Outcome {
    let words: Vec<&str> = words.iter().map(|word| if *word == "LOCKFILE" { path.to_str().unwrap() } else { word }).collect();
    server.run(&words).await
}

#[tokio::test]
async fn a_lockfile_is_checked_from_the_command_line() {
    let (server, _upstream) = serving().await;
    let folder = tempfile::TempDir::new().unwrap();
    let path = folder.path().join("yarn.lock");
    let here = server.url().as_str();

    std::fs::write(&path, yarn_lock(here, "1.0.0")).unwrap();
    let green = run(&server, &["check", "LOCKFILE"], &path).await;
    green.assert_success().assert_says("1 entry: 1 allowed.").assert_says("Green: an install goes through.");

    std::fs::write(&path, yarn_lock(here, "1.1.0")).unwrap();
    let held = run(&server, &["check", "LOCKFILE"], &path).await;
    assert_eq!(held.code, Some(1), "{}", held.output);
    held.assert_says("left@1.1.0 is held: published 9 hours ago, opens ").assert_says("Not green: it will be by itself ");
    held.assert_says("left 1.1.0 to 1.0.0").assert_says("take out of yarn.lock the whole entry of left@1.1.0 (line 4); then: yarn install");
    let told = run(&server, &["check", "LOCKFILE", "--json"], &path).await;
    assert_eq!((told.code, &json(&told)["plan"]["changes"][0]["to"]), (Some(1), &Value::from("1.0.0")));

    std::fs::write(&path, "a@1:\n   odd\n").unwrap();
    let unreadable = run(&server, &["check", "LOCKFILE"], &path).await;
    assert_eq!(unreadable.code, Some(2), "{}", unreadable.output);
    unreadable.assert_says("line 2: indented as nothing is in a yarn.lock");
    assert_eq!(run(&server, &["check", "LOCKFILE"], &folder.path().join("none")).await.code, Some(2));
}

#[tokio::test]
async fn a_lockfile_that_leads_past_is_pointed_here() {
    let (server, upstream) = serving().await;
    let folder = tempfile::TempDir::new().unwrap();
    let path = folder.path().join("yarn.lock");
    let elsewhere = yarn_lock("https://registry.example/", "1.0.0");
    std::fs::write(&path, &elsewhere).unwrap();
    let past = run(&server, &["check", "LOCKFILE"], &path).await;
    assert_eq!(past.code, Some(1), "{}", past.output);
    past.assert_says("1 entry is fetched past this registry.").assert_says("airlock lock rewrite ");
    assert_eq!(upstream.count("/left"), 1, "what it names is looked up all the same");

    let printed = run(&server, &["lock", "rewrite", "LOCKFILE", "--output", "-"], &path).await;
    assert_eq!(printed.assert_success().output, yarn_lock(server.url().as_str(), "1.0.0"));
    assert_eq!(std::fs::read_to_string(&path).unwrap(), elsewhere);
    let rewritten = run(&server, &["lock", "rewrite", "LOCKFILE"], &path).await;
    rewritten.assert_success().assert_says(&format!("1 address changed to {}", server.url()));
    assert_eq!(std::fs::read_to_string(&path).unwrap(), yarn_lock(server.url().as_str(), "1.0.0"));
    run(&server, &["check", "LOCKFILE"], &path).await.assert_success();
    let again = run(&server, &["lock", "rewrite", "LOCKFILE", "--json"], &path).await;
    assert_eq!(json(&again), serde_json::json!({"changed": 0, "kept": 1, "elsewhere": []}));
    assert_eq!(run(&server, &["lock", "rewrite", "LOCKFILE", "--registry", "ftp://x"], &path).await.code, Some(2));
}
