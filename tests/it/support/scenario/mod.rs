//! A made-up registry as a value: packages, times, lies. Built in Rust or read from `tests/fixtures/scenarios/*.toml`,
//! served over a real socket by [`crate::support::upstream::Upstream`]. Nothing in here does I/O.

mod document;
mod file;
mod package;
mod release;
mod tarball;

pub use document::Form;
pub use package::Package;
pub use release::Release;
pub use tarball::File;
pub use tarball::Tarball;
pub use tarball::gzip;

use std::collections::BTreeMap;

use airlock::clock::Clock;
use airlock::model::time::Timestamp;

/// What a scenario upstream starts with. Ages are counted back from `now`.
#[derive(Clone, Debug)]
pub struct Scenario {
    pub now: Timestamp,
    pub shape: Shape,
    pub packages: BTreeMap<String, Package>,
}

/// How this registry speaks, whatever it says. The default is how the public one does.
#[derive(Clone, Debug)]
pub struct Shape {
    /// Where the registry lies on its host: `/` or `/repository/npm/`.
    pub prefix: String,
    /// The same full form whatever Accept asks.
    pub single_form: bool,
    pub etag: bool,
    pub last_modified: bool,
    /// `time.created` and `time.modified`.
    pub created_and_modified: bool,
    /// Packuments are gzip-coded for those who accept it.
    pub gzip: bool,
}

impl Default for Shape {
    fn default() -> Shape {
        Shape { prefix: "/".into(), single_form: false, etag: true, last_modified: true, created_and_modified: true, gzip: false }
    }
}

impl Scenario {
    /// The instant at which test clocks and scenarios stand still.
    pub const NOW: &str = "2026-11-20T12:00:00Z";

    pub fn new() -> Scenario {
        Scenario { now: Timestamp::parse(Scenario::NOW).unwrap(), shape: Shape::default(), packages: BTreeMap::new() }
    }

    /// Ages counted from the real time, for the real binary and real clients, which own no test clock.
    pub fn live() -> Scenario {
        Scenario { now: Clock::system().now(), ..Scenario::new() }
    }

    /// Adds a package, or changes the one of that name.
    pub fn package(mut self, name: &str, edit: impl FnOnce(&mut Package)) -> Scenario {
        edit(self.packages.entry(name.to_owned()).or_insert_with(|| Package::new(name)));
        self
    }

    pub fn shape(mut self, edit: impl FnOnce(&mut Shape)) -> Scenario {
        edit(&mut self.shape);
        self
    }

    /// As real mirrors were seen to be: one form for every Accept, no validators, `time` without created and modified.
    pub fn like_a_mirror(self) -> Scenario {
        self.shape(|shape| {
            shape.single_form = true;
            shape.etag = false;
            shape.last_modified = false;
            shape.created_and_modified = false;
        })
    }
}
