//! What speaks for a release besides its bytes, and how far it was checked. What could not be checked is told apart from what
//! was found to be good, and both from what is false.

use serde::Deserialize;
use serde::Serialize;

/// What became of one kind of evidence.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "is")]
pub enum Proof {
    /// It was checked and holds.
    Good,
    /// There is none.
    #[default]
    Absent,
    /// Nobody can say: it could not be had, or not be checked.
    Unavailable { why: String },
    /// It was checked and is false.
    Wrong { why: String },
}

/// One thing that a statement of provenance was checked for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Check {
    /// It is about these bytes under this name and version.
    Subject,
    /// It is signed with the key of its certificate.
    Signature,
    /// The certificate was issued, to sign code, by an authority of the trust root.
    Certificate,
    /// It was signed while the certificate was valid, by the word of a log of the trust root.
    Time,
    /// It is in such a log: the log signed a tree that holds it.
    Log,
    /// The issuing of the certificate is in a log.
    Issuance,
}

impl Check {
    pub const fn as_str(self) -> &'static str {
        match self {
            Check::Subject => "subject",
            Check::Signature => "signature",
            Check::Certificate => "certificate",
            Check::Time => "time",
            Check::Log => "log",
            Check::Issuance => "issuance",
        }
    }
}

/// What a statement was not checked for.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Unchecked {
    pub what: Check,
    pub why: String,
}

/// Where a release was built, as the certificate that signed its provenance says it.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Source {
    /// Who the certificate was issued to: `https://git.example/acme/web/.github/workflows/release.yml@refs/tags/v1.0.0`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub workflow: Option<String>,
    /// `https://git.example/acme/web`
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub repository: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub commit: Option<String>,
    /// Who vouched for the workflow to the authority.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub issuer: Option<String>,
}

/// What an inspection found to speak for a release.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Evidence {
    /// The registry's signature.
    pub signature: Proof,
    /// The statement of where and from what it was built.
    pub provenance: Proof,
    /// Only of provenance that is good.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub source: Option<Source>,
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub checked: Vec<Check>,
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub unchecked: Vec<Unchecked>,
}

impl Evidence {
    /// Of each text.
    pub const TEXT_BYTES_MAX: usize = 512;

    /// Whether nobody can say of any of it.
    pub fn is_unavailable(&self) -> bool {
        [&self.signature, &self.provenance].into_iter().any(|proof| match proof {
            Proof::Unavailable { .. } => true,
            Proof::Good | Proof::Absent | Proof::Wrong { .. } => false,
        })
    }
}
