//! What every `State` must do: one list, run against each implementation. A check makes its own store through `Bench`.

mod duties;
mod hosting;

use std::sync::Arc;
use std::time::Duration;

use tempfile::TempDir;

use crate::model::actor::Actor;
use crate::model::decision::Decision;
use crate::model::decision::Verb;
use crate::model::digest::DocumentDigest;
use crate::model::job::Work;
use crate::model::package::PackageId;
use crate::model::package::Version;
use crate::model::release::ReleaseId;
use crate::model::time::Timestamp;
use crate::model::token::Role;
use crate::model::token::Token;
use crate::storage::conformance::duties::notices_crowd_out_no_inspection;
use crate::storage::conformance::duties::the_policy_before_stays_until_it_was_compared;
use crate::storage::conformance::hosting::a_star_is_remembered_of_any_package;
use crate::storage::conformance::hosting::a_user_name_is_taken_for_good_whatever_its_case;
use crate::storage::conformance::hosting::key;
use crate::storage::conformance::hosting::only_named_tokens_take_a_name;
use crate::storage::conformance::hosting::signing_keys_are_kept_for_good;
use crate::storage::conformance::hosting::starred;
use crate::storage::conformance::hosting::submitted;
use crate::storage::conformance::hosting::tokens_that_their_users_got_are_forgotten_once_they_ended;
use crate::storage::conformance::hosting::user;
use crate::storage::conformance::hosting::users_are_as_their_last_change_left_them;
use crate::storage::conformance::hosting::what_is_published_here_is_known_as_ours;
use crate::storage::conformance::hosting::what_people_approved_once_is_let_in;
use crate::storage::local::LocalState;
use crate::storage::memory::MemoryState;
use crate::storage::record::Command;
use crate::storage::record::Sequence;
use crate::storage::state::Batch;
use crate::storage::state::CommitError;
use crate::storage::state::Condition;
use crate::storage::state::IndexNote;
use crate::storage::state::Proof;
use crate::storage::state::State;

/// Where a check gets its store from.
enum Bench {
    Memory,
    Local(TempDir),
}

impl Bench {
    fn open(&self) -> Arc<dyn State> {
        match self {
            Bench::Memory => Arc::new(MemoryState::new()),
            Bench::Local(folder) => Arc::new(LocalState::open(folder.path()).unwrap()),
        }
    }
}

macro_rules! conformance {
    (every: $($every:ident)*; that_outlive_a_process: $($lasting:ident)*;) => {
        mod memory {
            $(#[tokio::test]
            async fn $every() {
                super::$every(&super::Bench::Memory).await;
            })*
        }
        mod local {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $every() {
                super::$every(&super::Bench::Local(tempfile::tempdir().unwrap())).await;
            })*
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $lasting() {
                super::$lasting(&super::Bench::Local(tempfile::tempdir().unwrap())).await;
            })*
        }
    };
}

conformance! {
    every:
        a_new_store_is_empty
        sequences_follow_one_another
        a_batch_is_all_or_nothing
        a_revision_is_held_against_the_package
        of_many_with_one_revision_one_wins
        a_token_name_is_taken_until_it_is_revoked_or_expires
        only_the_first_token_is_made_without_a_token
        only_named_tokens_take_a_name
        tokens_that_their_users_got_are_forgotten_once_they_ended
        a_user_name_is_taken_for_good_whatever_its_case
        users_are_as_their_last_change_left_them
        what_is_published_here_is_known_as_ours
        what_people_approved_once_is_let_in
        a_star_is_remembered_of_any_package
        signing_keys_are_kept_for_good
        jobs_are_leased_in_order_once
        leases_do_not_overlap
        a_failed_job_comes_back_or_is_parked
        pages_are_in_order_and_meet_every_package
        a_page_is_one_snapshot
        entries_are_chained
        the_policy_before_stays_until_it_was_compared
        notices_crowd_out_no_inspection
        the_policy_is_the_last_one
        notes_are_kept
        a_closed_store_takes_nothing;
    that_outlive_a_process:
        everything_is_there_after_close
        everything_is_there_after_a_crash;
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_millis(seconds * 1_000)
}

fn package(name: &str) -> PackageId {
    PackageId::npm(name).unwrap()
}

fn work(version: &str) -> Work {
    let release = ReleaseId { package: package("a"), version: Version::parse(version).unwrap() };
    Work::Inspect { release, file: "a.tgz".into() }
}

fn decided(name: &str) -> Command {
    let release = ReleaseId { package: package(name), version: Version::parse("1.0.0").unwrap() };
    let decision = Decision {
        verb: Verb::Reject,
        by: "ann".into(),
        behind: vec![],
        at: at(1),
        reason: "r".into(),
        digest: None,
        substance: None,
        covers: vec![],
        basis: None,
        expires_at: None,
    };
    Command::Decided { release, decision }
}

fn token(id: &str, name: &str) -> Token {
    Token::named(id.into(), name.into(), Role::Reader, DocumentDigest::of(id.as_bytes()), at(0))
}

fn batch(conditions: Vec<Condition>, commands: Vec<Command>) -> Batch {
    Batch { at: at(10), actor: Actor::Person("ann".into()), conditions, commands }
}

async fn commit(state: &dyn State, commands: Vec<Command>) -> Sequence {
    state.commit(batch(vec![], commands)).await.unwrap()
}

async fn a_new_store_is_empty(bench: &Bench) {
    let state = bench.open();
    assert_eq!(state.revision(&package("a")).await.unwrap(), Sequence(0));
    assert_eq!(*state.package(&package("a")).await.unwrap(), Default::default());
    assert!(state.packages(None, 10).await.unwrap().is_empty());
    assert!(state.tokens().await.unwrap().is_empty());
    assert!(state.jobs(10).await.unwrap().is_empty());
    assert!(state.lease(at(0), Duration::from_secs(1), 10).await.unwrap().is_empty());
    assert!(state.entries(Sequence(0), 10).await.unwrap().is_empty());
    assert_eq!(state.policy().await.unwrap(), None);
    assert!(matches!(state.verify().await.unwrap(), Proof::Sound { records: 0, .. }));
    assert_eq!(state.note(&package("a")).await, None);
    assert_eq!(state.health().await, Ok(()));
}

async fn sequences_follow_one_another(bench: &Bench) {
    let state = bench.open();
    for expected in 1..=5 {
        assert_eq!(commit(&*state, vec![decided("a")]).await, Sequence(expected));
        assert_eq!(state.revision(&package("a")).await.unwrap(), Sequence(expected));
        let read = state.package(&package("a")).await.unwrap();
        assert_eq!(read.revision, Sequence(expected));
        assert_eq!(read.releases.values().next().unwrap().decisions.len() as u64, expected);
    }
}

async fn a_batch_is_all_or_nothing(bench: &Bench) {
    let state = bench.open();
    let both = || vec![decided("a"), decided("b"), Command::TokenCreated { token: token("1", "ann") }];
    let wrong = Condition::Revision { package: package("b"), is: Sequence(7) };
    let right = Condition::Revision { package: package("a"), is: Sequence(0) };
    let refused = state.commit(batch(vec![right.clone(), wrong.clone()], both())).await.unwrap_err();
    assert!(matches!(refused, CommitError::Conflict(condition) if condition == wrong));
    assert_eq!(*state.package(&package("a")).await.unwrap(), Default::default());
    assert!(state.tokens().await.unwrap().is_empty());
    assert!(state.entries(Sequence(0), 10).await.unwrap().is_empty());
    assert_eq!(state.commit(batch(vec![right], both())).await.unwrap(), Sequence(1));
    for name in ["a", "b"] {
        assert_eq!(state.package(&package(name)).await.unwrap().revision, Sequence(1));
    }
    assert_eq!(state.tokens().await.unwrap().len(), 1);
}

async fn a_revision_is_held_against_the_package(bench: &Bench) {
    let state = bench.open();
    commit(&*state, vec![decided("a")]).await;
    commit(&*state, vec![decided("b")]).await;
    let is = |is| vec![Condition::Revision { package: package("a"), is: Sequence(is) }];
    for stale in [0, 2, 3] {
        assert!(matches!(state.commit(batch(is(stale), vec![decided("a")])).await, Err(CommitError::Conflict(_))));
    }
    assert_eq!(state.commit(batch(is(1), vec![decided("a")])).await.unwrap(), Sequence(3));
}

async fn of_many_with_one_revision_one_wins(bench: &Bench) {
    let state = bench.open();
    let tries = (0..50).map(|_| {
        let state = Arc::clone(&state);
        let condition = Condition::Revision { package: package("a"), is: Sequence(0) };
        tokio::spawn(async move { state.commit(batch(vec![condition], vec![decided("a")])).await.is_ok() })
    });
    let won = futures_util::future::join_all(tries).await.into_iter().filter(|won| *won.as_ref().unwrap()).count();
    assert_eq!(won, 1);
    assert_eq!(state.entries(Sequence(0), 100).await.unwrap().len(), 1);
}

async fn a_token_name_is_taken_until_it_is_revoked_or_expires(bench: &Bench) {
    let state = bench.open();
    let create = |id: &str, expires_at: Option<i64>| Batch {
        at: at(10),
        actor: Actor::Airlock,
        conditions: vec![Condition::TokenNameFree { name: if id == "4" { "ANN" } else { "ann" }.into() }],
        commands: vec![Command::TokenCreated { token: Token { expires_at: expires_at.map(at), ..token(id, "ann") } }],
    };
    state.commit(create("1", None)).await.unwrap();
    assert!(matches!(state.commit(create("2", None)).await, Err(CommitError::Conflict(Condition::TokenNameFree { .. }))));
    commit(&*state, vec![Command::TokenRevoked { id: "1".into() }]).await;
    commit(&*state, vec![Command::TokenRevoked { id: "1".into() }]).await;
    state.commit(create("3", Some(11))).await.unwrap();
    assert!(state.commit(create("4", None)).await.is_err());
    state.commit(Batch { at: at(11), ..create("5", None) }).await.unwrap();
    let tokens = state.tokens().await.unwrap();
    assert_eq!(tokens.iter().map(|token| token.id.as_str()).collect::<Vec<_>>(), ["1", "3", "5"]);
    assert_eq!(tokens[0].revoked_at, Some(at(10)));
    assert_eq!(tokens[1].revoked_at, None);
}

async fn only_the_first_token_is_made_without_a_token(bench: &Bench) {
    let state = bench.open();
    let tries = (0..20).map(|id| {
        let state = Arc::clone(&state);
        let commands = vec![Command::TokenCreated { token: token(&id.to_string(), &id.to_string()) }];
        tokio::spawn(async move { state.commit(batch(vec![Condition::NoTokens], commands)).await.is_ok() })
    });
    let made = futures_util::future::join_all(tries).await.into_iter().filter(|made| *made.as_ref().unwrap()).count();
    assert_eq!(made, 1);
    assert_eq!(state.tokens().await.unwrap().len(), 1);
    let id = state.tokens().await.unwrap()[0].id.clone();
    commit(&*state, vec![Command::TokenRevoked { id }]).await;
    assert!(state.commit(batch(vec![Condition::NoTokens], vec![decided("a")])).await.is_err(), "one was made once");
}

async fn jobs_are_leased_in_order_once(bench: &Bench) {
    let state = bench.open();
    for (version, due) in [("1.0.0", 20), ("2.0.0", 10), ("3.0.0", 10)] {
        commit(&*state, vec![Command::JobQueued { work: work(version), due_at: at(due) }]).await;
        commit(&*state, vec![Command::JobQueued { work: work(version), due_at: at(0) }]).await;
    }
    assert_eq!(state.jobs(10).await.unwrap().len(), 3);
    assert!(state.lease(at(9), Duration::from_secs(5), 10).await.unwrap().is_empty());
    let leased = state.lease(at(10), Duration::from_secs(5), 1).await.unwrap();
    assert_eq!(leased.len(), 1);
    assert_eq!((&leased[0].work, leased[0].attempts, leased[0].leased_until), (&work("2.0.0"), 1, Some(at(15))));
    let leased = state.lease(at(14), Duration::from_secs(5), 10).await.unwrap();
    assert_eq!(leased.iter().map(|job| &job.work).collect::<Vec<_>>(), [&work("3.0.0")]);
    let leased = state.lease(at(15), Duration::from_secs(5), 10).await.unwrap();
    assert_eq!(leased.iter().map(|job| (&job.work, job.attempts)).collect::<Vec<_>>(), [(&work("2.0.0"), 2)]);
    commit(&*state, vec![Command::JobDone { work: work("2.0.0") }]).await;
    let left = state.jobs(10).await.unwrap();
    assert_eq!(left.iter().map(|job| &job.work).collect::<Vec<_>>(), [&work("1.0.0"), &work("3.0.0")]);
    assert_eq!(state.jobs(1).await.unwrap().len(), 1);
}

async fn leases_do_not_overlap(bench: &Bench) {
    let state = bench.open();
    let queued = (0..40).map(|n| Command::JobQueued { work: work(&format!("{n}.0.0")), due_at: at(0) });
    commit(&*state, queued.collect()).await;
    let leases = (0..20).map(|_| {
        let state = Arc::clone(&state);
        tokio::spawn(async move {
            let mut mine = Vec::new();
            // A request in the same group as another lease may find less; nobody finds a job twice.
            while let leased = state.lease(at(1), Duration::from_secs(60), 3).await.unwrap()
                && !leased.is_empty()
            {
                mine.extend(leased);
            }
            mine
        })
    });
    let mut all: Vec<_> = futures_util::future::join_all(leases).await.into_iter().flat_map(|mine| mine.unwrap()).collect();
    let left = state.lease(at(1), Duration::from_secs(60), 100).await.unwrap();
    all.extend(left);
    assert!(all.iter().all(|job| job.attempts == 1));
    let mut works: Vec<_> = all.into_iter().map(|job| job.work).collect();
    works.sort();
    works.dedup();
    assert_eq!(works.len(), 40);
}

async fn a_failed_job_comes_back_or_is_parked(bench: &Bench) {
    let state = bench.open();
    commit(
        &*state,
        vec![Command::JobQueued { work: work("1.0.0"), due_at: at(0) }, Command::JobLeased { work: work("1.0.0"), until: at(50) }],
    )
    .await;
    assert!(state.lease(at(1), Duration::from_secs(9), 9).await.unwrap().is_empty());
    commit(&*state, vec![Command::JobFailed { work: work("1.0.0"), error: "once".into(), retry_at: Some(at(5)) }]).await;
    assert!(state.lease(at(4), Duration::from_secs(9), 9).await.unwrap().is_empty());
    let leased = state.lease(at(5), Duration::from_secs(9), 9).await.unwrap();
    assert_eq!((leased[0].attempts, leased[0].last_error.as_deref()), (2, Some("once")));
    commit(&*state, vec![Command::JobFailed { work: work("1.0.0"), error: "twice".into(), retry_at: None }]).await;
    assert!(state.lease(at(500), Duration::from_secs(9), 9).await.unwrap().is_empty());
    let parked = state.jobs(9).await.unwrap();
    assert_eq!((parked[0].parked, parked[0].leased_until, parked[0].last_error.as_deref()), (true, None, Some("twice")));
    commit(&*state, vec![Command::JobQueued { work: work("1.0.0"), due_at: at(501) }]).await;
    assert_eq!(state.lease(at(501), Duration::from_secs(9), 9).await.unwrap().len(), 1);
}

async fn pages_are_in_order_and_meet_every_package(bench: &Bench) {
    let state = bench.open();
    let names: Vec<String> = (0..25).map(|n| format!("p{:02}", (n * 7) % 25)).collect();
    commit(&*state, names.iter().map(|name| decided(name)).collect()).await;
    let (mut after, mut met): (Option<PackageId>, Vec<String>) = (None, Vec::new());
    loop {
        let page = state.packages(after.as_ref(), 10).await.unwrap();
        assert!(page.len() <= 10);
        let Some((last, _)) = page.last() else { break };
        after = Some(last.clone());
        met.extend(page.iter().map(|(package, _)| package.name.to_string()));
        assert!(page.iter().all(|(_, state)| state.revision == Sequence(1)));
    }
    let mut sorted = names;
    sorted.sort();
    assert_eq!(met, sorted);
}

/// Every commit touches both packages, so that a page in which they differ saw half of one.
async fn a_page_is_one_snapshot(bench: &Bench) {
    let state = bench.open();
    let writer = {
        let state = Arc::clone(&state);
        tokio::spawn(async move {
            for _ in 0..60 {
                commit(&*state, vec![decided("a"), decided("z")]).await;
            }
        })
    };
    while !writer.is_finished() {
        let page = state.packages(None, 10).await.unwrap();
        let revisions: Vec<_> = page.iter().map(|(_, state)| state.revision).collect();
        assert!(revisions.is_empty() || revisions.len() == 2 && revisions[0] == revisions[1], "{revisions:?}");
        tokio::task::yield_now().await;
    }
    writer.await.unwrap();
}

async fn entries_are_chained(bench: &Bench) {
    let state = bench.open();
    for n in 0..200 {
        commit(&*state, vec![decided(&format!("p{n}"))]).await;
    }
    let all = state.entries(Sequence(0), 1_000).await.unwrap();
    assert_eq!(all.len(), 200);
    assert!(all.windows(2).all(|two| two[1].previous == two[0].hash));
    assert!(all.iter().zip(1..).all(|(entry, sequence)| entry.record.sequence == Sequence(sequence)));
    assert_eq!(all[0].record.actor, Actor::Person("ann".into()));
    for after in [0, 1, 62, 63, 64, 65, 199] {
        let page = state.entries(Sequence(after), 3).await.unwrap();
        let from = usize::try_from(after).unwrap();
        assert_eq!(page, all[from..(from + 3).min(200)]);
    }
    assert!(state.entries(Sequence(200), 3).await.unwrap().is_empty());
    assert!(state.entries(Sequence(u64::MAX), 3).await.unwrap().is_empty());
    assert!(state.entries(Sequence(0), 0).await.unwrap().is_empty());
    assert_eq!(state.verify().await.unwrap(), Proof::Sound { records: 200, head: all[199].hash });
}

async fn the_policy_is_the_last_one(bench: &Bench) {
    let state = bench.open();
    for text in ["one", "two"] {
        let digest = DocumentDigest::of(text.as_bytes());
        commit(&*state, vec![Command::Policy { digest, text: text.into() }]).await;
        assert_eq!(state.policy().await.unwrap(), Some(digest));
    }
}

async fn notes_are_kept(bench: &Bench) {
    let state = bench.open();
    for etag in ["one", "two"] {
        let note = IndexNote { source: DocumentDigest::of(b"x"), checked_at: at(1), etag: Some(etag.into()), last_modified: None };
        state.put_note(&package("a"), note.clone()).await;
        assert_eq!(state.note(&package("a")).await, Some(note));
    }
    assert_eq!(state.note(&package("b")).await, None);
    assert_eq!(state.revision(&package("a")).await.unwrap(), Sequence(0));
}

async fn a_closed_store_takes_nothing(bench: &Bench) {
    let state = bench.open();
    commit(&*state, vec![decided("a")]).await;
    state.close().await;
    assert!(matches!(state.commit(batch(vec![], vec![decided("a")])).await, Err(CommitError::Closed)));
    assert!(matches!(state.lease(at(0), Duration::from_secs(1), 1).await, Err(CommitError::Closed)));
    assert!(state.health().await.is_err());
    assert_eq!(state.package(&package("a")).await.unwrap().revision, Sequence(1));
    state.close().await;
}

/// What a reader can see of everything in `fill`.
async fn all(state: &dyn State) -> impl PartialEq + std::fmt::Debug + use<> {
    (
        state.packages(None, 1_000).await.unwrap(),
        state.tokens().await.unwrap(),
        (state.users().await.unwrap(), state.keys().await.unwrap(), state.locals().await.unwrap(), state.stars_of("ann").await.unwrap()),
        state.jobs(1_000).await.unwrap(),
        (state.policy().await.unwrap(), state.policy_before().await.unwrap()),
        state.entries(Sequence(0), 1_000).await.unwrap(),
        state.verify().await.unwrap(),
    )
}

async fn fill(state: &dyn State) {
    for n in 0..40 {
        commit(state, vec![decided(&format!("p{}", n % 7)), Command::JobQueued { work: work(&format!("{n}.0.0")), due_at: at(0) }]).await;
    }
    state.lease(at(3), Duration::from_secs(3), 5).await.unwrap();
    commit(state, vec![Command::JobFailed { work: work("1.0.0"), error: "e".into(), retry_at: None }]).await;
    commit(state, vec![Command::JobDone { work: work("0.0.0") }, Command::TokenCreated { token: token("1", "ann") }]).await;
    let policy = |text: &str| Command::Policy { digest: DocumentDigest::of(text.as_bytes()), text: text.into() };
    commit(state, vec![policy("o"), policy("p")]).await;
    let ours = vec![submitted("p1", "1.0.0"), starred("p2", "ann", true), Command::KeyMade { key: key("one") }];
    commit(state, ours).await;
    commit(state, vec![Command::UserMade { user: user("ann") }]).await;
}

async fn everything_is_there_after_close(bench: &Bench) {
    let state = bench.open();
    fill(&*state).await;
    let note = IndexNote { source: DocumentDigest::of(b"x"), checked_at: at(1), etag: None, last_modified: None };
    state.put_note(&package("a"), note.clone()).await;
    let before = all(&*state).await;
    state.close().await;
    drop(state);
    let state = bench.open();
    assert_eq!(all(&*state).await, before);
    assert_eq!(state.note(&package("a")).await, Some(note));
    assert_eq!(commit(&*state, vec![decided("p1")]).await, Sequence(47));
}

async fn everything_is_there_after_a_crash(bench: &Bench) {
    let state = bench.open();
    fill(&*state).await;
    let before = all(&*state).await;
    drop(state);
    let state = bench.open();
    assert_eq!(all(&*state).await, before);
    assert_eq!(commit(&*state, vec![decided("p1")]).await, Sequence(47));
}
