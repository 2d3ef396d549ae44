//! Requests as they come in: of a package as it is known here, asked of upstream like a client's if it never was.

use std::sync::Arc;

use crate::catalog::Catalog;
use crate::catalog::CatalogError;
use crate::catalog::explanation::Explanation;
use crate::model::principal::Principal;
use crate::model::release::ReleaseId;
use crate::quarantine::requests::RequestError;

/// Why a request was not recorded.
#[derive(Debug, thiserror::Error)]
pub enum RequestOrFind {
    #[error(transparent)]
    Request(#[from] RequestError),
    #[error(transparent)]
    Find(#[from] CatalogError),
}

impl Catalog {
    /// Records that somebody asks for a release; the release as it stands then.
    pub async fn request(self: &Arc<Self>, release: &ReleaseId, reason: &str, person: &Principal) -> Result<Explanation, RequestOrFind> {
        let shelf = self.known_or_asked(&release.package).await?;
        let before = self.explain_on(&shelf, release).await;
        self.quarantine.request(&shelf.index, &release.version, reason, person).await?;
        Ok(self.explain_recorded(&shelf, release, before).await?)
    }
}
