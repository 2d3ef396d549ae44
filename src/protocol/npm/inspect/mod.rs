//! What is inside a package: its archive against the profile, its own manifest against the index, and what installing runs.

mod bins;
mod compare;
mod gyp;
mod loose;
mod manifest;
mod scripts;

use bytes::Bytes;
use serde_json::Value;

use crate::ecosystem::Unreadable;
use crate::ecosystem::archive;
use crate::ecosystem::archive::ArchiveFault;
use crate::ecosystem::archive::Contents;
use crate::ecosystem::archive::Entry;
use crate::ecosystem::archive::Limits;
use crate::ecosystem::json;
use crate::ecosystem::json::Bounds;
use crate::ecosystem::json::JsonFault;
use crate::model::facts::Facts;
use crate::model::finding::printable;
use crate::model::package::PackageId;
use crate::model::package::Version;
use crate::protocol::npm::inspect::manifest::Manifest;

/// A manifest of the index, which may carry a readme.
const LISTED_BOUNDS: Bounds = Bounds { bytes_max: 4 << 20, depth_max: 64 };
/// Build files larger than this are not read, and said to be so. The largest seen is 60 KB.
const GYP_BYTES_MAX: u64 = 1 << 20;
/// Bundled packages whose manifests are read; with more the package counts as unreadable. npm itself bundles some 400.
const BUNDLED_MAX: usize = 5_000;
/// Entries of each list in the facts, and bytes of each text.
const LIST_MAX: usize = 32;
const TEXT_BYTES_MAX: usize = 256;

const MANIFEST: &str = "package.json";
const SHRINKWRAP: &str = "npm-shrinkwrap.json";
const BUILD_FILE: &str = "binding.gyp";

/// What `bytes` hold. `manifest` is the release's text in the index. A fault of the bytes is in the facts; an error means
/// that the index's text cannot be compared with.
pub fn inspect(package: &PackageId, version: &Version, manifest: &[u8], bytes: &Bytes) -> Result<Facts, Unreadable> {
    let listed = match json::strict(manifest, LISTED_BOUNDS) {
        Ok(Value::Object(listed)) => listed,
        Ok(_) => return Err(Unreadable::Malformed("the manifest in the index is no object".to_owned())),
        // Too much to look at says nothing about what it is: that is for people to see.
        Err(fault @ JsonFault::TooLarge { .. }) => return Err(Unreadable::Malformed(format!("the manifest in the index: {fault}"))),
        Err(fault) => {
            return Ok(Facts { unreadable_manifest: Some(format!("the manifest in the index: {fault}")), ..Facts::default() });
        }
    };
    let mut inside = Inside::default();
    let contents = match archive::read(bytes, &Limits::DEFAULT, &mut inside) {
        Ok(contents) => contents,
        Err(fault) => return Ok(unsafe_archive(&fault)),
    };
    let mut facts = Facts { files: count(&contents), unpacked_bytes: contents.file_bytes, ..Facts::default() };
    facts.has_shrinkwrap = contents.entries.iter().any(|entry| entry.path == SHRINKWRAP);
    let shipped = match inside.manifest {
        None => Err(format!("there is no {MANIFEST}")),
        Some(manifest) => manifest,
    };
    let shipped = match shipped {
        Ok(shipped) => shipped,
        Err(why) => {
            facts.unreadable_manifest = Some(shown(&why));
            return Ok(facts);
        }
    };
    let bundles = !compare::bundled(&shipped).is_empty() || !compare::bundled(&listed).is_empty();
    let bundled = if bundles { inside.bundled } else { Vec::new() };
    if let Some(Err(why)) = bundled.iter().map(|bundled| &bundled.manifest).find(|manifest| manifest.is_err()) {
        facts.unreadable_manifest = Some(shown(why));
        return Ok(facts);
    }
    let has_build_file = contents.entries.iter().any(|entry| entry.path.eq_ignore_ascii_case(BUILD_FILE));
    let steps = scripts::Steps::of(&shipped, &listed, has_build_file, &bundled, &contents);
    facts.differences = compare::differences(package, version, &listed, &shipped, &contents, &steps);
    facts.implicit_build = steps.undeclared_build().map(|file| shown(&file));
    facts.install_steps = steps.all();
    facts.hidden_install_steps = steps.hidden();
    // Nothing reads a build file unless installing runs something.
    if !facts.install_steps.is_empty() {
        facts.build_commands = inside.commands;
    }
    Ok(facts)
}

fn unsafe_archive(fault: &ArchiveFault) -> Facts {
    Facts { unsafe_archive: Some(shown(&fault.to_string())), ..Facts::default() }
}

fn shown(text: &str) -> String {
    printable(text, TEXT_BYTES_MAX)
}

fn count(contents: &Contents) -> u32 {
    let files = contents.entries.iter().filter(|entry| entry.kind == archive::Kind::File).count();
    u32::try_from(files).unwrap_or(u32::MAX)
}

/// A package inside the package.
struct Bundled {
    /// `node_modules/a/node_modules/@b/c`
    folder: String,
    /// What its manifest runs, or why that cannot be read.
    manifest: Result<Manifest, String>,
}

/// What the files of an archive told while it was read.
#[derive(Default)]
struct Inside {
    manifest: Option<Result<Manifest, String>>,
    bundled: Vec<Bundled>,
    commands: Vec<String>,
}

impl archive::Visitor for Inside {
    fn wants(&mut self, entry: &Entry) -> bool {
        if is_build_file(&entry.path) {
            if self.commands.len() == LIST_MAX {
                return false;
            }
            if entry.size > GYP_BYTES_MAX {
                self.command(format!("{}: {} bytes, too large to be read", entry.path, entry.size));
            }
            return entry.size <= GYP_BYTES_MAX;
        }
        if entry.path != MANIFEST && bundled_folder(&entry.path).is_none() {
            return false;
        }
        if self.bundled.len() >= BUNDLED_MAX && entry.path != MANIFEST {
            if self.bundled.len() == BUNDLED_MAX {
                self.keep(entry, Err(format!("more than {BUNDLED_MAX} packages are bundled")));
            }
            return false;
        }
        let fits = entry.size <= manifest::BOUNDS.bytes_max as u64;
        if !fits {
            self.keep(entry, Err(format!("{}: {} bytes, more than {}", entry.path, entry.size, manifest::BOUNDS.bytes_max)));
        }
        fits
    }

    fn content(&mut self, entry: &Entry, content: Vec<u8>) {
        if is_build_file(&entry.path) {
            for command in gyp::commands(&content) {
                self.command(format!("{}: {command}", entry.path));
            }
            return;
        }
        let manifest = manifest::read(&content);
        self.keep(entry, manifest.map_err(|why| format!("{}: {why}", entry.path)));
    }
}

impl Inside {
    fn keep(&mut self, entry: &Entry, manifest: Result<Manifest, String>) {
        match bundled_folder(&entry.path) {
            // Thousands of them are held at once, so only what is asked for later.
            Some(folder) => {
                let manifest = manifest.map(|manifest| scripts::only(&manifest)).map_err(|why| shown(&why));
                self.bundled.push(Bundled { folder: folder.to_owned(), manifest });
            }
            None => self.manifest = Some(manifest),
        }
    }

    fn command(&mut self, command: String) {
        let command = shown(&command);
        if self.commands.len() < LIST_MAX && !self.commands.contains(&command) {
            self.commands.push(command);
        }
    }
}

/// A file that gyp reads by itself or because another includes it. Case does not count, because some file systems open it so.
fn is_build_file(path: &str) -> bool {
    let path = path.to_ascii_lowercase();
    path.ends_with(".gyp") || path.ends_with(".gypi")
}

/// The folder of a package that lies where Node looks for it: every part of the way is `node_modules/<name>`. Case does not
/// count, as for build files.
fn bundled_folder(path: &str) -> Option<&str> {
    let (folder, file) = path.rsplit_once('/')?;
    if !file.eq_ignore_ascii_case(MANIFEST) {
        return None;
    }
    let mut parts = folder.split('/').peekable();
    while parts.peek().is_some() {
        if !parts.next()?.eq_ignore_ascii_case("node_modules") {
            return None;
        }
        if parts.next()?.starts_with('@') {
            parts.next()?;
        }
    }
    Some(folder)
}

#[cfg(test)]
mod tests;
