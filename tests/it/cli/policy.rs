//! `airlock policy` and `airlock selftest`: a policy is tried before it bites.

use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;

use crate::support::binary::Launch;
use crate::support::binary::files_below;
use crate::support::command;
use crate::support::command::Outcome;
use crate::support::http::Call;
use crate::support::scenario::Scenario;

async fn run(launch: &Launch, arguments: &[&str]) -> Outcome {
    let command = launch.command(arguments);
    tokio::task::spawn_blocking(move || command::run(command, Duration::from_secs(120)).unwrap()).await.unwrap()
}

fn folder(launch: &Launch) -> PathBuf {
    launch.data_dir().parent().unwrap().to_owned()
}

fn json(outcome: &Outcome) -> Value {
    serde_json::from_str(&outcome.output).unwrap_or_else(|error| panic!("{error}: {}", outcome.output))
}

const CASES: &str = "\
[[case]]
name = \"a young release waits\"
age = \"2d\"
[case.expect]
standing = \"held\"
reason = \"age\"
opens_in = \"5d\"
[[case]]
name = \"native programs pass\"
findings = [\"native_binary\"]
[case.expect]
served = true
";

#[tokio::test]
async fn cases_are_tried_without_a_server() {
    let launch = Launch::at_url("https://registry.example/");
    let here = folder(&launch);
    std::fs::write(here.join("cases.toml"), CASES).unwrap();
    run(&launch, &["policy", "test", "cases.toml"]).await.assert_success().assert_says("all 2 as expected");
    std::fs::write(here.join("airlock.toml"), "[policy.findings]\nnative_binary = \"review\"\n").unwrap();
    let red = run(&launch, &["policy", "test", "cases.toml"]).await;
    assert_eq!(red.code, Some(1), "{}", red.output);
    red.assert_says("served: expected served, is not served").assert_says("cases.toml:8:1").assert_says("1 of 2 are not as expected");
    let told = json(&run(&launch, &["policy", "test", "cases.toml", "--json"]).await);
    assert_eq!((&told[0]["passed"], &told[1]["passed"]), (&Value::Bool(true), &Value::Bool(false)));
    std::fs::write(here.join("cases.toml"), "[[case]]\nname = \"x\"\n").unwrap();
    let bad = run(&launch, &["policy", "test", "cases.toml"]).await;
    assert_eq!(bad.code, Some(2), "{}", bad.output);
    bad.assert_says("cases.toml:1:1: case[0]: it has no expect");
}

#[tokio::test]
async fn two_policies_are_compared_and_one_is_replayed() {
    let scenario = Scenario::live().package("left-pad", |p| {
        p.release("1.0.0");
        p.release("1.1.0").age("10d");
    });
    let upstream = scenario.start().await;
    let server = Launch::at(&upstream).start().await;
    for version in ["1.0.0", "1.1.0"] {
        let reply = Call::get(server.address(), &format!("/left-pad/-/left-pad-{version}.tgz")).send().await;
        assert_eq!(reply.status, 200, "{}", reply.text());
    }
    let here = server.data_dir().parent().unwrap().to_owned();
    std::fs::write(here.join("old.toml"), "").unwrap();
    std::fs::write(here.join("new.toml"), "[policy.release_age]\nminimum = \"14d\"\n").unwrap();
    let differ = server.run_line("policy diff old.toml new.toml --releases").await;
    differ.assert_success().assert_says("policy.release_age.minimum").assert_says("Newly blocked: 1 release").assert_says("left-pad@1.1.0");
    server.run_line("policy diff old.toml old.toml").await.assert_success().assert_says("The two policies mean the same.");
    let hit = server.run_line("policy replay new.toml --days 7").await;
    assert_eq!(hit.code, Some(1), "{}", hit.output);
    hit.assert_says("2 pulls since ").assert_says("1 would have been refused").assert_says("left-pad@1.1.0").assert_says("127.0.0.1");
    server.run_line("policy replay old.toml --days 7").await.assert_success().assert_says("Newly blocked: none");
    let told = json(&server.run_line("policy replay new.toml --days 7 --json").await);
    assert_eq!((told["pulls"].as_u64(), told["newly_blocked_total"].as_u64()), (Some(2), Some(1)));
    std::fs::write(here.join("bad.toml"), "[policy]\nmode = \"watch\"\n").unwrap();
    let bad = server.run_line("policy replay bad.toml").await;
    assert_eq!(bad.code, Some(2), "{}", bad.output);
    bad.assert_says("bad.toml:2:8: policy.mode");
}

#[tokio::test]
async fn the_selftest_is_green_by_default_red_where_policy_does_nothing_and_leaves_nothing_behind() {
    let launch = Launch::at_url("https://registry.example/");
    let here = folder(&launch);
    let temporary = here.join("temporary");
    std::fs::create_dir(&temporary).unwrap();
    let launch = launch.environment("TMPDIR", temporary.to_str().unwrap());
    run(&launch, &["selftest"]).await.assert_success().assert_says("0 red");
    std::fs::write(here.join("airlock.toml"), "[policy.findings]\nhidden_code = \"note\"\n").unwrap();
    let red = run(&launch, &["selftest"]).await;
    assert_eq!(red.code, Some(1), "{}", red.output);
    red.assert_says("1 red").assert_says("it is found and nothing is done: by default reject");
    assert!(!here.join("airlock-data").exists(), "the data dir of the configuration was touched");
    assert_eq!(files_below(&temporary), Vec::<PathBuf>::new());
}
