//! Sigstore bundles: statements about a file, signed by a workflow whose identity an authority certified, and kept in a public
//! log. Several formats come with them. Pure: what it takes to verify one is in the bundle and in the trust root. What is not
//! verified is named.

mod certificate;
mod der;
pub mod log;
pub mod root;

use data_encoding::BASE64;
use percent_encoding::percent_decode_str;
use rustls_pki_types::CertificateDer;
use serde::Deserialize;
use serde_json::Value;

use crate::ecosystem::json::Bounds;
use crate::ecosystem::json::strict;
use crate::ecosystem::sigstore::certificate::Certificate;
use crate::ecosystem::sigstore::log::Entry;
use crate::ecosystem::sigstore::log::Logged;
use crate::ecosystem::sigstore::log::Signed;
use crate::ecosystem::sigstore::root::TrustRoot;
use crate::model::digest::Digest;
use crate::model::evidence::Check;
use crate::model::evidence::Source;
use crate::model::evidence::Unchecked;
use crate::model::finding::printable;

/// Forms of a bundle that are known here: `application/vnd.dev.sigstore.bundle+json;version=0.2`, from 0.3 on
/// `application/vnd.dev.sigstore.bundle.v0.3+json`.
const FORMS: [&str; 4] = [
    "application/vnd.dev.sigstore.bundle+json;version=0.1",
    "application/vnd.dev.sigstore.bundle+json;version=0.2",
    "application/vnd.dev.sigstore.bundle+json;version=0.3",
    "application/vnd.dev.sigstore.bundle.v0.3+json",
];
const IN_TOTO: &str = "application/vnd.in-toto+json";
/// Of the statement.
const STATEMENT: Bounds = Bounds { bytes_max: 1_024 * 1_024, depth_max: 64 };
/// Certificates, entries, signatures, subjects.
const LIST_MAX: usize = 16;

/// What a statement must be about.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// Such as `pkg:npm/@acme/web@1.0.0`, nothing encoded.
    pub name: &'a str,
    pub digest: &'a Digest,
}

/// A statement that holds.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Sound {
    pub source: Source,
    pub checked: Vec<Check>,
    pub unchecked: Vec<Unchecked>,
}

/// Why a bundle proves nothing.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Fault {
    /// It is of a form that is not known here.
    #[error("{0}")]
    Unknown(String),
    /// It is false.
    #[error("{0}")]
    Wrong(String),
}

impl Fault {
    pub fn wrong(why: &str) -> Fault {
        Fault::Wrong(why.to_owned())
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Bundle {
    verification_material: Material,
    dsse_envelope: Envelope,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Material {
    certificate: Option<Raw>,
    x509_certificate_chain: Option<Chain>,
    #[serde(default)]
    tlog_entries: Vec<Entry>,
}

#[derive(Deserialize)]
struct Chain {
    certificates: Vec<Raw>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Raw {
    raw_bytes: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Envelope {
    payload: String,
    payload_type: String,
    signatures: Vec<Signature>,
}

#[derive(Deserialize)]
struct Signature {
    sig: String,
}

/// Verifies that the bundle is a statement about what is wanted, signed by a certified workflow.
///
/// # Errors
/// It is not, or nobody can say.
pub fn verify(bundle: &Value, wanted: &Wanted<'_>, root: &TrustRoot) -> Result<Sound, Fault> {
    let form = bundle.get("mediaType").and_then(Value::as_str).unwrap_or_default();
    if !FORMS.contains(&form) {
        return Err(Fault::Unknown(format!("its bundle is of a form that is not known here, {}", printable(form, 100))));
    }
    let bundle = Bundle::deserialize(bundle).map_err(|_| Fault::wrong("its bundle is not what its form asks"))?;
    let envelope = &bundle.dsse_envelope;
    let payload = BASE64.decode(envelope.payload.as_bytes()).map_err(|_| Fault::wrong("its statement is not in base64"))?;
    is_about(&payload, envelope, wanted)?;

    let chain = chain(&bundle.verification_material)?;
    let (leaf, beside) = chain.split_first().ok_or_else(|| Fault::wrong("it has no certificate"))?;
    let certificate = Certificate::read(leaf).ok_or_else(|| Fault::wrong("its certificate cannot be read"))?;
    let message = to_be_signed(&envelope.payload_type, &payload);
    let signature = match envelope.signatures.as_slice() {
        [one] => BASE64.decode(one.sig.as_bytes()).map_err(|_| Fault::wrong("its signature is not in base64"))?,
        _ => return Err(Fault::wrong("it has not one signature")),
    };
    if !certificate.signed(&message, &signature) {
        return Err(Fault::wrong("it is not signed with the key of its certificate"));
    }
    let mut checked = vec![Check::Subject, Check::Signature];
    let mut unchecked = Vec::new();
    let mut left_out = |what, why: &str| unchecked.push(Unchecked { what, why: why.to_owned() });

    let logged = logged(&bundle.verification_material.tlog_entries, &Signed { payload: &payload, signature: &signature }, root)?;
    let from = certificate.valid_from().ok_or_else(|| Fault::wrong("its certificate cannot be read"))?;
    if !certificate.was_issued(root, beside, from) {
        return Err(Fault::wrong("its certificate was issued by no authority of the trust root"));
    }
    checked.push(Check::Certificate);
    match logged.at {
        Some(at) if certificate.was_issued(root, beside, at) => checked.push(Check::Time),
        Some(_) => return Err(Fault::wrong("its certificate was not valid when it came into the log")),
        None => left_out(Check::Time, "no log of the trust root says when it was signed"),
    }
    match logged.is_included {
        true => checked.push(Check::Log),
        false if logged.at.is_some() => left_out(Check::Log, "the log promised to take it in; no proof came with it that it did"),
        false => left_out(Check::Log, "no proof came with it that a log of the trust root has it"),
    }
    left_out(Check::Issuance, "the timestamp of the certificate's own log is not looked at");
    Ok(Sound { source: certificate.source(), checked, unchecked })
}

/// What all entries prove together.
fn logged(entries: &[Entry], signed: &Signed<'_>, root: &TrustRoot) -> Result<Logged, Fault> {
    let mut all = Logged::default();
    for entry in entries.iter().take(LIST_MAX) {
        let one = log::examine(entry, signed, root)?;
        all.at = all.at.or(one.at);
        all.is_included |= one.is_included;
    }
    Ok(all)
}

fn chain(material: &Material) -> Result<Vec<CertificateDer<'static>>, Fault> {
    let chain = material.x509_certificate_chain.iter().flat_map(|chain| &chain.certificates);
    let all = material.certificate.iter().chain(chain).take(LIST_MAX);
    let read = |raw: &Raw| BASE64.decode(raw.raw_bytes.as_bytes()).map(CertificateDer::from);
    all.map(read).collect::<Result<_, _>>().map_err(|_| Fault::wrong("its certificate is not in base64"))
}

/// What is signed of an envelope. Source: DSSE, `protocol.md`.
fn to_be_signed(payload_type: &str, payload: &[u8]) -> Vec<u8> {
    let mut message = format!("DSSEv1 {} {payload_type} {} ", payload_type.len(), payload.len()).into_bytes();
    message.extend_from_slice(payload);
    message
}

fn is_about(payload: &[u8], envelope: &Envelope, wanted: &Wanted<'_>) -> Result<(), Fault> {
    if envelope.payload_type != IN_TOTO {
        return Err(Fault::Unknown(format!(
            "its statement is of a type that is not known here, {}",
            printable(&envelope.payload_type, 100)
        )));
    }
    let statement = strict(payload, STATEMENT).map_err(|_| Fault::wrong("its statement cannot be read"))?;
    let subjects = statement.get("subject").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let name = |subject: &Value| {
        let name = subject.get("name").and_then(Value::as_str)?;
        percent_decode_str(name).decode_utf8().ok().map(|name| name.into_owned())
    };
    let Some(subject) = subjects.iter().take(LIST_MAX).find(|subject| name(subject).as_deref() == Some(wanted.name)) else {
        let named = subjects.first().and_then(name).unwrap_or_default();
        return Err(Fault::Wrong(format!("its statement is about {}", if named.is_empty() { "nothing" } else { &named })));
    };
    let stated = subject.pointer("/digest/sha512").and_then(Value::as_str).unwrap_or_default();
    if stated.eq_ignore_ascii_case(&wanted.digest.hex()) { Ok(()) } else { Err(Fault::wrong("its statement is about other bytes")) }
}

#[cfg(test)]
#[path = "../../../tests/it/support/sigstore.rs"]
#[expect(dead_code, reason = "the rest of it is for tests over sockets")]
mod sample;
#[cfg(test)]
mod tests;
