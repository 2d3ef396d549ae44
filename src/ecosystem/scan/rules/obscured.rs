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

/// How texts begin that code hides from its readers: addresses and the module that starts programs in Base64, those and
/// relative paths as numbers.
const ENCODED: &[&[u8]] = &[
    b"aHR0cHM6L",
    b"aHR0cDovL",
    b"d3NzOi8v",
    b"d3M6Ly",
    b"Y2hpbGRfcHJvY2Vzc",
    b"bm9kZTpjaGlsZF9wcm9jZXNz",
    b"3a2f2f",
    b"687474703a2f2f",
    b"68747470733a2f2f",
    b"2e2f",
    b"2e2e2f",
    b"6368696c645f70726f63657373",
];

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
        SignalKind::EncodedText,
        COMMANDS,
        ENCODED,
        How::Filtered(
            r#"["'`](?:(?:aHR0c(?:HM6L|DovL)|d3NzOi8v|d3M6Ly|Y2hpbGRfcHJvY2Vzc|bm9kZTpjaGlsZF9wcm9jZXNz)[A-Za-z0-9+/_=-]*|(?i:68747470(?:73)?3a2f2f|7773(?:73)?3a2f2f|(?:2e){1,2}2f|(?:6e6f64653a)?6368696c645f70726f63657373)[0-9a-fA-F]*)"#,
            is_of_characters,
        ),
    ),
    Rule::signal(
        SignalKind::EncodedText,
        COMMANDS,
        &[b"atob", b"Buffer.from", b"new Buffer", b"unescape", b"fromCharCode"],
        How::Pattern(
            r"\b(?:require|import) ?\(\s*(?:(?:window|global|globalThis|self)\.)?(?:atob|Buffer\.from|new Buffer|unescape|String\.fromCharCode)\s*\(",
        ),
    ),
    Rule::signal(
        SignalKind::MadeModule,
        COMMANDS,
        &[b"module.constructor", b"module[\"constructor\"]", b"module['constructor']"],
        How::Pattern(r#"\bnew\s+\(?\s*module(?:\.constructor|\[["']constructor["']\])\s*(?:\(|\)|;|,|\n)"#),
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

/// Whether numbers in quotes are those of readable characters, as many as a path has. Base64 was known by how it begins.
fn is_of_characters(text: &[u8], place: Range<usize>) -> bool {
    const FEWEST_DIGITS: usize = 12;
    const MOST_DIGITS: usize = 200;
    let digits = text.get(place.start + 1..place.end).unwrap_or_default();
    if text.get(place.end).is_some_and(u8::is_ascii_alphanumeric) {
        return false;
    }
    // Of a long one its head says enough.
    let digits = digits.get(..MOST_DIGITS).unwrap_or(digits);
    if !digits.iter().all(u8::is_ascii_hexdigit) {
        return true;
    }
    let (pairs, odd) = digits.as_chunks::<2>();
    let is_character = |pair: &[u8; 2]| {
        let byte = str::from_utf8(pair).ok().and_then(|pair| u8::from_str_radix(pair, 16).ok());
        byte.is_some_and(|byte| byte.is_ascii_graphic() || byte == b' ')
    };
    odd.is_empty() && digits.len() >= FEWEST_DIGITS && pairs.iter().all(is_character)
}

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
