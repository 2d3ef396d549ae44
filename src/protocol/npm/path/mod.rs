//! What a request path asks for. Paths are read raw: split at slashes first, then each segment decoded exactly once, so
//! that no spelling reaches another package than the one it names. Nothing is normalised and nothing is redirected.

pub mod own;

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

use crate::model::package::NotAName;
use crate::model::package::PackageName;
use crate::protocol::npm::path::own::Own;

/// Longest raw path that is read, in bytes.
pub const PATH_BYTES_MAX: usize = 2_048;

/// Longest file name, version or tag that is looked for, in bytes, decoded.
pub const WANTED_BYTES_MAX: usize = 512;

/// Segments that are looked at: one more than the longest path has that is served, so that what is longer is none.
const SEGMENTS_MAX: usize = 8;

/// What the registry is asked for, by the path alone.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Target {
    Packument(PackageName),
    /// One document: `/left-pad/1.3.0`, `/left-pad/latest`.
    VersionOrTag {
        package: PackageName,
        wanted: String,
    },
    Tarball(TarballName),
    /// A packument as the client saw it, to be changed: `/left-pad/-rev/1-ab`.
    Revision {
        package: PackageName,
        revision: String,
    },
    /// A file of a packument as the client saw it, to be taken away.
    TarballRevision {
        tarball: TarballName,
        revision: String,
    },
    /// The registry's own, under `/-/`.
    Own(Own),
    /// A path that this dialect does not serve.
    NotServed,
}

/// A tarball as its path names it. Which release it belongs to, only the index can say.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TarballName {
    pub package: PackageName,
    /// The last segment, decoded, without a scope.
    pub file: String,
}

/// Why a path is no question at all.
#[derive(PartialEq, Eq, Debug, thiserror::Error)]
pub enum BadPath {
    #[error("the path is longer than {max} bytes")]
    TooLong { max: usize },
    #[error("the path is not well encoded: {0}")]
    Encoding(&'static str),
    #[error(transparent)]
    Name(#[from] NotAName),
}

/// Reads `raw`, the path of a request as it came, undecoded and without its query.
///
/// A scoped name may come in all four spellings, `@scope/name`, `@scope%2fname`, `@scope%2Fname` and `%40scope…`; a
/// tarball also as clients publish it, `/@scope/name/-/@scope/name-1.0.0.tgz`. `/-/…` is never a package.
pub fn parse(raw: &str) -> Result<Target, BadPath> {
    if raw.len() > PATH_BYTES_MAX {
        return Err(BadPath::TooLong { max: PATH_BYTES_MAX });
    }
    let Some(rest) = raw.strip_prefix('/') else {
        return Err(BadPath::Encoding("it does not start with a slash"));
    };
    if rest.is_empty() {
        return Ok(Target::NotServed);
    }
    let mut decoded = [const { Cow::Borrowed("") }; SEGMENTS_MAX];
    let mut segments = [""; SEGMENTS_MAX];
    match cut(rest, &mut decoded, &mut segments)? {
        ["-", _, ..] => {
            let own = rest.split_once('/').map_or("", |(_, own)| own);
            Ok(own::parse(own)?.map_or(Target::NotServed, Target::Own))
        }
        segments => {
            let (package, rest) = leading_name(segments)?;
            Ok(of_package(package, rest))
        }
    }
}

/// The segments of `raw`, each decoded once, as far as there is room; what follows is read all the same.
fn cut<'d, 's, const N: usize>(
    raw: &'s str,
    decoded: &'d mut [Cow<'s, str>; N],
    segments: &'d mut [&'d str; N],
) -> Result<&'d [&'d str], BadPath> {
    let mut count = 0;
    for segment in raw.split('/') {
        let segment = decode(segment)?;
        if let Some(place) = decoded.get_mut(count) {
            *place = segment;
            count += 1;
        }
    }
    for (segment, decoded) in segments.iter_mut().zip(&decoded[..count]) {
        *segment = decoded;
    }
    Ok(&segments[..count])
}

/// A package's name at the head of `segments`, which takes one of them, or two when it has a scope with a plain slash.
fn leading_name<'s, 't>(segments: &'s [&'t str]) -> Result<(PackageName, &'s [&'t str]), BadPath> {
    match segments {
        [scope, name, rest @ ..] if scope.starts_with('@') && !scope.contains('/') => {
            Ok((PackageName::npm(&format!("{scope}/{name}"))?, rest))
        }
        [name, rest @ ..] => Ok((PackageName::npm(name)?, rest)),
        [] => Err(BadPath::Name(NotAName::Empty)),
    }
}

fn of_package(package: PackageName, rest: &[&str]) -> Target {
    match rest {
        [] => Target::Packument(package),
        ["-", file] => tarball(package, file).map_or(Target::NotServed, Target::Tarball),
        ["-", scope, file] if package.scope() == Some(scope) => tarball(package, file).map_or(Target::NotServed, Target::Tarball),
        ["-rev", revision] if is_plain(revision) => Target::Revision { package, revision: (*revision).to_owned() },
        ["-", file, "-rev", revision] => tarball_revision(package, file, revision),
        ["-", scope, file, "-rev", revision] if package.scope() == Some(scope) => tarball_revision(package, file, revision),
        [wanted] if *wanted != "-" && is_plain(wanted) => Target::VersionOrTag { package, wanted: (*wanted).to_owned() },
        _ => Target::NotServed,
    }
}

fn tarball_revision(package: PackageName, file: &str, revision: &str) -> Target {
    match tarball(package, file) {
        Some(tarball) if is_plain(revision) => Target::TarballRevision { tarball, revision: revision.to_owned() },
        Some(_) | None => Target::NotServed,
    }
}

fn tarball(package: PackageName, file: &str) -> Option<TarballName> {
    let inside_scope = match (package.scope(), file.split_once('/')) {
        (Some(scope), Some((before, after))) if scope == before => after,
        _ => file,
    };
    is_plain(inside_scope).then(|| TarballName { package, file: inside_scope.to_owned() })
}

/// Whether this can be a file name, a version or a tag: something to look up by, never a place.
fn is_plain(text: &str) -> bool {
    let is_place = text == "." || text == ".." || text.contains(['/', '\\']);
    !text.is_empty() && text.len() <= WANTED_BYTES_MAX && !is_place && !text.chars().any(char::is_control)
}

/// Decodes one segment once. A percent sign without two hexadecimal digits is an error, and so is anything that is not
/// UTF-8, which overlong forms are not.
fn decode(segment: &str) -> Result<Cow<'_, str>, BadPath> {
    let bytes = segment.as_bytes();
    if memchr::memchr(b'%', bytes).is_none() {
        return Ok(Cow::Borrowed(segment));
    }
    let broken = memchr::memchr_iter(b'%', bytes)
        .any(|at| !bytes.get(at + 1..at + 3).is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit)));
    if broken {
        return Err(BadPath::Encoding("a percent sign is not followed by two hexadecimal digits"));
    }
    match percent_decode_str(segment).decode_utf8() {
        Ok(text) => Ok(text),
        Err(_) => Err(BadPath::Encoding("it is not UTF-8")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> PackageName {
        PackageName::npm(text).unwrap()
    }

    #[track_caller]
    fn check(raw: &str, expect: Target) {
        assert_eq!(parse(raw), Ok(expect), "{raw}");
    }

    #[track_caller]
    fn refused(raw: &str, why: &str) {
        assert_eq!(parse(raw).unwrap_err().to_string(), why, "{raw}");
    }

    fn packument(text: &str) -> Target {
        Target::Packument(name(text))
    }

    fn tarball(package: &str, file: &str) -> Target {
        Target::Tarball(TarballName { package: name(package), file: file.to_owned() })
    }

    fn wanted(package: &str, wanted: &str) -> Target {
        Target::VersionOrTag { package: name(package), wanted: wanted.to_owned() }
    }

    #[test]
    fn a_scoped_name_has_four_spellings() {
        for raw in ["/@acme%2fweb", "/@acme%2Fweb", "/@acme/web", "/%40acme%2fweb", "/%40acme/web"] {
            check(raw, packument("@acme/web"));
        }
    }

    #[test]
    fn odd_names_are_names() {
        for odd in ["left-pad", "JSONStream", "con", "nul", "-", "--", "-x", "a.b~c", "lodash.merge"] {
            check(&format!("/{odd}"), packument(odd));
        }
        check("/l%65ft-pad", packument("left-pad"));
        assert_ne!(parse("/jsonstream"), parse("/JSONStream"));
    }

    #[test]
    fn a_tarball_has_three_shapes() {
        check("/left-pad/-/left-pad-1.3.0.tgz", tarball("left-pad", "left-pad-1.3.0.tgz"));
        for raw in [
            "/@acme/web/-/web-1.0.0.tgz",
            "/@acme%2fweb/-/web-1.0.0.tgz",
            "/%40acme%2Fweb/-/web-1.0.0.tgz",
            "/@acme/web/-/@acme/web-1.0.0.tgz",
            "/@acme%2fweb/-/@acme%2fweb-1.0.0.tgz",
        ] {
            check(raw, tarball("@acme/web", "web-1.0.0.tgz"));
        }
        check("/@acme/web/-/@evil/web-1.0.0.tgz", Target::NotServed);
        check("/@acme/web/-/@evil%2fweb-1.0.0.tgz", Target::NotServed);
        check("/web/-/@acme/web-1.0.0.tgz", Target::NotServed);
        check("/x/-/x-1.0.0%2Bbuild.tgz", tarball("x", "x-1.0.0+build.tgz"));
        check("/x/-/x-1.0.0+build.tgz", tarball("x", "x-1.0.0+build.tgz"));
    }

    #[test]
    fn a_revision_is_of_a_package_or_of_its_file() {
        for raw in ["/@acme/web/-rev/1-ab", "/@acme%2fweb/-rev/1-ab"] {
            check(raw, Target::Revision { package: name("@acme/web"), revision: "1-ab".to_owned() });
        }
        let of_file = |raw: &str, package: &str, file: &str| {
            let tarball = TarballName { package: name(package), file: file.to_owned() };
            check(raw, Target::TarballRevision { tarball, revision: "1-ab".to_owned() });
        };
        of_file("/left-pad/-/left-pad-1.3.0.tgz/-rev/1-ab", "left-pad", "left-pad-1.3.0.tgz");
        of_file("/@acme/web/-/web-1.0.0.tgz/-rev/1-ab", "@acme/web", "web-1.0.0.tgz");
        of_file("/@acme/web/-/@acme/web-1.0.0.tgz/-rev/1-ab", "@acme/web", "web-1.0.0.tgz");
    }

    #[test]
    fn one_document_of_a_package() {
        check("/left-pad/1.3.0", wanted("left-pad", "1.3.0"));
        check("/left-pad/latest", wanted("left-pad", "latest"));
        check("/@yarnpkg/cli-dist/4.5.0", wanted("@yarnpkg/cli-dist", "4.5.0"));
        check("/@yarnpkg%2fcli-dist/next", wanted("@yarnpkg/cli-dist", "next"));
        check("/x/1.0.0%2Bbuild", wanted("x", "1.0.0+build"));
    }

    #[test]
    fn the_registrys_own_space_is_never_a_package() {
        check("/-/ping", Target::Own(Own::Ping));
        check("/%2d/ping", Target::Own(Own::Ping));
        check("/-/package/left-pad/dist-tags", Target::Own(Own::DistTags(name("left-pad"))));
        for raw in ["/-/package/@acme%2fweb/dist-tags", "/-/package/@acme/web/dist-tags", "/-/package/%40acme%2Fweb/dist-tags"] {
            check(raw, Target::Own(Own::DistTags(name("@acme/web"))));
        }
        for raw in ["/-/", "/-/airlock/livez", "/-/package", "/-/package/x", "/%2d/x", "/-/-/--0.0.1.tgz", "/-/1.0.0"] {
            check(raw, Target::NotServed);
        }
        refused("/-/package/..%2fx/dist-tags", "\"../x\" is not a package name: it starts with a dot or an underscore");
    }

    #[test]
    fn what_is_no_name_is_refused_in_words() {
        refused("/..%2fetc", "\"../etc\" is not a package name: it starts with a dot or an underscore");
        refused("/%252e%252e", "\"%2e%2e\" is not a package name: only letters, digits and -_.!~*'() are allowed");
        refused("/@a/../b", "\"@a/..\" is not a package name: it starts with a dot or an underscore");
        refused("/@a%2f..", "\"@a/..\" is not a package name: it starts with a dot or an underscore");
        refused("/@a%2f..%2fb", "\"@a/../b\" is not a package name: it starts with a dot or an underscore");
        refused("/x%00y", "\"x\\0y\" is not a package name: only letters, digits and -_.!~*'() are allowed");
        refused("/a%2fb", "\"a/b\" is not a package name: only letters, digits and -_.!~*'() are allowed");
        refused("/a%5cb", "\"a\\\\b\" is not a package name: only letters, digits and -_.!~*'() are allowed");
        refused("/@acme", "\"@acme\" is not a package name: a scope is followed by a slash and a name");
        refused("/@acme%252fweb", "\"@acme%2fweb\" is not a package name: a scope is followed by a slash and a name");
        refused("//left-pad", "the name is empty");
        refused("/@acme//web", "\"@acme/\" is not a package name: a part of it is empty");
        refused("/%c0%af", "the path is not well encoded: it is not UTF-8");
        refused("/%c0%ae%c0%ae", "the path is not well encoded: it is not UTF-8");
        refused("/x%", "the path is not well encoded: a percent sign is not followed by two hexadecimal digits");
        refused("/x%2", "the path is not well encoded: a percent sign is not followed by two hexadecimal digits");
        refused("/x%zz", "the path is not well encoded: a percent sign is not followed by two hexadecimal digits");
        refused("/l%d0%bedash", "\"l\u{43e}dash\" is not a package name: only letters, digits and -_.!~*'() are allowed");
        refused(&format!("/{}", "a".repeat(215)), "the name is longer than 214 bytes");
        refused(&format!("/{}", "a".repeat(4_096)), "the path is longer than 2048 bytes");
        refused("*", "the path is not well encoded: it does not start with a slash");
    }

    #[test]
    fn slashes_are_not_mended_and_places_are_not_files() {
        for raw in [
            "/",
            "/left-pad/",
            "/left-pad//-/left-pad-1.3.0.tgz",
            "/left-pad/-",
            "/left-pad/-/",
            "/left-pad/-//x.tgz",
            "/left-pad/-/..",
            "/left-pad/-/..%2fx.tgz",
            "/left-pad/-/a%2fx.tgz",
            "/left-pad/-/a%5cx.tgz",
            "/left-pad/-/x%00.tgz",
            "/left-pad/-/x.tgz/-rev/",
            "/left-pad/-/x.tgz/-rev",
            "/left-pad/-/x.tgz/-rev/1/2",
            "/left-pad/-/x.tgz/-rev/a%2fb",
            "/left-pad/-/a%2fx.tgz/-rev/1",
            "/left-pad/-rev/",
            "/left-pad/-rev/..",
            "/left-pad/-rev/1/2",
            "/@acme/web/-/@evil/web-1.0.0.tgz/-rev/1",
            "/@acme/web/-/@acme/web-1.0.0.tgz/-rev/1/2",
            "/left-pad/..",
            "/left-pad/1.0.0%2f..",
        ] {
            check(raw, Target::NotServed);
        }
        check("/left-pad/-/%252e%252e", tarball("left-pad", "%2e%2e"));
    }
}
