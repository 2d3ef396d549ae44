//! What is published here, before it is recorded: its bytes come in to quarantine, are looked into as any others, and it is
//! judged as it would stand.

use bytes::Bytes;

use crate::ecosystem::Inspected;
use crate::model::digest::Digest;
use crate::model::digest::Integrity;
use crate::model::digest::IntegrityOutcome;
use crate::model::digest::Verified;
use crate::model::release::ReleaseId;
use crate::quarantine::Quarantine;
use crate::quarantine::workflow::InspectError;
use crate::quarantine::workflow::inspect_or_say_why;
use crate::storage::blob::BlobError;
use crate::storage::blob::Kept;
use crate::storage::blob::Received;
use crate::storage::blob::Receiving;

/// What the bytes of a submission are.
#[derive(Debug)]
pub struct Look {
    /// Against what its submitter stated of them.
    pub outcome: IntegrityOutcome,
    pub inspected: Inspected,
}

impl Quarantine {
    pub async fn receive(&self) -> Result<Receiving, BlobError> {
        self.blobs.receive().await
    }

    /// Keeps what came in, for good: nobody else has it.
    pub async fn keep(&self, received: Received) -> Result<Kept, BlobError> {
        self.blobs.keep(received).await
    }

    /// Takes back what was kept as new just now, because nothing will refer to it.
    pub async fn discard(&self, digest: &Digest) {
        if let Err(error) = self.blobs.discard(digest).await {
            tracing::warn!(%digest, %error, "bytes that nothing refers to could not be removed; they only take up room");
        }
    }

    /// Looks inside `content`. `manifest` is what its submitter says of it.
    ///
    /// # Errors
    /// It could not be looked into: a fault of ours, or one of the manifest.
    pub async fn look_into(
        &self,
        release: &ReleaseId,
        manifest: Bytes,
        content: Verified,
        stated: Integrity,
    ) -> Result<Look, InspectError> {
        let Some(ecosystem) = self.ecosystem(release.package.ecosystem).map(std::sync::Arc::clone) else {
            return Err(InspectError::Crashed(format!("{} is reserved, not built yet", release.package.ecosystem)));
        };
        let Ok(_hand) = self.hands.acquire().await else { return Err(InspectError::Busy) };
        let release = release.clone();
        let look = move || {
            let bytes = content.to_bytes().map_err(|fault| InspectError::Blob(BlobError::Incoming(fault)))?;
            let outcome = stated.compare(&bytes, content.digest());
            let inspected = inspect_or_say_why(&*ecosystem, &release.package, &release.version, &manifest, &bytes);
            Ok(Look { outcome, inspected: inspected.map_err(InspectError::Crashed)? })
        };
        self.compute(look).await?
    }
}
