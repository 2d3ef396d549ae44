//! What was shown of packages that are at home here: who writes back what it read says by revision what that was.

use std::sync::Arc;

use quick_cache::Weighter;
use quick_cache::sync::Cache;

use crate::catalog::Catalog;
use crate::catalog::CatalogError;
use crate::catalog::exposure::Exposed;
use crate::model::package::PackageId;

/// Views that are remembered, about, and how much memory they take together, in bytes.
const VIEWS: usize = 2_048;
const VIEWS_BYTES: u64 = 32 * 1_024 * 1_024;

pub struct Views(Cache<(PackageId, Box<str>), Arc<Exposed>, Weight>);

#[derive(Clone)]
struct Weight;

impl Weighter<(PackageId, Box<str>), Arc<Exposed>> for Weight {
    fn weight(&self, _: &(PackageId, Box<str>), exposed: &Arc<Exposed>) -> u64 {
        exposed.weight() as u64
    }
}

impl Views {
    pub fn new() -> Views {
        Views(Cache::with_weighter(VIEWS, VIEWS_BYTES, Weight))
    }

    pub fn remember(&self, exposed: &Arc<Exposed>) {
        self.0.insert((exposed.package().clone(), exposed.revision().into()), Arc::clone(exposed));
    }
}

impl Catalog {
    /// What was shown of the package when its revision was this: now, or some time ago. `None`: nobody remembers.
    ///
    /// # Errors
    /// As [`Catalog::exposed`].
    pub async fn seen_at(self: &Arc<Self>, package: &PackageId, revision: &str) -> Result<Option<Arc<Exposed>>, CatalogError> {
        let shelf = self.shelf(package).await?;
        let now = Arc::clone(&self.view(&shelf).await?.exposed);
        if now.revision() == revision {
            return Ok(Some(now));
        }
        Ok(self.views.0.get(&(package.clone(), revision.into())))
    }
}
