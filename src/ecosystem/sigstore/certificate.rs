//! The certificate that signed: to whom it was issued, by whom, and what its key signed. Chains are walked by webpki; what the
//! authority says of the signer stands in extensions of its own. Source: Fulcio, `docs/oid-info.md`.

use std::time::Duration;

use rustls_pki_types::CertificateDer;
use rustls_pki_types::SignatureVerificationAlgorithm;
use rustls_pki_types::UnixTime;
use webpki::EndEntityCert;
use webpki::KeyUsage;

use crate::ecosystem::sigstore::der;
use crate::ecosystem::sigstore::der::Values;
use crate::ecosystem::sigstore::root::TrustRoot;
use crate::model::evidence::Evidence;
use crate::model::evidence::Source;
use crate::model::finding::printable;
use crate::model::time::Timestamp;

/// How certificates, and what they sign, are signed.
static ALGORITHMS: [&dyn SignatureVerificationAlgorithm; 4] =
    [webpki::ring::ECDSA_P256_SHA256, webpki::ring::ECDSA_P384_SHA384, webpki::ring::ECDSA_P256_SHA384, webpki::ring::ED25519];
/// 1.3.6.1.5.5.7.3.3: to sign code.
const CODE_SIGNING: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 3, 3];
/// 2.5.29.17: other names of whom it was issued to.
const OTHER_NAMES: &[u8] = &[0x55, 0x1d, 0x11];
/// Among these, an address.
const ADDRESS: u8 = 0x86;
/// 1.3.6.1.4.1.57264.1, below which the authority says more.
const FULCIO: &[u8] = &[0x2b, 6, 1, 4, 1, 0x83, 0xbf, 0x30, 1];
const ISSUER: u8 = 8;
const REPOSITORY: u8 = 12;
const COMMIT: u8 = 13;

pub struct Certificate<'c> {
    der: &'c CertificateDer<'c>,
    read: EndEntityCert<'c>,
}

impl<'c> Certificate<'c> {
    pub fn read(der: &'c CertificateDer<'c>) -> Option<Certificate<'c>> {
        Some(Certificate { der, read: EndEntityCert::try_from(der).ok()? })
    }

    /// Whether its key signed `message`.
    pub fn signed(&self, message: &[u8], signature: &[u8]) -> bool {
        ALGORITHMS.iter().any(|algorithm| self.read.verify_signature(*algorithm, message, signature).is_ok())
    }

    /// Whether an authority of the trust root issued it to sign code, and it was valid at `at`.
    pub fn was_issued(&self, root: &TrustRoot, beside: &[CertificateDer<'static>], at: Timestamp) -> bool {
        let Ok(millis) = u64::try_from(at.millis()) else { return false };
        let time = UnixTime::since_unix_epoch(Duration::from_millis(millis));
        root.authorities.iter().filter(|authority| authority.valid.holds(at)).any(|authority| {
            let Ok(anchor) = webpki::anchor_from_trusted_cert(&authority.root) else { return false };
            let between: Vec<CertificateDer<'static>> = authority.between.iter().chain(beside).cloned().collect();
            let usage = KeyUsage::required(CODE_SIGNING);
            self.read.verify_for_usage(&ALGORITHMS, &[anchor], &between, time, usage, None, None).is_ok()
        })
    }

    /// From when it is valid.
    pub fn valid_from(&self) -> Option<Timestamp> {
        // Version, number, algorithm, issuer, validity.
        let validity = self.body()?.nth(4)?;
        let from = Values::of(validity.inside).next()?;
        let text = std::str::from_utf8(from.inside).ok()?.strip_suffix('Z')?;
        // Years in two digits are of this century: no certificate here is older.
        let text = if text.len() == 12 { format!("20{text}") } else { text.to_owned() };
        let part = |from: usize| text.get(from..from + 2);
        let date = format!("{}-{}-{}", text.get(..4)?, part(4)?, part(6)?);
        Timestamp::parse(&format!("{date}T{}:{}:{}Z", part(8)?, part(10)?, part(12)?)).ok()
    }

    pub fn source(&self) -> Source {
        let mut source = Source::default();
        let Some(extensions) = self.body().and_then(|mut body| body.find(|value| value.tag == 0xa3)) else { return source };
        let list = Values::of(extensions.inside).tagged(der::SEQUENCE).map_or(&[][..], |list| list.inside);
        for extension in Values::of(list) {
            let mut parts = Values::of(extension.inside);
            let Some(id) = parts.tagged(der::OBJECT_IDENTIFIER) else { continue };
            let Some(value) = parts.find(|part| part.tag == der::OCTET_STRING) else { continue };
            if id.inside == OTHER_NAMES {
                let names = Values::of(value.inside).tagged(der::SEQUENCE).map_or(&[][..], |names| names.inside);
                source.workflow = Values::of(names).find(|name| name.tag == ADDRESS).and_then(|name| text(name.inside));
                continue;
            }
            let Some([field]) = id.inside.strip_prefix(FULCIO) else { continue };
            let said = Values::of(value.inside).tagged(der::UTF8_STRING).and_then(|said| text(said.inside));
            match *field {
                ISSUER => source.issuer = said,
                REPOSITORY => source.repository = said,
                COMMIT => source.commit = said,
                _ => {}
            }
        }
        source
    }

    /// What stands in the signed part.
    fn body(&self) -> Option<Values<'_>> {
        let whole = Values::of(self.der).tagged(der::SEQUENCE)?;
        let signed = Values::of(whole.inside).tagged(der::SEQUENCE)?;
        Some(Values::of(signed.inside))
    }
}

fn text(bytes: &[u8]) -> Option<String> {
    std::str::from_utf8(bytes).ok().map(|text| printable(text, Evidence::TEXT_BYTES_MAX))
}
