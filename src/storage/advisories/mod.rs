//! What feeds say of releases: one file for each feed beside the ledger, which names it by its digest. Caches: a file that is lost
//! or damaged is told, and counts as a feed that was never heard. In memory is only where to look.

pub mod bundle;
pub mod draft;
pub mod incoming;
pub mod table;

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fs::DirBuilder;
use std::fs::File;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;

use arc_swap::ArcSwapOption;

use crate::model::advisory::Advisory;
use crate::model::digest::Digest;
use crate::model::digest::DocumentDigest;
use crate::model::package::PackageId;
use crate::storage::advisories::draft::Draft;
use crate::storage::advisories::incoming::Incoming;
use crate::storage::advisories::table::Table;
use crate::storage::advisories::table::TableFault;
use crate::storage::ledger::file::sync_folder;
use crate::storage::record::FeedHeard;

/// Who tells of releases.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Feed {
    /// All that is known outside, as of an instant.
    Osv,
    /// Single advisories that an admin brought. They say nothing of how old what is known is.
    Own,
}

impl Feed {
    pub const ALL: [Feed; 2] = [Feed::Osv, Feed::Own];

    /// The name in the ledger.
    pub const fn as_str(self) -> &'static str {
        match self {
            Feed::Osv => "osv",
            Feed::Own => "own",
        }
    }
}

/// One for the data folder.
#[derive(Debug)]
pub struct Advisories {
    folder: PathBuf,
    osv: Kept,
    own: Kept,
    next: AtomicU64,
}

#[derive(Debug, Default)]
struct Kept {
    table: ArcSwapOption<Table>,
    /// Why there is none although one was heard.
    lost: ArcSwapOption<String>,
}

impl Advisories {
    /// Takes up the files that the ledger's last records of each feed name, and removes all others. Blocks.
    pub fn open(data_dir: &Path, heard: &BTreeMap<String, FeedHeard>) -> io::Result<Advisories> {
        let folder = data_dir.join("advisories");
        DirBuilder::new().recursive(true).mode(0o700).create(&folder)?;
        let advisories = Advisories { folder, osv: Kept::default(), own: Kept::default(), next: AtomicU64::new(0) };
        let mut wanted = Vec::new();
        for feed in Feed::ALL {
            let Some(heard) = heard.get(feed.as_str()) else { continue };
            let path = advisories.path(feed, &heard.digest);
            match Table::open(&path).and_then(|table| table.expect(&heard.digest)) {
                Ok(table) => advisories.kept(feed).table.store(Some(Arc::new(table))),
                Err(fault) => advisories.lose(feed, &fault),
            }
            wanted.push(path);
        }
        for entry in std::fs::read_dir(&advisories.folder)? {
            let path = entry?.path();
            // A damaged one is left where people can look at it.
            if path.is_file() && !wanted.contains(&path) {
                std::fs::remove_file(&path)?;
            }
        }
        Ok(advisories)
    }

    /// All that is said of the package, withdrawn advisories too, in the order of their ids; of one that both feeds have, the
    /// newer word. Nothing is read from the disk where nothing is said.
    pub fn of(&self, package: &PackageId) -> Arc<[Advisory]> {
        let mut all: Vec<Advisory> = Vec::new();
        for feed in Feed::ALL {
            all.extend(self.ask(feed, |table| table.of(package)));
        }
        newest_of_each(&mut all);
        all.into()
    }

    /// All that name these bytes, whatever package they are about.
    pub fn by_digest(&self, digest: &Digest) -> Vec<Advisory> {
        let mut all: Vec<Advisory> = Vec::new();
        for feed in Feed::ALL {
            all.extend(self.ask(feed, |table| table.by_digest(digest)));
        }
        newest_of_each(&mut all);
        all
    }

    /// Another number whenever what is said of the package is another; 0 where nothing is. Memory only.
    pub fn stamp(&self, package: &PackageId) -> u64 {
        let [osv, own] = Feed::ALL.map(|feed| self.kept(feed).table.load().as_ref().map_or(0, |table| table.stamp(package)));
        u64::from(osv) << 32 | u64::from(own)
    }

    /// The ids of what a feed says, at most so many. Blocks.
    pub fn ids(&self, feed: Feed, max: usize) -> BTreeSet<String> {
        let Some(table) = self.table(feed) else { return BTreeSet::new() };
        let mut ids = BTreeSet::new();
        for group in 0..table.groups() {
            match table.group(group) {
                Ok(advisories) => ids.extend(advisories.into_iter().map(|one| one.id)),
                Err(fault) => {
                    self.lose(feed, &fault);
                    break;
                }
            }
            if ids.len() >= max {
                break;
            }
        }
        ids
    }

    /// The file of a feed as it is now.
    pub fn table(&self, feed: Feed) -> Option<Arc<Table>> {
        self.kept(feed).table.load_full()
    }

    /// Why a feed that was heard is not there any more.
    pub fn lost(&self, feed: Feed) -> Option<Arc<String>> {
        self.kept(feed).lost.load_full()
    }

    /// Room for what is being heard.
    pub fn draft(&self) -> io::Result<Draft> {
        Draft::new(self.unfinished())
    }

    /// A place for a bundle that is brought.
    pub fn incoming(&self) -> Incoming {
        Incoming::new(self.unfinished())
    }

    /// A new file that no other call is given. Whoever is given it removes it.
    fn unfinished(&self) -> PathBuf {
        self.folder.join(format!("{}.new", self.next.fetch_add(1, Ordering::Relaxed)))
    }

    /// Joins what was drafted with what `onto` has, and puts it down under its digest: durable, and not yet asked. Blocks.
    pub fn write(&self, feed: Feed, draft: Draft, onto: Option<&Table>) -> Result<Table, TableFault> {
        let unfinished = self.unfinished();
        let written = draft.finish(onto, &unfinished).and_then(|digest| {
            let path = self.path(feed, &digest);
            std::fs::rename(&unfinished, &path)?;
            sync_folder(&self.folder)?;
            Table::open(&path)
        });
        if written.is_err() {
            // It is unfinished either way; what cannot be removed now goes at the next start.
            let _ = std::fs::remove_file(&unfinished);
        }
        written
    }

    /// From here on the table is asked, and the one before is gone. The ledger names it by now.
    pub fn install(&self, feed: Feed, table: Arc<Table>) {
        let kept = self.kept(feed);
        let path = table.path().to_owned();
        let before = kept.table.swap(Some(table));
        kept.lost.store(None);
        if let Some(before) = before.filter(|before| before.path() != path)
            && let Err(error) = std::fs::remove_file(before.path())
        {
            tracing::warn!(file = %before.path().display(), %error, "an old file of advisories could not be removed");
        }
    }

    /// Takes back a file that the ledger does not name after all.
    pub fn discard(&self, feed: Feed, table: &Table) {
        if self.kept(feed).table.load().as_ref().is_none_or(|kept| kept.path() != table.path()) {
            let _ = std::fs::remove_file(table.path());
        }
    }

    fn kept(&self, feed: Feed) -> &Kept {
        match feed {
            Feed::Osv => &self.osv,
            Feed::Own => &self.own,
        }
    }

    fn path(&self, feed: Feed, digest: &DocumentDigest) -> PathBuf {
        self.folder.join(format!("{}-{}", feed.as_str(), digest.hex()))
    }

    fn ask(&self, feed: Feed, ask: impl FnOnce(&Table) -> Result<Vec<Advisory>, TableFault>) -> Vec<Advisory> {
        let Some(table) = self.table(feed) else { return Vec::new() };
        ask(&table).unwrap_or_else(|fault| {
            self.lose(feed, &fault);
            Vec::new()
        })
    }

    fn lose(&self, feed: Feed, fault: &TableFault) {
        tracing::error!(feed = feed.as_str(), %fault, "what is known of advisories is lost: import it again, or wait for the feed");
        let kept = self.kept(feed);
        kept.table.store(None);
        kept.lost.store(Some(Arc::new(fault.to_string())));
    }
}

/// Keeps of each id the word that was modified last.
fn newest_of_each(advisories: &mut Vec<Advisory>) {
    advisories.sort_by(|left, right| {
        (&left.package, &left.id).cmp(&(&right.package, &right.id)).then_with(|| right.modified_at.cmp(&left.modified_at))
    });
    advisories.dedup_by(|later, kept| later.id == kept.id && later.package == kept.package);
}

/// Kept in files: never to be changed without a new format. FNV-1a, its bits mixed so that any of them can be looked at first.
fn hash(package: &PackageId) -> u64 {
    let bytes = package.ecosystem.as_str().bytes().chain([b'/']).chain(package.name.as_str().bytes());
    let mut hash = bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3));
    hash = (hash ^ (hash >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    hash ^ (hash >> 33)
}

/// The first eight bytes.
fn key(digest: &Digest) -> u64 {
    let [first, ..] = digest.raw().as_chunks::<8>().0 else { return 0 };
    u64::from_be_bytes(*first)
}

/// Whoever opens a file for writing that nobody else has.
fn create(path: &Path) -> io::Result<File> {
    File::options().read(true).write(true).create_new(true).open(path)
}

#[cfg(test)]
mod tests;
