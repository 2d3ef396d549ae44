//! At a glance: what was last seen of a package, and what was last opened of it, without its index. An index is large and
//! leaves memory when others come; while nothing moved, an answer that lies ready needs none.

use std::sync::Arc;

use quick_cache::Equivalent;

use crate::catalog::Catalog;
use crate::catalog::CatalogError;
use crate::catalog::Download;
use crate::catalog::observed::Observed;
use crate::catalog::shelf::Shelf;
use crate::catalog::shelf::is_confirmed;
use crate::model::digest::DocumentDigest;
use crate::model::package::PackageId;
use crate::model::pull::Puller;
use crate::model::time::Timestamp;
use crate::quarantine::gate::Leave;
use crate::storage::record::Sequence;

/// Packages, and files, that are remembered: some 250 and 400 bytes each.
pub(super) const SEEN_MAX: usize = 16_384;
pub(super) const OPENED_MAX: usize = 16_384;

/// What is exposed of a package, by its stamp, at a revision and until an instant.
#[derive(Clone, Debug)]
pub struct Glance {
    pub stamp: DocumentDigest,
    pub modified: Timestamp,
    pub(super) revision: Sequence,
    pub(super) outside_changes: u64,
    pub(super) valid_until: Option<Timestamp>,
    /// When upstream confirmed the index.
    pub(super) checked_at: Timestamp,
}

/// The name of a file that was opened.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct FileName {
    package: PackageId,
    file: Box<str>,
}

/// Hashes as a [`FileName`] does, by having its fields in its order.
#[derive(Hash)]
struct Named<'n> {
    package: &'n PackageId,
    file: &'n str,
}

impl Equivalent<FileName> for Named<'_> {
    fn equivalent(&self, kept: &FileName) -> bool {
        *self.package == kept.package && *self.file == *kept.file
    }
}

/// Leave that was given, and when upstream had confirmed the index it was found in.
pub(super) struct Opened {
    leave: Leave,
    checked_at: Timestamp,
    observed: Option<Arc<Observed>>,
}

impl Catalog {
    /// What would be exposed of the package now, where that can be told without its index. `None` says nothing at all.
    pub async fn glance(&self, package: &PackageId) -> Option<Glance> {
        let glance = self.seen.get(package).filter(|_| !self.has_twin_at_home(package))?;
        let now = self.clock.now();
        let stands = is_confirmed(glance.checked_at, now, self.fresh_for)
            && glance.valid_until.is_none_or(|until| now < until)
            && glance.outside_changes == self.quarantine.outside_changes(package)
            && self.state.revision(package).await.is_ok_and(|revision| revision == glance.revision);
        stands.then_some(glance)
    }

    /// A file that was opened before, if the same leave is given again and its bytes are kept.
    pub async fn opened_before(&self, package: &PackageId, file: &str, puller: Option<&Puller>) -> Result<Option<Download>, CatalogError> {
        let Some(opened) = self.opened.get(&Named { package, file }) else { return Ok(None) };
        if !is_confirmed(opened.checked_at, self.clock.now(), self.fresh_for) || self.has_twin_at_home(package) {
            return Ok(None);
        }
        let Some(clearance) = self.quarantine.renew(&opened.leave).await? else { return Ok(None) };
        let release = clearance.release().clone();
        let Some(content) = self.quarantine.open_kept(&clearance).await? else { return Ok(None) };
        self.tell_observed(opened.observed.as_deref().filter(|_| puller.is_some()));
        self.pulled(&release, puller);
        Ok(Some(Download { release, file: file.to_owned(), content }))
    }

    pub(super) fn remember_opened(&self, shelf: &Shelf, file: &str, leave: Leave, observed: Option<Arc<Observed>>) {
        let name = FileName { package: shelf.index.package.clone(), file: file.into() };
        self.opened.insert(name, Arc::new(Opened { leave, checked_at: shelf.checked_at(), observed }));
    }
}
