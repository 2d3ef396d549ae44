//! `airlock selftest`: a made-up upstream with one violation of each rule, an Airlock of its own in front of it with the policy of
//! this configuration, and a table of what was caught. Nothing of the real data dir, upstream or ledger is touched.

mod said;
mod trials;
mod watch;

use std::fs;
use std::net::Ipv4Addr;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use serde::Serialize;
use url::Url;

use crate::admin::wire::FindingView;
use crate::admin::wire::Standing;
use crate::cli::failure::Failure;
use crate::cli::failure::Outcome;
use crate::cli::page;
use crate::cli::page::Cell;
use crate::cli::page::Look;
use crate::cli::page::Tone;
use crate::cli::queue::words;
use crate::cli::remote::Remote;
use crate::cli::remote::RemoteFlags;
use crate::cli::selftest::trials::Trial;
use crate::cli::selftest::trials::trials;
use crate::cli::selftest::watch::Seen;
use crate::cli::selftest::watch::is_inspected;
use crate::cli::selftest::watch::watch;
use crate::clock::Clock;
use crate::config;
use crate::config::Config;
use crate::config::Flags;
use crate::config::policy::Mode;
use crate::config::policy::Policy;
use crate::model::finding::Action;
use crate::model::package::PackageId;
use crate::model::time::Timestamp;
use crate::server;
use crate::server::Options;
use crate::server::scenario::ScenarioUpstream;

const DAY: Duration = Duration::from_secs(24 * 3_600);
/// Long enough that an index is asked for again.
const LATER: Duration = Duration::from_secs(3_600);
/// What one source alone calls malware has been in use for longer than that.
const LONG_IN_USE: Duration = Duration::from_secs(100 * 24 * 3_600);

#[derive(clap::Args, Debug)]
pub struct SelftestFlags {
    /// The configuration whose policy is tried [default: ./airlock.toml]
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Answer in JSON, for programs
    #[arg(long)]
    pub json: bool,
}

/// What became of it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
struct Caught {
    rule: String,
    verdict: Word,
    /// What policy does with it.
    #[serde(skip_serializing_if = "Option::is_none")]
    action: Option<Action>,
    #[serde(skip_serializing_if = "Option::is_none")]
    standing: Option<Standing>,
    /// Why it is red, or was not tried.
    #[serde(skip_serializing_if = "String::is_empty")]
    why: String,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
enum Word {
    /// Kept back.
    Caught,
    /// Found, and only told, as it is meant by default.
    Noted,
    Red,
    NotTried,
}

pub fn run(flags: &SelftestFlags, clock: &Clock) -> Result<Outcome, Failure> {
    let file = config::file(flags.config.clone());
    let config = Config::load(file.as_deref(), config::environment::variables(), &Flags::default())?;
    let caught = try_all(&config, clock.now())?;
    let red = caught.iter().any(|one| one.verdict == Word::Red);
    let text = if flags.json {
        let text = serde_json::to_string(&caught);
        text.map_err(|error| Failure::failed(format!("the answer could not be written: {error}"), ""))? + "\n"
    } else {
        show(&caught, config.policy.mode, Look::of_stdout())
    };
    page::write(&text)?;
    Ok(if red { Outcome::Red } else { Outcome::Green })
}

/// A folder that is gone again afterwards.
struct Folder(PathBuf);

impl Folder {
    fn make() -> Result<Folder, Failure> {
        let mut random = [0_u8; 8];
        getrandom::fill(&mut random).map_err(|error| Failure::failed(format!("the system gave no random bytes: {error}"), ""))?;
        let name = format!("airlock-selftest-{}", data_encoding::HEXLOWER.encode(&random));
        let folder = config::environment::temporary_folder().join(name);
        fs::create_dir(&folder).map_err(|error| {
            Failure::failed(format!("{} cannot be made: {error}", folder.display()), "set TMPDIR to a folder that you may write into")
        })?;
        Ok(Folder(folder))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What is left over lies where things are cleared away.
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn try_all(config: &Config, now: Timestamp) -> Result<Vec<Caught>, Failure> {
    let failed = |what: String| Failure::failed(format!("the selftest could not run: {what}"), "");
    let folder = Folder::make()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(|error| failed(error.to_string()))?;
    let upstream = runtime.block_on(ScenarioUpstream::start()).map_err(|error| failed(error.to_string()))?;
    let base = format!("http://{}/", upstream.address);
    let (trials, mut caught) = trials(config, &base, now);
    upstream.say(trials.iter().flat_map(|trial| trial.offer.documents.clone()));
    let own = Config {
        server: config::server::Server { listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), ..Default::default() },
        storage: config::storage::Storage { data_dir: folder.0.join("data"), ..Default::default() },
        feeds: config::feeds::Feeds { osv: config::feeds::Osv { url: None, ..config.feeds.osv.clone() } },
        policy: config.policy.clone(),
        ..Config::default()
    };
    let url = Url::parse(&base).map_err(|error| failed(error.to_string()))?;
    let clock = Clock::test(now);
    let started = runtime.block_on(server::start(Options { config: own, upstream: url, clock: clock.clone() }));
    let running = started.map_err(|error| failed(error.to_string()))?;
    let token = fs::read_to_string(folder.0.join("data/admin-token")).map_err(|error| failed(error.to_string()))?;
    let flags =
        RemoteFlags { server: Some(format!("http://{}/", running.address)), token: Some(token.trim().to_owned()), ..Default::default() };
    let tried = Remote::new(&flags).and_then(|remote| watch(&remote, &upstream, &clock, &trials, (now, config.policy.release_age.minimum)));
    runtime.block_on(running.shutdown());
    let seen = tried?;
    caught.extend(trials.iter().zip(&seen).map(|(trial, seen)| judge(&config.policy, trial, seen)));
    Ok(caught)
}

fn not_tried(rule: String, why: &str) -> Caught {
    Caught { rule, verdict: Word::NotTried, action: None, standing: None, why: why.to_owned() }
}

fn red(rule: String, why: &str) -> Caught {
    Caught { rule, verdict: Word::Red, action: None, standing: None, why: why.to_owned() }
}

fn judge(policy: &Policy, trial: &Trial, seen: &Seen) -> Caught {
    let view = match seen {
        Seen::Release(view) => view,
        Seen::Nothing => return red(trial.name.clone(), "Airlock does not know the release"),
        Seen::WithoutGood => {
            return not_tried(trial.name.clone(), "the release before it is kept back, so that there is nothing to compare with");
        }
    };
    let caught = |verdict, action, why: &str| Caught {
        rule: trial.name.clone(),
        verdict,
        action,
        standing: Some(view.standing),
        why: why.to_owned(),
    };
    let is_open = matches!(view.standing, Standing::Approved | Standing::Admissible);
    let Some(kind) = trial.kind else {
        return if is_open { caught(Word::Red, None, "it is too young, and served") } else { caught(Word::Caught, None, "") };
    };
    let Some(found) = view.findings.iter().find(|one| one.kind == kind) else {
        if let Some(first) = view.findings.iter().find(|one| one.action > Action::Note).filter(|_| !is_inspected(view)) {
            return not_tried(trial.name.clone(), &format!("{} keeps it back before its bytes are looked into", first.kind));
        }
        return caught(Word::Red, None, "it is not found");
    };
    let action = Some(found.action);
    if let Some(at) = trial.rule {
        let by_it = |found: &FindingView| found.rule.as_ref().is_some_and(|rule| rule.starts_with(&format!("policy.rules[{at}]:")));
        if !by_it(found) {
            let package = PackageId { ecosystem: crate::model::package::EcosystemId::Npm, name: trial.package.clone() };
            let other = policy.of_package(&package).ruling(kind, None).rule;
            let why = match other {
                Some((other, _)) if other != at => format!("policy.rules[{other}] decides before it"),
                Some(_) | None => "it does not decide".to_owned(),
            };
            return caught(Word::Red, action, &why);
        }
    }
    match (found.action, trial.rule, kind.default_action()) {
        (Action::Note, None, Action::Hold | Action::Review | Action::Reject) => {
            caught(Word::Red, action, &format!("it is found and nothing is done: by default {}", kind.default_action().as_str()))
        }
        (Action::Note, None, Action::Note) | (Action::Note, Some(_), _) => caught(Word::Noted, action, ""),
        (Action::Hold | Action::Review | Action::Reject, _, _) if is_open => caught(Word::Red, action, "it is open all the same"),
        (Action::Hold | Action::Review | Action::Reject, _, _) => caught(Word::Caught, action, ""),
    }
}

fn show(caught: &[Caught], mode: Mode, look: Look) -> String {
    let mut rows = Vec::new();
    for one in caught {
        let (word, shade) = match one.verdict {
            Word::Caught => ("caught", Tone::Good),
            Word::Noted => ("noted", Tone::Plain),
            Word::Red => ("RED", Tone::Bad),
            Word::NotTried => ("not tried", Tone::Dim),
        };
        rows.push(vec![
            Cell::new(word, shade),
            Cell::new(&one.rule, Tone::Strong),
            Cell::plain(one.action.map_or("", Action::as_str)),
            Cell::plain(one.standing.map(words).unwrap_or_default()),
            Cell::new(&one.why, if one.verdict == Word::Red { Tone::Bad } else { Tone::Dim }),
        ]);
    }
    let count = |word: Word| caught.iter().filter(|one| one.verdict == word).count();
    let mut out = page::table(look, "", &["", "RULE", "DOES", "STANDS", ""], &rows);
    if mode == Mode::Observe {
        out.push_str("\nPolicy only observes: whatever is caught here is told, and served all the same.\n");
    }
    let (kept, noted, red, untried) = (count(Word::Caught), count(Word::Noted), count(Word::Red), count(Word::NotTried));
    let sum = format!("{kept} caught, {noted} noted, {red} red, {untried} not tried");
    out.push('\n');
    out.push_str(&look.paint(&sum, if red == 0 { Tone::Good } else { Tone::Bad }));
    out.push('\n');
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::read_policy;

    fn tried(policy: &str) -> Vec<Caught> {
        let config = Config { policy: read_policy("policy.toml", policy).unwrap(), ..Config::default() };
        try_all(&config, Timestamp::parse("2026-11-20T12:00:00Z").unwrap()).unwrap()
    }

    fn reds(policy: &str) -> Vec<String> {
        tried(policy).into_iter().filter(|one| one.verdict == Word::Red).map(|one| format!("{}: {}", one.rule, one.why)).collect()
    }

    #[test]
    fn the_default_policy_catches_all() {
        let caught = tried("");
        let red: Vec<&Caught> = caught.iter().filter(|one| one.verdict == Word::Red).collect();
        assert!(red.is_empty(), "{red:#?}");
        let of = |rule: &str| caught.iter().find(|one| one.rule == rule).map(|one| (one.verdict, one.standing));
        assert_eq!(of("malware"), Some((Word::Caught, Some(Standing::Rejected))));
        assert_eq!(of("install_script"), Some((Word::Noted, Some(Standing::Approved))));
        assert_eq!(of("release_age.minimum"), Some((Word::Caught, Some(Standing::Held))));
        let untried: Vec<&str> = caught.iter().filter(|one| one.verdict == Word::NotTried).map(|one| one.rule.as_str()).collect();
        assert_eq!(
            untried,
            ["new_package", "rego_denied", "rego_review", "rego_failed", "license_denied"],
            "what policy does not look for"
        );
    }

    #[test]
    fn what_cannot_be_tried_says_why() {
        let policy = r#"
            policy.release_age = { new_package = "1h" }
            [[policy.rules]]
            packages = ["@acme/*"]
            findings = { typosquat = "reject" }
            reason = "x"
        "#;
        let caught = tried(policy);
        let of = |rule: &str| caught.iter().find(|one| one.rule == rule).map(|one| (one.verdict, one.why.as_str()));
        let no_name = "no name that it is about is like one that many know";
        assert_eq!(of("policy.rules[0]: typosquat"), Some((Word::NotTried, no_name)));
        let not_young = "policy.release_age.new_package makes no name young for long";
        assert_eq!(of("young_dependency"), Some((Word::NotTried, not_young)));
        assert_eq!(of("typosquat").map(|(word, _)| word), Some(Word::Caught));
    }

    #[test]
    fn what_does_nothing_is_red() {
        let policy =
            "policy.findings = { malware = \"note\", hidden_code = \"note\" }\npolicy.release_age = { minimum = \"0s\", floor = \"0s\" }";
        let told = reds(policy);
        assert_eq!(
            told,
            [
                "release_age.minimum: it is 0: nothing waits",
                "malware: it is found and nothing is done: by default reject",
                "hidden_code: it is found and nothing is done: by default reject",
            ]
        );
    }

    #[test]
    fn each_rule_is_tried_on_a_package_that_it_is_about() {
        let policy = r#"
            policy.licenses = { allow = ["MIT"] }
            policy.review.new_packages = true
            [[policy.rules]]
            packages = ["@acme/*-tool"]
            findings = { native_binary = "reject", install_script = "note" }
            reason = "x"
            [[policy.rules]]
            findings = { agent_hooks = "review" }
            reason = "y"
        "#;
        let caught = tried(policy);
        let of = |rule: &str| caught.iter().find(|one| one.rule == rule).map(|one| (one.verdict, one.action));
        assert_eq!(of("policy.rules[0]: native_binary"), Some((Word::Caught, Some(Action::Reject))));
        assert_eq!(of("policy.rules[0]: install_script"), Some((Word::Noted, Some(Action::Note))));
        assert_eq!(of("policy.rules[1]: agent_hooks"), Some((Word::Caught, Some(Action::Review))));
        assert_eq!(of("license_denied"), Some((Word::Caught, Some(Action::Review))));
        assert_eq!(of("new_package"), Some((Word::Caught, Some(Action::Review))));
    }
}
