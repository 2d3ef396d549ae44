//! What the worst archives cost that an attacker can send: each is made into a file, and gone through by a process of its own, so
//! that its memory is its own too. Prints a table for docs/judgement.md.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::process::ExitCode;
use std::time::Instant;

use airlock::ecosystem::Ecosystem as _;
use airlock::model::facts::Facts;
use airlock::model::package::PackageId;
use airlock::model::package::Version;
use airlock::protocol::npm::Npm;
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;

use crate::cpu;
use crate::samples::Dice;
use crate::samples::WORDS;
use crate::samples::tarball::MANIFEST;

const MIB: usize = 1 << 20;

type Archive = tar::Builder<GzEncoder<fs::File>>;

/// A case: what it is, and how it is written.
type Case = (&'static str, fn(&mut Archive));

const CASES: &[Case] = &[
    ("2 GiB of zeros in one file", |archive| zeros(archive, 2 << 30)),
    ("255 MiB of zeros in one file, code by its name", |archive| zeros(archive, 255 << 20)),
    ("a million empty files", |archive| (0..1_000_000).for_each(|n| add(archive, &format!("{n}.js"), b""))),
    ("49,000 files with one import each", |archive| {
        (0..49_000).for_each(|n| add(archive, &format!("{n}.js"), format!("require('./{}');", (n * 7) % 49_000).as_bytes()));
    }),
    ("40,000 files that import a hundred others each", |archive| {
        for n in 0..40_000_usize {
            let imports: String = (1..=100).map(|k| format!("require('./{}');", (n * k + k) % 40_000)).collect();
            add(archive, &format!("{n}.js"), imports.as_bytes());
        }
    }),
    ("a PAX header of 64 MiB", |archive| {
        let mut header = tar::Header::new_ustar();
        header.set_entry_type(tar::EntryType::XHeader);
        header.set_size(64 << 20);
        header.set_path("PaxHeader/x").unwrap();
        header.set_cksum();
        let record = noise(64 * MIB);
        archive.append(&header, record.as_slice()).unwrap();
    }),
    ("200 MiB of code in one line", |archive| add(archive, "a.js", &line(200 * MIB))),
    ("200 MiB of code in one line, called an image", |archive| add(archive, "a.png", &line(200 * MIB))),
    ("700 MiB of code in four files", |archive| (0..4).for_each(|n| add(archive, &format!("{n}.js"), &line(175 * MIB)))),
    ("25 KB of nested templates", |archive| add(archive, "a.js", &nested(25_000))),
    ("50 MiB of nested templates", |archive| add(archive, "a.js", &nested(50 * MIB))),
    ("each start of a rule, over and over, 2 MiB each", |archive| {
        for (n, piece) in STARTS.iter().enumerate() {
            add(archive, &format!("{n}.js"), &salted(piece, 2 * MIB));
        }
    }),
    ("a million host names", |archive| {
        let names: String = (0..1_000_000).map(|n| format!("get('https://h{n}.example/');")).collect();
        add(archive, "a.js", names.as_bytes());
    }),
    ("a million relative imports", |archive| {
        let names: String = (0..1_000_000).map(|n| format!("require('./m{n}');")).collect();
        add(archive, "a.js", names.as_bytes());
    }),
    ("code behind an image's bytes", |archive| add(archive, "a.png", &[b"\x89PNG\r\n\x1a\n".as_slice(), &noise(64 * MIB), CODE].concat())),
    ("code in a source map of 64 MiB", |archive| add(archive, "a.js.map", &[line(64 * MIB).as_slice(), CODE].concat())),
    ("code in a readable name without an extension", |archive| {
        add(archive, "bin/run", &[b"#!/usr/bin/env node\n".as_slice(), CODE].concat())
    }),
    ("code in UTF-16", |archive| {
        let wide: Vec<u8> = [0xff, 0xfe].into_iter().chain(CODE.iter().flat_map(|byte| [*byte, 0])).collect();
        add(archive, "a.js", &wide);
    }),
    ("code in a line of 64 KB of a readme", |archive| add(archive, "README.md", &[salted("words ", 64_000).as_slice(), CODE].concat())),
];

/// Harmless, but looks like what it stands for.
const CODE: &[u8] = b"eval(Buffer.from(inert, 'base64').toString());\n";

/// What makes a rule look on, without ever coming to what it looks for.
const STARTS: &[&str] = &[
    "eval(atob",
    "eval ( ",
    "Function( \"a, b",
    "Buffer.from(",
    "global['a'] = ",
    "process.env",
    "JSON.stringify(process",
    "powershell -e ",
    "base64 -d | ",
    "curl x | ",
    "\\x61",
    "_0xabc",
    "var _0xab ",
    "https://",
    "http://1.2.3.",
    "require('",
    "import('",
    "from './",
    "'aHR0cHM6Ly",
    "\"2e2f",
    "new module.constructor",
    ".ssh/id_rsa",
    "/proc/",
    "npm publish ",
    "crontab ",
    "                ",
    "((((((((",
    "`${`${",
    "wget -O- x |",
    "host: '",
];

/// The table of all cases, each gone through by this program again. Fails where a process did.
pub fn compare() -> ExitCode {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("limits");
    fs::create_dir_all(&folder).unwrap();
    println!("| archive | packed | what is said | time | memory |\n|---|---|---|---|---|");
    let mut code = ExitCode::SUCCESS;
    for (number, (name, write)) in CASES.iter().enumerate() {
        let path = folder.join(format!("{number}.tgz"));
        let packed = make(&path, *write);
        let child = Command::new(std::env::current_exe().unwrap()).arg("--limited").arg(&path).output().unwrap();
        let told = String::from_utf8_lossy(&child.stdout);
        if child.status.success() {
            println!("| {name} | {} | {} |", size(packed), told.trim());
        } else {
            println!("| {name} | {} | **{}** | | |", size(packed), String::from_utf8_lossy(&child.stderr).trim());
            code = ExitCode::FAILURE;
        }
        fs::remove_file(path).unwrap();
    }
    code
}

/// Goes through one archive, and prints what is said, the time of a processor and the memory that it took at most.
pub fn run(path: &Path) {
    let packed = Bytes::from(fs::read(path).unwrap());
    let (package, version) = (PackageId::npm("big").unwrap(), Version::parse("1.0.0").unwrap());
    let before = memory("VmRSS:");
    let (begun, clock) = (Instant::now(), cpu::now());
    let inspected = Npm.inspect(&package, &version, MANIFEST.as_bytes(), &packed);
    let (took, wall) = (cpu::now() - clock, begun.elapsed());
    let said = inspected.map_or_else(|why| format!("refused: {why}"), |inspected| said(&inspected.facts));
    println!(
        "{said} | {:.2} s, {:.2} s of a processor | {} MB",
        wall.as_secs_f64(),
        took.as_secs_f64(),
        (memory("VmHWM:") - before) / 1_000
    );
}

fn said(facts: &Facts) -> String {
    if let Some(why) = &facts.unsafe_archive {
        return format!("refused: {why}");
    }
    let signals: Vec<String> = facts.signals.iter().map(|signal| signal.kind.to_string()).collect();
    let mut told = Vec::new();
    if !signals.is_empty() {
        told.push(format!("`{}`", signals.join("`, `")));
    }
    if let Some(first) = facts.unscanned.first() {
        told.push(format!("unscanned: {first}"));
    }
    if told.is_empty() { "nothing".to_owned() } else { told.join("; ") }
}

/// In KB, of this process.
fn memory(which: &str) -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with(which)).unwrap();
    line.split_ascii_whitespace().nth(1).unwrap().parse().unwrap()
}

fn make(path: &Path, write: fn(&mut Archive)) -> u64 {
    let mut archive = tar::Builder::new(GzEncoder::new(fs::File::create(path).unwrap(), Compression::fast()));
    add(&mut archive, "package.json", MANIFEST.as_bytes());
    write(&mut archive);
    archive.into_inner().unwrap().finish().unwrap().flush().unwrap();
    fs::metadata(path).unwrap().len()
}

fn add(archive: &mut Archive, path: &str, content: &[u8]) {
    append(archive, path, content.len() as u64, content);
}

fn append(archive: &mut Archive, path: &str, size: u64, content: impl std::io::Read) {
    let mut header = tar::Header::new_ustar();
    header.set_size(size);
    header.set_mode(0o644);
    archive.append_data(&mut header, format!("package/{path}"), content).unwrap();
}

fn zeros(archive: &mut Archive, bytes: u64) {
    append(archive, "a.js", bytes, std::io::Read::take(std::io::repeat(0), bytes));
}

/// One line of words, which does not compress further than archives may.
fn line(bytes: usize) -> Vec<u8> {
    let mut dice = Dice::new(7);
    let mut line = Vec::with_capacity(bytes + 32);
    while line.len() < bytes {
        line.extend_from_slice(dice.word(&WORDS).as_bytes());
        line.extend_from_slice([b"=".as_slice(), b"(", b").", b";", b"+"][dice.below(5)]);
    }
    line
}

fn nested(bytes: usize) -> Vec<u8> {
    salted("`${", bytes)
}

/// `piece` over and over, with a digit now and then, so that it does not compress further than archives may.
fn salted(piece: &str, bytes: usize) -> Vec<u8> {
    let mut dice = Dice::new(bytes as u64);
    let mut text = Vec::with_capacity(bytes + 64);
    while text.len() < bytes {
        text.extend_from_slice(piece.as_bytes());
        if dice.below(8) == 0 {
            text.push(b'0' + u8::try_from(dice.below(10)).unwrap());
        }
    }
    text
}

fn noise(bytes: usize) -> Vec<u8> {
    let mut dice = Dice::new(bytes as u64);
    (0..bytes).map(|_| u8::try_from(dice.below(256)).unwrap()).collect()
}

fn size(bytes: u64) -> String {
    if bytes < 1_000_000 { format!("{} KB", bytes / 1_000) } else { format!("{} MB", bytes / 1_000_000) }
}
