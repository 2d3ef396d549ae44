//! Where people read why a release is not served: the address that every refusal ends with.

use percent_encoding::AsciiSet;
use percent_encoding::CONTROLS;
use percent_encoding::utf8_percent_encode;

use crate::model::package::PackageId;
use crate::model::release::ReleaseId;

/// What a version may hold and a path may not.
const NOT_IN_A_PATH: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'%')
    .add(b'<')
    .add(b'>')
    .add(b'?')
    .add(b'\\')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');

/// The page that explains a release. `base`: the client's address of this server, without a trailing slash.
pub fn of_release(base: &str, release: &ReleaseId) -> String {
    let version = utf8_percent_encode(release.version.as_str(), NOT_IN_A_PATH);
    format!("{base}/-/airlock/r/{}@{version}", release.package.name)
}

/// The page of a whole package. No name has a character that would need an escape.
pub fn of_package(base: &str, package: &PackageId) -> String {
    format!("{base}/-/airlock/r/{}", package.name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::package::Version;

    #[test]
    fn a_link_survives_a_hostile_version() {
        let version = Version::parse("1.0.0").unwrap();
        let mut id = ReleaseId { package: PackageId::npm("@acme/web").unwrap(), version };
        assert_eq!(of_release("http://a", &id), "http://a/-/airlock/r/@acme/web@1.0.0");
        id.version = Version::parse("1?x=<\"#%2f+b").unwrap();
        assert_eq!(of_release("http://a", &id), "http://a/-/airlock/r/@acme/web@1%3Fx=%3C%22%23%252f+b");
    }
}
