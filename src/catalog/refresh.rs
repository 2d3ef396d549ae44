//! Refreshing: ours while it is fresh, else upstream's, read by the ecosystem, joined with what was known and recorded.

use std::convert::Infallible;
use std::io;
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;

use crate::catalog::Catalog;
use crate::catalog::CatalogError;
use crate::catalog::UNKNOWN_FOR;
use crate::catalog::Unknown;
use crate::catalog::exposure::expose;
use crate::catalog::kept;
use crate::catalog::local::source_of_nothing_here;
use crate::catalog::shelf::Heard;
use crate::catalog::shelf::Shelf;
use crate::ecosystem::Fetched;
use crate::ecosystem::Reading;
use crate::ecosystem::Unreadable;
use crate::ecosystem::UpstreamPath;
use crate::model::digest::DocumentDigest;
use crate::model::index::Index;
use crate::model::package::PackageId;
use crate::model::time::Timestamp;
use crate::quarantine::intake::Before;
use crate::quarantine::intake::join;
use crate::quarantine::standings::Standings;
use crate::storage::ledger::file::is_full;
use crate::storage::record::LastSight;
use crate::storage::record::PackageState;
use crate::storage::state::CommitError;
use crate::storage::state::IndexNote;
use crate::upstream::Document;
use crate::upstream::UpstreamError;
use crate::upstream::Validators;

/// Rounds of documents that an ecosystem may ask for.
const ROUNDS_MAX: usize = 4;
/// Documents of one package, over all rounds.
const DOCUMENTS_MAX: usize = 256;
/// Documents up to this are read where they are: it takes less long than to wake another thread twice.
const INLINE_BYTES_MAX: usize = 64 * 1024;
/// How often a sight is joined anew because the package changed meanwhile.
pub(super) const ATTEMPTS_MAX: usize = 8;
/// After a failure upstream is left alone for this long, while what is known is served.
const QUIET_FOR: Duration = Duration::from_secs(5);
/// How long upstream is waited for where something is known that can be served meanwhile.
const PATIENCE: Duration = Duration::from_secs(5);
/// What a file that the index lacks may trigger at most: one question to upstream per package in this time.
pub const RECHECK_AFTER: Duration = Duration::from_secs(5);

/// What a refresh came to. `None`: upstream does not know the package, and neither do we.
pub type Refreshed = Option<Arc<Shelf>>;

impl Catalog {
    /// The package's shelf, asked of upstream if it is not fresh. Of what is never asked of upstream only what is at home here
    /// has one, whatever the ledger remembers of times when it was.
    pub async fn shelf(self: &Arc<Self>, package: &PackageId) -> Result<Arc<Shelf>, CatalogError> {
        if self.is_never_asked(package) && !self.is_at_home(package).await? {
            return Err(CatalogError::UnknownPackage(package.clone()));
        }
        if let Some(shelf) = self.shelves.get(package)
            && (shelf.is_fresh(self.clock.now(), self.fresh_for) || shelf.is_impatient(self.clock.now()))
        {
            return Ok(shelf);
        }
        // On the heap: what is known already is answered by a future that is small enough to be moved about.
        Box::pin(self.heard_of(package)).await
    }

    /// What upstream says by now, or what is known where it takes too long.
    async fn heard_of(self: &Arc<Self>, package: &PackageId) -> Result<Arc<Shelf>, CatalogError> {
        let mut asked = pin!(self.asked(package, self.fresh_for));
        if let Ok(answer) = tokio::time::timeout(PATIENCE, &mut asked).await {
            return answer;
        }
        // The question goes on without us; what it comes to is for whoever asks next.
        let state = self.state.package(package).await?;
        match self.known(package, &state).await? {
            Some(shelf) => {
                tracing::warn!(%package, "serving what is known: upstream takes too long");
                shelf.lose_patience(self.clock.now().plus(QUIET_FOR));
                Ok(shelf)
            }
            None => asked.await,
        }
    }

    /// As [`Catalog::shelf`], but asks upstream if it was last asked `older_than` ago.
    pub async fn asked(self: &Arc<Self>, package: &PackageId, older_than: Duration) -> Result<Arc<Shelf>, CatalogError> {
        if self.is_never_asked(package) && !self.is_at_home(package).await? {
            return Err(CatalogError::UnknownPackage(package.clone()));
        }
        if let Some(unknown) = self.unknown.get(package)
            && self.clock.now() < unknown.until
            && self.state.revision(package).await? == unknown.revision
        {
            return Err(CatalogError::UnknownPackage(package.clone()));
        }
        let this = Arc::clone(self);
        let wanted = package.clone();
        let flight = self.refreshes.join(package.clone(), async move { this.refresh(&wanted, older_than).await });
        match flight.await {
            Ok(Ok(Some(shelf))) => Ok(shelf),
            Ok(Ok(None)) => Err(CatalogError::UnknownPackage(package.clone())),
            Ok(Err(error)) => Err(error),
            Err(_) => {
                let why = "too many packages are asked for at once".to_owned();
                Err(CatalogError::Upstream { package: package.clone(), why, retry_after: Some(QUIET_FOR) })
            }
        }
    }

    /// Whether upstream is never to hear of it: its scope is private, or it differs in its case only from a name at home here.
    pub(super) fn is_never_asked(&self, package: &PackageId) -> bool {
        let is_private = |scope: &str| self.quarantine.policy().private_scopes.iter().any(|private| private.eq_ignore_ascii_case(scope));
        package.name.scope().is_some_and(is_private) || self.has_twin_at_home(package)
    }

    /// The shelf as memory or disk has it, without asking upstream. `None`: never seen, never to be asked of upstream, at home here
    /// without a release, or its document is lost.
    pub async fn known(&self, package: &PackageId, state: &PackageState) -> Result<Option<Arc<Shelf>>, CatalogError> {
        if self.is_never_asked(package) && state.local.is_none() {
            return Ok(None);
        }
        if let Some(shelf) = self.shelves.get(package) {
            return Ok(Some(shelf));
        }
        let Some(sight) = &state.last_sight else { return Ok(None) };
        let Some(index) = self.kept_index(package, sight).await? else { return Ok(None) };
        if (state.local.is_some() && index.rows.is_empty()) || is_composed_of_nothing(&index) {
            return Ok(None);
        }
        let note = self.state.note(package).await.filter(|note| note.source == sight.source);
        let heard = match note {
            Some(note) => {
                let validators = Validators { etag: note.etag, last_modified: note.last_modified };
                Heard { checked_at: note.checked_at, quiet_until: None, validators }
            }
            None => Heard { checked_at: sight.at, quiet_until: None, validators: Validators::default() },
        };
        let shelf = Arc::new(Shelf::new(Arc::new(index), heard));
        if let Some(glance) = self.seen.get(package) {
            // It left memory since: what its readers need was foreseen.
            shelf.was_read_as_of(glance.checked_at);
        }
        if self.state.package(package).await?.last_sight != state.last_sight {
            // It was seen anew while the document was read. The newer shelf is there, or about to be.
            return Ok(Some(self.shelves.get(package).unwrap_or(shelf)));
        }
        // A newer one that came in between is not overwritten; one that comes now overwrites.
        let Ok(shelf) = self.shelves.get_or_insert_with(package, || Ok::<_, Infallible>(shelf));
        Ok(Some(shelf))
    }

    /// The index of a sight as it is kept; `None` where its document is lost.
    pub(super) async fn kept_index(&self, package: &PackageId, sight: &LastSight) -> Result<Option<Index>, CatalogError> {
        let kept = self.documents.get(&sight.document).await.map_err(|error| CatalogError::Storage(error.to_string()))?;
        Ok(kept.as_ref().and_then(kept::read).filter(|index| index.package == *package))
    }

    /// Looks what of a package waits for people, as of `state`, and leaves nothing of it in memory; how it was judged. `None` where
    /// that cannot be told from what is kept.
    pub(crate) async fn look_through(
        &self,
        package: &PackageId,
        state: &Arc<PackageState>,
    ) -> Result<Option<(Arc<Index>, Standings)>, CatalogError> {
        let Some(sight) = state.last_sight.as_ref().filter(|_| !self.is_never_asked(package) || state.local.is_some()) else {
            return Ok(None);
        };
        let Some(index) = self.kept_index(package, sight).await?.map(Arc::new) else { return Ok(None) };
        let (quarantine, judged, now) = (Arc::clone(&self.quarantine), Arc::clone(state), self.clock.now());
        self.meet_siblings(&index, state, now).await?;
        let (ecosystem, outside_changes) = (self.ecosystem(package)?, self.quarantine.outside_changes(package));
        let judge = move || {
            let standings = quarantine.judged(&index, &judged, now);
            (expose(&index, &standings, &*ecosystem), standings, index)
        };
        let (exposed, standings, index) =
            tokio::task::spawn_blocking(judge).await.map_err(|error| CatalogError::Storage(error.to_string()))?;
        if self.state.revision(package).await? != state.revision {
            return Ok(None);
        }
        self.post(&index, &standings, state);
        self.card(state, &exposed, &standings, outside_changes);
        Ok(Some((index, standings)))
    }

    async fn refresh(self: Arc<Self>, package: &PackageId, older_than: Duration) -> Result<Refreshed, CatalogError> {
        let state = self.state.package(package).await?;
        let known = self.known(package, &state).await?;
        if let Some(shelf) = &known
            && shelf.is_fresh(self.clock.now(), older_than)
        {
            return Ok(known);
        }
        if state.local.is_some() {
            return self.composed_anew(package).await;
        }
        let is_unheard_of = match (&known, &state.last_sight) {
            (Some(shelf), _) => shelf.index.rows.is_empty(),
            (None, None) => true,
            (None, Some(sight)) => self.kept_index(package, sight).await?.is_some_and(|index| is_composed_of_nothing(&index)),
        };
        self.counts.refreshed.fetch_add(1, Ordering::Relaxed);
        match self.ask(package, known.as_ref()).await {
            Ok(Said::Unchanged) => {
                if let Some(shelf) = &known {
                    self.confirm(package, shelf).await;
                }
                Ok(known)
            }
            // No release of it was ever heard of there.
            Ok(Said::Nothing) if is_unheard_of => {
                self.unknown.insert(package.clone(), Unknown { until: self.clock.now().plus(UNKNOWN_FOR), revision: state.revision });
                Ok(None)
            }
            Ok(Said::Nothing) => {
                let frame = known.as_ref().map_or_else(Bytes::new, |shelf| shelf.index.frame.clone());
                let nothing = Index {
                    package: package.clone(),
                    source: DocumentDigest::of(b""),
                    frame,
                    pointers: Vec::new(),
                    earlier: Vec::new(),
                    rows: Vec::new(),
                    text: Bytes::new(),
                };
                let taken = self.take_in(nothing, Validators::default(), known.as_ref(), false).await;
                self.taken_or_known(package, known, taken)
            }
            Ok(Said::Index(index, validators)) => {
                let taken = self.take_in(*index, validators, known.as_ref(), is_unheard_of).await;
                self.taken_or_known(package, known, taken)
            }
            Err(trouble) => self.make_do(package, known, trouble),
        }
    }

    /// What cannot be kept, for want of room on the disk say, takes nothing away that is known.
    fn taken_or_known(
        &self,
        package: &PackageId,
        known: Refreshed,
        taken: Result<Arc<Shelf>, CatalogError>,
    ) -> Result<Refreshed, CatalogError> {
        match taken {
            Ok(shelf) => Ok(Some(shelf)),
            Err(error) => self.make_do(package, known, Trouble::Storage(error)),
        }
    }

    /// There is nothing newer to go by: what is known is served, judged as ever, and said to be stale.
    fn make_do(&self, package: &PackageId, known: Refreshed, trouble: Trouble) -> Result<Refreshed, CatalogError> {
        let Some(shelf) = known else {
            return Err(match trouble {
                Trouble::Upstream(UpstreamError::Loop) => CatalogError::Loop,
                Trouble::Upstream(error) => {
                    let retry_after = error.retry_after().or(error.is_outage().then_some(QUIET_FOR));
                    CatalogError::Upstream { package: package.clone(), why: error.to_string(), retry_after }
                }
                Trouble::Unreadable(error) => CatalogError::Upstream {
                    package: package.clone(),
                    why: format!("its answer cannot be read: {error}"),
                    retry_after: None,
                },
                Trouble::Storage(error) => error,
            });
        };
        tracing::warn!(%package, %trouble, "serving what is known: nothing newer could be had or kept");
        let quiet_until = Some(self.clock.now().plus(QUIET_FOR));
        shelf.hear(Heard { quiet_until, ..shelf.heard() });
        Ok(Some(shelf))
    }

    pub(super) async fn confirm(&self, package: &PackageId, shelf: &Shelf) {
        let checked_at = self.clock.now();
        let heard = Heard { checked_at, quiet_until: None, ..shelf.heard() };
        self.put_note(package, shelf.index.source, &heard).await;
        shelf.hear(heard);
    }

    pub(super) async fn put_note(&self, package: &PackageId, source: DocumentDigest, heard: &Heard) {
        let Validators { etag, last_modified } = heard.validators.clone();
        self.state.put_note(package, IndexNote { source, checked_at: heard.checked_at, etag, last_modified }).await;
    }

    async fn ask(&self, package: &PackageId, known: Option<&Arc<Shelf>>) -> Result<Said, Trouble> {
        let ecosystem = self.ecosystem(package).map_err(Trouble::Storage)?;
        let validators = known.map(|shelf| shelf.heard().validators);
        let mut wanted = vec![ecosystem.locate(package)];
        let mut fetched: Vec<Fetched> = Vec::new();
        let mut heard = Validators::default();
        for round in 0..ROUNDS_MAX {
            for path in std::mem::take(&mut wanted) {
                if fetched.len() >= DOCUMENTS_MAX {
                    return Err(Trouble::Unreadable(Unreadable::TooLarge { what: "the number of documents", max: DOCUMENTS_MAX as u64 }));
                }
                let conditional = validators.as_ref().filter(|_| round == 0);
                match self.upstreams.document(package, &path.0, conditional).await.map_err(Trouble::Upstream)? {
                    Document::Unchanged => return Ok(Said::Unchanged),
                    Document::Missing if round == 0 => return Ok(Said::Nothing),
                    Document::Missing => return Err(Trouble::Unreadable(missing(&path))),
                    Document::Fresh { body, validators } => {
                        if round == 0 {
                            heard = validators;
                        }
                        fetched.push(Fetched { path, body });
                    }
                }
            }
            if round == 0 && known.is_some_and(|shelf| fetched.len() == 1 && shelf.index.source == Fetched::digest(&fetched)) {
                if let Some(shelf) = known {
                    shelf.hear(Heard { validators: heard, ..shelf.heard() });
                }
                return Ok(Said::Unchanged);
            }
            let reader = Arc::clone(&ecosystem);
            let (name, documents) = (package.clone(), fetched.clone());
            let bytes = documents.iter().map(|document| document.body.len()).sum();
            let reading = compute(bytes, move || reader.read(&name, &documents)).await;
            match reading.map_err(|crash| Trouble::Unreadable(Unreadable::Malformed(crash)))?.map_err(Trouble::Unreadable)? {
                Reading::Complete(index) => return Ok(Said::Index(Box::new(index), heard)),
                Reading::NeedMore(paths) => wanted = paths,
            }
        }
        Err(Trouble::Unreadable(Unreadable::TooLarge { what: "the rounds of documents", max: ROUNDS_MAX as u64 }))
    }

    /// Joins, keeps and records a new index. `is_unheard_of`: nothing was heard of upstream before that lacked its releases,
    /// unless it is `known`.
    async fn take_in(
        &self,
        fresh: Index,
        validators: Validators,
        known: Option<&Arc<Shelf>>,
        is_unheard_of: bool,
    ) -> Result<Arc<Shelf>, CatalogError> {
        let package = fresh.package.clone();
        let fresh = Arc::new(fresh);
        for _ in 0..ATTEMPTS_MAX {
            let state = self.state.package(&package).await?;
            if state.local.is_some() {
                return Err(CatalogError::Storage(format!("{} was assigned to this registry meanwhile", package.name)));
            }
            let now = self.clock.now();
            let versions = match (&state.last_sight, known) {
                (Some(_), None) => Some(self.quarantine.versions_seen(&package).await?),
                (Some(_), Some(_)) | (None, _) => None,
            };
            let last_heard_at = state.last_sight.as_ref().map(|sight| sight.at).filter(|_| !is_unheard_of);
            let absent_at = known.map(|shelf| shelf.checked_at()).or(last_heard_at);
            let (fresh, previous, joined) = (Arc::clone(&fresh), known.cloned(), Arc::clone(&state));
            let documents = Arc::clone(&self.documents);
            let work = move || {
                let before = match (&joined.last_sight, &previous, &versions) {
                    (None, _, _) => Before::Nothing,
                    (Some(_), Some(shelf), _) => Before::Index(&shelf.index),
                    (Some(_), None, Some(versions)) => Before::Versions(versions),
                    (Some(_), None, None) => Before::Nothing,
                };
                let intake = join(&fresh, &before, &joined, now);
                let digest = documents.put(&kept::write(&intake.index))?;
                Ok((intake, digest))
            };
            let kept = tokio::task::spawn_blocking(work).await.map_err(|crash| CatalogError::Storage(crash.to_string()))?;
            let (intake, digest) = kept.map_err(|error: io::Error| not_kept(&package, &error))?;
            let same = state.last_sight.as_ref().is_some_and(|sight| sight.source == intake.index.source && sight.document == digest);
            if !same {
                match self.quarantine.record_sight(&intake, digest, absent_at, state.revision, now).await {
                    Ok(_) => {}
                    Err(CommitError::Conflict(_)) => continue,
                    Err(error) => return Err(error.into()),
                }
            }
            let heard = Heard { checked_at: now, quiet_until: None, validators };
            self.put_note(&package, intake.index.source, &heard).await;
            let shelf = Arc::new(Shelf::new(Arc::new(intake.index), heard));
            self.shelves.insert(package.clone(), Arc::clone(&shelf));
            if self.is_at_home(&package).await? {
                // The name is ours since.
                self.shelves.remove(&package);
            }
            // Last, so that whoever finds it gone finds the new shelf.
            if let Some(sight) = state.last_sight.as_ref().filter(|sight| sight.document != digest)
                && let Err(error) = self.documents.remove(&sight.document).await
            {
                tracing::warn!(%error, "an old document could not be removed; it only takes up room");
            }
            return Ok(shelf);
        }
        Err(CatalogError::Storage(format!("{} changes too fast to be recorded", package.name)))
    }

    pub(crate) fn is_older(&self, shelf: &Shelf, age: Duration) -> bool {
        let now: Timestamp = self.clock.now();
        !shelf.is_fresh(now, age)
    }
}

/// Runs `work` on `bytes` of documents: here if they are few, else off the serving threads. A panic is an error that says so.
pub(super) async fn compute<T: Send + 'static>(bytes: usize, work: impl FnOnce() -> T + Send + 'static) -> Result<T, String> {
    if bytes > INLINE_BYTES_MAX {
        return tokio::task::spawn_blocking(work).await.map_err(|error| error.to_string());
    }
    std::panic::catch_unwind(AssertUnwindSafe(work)).map_err(|_| "the reading of a document crashed".to_owned())
}

pub(super) fn not_kept(package: &PackageId, error: &io::Error) -> CatalogError {
    if is_full(error) {
        CatalogError::StorageFull(format!("the disk is full: what is new of {} could not be kept", package.name))
    } else {
        CatalogError::Storage(error.to_string())
    }
}

fn missing(path: &UpstreamPath) -> Unreadable {
    Unreadable::Malformed(format!("{} is named and not there", path.0))
}

/// It says nothing of what upstream has.
fn is_composed_of_nothing(index: &Index) -> bool {
    index.rows.is_empty() && index.source == source_of_nothing_here()
}

/// What upstream said.
enum Said {
    Unchanged,
    Nothing,
    Index(Box<Index>, Validators),
}

#[derive(Debug, thiserror::Error)]
enum Trouble {
    #[error(transparent)]
    Upstream(UpstreamError),
    #[error(transparent)]
    Unreadable(Unreadable),
    #[error(transparent)]
    Storage(CatalogError),
}
