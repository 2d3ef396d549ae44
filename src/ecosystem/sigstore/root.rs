//! The trust root: who may issue certificates to signers, and which logs are believed. The one that is built in is Sigstore's own
//! for the public; a company that runs its own authority and log names a file of the same form.

use data_encoding::BASE64;
use rustls_pki_types::CertificateDer;
use serde::Deserialize;

use crate::ecosystem::signature::PublicKey;
use crate::model::time::Timestamp;

/// Of Sigstore's TUF repository; Apache-2.0.
const PUBLIC: &str = include_str!("../../../data/sigstore-trusted-root.json");
const ENTRIES_MAX: usize = 64;

#[derive(Debug)]
pub struct TrustRoot {
    pub authorities: Vec<Authority>,
    pub logs: Vec<Log>,
}

/// Who issues certificates.
#[derive(Debug)]
pub struct Authority {
    pub root: CertificateDer<'static>,
    /// Between the root and what it issues.
    pub between: Vec<CertificateDer<'static>>,
    pub valid: Span,
}

/// A log of what was signed.
#[derive(Debug)]
pub struct Log {
    /// The hash of its key.
    pub id: Vec<u8>,
    /// `None` where its kind is not known here.
    pub key: Option<PublicKey>,
    pub valid: Span,
}

/// From when until when something counts.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Span {
    pub from: Option<Timestamp>,
    pub until: Option<Timestamp>,
}

impl Span {
    pub fn holds(&self, at: Timestamp) -> bool {
        self.from.is_none_or(|from| from <= at) && self.until.is_none_or(|until| at <= until)
    }
}

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum RootFault {
    #[error("it is not a trust root in JSON: {0}")]
    Json(String),
    #[error("its {0} cannot be read")]
    Unreadable(&'static str),
    #[error("it names no authority")]
    NoAuthority,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    #[serde(default)]
    tlogs: Vec<LogWords>,
    #[serde(default)]
    certificate_authorities: Vec<AuthorityWords>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct LogWords {
    public_key: KeyWords,
    log_id: IdWords,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct IdWords {
    key_id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct KeyWords {
    raw_bytes: String,
    #[serde(default)]
    valid_for: SpanWords,
}

#[derive(Deserialize, Default)]
struct SpanWords {
    start: Option<String>,
    end: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct AuthorityWords {
    cert_chain: ChainWords,
    #[serde(default)]
    valid_for: SpanWords,
}

#[derive(Deserialize)]
struct ChainWords {
    certificates: Vec<RawWords>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawWords {
    raw_bytes: String,
}

impl TrustRoot {
    /// Sigstore's for the public.
    pub fn public() -> TrustRoot {
        TrustRoot::parse(PUBLIC).unwrap_or_else(|error| {
            tracing::error!(%error, "the trust root that is built in cannot be read: no provenance is taken for good");
            TrustRoot { authorities: Vec::new(), logs: Vec::new() }
        })
    }

    /// Reads `trusted_root.json` of a TUF repository.
    pub fn parse(text: &str) -> Result<TrustRoot, RootFault> {
        let document: Document = serde_json::from_str(text).map_err(|error| RootFault::Json(error.to_string()))?;
        let logs = document.tlogs.iter().take(ENTRIES_MAX).map(|log| {
            let id = bytes(&log.log_id.key_id).ok_or(RootFault::Unreadable("log's id"))?;
            let key = bytes(&log.public_key.raw_bytes).ok_or(RootFault::Unreadable("log's key"))?;
            Ok(Log { id, key: PublicKey::of_spki(&key), valid: span(&log.public_key.valid_for)? })
        });
        let authorities = document.certificate_authorities.iter().take(ENTRIES_MAX).map(|authority| {
            let chain = authority.cert_chain.certificates.iter().take(ENTRIES_MAX);
            let chain = chain.map(|one| bytes(&one.raw_bytes).map(CertificateDer::from)).collect::<Option<Vec<_>>>();
            let mut between = chain.ok_or(RootFault::Unreadable("certificate"))?;
            let root = between.pop().ok_or(RootFault::Unreadable("chain of certificates"))?;
            webpki::anchor_from_trusted_cert(&root).map_err(|_| RootFault::Unreadable("root certificate"))?;
            Ok(Authority { root, between, valid: span(&authority.valid_for)? })
        });
        let (logs, authorities) = (logs.collect::<Result<_, _>>()?, authorities.collect::<Result<Vec<_>, RootFault>>()?);
        if authorities.is_empty() {
            return Err(RootFault::NoAuthority);
        }
        Ok(TrustRoot { authorities, logs })
    }
}

fn bytes(text: &str) -> Option<Vec<u8>> {
    BASE64.decode(text.as_bytes()).ok()
}

fn span(words: &SpanWords) -> Result<Span, RootFault> {
    let at = |text: &Option<String>| {
        text.as_deref().map(|text| Timestamp::parse(text).map_err(|_| RootFault::Unreadable("span of time"))).transpose()
    };
    Ok(Span { from: at(&words.start)?, until: at(&words.end)? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_root_that_is_built_in_is_whole() {
        let root = TrustRoot::parse(PUBLIC).unwrap();
        assert!(root.authorities.len() >= 2 && root.authorities.iter().any(|one| !one.between.is_empty()));
        assert!(root.logs.len() >= 2 && root.logs.iter().all(|log| log.key.is_some() && log.id.len() == 32));
    }

    #[test]
    fn what_is_no_trust_root_is_told() {
        for (text, expect) in [
            ("{}", "it names no authority"),
            (r#"{"certificateAuthorities":[{"certChain":{"certificates":[]}}]}"#, "its chain of certificates cannot be read"),
            (r#"{"certificateAuthorities":[{"certChain":{"certificates":[{"rawBytes":"?"}]}}]}"#, "its certificate cannot be read"),
            (r#"{"certificateAuthorities":[{"certChain":{"certificates":[{"rawBytes":"AAAA"}]}}]}"#, "its root certificate cannot be read"),
            (r#"{"tlogs":[{"publicKey":{"rawBytes":"?"},"logId":{"keyId":""}}]}"#, "its log's key cannot be read"),
        ] {
            assert_eq!(TrustRoot::parse(text).unwrap_err().to_string(), expect, "{text}");
        }
        assert!(matches!(TrustRoot::parse("<html>"), Err(RootFault::Json(_))));
    }
}
