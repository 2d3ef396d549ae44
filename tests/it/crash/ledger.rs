//! The ledger's own file damaged: an end that was torn off is cut, for it can only be unacknowledged; anything else stops
//! the start, names the place and changes nothing.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use super::dice::Dice;
use super::install::Install;
use super::person::Person;
use super::person::audit;
use super::world;
use crate::support::binary::Launch;
use crate::support::binary::files_below;

const PACKAGES: usize = 5;

/// Killed after a few decisions; with all that the ledger held.
async fn killed() -> (Arc<crate::support::upstream::Upstream>, Launch, Vec<(u64, String, Vec<String>)>) {
    let upstream = Arc::new(world::scenario(PACKAGES).start().await);
    let server = Launch::at(&upstream).start().await;
    let person = Person::of(PACKAGES, server.admin_token());
    Person::decide(&person, server.address(), &Install::of(PACKAGES, Arc::clone(&upstream)), 2 * PACKAGES).await;
    let entries = audit(server.address(), &server.admin_token(), 0).await;
    (upstream, server.kill(), entries)
}

fn segment(launch: &Launch) -> PathBuf {
    let is_segment = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "seg");
    files_below(&launch.data_dir().join("ledger")).into_iter().rfind(is_segment).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_torn_end_is_cut_and_said() {
    let mut dice = Dice::thrown("torn");
    let (_upstream, mut launch, entries) = killed().await;
    let path = segment(&launch);
    let whole = fs::read(&path).unwrap();
    // Half-written bytes behind the last record.
    let more = [whole.clone(), whole[whole.len() - 100..whole.len() - 1].to_vec()].concat();
    let less = whole[..whole.len() - 1 - dice.below(50)].to_vec();
    // In this order: a start writes down how far the ledger reached.
    for (torn, kept) in [(less, entries.len() - 1), (more, entries.len())] {
        fs::write(&path, torn).unwrap();
        let server = launch.start().await;
        server.says("cut off").await;
        assert_eq!(audit(server.address(), &server.admin_token(), 0).await, entries[..kept]);
        server.run(&["audit", "verify"]).await.assert_success();
        launch = server.kill();
        fs::write(&path, &whole).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn damage_before_the_end_stops_the_start_and_names_the_place() {
    let mut dice = Dice::thrown("damage");
    let (_upstream, launch, entries) = killed().await;
    let path = segment(&launch);
    let whole = fs::read(&path).unwrap();
    let folder = launch.data_dir().display().to_string();
    for _ in 0..8 {
        let mut damaged = whole.clone();
        let at = 16 + dice.below(whole.len() * 3 / 4 - 16);
        damaged[at] ^= 1 << dice.below(8);
        fs::write(&path, &damaged).unwrap();
        let outcome = launch.clone().fails().await;
        outcome.assert_failure().assert_says("the ledger is damaged").assert_says(&path.display().to_string()).assert_says("at byte");
        let verify = launch.command(&["audit", "verify", "--data-dir", &folder]).output().unwrap();
        assert!(!verify.status.success());
        assert_eq!(fs::read(&path).unwrap(), damaged, "nothing is changed, so that a person can look");
    }
    fs::write(&path, &whole).unwrap();
    let server = launch.start().await;
    assert_eq!(audit(server.address(), &server.admin_token(), 0).await, entries);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_end_that_was_known_and_is_missing_stops_the_start() {
    let (_upstream, launch, entries) = killed().await;
    let (_, launch) = launch.start().await.stop().await;
    let path = segment(&launch);
    let whole = fs::read(&path).unwrap();
    fs::write(&path, &whole[..whole.len() - 1]).unwrap();
    let last = entries.last().unwrap().0;
    let outcome = launch.clone().fails().await;
    outcome.assert_failure().assert_says(&format!("record {last} was there before"));
    fs::write(&path, &whole).unwrap();
    launch.start().await;
}
