//! Airlock's own signature on what is published here, and the keys that it is checked with.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use data_encoding::BASE64;
use data_encoding::BASE64_NOPAD;
use ring::rand::SystemRandom;
use ring::signature::ECDSA_P256_SHA256_ASN1_SIGNING;
use ring::signature::EcdsaKeyPair;
use ring::signature::KeyPair;
use tokio::sync::OnceCell;

use crate::catalog::Catalog;
use crate::catalog::CatalogError;
use crate::clock::Clock;
use crate::model::actor::Actor;
use crate::model::digest::Digest;
use crate::model::digest::DocumentDigest;
use crate::model::release::ReleaseId;
use crate::storage::disk::KeyFile;
use crate::storage::record::Command;
use crate::storage::record::SealKey;
use crate::storage::state::Batch;
use crate::storage::state::CommitError;
use crate::storage::state::ReadError;
use crate::storage::state::State;

/// What stands before the point of a P-256 key in its SPKI. Source: RFC 5480, 2.
const SPKI_HEAD: [u8; 26] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01,
    0x07, 0x03, 0x42, 0x00,
];

#[derive(Debug, thiserror::Error)]
pub enum SealError {
    #[error("the signing key {} cannot be kept: {source}", path.display())]
    File { path: PathBuf, source: io::Error },
    #[error("{} holds no signing key that can be read; put it back from a backup, or remove it and a new key is made", path.display())]
    Unreadable { path: PathBuf },
    #[error("nothing can be signed: no random numbers are to be had")]
    Random,
    #[error("the signing key cannot be recorded: {0}")]
    Commit(#[from] CommitError),
    #[error(transparent)]
    Read(#[from] ReadError),
}

impl From<SealError> for CatalogError {
    fn from(error: SealError) -> CatalogError {
        match error {
            SealError::File { ref source, .. } if is_full(source) => CatalogError::StorageFull(error.to_string()),
            SealError::Commit(ref commit) if commit.is_disk_full() => CatalogError::StorageFull(error.to_string()),
            SealError::File { .. } | SealError::Unreadable { .. } | SealError::Random | SealError::Commit(_) | SealError::Read(_) => {
                CatalogError::Storage(error.to_string())
            }
        }
    }
}

fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

/// A signature and the key that made it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Signature {
    /// [`SealKey::id`].
    pub key: String,
    /// ECDSA, as ASN.1 DER, in base64.
    pub base64: String,
}

/// Signs. Its key is made when the first release is published.
pub struct Seal {
    file: KeyFile,
    signer: OnceCell<Signer>,
}

struct Signer {
    pair: EcdsaKeyPair,
    id: String,
}

impl Seal {
    pub fn new(file: KeyFile) -> Seal {
        Seal { file, signer: OnceCell::new() }
    }

    async fn sign(&self, state: &Arc<dyn State>, clock: &Clock, message: &[u8]) -> Result<Signature, SealError> {
        let signer = self.signer.get_or_try_init(|| self.take_up(state, clock)).await?;
        let signature = signer.pair.sign(&SystemRandom::new(), message).map_err(|_| SealError::Random)?;
        Ok(Signature { key: signer.id.clone(), base64: BASE64.encode(signature.as_ref()) })
    }

    /// The key of the file, or a new one in it. Its public half is recorded before anything is signed with it.
    async fn take_up(&self, state: &Arc<dyn State>, clock: &Clock) -> Result<Signer, SealError> {
        let file = self.file.clone();
        let read = tokio::task::spawn_blocking(move || read_or_make(&file)).await;
        let pair = read.map_err(|error| SealError::File { path: self.file.path().to_owned(), source: io::Error::other(error) })??;
        let mut spki = SPKI_HEAD.to_vec();
        spki.extend_from_slice(pair.public_key().as_ref());
        let id = format!("SHA256:{}", BASE64_NOPAD.encode(DocumentDigest::of(&spki).raw()));
        if !state.keys().await?.iter().any(|known| known.id == id) {
            let now = clock.now();
            let key = SealKey { id: id.clone(), public_spki_base64: BASE64.encode(&spki), made_at: now, expires_at: None };
            tracing::info!(key = id, file = %self.file.path().display(), "a signing key was made; a backup needs its file");
            state
                .commit(Batch { at: now, actor: Actor::Airlock, conditions: Vec::new(), commands: vec![Command::KeyMade { key }] })
                .await?;
        }
        Ok(Signer { pair, id })
    }
}

fn read_or_make(file: &KeyFile) -> Result<EcdsaKeyPair, SealError> {
    let failed = |source| SealError::File { path: file.path().to_owned(), source };
    let random = SystemRandom::new();
    let pkcs8 = match file.read().map_err(failed)? {
        Some(kept) => kept,
        None => {
            let made = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &random).map_err(|_| SealError::Random)?;
            file.write(made.as_ref()).map_err(failed)?;
            made.as_ref().to_vec()
        }
    };
    let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &pkcs8, &random);
    pair.map_err(|_| SealError::Unreadable { path: file.path().to_owned() })
}

impl Catalog {
    /// Signs that these bytes are that release: `@acme/web@1.0.0:sha512-…`, as registries do. Every signature is another, so
    /// that a release is signed once, when it is submitted.
    pub async fn sign(&self, release: &ReleaseId, digest: &Digest) -> Result<Signature, SealError> {
        let message = format!("{}@{}:{}", release.package.name, release.version, digest.sri());
        self.seal.sign(&self.state, &self.clock, message.as_bytes()).await
    }

    /// The public halves of every key that ever signed here, oldest first.
    pub async fn seal_keys(&self) -> Result<Vec<SealKey>, CatalogError> {
        Ok(self.state.keys().await?)
    }
}

#[cfg(test)]
mod tests {
    use ring::signature::ECDSA_P256_SHA256_ASN1;
    use ring::signature::UnparsedPublicKey;

    use super::*;
    use crate::model::time::Timestamp;
    use crate::storage::memory::MemoryState;

    fn verifies(key: &SealKey, message: &[u8], signature: &Signature) -> bool {
        let spki = BASE64.decode(key.public_spki_base64.as_bytes()).unwrap();
        let point = spki.strip_prefix(&SPKI_HEAD).unwrap();
        let signature = BASE64.decode(signature.base64.as_bytes()).unwrap();
        UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, point).verify(message, &signature).is_ok()
    }

    #[tokio::test]
    async fn a_key_is_made_once_and_an_old_one_stays_known() {
        let folder = tempfile::tempdir().unwrap();
        let state: Arc<dyn State> = Arc::new(MemoryState::new());
        let clock = Clock::test(Timestamp::parse("2026-11-20T12:00:00Z").unwrap());
        let sign = async |message: &[u8]| {
            let seal = Seal::new(KeyFile::below(folder.path()));
            seal.sign(&state, &clock, message).await
        };
        assert!(state.keys().await.unwrap().is_empty(), "nobody published anything yet");
        let one = sign(b"one").await.unwrap();
        let again = sign(b"one").await.unwrap();
        let keys = state.keys().await.unwrap();
        assert_eq!(keys.len(), 1, "the same after a restart");
        assert!(verifies(&keys[0], b"one", &one) && verifies(&keys[0], b"one", &again) && !verifies(&keys[0], b"two", &one));
        assert_eq!((one.key.as_str(), keys[0].id.len()), (keys[0].id.as_str(), "SHA256:".len() + 43));

        std::fs::remove_file(KeyFile::below(folder.path()).path()).unwrap();
        let two = sign(b"two").await.unwrap();
        let keys = state.keys().await.unwrap();
        assert_eq!(keys.len(), 2, "the old one is still served");
        assert!(verifies(&keys[1], b"two", &two) && verifies(&keys[0], b"one", &one));

        std::fs::write(KeyFile::below(folder.path()).path(), b"not a key").unwrap();
        assert!(matches!(sign(b"x").await, Err(SealError::Unreadable { .. })), "never replaced by itself");
    }
}
