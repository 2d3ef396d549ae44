//! What becomes of each entry of a lockfile, and of the whole. Pure: it is told what is known of the releases.

use std::collections::HashMap;

use url::Url;

use crate::ecosystem::Ecosystem;
use crate::model::digest::Digest;
use crate::model::digest::Integrity;
use crate::model::lockfile::Locked;
use crate::model::lockfile::Lockfile;
use crate::model::lockfile::Source;
use crate::model::lockfile::Stated;
use crate::model::package::PackageId;
use crate::model::package::Version;
use crate::model::release::ReleaseId;
use crate::model::standing::Standing;
use crate::model::time::Timestamp;

/// In one word.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Word {
    /// It is served.
    Allowed,
    /// It waits: for its time, for people, or for as long as something holds it.
    Held,
    /// People or policy rejected it, or took it back.
    Denied,
    /// Nobody knows it, or upstream does not answer.
    Unknown,
    /// It is not fetched from here, so no gate sees it.
    Elsewhere,
    /// Of the project itself.
    Local,
    /// Inside another package, and inspected with it.
    Bundled,
}

impl Word {
    pub const ALL: [Word; 7] = [Word::Allowed, Word::Held, Word::Denied, Word::Unknown, Word::Elsewhere, Word::Local, Word::Bundled];

    /// Whether an install goes past it.
    pub const fn is_green(self) -> bool {
        match self {
            Word::Allowed | Word::Local | Word::Bundled => true,
            Word::Held | Word::Denied | Word::Unknown | Word::Elsewhere => false,
        }
    }
}

/// What is known here of a release.
#[derive(Clone, PartialEq, Debug)]
pub struct Told {
    pub standing: Standing,
    /// It does not stand open and is served all the same, because policy only observes.
    pub observed: bool,
    pub opens_at: Option<Timestamp>,
    /// The one wording.
    pub sentence: String,
    /// As its index states it.
    pub integrity: Integrity,
    /// Of the bytes it stands for.
    pub digest: Option<Digest>,
}

/// What is known of everything that a lockfile names.
#[derive(Clone, Debug, Default)]
pub struct Book {
    pub releases: HashMap<ReleaseId, Told>,
    /// Packages of which nothing could be learned, and why.
    pub silent: HashMap<PackageId, String>,
    /// Which release a file is of.
    pub files: HashMap<(PackageId, String), Version>,
}

/// How what the lockfile says of the bytes compares with what is known of them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Compared {
    Agrees,
    /// With both.
    Differs {
        stated: String,
        ours: String,
    },
    Unstated,
    NotComparable(&'static str),
}

#[derive(Clone, PartialEq, Debug)]
pub struct Judged {
    pub word: Word,
    /// The release that it was judged as; not always the one that it says it is.
    pub release: Option<ReleaseId>,
    pub standing: Option<Standing>,
    /// It is judged as it would be if policy were enforced, and is served because policy only observes.
    pub observed: bool,
    pub opens_at: Option<Timestamp>,
    /// Why it is not simply allowed.
    pub sentence: Option<String>,
    pub integrity: Compared,
}

/// What stands between the lockfile and an install.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Waiting {
    /// Nothing: it is green.
    Nothing,
    /// Time alone; until then.
    Until(Timestamp),
    /// Somebody has to decide or change something.
    Somebody,
}

const OTHER_HASH: &str = "this registry knows a hash of another kind";
const UNREADABLE: &str = "what it states cannot be read";
const UNKNOWN_HERE: &str = "nothing is known here to compare it with";

/// The place under this registry's base that an address is of, without a leading slash.
pub fn path_here<'a>(address: &'a Url, base: &Url) -> Option<&'a str> {
    let is_same = address.scheme() == base.scheme()
        && address.host() == base.host()
        && address.port_or_known_default() == base.port_or_known_default();
    let path = address.path().strip_prefix(base.path().trim_end_matches('/'))?.strip_prefix('/')?;
    is_same.then_some(path)
}

/// The package and file of this registry that an address is of. `base` without a slash at its end.
pub fn file_here(address: &str, base: &str, ecosystem: &dyn Ecosystem) -> Option<(PackageId, String)> {
    let (address, base) = (Url::parse(address).ok()?, Url::parse(base).ok()?);
    ecosystem.artifact_at(path_here(&address, &base)?)
}

/// The address of a path of this registry, as npm makes it, which puts no path of the registry's before itself.
fn beneath(base: &str, path: &str) -> String {
    let above = Url::parse(base).map(|base| base.path().trim_end_matches('/').to_owned()).unwrap_or_default();
    let own = path.strip_prefix(&above).filter(|own| own.starts_with('/')).unwrap_or(path);
    format!("{base}{own}")
}

impl Book {
    /// One entry.
    pub fn judge(&self, entry: &Locked, base: &str, ecosystem: &dyn Ecosystem) -> Judged {
        let plain = |word| Judged {
            word,
            release: None,
            standing: None,
            observed: false,
            opens_at: None,
            sentence: None,
            integrity: Compared::Unstated,
        };
        match &entry.source {
            Source::Local => plain(Word::Local),
            // What its bytes lack is fetched from here, so that nothing may stand against it; what there is nowhere cannot be fetched.
            Source::Bundled { release } => match release.as_ref().map(|release| (release, self.release(release, &Stated::Nothing))) {
                Some((_, judged)) if matches!(judged.word, Word::Held | Word::Denied) => judged,
                Some((release, judged)) if self.silent.contains_key(&release.package) => judged,
                Some(_) | None => plain(Word::Bundled),
            },
            Source::Registry { release, address: None } => self.release(release, &entry.stated),
            Source::Registry { release, address: Some(address) } => self.at(release, &entry.stated, address, (base, ecosystem)),
            Source::Beneath { release, path } => self.at(release, &entry.stated, &beneath(base, path), (base, ecosystem)),
            Source::Elsewhere { address } => match file_here(address, base, ecosystem) {
                Some((package, file)) => match self.files.get(&(package.clone(), file)) {
                    Some(version) => self.release(&ReleaseId { package, version: version.clone() }, &entry.stated),
                    None => Judged { sentence: Some(format!("Nothing is known of {address}.")), ..plain(Word::Unknown) },
                },
                None => Judged { sentence: Some(format!("It is fetched from {address}, which no gate sees.")), ..plain(Word::Elsewhere) },
            },
        }
    }

    /// A release that is fetched from this address.
    fn at(&self, release: &ReleaseId, stated: &Stated, address: &str, (base, ecosystem): (&str, &dyn Ecosystem)) -> Judged {
        let judged = self.release(release, stated);
        let elsewhere = |judged: Judged, sentence| Judged { word: Word::Elsewhere, sentence: Some(sentence), ..judged };
        let Some((package, file)) = file_here(address, base, ecosystem) else {
            return elsewhere(judged, format!("{release} is fetched from {address}, which is not this registry."));
        };
        match self.files.get(&(package.clone(), file)) {
            Some(version) if package == release.package && *version == release.version => judged,
            // What is not known yet says nothing against the address.
            None if package == release.package && judged.word == Word::Unknown => judged,
            Some(version) => elsewhere(judged, format!("{release} is fetched from {address}, which is {}@{version}.", package.name)),
            None => elsewhere(judged, format!("{release} is fetched from {address}, which is no file of it.")),
        }
    }

    fn release(&self, release: &ReleaseId, stated: &Stated) -> Judged {
        let Some(told) = self.releases.get(release) else {
            let sentence = match self.silent.get(&release.package) {
                Some(why) => why.clone(),
                None => format!("{release} is not known, neither here nor at the upstream registry."),
            };
            let integrity = if *stated == Stated::Nothing { Compared::Unstated } else { Compared::NotComparable(UNKNOWN_HERE) };
            return Judged {
                word: Word::Unknown,
                release: Some(release.clone()),
                standing: None,
                observed: false,
                opens_at: None,
                sentence: Some(sentence),
                integrity,
            };
        };
        let word = match told.standing {
            Standing::Approved | Standing::Admissible => Word::Allowed,
            Standing::Held { .. } | Standing::InReview | Standing::Quarantined => Word::Held,
            Standing::Rejected | Standing::Revoked => Word::Denied,
        };
        Judged {
            word,
            release: Some(release.clone()),
            standing: Some(told.standing),
            observed: told.observed,
            opens_at: told.opens_at.filter(|_| word == Word::Held),
            sentence: Some(told.sentence.clone()).filter(|_| word != Word::Allowed),
            integrity: compare(stated, told),
        }
    }

    /// Whether a release is open here.
    pub fn is_open(&self, release: &ReleaseId) -> bool {
        self.releases.get(release).is_some_and(|told| matches!(told.standing, Standing::Approved | Standing::Admissible))
    }
}

fn compare(stated: &Stated, told: &Told) -> Compared {
    let stated = match stated {
        Stated::Nothing => return Compared::Unstated,
        Stated::NotComparable(why) => return Compared::NotComparable(why),
        Stated::Integrity(stated) if stated.unreadable.is_some() => return Compared::NotComparable(UNREADABLE),
        Stated::Integrity(stated) => stated,
    };
    let mut agrees = false;
    let ours = told.digest.or(told.integrity.sha512);
    let pairs = [
        (stated.sha512.as_ref().map(Digest::sri), ours.as_ref().map(Digest::sri)),
        (stated.sha256.map(|hash| format!("sha256 {hash}")), told.integrity.sha256.map(|hash| format!("sha256 {hash}"))),
        (stated.sha1.as_ref().map(|hash| format!("sha1 {hash}")), told.integrity.sha1.as_ref().map(|hash| format!("sha1 {hash}"))),
    ];
    for pair in pairs {
        match pair {
            (Some(stated), Some(ours)) if stated != ours => return Compared::Differs { stated, ours },
            (Some(_), Some(_)) => agrees = true,
            (Some(_), None) | (None, _) => {}
        }
    }
    if agrees { Compared::Agrees } else { Compared::NotComparable(OTHER_HASH) }
}

/// What the whole lockfile waits for.
pub fn waiting(judged: &[Judged]) -> Waiting {
    let mut last = None;
    for one in judged {
        if matches!(one.integrity, Compared::Differs { .. }) {
            return Waiting::Somebody;
        }
        match (one.word.is_green(), one.opens_at) {
            (true, _) => {}
            (false, Some(at)) if one.word == Word::Held => last = last.max(Some(at)),
            (false, _) => return Waiting::Somebody,
        }
    }
    last.map_or(Waiting::Nothing, Waiting::Until)
}

/// Every file of this registry that the lockfile names by its address.
pub fn files_named<'l>(
    lockfile: &'l Lockfile,
    base: &'l str,
    ecosystem: &'l dyn Ecosystem,
) -> impl Iterator<Item = (PackageId, String)> + 'l {
    lockfile.entries.iter().filter_map(move |entry| match &entry.source {
        Source::Registry { address: Some(address), .. } | Source::Elsewhere { address } => file_here(address, base, ecosystem),
        Source::Beneath { path, .. } => file_here(&beneath(base, path), base, ecosystem),
        Source::Registry { address: None, .. } | Source::Local | Source::Bundled { .. } => None,
    })
}

#[cfg(test)]
mod tests;
