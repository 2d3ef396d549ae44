//! What a registry says of a release besides its bytes: signatures of its own, and statements about it.

use crate::ecosystem::UpstreamPath;
use crate::ecosystem::signature::PublicKey;
use crate::model::time::Timestamp;

/// Where to find what speaks for a release, and what it must be about.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Vouchers {
    /// What the registry signs of it; none where its entry states no hash that is signed.
    pub message: Option<String>,
    pub signatures: Vec<Signature>,
    /// Where its statements are, where its entry says that there are some.
    pub statements: Option<UpstreamPath>,
    /// What its statements call it.
    pub subject: String,
}

/// A signature, and whose it says it is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Signature {
    pub key: String,
    pub bytes: Vec<u8>,
}

/// A key that a registry signs with.
#[derive(Clone, Debug)]
pub struct RegistryKey {
    pub id: String,
    /// `None` where its kind is not known here.
    pub key: Option<PublicKey>,
    /// What it signs from then on does not count.
    pub expires_at: Option<Timestamp>,
}
