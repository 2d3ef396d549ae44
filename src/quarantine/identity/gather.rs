//! Gathering what speaks for a release besides its bytes, while it is inspected. What cannot be had in time from outside is
//! said to be unavailable, and asked for again a few times by the job of the inspection; what cannot be read here fails the inspection, which is tried again.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use crate::ecosystem::Ecosystem;
use crate::ecosystem::voucher::Vouchers;
use crate::model::actor::Actor;
use crate::model::digest::Digest;
use crate::model::evidence::Evidence;
use crate::model::evidence::Proof;
use crate::model::job::Work;
use crate::model::release::ReleaseId;
use crate::quarantine::Quarantine;
use crate::quarantine::checks::inspection::EDITION;
use crate::quarantine::identity::evidence::Statements;
use crate::quarantine::identity::evidence::joined;
use crate::quarantine::identity::evidence::weigh;
use crate::quarantine::identity::keyring::Keys;
use crate::quarantine::workflow::InspectError;
use crate::quarantine::workflow::Outcome;
use crate::quarantine::workflow::Subject;
use crate::storage::record::Command;
use crate::storage::record::Inspection;
use crate::storage::state::Batch;
use crate::storage::state::Condition;
use crate::upstream::Document;

/// How long an inspection waits for keys and statements.
const WITHIN: Duration = Duration::from_secs(5);
const LATE: &str = "the registry does not answer in time";
/// Where the registry did not answer it is asked again so long after, each time later, and then not any more.
const AGAIN_AFTER: [Duration; 4] =
    [Duration::from_secs(60), Duration::from_secs(600), Duration::from_secs(3_600), Duration::from_secs(6 * 3_600)];
const UNANSWERED: &str = "the registry did not say what speaks for it";

/// What was gathered of an artifact.
pub(in crate::quarantine) struct Gathered {
    /// `None` of what was published here, and where its format knows of nothing that could speak for it.
    pub evidence: Option<Evidence>,
    /// The registry did not answer: asked later it may say more.
    pub is_unanswered: bool,
}

impl Quarantine {
    /// What speaks for the release whose bytes were found to have `digest`.
    pub(in crate::quarantine) async fn evidence(&self, subject: &Subject, digest: &Digest) -> Result<Gathered, InspectError> {
        const NOTHING: Gathered = Gathered { evidence: None, is_unanswered: false };
        let ReleaseId { package, version } = &subject.release;
        let Some(ecosystem) = self.ecosystem(package.ecosystem).map(Arc::clone) else { return Ok(NOTHING) };
        let state = self.state.package(package).await?;
        if state.local.is_some() {
            return Ok(NOTHING);
        }
        let Some(vouchers) = ecosystem.vouchers(package, version, &subject.manifest) else { return Ok(NOTHING) };
        let absent_at = state.releases.get(version).and_then(|state| state.absent_at);
        let published_at = subject.published_at.map(|claimed| absent_at.map_or(claimed, |absent_at| claimed.max(absent_at)));
        let wanted: Vec<&str> = vouchers.signatures.iter().map(|signature| signature.key.as_str()).collect();
        let keys = in_time(self.keyring.keys(&ecosystem, package, &wanted), || Keys::Unavailable(LATE.to_owned()));
        let statements = in_time(self.statements(subject, &*ecosystem, &vouchers), || Statements::Unanswered(LATE.to_owned()));
        let (keys, statements) = tokio::join!(keys, statements);
        let no_keys = matches!(keys, Keys::Unavailable(_)) && !vouchers.signatures.is_empty();
        let is_unanswered = no_keys || matches!(statements, Statements::Unanswered(_));
        let (root, digest) = (Arc::clone(&self.trust_root), *digest);
        let weighed = self.compute(move || weigh(&vouchers, &keys, &statements, &root, &digest, published_at)).await;
        let evidence = weighed.unwrap_or_else(|error| {
            let failed = || Proof::Unavailable { why: error.to_string() };
            Evidence { signature: failed(), provenance: failed(), ..Evidence::default() }
        });
        Ok(Gathered { evidence: Some(evidence), is_unanswered })
    }

    /// What becomes of the job of an artifact that is inspected by its `attempts`th try: it is done, or comes back to ask once more.
    pub(in crate::quarantine) fn asked(&self, work: Work, is_unanswered: bool, attempts: u32) -> Command {
        let pause = usize::try_from(attempts.saturating_sub(1)).ok().and_then(|tries| AGAIN_AFTER.get(tries));
        match pause.filter(|_| is_unanswered) {
            Some(pause) => Command::JobFailed { work, error: UNANSWERED.to_owned(), retry_at: Some(self.clock.now().plus(*pause)) },
            None => Command::JobDone { work },
        }
    }

    /// Asking once more came to nothing, for a reason of our own: as if the registry had not answered.
    pub(in crate::quarantine) async fn asked_in_vain(&self, work: Work, attempts: u32) -> Outcome {
        let commands = vec![self.asked(work, true, attempts)];
        match self.state.commit(Batch { at: self.clock.now(), actor: Actor::Airlock, conditions: Vec::new(), commands }).await {
            Ok(_) => Outcome::Recorded,
            Err(error) => Outcome::Failed(Arc::new(error.into())),
        }
    }

    /// Where an artifact is inspected and only what speaks for it did not come, asks for that alone. `None`: it is to be inspected.
    pub(in crate::quarantine) async fn ask_again(&self, subject: &Subject, attempts: u32) -> Option<Result<(), InspectError>> {
        let state = self.state.package(&subject.release.package).await.ok()?;
        let released = state.releases.get(&subject.release.version)?;
        let inspection = released.inspections.get(&subject.artifact.file)?;
        let before = inspection.evidence.as_deref().filter(|one| one.is_unavailable())?;
        let substance = self.substance(subject.release.package.ecosystem, &subject.manifest);
        if inspection.edition != EDITION || inspection.substance != Some(substance) {
            return None;
        }
        let gathered = match self.evidence(subject, &inspection.digest).await {
            Ok(gathered) => gathered,
            Err(error) => return Some(Err(error)),
        };
        let evidence = gathered.evidence.map(|now| joined(before, now));
        let mut commands = Vec::new();
        if let Some(evidence) = evidence.filter(|evidence| evidence != before) {
            let inspection = Box::new(Inspection { evidence: Some(Box::new(evidence)), ..Inspection::clone(inspection) });
            commands.push(Command::Inspected { release: subject.release.clone(), file: subject.artifact.file.clone(), inspection });
        }
        commands.push(self.asked(subject.work(), gathered.is_unanswered, attempts));
        // Whoever reopens it meanwhile wants it to be inspected whole.
        let conditions = vec![Condition::Revision { package: subject.release.package.clone(), is: state.revision }];
        let batch = Batch { at: self.clock.now(), actor: Actor::Airlock, conditions, commands };
        Some(self.state.commit(batch).await.map(drop).map_err(InspectError::from))
    }

    async fn statements(&self, subject: &Subject, ecosystem: &dyn Ecosystem, vouchers: &Vouchers) -> Statements {
        let Some(path) = &vouchers.statements else { return Statements::None };
        match self.upstreams.note(&subject.release.package, &path.0).await {
            Ok(Document::Fresh { body, .. }) => match ecosystem.read_provenance(&body) {
                Ok(bundles) => Statements::Bundles(bundles),
                Err(error) => Statements::Unavailable(format!("the registry's statements cannot be read: {error}")),
            },
            Ok(Document::Missing | Document::Unchanged) => {
                Statements::Unavailable("its entry speaks of statements, and its registry has none".to_owned())
            }
            Err(error) if error.is_outage() => Statements::Unanswered(format!("the registry's statements cannot be had: {error}")),
            Err(error) => Statements::Unavailable(format!("the registry's statements cannot be had: {error}")),
        }
    }
}

async fn in_time<T>(asked: impl Future<Output = T>, late: impl FnOnce() -> T) -> T {
    tokio::time::timeout(WITHIN, asked).await.unwrap_or_else(|_| late())
}
