//! What is seen of each trial: packages are looked at, had and looked at again, as time passes and others speak.

use std::time::Duration;

use serde_json::Value;

use crate::admin::wire::DecisionOrder;
use crate::admin::wire::ReleaseView;
use crate::cli::failure::Failure;
use crate::cli::remote::Remote;
use crate::cli::selftest::DAY;
use crate::cli::selftest::LATER;
use crate::cli::selftest::LONG_IN_USE;
use crate::cli::selftest::said::record;
use crate::cli::selftest::said::tell;
use crate::cli::selftest::trials::Trial;
use crate::clock::Clock;
use crate::model::decision::Verb;
use crate::model::finding::Action;
use crate::model::finding::FindingKind;
use crate::model::package::PackageName;
use crate::model::time::Timestamp;
use crate::protocol::npm::violation::Advisory;
use crate::protocol::npm::violation::BAD;
use crate::protocol::npm::violation::GOOD;
use crate::server::scenario::ScenarioUpstream;

const SERVED: u16 = 200;

/// What was seen of a trial at last.
pub(super) enum Seen {
    Release(Box<ReleaseView>),
    /// Airlock does not know the release.
    Nothing,
    /// The release that it is compared with cannot be had.
    WithoutGood,
}

/// Looks at every package twice, as time passes and others speak; what is seen of each at last.
pub(super) fn watch(
    remote: &Remote,
    upstream: &ScenarioUpstream,
    clock: &Clock,
    trials: &[Trial],
    (began, minimum): (Timestamp, Duration),
) -> Result<Vec<Seen>, Failure> {
    let mut without_good = Vec::new();
    for trial in trials {
        for other in &trial.offer.beside {
            look_at(remote, other)?;
        }
        look(remote, trial)?;
        without_good.push(trial.offer.after_good && !has_good(remote, trial)?);
    }
    // What happens at once needs no more time; only what is later is asked for again.
    upstream.say(trials.iter().flat_map(|trial| trial.offer.later.clone()));
    let said: Vec<Value> = trials.iter().filter_map(|trial| record(trial, began, false)).collect();
    tell(remote, &said, false)?;
    clock.advance(LATER);
    let is_late = |trial: &Trial| matches!(trial.advisory, Some(Advisory::MalwareLater | Advisory::Silence));
    let mut seen = Vec::new();
    for trial in trials {
        if is_late(trial) {
            seen.push(None);
            continue;
        }
        fetch(remote, trial)?;
        let view = look(remote, trial)?;
        seen.push(if view.as_ref().is_some_and(waits_only_as_new) { approve_and_look(remote, trial)? } else { view });
    }
    // In use from now on.
    for trial in trials.iter().filter(|trial| trial.advisory == Some(Advisory::MalwareLater)) {
        fetch(remote, trial)?;
    }
    clock.advance(LONG_IN_USE.max(minimum + DAY));
    let late: Vec<Value> = trials.iter().filter_map(|trial| record(trial, began, true)).collect();
    tell(remote, &late, true)?;
    for (trial, seen) in trials.iter().zip(&mut seen).filter(|(trial, _)| is_late(trial)) {
        fetch(remote, trial)?;
        *seen = look(remote, trial)?;
    }
    let seen = seen.into_iter().zip(without_good);
    Ok(seen
        .map(
            |(view, is_without)| {
                if is_without { Seen::WithoutGood } else { view.map_or(Seen::Nothing, |view| Seen::Release(Box::new(view))) }
            },
        )
        .collect())
}

/// Whether the release before can be had, which is looked into then: a person lets it in where it waits for one.
fn has_good(remote: &Remote, trial: &Trial) -> Result<bool, Failure> {
    if fetch_version(remote, trial, GOOD)? == SERVED {
        return Ok(true);
    }
    match approve(remote, trial, GOOD) {
        Ok(()) => Ok(fetch_version(remote, trial, GOOD)? == SERVED),
        // Policy lets nobody do that.
        Err(Failure::Failed(_)) => Ok(false),
        Err(failure) => Err(failure),
    }
}

/// As the API tells of it; `None` where it is not known.
fn look(remote: &Remote, trial: &Trial) -> Result<Option<ReleaseView>, Failure> {
    look_at(remote, &trial.package)
}

fn look_at(remote: &Remote, package: &PackageName) -> Result<Option<ReleaseView>, Failure> {
    match remote.get::<ReleaseView>(&["releases", package.as_str(), BAD], &[]) {
        Ok(answer) => Ok(Some(answer.read)),
        // It is there later, or never: then nothing is found of it.
        Err(Failure::Failed(_)) => Ok(None),
        Err(failure) => Err(failure),
    }
}

/// Whether its bytes were not looked into because every new package waits for people.
fn waits_only_as_new(view: &ReleaseView) -> bool {
    let minded = || view.findings.iter().filter(|one| one.action > Action::Note);
    !is_inspected(view) && minded().next().is_some() && minded().all(|one| one.kind == FindingKind::NewPackage)
}

pub(super) fn is_inspected(view: &ReleaseView) -> bool {
    view.artifacts.iter().all(|one| one.inspected_at.is_some())
}

/// A person lets the package in; what its bytes are is found then.
fn approve_and_look(remote: &Remote, trial: &Trial) -> Result<Option<ReleaseView>, Failure> {
    if trial.kind == Some(FindingKind::NewPackage) {
        return look(remote, trial);
    }
    approve(remote, trial, BAD)?;
    look(remote, trial)
}

fn approve(remote: &Remote, trial: &Trial, version: &str) -> Result<(), Failure> {
    let order = DecisionOrder { decision: Verb::Approve, reason: "selftest".to_owned(), digest: None, revision: None, expires_at: None };
    remote.post::<ReleaseView>(&["releases", trial.package.as_str(), version, "decisions"], &order).map(drop)
}

/// What a client would do: its bytes are looked into before they leave.
fn fetch(remote: &Remote, trial: &Trial) -> Result<u16, Failure> {
    fetch_version(remote, trial, BAD)
}

fn fetch_version(remote: &Remote, trial: &Trial, version: &str) -> Result<u16, Failure> {
    let package = &trial.package;
    remote.fetch_file(&format!("{package}/-/{}-{version}.tgz", package.unscoped()))
}
