//! Lockfiles of every client of npm's registry, each format in a file of its own. Which one a text is, it says itself; the
//! file's name is only a hint.

mod berry;
mod bun;
mod deno;
mod draft;
mod package_lock;
mod pnpm;
pub mod rewrite;
pub mod steps;
mod yarn;

pub use crate::protocol::npm::lockfile::draft::wanted;

use crate::ecosystem::tree::Fault;
use crate::ecosystem::tree::Node;
use crate::ecosystem::tree::commented_json;
use crate::ecosystem::tree::json;
use crate::ecosystem::tree::yaml;
use crate::model::lockfile::LOCKFILE_BYTES_MAX;
use crate::model::lockfile::Lockfile;
use crate::protocol::npm::lockfile::rewrite::Spot;

/// How the first line of bun's older lockfile begins, which is no text.
const BUN_BINARY: &[u8] = b"#!/usr/bin/env bun\nbun-lockfile-format-v0\n";
/// How git marks two versions of a text that it could not join.
const CONFLICT: [&str; 2] = ["<<<<<<< ", ">>>>>>> "];

/// A lockfile's text, told apart by what it says.
pub enum Sorted<'t> {
    PackageLock { tree: Node<'t>, is_shrinkwrap: bool },
    Bun(Node<'t>),
    Deno(Node<'t>),
    Pnpm(Vec<Node<'t>>),
    Berry(Node<'t>),
    Yarn(Vec<yarn::Block<'t>>),
}

/// Reads a lockfile. `name`: what the file is called, where that is known.
pub fn read(text: &[u8], name: Option<&str>) -> Result<Lockfile, Fault> {
    read_with_addresses(text, name).map(|(_, lockfile, _)| lockfile)
}

/// As [`read`], with the text, and where in it addresses of a registry's files stand.
fn read_with_addresses<'t>(text: &'t [u8], name: Option<&str>) -> Result<(&'t str, Lockfile, Vec<Spot>), Fault> {
    let text = decoded(text)?;
    // Comments and last commas become blanks, so that every place in it is the same as in the text.
    let plain = if text.trim_start().starts_with(['{', '/']) { commented_json(text) } else { text.into() };
    let (lockfile, spots) = match sorted(&plain, name)? {
        Sorted::PackageLock { tree, is_shrinkwrap } => package_lock::read(&plain, &tree, is_shrinkwrap),
        Sorted::Bun(tree) => bun::read(&plain, &tree),
        Sorted::Deno(tree) => deno::read(&plain, &tree),
        Sorted::Pnpm(documents) => pnpm::read(&plain, &documents),
        Sorted::Berry(tree) => berry::read(&plain, &tree),
        Sorted::Yarn(blocks) => yarn::read(&plain, &blocks),
    }?;
    Ok((text, lockfile, spots))
}

fn first_line(why: impl Into<String>) -> Fault {
    Fault { line: 1, why: why.into() }
}

/// The text that bytes are, if it is none that has to be made anew first.
pub fn decoded(text: &[u8]) -> Result<&str, Fault> {
    if text.starts_with(BUN_BINARY) {
        return Err(first_line("this is bun's binary lockfile; write it as text with: bun install --save-text-lockfile"));
    }
    if text.len() > LOCKFILE_BYTES_MAX {
        return Err(first_line(format!("it has {} bytes, more than {LOCKFILE_BYTES_MAX}", text.len())));
    }
    let text = text.strip_prefix(b"\xef\xbb\xbf").map_or(Ok(text), |_| Err(first_line("a byte order mark stands before the text")))?;
    let text = str::from_utf8(text).map_err(|error| {
        let before = text.get(..error.valid_up_to()).unwrap_or_default();
        let lines = memchr::memchr_iter(b'\n', before).count() + 1;
        Fault { line: u32::try_from(lines).unwrap_or(u32::MAX), why: "not UTF-8".to_owned() }
    })?;
    for mark in CONFLICT {
        let at = if text.starts_with(mark) { Some(0) } else { text.find(&format!("\n{mark}")).map(|at| at + 1) };
        if let Some(at) = at {
            return Err(
                crate::ecosystem::tree::Lines::new(text).fault(at, "a conflict of git's is not resolved here; resolve it, and install")
            );
        }
    }
    Ok(text)
}

/// Tells apart which lockfile a text is. JSON is told by its keys, yarn's two formats by their first lines.
pub fn sorted<'t>(text: &'t str, name: Option<&str>) -> Result<Sorted<'t>, Fault> {
    let base = name.map(|name| name.rsplit(['/', '\\']).next().unwrap_or(name));
    if text.trim_start().starts_with('{') {
        return sorted_json(json(text)?, base);
    }
    if text.trim_start().is_empty() {
        return Err(first_line("it is empty"));
    }
    let has_line = |start: &str| text.lines().any(|line| line.starts_with(start));
    if has_line("__metadata:") {
        let mut documents = yaml(text)?;
        return match (documents.pop(), documents.pop()) {
            (Some(tree), None) => Ok(Sorted::Berry(tree)),
            (_, _) => Err(first_line("several documents where yarn writes one")),
        };
    }
    if has_line("lockfileVersion:") || has_line("shrinkwrapVersion:") {
        return yaml(text).map(Sorted::Pnpm);
    }
    if has_line("# yarn lockfile v") || base == Some("yarn.lock") {
        return yarn::blocks(text).map(Sorted::Yarn);
    }
    Err(first_line(UNKNOWN))
}

const UNKNOWN: &str = "this is none of the lockfiles that are known: package-lock.json, npm-shrinkwrap.json, pnpm-lock.yaml, \
                       yarn.lock, bun.lock, deno.lock";

fn sorted_json<'t>(tree: Node<'t>, name: Option<&str>) -> Result<Sorted<'t>, Fault> {
    let is_deno = ["specifiers", "npm", "jsr", "remote", "workspace"].into_iter().any(|key| tree.has(key));
    if (tree.has("dependencies") && (tree.has("workspaces") || is_deno)) || (tree.has("lockfileVersion") && is_deno) {
        // Read as the one, it says nothing of what the client of the other installs.
        return Err(first_line("it has the keys of two kinds of lockfile"));
    }
    let is_bun =
        tree.has("workspaces") && tree.get("packages").is_none_or(|packages| packages.pairs().iter().all(|(_, one)| one.is_list()));
    if tree.has("lockfileVersion") && is_bun {
        return Ok(Sorted::Bun(tree));
    }
    if tree.has("lockfileVersion") {
        return Ok(Sorted::PackageLock { tree, is_shrinkwrap: name == Some("npm-shrinkwrap.json") });
    }
    if tree.has("__metadata") {
        return Err(first_line("this is a lockfile of yarn's that is JSON, which is not read; yarn 1 to 4 write others"));
    }
    if tree.has("version") && (is_deno || name == Some("deno.lock")) {
        return Ok(Sorted::Deno(tree));
    }
    let has_locked = tree.get("dependencies").is_some_and(|all| all.pairs().iter().any(|(_, one)| one.is_map()));
    if has_locked {
        // Older than the number that says how old it is.
        return Ok(Sorted::PackageLock { tree, is_shrinkwrap: name != Some("package-lock.json") });
    }
    if tree.has("name") && tree.has("version") {
        return Err(first_line("this is a package.json, and no lockfile"));
    }
    Err(first_line(UNKNOWN))
}

#[cfg(test)]
mod tests;
