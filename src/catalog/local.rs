//! Packages that are at home here: their index is composed from what the ledger has of them and never asked of anyone.

use std::collections::BTreeMap;
use std::collections::HashMap;
use std::collections::HashSet;
use std::io;
use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::watch;
use tracing::Instrument;

use crate::catalog::Catalog;
use crate::catalog::CatalogError;
use crate::catalog::kept;
use crate::catalog::refresh::ATTEMPTS_MAX;
use crate::catalog::refresh::Refreshed;
use crate::catalog::refresh::compute;
use crate::catalog::refresh::not_kept;
use crate::catalog::shelf::Heard;
use crate::catalog::shelf::Shelf;
use crate::ecosystem::Reading;
use crate::model::actor::Actor;
use crate::model::digest::DocumentDigest;
use crate::model::index::Index;
use crate::model::index::Row;
use crate::model::local::LocalManifest;
use crate::model::local::LocalPackage;
use crate::model::local::Owner;
use crate::model::package::PackageId;
use crate::model::package::Version;
use crate::model::time::Timestamp;
use crate::quarantine::intake::sight_of_composed;
use crate::storage::projection;
use crate::storage::record::Command;
use crate::storage::record::Local;
use crate::storage::record::LocalRelease;
use crate::storage::record::PackageState;
use crate::storage::record::Record;
use crate::storage::record::Sequence;
use crate::storage::state::Batch;
use crate::storage::state::CommitError;
use crate::storage::state::Condition;
use crate::upstream::Validators;

/// What commands would make of a package that is at home here: to be looked at, and then to be committed or dropped.
pub struct Change {
    pub package: PackageId,
    pub at: Timestamp,
    pub commands: Vec<Command>,
    /// The package once they are committed.
    pub state: PackageState,
    /// What will be seen of it then; without a row where nothing is published.
    pub index: Arc<Index>,
    /// The package that they were thought out for.
    before: Arc<PackageState>,
    /// What is listed of it now.
    listed: HashSet<Version>,
    /// The index is that of the last sight.
    is_seen: bool,
}

#[derive(Debug, thiserror::Error)]
pub enum ChangeError {
    /// A conflict: the package is not as it was. To be thought out anew.
    #[error(transparent)]
    Commit(#[from] CommitError),
    /// It came before anything was recorded.
    #[error(transparent)]
    Unrecorded(CatalogError),
    /// Whether it is recorded is not said by this.
    #[error(transparent)]
    Catalog(#[from] CatalogError),
}

impl ChangeError {
    pub const fn is_conflict(&self) -> bool {
        matches!(self, ChangeError::Commit(CommitError::Conflict(_)))
    }
}

/// Counted while it lives.
struct UnderWay(Arc<watch::Sender<usize>>);

impl UnderWay {
    fn begun(count: &Arc<watch::Sender<usize>>) -> UnderWay {
        count.send_modify(|count| *count += 1);
        UnderWay(Arc::clone(count))
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count -= 1);
    }
}

impl Catalog {
    /// Whether the name is one of this registry's own.
    pub async fn is_at_home(&self, package: &PackageId) -> Result<bool, CatalogError> {
        Ok(self.state.package(package).await?.local.is_some())
    }

    /// What `commands` would make of the package as it is in `before`. Nothing is written.
    pub async fn change(&self, package: &PackageId, before: &Arc<PackageState>, commands: Vec<Command>) -> Result<Change, CatalogError> {
        let at = self.clock.now();
        let mut state = PackageState::clone(before);
        // Newer than any: what it submits comes last.
        let sequence = Sequence(u64::MAX);
        let record = Record { version: Record::VERSION, sequence, at, actor: Actor::Airlock, commands };
        projection::fold(&mut state, package, &record);
        let commands = record.commands;
        let known = self.known(package, before).await?;
        let listed = self.listed(package, before, known.as_ref()).await?;
        let index = match &state.local {
            Some(local) => self.composed(package, local, known.as_ref(), &commands).await?,
            None => nothing_of(package),
        };
        let is_seen = before.last_sight.as_ref().map(|sight| sight.source) == Some(index.source);
        Ok(Change { package: package.clone(), at, commands, state, index: Arc::new(index), before: Arc::clone(before), listed, is_seen })
    }

    /// Commits a change, with the sight of what it makes, in one batch. In force when it returns. Once begun it goes on, also
    /// when nobody waits for it any more: what is foretold is settled.
    pub async fn commit_change(self: &Arc<Self>, change: Change, actor: Actor) -> Result<Arc<PackageState>, ChangeError> {
        let this = Arc::clone(self);
        self.finished(async move { this.commit_all_of(change, actor).await }).await?
    }

    /// Does it to its end, also when nobody waits for it any more; who closes waits for all of it.
    pub(super) async fn finished<T: Send + 'static>(&self, work: impl Future<Output = T> + Send + 'static) -> Result<T, CatalogError> {
        let under_way = UnderWay::begun(&self.under_way);
        let work = async move {
            let done = work.await;
            drop(under_way);
            done
        };
        let done = tokio::spawn(work.in_current_span()).await;
        done.map_err(|crash| CatalogError::Storage(crash.to_string()))
    }

    /// Waits for what goes on though nobody waits for it.
    pub async fn finish(&self) {
        // An error says that nothing can be under way any more.
        _ = self.under_way.subscribe().wait_for(|count| *count == 0).await;
    }

    async fn commit_all_of(&self, change: Change, actor: Actor) -> Result<Arc<PackageState>, ChangeError> {
        let Change { package, at, mut commands, state: after, index, before, listed, is_seen } = change;
        let mut document = None;
        // What was never published needs no sight.
        let is_news = !is_seen && (!index.rows.is_empty() || before.last_sight.is_some());
        if is_news {
            let kept = self.keep(&index).await.map_err(ChangeError::Unrecorded)?;
            commands.push(Command::Sight(sight_of_composed(&index, &listed, before.last_sight.as_ref(), kept, at)));
            document = Some(kept);
        }
        if !commands.is_empty() {
            let conditions = vec![Condition::Revision { package: package.clone(), is: before.revision }];
            self.residents.foretell(&package, &after);
            let committed = self.state.commit(Batch { at, actor, conditions, commands }).await;
            let settled = self.settle(&package).await;
            committed?;
            if let Err(error) = settled {
                tracing::error!(package = %package, %error, "recorded, but it could not be read back; it holds as it was recorded");
                self.settle_as(&package, &after).await;
            }
        }
        self.unknown.remove(&package);
        // From here on it is recorded: whatever fails, it is so, and whoever made it so is not told otherwise.
        if let Some(document) = document
            && let Err(error) = self.shelve(index, document, at, &before).await
        {
            tracing::error!(package = %package, %error, "recorded, but not in memory yet; whoever asks for it next reads what was kept");
            self.shelves.remove(&package);
        }
        Ok(match self.state.package(&package).await {
            Ok(state) => state,
            Err(error) => {
                tracing::error!(package = %package, %error, "recorded, but it could not be read back");
                Arc::new(after)
            }
        })
    }

    /// The shelf of a package that is at home here, composed from what the ledger has of it now. `None`: nothing is published.
    pub(super) async fn composed_anew(self: &Arc<Self>, package: &PackageId) -> Result<Refreshed, CatalogError> {
        for _ in 0..ATTEMPTS_MAX {
            let before = self.state.package(package).await?;
            let change = self.change(package, &before, Vec::new()).await?;
            let is_seen = change.is_seen;
            match self.commit_change(change, Actor::Airlock).await {
                Ok(_) => {}
                Err(ChangeError::Commit(CommitError::Conflict(_))) => continue,
                Err(ChangeError::Commit(error)) => return Err(error.into()),
                Err(ChangeError::Unrecorded(error) | ChangeError::Catalog(error)) => return Err(error),
            }
            let state = self.state.package(package).await?;
            let shelf = match self.known(package, &state).await? {
                None if is_seen => self.restored(package, &state).await?,
                known => known,
            };
            if let Some(shelf) = &shelf {
                self.confirm(package, shelf).await;
            }
            return Ok(shelf);
        }
        Err(CatalogError::Storage(format!("{} changes too fast to be recorded", package.name)))
    }

    /// The shelf whose document was lost, composed and kept again.
    async fn restored(self: &Arc<Self>, package: &PackageId, state: &Arc<PackageState>) -> Result<Refreshed, CatalogError> {
        let Change { index, at, .. } = self.change(package, state, Vec::new()).await?;
        if index.rows.is_empty() {
            return Ok(None);
        }
        let document = self.keep(&index).await?;
        self.shelve(index, document, at, state).await?;
        self.known(package, &*self.state.package(package).await?).await
    }

    async fn keep(&self, index: &Arc<Index>) -> Result<DocumentDigest, CatalogError> {
        let (documents, index) = (Arc::clone(&self.documents), Arc::clone(index));
        let package = index.package.clone();
        let put = move || documents.put(&kept::write(&index));
        let put = tokio::task::spawn_blocking(put).await.map_err(|crash| CatalogError::Storage(crash.to_string()))?;
        put.map_err(|error: io::Error| not_kept(&package, &error))
    }

    /// Puts what was recorded into memory. Whoever finds an older one there afterwards reads what was kept.
    async fn shelve(&self, index: Arc<Index>, document: DocumentDigest, at: Timestamp, before: &PackageState) -> Result<(), CatalogError> {
        let package = index.package.clone();
        let state = self.state.package(&package).await?;
        // What was given to upstream is to be asked of it at once.
        let checked_at = if state.local.is_some() { at } else { Timestamp::from_millis(0) };
        let heard = Heard { checked_at, quiet_until: None, validators: Validators::default() };
        self.put_note(&package, index.source, &heard).await;
        if index.rows.is_empty() {
            self.shelves.remove(&package);
        } else {
            self.shelves.insert(package.clone(), Arc::new(Shelf::new(index, heard)));
        }
        if self.state.package(&package).await?.last_sight.as_ref().is_none_or(|sight| sight.document != document) {
            self.shelves.remove(&package);
        }
        if let Some(old) = before.last_sight.as_ref().filter(|sight| sight.document != document)
            && let Err(error) = self.documents.remove(&old.document).await
        {
            tracing::warn!(%error, "an old document could not be removed; it only takes up room");
        }
        Ok(())
    }

    /// The versions that the last sight listed.
    async fn listed(
        &self,
        package: &PackageId,
        before: &PackageState,
        known: Option<&Arc<Shelf>>,
    ) -> Result<HashSet<Version>, CatalogError> {
        let is_listed = |row: &&Row| row.removed_at.is_none();
        Ok(match (known, &before.last_sight) {
            (Some(shelf), _) => shelf.index.rows.iter().filter(is_listed).map(|row| row.version.clone()).collect(),
            (None, Some(_)) => self.quarantine.versions_seen(package).await?,
            (None, None) => HashSet::new(),
        })
    }

    /// The index of `local`. Texts are those of `commands`, else those in memory, else the ledger's.
    async fn composed(
        &self,
        package: &PackageId,
        local: &Local,
        known: Option<&Arc<Shelf>>,
        commands: &[Command],
    ) -> Result<Index, CatalogError> {
        let mut releases: Vec<(&Version, &LocalRelease)> =
            local.releases.iter().filter(|(_, release)| release.withdrawn_at.is_none()).collect();
        if releases.is_empty() {
            return Ok(nothing_of(package));
        }
        releases.sort_by_key(|(_, release)| (release.sequence, release.at));
        let mut texts = known.map(|shelf| in_memory(shelf, local)).unwrap_or_default();
        texts.extend(submitted(package, commands));
        let mut manifests = Vec::with_capacity(releases.len());
        for (version, release) in releases {
            let text = match texts.remove(version) {
                Some(text) => text,
                None => self.text_in_ledger(package, version, release).await?,
            };
            manifests.push(LocalManifest { version: version.clone(), text, at: release.at, deprecated: release.deprecated.clone() });
        }
        let tags = local.tags.iter().filter_map(|(tag, wishes)| Some((tag.clone(), wishes.first()?.clone())));
        let described = LocalPackage {
            package: package.clone(),
            assigned_at: local.assigned_at,
            owners: self.owners(local).await?,
            stars: local.stars.iter().cloned().collect(),
            tags: tags.collect(),
            releases: manifests,
        };
        let ecosystem = self.ecosystem(package)?;
        let bytes = described.releases.iter().map(|release| release.text.len()).sum();
        let read = move || {
            let document = ecosystem.compose(&described)?;
            ecosystem.read(&described.package, &[document])
        };
        let damaged = |why: String| CatalogError::Storage(format!("{} cannot be composed from the ledger: {why}", package.name));
        let reading = compute(bytes, read).await.map_err(damaged)?.map_err(|error| damaged(error.to_string()))?;
        let Reading::Complete(index) = reading else { return Err(damaged("its document asks for others".to_owned())) };
        Ok(with_earlier(index, &local.tags))
    }

    async fn owners(&self, local: &Local) -> Result<Vec<Owner>, CatalogError> {
        let users = self.state.users().await?;
        let email = |name: &String| users.iter().find(|user| user.name == *name).and_then(|user| user.email.clone());
        Ok(local.owners.iter().map(|name| Owner { name: name.clone(), email: email(name) }).collect())
    }

    async fn text_in_ledger(&self, package: &PackageId, version: &Version, release: &LocalRelease) -> Result<Bytes, CatalogError> {
        let before = Sequence(release.sequence.0.saturating_sub(1));
        let entries = self.state.entries(before, 1).await?;
        let commands = entries.iter().filter(|entry| entry.record.sequence == release.sequence).flat_map(|entry| &entry.record.commands);
        let text = submitted(package, commands).into_iter().find(|(of, _)| of == version).map(|(_, text)| text);
        text.ok_or_else(|| {
            let place = release.sequence.0;
            CatalogError::Storage(format!("record {place} of the ledger lacks the manifest of {}@{version}", package.name))
        })
    }
}

/// The texts of what `commands` submit.
fn submitted<'c>(package: &PackageId, commands: impl IntoIterator<Item = &'c Command>) -> HashMap<Version, Bytes> {
    let mut texts = HashMap::new();
    for command in commands {
        if let Command::Submitted { release, submission } = command
            && release.package == *package
        {
            texts.insert(release.version.clone(), Bytes::copy_from_slice(submission.manifest.as_bytes()));
        }
    }
    texts
}

/// The texts of releases that are the same as those in memory: a name that upstream had may have had others.
fn in_memory(shelf: &Shelf, local: &Local) -> HashMap<Version, Bytes> {
    let is_same = |row: &&Row| {
        let stated = row.artifacts.first().and_then(|artifact| artifact.integrity.sha512);
        local.releases.get(&row.version).is_some_and(|release| stated == Some(release.digest))
    };
    shelf.index.rows.iter().filter(is_same).map(|row| (row.version.clone(), shelf.index.manifest(row))).collect()
}

/// The wishes that came before the one that each pointer follows, which may be none: nothing else stands in for it. They are
/// part of what the index says.
fn with_earlier(index: Index, tags: &BTreeMap<String, Vec<Version>>) -> Index {
    let earlier: Vec<(String, Vec<Version>)> =
        tags.iter().filter_map(|(tag, wishes)| Some((tag.clone(), wishes.get(1..)?.to_vec()))).collect();
    if earlier.is_empty() {
        return index;
    }
    let mut said = index.source.raw().to_vec();
    for text in earlier.iter().flat_map(|(tag, versions)| [tag.as_str()].into_iter().chain(versions.iter().map(Version::as_str))) {
        said.extend_from_slice(text.as_bytes());
        said.push(0);
    }
    Index { source: DocumentDigest::of(&said), earlier, ..index }
}

/// The source of an index that was composed here while nothing was published, or when the name was given to upstream. Upstream
/// saying that there is nothing is another.
pub(super) fn source_of_nothing_here() -> DocumentDigest {
    DocumentDigest::of(b"composed of nothing")
}

fn nothing_of(package: &PackageId) -> Index {
    Index {
        package: package.clone(),
        source: source_of_nothing_here(),
        frame: Bytes::from_static(b"{}"),
        pointers: Vec::new(),
        earlier: Vec::new(),
        rows: Vec::new(),
        text: Bytes::new(),
    }
}
