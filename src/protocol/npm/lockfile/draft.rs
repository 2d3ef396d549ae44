//! What all readers of lockfiles share: entries as they are gathered, within bounds, and what an address or a wanted range is.

use url::Url;

use crate::ecosystem::tree::Fault;
use crate::ecosystem::tree::Lines;
use crate::model::digest::Integrity;
use crate::model::finding::printable;
use crate::model::lockfile::By;
use crate::model::lockfile::LOCKED_MAX;
use crate::model::lockfile::Locked;
use crate::model::lockfile::Lockfile;
use crate::model::lockfile::Source;
use crate::model::lockfile::Stated;
use crate::model::lockfile::WANTS_MAX;
use crate::model::lockfile::Want;
use crate::model::lockfile::WantKind;
use crate::model::package::PackageId;
use crate::model::package::Version;
use crate::model::release::ReleaseId;
use crate::protocol::npm::claims::is_exotic;
use crate::protocol::npm::integrity;
use crate::protocol::npm::lockfile::rewrite::Spot;

/// Longest name, version and address that is told, in bytes.
const TOLD_BYTES_MAX: usize = 512;
/// Longest range that is kept, in bytes; of a longer one it is as if the lockfile did not tell it.
const RANGE_BYTES_MAX: usize = 1_024;

/// The host of npm's public registry, in parts, for no registry's name stands in a file: for it alone npm asks the registry
/// that it is configured with instead. Source: npm's `replace-registry-host`, whose default it is.
const PUBLIC_HOST: [&str; 2] = ["registry.npm", "js.org"];

/// A lockfile that is being read.
pub struct Draft<'t> {
    lines: Lines<'t>,
    entries: Vec<Locked>,
    projects: Vec<String>,
    wants: usize,
    /// Addresses, with the entry that each is of; none of what is written twice.
    spots: Vec<(Option<usize>, Spot)>,
}

/// What a reader makes of a lockfile: the lockfile, and where its addresses of a registry's files stand.
pub type Read = (Lockfile, Vec<Spot>);

impl<'t> Draft<'t> {
    pub fn new(text: &'t str) -> Draft<'t> {
        Draft { lines: Lines::new(text), entries: Vec::new(), projects: Vec::new(), wants: 0, spots: Vec::new() }
    }

    pub fn fault(&self, at: usize, why: impl Into<String>) -> Fault {
        self.lines.fault(at, why)
    }

    /// Adds a project, by its folder.
    pub fn project(&mut self, at: usize, folder: &str) -> Result<By, Fault> {
        if self.projects.len() == LOCKED_MAX {
            return Err(self.fault(at, format!("more than {LOCKED_MAX} projects")));
        }
        let folder = if folder == "." { "" } else { folder };
        self.projects.push(printable(folder, TOLD_BYTES_MAX));
        Ok(By::Project(self.projects.len() - 1))
    }

    /// Adds an entry. Its place is what wants name it by.
    pub fn add(&mut self, at: usize, name: &str, version: &str, source: Source, stated: Stated) -> Result<usize, Fault> {
        if self.entries.len() == LOCKED_MAX {
            return Err(self.fault(at, format!("more than {LOCKED_MAX} entries")));
        }
        self.entries.push(Locked {
            name: printable(name, TOLD_BYTES_MAX),
            version: printable(version, TOLD_BYTES_MAX),
            alias: None,
            source,
            stated,
            line: self.lines.of(at),
            wants: Vec::new(),
            dev: false,
            optional: false,
            peer: false,
        });
        Ok(self.entries.len() - 1)
    }

    /// The entry at a place that `add` gave.
    pub fn entry(&mut self, place: usize) -> Option<&mut Locked> {
        self.entries.get_mut(place)
    }

    pub fn alias(&mut self, place: usize, alias: &str) {
        if let Some(entry) = self.entries.get_mut(place)
            && entry.name != alias
        {
            entry.alias = Some(printable(alias, TOLD_BYTES_MAX));
        }
    }

    pub fn want(&mut self, place: usize, at: usize, want: Want) -> Result<(), Fault> {
        self.wants += 1;
        if self.wants > WANTS_MAX {
            return Err(self.fault(at, format!("more than {WANTS_MAX} dependencies")));
        }
        if let Some(entry) = self.entries.get_mut(place) {
            entry.wants.push(want);
        }
        Ok(())
    }

    /// A release of a registry, by the name and version that stand at `at`.
    pub fn release(&self, at: usize, name: &str, version: &str) -> Result<ReleaseId, Fault> {
        let package = PackageId::npm(name).map_err(|error| self.fault(at, printable(&error.to_string(), TOLD_BYTES_MAX)))?;
        let version = Version::parse(version).map_err(|error| self.fault(at, printable(&format!("of {name}: {error}"), TOLD_BYTES_MAX)))?;
        Ok(ReleaseId { package, version })
    }

    /// What is wanted by its address is no registry's, whatever its entry looks like.
    pub fn is_wanted_by_address(&mut self, place: usize) {
        if let Some(entry) = self.entries.get_mut(place)
            && let Source::Registry { address: Some(address), .. } = &entry.source
        {
            entry.source = Source::Elsewhere { address: address.clone() };
        }
    }

    /// Notes where the address of a registry's file stands.
    pub fn spot(&mut self, place: Option<usize>, spot: Spot) {
        self.spots.push((place, spot));
    }

    pub fn finish(self, format: &'static str, edition: &str) -> Read {
        let entries = self.entries;
        let is_registrys = |place: Option<usize>| match place.and_then(|place| entries.get(place)).map(|entry| &entry.source) {
            Some(Source::Registry { .. } | Source::Beneath { .. } | Source::Bundled { .. }) | None => true,
            Some(Source::Elsewhere { .. } | Source::Local) => false,
        };
        let spots = self.spots.into_iter().filter(|(place, _)| is_registrys(*place)).map(|(_, spot)| spot).collect();
        (Lockfile { format, edition: printable(edition, TOLD_BYTES_MAX), projects: self.projects, entries }, spots)
    }

    /// As [`Draft::finish`], for formats that do not say of an entry what it is for: it is for developing, or optional, if nothing
    /// else wants it.
    pub fn finish_with_purposes(mut self, format: &'static str, edition: &str) -> Read {
        let used = reached(&self.entries, |want| want.kind != WantKind::Dev || !matches!(want.by, By::Project(_)));
        let needed = reached(&self.entries, |want| want.kind != WantKind::Optional);
        for ((entry, used), needed) in self.entries.iter_mut().zip(used).zip(needed) {
            let is_wanted = !entry.wants.is_empty();
            entry.dev |= is_wanted && !used;
            entry.optional |= is_wanted && !needed;
        }
        self.finish(format, edition)
    }
}

/// Which entries the project reaches over wants that count.
fn reached(entries: &[Locked], counts: impl Fn(&Want) -> bool) -> Vec<bool> {
    let mut wanted_by: Vec<Vec<usize>> = vec![Vec::new(); entries.len()];
    let mut reached = vec![false; entries.len()];
    let mut next = Vec::new();
    for (at, entry) in entries.iter().enumerate() {
        for want in entry.wants.iter().filter(|want| counts(want)) {
            match want.by {
                By::Entry(by) => wanted_by.get_mut(by).into_iter().for_each(|wants| wants.push(at)),
                By::Project(_) | By::Unknown => next.push(at),
            }
        }
    }
    while let Some(at) = next.pop() {
        if let Some(is_reached) = reached.get_mut(at).filter(|is_reached| !**is_reached) {
            *is_reached = true;
            next.extend(wanted_by.get(at).into_iter().flatten());
        }
    }
    reached
}

/// What kind of place an address names.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Place {
    /// A file at a web address.
    Web,
    /// The project's own disk.
    Local,
    /// A repository, or something that is not known.
    Other,
}

pub fn place_of(address: &str) -> Place {
    const LOCAL: [&str; 8] = ["file:", "link:", "portal:", "workspace:", "./", "../", "/", "~/"];
    let begins = |start: &str| address.get(..start.len()).is_some_and(|head| head.eq_ignore_ascii_case(start));
    if LOCAL.into_iter().any(begins) {
        return Place::Local;
    }
    let is_web = begins("http://") || begins("https://");
    let path = address.split(['#', '?']).next().unwrap_or(address);
    if is_web && !path.ends_with(".git") { Place::Web } else { Place::Other }
}

/// The path at which npm asks the registry that it is configured with, for an address of the host that it replaces.
pub fn replaced_by_npm(address: &str) -> Option<String> {
    Url::parse(address).ok().filter(|url| url.host_str() == Some(&*PUBLIC_HOST.concat())).map(|url| url.path().to_owned())
}

/// What is stated of bytes: `integrity` in the W3C's form, and a SHA-1 besides.
pub fn stated(integrity: Option<&str>, sha1: Option<&str>) -> Stated {
    match integrity::stated(integrity, sha1) {
        nothing if nothing == Integrity::default() => Stated::Nothing,
        some => Stated::Integrity(some),
    }
}

/// What stands where a range belongs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Wanted<'w> {
    /// The package that it speaks of, where that is another than its key says.
    pub target: Option<&'w str>,
    /// None of what no registry serves.
    pub range: Option<&'w str>,
}

pub fn wanted(text: &str) -> Wanted<'_> {
    let text = text.trim();
    if let Some(target) = text.strip_prefix("npm:") {
        // `npm:left@^1`, `npm:@acme/left@^1`, and yarn's `npm:^1`.
        return match split_at(target) {
            Some((name, range)) if !name.is_empty() => Wanted { target: Some(name), range: kept(range) },
            Some(_) | None if target.starts_with('@') => Wanted { target: Some(target), range: Some("*") },
            Some(_) | None => Wanted { target: None, range: kept(target) },
        };
    }
    Wanted { target: None, range: Some(text).filter(|text| !is_exotic(text)).and_then(kept) }
}

fn kept(range: &str) -> Option<&str> {
    (range.len() <= RANGE_BYTES_MAX).then_some(range)
}

/// `left` and `^1` of `left@^1`: a name has no other `@` than its first character.
pub fn split_at(text: &str) -> Option<(&str, &str)> {
    let at = text.char_indices().skip(1).find(|(_, c)| *c == '@').map(|(at, _)| at)?;
    Some((text.get(..at)?, text.get(at + 1..)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_of_the_web_of_the_disk_or_of_elsewhere() {
        for (address, expect) in [
            ("https://h.example/a/-/a-1.0.0.tgz", Place::Web),
            ("HTTP://h.example/a.tgz#0123", Place::Web),
            ("https://h.example/a.git#0123", Place::Other),
            ("git+https://h.example/a.tgz", Place::Other),
            ("git@h.example:a/b.git", Place::Other),
            ("github:a/b", Place::Other),
            ("file:../a", Place::Local),
            ("link:../a", Place::Local),
            ("../a.tgz", Place::Local),
            ("workspace:*", Place::Local),
            ("ftp://h.example/a.tgz", Place::Other),
            ("", Place::Other),
        ] {
            assert_eq!(place_of(address), expect, "{address}");
        }
    }

    #[test]
    fn what_is_wanted() {
        for (text, target, range) in [
            ("^1.0.0", None, Some("^1.0.0")),
            (" 1 || 2 ", None, Some("1 || 2")),
            ("latest", None, Some("latest")),
            ("npm:left@^1", Some("left"), Some("^1")),
            ("npm:@acme/left@1.x", Some("@acme/left"), Some("1.x")),
            ("npm:@acme/left", Some("@acme/left"), Some("*")),
            ("npm:^1.0.0", None, Some("^1.0.0")),
            ("git+https://h.example/a.git", None, None),
            ("file:../a", None, None),
            ("workspace:^", None, None),
            ("a/b", None, None),
        ] {
            assert_eq!(wanted(text), Wanted { target, range }, "{text}");
        }
        assert_eq!(wanted(&"1".repeat(2_000)).range, None);
    }

    #[test]
    fn only_the_public_registrys_host_is_replaced() {
        let public = PUBLIC_HOST.concat();
        for address in [format!("https://{public}/a/-/a-1.0.0.tgz"), format!("http://{public}:80/x/../a/-/a-1.0.0.tgz?x#y")] {
            assert_eq!(replaced_by_npm(&address).as_deref(), Some("/a/-/a-1.0.0.tgz"), "{address}");
        }
        for other in [
            "https://registry.example/a.tgz",
            &format!("https://{public}.evil.example/a.tgz"),
            &format!("https://evil.example/{public}/a"),
            "x",
        ] {
            assert_eq!(replaced_by_npm(other), None, "{other}");
        }
    }
}
