//! Releases that are published here: whose the name is, whether the version is free, what is inside, where it would stand;
//! and only then it is recorded. What is refused leaves nothing behind.

mod error;

pub use error::SubmitError;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::catalog::Catalog;
use crate::catalog::CatalogError;
use crate::catalog::amend::TAGS_MAX;
use crate::catalog::explanation::Explanation;
use crate::catalog::local::Change;
use crate::catalog::names::Whose;
use crate::catalog::rights::Claim;
use crate::catalog::rights::claimed;
use crate::catalog::upload::Received;
use crate::catalog::upload::Turn;
use crate::ecosystem::Dist;
use crate::model::actor::Actor;
use crate::model::digest::Integrity;
use crate::model::digest::IntegrityOutcome;
use crate::model::facts::Facts;
use crate::model::local::NameOwner;
use crate::model::package::PackageId;
use crate::model::package::Version;
use crate::model::principal::Principal;
use crate::model::release::ReleaseId;
use crate::model::stage::StageId;
use crate::model::standing::Standing;
use crate::quarantine::checks::inspection::EDITION;
use crate::quarantine::wording;
use crate::quarantine::workflow::InspectError;
use crate::storage::blob;
use crate::storage::blob::Kept;
use crate::storage::record::Amendment;
use crate::storage::record::Command;
use crate::storage::record::Inspection;
use crate::storage::record::Local;
use crate::storage::record::Submission;

/// How often a submission is thought out anew because the package changed meanwhile.
const ATTEMPTS_MAX: usize = 8;
/// When a client comes again that found all places taken, or no upstream.
pub(super) const RETRY_AFTER: Duration = Duration::from_secs(5);

/// What somebody wants to publish, read and found to agree with itself.
#[derive(Debug)]
pub struct Offer {
    pub package: PackageId,
    pub version: Version,
    /// The release's text as it was submitted.
    pub manifest: Bytes,
    /// What it states of its bytes.
    pub stated: Integrity,
    /// Each is to point at it once it may be seen.
    pub tags: Vec<String>,
    /// A sigstore bundle.
    pub provenance: Option<String>,
    /// Whether its client asks that callers without a name are told nothing of the package, and whether that is what its
    /// author wrote down: some clients ask so of every scoped package, unasked.
    pub asks_restricted: bool,
    pub means_restricted: bool,
    /// It is to wait for people, whatever policy trusts.
    pub staged: bool,
    /// Why the package could not be a new one.
    pub name_fault: Option<String>,
}

/// A release that is recorded.
#[derive(Debug)]
pub struct Submitted {
    pub release: ReleaseId,
    pub id: StageId,
    /// As in the offer; whether it is so is said by the explanation.
    pub asked_restricted: bool,
    /// `None` where it could not be read once it was recorded.
    pub explanation: Option<Explanation>,
}

/// The bytes of a submission, before and after they are kept.
struct Coming {
    received: Option<blob::Received>,
    kept: Option<Kept>,
}

/// The commands that stay the same however often they are tried.
struct Draft {
    release: ReleaseId,
    submission: Submission,
    file: String,
    inspection: Inspection,
    /// Where it is the first of its package.
    restricts: bool,
}

impl Catalog {
    /// Publishes a release in the name of `by`. Durable when it returns.
    /// `turn` is kept until it is recorded, also when nobody waits for it any more.
    pub async fn submit(self: &Arc<Self>, offer: Offer, received: Received, by: &Principal, turn: Turn) -> Result<Submitted, SubmitError> {
        let release = ReleaseId { package: offer.package.clone(), version: offer.version.clone() };
        let Some(name) = &by.name else { return Err(SubmitError::NotInReach(offer.package)) };
        // Before anything is looked into, and once more when it is recorded: only then is upstream asked whether it has the name.
        let before = self.state.package(&offer.package).await.map_err(CatalogError::from)?;
        if let Some(whose) = self.known_whose(&offer.package, &before) {
            self.fitting(&offer, by, whose).await?;
        }
        let draft = self.draft(&offer, &received, name, by).await?;
        // Upstream may take long to say that it does not have the name: nobody else waits for that, unless the package changes meanwhile.
        let claim = self.claim(&offer, by).await?;
        let asked_restricted = offer.asks_restricted;
        let (this, by) = (Arc::clone(self), by.clone());
        // Once bytes are kept it goes on, also when nobody waits for it any more: they are recorded or taken away.
        let recording = self.finished(async move {
            let recorded = this.keep_and_record(&offer, &draft, claim, received.0, &by).await;
            if recorded.is_ok() {
                tracing::info!(release = %draft.release, by = draft.submission.by, "published");
            }
            drop(turn);
            recorded
        });
        recording.await??;
        let explanation = match self.explain_known(&release).await {
            Ok(explanation) => Some(explanation),
            Err(error) => {
                tracing::error!(%release, %error, "published, but where it stands now could not be read");
                None
            }
        };
        Ok(Submitted { id: StageId::of(&release), asked_restricted, explanation, release })
    }

    async fn keep_and_record(
        self: &Arc<Self>,
        offer: &Offer,
        draft: &Draft,
        claim: Claim,
        received: blob::Received,
        by: &Principal,
    ) -> Result<(), SubmitError> {
        let digest = *received.content.digest();
        // Whoever submits the same bytes meanwhile waits, so that nobody takes away what another one found there.
        let _alone = self.docks.keeping(&digest).await;
        let mut bytes = Coming { received: Some(received), kept: None };
        let recorded = self.record(offer, draft, claim, &mut bytes, by).await;
        if bytes.kept == Some(Kept::New) && recorded.as_ref().is_err_and(SubmitError::leaves_nothing_recorded) {
            self.quarantine.discard(&digest).await;
        }
        recorded
    }

    /// Keeps the bytes and then records that they are there.
    async fn record(
        self: &Arc<Self>,
        offer: &Offer,
        draft: &Draft,
        claim: Claim,
        bytes: &mut Coming,
        by: &Principal,
    ) -> Result<(), SubmitError> {
        let mut claimed = Some(claim);
        for _ in 0..ATTEMPTS_MAX {
            let claim = match claimed.take() {
                Some(claim) => claim,
                None => self.claim(offer, by).await?,
            };
            let change = self.change(&offer.package, &claim.before, commands(draft, &claim)).await?;
            self.is_bearable(&change, &draft.release)?;
            // Once more, for keeping may have been waited for: what is heard of in between is seldom, and harms nobody but itself.
            self.is_nobodys_twin(&offer.package, &claim).await?;
            if let Some(received) = bytes.received.take() {
                bytes.kept = Some(self.quarantine.keep(received).await?);
            }
            match self.commit_change(change, Actor::Person(draft.submission.by.clone())).await {
                Ok(_) => return Ok(()),
                Err(error) if error.is_conflict() => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(SubmitError::TooFast(offer.package.clone()))
    }

    /// Whether this submitter may publish this version under this name, as the package is now.
    async fn claim(self: &Arc<Self>, offer: &Offer, by: &Principal) -> Result<Claim, SubmitError> {
        let whose = self.whose_to_publish(&offer.package, by).await?;
        self.fitting(offer, by, whose).await
    }

    /// Whether the version is free under a name of which it is known whose it is.
    async fn fitting(self: &Arc<Self>, offer: &Offer, by: &Principal, whose: Whose) -> Result<Claim, SubmitError> {
        let package = &offer.package;
        let claim = claimed(package, by, whose)?;
        if let Some(fault) = offer.name_fault.as_ref().filter(|_| claim.is_new) {
            return Err(SubmitError::Disagrees(format!("{} cannot be a new package: {fault}", package.name)));
        }
        self.is_nobodys_twin(package, &claim).await?;
        if let Some(local) = claim.before.local.as_ref().or(claim.before.given_up.as_ref()) {
            self.is_free(offer, local).await?;
        }
        Ok(claim)
    }

    /// Whether the version is nobody's, and there is room for its tags.
    async fn is_free(self: &Arc<Self>, offer: &Offer, local: &Local) -> Result<(), SubmitError> {
        let package = &offer.package;
        if let Some(there) = local.releases.get(&offer.version) {
            let release = ReleaseId { package: package.clone(), version: offer.version.clone() };
            if let Some(at) = there.withdrawn_at {
                return Err(SubmitError::WasWithdrawn { release, on: at.for_people() });
            }
            return Err(self.exists(release, there.id.clone()).await);
        }
        let new_tags = offer.tags.iter().filter(|tag| !local.tags.contains_key(*tag)).count();
        if local.tags.len() + new_tags > TAGS_MAX {
            return Err(SubmitError::Disagrees(format!("{} has {TAGS_MAX} tags already, which is the most", package.name)));
        }
        let ecosystem = self.ecosystem(package)?;
        let file = ecosystem.file_of(package, &offer.version);
        match local.releases.keys().find(|other| ecosystem.file_of(package, other) == file) {
            Some(other) => Err(SubmitError::Disagrees(format!("{} has {other} already, whose file has the same name", package.name))),
            None => Ok(()),
        }
    }

    async fn exists(self: &Arc<Self>, release: ReleaseId, id: StageId) -> SubmitError {
        // Word by word what npm's own registry says: by it tools that publish what is new know that nothing is left to do.
        let over = || format!("You cannot publish over the previously published versions: {}.", release.version);
        let sentence = match self.explain_known(&release).await {
            Ok(explanation) => match explanation.verdict.standing {
                Standing::Approved | Standing::Admissible => over(),
                Standing::Quarantined | Standing::Held { .. } | Standing::InReview => {
                    format!("{} It is already in quarantine, see `npm stage list`: {}", over(), explanation.sentence)
                }
                Standing::Rejected | Standing::Revoked => format!("{release} cannot be published again: {}", explanation.sentence),
            },
            Err(_) => over(),
        };
        SubmitError::Exists { id, sentence }
    }

    /// Looks inside and writes the text under which the release is served for good.
    async fn draft(self: &Arc<Self>, offer: &Offer, received: &Received, name: &str, by: &Principal) -> Result<Draft, SubmitError> {
        let release = ReleaseId { package: offer.package.clone(), version: offer.version.clone() };
        let blob = &received.0;
        let table = self.docks.tables.acquire().await.map_err(|_| SubmitError::TooManyAtOnce)?;
        let looked = self.quarantine.look_into(&release, offer.manifest.clone(), blob.content.clone(), offer.stated.clone()).await;
        drop(table);
        let look = looked.map_err(|error| from_inspection(&release, error))?;
        if let IntegrityOutcome::Disagrees { stated, found } = &look.outcome {
            return Err(SubmitError::Disagrees(format!("the manifest states {stated} of the tarball, which has {found}")));
        }
        is_that_release(&look.inspected.facts)?;
        let ecosystem = self.ecosystem(&offer.package)?;
        let file = ecosystem.file_of(&offer.package, &offer.version);
        let against = self.against_submitted(&release).await?;
        let facts = self.quarantine.with_change(&release, &file, against.as_ref(), look.inspected).await;
        let facts = facts.map_err(|error| from_inspection(&release, error))?;
        let signature = self.sign(&release, blob.content.digest()).await?;
        let dist = Dist {
            file: file.clone(),
            digest: *blob.content.digest(),
            sha1: blob.sha1.clone(),
            files: u64::from(facts.files),
            unpacked_bytes: facts.unpacked_bytes,
            has_shrinkwrap: facts.has_shrinkwrap,
            signatures: vec![(signature.key, signature.base64)],
            provenance: offer.provenance.clone(),
        };
        let sealed = ecosystem.seal(&offer.package, &offer.version, &offer.manifest, &dist);
        let sealed = sealed.map_err(|error| SubmitError::Disagrees(format!("the manifest cannot be kept: {error}")))?;
        if sealed.len() > Submission::MANIFEST_BYTES_MAX {
            return Err(SubmitError::Disagrees(format!("the manifest is larger than {} bytes", Submission::MANIFEST_BYTES_MAX)));
        }
        let manifest = String::from_utf8(sealed.to_vec()).map_err(|error| CatalogError::Storage(error.to_string()))?;
        let at = self.clock.now();
        let inspection = Inspection {
            at,
            edition: EDITION,
            digest: dist.digest,
            size: blob.content.size(),
            // What the index states of it is what was measured.
            integrity: IntegrityOutcome::Agrees,
            facts,
            substance: Some(self.quarantine.substance(offer.package.ecosystem, &sealed)),
            evidence: None,
        };
        let submission = Submission {
            id: StageId::of(&release),
            at,
            by: name.to_owned(),
            behind: by.behind.clone(),
            staged: offer.staged,
            digest: dist.digest,
            sha1: dist.sha1,
            size: blob.content.size(),
            manifest,
            tags: offer.tags.clone(),
            workflow: by.workflow.as_deref().cloned(),
            provenance: offer.provenance.clone(),
            asked_restricted: offer.asks_restricted,
        };
        Ok(Draft { release, submission, file, inspection, restricts: offer.asks_restricted && offer.means_restricted })
    }

    /// Whether the release, as it would stand, is one that anybody could ever have.
    fn is_bearable(&self, change: &Change, release: &ReleaseId) -> Result<(), SubmitError> {
        let standings = self.quarantine.standings(&change.index, &change.state, change.at);
        let at = change.index.rows.iter().position(|row| row.version == release.version);
        let Some((row, verdict)) = at.and_then(|at| Some((change.index.rows.get(at)?, standings.verdicts.get(at)?))) else {
            return Err(CatalogError::Storage(format!("{release} is not in what was composed with it")).into());
        };
        if let Some(why) = &row.unreadable {
            return Err(SubmitError::Disagrees(format!("the manifest cannot be read: {why}")));
        }
        match verdict.standing {
            Standing::Rejected | Standing::Revoked => {
                let refusal = wording::refusal(&release.package, &release.version, verdict, change.at, None);
                Err(SubmitError::Rejected(Box::new(refusal)))
            }
            Standing::Quarantined | Standing::Admissible | Standing::Held { .. } | Standing::InReview | Standing::Approved => Ok(()),
        }
    }
}

fn commands(draft: &Draft, claim: &Claim) -> Vec<Command> {
    let Draft { release, submission, file, inspection, restricts } = draft;
    let assigned = claim.is_new.then(|| Command::Assigned { package: release.package.clone(), to: NameOwner::Local });
    let submitted = Command::Submitted { release: release.clone(), submission: submission.clone() };
    let inspected = Command::Inspected { release: release.clone(), file: file.clone(), inspection: Box::new(inspection.clone()) };
    let is_first = claim.before.local.as_ref().or(claim.before.given_up.as_ref()).is_none_or(|local| local.releases.is_empty());
    let restricted = (is_first && *restricts).then(|| Command::Amended {
        package: release.package.clone(),
        by: submission.by.clone(),
        changes: vec![Amendment::Restricted { on: true }],
    });
    assigned.into_iter().chain([submitted]).chain(restricted).chain([inspected]).collect()
}

/// What the archive says of itself: that it can be opened at all, and that it is the release it is submitted as.
fn is_that_release(facts: &Facts) -> Result<(), SubmitError> {
    if let Some(rule) = &facts.unsafe_archive {
        return Err(SubmitError::Disagrees(format!("the tarball cannot be unpacked safely: {rule}")));
    }
    if let Some(why) = &facts.unreadable_manifest {
        return Err(SubmitError::Disagrees(format!("the tarball's package.json cannot be read: {why}")));
    }
    match facts.differences.iter().find(|one| one.field == "name" || one.field == "version") {
        Some(one) => Err(SubmitError::Disagrees(format!(
            "the tarball's package.json has the {} {:?}, and it is published as {:?}",
            one.field, one.shipped, one.listed
        ))),
        None => Ok(()),
    }
}

fn from_inspection(release: &ReleaseId, error: InspectError) -> SubmitError {
    match error {
        InspectError::Crashed(why) => SubmitError::Disagrees(format!("{release} could not be looked into: {why}")),
        InspectError::Busy => SubmitError::TooManyAtOnce,
        InspectError::Blob(error) => SubmitError::Blob(error),
        InspectError::Commit(error) => SubmitError::Commit(error),
        InspectError::Upstream(_)
        | InspectError::OtherBytes { .. }
        | InspectError::Read(_)
        | InspectError::GivenUp(_)
        | InspectError::NotReady(_) => SubmitError::Catalog(CatalogError::Storage(error.to_string())),
    }
}
