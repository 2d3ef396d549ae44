//! What is attested of a release that is listed: of our own what came with it, of all others what upstream has.

use std::time::Duration;

use bytes::Bytes;

use crate::catalog::Catalog;
use crate::catalog::CatalogError;
use crate::catalog::exposure::Exposed;
use crate::model::package::Version;
use crate::storage::record::Command;
use crate::storage::record::Sequence;
use crate::upstream::Document;
use crate::upstream::UpstreamError;

/// How long a client waits before it asks again, where upstream does not say.
const ASK_AGAIN_AFTER: Duration = Duration::from_secs(5);

/// Statements about a release, in the form of who keeps them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Attested {
    /// The bundle that came with a release that was published here.
    Here(String),
    /// As upstream answered.
    There(Bytes),
    Nothing,
}

impl Catalog {
    /// What is attested of a release that is listed in `exposed`; `path` is where its upstream keeps it.
    ///
    /// # Errors
    /// The release is not listed, or upstream does not answer.
    pub async fn attested(&self, exposed: &Exposed, version: &Version, path: &str) -> Result<Attested, CatalogError> {
        let package = exposed.package();
        if exposed.release(version).is_none() {
            return Err(CatalogError::UnknownRelease { package: package.clone(), wanted: format!("version {version}") });
        }
        let state = self.state.package(package).await?;
        if let Some(local) = &state.local {
            let sequence = local.releases.get(version).map(|release| release.sequence);
            return Ok(match sequence {
                Some(sequence) => self.provenance(exposed, version, sequence).await?.map_or(Attested::Nothing, Attested::Here),
                None => Attested::Nothing,
            });
        }
        match self.upstreams.document(package, path, None).await {
            Ok(Document::Fresh { body, .. }) => Ok(Attested::There(body)),
            Ok(Document::Missing | Document::Unchanged) => Ok(Attested::Nothing),
            Err(UpstreamError::Loop) => Err(CatalogError::Loop),
            Err(error) => {
                let retry_after = error.retry_after().or(error.is_outage().then_some(ASK_AGAIN_AFTER));
                Err(CatalogError::Upstream { package: package.clone(), why: error.to_string(), retry_after })
            }
        }
    }

    /// The bundle in the record of the submission, which is the only place where it is kept.
    async fn provenance(&self, exposed: &Exposed, version: &Version, sequence: Sequence) -> Result<Option<String>, CatalogError> {
        let entries = self.state.entries(Sequence(sequence.0.saturating_sub(1)), 1).await?;
        let commands = entries.into_iter().flat_map(|entry| entry.record.commands);
        let mut bundles = commands.filter_map(|command| {
            let Command::Submitted { release, submission } = command else { return None };
            (release.package == *exposed.package() && release.version == *version).then_some(submission.provenance)
        });
        Ok(bundles.next().flatten())
    }
}
