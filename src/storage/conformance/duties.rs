//! What every `State` must do with what is still to be done: jobs of each sort, and what a policy changed.

use crate::model::digest::DocumentDigest;
use crate::model::job::Sort;
use crate::model::job::Work;
use crate::model::notice::NoticeKind;
use crate::model::package::Version;
use crate::model::release::ReleaseId;
use crate::storage::conformance::Bench;
use crate::storage::conformance::at;
use crate::storage::conformance::commit;
use crate::storage::conformance::package;
use crate::storage::conformance::work;
use crate::storage::record::Command;
use crate::storage::record::Rejudged;

pub async fn notices_crowd_out_no_inspection(bench: &Bench) {
    let state = bench.open();
    let release = |version: &str| ReleaseId { package: package("a"), version: Version::parse(version).unwrap() };
    let notice = |number: u32| Work::Notify {
        release: release(if number == 0 { "2.0.0" } else { "1.0.0" }),
        event: NoticeKind::Recalled,
        hook: format!("{number:012x}"),
    };
    for number in 0..5 {
        let work = notice(number);
        let queued = Command::JobQueued { work: work.clone(), due_at: at(0) };
        commit(&*state, vec![queued, Command::JobFailed { work, error: "e".into(), retry_at: None }]).await;
    }
    let given_up = Command::JobFailed { work: work("1.0.0"), error: "e".into(), retry_at: None };
    commit(&*state, vec![Command::JobQueued { work: work("1.0.0"), due_at: at(0) }, given_up]).await;
    commit(&*state, vec![Command::JobQueued { work: work("2.0.0"), due_at: at(0) }]).await;
    let of = async |sort, limit| state.jobs_of(sort, limit).await.unwrap().into_iter().map(|job| job.work).collect::<Vec<Work>>();
    assert_eq!(of(Sort::GivenUp, 1).await, [work("1.0.0")]);
    assert_eq!(of(Sort::Waiting, 1).await, [work("2.0.0")]);
    assert_eq!(of(Sort::NoticesOf(release("2.0.0")), 9).await, [notice(0)]);
    assert_eq!(of(Sort::NoticesOf(release("1.0.0")), 2).await, [notice(1), notice(2)]);
}

pub async fn the_policy_before_stays_until_it_was_compared(bench: &Bench) {
    let state = bench.open();
    let [one, two, three] = ["one", "two", "three"].map(|text| DocumentDigest::of(text.as_bytes()));
    let policy = |digest| Command::Policy { digest, text: String::new() };
    let rejudged = |policy, before| Command::Rejudged { policy, rejudged: Rejudged::since(before) };
    for (command, expect) in [
        (policy(one), None),
        (policy(two), Some(one)),
        (policy(three), Some(one)),
        // Of one that judges no more.
        (rejudged(two, one), Some(one)),
        (rejudged(three, one), None),
        (policy(two), Some(three)),
        // Back again before anything was compared: nothing changed.
        (policy(three), None),
        (policy(one), Some(three)),
    ] {
        let told = format!("{command:?}");
        commit(&*state, vec![command]).await;
        assert_eq!(state.policy_before().await.unwrap(), expect, "{told}");
    }
}
