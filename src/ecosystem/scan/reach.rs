//! What JavaScript reaches for: what it loads by name, and what it calls.

use crate::model::profile::Capability;

/// Longest text of an import that is read.
const SPECIFIER_BYTES_MAX: usize = 256;

/// Words after which the text of an import stands.
pub(super) const IMPORTS: [&[u8]; 12] = [
    b"require(",
    b"require (",
    b"import(",
    b"import\"",
    b"import'",
    b"import \"",
    b"import '",
    b"from\"",
    b"from'",
    b"from \"",
    b"from '",
    b"getBuiltinModule(",
];

/// Calls that need no import, each with what it reaches for. Of a name that is longer than this it is a part, and no such call.
pub(super) const CALLS: [(&[u8], Capability); 17] = [
    (b"fetch(", Capability::Network),
    (b"XMLHttpRequest", Capability::Network),
    (b"new WebSocket(", Capability::Network),
    (b"sendBeacon(", Capability::Network),
    (b"new EventSource(", Capability::Network),
    (b"importScripts(", Capability::Network),
    (b"eval(", Capability::Eval),
    (b"new Function(", Capability::Eval),
    (b"Function(\"return", Capability::Eval),
    (b"Function('return", Capability::Eval),
    (b"process.env", Capability::Environment),
    (b"process[\"env\"]", Capability::Environment),
    (b"process['env']", Capability::Environment),
    (b"Bun.spawn", Capability::Process),
    (b"Deno.run(", Capability::Process),
    (b"Deno.Command(", Capability::Process),
    (b"process.binding(", Capability::Process),
];

/// Capabilities as bits, for one file.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Reach(u8);

impl Reach {
    const ALL: [Capability; 5] =
        [Capability::Network, Capability::Process, Capability::Environment, Capability::Filesystem, Capability::Eval];

    pub(super) const fn add(&mut self, capability: Capability) {
        self.0 |= 1 << capability as u8;
    }

    pub(super) const fn has(self, capability: Capability) -> bool {
        self.0 & (1 << capability as u8) != 0
    }

    pub(super) fn all(self) -> impl Iterator<Item = Capability> {
        Reach::ALL.into_iter().filter(move |one| self.has(*one))
    }
}

/// What a module that is loaded by this name reaches for.
pub(super) fn of_module(name: &str) -> Option<Capability> {
    let name = name.strip_prefix("node:").unwrap_or(name);
    match name.split_once('/').map_or(name, |(first, _)| first) {
        "http" | "https" | "http2" | "net" | "tls" | "dgram" | "dns" | "axios" | "got" | "node-fetch" | "undici" | "request"
        | "superagent" | "needle" | "ws" | "ky" | "phin" | "cross-fetch" => Some(Capability::Network),
        "child_process" | "execa" | "cross-spawn" | "shelljs" | "zx" | "node-pty" | "cluster" => Some(Capability::Process),
        "fs" | "fs-extra" | "graceful-fs" => Some(Capability::Filesystem),
        "vm" => Some(Capability::Eval),
        _ => None,
    }
}

/// The text of an import whose word ends at `at`: `require('x')`, `from "x"`.
pub(super) fn specifier(text: &[u8], at: usize) -> Option<&str> {
    let quotes = |b: &u8| matches!(b, b'"' | b'\'' | b'`');
    let rest = match text.get(at.checked_sub(1)?) {
        Some(last) if quotes(last) => text.get(at - 1..)?,
        _ => text.get(at..)?.trim_ascii_start(),
    };
    let (quote, rest) = rest.split_first().filter(|(quote, _)| quotes(quote))?;
    let rest = rest.get(..SPECIFIER_BYTES_MAX).unwrap_or(rest);
    let length = rest.iter().position(|b| b == quote || *b == b'\n').filter(|length| rest.get(*length) == Some(quote))?;
    str::from_utf8(rest.get(..length)?).ok().filter(|text| !text.is_empty())
}

/// Whether a call that stands at `start..end` is one of its own: no part of a longer name, and no method of something else.
pub(super) fn is_call(text: &[u8], start: usize, end: usize) -> bool {
    const GLOBALS: [&[u8]; 4] = [b"window.", b"globalThis.", b"self.", b"global."];
    let before = text.get(..start).unwrap_or_default();
    let free = match before.last() {
        Some(b'.') => GLOBALS.iter().any(|global| before.ends_with(global)),
        Some(b) => !b.is_ascii_alphanumeric() && !matches!(b, b'_' | b'$'),
        None => true,
    };
    // Bundlers replace this one; it tells nothing of what the environment holds.
    free && !text.get(end..).unwrap_or_default().starts_with(b".NODE_ENV")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn imports_are_read() {
        for (text, expect) in [
            ("require('fs')", Some("fs")),
            ("require( \"node:fs\" )", Some("node:fs")),
            ("import { x } from './a.js';", Some("./a.js")),
            ("import x from\"./a\"", Some("./a")),
            ("import('./b')", Some("./b")),
            ("import './c';", Some("./c")),
            ("require(name)", None),
            ("require('never closed\n", None),
            ("require('')", None),
        ] {
            let ends = IMPORTS.iter().filter_map(|word| memchr::memmem::find(text.as_bytes(), word).map(|at| at + word.len()));
            assert_eq!(ends.filter_map(|end| specifier(text.as_bytes(), end)).next(), expect, "{text}");
        }
    }

    #[test]
    fn modules_reach() {
        assert_eq!(of_module("node:https"), Some(Capability::Network));
        assert_eq!(of_module("dns/promises"), Some(Capability::Network));
        assert_eq!(of_module("child_process"), Some(Capability::Process));
        assert_eq!(of_module("left-pad"), None);
    }

    #[test]
    fn calls_stand_for_themselves() {
        let call = |text: &str, word: &str| {
            let start = text.find(word).unwrap();
            is_call(text.as_bytes(), start, start + word.len())
        };
        for text in ["fetch(x)", "await fetch(x)", "window.fetch(x)", "(fetch(x))"] {
            assert!(call(text, "fetch("), "{text}");
        }
        for text in ["prefetch(x)", "cache.fetch(x)", "_fetch(x)"] {
            assert!(!call(text, "fetch("), "{text}");
        }
        assert!(call("process.env.HOME", "process.env") && !call("process.env.NODE_ENV", "process.env"));
    }
}
