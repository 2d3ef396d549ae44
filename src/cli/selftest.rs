//! `airlock selftest`: a made-up upstream with one violation of each rule, an Airlock of its own in front of it with the policy of
//! this configuration, and a table of what was caught. Nothing of the real data dir, upstream or ledger is touched.

mod said;

use std::fs;
use std::net::Ipv4Addr;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use serde::Serialize;
use serde_json::Value;
use url::Url;

use crate::admin::wire::DecisionOrder;
use crate::admin::wire::FindingView;
use crate::admin::wire::ReleaseView;
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
use crate::cli::selftest::said::record;
use crate::cli::selftest::said::tell;
use crate::clock::Clock;
use crate::config;
use crate::config::Config;
use crate::config::Flags;
use crate::config::policy::Mode;
use crate::config::policy::Policy;
use crate::config::rules::Subject;
use crate::model::decision::Verb;
use crate::model::finding::Action;
use crate::model::finding::FindingKind;
use crate::model::package::PackageId;
use crate::model::package::PackageName;
use crate::model::time::Timestamp;
use crate::protocol::npm::violation;
use crate::protocol::npm::violation::Advisory;
use crate::protocol::npm::violation::BAD;
use crate::protocol::npm::violation::Offer;
use crate::protocol::npm::violation::Times;
use crate::server;
use crate::server::Options;
use crate::server::scenario::ScenarioUpstream;

const DAY: Duration = Duration::from_secs(24 * 3_600);
/// Long enough that an index is asked for again.
const LATER: Duration = Duration::from_secs(3_600);
/// Of what is published, where nothing is to be said of its age: older than any age that policy may ask.
const OLD: Duration = Duration::from_secs(4_000 * 24 * 3_600);
/// What one source alone calls malware has been in use for longer than that.
const LONG_IN_USE: Duration = Duration::from_secs(100 * 24 * 3_600);
const FILLING: &str = "airlock-selftest";

#[derive(clap::Args, Debug)]
pub struct SelftestFlags {
    /// The configuration whose policy is tried [default: ./airlock.toml]
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Answer in JSON, for programs
    #[arg(long)]
    pub json: bool,
}

/// One violation, and what is to be seen of it.
struct Trial {
    /// `malware`, `policy.rules[0]: native_binary`, `release_age.minimum`.
    name: String,
    package: PackageName,
    kind: Option<FindingKind>,
    /// The place of the rule that is tried.
    rule: Option<usize>,
    offer: Offer,
    advisory: Option<Advisory>,
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
    caught.extend(trials.iter().zip(seen).map(|(trial, view)| judge(&config.policy, trial, view.as_ref())));
    Ok(caught)
}

/// What is to be tried, and what cannot be.
fn trials(config: &Config, base: &str, now: Timestamp) -> (Vec<Trial>, Vec<Caught>) {
    let policy = &config.policy;
    let old = Times { good: now.minus(OLD), bad: now.minus(OLD - DAY) };
    let license =
        policy.licenses.allow.iter().map(ToString::to_string).find(|name| !name.contains('*')).unwrap_or_else(|| "MIT".to_owned());
    let mut trials = Vec::new();
    let mut untried = Vec::new();
    for (name, wanted, times) in ages(policy, now) {
        match (PackageName::npm(&format!("{FILLING}-{}", name.replace(['.', '_'], "-"))), wanted) {
            (Ok(package), true) => {
                let offer = violation::plain(&package, base, &license, times);
                trials.push(Trial { name, package, kind: None, rule: None, offer, advisory: None });
            }
            (_, false) => untried.push(red(name, "it is 0: nothing waits")),
            (Err(_), true) => {}
        }
    }
    let mut add = |name: String, package: String, kind: FindingKind, rule: Option<usize>| {
        let Ok(package) = PackageName::npm(&package) else {
            return untried.push(not_tried(name, "no package could be made up that it is about"));
        };
        if let Some(why) = not_to_be_tried(config, &package, kind) {
            return untried.push(not_tried(name, why));
        }
        let times = if kind == FindingKind::FeedStale { Times { good: now.minus(OLD), bad: now } } else { old };
        match violation::offer(kind, &package, base, &license, times) {
            Some(offer) => {
                let advisory = violation::recipe(kind).and_then(|recipe| recipe.advisory);
                trials.push(Trial { name, package, kind: Some(kind), rule, offer, advisory });
            }
            None => untried.push(not_tried(name, "no violation of it is made up")),
        }
    };
    for kind in FindingKind::ALL {
        add(kind.to_string(), format!("{FILLING}-{}", kind.as_str().replace('_', "-")), *kind, None);
    }
    for (at, rule) in policy.rules.iter().enumerate() {
        for kind in rule.findings.keys() {
            let name = format!("policy.rules[{at}]: {kind}");
            let filling = format!("{FILLING}-{at}-{}", kind.as_str().replace('_', "-"));
            let package = rule.packages.first().map_or_else(|| filling.clone(), |glob| glob.example(&filling));
            add(name, package, *kind, Some(at));
        }
    }
    (trials, untried)
}

/// Each age that policy asks, whether it asks any, and a release that is too young for it.
fn ages(policy: &Policy, now: Timestamp) -> [(String, bool, Times); 2] {
    let age = &policy.release_age;
    let minimum = age.minimum.max(age.floor);
    let of_release = Times { good: now.minus(OLD), bad: now.minus(minimum / 2) };
    let of_name = Times { good: now.minus(age.new_package / 2), bad: now.minus(age.new_package / 2) };
    [
        ("release_age.minimum".to_owned(), !minimum.is_zero(), of_release),
        ("release_age.new_package".to_owned(), !age.new_package.is_zero(), of_name),
    ]
}

/// Why policy cannot come to find this, where that is what it says.
fn not_to_be_tried(config: &Config, package: &PackageName, kind: FindingKind) -> Option<&'static str> {
    let policy = &config.policy;
    let held_for = policy.release_age.minimum.max(policy.release_age.floor);
    let is_private = package.scope().is_some_and(|scope| policy.private_scopes.iter().any(|own| own.eq_ignore_ascii_case(scope)));
    let is_trusted = policy.trusted.iter().flat_map(|one| &one.packages).any(|pattern| pattern.matches(package));
    let no_licenses = policy.licenses.allow.is_empty() && policy.licenses.deny.is_empty();
    let by_deny_only = policy.licenses.allow.is_empty();
    let is = |other: FindingKind, reason: bool| kind == other && reason;
    if is_private {
        Some("its scope is private: nothing of it comes from upstream")
    } else if is_trusted {
        Some("it is trusted")
    } else if is(FindingKind::NewPackage, !policy.review.new_packages) {
        Some("policy.review.new_packages is false")
    } else if is(FindingKind::FeedStale, held_for <= config.feeds.osv.age_max) {
        Some("nothing is held for longer than feeds.osv.age_max")
    } else if is(FindingKind::LicenseDenied, no_licenses) {
        Some("policy.licenses names none")
    } else if is(FindingKind::LicenseDenied, by_deny_only) {
        Some("policy.licenses allows what it does not deny")
    } else {
        None
    }
}

fn not_tried(rule: String, why: &str) -> Caught {
    Caught { rule, verdict: Word::NotTried, action: None, standing: None, why: why.to_owned() }
}

fn red(rule: String, why: &str) -> Caught {
    Caught { rule, verdict: Word::Red, action: None, standing: None, why: why.to_owned() }
}

/// Looks at every package twice, as time passes and others speak; what is seen of each at last.
fn watch(
    remote: &Remote,
    upstream: &ScenarioUpstream,
    clock: &Clock,
    trials: &[Trial],
    (began, minimum): (Timestamp, Duration),
) -> Result<Vec<Option<ReleaseView>>, Failure> {
    for trial in trials {
        look(remote, trial)?;
    }
    // What happens at once needs no more time; only what is later is asked for again.
    upstream.say(trials.iter().flat_map(|trial| trial.offer.later.clone()));
    let said: Vec<Value> = trials.iter().filter_map(|trial| record(trial, began, false)).collect();
    tell(remote, &said, false)?;
    clock.advance(LATER);
    let is_late = |trial: &Trial| matches!(trial.advisory, Some(Advisory::MalwareLater | Advisory::Silence));
    let mut seen = Vec::new();
    for trial in trials {
        if is_late(trial) {
            seen.push(None);
            continue;
        }
        fetch(remote, trial)?;
        let view = look(remote, trial)?;
        seen.push(if view.as_ref().is_some_and(waits_only_as_new) { approve_and_look(remote, trial)? } else { view });
    }
    // In use from now on.
    for trial in trials.iter().filter(|trial| trial.advisory == Some(Advisory::MalwareLater)) {
        fetch(remote, trial)?;
    }
    clock.advance(LONG_IN_USE.max(minimum + DAY));
    let late: Vec<Value> = trials.iter().filter_map(|trial| record(trial, began, true)).collect();
    tell(remote, &late, true)?;
    for (trial, seen) in trials.iter().zip(&mut seen).filter(|(trial, _)| is_late(trial)) {
        fetch(remote, trial)?;
        *seen = look(remote, trial)?;
    }
    Ok(seen)
}

/// As the API tells of it; `None` where it is not known.
fn look(remote: &Remote, trial: &Trial) -> Result<Option<ReleaseView>, Failure> {
    match remote.get::<ReleaseView>(&["releases", trial.package.as_str(), BAD], &[]) {
        Ok(answer) => Ok(Some(answer.read)),
        // It is there later, or never: then nothing is found of it.
        Err(Failure::Failed(_)) => Ok(None),
        Err(failure) => Err(failure),
    }
}

/// Whether its bytes were not looked into because every new package waits for people.
fn waits_only_as_new(view: &ReleaseView) -> bool {
    let minded = || view.findings.iter().filter(|one| one.action > Action::Note);
    !is_inspected(view) && minded().next().is_some() && minded().all(|one| one.kind == FindingKind::NewPackage)
}

fn is_inspected(view: &ReleaseView) -> bool {
    view.artifacts.iter().all(|one| one.inspected_at.is_some())
}

/// A person lets the package in; what its bytes are is found then.
fn approve_and_look(remote: &Remote, trial: &Trial) -> Result<Option<ReleaseView>, Failure> {
    if trial.kind == Some(FindingKind::NewPackage) {
        return look(remote, trial);
    }
    let order = DecisionOrder { decision: Verb::Approve, reason: "selftest".to_owned(), digest: None, revision: None, expires_at: None };
    remote.post::<ReleaseView>(&["releases", trial.package.as_str(), BAD, "decisions"], &order)?;
    look(remote, trial)
}

/// What a client would do: its bytes are looked into before they leave.
fn fetch(remote: &Remote, trial: &Trial) -> Result<u16, Failure> {
    let package = &trial.package;
    remote.fetch_file(&format!("{package}/-/{}-{BAD}.tgz", package.unscoped()))
}

fn judge(policy: &Policy, trial: &Trial, seen: Option<&ReleaseView>) -> Caught {
    let Some(view) = seen else { return red(trial.name.clone(), "Airlock does not know the release") };
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
            let other = policy.ruling(kind, &Subject { package: &package, published_by: None }).rule;
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
        assert_eq!(of("license_denied").map(|(word, _)| word), Some(Word::NotTried));
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
