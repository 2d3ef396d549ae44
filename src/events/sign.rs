//! The signature of a notice: HMAC-SHA256 over its time and its bytes, so that neither can be changed by who does not know the
//! secret, and so that an old notice is known for one.

use std::fmt;

use data_encoding::HEXLOWER;
use ring::hmac;

pub struct Key(hmac::Key);

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(…)")
    }
}

impl Key {
    pub fn new(secret: &str) -> Key {
        Key(hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes()))
    }

    /// `t=1763640000,v1=5257a8…`: of the seconds, a full stop, and the body.
    pub fn sign(&self, seconds: u64, body: &[u8]) -> String {
        let mut context = hmac::Context::with_key(&self.0);
        context.update(format!("{seconds}.").as_bytes());
        context.update(body);
        format!("t={seconds},v1={}", HEXLOWER.encode(context.sign().as_ref()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_of_time_and_body() {
        // By `printf '1763640000.{"a":1}' | openssl dgst -sha256 -hmac 0123456789abcdef`.
        let key = Key::new("0123456789abcdef");
        let signed = key.sign(1_763_640_000, br#"{"a":1}"#);
        assert_eq!(signed, "t=1763640000,v1=16e2f80bc19887baacab28beed5bd2e2a539cec1f4f52a03361f0a45499dd25e");
        for other in [
            key.sign(1_763_640_001, br#"{"a":1}"#),
            key.sign(1_763_640_000, br#"{"a":2}"#),
            Key::new("x").sign(1_763_640_000, br#"{"a":1}"#),
        ] {
            assert_ne!(other.split_once(",v1=").unwrap().1, signed.split_once(",v1=").unwrap().1);
        }
        assert_eq!(format!("{key:?}"), "Key(…)");
    }
}
