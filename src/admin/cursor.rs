//! Where a listing goes on: opaque to clients, good in a URL, and bound to the listing it came from.

use data_encoding::BASE64URL_NOPAD;

use crate::model::digest::DocumentDigest;
use crate::model::package::PackageId;
use crate::model::package::Version;
use crate::model::release::ReleaseId;

/// Longer than any cursor made here: a name and a version at their longest, in Base64.
const CHARS_MAX: usize = 1_024;
const SEAL_BYTES: usize = 8;

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotACursor {
    #[error("the cursor is not one of this server's: take it from `next_cursor` as it is, or leave it out to begin anew")]
    Broken,
    #[error("the cursor belongs to another listing: keep `standing` and `package` as they were, or leave it out to begin anew")]
    OfAnotherListing,
}

/// The cursor that goes on after `after`, in the listing that `listing` names.
pub fn write(listing: &str, after: &ReleaseId) -> String {
    let place = format!("{}\n{}", after.package, after.version);
    let mut bytes = Vec::with_capacity(2 * SEAL_BYTES + place.len());
    bytes.extend_from_slice(&seal(listing));
    bytes.extend_from_slice(&seal(&place));
    bytes.extend_from_slice(place.as_bytes());
    BASE64URL_NOPAD.encode(&bytes)
}

/// The release after which to go on.
pub fn read(listing: &str, cursor: &str) -> Result<ReleaseId, NotACursor> {
    if cursor.len() > CHARS_MAX {
        return Err(NotACursor::Broken);
    }
    let bytes = BASE64URL_NOPAD.decode(cursor.as_bytes()).map_err(|_| NotACursor::Broken)?;
    let (of_listing, rest) = bytes.split_first_chunk::<SEAL_BYTES>().ok_or(NotACursor::Broken)?;
    let (of_place, place) = rest.split_first_chunk::<SEAL_BYTES>().ok_or(NotACursor::Broken)?;
    let place = std::str::from_utf8(place).map_err(|_| NotACursor::Broken)?;
    if *of_place != seal(place) {
        return Err(NotACursor::Broken);
    }
    if *of_listing != seal(listing) {
        return Err(NotACursor::OfAnotherListing);
    }
    let (package, version) = place.split_once('\n').ok_or(NotACursor::Broken)?;
    let package = PackageId::parse(package).map_err(|_| NotACursor::Broken)?;
    let version = Version::parse(version).map_err(|_| NotACursor::Broken)?;
    Ok(ReleaseId { package, version })
}

/// Tells a damaged cursor from a whole one. It keeps no secret: a cursor gives nothing that the listing does not.
fn seal(text: &str) -> [u8; SEAL_BYTES] {
    let digest = DocumentDigest::of(text.as_bytes());
    let mut seal = [0; SEAL_BYTES];
    seal.iter_mut().zip(digest.raw()).for_each(|(to, from)| *to = *from);
    seal
}

#[cfg(test)]
mod tests {
    use super::*;

    fn release(package: &str, version: &str) -> ReleaseId {
        ReleaseId { package: PackageId::npm(package).unwrap(), version: Version::parse(version).unwrap() }
    }

    #[test]
    fn reads_what_it_writes_and_needs_no_encoding() {
        let long = format!("@{}/{}", "s".repeat(106), "n".repeat(106));
        for (package, version) in [("left-pad", "1.3.0"), ("@acme/web", "1.0.0-rc.1+build.5"), (&long, &"9".repeat(256))] {
            let cursor = write("held|", &release(package, version));
            assert!(cursor.len() <= CHARS_MAX, "{}", cursor.len());
            assert!(cursor.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_'), "{cursor}");
            assert_eq!(read("held|", &cursor), Ok(release(package, version)));
        }
    }

    #[test]
    fn every_change_of_a_character_is_noticed() {
        let cursor = write("|", &release("left-pad", "1.3.0"));
        for at in 0..cursor.len() {
            let mut changed = cursor.clone().into_bytes();
            changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(changed).unwrap();
            assert!(read("|", &changed).is_err(), "{changed}");
        }
        for cut in ["", "A", "%00", "not a cursor", &cursor[..cursor.len() - 1], &"A".repeat(CHARS_MAX + 4)] {
            assert_eq!(read("|", cut), Err(NotACursor::Broken), "{cut}");
        }
    }

    #[test]
    fn a_cursor_of_another_listing_is_refused() {
        let cursor = write("held|", &release("left-pad", "1.3.0"));
        assert_eq!(read("approved|", &cursor), Err(NotACursor::OfAnotherListing));
    }
}
