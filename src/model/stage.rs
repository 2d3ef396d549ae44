//! The name under which a release waits for people, where a client wants a UUID.

use std::fmt;

use crate::model::digest::DocumentDigest;
use crate::model::package::NotAName;
use crate::model::package::as_one_string;
use crate::model::release::ReleaseId;

/// A UUID of version 8 in lower case, 8-4-4-4-12. The same release always has the same, whoever brought it here.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct StageId(String);

impl StageId {
    const CHARS: usize = 36;

    /// From the SHA-256 of `npm/left-pad@1.3.0`. Source: RFC 9562, 5.8.
    pub fn of(release: &ReleaseId) -> StageId {
        let digest = DocumentDigest::of(format!("{}@{}", release.package, release.version).as_bytes());
        let mut bytes = [0_u8; 16];
        bytes.copy_from_slice(&digest.raw()[..16]);
        bytes[6] = bytes[6] & 0x0f | 0x80;
        bytes[8] = bytes[8] & 0x3f | 0x80;
        let mut text = String::with_capacity(StageId::CHARS);
        for (at, byte) in bytes.iter().enumerate() {
            if matches!(at, 4 | 6 | 8 | 10) {
                text.push('-');
            }
            text.push_str(&format!("{byte:02x}"));
        }
        StageId(text)
    }

    /// Capitals are taken and made small.
    pub fn parse(text: &str) -> Result<StageId, NotAName> {
        let dash = |at: usize| matches!(at, 8 | 13 | 18 | 23);
        let well_formed = text.len() == StageId::CHARS
            && text.bytes().enumerate().all(|(at, b)| if dash(at) { b == b'-' } else { b.is_ascii_hexdigit() });
        if well_formed {
            Ok(StageId(text.to_ascii_lowercase()))
        } else {
            Err(NotAName::Malformed { name: text.chars().take(64).collect(), why: "a stage id is a UUID" })
        }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for StageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

as_one_string!(StageId);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::package::PackageId;
    use crate::model::package::Version;

    #[test]
    fn a_release_has_one_id_and_no_other_has_it() {
        let id = |name: &str, version: &str| {
            StageId::of(&ReleaseId { package: PackageId::npm(name).unwrap(), version: Version::parse(version).unwrap() })
        };
        let web = id("@acme/web", "1.0.0");
        assert_eq!(web, id("@acme/web", "1.0.0"));
        assert_ne!(web, id("@acme/web", "1.0.1"));
        assert_ne!(web, id("acme-web", "1.0.0"));
        assert_eq!(StageId::parse(&web.as_str().to_uppercase()).unwrap(), web);
        assert_eq!((&web.as_str()[14..15], web.as_str()[19..20].parse::<u8>().is_ok_and(|digit| digit < 8)), ("8", false));
        for bad in ["", "1", &web.as_str()[1..], &web.as_str().replace('-', "0"), &web.as_str().replacen('-', "x", 1)] {
            assert!(StageId::parse(bad).is_err(), "{bad}");
        }
    }
}
