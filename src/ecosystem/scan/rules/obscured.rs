//! Code that is made hard to read.

use std::ops::Range;

use super::How;
use super::Rule;
use super::before;
use crate::ecosystem::scan::class::Classes;
use crate::ecosystem::scan::unseen;
use crate::model::signal::SignalKind;

const CODE: Classes = Classes::CODE;
const COMMANDS: Classes = Classes::COMMANDS;
const TEXT: Classes = Classes::TEXT;

/// What decodes. They wake the rules, rather than what runs the text, because every function is declared by such a word.
const DECODERS: &[&[u8]] =
    &[b"atob", b"Buffer.from", b"new Buffer", b"unescape", b"fromCharCode", b"decodeURIComponent", b"zlib", b"p,a,c,k"];

pub(super) const RULES: &[Rule] = &[
    Rule::signal(SignalKind::ObfuscatorMarks, Classes::ANY, &[b"_0x"], How::By(declarations)),
    Rule::signal(
        SignalKind::ObfuscatorMarks,
        Classes::ANY,
        &[b"['shift']", b"[\"shift\"]"],
        How::Pattern(r#"\[["']push["']\]\s?\(\s?\w{1,40}\[["']shift["']\]\(\)\)"#),
    ),
    Rule::signal(
        SignalKind::DecodedAndRun,
        TEXT,
        DECODERS,
        How::Pattern(
            r#"\beval\s*\(\s*(?:(?:window|global|globalThis|self)\.)?(?:atob|Buffer\.from|new Buffer|unescape|String\.fromCharCode|decodeURIComponent\s*\(\s*(?:atob|escape)|function\s*\(p,a,c,k\b|zlib\.|require\(["'](?:node:)?zlib)"#,
        ),
    ),
    Rule::signal(
        SignalKind::DecodedAndRun,
        TEXT,
        DECODERS,
        How::Pattern(
            r#"\bFunction\s*\(\s*(?:["'][\w$, ]{0,40}["']\s*,\s*)?(?:(?:window|global|globalThis|self)\.)?(?:atob|Buffer\.from|new Buffer|unescape|String\.fromCharCode|decodeURIComponent)\s*\("#,
        ),
    ),
    Rule::signal(
        SignalKind::DecodedAndRun,
        COMMANDS,
        &[b"atob", b"Buffer.from", b"new Buffer", b"base64.", b"zlib.", b"codecs.", b"marshal.", b"__import__"],
        How::Pattern(
            r"\b(?:_compile|exec|execSync|runIn(?:This|New)?Context)\s*\(\s*(?:atob|Buffer\.from|new Buffer|base64\.|zlib\.|codecs\.|marshal\.|__import__)",
        ),
    ),
    Rule::signal(
        SignalKind::DecodedAndRun,
        COMMANDS,
        &[b"powershell"],
        How::Pattern(r#"(?i)powershell(?:\.exe)?["']?\s[^\n]*-(?:e|ec|enc|encodedcommand)["']?[\s,]+["']?[a-z0-9+/=]{40}"#),
    ),
    Rule::signal(
        SignalKind::DecodedAndRun,
        COMMANDS,
        &[b"base64"],
        How::Pattern(r"\bbase64\s+(?:-d|-D|--decode)\b[^\n|;]*\|\s*(?:sudo\s+)?(?:(?:ba|z|da|k)?sh|node|python3?|perl|bun)\b"),
    ),
    Rule::signal(
        SignalKind::AliasedRequire,
        TEXT,
        &[b"global[", b"global.", b"globalThis[", b"globalThis."],
        How::Filtered(r#"\bglobal(?:This)?(?:\.\w{1,32}|\[\s?["'][^"'\n]{1,32}["']\s?\])\s?=\s?(?:require|module)\s?[;,)\n]"#, renames),
    ),
    Rule::signal(
        SignalKind::InvisibleCharacters,
        TEXT,
        &[b"\xef\xb8", b"\xf3\xa0"],
        How::Filtered(r"(?:\xef\xb8[\x80-\x8f]|\xf3\xa0[\x80\x81\x84-\x87][\x80-\xbf]){4,}", unseen::is_no_flag),
    ),
    Rule::signal(
        SignalKind::BidirectionalText,
        COMMANDS,
        &[b"\xe2\x80\xaa", b"\xe2\x80\xab", b"\xe2\x80\xad", b"\xe2\x80\xae", b"\xe2\x81\xa6", b"\xe2\x81\xa7", b"\xe2\x81\xa8"],
        How::Pattern(r"\xe2\x80[\xaa\xab\xad\xae]|\xe2\x81[\xa6-\xa8]"),
    ),
    Rule::signal(SignalKind::EscapedText, CODE, &[b"\\x"], How::Pattern(r"(?:\\x[0-9a-fA-F]{2}){50}")),
];

/// The third declaration in the manner of javascript-obfuscator. Prose shows what it looks like, but not in lines that long.
fn declarations(text: &[u8]) -> Option<Range<usize>> {
    const ENOUGH: usize = 3;
    const REACH: usize = 12;
    let mut names: [&[u8]; ENOUGH] = [&[]; ENOUGH];
    let mut known = 0;
    for at in memchr::memmem::find_iter(text, b"_0x") {
        let digits = text.get(at + 3..).unwrap_or_default().iter().take(16).take_while(|b| b.is_ascii_hexdigit()).count();
        if digits < 3 || !declares(before(text, at, REACH)) {
            continue;
        }
        let name = text.get(at..at + 3 + digits).unwrap_or_default();
        if names.contains(&name) {
            continue;
        }
        if let Some(slot) = names.get_mut(known) {
            *slot = name;
        }
        known += 1;
        if known == ENOUGH {
            return Some(at..at + name.len());
        }
    }
    None
}

/// Whether a name that follows `text` is declared by it.
fn declares(text: &[u8]) -> bool {
    let trimmed = text.trim_ascii_end();
    let gap = trimmed.len() < text.len();
    gap && [b"var".as_slice(), b"let", b"const", b"function"].iter().any(|word| trimmed.ends_with(word))
}

/// `global.require = require` gives it no other name.
fn renames(text: &[u8], place: Range<usize>) -> bool {
    let place = text.get(place).unwrap_or_default();
    let own = |word: &[u8]| memchr::memmem::find_iter(place, word).count() > 1;
    !own(b"require") && !own(b"module")
}
