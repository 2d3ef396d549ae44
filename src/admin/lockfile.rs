//! A lockfile in, a verdict for each of its entries out.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::Request;
use axum::extract::State;

use crate::admin::Api;
use crate::admin::request::Asked;
use crate::admin::wire::LockedIntegrity;
use crate::admin::wire::LockedVerdict;
use crate::admin::wire::LockedView;
use crate::admin::wire::LockfileQuery;
use crate::admin::wire::LockfileView;
use crate::admin::wire::PlanView;
use crate::admin::wire::PlannedView;
use crate::admin::wire::StuckView;
use crate::catalog::lockfile::Asker;
use crate::catalog::lockfile::Checked;
use crate::catalog::lockfile::plan::Plan;
use crate::catalog::lockfile::verdict::Compared;
use crate::catalog::lockfile::verdict::Judged;
use crate::catalog::lockfile::verdict::Waiting;
use crate::catalog::lockfile::verdict::Word;
use crate::http::caller::Caller;
use crate::http::incoming;
use crate::http::link;
use crate::http::problem::Kind;
use crate::http::problem::Problem;
use crate::model::lockfile::LOCKFILE_BYTES_MAX;
use crate::model::lockfile::Locked;
use crate::model::lockfile::Source;
use crate::model::package::EcosystemId;

pub const PATH: &str = "/-/airlock/v1/lockfile";
const NAME_BYTES_MAX: usize = 255;

/// What becomes of a lockfile
///
/// The body is the lockfile's text, of any content type, plain or gzipped: package-lock.json and npm-shrinkwrap.json 1 to 3,
/// pnpm-lock.yaml 6 and 9, yarn.lock of yarn 1 and later, bun.lock, deno.lock 4 and 5. Packages that are not known here are
/// looked up at the upstream registry, as an install would.
#[utoipa::path(
    post,
    path = "/-/airlock/v1/lockfile", operation_id = "checkLockfile",
    tag = "releases",
    params(LockfileQuery),
    request_body(content = String, content_type = "application/octet-stream", description = "The lockfile's text, at most 64 MB"),
    responses((status = 200, body = LockfileView))
)]
pub async fn check(
    State(api): State<Api>,
    caller: Caller,
    Asked(asked): Asked<LockfileQuery>,
    request: Request,
) -> Result<Json<LockfileView>, Problem> {
    if asked.name.as_ref().is_some_and(|name| name.len() > NAME_BYTES_MAX) {
        return Err(Problem::new(Kind::Malformed, format!("name is longer than {NAME_BYTES_MAX} bytes")));
    }
    let turn = api.catalog.lockfile_turn().await?;
    let (parts, body) = request.into_parts();
    let text = incoming::read(&parts.headers, body, LOCKFILE_BYTES_MAX as u64).await.map_err(|problem| match problem.kind {
        Kind::TooLarge => Problem::new(Kind::TooLarge, format!("a lockfile has at most {LOCKFILE_BYTES_MAX} bytes")),
        _ => problem,
    })?;
    let asker = Asker { base: &caller.base, is_nobody: caller.name.is_none() };
    let checked = api.catalog.check_lockfile(&turn, EcosystemId::Npm, text, asked.name, asker).await?;
    Ok(Json(view(&checked, &caller.base)))
}

impl From<Word> for LockedVerdict {
    fn from(word: Word) -> LockedVerdict {
        match word {
            Word::Allowed => LockedVerdict::Allowed,
            Word::Held => LockedVerdict::Held,
            Word::Denied => LockedVerdict::Denied,
            Word::Unknown => LockedVerdict::Unknown,
            Word::Elsewhere => LockedVerdict::Elsewhere,
            Word::Local => LockedVerdict::Local,
            Word::Bundled => LockedVerdict::Bundled,
        }
    }
}

fn view(checked: &Checked, base: &str) -> LockfileView {
    let mut counts: BTreeMap<String, u64> = BTreeMap::new();
    for judged in &checked.judged {
        *counts.entry(LockedVerdict::from(judged.word).as_str().to_owned()).or_default() += 1;
    }
    let (green, opens_at) = match checked.waiting {
        Waiting::Nothing => (true, None),
        Waiting::Until(at) => (false, Some(at)),
        Waiting::Somebody => (false, None),
    };
    LockfileView {
        format: checked.lockfile.format.to_owned(),
        edition: checked.lockfile.edition.clone(),
        green,
        observing: checked.observing,
        opens_at,
        counts,
        entries: checked.lockfile.entries.iter().zip(&checked.judged).map(|(entry, judged)| entry_view(entry, judged, base)).collect(),
        plan: plan(&checked.plan, &checked.steps),
    }
}

fn entry_view(entry: &Locked, judged: &Judged, base: &str) -> LockedView {
    let (integrity, integrity_detail) = match &judged.integrity {
        Compared::Agrees => (LockedIntegrity::Agrees, None),
        Compared::Differs { stated, ours } => (LockedIntegrity::Differs, Some(format!("the lockfile has {stated}, and here it is {ours}"))),
        Compared::Unstated => (LockedIntegrity::Unstated, None),
        Compared::NotComparable(why) => (LockedIntegrity::NotComparable, Some((*why).to_owned())),
    };
    let shown = judged.standing.is_some() && judged.word != Word::Allowed;
    LockedView {
        package: entry.name.clone(),
        version: entry.version.clone(),
        alias: entry.alias.clone(),
        line: entry.line,
        verdict: judged.word.into(),
        standing: judged.standing.map(Into::into),
        observed: judged.observed,
        opens_at: judged.opens_at,
        sentence: judged.sentence.clone(),
        link: judged.release.as_ref().filter(|_| shown).map(|release| link::of_release(base, release)),
        address: match &entry.source {
            Source::Registry { address, .. } => address.clone(),
            Source::Elsewhere { address } => Some(address.clone()),
            Source::Beneath { .. } | Source::Local | Source::Bundled { .. } => None,
        },
        integrity,
        integrity_detail,
        dev: entry.dev,
        optional: entry.optional,
        peer: entry.peer,
    }
}

fn plan(plan: &Plan, steps: &[String]) -> PlanView {
    let text = |version: &Option<crate::model::package::Version>| version.as_ref().map(ToString::to_string);
    PlanView {
        complete: plan.stuck.is_empty(),
        changes: plan
            .changes
            .iter()
            .map(|change| PlannedView {
                package: change.package.name.to_string(),
                from: text(&change.from),
                to: text(&change.to),
                follows: change.follows,
            })
            .collect(),
        stuck: plan
            .stuck
            .iter()
            .map(|stuck| StuckView {
                package: stuck.release.package.name.to_string(),
                version: stuck.release.version.to_string(),
                why: stuck.why.clone(),
            })
            .collect(),
        steps: steps.to_vec(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_has_its_text() {
        for (word, told) in Word::ALL.into_iter().zip(LockedVerdict::ALL) {
            assert_eq!(LockedVerdict::from(word), told);
            assert_eq!(serde_json::to_value(told).unwrap(), told.as_str());
        }
    }
}
