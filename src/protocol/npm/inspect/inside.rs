//! What the files of an archive tell while it is read: everything is scanned, and a few files are read whole.

use serde_json::Value;

use crate::ecosystem::archive::Entry;
use crate::ecosystem::archive::Visitor;
use crate::ecosystem::scan::Scan;
use crate::protocol::npm::inspect::LIST_MAX;
use crate::protocol::npm::inspect::MANIFEST;
use crate::protocol::npm::inspect::SHRINKWRAP;
use crate::protocol::npm::inspect::gyp;
use crate::protocol::npm::inspect::manifest;
use crate::protocol::npm::inspect::manifest::Manifest;
use crate::protocol::npm::inspect::scripts;
use crate::protocol::npm::inspect::shown;
use crate::protocol::npm::inspect::shrinkwrap;

/// Build files larger than this are not read, and said to be so. The largest seen is 60 KB.
const GYP_BYTES_MAX: u64 = 1 << 20;
/// Bundled packages whose manifests are read; with more the package counts as unreadable. npm itself bundles some 400.
pub(super) const BUNDLED_MAX: usize = 5_000;

/// A package inside the package.
pub(super) struct Bundled {
    /// `node_modules/a/node_modules/@b/c`
    pub(super) folder: String,
    /// What its manifest runs, or why that cannot be read.
    pub(super) manifest: Result<Manifest, String>,
    /// `c@1.0.0`, where its manifest says so.
    pub(super) named: Option<String>,
}

/// What the files of an archive told while it was read.
#[derive(Default)]
pub(super) struct Inside {
    pub(super) scan: Scan,
    pub(super) manifest: Option<Result<Manifest, String>>,
    pub(super) bundled: Vec<Bundled>,
    pub(super) commands: Vec<String>,
    /// The text of the shrinkwrap, or why it was not read.
    pub(super) shrinkwrap: Option<Result<Vec<u8>, String>>,
}

impl Visitor for Inside {
    fn piece(&mut self, bytes: &[u8]) {
        self.scan.piece(bytes);
    }

    fn end(&mut self, _entry: &Entry) {
        self.scan.end();
    }

    fn wants(&mut self, entry: &Entry) -> bool {
        self.scan.begin(entry);
        if entry.path.eq_ignore_ascii_case(SHRINKWRAP) {
            let fits = entry.size <= shrinkwrap::BOUNDS.bytes_max as u64;
            if !fits {
                self.shrinkwrap = Some(Err(format!("it cannot be read: {} bytes, too many", entry.size)));
            }
            return fits;
        }
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
        if entry.path.eq_ignore_ascii_case(SHRINKWRAP) {
            self.shrinkwrap = Some(Ok(content));
            return;
        }
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
                let named = manifest.as_ref().ok().and_then(named);
                let manifest = manifest.map(|manifest| scripts::only(&manifest)).map_err(|why| shown(&why));
                self.bundled.push(Bundled { folder: folder.to_owned(), manifest, named });
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

fn named(manifest: &Manifest) -> Option<String> {
    let text = |field| manifest.get(field).and_then(Value::as_str);
    Some(shown(&format!("{}@{}", text("name")?, text("version")?)))
}

/// A file that gyp reads by itself or because another includes it. Case does not count, because some file systems open it so.
pub(super) fn is_build_file(path: &str) -> bool {
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
