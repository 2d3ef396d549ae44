//! What installing fetches from elsewhere: tools whose purpose that is, and install scripts that speak to the network.

use crate::ecosystem::scan::Seen;
use crate::model::index::InstallStep;
use crate::model::profile::Capability;
use crate::protocol::npm::inspect::LIST_MAX;
use crate::protocol::npm::inspect::loaded::Installing;
use crate::protocol::npm::inspect::shown;

/// Commands that download programs. `node-gyp-build` is none: it takes what lies in the package.
const DOWNLOADERS: [&str; 17] = [
    "prebuild-install",
    "node-pre-gyp",
    "@mapbox/node-pre-gyp",
    "napi-postinstall",
    "electron-builder",
    "install-electron",
    "electron-download",
    "playwright",
    "playwright-core",
    "puppeteer",
    "cypress",
    "curl",
    "wget",
    "Invoke-WebRequest",
    "bunx",
    "npx",
    "pnpx",
];

/// Each with how it is known.
pub(super) fn fetches(steps: &[InstallStep], installing: &Installing, seen: &Seen) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for step in steps {
        let words = step.command.split(|c: char| c.is_whitespace() || "&|;()'\"`".contains(c));
        if words.into_iter().any(|word| DOWNLOADERS.contains(&word)) {
            found.push(shown(&format!("{}: {}", step.event, step.command)));
        }
    }
    let reaching = installing.files.iter().filter(|file| seen.files.get(*file).is_some_and(|seen| seen.reaches(Capability::Network)));
    found.extend(reaching.map(|file| shown(&format!("{file} uses the network"))));
    found.truncate(LIST_MAX);
    found
}
