//! `yarn.lock` of yarn 1, in its own syntax: blocks of indented lines below what is wanted.
//! Source: yarn 1's lockfile parser and stringifier.

use std::borrow::Cow;
use std::collections::HashMap;

use crate::ecosystem::tree::Fault;
use crate::ecosystem::tree::Lines;
use crate::model::lockfile::By;
use crate::model::lockfile::Source;
use crate::model::lockfile::Want;
use crate::model::lockfile::WantKind;
use crate::protocol::npm::lockfile::draft::Draft;
use crate::protocol::npm::lockfile::draft::Place;
use crate::protocol::npm::lockfile::draft::Read;
use crate::protocol::npm::lockfile::draft::place_of;
use crate::protocol::npm::lockfile::draft::split_at;
use crate::protocol::npm::lockfile::draft::stated;
use crate::protocol::npm::lockfile::draft::wanted;
use crate::protocol::npm::lockfile::rewrite::Spot;

/// The version of the syntax that is read.
const EDITION: &str = "1";

/// A text and where it stands: of a quoted one its quote.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Word<'t> {
    pub at: usize,
    pub text: Cow<'t, str>,
}

/// One block: what is wanted, and what was found for it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Block<'t> {
    pub wanted: Vec<Word<'t>>,
    pub fields: Vec<(Word<'t>, Word<'t>)>,
    /// Of `dependencies` and `optionalDependencies`, with which of them it is.
    pub wants: Vec<(WantKind, Word<'t>, Word<'t>)>,
}

impl Block<'_> {
    pub fn field(&self, name: &str) -> Option<&Word<'_>> {
        self.fields.iter().find(|(key, _)| key.text == name).map(|(_, value)| value)
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.field(name).map(|word| &*word.text)
    }
}

/// The blocks of the text.
pub fn blocks(text: &str) -> Result<Vec<Block<'_>>, Fault> {
    let lines = Lines::new(text);
    let mut blocks: Vec<Block<'_>> = Vec::new();
    let mut inner = None;
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let start = at;
        at += line.len();
        let line = line.trim_end_matches(['\n', '\r']);
        let body = line.trim_start_matches(' ');
        let indent = line.len() - body.len();
        let begins = start + indent;
        if let Some(comment) = body.strip_prefix('#') {
            check_edition(comment).map_err(|why| lines.fault(start, why))?;
            continue;
        }
        if body.is_empty() {
            continue;
        }
        let words = words(body, begins).map_err(|(at, why)| lines.fault(at, why))?;
        match (indent, blocks.last_mut()) {
            (0, _) if words.ends_with_colon => {
                inner = None;
                blocks.push(Block { wanted: words.all, ..Block::default() });
            }
            (2, Some(block)) if words.ends_with_colon => {
                inner = match words.all.first().map(|word| &*word.text) {
                    Some("dependencies") => Some(WantKind::Needed),
                    Some("optionalDependencies") => Some(WantKind::Optional),
                    Some(_) | None => return Err(lines.fault(begins, "a map that is not known")),
                };
                _ = block;
            }
            (2, Some(block)) => {
                inner = None;
                let [key, value] = pair(words.all).ok_or_else(|| lines.fault(begins, "not a key and a value"))?;
                if block.field(&key.text).is_some() {
                    return Err(lines.fault(begins, format!("the key {:?} stands twice", key.text)));
                }
                block.fields.push((key, value));
            }
            (4, Some(block)) if !words.ends_with_colon => {
                let kind = inner.ok_or_else(|| lines.fault(begins, "indented deeper than what stands above"))?;
                let [key, value] = pair(words.all).ok_or_else(|| lines.fault(begins, "not a key and a value"))?;
                block.wants.push((kind, key, value));
            }
            (_, _) => return Err(lines.fault(begins, "indented as nothing is in a yarn.lock")),
        }
    }
    Ok(blocks)
}

fn check_edition(comment: &str) -> Result<(), String> {
    match comment.trim().strip_prefix("yarn lockfile v") {
        Some(edition) if edition != EDITION => Err(format!("version {edition} of yarn's lockfile is not known; {EDITION} is")),
        Some(_) | None => Ok(()),
    }
}

fn pair(words: Vec<Word<'_>>) -> Option<[Word<'_>; 2]> {
    words.try_into().ok()
}

struct Words<'t> {
    all: Vec<Word<'t>>,
    ends_with_colon: bool,
}

/// The words of a line that begins at `start`: quoted, or up to a space, a comma or the colon at the end.
fn words(line: &str, start: usize) -> Result<Words<'_>, (usize, &'static str)> {
    let mut all = Vec::new();
    let mut at = 0;
    let mut ends_with_colon = false;
    while let Some(rest) = line.get(at..).filter(|rest| !rest.is_empty()) {
        if ends_with_colon {
            return Err((start + at, "something follows a colon"));
        }
        match rest.as_bytes().first() {
            Some(b' ' | b',') => at += 1,
            Some(b':') => {
                ends_with_colon = true;
                at += 1;
            }
            Some(b'"') => {
                let (length, text) = quoted(rest).ok_or((start + at, "a quoted text that does not end, or cannot be read"))?;
                all.push(Word { at: start + at, text });
                at += length;
            }
            Some(_) | None => {
                // Of a colon only the one at the end of the line is a sign: a range may hold one.
                let end = rest.find([' ', ',', '"']).unwrap_or(rest.len());
                let text = rest.get(..end).unwrap_or(rest);
                let text = if end == rest.len() { text.strip_suffix(':').unwrap_or(text) } else { text };
                all.push(Word { at: start + at, text: text.into() });
                at += text.len();
            }
        }
    }
    if all.is_empty() { Err((start, "nothing stands before a colon")) } else { Ok(Words { all, ends_with_colon }) }
}

/// How long the quoted text at the head of `rest` is, and what it says.
fn quoted(rest: &str) -> Option<(usize, Cow<'_, str>)> {
    let bytes = rest.as_bytes();
    let mut at = 1;
    let mut has_escapes = false;
    loop {
        match bytes.get(at)? {
            b'"' => break,
            b'\\' => (at, has_escapes) = (at + 2, true),
            _ => at += 1,
        }
    }
    let text = if has_escapes { serde_json::from_str::<String>(rest.get(..=at)?).ok()?.into() } else { rest.get(1..at)?.into() };
    Some((at + 1, text))
}

pub fn read(text: &str, blocks: &[Block<'_>]) -> Result<Read, Fault> {
    let mut draft = Draft::new(text);
    let project = draft.project(0, "")?;
    let mut found: HashMap<&str, usize> = HashMap::new();
    for block in blocks {
        let Some(first) = block.wanted.first() else { continue };
        let place = entry(&mut draft, block, first)?;
        for pattern in &block.wanted {
            if found.insert(&pattern.text, place).is_some() {
                return Err(draft.fault(pattern.at, format!("{:?} is wanted twice", pattern.text)));
            }
        }
    }
    let mut by_others: HashMap<String, bool> = HashMap::new();
    for block in blocks {
        let Some(place) = block.wanted.first().and_then(|first| found.get(&*first.text)).copied() else { continue };
        for (kind, name, range) in &block.wants {
            let pattern = format!("{}@{}", name.text, range.text);
            let Some(target) = found.get(pattern.as_str()).copied() else { continue };
            let range = wanted(&range.text).range.map(Box::from);
            draft.want(target, name.at, Want { by: By::Entry(place), range, kind: *kind })?;
            by_others.insert(pattern, true);
        }
    }
    // What no entry wants, the project does.
    for block in blocks {
        for pattern in &block.wanted {
            if by_others.contains_key(&*pattern.text) {
                continue;
            }
            let Some(target) = found.get(&*pattern.text).copied() else { continue };
            let range = split_at(&pattern.text).and_then(|(_, range)| wanted(range).range).map(Box::from);
            draft.want(target, pattern.at, Want { by: project, range, kind: WantKind::Needed })?;
        }
    }
    Ok(draft.finish_with_purposes("yarn.lock", EDITION))
}

fn entry(draft: &mut Draft<'_>, block: &Block<'_>, first: &Word<'_>) -> Result<usize, Fault> {
    let (key, range) = split_at(&first.text).unwrap_or((&first.text, ""));
    let version = block.text("version").ok_or_else(|| draft.fault(first.at, "an entry without a version"))?;
    let target = wanted(range);
    let name = target.target.unwrap_or(key);
    let resolved = block.text("resolved").unwrap_or_default();
    let (address, sha1) = resolved.split_once('#').map_or((resolved, None), |(address, hash)| (address, Some(hash)));
    let source = match place_of(address) {
        _ if resolved.is_empty() && target.range.is_some() => {
            Source::Registry { release: draft.release(first.at, name, version)?, address: None }
        }
        _ if resolved.is_empty() && place_of(range) == Place::Local => Source::Local,
        // yarn looks for it anew, wherever that says.
        _ if resolved.is_empty() => Source::Elsewhere { address: range.to_owned() },
        Place::Local => Source::Local,
        // A file in the project's own mirror.
        Place::Other if !address.contains(':') => Source::Local,
        Place::Other => Source::Elsewhere { address: resolved.to_owned() },
        Place::Web if target.range.is_some() => {
            Source::Registry { release: draft.release(first.at, name, version)?, address: Some(address.to_owned()) }
        }
        Place::Web => Source::Elsewhere { address: address.to_owned() },
    };
    // Behind the address of a repository stands which of its commits it is.
    let sha1 = sha1.filter(|_| !matches!(source, Source::Elsewhere { .. }) || place_of(address) == Place::Web);
    let release = match &source {
        Source::Registry { release, address: Some(_) } => Some(release.clone()),
        Source::Registry { .. } | Source::Beneath { .. } | Source::Elsewhere { .. } | Source::Local | Source::Bundled { .. } => None,
    };
    let address = address.to_owned();
    let place = draft.add(first.at, name, version, source, stated(block.text("integrity"), sha1))?;
    if let Some((release, word)) = release.zip(block.field("resolved")) {
        draft.spot(Some(place), Spot { release, at: word.at, address, is_encoded: false });
    }
    draft.alias(place, key);
    Ok(place)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn refused(text: &str, expect: &str) {
        assert_eq!(blocks(text).unwrap_err().to_string(), expect);
    }

    #[test]
    fn the_syntax_of_yarn_is_read() {
        let text = "# yarn lockfile v1\n\n\"@acme/a@1, 2\", b@~1.0.0:\n  version \"1.0.0\"\n  resolved x:y\n  dependencies:\n    \"c d\" \">=1 <2\"\n    e 3\n  optionalDependencies:\n    f \"\\u0034\"\n\ng@npm:h@1:\r\n  version \"1\"\r\n";
        let blocks = blocks(text).unwrap();
        let words = |words: &[Word<'_>]| words.iter().map(|word| word.text.to_string()).collect::<Vec<String>>();
        assert_eq!(words(&blocks[0].wanted), ["@acme/a@1, 2", "b@~1.0.0"]);
        assert_eq!((blocks[0].text("version"), blocks[0].text("resolved")), (Some("1.0.0"), Some("x:y")));
        let wants: Vec<_> = blocks[0].wants.iter().map(|(kind, name, range)| (*kind, &*name.text, &*range.text)).collect();
        assert_eq!(wants, [(WantKind::Needed, "c d", ">=1 <2"), (WantKind::Needed, "e", "3"), (WantKind::Optional, "f", "4")]);
        assert_eq!(words(&blocks[1].wanted), ["g@npm:h@1"]);
        assert!(text[blocks[0].wanted[1].at..].starts_with("b@~1.0.0"));
    }

    #[test]
    fn what_yarn_does_not_write_is_refused() {
        refused("# yarn lockfile v2\n", "line 1: version 2 of yarn's lockfile is not known; 1 is");
        refused("a@1:\n  version \"1\"\n  version \"2\"\n", "line 3: the key \"version\" stands twice");
        refused("a@1:\n   version \"1\"\n", "line 2: indented as nothing is in a yarn.lock");
        refused("  version \"1\"\n", "line 1: indented as nothing is in a yarn.lock");
        refused("a@1:\n  version \"1\n", "line 2: a quoted text that does not end, or cannot be read");
        refused("a@1:\n  version\n", "line 2: not a key and a value");
        refused("a@1:\n    b 1\n", "line 2: indented deeper than what stands above");
        refused("a@1:\n  bin:\n", "line 2: a map that is not known");
        refused("a@1: b\n", "line 1: indented as nothing is in a yarn.lock");
        refused(":\n", "line 1: nothing stands before a colon");
        refused("a@1\n", "line 1: indented as nothing is in a yarn.lock");
    }
}
