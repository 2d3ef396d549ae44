//! Gathering what speaks for a release besides its bytes, while it is inspected. What cannot be had in time from outside is
//! said to be unavailable; what cannot be read here fails the inspection, which is tried again.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use crate::ecosystem::Ecosystem;
use crate::ecosystem::voucher::Vouchers;
use crate::model::digest::Digest;
use crate::model::evidence::Evidence;
use crate::model::evidence::Proof;
use crate::model::release::ReleaseId;
use crate::quarantine::Quarantine;
use crate::quarantine::identity::evidence::Statements;
use crate::quarantine::identity::evidence::weigh;
use crate::quarantine::identity::keyring::Keys;
use crate::quarantine::workflow::InspectError;
use crate::quarantine::workflow::Subject;
use crate::upstream::Document;

/// How long an inspection waits for keys and statements.
const WITHIN: Duration = Duration::from_secs(5);
const LATE: &str = "the registry does not answer in time";

impl Quarantine {
    /// What speaks for the release whose bytes were found to have `digest`. `None` of what was published here, and where its format
    /// knows of nothing that could.
    pub(in crate::quarantine) async fn evidence(&self, subject: &Subject, digest: &Digest) -> Result<Option<Evidence>, InspectError> {
        let ReleaseId { package, version } = &subject.release;
        let Some(ecosystem) = self.ecosystem(package.ecosystem).map(Arc::clone) else { return Ok(None) };
        let state = self.state.package(package).await?;
        if state.local.is_some() {
            return Ok(None);
        }
        let Some(vouchers) = ecosystem.vouchers(package, version, &subject.manifest) else { return Ok(None) };
        let absent_at = state.releases.get(version).and_then(|state| state.absent_at);
        let published_at = subject.published_at.map(|claimed| absent_at.map_or(claimed, |absent_at| claimed.max(absent_at)));
        let wanted: Vec<&str> = vouchers.signatures.iter().map(|signature| signature.key.as_str()).collect();
        let keys = in_time(self.keyring.keys(&ecosystem, package, &wanted), || Keys::Unavailable(LATE.to_owned()));
        let statements = in_time(self.statements(subject, &*ecosystem, &vouchers), || Statements::Unavailable(LATE.to_owned()));
        let (keys, statements) = tokio::join!(keys, statements);
        let (root, digest) = (Arc::clone(&self.trust_root), *digest);
        let weighed = self.compute(move || weigh(&vouchers, &keys, &statements, &root, &digest, published_at)).await;
        Ok(Some(weighed.unwrap_or_else(|error| {
            let failed = || Proof::Unavailable { why: error.to_string() };
            Evidence { signature: failed(), provenance: failed(), ..Evidence::default() }
        })))
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
            Err(error) => Statements::Unavailable(format!("the registry's statements cannot be had: {error}")),
        }
    }
}

async fn in_time<T>(asked: impl Future<Output = T>, late: impl FnOnce() -> T) -> T {
    tokio::time::timeout(WITHIN, asked).await.unwrap_or_else(|_| late())
}
