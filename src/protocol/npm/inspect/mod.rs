//! What is inside a package: its archive against the profile, its own manifest against the index, what installing runs, and
//! what a scan of all its files sees. The archive is unpacked once.

mod bins;
mod compare;
mod fetches;
mod gyp;
mod hooks;
mod inside;
mod license;
mod loaded;
mod loose;
mod manifest;
mod scripts;
mod shrinkwrap;

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use bytes::Bytes;
use serde_json::Value;

use crate::ecosystem::Inspected;
use crate::ecosystem::Unreadable;
use crate::ecosystem::archive;
use crate::ecosystem::archive::ArchiveFault;
use crate::ecosystem::archive::Contents;
use crate::ecosystem::archive::Limits;
use crate::ecosystem::json;
use crate::ecosystem::json::Bounds;
use crate::ecosystem::json::JsonFault;
use crate::ecosystem::scan;
use crate::ecosystem::scan::Seen;
use crate::model::facts::Facts;
use crate::model::finding::printable;
use crate::model::index::InstallStep;
use crate::model::package::PackageId;
use crate::model::package::Version;
use crate::model::profile::FileMark;
use crate::model::profile::Profile;
use crate::model::signal::Signal;
use crate::model::signal::SignalKind;
use crate::protocol::npm::inspect::inside::Inside;
use crate::protocol::npm::inspect::loaded::Installing;
use crate::protocol::npm::inspect::manifest::Manifest;

/// A manifest of the index, which may carry a readme.
const LISTED_BOUNDS: Bounds = Bounds { bytes_max: 4 << 20, depth_max: 64 };
/// Bundled packages that are named, so that each can be asked about. npm itself bundles some 400.
const BUNDLED_NAMED_MAX: usize = 512;
/// Entries of each list in the facts, and bytes of each text.
const LIST_MAX: usize = 32;
/// Places of one kind that are told.
const PLACES_MAX: usize = 4;
const TEXT_BYTES_MAX: usize = 256;

const MANIFEST: &str = "package.json";
const SHRINKWRAP: &str = "npm-shrinkwrap.json";
const BUILD_FILE: &str = "binding.gyp";

/// What `bytes` hold. `manifest` is the release's text in the index. A fault of the bytes is in the facts; an error means
/// that the index's text cannot be compared with.
pub fn inspect(package: &PackageId, version: &Version, manifest: &[u8], bytes: &Bytes) -> Result<Inspected, Unreadable> {
    let listed = match json::strict(manifest, LISTED_BOUNDS) {
        Ok(Value::Object(listed)) => listed,
        Ok(_) => return Err(Unreadable::Malformed("the manifest in the index is no object".to_owned())),
        // Too much to look at says nothing about what it is: that is for people to see.
        Err(fault @ JsonFault::TooLarge { .. }) => return Err(Unreadable::Malformed(format!("the manifest in the index: {fault}"))),
        Err(fault) => {
            let why = format!("the manifest in the index: {fault}");
            return Ok(Inspected { facts: Facts { unreadable_manifest: Some(why), ..Facts::default() }, profile: Profile::default() });
        }
    };
    let mut inside = Inside::default();
    let contents = match archive::read(bytes, &Limits::DEFAULT, &mut inside) {
        Ok(contents) => contents,
        Err(fault) => return Ok(Inspected { facts: unsafe_archive(&fault), profile: Profile::default() }),
    };
    let Inside { scan, manifest: shipped, bundled, commands, shrinkwrap } = inside;
    let mut seen = scan.finish();
    let mut facts = seen_facts(&contents, &seen);
    facts.has_shrinkwrap = contents.entries.iter().any(|entry| entry.path.eq_ignore_ascii_case(SHRINKWRAP));
    facts.foreign_addresses = match shrinkwrap {
        Some(Ok(text)) => shrinkwrap::foreign(&text, &listed),
        Some(Err(why)) => vec![shown(&why)],
        None => Vec::new(),
    };
    let named = bundled.iter().filter_map(|bundled| bundled.named.clone()).take(BUNDLED_NAMED_MAX);
    facts.bundled = named.collect();
    let shipped = match shipped {
        None => Err(format!("there is no {MANIFEST}")),
        Some(manifest) => manifest,
    };
    let shipped = match shipped {
        Ok(shipped) => shipped,
        Err(why) => {
            facts.unreadable_manifest = Some(shown(&why));
            return Ok(Inspected { profile: profile(&Manifest::new(), &facts, Installing::default(), seen), facts });
        }
    };
    facts.license = license::license(&shipped);
    let bundles = !compare::bundled(&shipped).is_empty() || !compare::bundled(&listed).is_empty();
    let bundled = if bundles { bundled } else { Vec::new() };
    if let Some(Err(why)) = bundled.iter().map(|bundled| &bundled.manifest).find(|manifest| manifest.is_err()) {
        facts.unreadable_manifest = Some(shown(why));
        return Ok(Inspected { profile: profile(&shipped, &facts, Installing::default(), seen), facts });
    }
    let has_build_file = contents.entries.iter().any(|entry| entry.path.eq_ignore_ascii_case(BUILD_FILE));
    let steps = scripts::Steps::of(&shipped, &listed, has_build_file, &bundled, &contents);
    facts.differences = compare::differences(package, version, &listed, &shipped, &contents, &steps);
    facts.implicit_build = steps.undeclared_build().map(|file| shown(&file));
    let run = steps.all();
    facts.install_steps = run.iter().map(scripts::cut).collect();
    facts.hidden_install_steps = steps.hidden();
    // Nothing reads a build file unless installing runs something.
    if !facts.install_steps.is_empty() {
        facts.build_commands = commands;
    }
    let entries = loaded::entries(&shipped, &seen);
    let misnamed = loaded::misnamed(&shipped, &seen);
    facts.unscanned.extend(misnamed.iter().take(PLACES_MAX).map(|file| shown(&format!("{file}: it is run as code, and not called so"))));
    let installing = loaded::installing(&shipped, &run, &facts.build_commands, &entries, &seen);
    if installing.is_cut {
        facts.unscanned.push(format!("{MANIFEST}: installing runs more than is followed"));
    }
    let installed: BTreeSet<String> = installing.files.iter().map(|file| shown(file)).collect();
    facts.signals = few_of_each(seen.signals.clone(), &installed);
    // Whatever has a signal is told of, however many files installing loads.
    let has_signal = |file: &String| facts.signals.iter().any(|signal| signal.file == *file);
    let (telling, others): (Vec<String>, Vec<String>) = installed.into_iter().partition(has_signal);
    let room = LIST_MAX.saturating_sub(telling.len());
    facts.install_files = telling.into_iter().chain(others.into_iter().take(room)).collect();
    let run: Vec<InstallStep> = run.into_iter().chain(installing.followed.iter().cloned()).collect();
    facts.fetches = fetches::fetches(&run, &installing, &seen);
    let commands: Vec<&str> = run.iter().map(|step| step.command.as_str()).collect();
    let told = scan::of_commands(&commands.join("\n"), MANIFEST).unwrap_or_else(|why| {
        facts.unscanned.push(format!("{MANIFEST}: {why}"));
        Vec::new()
    });
    if !told.is_empty() {
        facts.install_files.push(MANIFEST.to_owned());
        seen.kinds.extend(told.iter().map(|signal| signal.kind));
        facts.signals.extend(told);
    }
    let install_steps = run.iter().map(|step| format!("{}: {}", step.event, step.command)).collect();
    Ok(Inspected { profile: Profile { entry_files: entries, install_steps, ..profile(&shipped, &facts, installing, seen) }, facts })
}

/// A few places of each kind: first those that installing runs, then those that take or send beside the other, so that no number of
/// harmless files hides one that is not.
fn few_of_each(mut signals: Vec<Signal>, installing: &BTreeSet<String>) -> Vec<Signal> {
    let files = |is: fn(SignalKind) -> bool| -> BTreeSet<String> {
        signals.iter().filter(|one| is(one.kind)).map(|one| one.file.clone()).collect()
    };
    let (taking, sending) = (files(SignalKind::takes), files(SignalKind::sends));
    let is_paired = |one: &Signal| taking.contains(&one.file) && sending.contains(&one.file);
    signals.sort_by_cached_key(|one| (!installing.contains(&one.file), !is_paired(one), one.file.clone()));
    let mut kept: BTreeMap<SignalKind, usize> = BTreeMap::new();
    signals.retain(|one| {
        let count = kept.entry(one.kind).or_default();
        *count += 1;
        *count <= PLACES_MAX
    });
    signals
}

/// What can be said whatever the manifest says.
fn seen_facts(contents: &Contents, seen: &Seen) -> Facts {
    let named = |is: &dyn Fn(&str) -> bool| seen.files.keys().filter(|path| is(path)).take(LIST_MAX).map(|path| shown(path)).collect();
    Facts {
        files: count(contents),
        unpacked_bytes: contents.file_bytes,
        signals: few_of_each(seen.signals.clone(), &BTreeSet::new()),
        unscanned: seen.unscanned.clone(),
        binaries: named(&|path| seen.files.get(path).is_some_and(|file| file.is_binary)),
        hooks: named(&hooks::is_hook),
        ..Facts::default()
    }
}

fn profile(shipped: &Manifest, facts: &Facts, installing: Installing, seen: Seen) -> Profile {
    let steps = facts.install_steps.iter().map(|step| format!("{}: {}", step.event, step.command)).collect();
    Profile {
        entropy: seen.entropy(),
        capabilities: seen.capabilities,
        install_steps: steps,
        install_files: installing.files,
        loose_files: installing.loose,
        entry_files: std::collections::BTreeSet::new(),
        binaries: seen.files.iter().filter(|(_, file)| file.is_binary).map(|(path, _)| path.clone()).collect(),
        hooks: seen.files.keys().filter(|path| hooks::is_hook(path)).cloned().collect(),
        dependencies: compare::installed_along(shipped),
        signals: seen.kinds,
        unpacked_bytes: facts.unpacked_bytes,
        hosts: seen.hosts,
        files: seen
            .files
            .into_iter()
            .map(|(path, file)| (path, FileMark { size: file.size, digest: file.digest, is_code: file.is_code }))
            .collect::<BTreeMap<_, _>>(),
    }
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

#[cfg(test)]
mod tests;
