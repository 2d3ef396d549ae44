//! Signatures: whether a public key made one. Keys come as they are published, in a SubjectPublicKeyInfo.

use ring::signature::ECDSA_P256_SHA256_ASN1;
use ring::signature::ECDSA_P384_SHA384_ASN1;
use ring::signature::ED25519;
use ring::signature::UnparsedPublicKey;
use ring::signature::VerificationAlgorithm;

/// What stands before the point or key in an SPKI, and how such a key signs. Source: RFC 5480, 2; RFC 8410, 4.
static KINDS: [(&[u8], usize, &dyn VerificationAlgorithm); 3] = [
    (
        b"\x30\x59\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07\x03\x42\x00",
        65,
        &ECDSA_P256_SHA256_ASN1,
    ),
    (b"\x30\x76\x30\x10\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x05\x2b\x81\x04\x00\x22\x03\x62\x00", 97, &ECDSA_P384_SHA384_ASN1),
    (b"\x30\x2a\x30\x05\x06\x03\x2b\x65\x70\x03\x21\x00", 32, &ED25519),
];

/// A public key of a kind that is known here.
#[derive(Clone)]
pub struct PublicKey {
    algorithm: &'static dyn VerificationAlgorithm,
    key: Vec<u8>,
}

impl std::fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PublicKey")
    }
}

impl PublicKey {
    /// `None` where it is no key, or of another kind.
    pub fn of_spki(spki: &[u8]) -> Option<PublicKey> {
        KINDS.iter().find_map(|(head, length, algorithm)| {
            let key = spki.strip_prefix(*head).filter(|key| key.len() == *length)?;
            Some(PublicKey { algorithm: *algorithm, key: key.to_vec() })
        })
    }

    /// Whether this key signed `message`. An ECDSA signature is ASN.1 in DER.
    pub fn signed(&self, message: &[u8], signature: &[u8]) -> bool {
        UnparsedPublicKey::new(self.algorithm, &self.key).verify(message, signature).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use ring::rand::SystemRandom;
    use ring::signature::ECDSA_P256_SHA256_ASN1_SIGNING;
    use ring::signature::EcdsaKeyPair;
    use ring::signature::Ed25519KeyPair;
    use ring::signature::KeyPair;

    use super::*;

    #[test]
    fn a_key_knows_what_it_signed() {
        let random = SystemRandom::new();
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &random).unwrap();
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, pkcs8.as_ref(), &random).unwrap();
        let spki = [KINDS[0].0, pair.public_key().as_ref()].concat();
        let key = PublicKey::of_spki(&spki).unwrap();
        let signature = pair.sign(&random, b"one").unwrap();
        assert!(key.signed(b"one", signature.as_ref()) && !key.signed(b"two", signature.as_ref()) && !key.signed(b"one", b""));

        let pair = Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap();
        let key = PublicKey::of_spki(&[KINDS[2].0, pair.public_key().as_ref()].concat()).unwrap();
        assert!(key.signed(b"one", pair.sign(b"one").as_ref()));

        for wrong in [&b""[..], &spki[1..], &spki[..spki.len() - 1], &[spki.as_slice(), b"x"].concat()] {
            assert!(PublicKey::of_spki(wrong).is_none());
        }
    }
}
