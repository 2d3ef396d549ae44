//! `airlock lock rewrite LOCKFILE`: points every registry's address in it to a registry, and leaves the rest as it is.

use std::fs;
use std::path::Path;
use std::path::PathBuf;

use serde_json::json;
use url::Url;

use crate::cli::check::read;
use crate::cli::failure::Failure;
use crate::cli::failure::Outcome;
use crate::cli::page;
use crate::cli::page::Cell;
use crate::cli::page::Look;
use crate::cli::page::Tone;
use crate::cli::remote::place::own_address;
use crate::config;
use crate::config::Config;
use crate::protocol::npm::lockfile::rewrite;
use crate::protocol::npm::lockfile::rewrite::Rewritten;

/// Entries from elsewhere that are named.
const SHOWN_MAX: usize = 200;

#[derive(clap::Subcommand, Debug)]
pub enum LockCommand {
    /// Points every registry's address in a lockfile to a registry; every other byte stays, and what comes from elsewhere is listed
    Rewrite(RewriteFlags),
}

#[derive(clap::Args, Debug)]
pub struct RewriteFlags {
    /// package-lock.json, npm-shrinkwrap.json, pnpm-lock.yaml, yarn.lock, bun.lock or deno.lock
    #[arg(value_name = "LOCKFILE")]
    pub lockfile: PathBuf,
    /// Where its packages are to be fetched [default: the Airlock that the configuration describes]
    #[arg(long, value_name = "URL", env = "AIRLOCK_SERVER")]
    pub registry: Option<String>,
    /// Where to write it; - for standard output [default: the lockfile itself]
    #[arg(long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// The configuration that says where the server is [default: ./airlock.toml]
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Answer in JSON, for programs
    #[arg(long)]
    pub json: bool,
}

pub fn run(command: &LockCommand) -> Result<Outcome, Failure> {
    match command {
        LockCommand::Rewrite(flags) => rewrite_lockfile(flags),
    }
}

fn rewrite_lockfile(flags: &RewriteFlags) -> Result<Outcome, Failure> {
    let registry = registry(flags)?;
    let text = read(&flags.lockfile)?;
    let name = flags.lockfile.file_name().map(|name| name.to_string_lossy().into_owned());
    let rewritten = rewrite::rewrite(&text, name.as_deref(), &registry)
        .map_err(|fault| Failure::usage(format!("{} cannot be read: {fault}", flags.lockfile.display()), "nothing was written"))?;
    let to = flags.output.as_deref().unwrap_or(&flags.lockfile);
    if to == Path::new("-") {
        page::write(&rewritten.text)?;
        return Ok(Outcome::Green);
    }
    if rewritten.changed > 0 || to != flags.lockfile {
        write(to, &rewritten.text, &flags.lockfile)?;
    }
    page::write(&if flags.json { told(&rewritten) } else { show(&rewritten, to, &registry, Look::of_stdout()) })?;
    Ok(Outcome::Green)
}

/// Given, or where the server of the configuration is reached: by its public address, if it has one.
fn registry(flags: &RewriteFlags) -> Result<Url, Failure> {
    let address = match flags.registry.as_ref().filter(|text| !text.is_empty()) {
        Some(text) => text.clone(),
        None => {
            let config = Config::load_for_client(config::file(flags.config.clone()).as_deref(), config::environment::variables())?;
            match &config.server.public_url {
                Some(public) => public.clone(),
                None => own_address(&config)?.to_string(),
            }
        }
    };
    // Not echoed: it may hold a password.
    rewrite::registry(&address).map_err(|why| {
        Failure::usage(
            format!("the address of the registry is none for a lockfile: {why}"),
            "write it in full: --registry https://airlock.example/",
        )
    })
}

/// Beside it first and then in its place, so that it is never half written.
fn write(to: &Path, text: &str, like: &Path) -> Result<(), Failure> {
    let failed = |error: std::io::Error| Failure::failed(format!("{} cannot be written: {error}", to.display()), "nothing was changed");
    // A link is written through.
    let to = fs::canonicalize(to).unwrap_or_else(|_| to.to_path_buf());
    let mut beside = to.clone().into_os_string();
    beside.push(".airlock-new");
    let beside = PathBuf::from(beside);
    // Never through a link that somebody laid there.
    let _ = fs::remove_file(&beside);
    let created = fs::File::create_new(&beside).and_then(|mut file| std::io::Write::write_all(&mut file, text.as_bytes()));
    let written = created.and_then(|()| match fs::metadata(like) {
        Ok(meta) => fs::set_permissions(&beside, meta.permissions()),
        Err(_) => Ok(()),
    });
    written.and_then(|()| fs::rename(&beside, &to)).map_err(|error| {
        let _ = fs::remove_file(&beside);
        failed(error)
    })
}

fn told(rewritten: &Rewritten) -> String {
    let elsewhere: Vec<serde_json::Value> = rewrite::elsewhere(&rewritten.lockfile)
        .map(|(line, package, address)| json!({ "line": line, "package": package, "address": address }))
        .collect();
    format!("{}\n", json!({ "changed": rewritten.changed, "kept": rewritten.kept, "elsewhere": elsewhere }))
}

fn show(rewritten: &Rewritten, to: &Path, registry: &Url, look: Look) -> String {
    let Rewritten { changed, kept, lockfile, .. } = rewritten;
    let mut out = String::new();
    let addresses = if *changed == 1 { "1 address".to_owned() } else { format!("{changed} addresses") };
    out.push_str(&page::paragraph(
        look,
        &match (changed, kept) {
            (0, 0) => {
                format!("{} has no address of a registry's file: its client asks the registry that it is configured with.", to.display())
            }
            (0, _) => format!("{}: all {kept} addresses are of {registry} already.", to.display()),
            (_, 0) => format!("{}: {addresses} changed to {registry}.", to.display()),
            (_, _) => format!("{}: {addresses} changed to {registry}; {kept} were already.", to.display()),
        },
    ));
    let elsewhere: Vec<(u32, &str, &str)> = rewrite::elsewhere(lockfile).collect();
    if !elsewhere.is_empty() {
        out.push_str(&format!("\n{}\n", look.paint("From elsewhere, and not touched; no gate sees it:", Tone::Wait)));
        let row = |(line, package, address): &(u32, &str, &str)| {
            vec![Cell::new(line.to_string(), Tone::Dim), Cell::new(package, Tone::Strong), Cell::plain(address)]
        };
        let rows: Vec<Vec<Cell>> = elsewhere.iter().take(SHOWN_MAX).map(row).collect();
        out.push_str(&page::table(look, "  ", &[], &rows));
        if elsewhere.len() > rows.len() {
            out.push_str(&format!("  … and {} more\n", elsewhere.len() - rows.len()));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOCKFILE: &str = "# yarn lockfile v1\n\n\na@^1:\n  version \"1.0.0\"\n  resolved \"https://registry.example/a/-/a-1.0.0.tgz#0123\"\n\n\"b@git+https://h.example/b.git\":\n  version \"1.0.0\"\n  resolved \"git+https://h.example/b.git#0123\"\n";

    fn flags(lockfile: &Path, registry: &str, output: Option<PathBuf>) -> LockCommand {
        LockCommand::Rewrite(RewriteFlags {
            lockfile: lockfile.to_path_buf(),
            registry: Some(registry.to_owned()),
            output,
            config: None,
            json: false,
        })
    }

    #[test]
    fn it_is_written_in_place_or_elsewhere() {
        let folder = tempfile::tempdir().unwrap();
        let (path, other) = (folder.path().join("yarn.lock"), folder.path().join("other.lock"));
        fs::write(&path, LOCKFILE).unwrap();
        assert_eq!(run(&flags(&path, "https://airlock.example", Some(other.clone()))).unwrap(), Outcome::Green);
        assert_eq!(fs::read_to_string(&path).unwrap(), LOCKFILE);
        let expect = LOCKFILE.replace("registry.example", "airlock.example");
        assert_eq!(fs::read_to_string(&other).unwrap(), expect);
        assert_eq!(run(&flags(&path, "https://airlock.example", None)).unwrap(), Outcome::Green);
        assert_eq!(fs::read_to_string(&path).unwrap(), expect);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2, "nothing is left beside");
    }

    #[test]
    fn what_cannot_be_read_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("yarn.lock");
        fs::write(&path, "a@1:\n   odd\n").unwrap();
        let failure = run(&flags(&path, "https://airlock.example", None)).unwrap_err();
        assert!(failure.code() == 2 && failure.to_string().contains("line 2"), "{failure}");
        let told = run(&flags(&path, "https://ann:hunter2@airlock.example", None)).unwrap_err().to_string();
        assert!(!told.contains("hunter2"), "{told}");
        assert_eq!(fs::read_to_string(&path).unwrap(), "a@1:\n   odd\n");
    }

    #[test]
    fn what_was_done_is_told() {
        let registry = rewrite::registry("https://airlock.example").unwrap();
        let rewritten = rewrite::rewrite(LOCKFILE.as_bytes(), None, &registry).unwrap();
        let shown = show(&rewritten, Path::new("yarn.lock"), &registry, Look { colour: false, width: 100 });
        let expect = "yarn.lock: 1 address changed to https://airlock.example/.\n\nFrom elsewhere, and not touched; no gate sees it:\n  8  b  git+https://h.example/b.git#0123\n";
        assert_eq!(shown, expect);
        assert_eq!(
            told(&rewritten),
            "{\"changed\":1,\"elsewhere\":[{\"address\":\"git+https://h.example/b.git#0123\",\"line\":8,\"package\":\"b\"}],\"kept\":0}\n"
        );
    }
}
