//! Which files are loaded: when the package is used, and when it is installed. Followed by what stands in the manifest and in
//! imports; what a program puts together while it runs is not followed.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::ecosystem::scan::Seen;
use crate::model::index::InstallStep;
use crate::protocol::npm::inspect::manifest::Manifest;

/// Fields that name the file that is loaded first.
const ENTRIES: [&str; 8] = ["main", "module", "browser", "exports", "bin", "unpkg", "jsdelivr", "react-native"];
/// Entries that are followed; a map of exports may hold thousands.
const ENTRIES_MAX: usize = 1_024;
/// Commands that are taken apart, those that they name included, and words of each.
const COMMANDS_MAX: usize = 64;
const WORDS_MAX: usize = 256;
/// Files that installing is followed to.
const INSTALL_FILES_MAX: usize = 512;

/// Files that are loaded first when the package is used.
pub(super) fn entries(manifest: &Manifest, seen: &Seen) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    // The last is looked at first: `main` before maps that may be too long.
    let mut open: Vec<&Value> = ENTRIES.iter().rev().filter_map(|field| manifest.get(*field)).collect();
    let mut looked_at = 0;
    while let Some(value) = open.pop() {
        looked_at += 1;
        if looked_at > ENTRIES_MAX {
            break;
        }
        match value {
            Value::String(path) => found.extend(resolve(seen, "", path)),
            Value::Array(values) => open.extend(values),
            Value::Object(pairs) => open.extend(pairs.values()),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }
    if !manifest.get("main").is_some_and(Value::is_string) {
        found.extend(resolve(seen, "", "index"));
    }
    found
}

/// Files that `main` or `bin` run and that are neither known as code by their names and contents nor as what is loaded otherwise: node
/// takes whatever it does not know for code, and the scan asks less of it.
pub(super) fn misnamed(manifest: &Manifest, seen: &Seen) -> BTreeSet<String> {
    const LOADED_OTHERWISE: [&str; 8] = ["json", "node", "wasm", "css", "scss", "sass", "less", "styl"];
    let bins = match manifest.get("bin") {
        Some(Value::Object(files)) => files.values().filter_map(Value::as_str).take(ENTRIES_MAX).collect(),
        Some(Value::String(file)) => vec![file.as_str()],
        Some(Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_)) | None => Vec::new(),
    };
    let files = bins.into_iter().chain(manifest.get("main").and_then(Value::as_str)).filter_map(|path| resolve(seen, "", path));
    let is_misnamed = |path: &String| {
        let ending = path.rsplit_once('.').map(|(_, ending)| ending.to_ascii_lowercase());
        let is_loaded_otherwise = ending.is_some_and(|ending| LOADED_OTHERWISE.contains(&ending.as_str()));
        !is_loaded_otherwise && seen.files.get(path).is_some_and(|file| !file.is_code && !file.is_binary)
    };
    files.filter(is_misnamed).collect()
}

/// What installing loads.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Installing {
    pub(super) files: BTreeSet<String>,
    /// Those that nothing else uses.
    pub(super) loose: BTreeSet<String>,
    /// Scripts of the manifest that its commands name, whole.
    pub(super) followed: Vec<InstallStep>,
    /// More is run than was followed.
    pub(super) is_cut: bool,
}

/// The files that `steps` and `commands` name, and all that these import.
pub(super) fn installing(
    manifest: &Manifest,
    steps: &[InstallStep],
    commands: &[String],
    entries: &BTreeSet<String>,
    seen: &Seen,
) -> Installing {
    let mut open: Vec<(String, String)> = steps.iter().map(|step| (folder_of(&step.event).to_owned(), step.command.clone())).collect();
    // `binding.gyp: node index.js`
    open.extend(
        commands.iter().filter_map(|command| command.split_once(": ")).map(|(file, command)| (parent(file).to_owned(), command.to_owned())),
    );
    let mut named = BTreeSet::new();
    let mut followed: BTreeSet<String> = BTreeSet::new();
    let mut scripts: Vec<InstallStep> = Vec::new();
    let mut is_cut = false;
    let mut taken_apart = 0;
    while let Some((folder, command)) = open.pop() {
        taken_apart += 1;
        if taken_apart > COMMANDS_MAX {
            is_cut = true;
            break;
        }
        let mut words = command.split(|c: char| c.is_whitespace() || "&|;()'\"`=,<>".contains(c)).filter(|word| !word.is_empty());
        let mut before = "";
        let runs_scripts = is_runner(&command);
        // What stands there otherwise than in plain words, or of another folder's manifest, is not followed.
        is_cut |= runs_scripts && !is_plain(&command);
        for word in words.by_ref().take(WORDS_MAX) {
            // A folder is gone to, not loaded from.
            if std::mem::replace(&mut before, word) == "cd" {
                continue;
            }
            named.extend(resolve(seen, &folder, word));
            named.extend(bin(manifest, word).and_then(|file| resolve(seen, "", file)));
            // `npm run setup`, which runs what is to come before and after it too.
            for name in [word.to_owned(), format!("pre{word}"), format!("post{word}")] {
                if let Some(script) = manifest.get("scripts").and_then(|scripts| scripts.get(&name)).and_then(Value::as_str)
                    && folder.is_empty()
                    && (name == word || runs_scripts)
                    && followed.insert(name.clone())
                {
                    open.push((String::new(), script.to_owned()));
                    scripts.push(InstallStep { event: format!("run {name}"), command: script.to_owned() });
                }
            }
        }
        is_cut |= words.next().is_some();
    }
    is_cut |= named.len() > INSTALL_FILES_MAX;
    let mut files: BTreeSet<String> = named.into_iter().take(INSTALL_FILES_MAX).collect();
    let mut unread: Vec<String> = files.iter().cloned().collect();
    while let Some(file) = unread.pop() {
        for used in imports(seen, &file) {
            if files.contains(&used) {
                continue;
            }
            if files.len() == INSTALL_FILES_MAX {
                is_cut = true;
                break;
            }
            files.insert(used.clone());
            unread.push(used);
        }
    }
    let loose = if files.is_empty() { BTreeSet::new() } else { loose(&files, entries, seen) };
    Installing { files, loose, followed: scripts, is_cut }
}

/// Whether a command may run scripts of a manifest by their names.
fn is_runner(command: &str) -> bool {
    let mut words = command.split(|c: char| !(c.is_ascii_alphanumeric() || "-_.".contains(c))).filter(|word| !word.is_empty());
    words.any(|word| ["npm", "pnpm", "yarn", "bun", "npm.cmd", "yarnpkg", "--run", "run-s", "run-p", "npm-run-all"].contains(&word))
}

/// Whether the scripts that a command runs are named in it as they are called, and are those of its own folder.
fn is_plain(command: &str) -> bool {
    const ELSEWHERE: [&str; 5] = ["cd", "-C", "--prefix", "--cwd", "--dir"];
    let is_elsewhere =
        |word: &str| ELSEWHERE.iter().any(|other| word == *other || word.strip_prefix(other).is_some_and(|rest| rest.starts_with('=')));
    let words = command.split(|c: char| c.is_whitespace() || "&|;()".contains(c));
    !command.contains(['\\', '$', '`', '\'', '"', '*', '?', '{', '[']) && !words.into_iter().any(is_elsewhere)
}

fn loose(files: &BTreeSet<String>, entries: &BTreeSet<String>, seen: &Seen) -> BTreeSet<String> {
    let mut loose: BTreeSet<String> =
        files.difference(entries).filter(|file| seen.files.get(*file).is_some_and(|seen| seen.is_code)).cloned().collect();
    // What is loaded first uses what it loads, also where installing runs it too.
    for user in seen.files.keys().filter(|user| !files.contains(*user) || entries.contains(*user)) {
        if loose.is_empty() {
            break;
        }
        for used in imports(seen, user) {
            loose.remove(&used);
        }
    }
    loose
}

fn imports<'s>(seen: &'s Seen, file: &'s str) -> impl Iterator<Item = String> + 's {
    seen.imports(file).filter_map(move |specifier| resolve(seen, parent(file), specifier))
}

fn bin<'m>(manifest: &'m Manifest, word: &str) -> Option<&'m str> {
    match manifest.get("bin")? {
        Value::String(file) => (manifest.get("name").and_then(Value::as_str) == Some(word)).then_some(file),
        Value::Object(files) => files.get(word).and_then(Value::as_str),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) => None,
    }
}

/// `node_modules/a` of `install of node_modules/a`.
fn folder_of(event: &str) -> &str {
    event.split_once(" of ").map_or("", |(_, folder)| folder)
}

fn parent(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}

/// The file that Node would load for `specifier` from a file of `folder`, in its order of endings.
fn resolve(seen: &Seen, folder: &str, specifier: &str) -> Option<String> {
    const ENDINGS: [&str; 11] = ["", ".js", ".cjs", ".mjs", ".json", ".node", ".ts", "/index.js", "/index.cjs", "/index.mjs", "/index.ts"];
    const PATH_BYTES_MAX: usize = 512;
    if specifier.len() > PATH_BYTES_MAX {
        return None;
    }
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in specifier.split(['/', '\\']) {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    let path = parts.join("/");
    if path.is_empty() {
        return ["index.js", "index.cjs", "index.mjs"]
            .iter()
            .find(|index| seen.files.contains_key(**index))
            .map(|index| (*index).to_owned());
    }
    // A file that the compiler wrote is imported by the name that it gets.
    let typescript = path.strip_suffix(".js").map(|stem| format!("{stem}.ts"));
    ENDINGS.iter().map(|ending| format!("{path}{ending}")).chain(typescript).find(|path| seen.files.contains_key(path))
}
