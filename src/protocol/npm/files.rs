//! What a tarball is called and where it lies: the conventional name, the names upstream's documents use, and the path
//! under an upstream's own base.

use std::collections::HashMap;

use percent_encoding::percent_decode_str;
use url::Url;

use crate::ecosystem::UpstreamPath;
use crate::model::index::Artifact;
use crate::model::package::PackageName;
use crate::model::package::Version;

/// Longest file name that is remembered as an alias, in bytes.
const ALIAS_BYTES_MAX: usize = 512;

/// `web-1.0.0.tgz` for `@acme/web` at `1.0.0+build`: the name without its scope, the version without build metadata.
pub fn conventional(package: &PackageName, version: &Version) -> String {
    let version = version.as_str();
    format!("{}-{}.tgz", package.unscoped(), version.split_once('+').map_or(version, |(plain, _)| plain))
}

/// With build metadata; no other release of the package can have it, as long as versions differ.
fn exact(package: &PackageName, version: &Version) -> String {
    format!("{}-{version}.tgz", package.unscoped())
}

/// Whether a release that is published here may be served under this name.
pub fn is_of(package: &PackageName, version: &Version, file: &str) -> bool {
    file == conventional(package, version) || file == exact(package, version)
}

/// Names every file of a package, one for each `(version, location)` in order: `(file, aliases)`.
///
/// Releases that differ in build metadata only share a conventional name; it is that of the one without any, whatever
/// upstream calls the others. Where all have some it goes to the one that upstream itself calls so, else to the first. The
/// others are served under their exact one. A name that upstream uses for several releases is an alias of none.
pub fn name_all(package: &PackageName, releases: &[(&Version, &str)]) -> Vec<(String, Vec<String>)> {
    let conventional: Vec<String> = releases.iter().map(|(version, _)| conventional(package, version)).collect();
    let upstream: Vec<Option<String>> = releases.iter().map(|(_, location)| last_segment(location)).collect();
    let mut owners: HashMap<&str, usize> = HashMap::with_capacity(releases.len());
    for (at, name) in conventional.iter().enumerate() {
        let owner = owners.entry(name).or_insert(at);
        let claim = |at: usize| {
            let is_plain = releases.get(at).is_some_and(|(version, _)| !version.as_str().contains('+'));
            (is_plain, upstream.get(at).is_some_and(|called| called.as_ref() == Some(name)))
        };
        if claim(at) > claim(*owner) {
            *owner = at;
        }
    }
    let files: Vec<String> = releases
        .iter()
        .zip(&conventional)
        .enumerate()
        .map(|(at, ((version, _), name))| if owners.get(name.as_str()) == Some(&at) { name.clone() } else { exact(package, version) })
        .collect();
    let mut uses: HashMap<&str, usize> = HashMap::with_capacity(releases.len());
    for name in upstream.iter().flatten() {
        *uses.entry(name).or_default() += 1;
    }
    let taken: std::collections::HashSet<&str> = files.iter().map(String::as_str).collect();
    let free = |name: &&String| uses.get(name.as_str()) == Some(&1) && !taken.contains(name.as_str());
    let aliases: Vec<Vec<String>> = upstream.iter().map(|name| name.as_ref().filter(free).cloned().into_iter().collect()).collect();
    files.into_iter().zip(aliases).collect()
}

/// The last segment of where a document says a file lies, decoded once: what clients of that document ask for.
fn last_segment(location: &str) -> Option<String> {
    let path = location.split(['?', '#']).next().unwrap_or(location);
    let segment = path.rsplit('/').next().unwrap_or(path);
    let name = percent_decode_str(segment).decode_utf8().ok()?;
    let is_place = name == "." || name == ".." || name.contains(['/', '\\']);
    let is_name = !name.is_empty() && name.len() <= ALIAS_BYTES_MAX && !is_place && !name.chars().any(char::is_control);
    is_name.then(|| name.into_owned())
}

/// Where an artifact lies under an upstream's own base, percent-encoded.
///
/// Mirrors publish locations on foreign hosts, and with the prefixes of foreign mounts. From a location in one of the
/// registry's shapes the part from the package's name on is taken; from any other its path as it is; from one that is
/// no web address nothing, and the conventional path is returned.
pub fn locate(package: &PackageName, artifact: &Artifact) -> UpstreamPath {
    let conventional = || format!("{package}/-/{}", artifact.file);
    let Some(url) = Url::parse(&artifact.location).ok().filter(|url| matches!(url.scheme(), "http" | "https")) else {
        return UpstreamPath(conventional());
    };
    let path = url.path();
    let spellings = [package.as_str().to_owned(), package.as_str().replace('/', "%2f"), package.as_str().replace('/', "%2F")];
    let registry_shaped = spellings.iter().find_map(|name| {
        let at = path.find(&format!("/{name}/-/"))?;
        path.get(at + 1..)
    });
    let found = registry_shaped.unwrap_or_else(|| path.trim_start_matches('/'));
    if found.is_empty() { UpstreamPath(conventional()) } else { UpstreamPath(found.to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::digest::Integrity;

    fn package(name: &str) -> PackageName {
        PackageName::npm(name).unwrap()
    }

    #[track_caller]
    fn named(name: &str, releases: &[(&str, &str)], expect: &[(&str, &[&str])]) {
        let versions: Vec<Version> = releases.iter().map(|(version, _)| Version::parse(version).unwrap()).collect();
        let asked: Vec<(&Version, &str)> = versions.iter().zip(releases).map(|(version, (_, location))| (version, *location)).collect();
        let found = name_all(&package(name), &asked);
        let found: Vec<(&str, Vec<&str>)> =
            found.iter().map(|(file, aliases)| (file.as_str(), aliases.iter().map(String::as_str).collect())).collect();
        let expect: Vec<(&str, Vec<&str>)> = expect.iter().map(|(file, aliases)| (*file, aliases.to_vec())).collect();
        assert_eq!(found, expect);
    }

    #[test]
    fn files_have_conventional_names_and_upstreams_as_alias() {
        named("left-pad", &[("1.0.0", "https://registry.example/left-pad/-/left-pad-1.0.0.tgz")], &[("left-pad-1.0.0.tgz", &[])]);
        named("@acme/web", &[("1.0.0", "https://registry.example/@acme/web/-/web-1.0.0.tgz")], &[("web-1.0.0.tgz", &[])]);
        named(
            "esprima-fb",
            &[("3001.1.0-dev", "https://registry.example/esprima-fb/-/esprima-fb-3001.0001.0000-dev.tgz?x=1#y")],
            &[("esprima-fb-3001.1.0-dev.tgz", &["esprima-fb-3001.0001.0000-dev.tgz"])],
        );
        named("x", &[("1.0.0+a", "https://registry.example/x/-/x-1.0.0%2Ba.tgz")], &[("x-1.0.0.tgz", &["x-1.0.0+a.tgz"])]);
    }

    #[test]
    fn a_name_belongs_to_one_release() {
        named(
            "x",
            &[("1.0.0+a", "https://registry.example/x/-/x-1.0.0-a.tgz"), ("1.0.0+b", "https://registry.example/x/-/x-1.0.0.tgz")],
            &[("x-1.0.0+a.tgz", &["x-1.0.0-a.tgz"]), ("x-1.0.0.tgz", &[])],
        );
        named(
            "x",
            &[("1.0.0", "https://registry.example/dl/1/package.tgz"), ("2.0.0", "https://registry.example/dl/2/package.tgz")],
            &[("x-1.0.0.tgz", &[]), ("x-2.0.0.tgz", &[])],
        );
        named(
            "x",
            &[("1.0.0", "https://registry.example/x/-/x-2.0.0.tgz"), ("2.0.0", "https://registry.example/x/-/x-2.tgz")],
            &[("x-1.0.0.tgz", &[]), ("x-2.0.0.tgz", &["x-2.tgz"])],
        );
        for plain in ["https://registry.example/x/-/x-1.tgz", "https://registry.example/x/-/x-1.0.0.tgz"] {
            let alias: &[&str] = if plain.ends_with("x-1.tgz") { &["x-1.tgz"] } else { &[] };
            named(
                "x",
                &[("1.0.0+evil", "https://registry.example/x/-/x-1.0.0.tgz"), ("1.0.0", plain)],
                &[("x-1.0.0+evil.tgz", &[]), ("x-1.0.0.tgz", alias)],
            );
        }
        named("x", &[("1.0.0+a", ""), ("1.0.0+b", "..%2f..")], &[("x-1.0.0.tgz", &[]), ("x-1.0.0+b.tgz", &[])]);
    }

    #[test]
    fn an_artifact_lies_under_the_upstreams_own_base() {
        #[track_caller]
        fn check(name: &str, location: &str, expect: &str) {
            let artifact = Artifact {
                file: "web-1.0.0.tgz".to_owned(),
                aliases: Vec::new(),
                location: location.to_owned(),
                integrity: Integrity::default(),
            };
            assert_eq!(locate(&package(name), &artifact).0, expect);
        }
        check("web", "https://registry.example/web/-/web-1.0.tgz", "web/-/web-1.0.tgz");
        check("web", "http://mirror.example/api/npm/web/-/web-1.0.tgz?sig=1", "web/-/web-1.0.tgz");
        check("@acme/web", "https://registry.example/@acme/web/-/web-1.0.tgz", "@acme/web/-/web-1.0.tgz");
        check("@acme/web", "https://registry.example/@acme%2fweb/-/web-1.0.tgz", "@acme%2fweb/-/web-1.0.tgz");
        check("web", "https://files.example/blobs/0a/1b.tgz", "blobs/0a/1b.tgz");
        check("web", "https://files.example/a/../../../web/-/x.tgz", "web/-/x.tgz");
        for odd in ["", "web-1.0.tgz", "file:///etc/passwd", "https://files.example", "git+ssh://git@host.example/web/-/x"] {
            check("web", odd, "web/-/web-1.0.0.tgz");
        }
    }
}
