//! The commands that need no server.

use std::time::Duration;

use crate::support::binary::Launch;
use crate::support::command;
use crate::support::command::Outcome;

async fn run(launch: &Launch, arguments: &[&str]) -> Outcome {
    let command = launch.command(arguments);
    tokio::task::spawn_blocking(move || command::run(command, Duration::from_secs(60)).unwrap()).await.unwrap()
}

#[tokio::test]
async fn init_writes_a_file_that_check_config_finds_good() {
    let launch = Launch::at_url("https://registry.example/");
    let file = launch.data_dir().parent().unwrap().join("airlock.toml");
    run(&launch, &["init"]).await.assert_success();
    assert_eq!(std::fs::read_to_string(&file).unwrap(), include_str!("../../../airlock.toml.example"));
    run(&launch, &["check-config"]).await.assert_success().assert_says("airlock.toml is good");
    let again = run(&launch, &["init"]).await;
    assert_eq!(again.code, Some(1), "{}", again.output);
    again.assert_says("is there already");

    std::fs::write(&file, "[server]\nlisten = 1\nnonsense = 2\n[policy]\nlisting = \"all\"\n").unwrap();
    let bad = run(&launch, &["check-config"]).await;
    assert_eq!(bad.code, Some(2), "{}", bad.output);
    for place in ["airlock.toml:2:", "airlock.toml:3:", "airlock.toml:5:"] {
        bad.assert_says(place);
    }
    let told = run(&launch, &["check-config", "--json"]).await;
    let told: serde_json::Value = serde_json::from_str(&told.output).unwrap_or_else(|error| panic!("{error}: {}", told.output));
    let lines: Vec<u64> = told["faults"].as_array().unwrap().iter().filter_map(|fault| fault["line"].as_u64()).collect();
    assert_eq!((told["good"].as_bool(), lines), (Some(false), vec![2, 3, 5]));
}

/// The configuration is compiled in from `.cargo/config.toml`: a build that misses it runs with jemalloc's own, which keeps more.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn the_allocator_is_configured_as_decided() {
    let launch = Launch::at_url("https://registry.example/").environment("_RJEM_MALLOC_CONF", "stats_print:true");
    let told = run(&launch, &["--version"]).await;
    for option in ["narenas: 4", "dirty_decay_ms: 1000", "muzzy_decay_ms: 0", "background_thread: true", "thp: \"never\""] {
        told.assert_success().assert_says(&format!("opt.{option}"));
    }
}

#[tokio::test]
async fn help_names_every_command_and_nonsense_is_exit_2() {
    let launch = Launch::at_url("https://registry.example/");
    let help = run(&launch, &["--help"]).await;
    help.assert_success();
    for name in ["serve", "init", "check-config", "queue", "explain", "approve", "reject", "hold", "reopen", "recall", "audit", "token"] {
        help.assert_says(name);
    }
    run(&launch, &["--version"]).await.assert_success().assert_says(env!("CARGO_PKG_VERSION"));
    assert_eq!(run(&launch, &["frobnicate"]).await.code, Some(2));
}
