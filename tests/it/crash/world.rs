//! The packages that are installed while things break: some open, some held, some waiting for people.

use crate::support::scenario::Scenario;

pub const PACKAGES: usize = 100;

/// The first release of each, that a person holds.
pub const FIRST: &str = "1.0.0";
/// What policy lets clients have as `latest`.
pub const OPEN: &str = "1.1.0";
/// Too young for policy and old enough for a person to approve.
pub const YOUNG: &str = "2.0.0";
/// Of every fifth package: its bytes make it wait for people.
pub const ODD: &str = "0.9.0";

pub fn name(index: usize) -> String {
    if index.is_multiple_of(10) { format!("@acme/part-{index}") } else { format!("part-{index}") }
}

pub fn has_odd(index: usize) -> bool {
    index.is_multiple_of(5)
}

pub fn scenario(packages: usize) -> Scenario {
    (0..packages).fold(Scenario::live(), |scenario, index| {
        scenario.package(&name(index), |p| {
            if has_odd(index) {
                p.release(ODD).file("binding.gyp", "{'targets': []}");
            }
            p.release(FIRST);
            // Some files are small enough to be kept in memory, some are not.
            let text = "// a line that is not there for long\n".repeat(if index.is_multiple_of(7) { 8_000 } else { 3 });
            p.release(OPEN).file("lib.js", &text).dependency("part-1", "^1.0.0");
            // Hours apart: what comes out at once is told as a burst, which memory knows and no disk.
            p.release(YOUNG).age(&format!("{}h", 72 + 2 * (index % 40)));
        })
    })
}

pub fn packument_path(index: usize) -> String {
    format!("/{}", name(index).replace('/', "%2f"))
}

pub fn tarball_path(index: usize, version: &str) -> String {
    let name = name(index);
    let unscoped = name.rsplit('/').next().unwrap();
    format!("/{name}/-/{unscoped}-{version}.tgz")
}

pub fn release_path(index: usize, version: &str) -> String {
    let name = name(index).replace('@', "%40").replace('/', "%2f");
    format!("/-/airlock/v1/releases/{name}/{version}")
}
