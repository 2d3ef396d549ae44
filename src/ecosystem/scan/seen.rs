//! What a scan saw in all files of an archive.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use crate::ecosystem::scan::file::File;
use crate::ecosystem::scan::reach::Reach;
use crate::model::finding::printable;
use crate::model::profile::Capability;
use crate::model::profile::Profile;
use crate::model::signal::Signal;
use crate::model::signal::SignalKind;

/// Places of one kind that are kept; who knows which of them matter keeps fewer.
const PLACES_MAX: usize = 1_024;
/// Files that could not be looked through and are named.
const UNSCANNED_MAX: usize = 32;
/// Bytes of all imports of files, of one archive. The largest package seen has 3 MB of them; beyond that a file is not
/// followed to what it loads.
const IMPORTS_BYTES_MAX: usize = 16 << 20;
const PATH_BYTES_MAX: usize = 256;

/// What a scan saw of one file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SeenFile {
    pub size: u64,
    /// Of its content, comparable within one process only.
    pub digest: u64,
    /// A compiled program.
    pub is_binary: bool,
    pub is_code: bool,
    reach: Reach,
    /// Its part of all imports.
    imports: (usize, usize),
}

impl SeenFile {
    pub(super) fn of(size: u64, digest: u64, is_binary: bool) -> SeenFile {
        SeenFile { size, digest, is_binary, is_code: false, reach: Reach::default(), imports: (0, 0) }
    }

    pub fn reaches(&self, capability: Capability) -> bool {
        self.reach.has(capability)
    }
}

/// What a scan saw.
#[derive(Debug)]
pub struct Seen {
    /// By path. A path that stands in the archive twice has the same bytes each time.
    pub files: BTreeMap<String, SeenFile>,
    /// In the order of the archive.
    pub signals: Vec<Signal>,
    pub kinds: BTreeSet<SignalKind>,
    /// Path and why.
    pub unscanned: Vec<String>,
    pub capabilities: BTreeSet<Capability>,
    pub hosts: BTreeSet<String>,
    /// Relative imports of all files, each followed by a line break.
    imports: String,
    imports_begin: usize,
    places: BTreeMap<SignalKind, usize>,
    histogram: [u64; 256],
}

impl Default for Seen {
    fn default() -> Seen {
        Seen {
            files: BTreeMap::new(),
            signals: Vec::new(),
            kinds: BTreeSet::new(),
            unscanned: Vec::new(),
            capabilities: BTreeSet::new(),
            hosts: BTreeSet::new(),
            imports: String::new(),
            imports_begin: 0,
            places: BTreeMap::new(),
            histogram: [0; 256],
        }
    }
}

impl Seen {
    pub(super) fn host(&mut self, host: String) {
        if self.hosts.len() < Profile::HOSTS_MAX {
            self.hosts.insert(host);
        } else if !self.hosts.contains(&host) {
            self.left_out("more hosts than are kept");
        }
    }

    pub(super) fn import(&mut self, specifier: &str) {
        if self.imports.len() + specifier.len() < IMPORTS_BYTES_MAX {
            self.imports.push_str(specifier);
            self.imports.push('\n');
        } else {
            self.left_out("more imports than are followed");
        }
    }

    /// Something of the archive that is not looked into; each is said once.
    fn left_out(&mut self, what: &str) {
        if !self.unscanned.iter().any(|one| one == what) {
            self.unscanned.push(what.to_owned());
        }
    }

    /// Counts bytes of code.
    pub(super) fn count(&mut self, code: &[u8]) {
        // Four counters, so that equal neighbours do not wait for each other.
        let mut counts = [[0_u32; 256]; 4];
        let (fours, rest) = code.as_chunks::<4>();
        for [a, b, c, d] in fours {
            counts[0][usize::from(*a)] += 1;
            counts[1][usize::from(*b)] += 1;
            counts[2][usize::from(*c)] += 1;
            counts[3][usize::from(*d)] += 1;
        }
        for byte in rest {
            counts[0][usize::from(*byte)] += 1;
        }
        for (byte, total) in self.histogram.iter_mut().enumerate() {
            *total += counts.iter().map(|of| u64::from(of[byte])).sum::<u64>();
        }
    }

    pub(super) fn add(&mut self, file: File, mut seen: SeenFile, unscanned: Option<&'static str>) {
        let (path, class, reach, signals) = file.told();
        seen.is_code = class.is_program();
        seen.reach = reach;
        seen.imports = (self.imports_begin, self.imports.len());
        self.imports_begin = self.imports.len();
        self.capabilities.extend(reach.all());
        for (kind, excerpt) in signals {
            self.kinds.insert(kind);
            let places = self.places.entry(kind).or_default();
            *places += 1;
            if *places > PLACES_MAX {
                self.left_out("more places that are alike than are kept");
            } else {
                self.signals.push(Signal { kind, file: printable(&path, PATH_BYTES_MAX), excerpt });
            }
        }
        if let Some(why) = unscanned
            && self.unscanned.len() < UNSCANNED_MAX
        {
            self.unscanned.push(printable(&format!("{path}: {why}"), PATH_BYTES_MAX));
        }
        self.files.insert(path, seen);
    }

    /// What a file loads by a relative path, as it is written.
    pub fn imports(&self, path: &str) -> impl Iterator<Item = &str> {
        let (start, end) = self.files.get(path).map_or((0, 0), |file| file.imports);
        self.imports.get(start..end).unwrap_or_default().lines()
    }

    /// Of all code, in thousandths of a bit per byte.
    pub fn entropy(&self) -> u32 {
        let total: u64 = self.histogram.iter().sum();
        if total == 0 {
            return 0;
        }
        #[expect(clippy::cast_precision_loss, reason = "a share of a count, rounded to a thousandth")]
        let share = |count: u64| count as f64 / total as f64;
        let bits: f64 = self.histogram.iter().filter(|count| **count > 0).map(|count| -share(*count) * share(*count).log2()).sum();
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 8 bits")]
        let thousandths = (bits * 1_000.0).round() as u32;
        thousandths
    }
}
