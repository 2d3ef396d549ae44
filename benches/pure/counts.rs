//! How many instructions each part takes, which repeats to the per cent where times do not. This program runs itself under
//! valgrind's callgrind, once for each input; callgrind counts inside `counted` only, and writes a file whenever it ends.

use std::fs;
use std::io;
use std::path::Path;
use std::process::Command;
use std::process::ExitCode;
use std::process::Stdio;

use crate::parts;
use crate::parts::Part;

/// Runs this program again, under callgrind, for each input, and prints a table.
pub fn compare() -> ExitCode {
    let there = Command::new("valgrind").arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    if there.is_err() {
        println!("instruction counts: SKIPPED, valgrind is not on this machine (Debian: apt-get install valgrind)");
        return ExitCode::SUCCESS;
    }
    println!("instructions, in millions, as callgrind counts them on a processor without SHA and AVX-512 extensions");
    for input in parts::inputs() {
        match of_input(input) {
            Ok(lines) => lines.iter().for_each(|(part, count)| println!("{part:<26} {input:<16} {:>12.3}", *count as f64 / 1e6)),
            Err(error) => {
                println!("{input}: {error}");
                return ExitCode::FAILURE;
            }
        }
    }
    ExitCode::SUCCESS
}

/// The names of the parts that were run on `input`, with their counts.
fn of_input(input: &str) -> io::Result<Vec<(String, u64)>> {
    let folder = tempfile::tempdir()?;
    // The two patterns differ in their text, because callgrind forgets the first of two that are equal.
    let out = Command::new("valgrind")
        .args(["--tool=callgrind", "--collect-atstart=no", "--toggle-collect=*counts::counted*", "--dump-after=*::counts::counted*"])
        .arg(format!("--callgrind-out-file={}/out", folder.path().display()))
        .arg(std::env::current_exe()?)
        .args(["--counted", input])
        .output()?;
    if !out.status.success() {
        return Err(io::Error::other(String::from_utf8_lossy(&out.stderr).into_owned()));
    }
    let names: Vec<String> = String::from_utf8_lossy(&out.stdout).lines().map(str::to_owned).collect();
    let counts = (1..=names.len()).map(|number| count(&folder.path().join(format!("out.{number}"))));
    names.into_iter().zip(counts).map(|(name, count)| Ok((name, count?))).collect()
}

/// The sum in one of callgrind's files.
fn count(file: &Path) -> io::Result<u64> {
    let text = fs::read_to_string(file)?;
    let total = text.lines().find_map(|line| line.strip_prefix("totals: ").or_else(|| line.strip_prefix("summary: ")));
    total.and_then(|total| total.trim().parse().ok()).ok_or_else(|| io::Error::other(format!("no total in {}", file.display())))
}

/// What the program does under callgrind: every part once unobserved, so that memory is there and features are detected,
/// and once counted. Prints the names in order.
pub fn run(parts: &[Part]) {
    for part in parts {
        (part.act)();
        counted(part);
        println!("{}", part.name);
    }
}

#[inline(never)]
fn counted(part: &Part) {
    (part.act)();
}
