//! Plays an incident three times: under the default policy, with age alone, and without age.

use std::collections::BTreeMap;
use std::time::Duration;

use airlock::config::Config;
use airlock::model::finding::Action;
use airlock::model::finding::FindingKind;
use airlock::model::time::Timestamp;

use super::file::Incident;
use super::file::Package;
use super::file::Release;
use crate::support::airlock::Airlock;
use crate::support::http::Reply;
use crate::support::scenario::Scenario;
use crate::support::within;

/// How long before the first malicious release everything is in use.
const BEFORE: Duration = Duration::from_secs(3_600);
/// Kinds that tell of age. They are in the table as the age at which the release opens.
const OF_AGE: [&str; 3] = ["claimed_age", "unknown_publish_time", "feed_stale"];

/// What became of an incident.
pub struct Played<'a> {
    pub incident: &'a Incident,
    pub begun: Timestamp,
    /// In the order of the file.
    pub releases: Vec<Told>,
}

/// What became of one malicious release.
pub struct Told {
    pub release: String,
    pub published: Timestamp,
    /// When its age alone opens it.
    pub opens_at: Timestamp,
    /// Besides age: what stands against it, and what policy does about that.
    pub findings: BTreeMap<String, Action>,
    /// Whether something other than age keeps it at first sight.
    pub stopped: bool,
    /// Whether the default policy served it before it was taken down.
    pub served: bool,
}

impl Played<'_> {
    pub fn served(&self) -> impl Iterator<Item = String> {
        self.releases.iter().filter(|told| told.served).map(|told| told.release.clone())
    }

    /// All of its releases are needed, so that one is enough.
    pub fn is_stopped_without_age(&self) -> bool {
        self.releases.iter().any(|told| told.stopped)
    }

    /// Whether age alone keeps one of its releases until it is taken down.
    pub fn is_outlasted(&self) -> bool {
        self.releases.iter().any(|told| told.opens_at >= self.incident.taken_down())
    }
}

pub async fn play(incident: &Incident) -> Played<'_> {
    let served = under_the_default_policy(incident).await;
    let with_age_alone = with_age_alone(incident).await;
    let without_age = without_age(incident).await;
    let told = incident.malicious().map(|(package, release)| {
        let name = named(package, release);
        let (opens_at, seen_later) = &with_age_alone[&name];
        let (stopped, seen_at_once) = &without_age[&name];
        // The age of new names is out of the way in the one, and what was seen first counts in the other.
        let kinds = seen_later.iter().chain(seen_at_once).map(|kind| (kind.clone(), FindingKind::parse(kind).unwrap().default_action()));
        let served = served.contains(&name);
        Told { published: release.published(), opens_at: *opens_at, findings: kinds.collect(), stopped: *stopped, served, release: name }
    });
    Played { incident, begun: incident.begun(), releases: told.collect() }
}

fn named(package: &Package, release: &Release) -> String {
    format!("{}@{}", package.name, release.version)
}

/// Airlock before the first malicious release, with all that is honest and old enough in use.
async fn in_use(incident: &Incident, edit: impl FnOnce(&mut Config)) -> Airlock {
    let now = incident.begun().minus(BEFORE);
    let mut scenario = Scenario { now, ..Scenario::new() };
    for package in &incident.packages {
        // A name of which nothing is there yet is no package.
        let there: Vec<&Release> = package.there(now).collect();
        if !there.is_empty() {
            scenario = scenario.package(&package.name, |p| there.iter().for_each(|release| package.publish(release, p)));
        }
    }
    for companion in incident.companions() {
        scenario = scenario.package(&companion, |p| _ = p.release("1.0.0"));
    }
    let airlock = scenario.gated_by(edit).await;
    for package in &incident.packages {
        let mut honest: Vec<&Release> = package.there(now).collect();
        honest.sort_by_key(|release| release.published());
        for release in honest {
            let reply = download(&airlock, package, release).await;
            let why = airlock.release(&package.name, &release.version).await;
            assert!(reply.status == 200 || !release.is_settled(now), "{} is honest: {why:#}", named(package, release));
        }
    }
    airlock
}

/// Asks until the inspection is done, however busy the machine is.
async fn download(airlock: &Airlock, package: &Package, release: &Release) -> Reply {
    let answer = async {
        loop {
            let reply = airlock.tarball(&package.name, &release.version).await;
            if reply.status != 503 {
                return reply;
            }
        }
    };
    within(&format!("the verdict on {}", named(package, release)), answer).await
}

/// It comes, at its time, and its companions with it; Airlock sees them.
async fn publish(airlock: &Airlock, incident: &Incident, package: &Package, release: &Release) {
    go_to(airlock, release.published());
    airlock.upstream.package(&package.name, |p| package.publish(release, p));
    for companion in incident.companions() {
        airlock.upstream.package(&companion, |p| _ = p.release("1.0.1").published(&release.published).listed("_npmUser", release.hand()));
        airlock.listed(&companion).await;
    }
    airlock.listed(&package.name).await;
}

fn go_to(airlock: &Airlock, at: Timestamp) {
    airlock.clock.advance(at.since(airlock.now()));
}

/// The malicious releases in the order in which they came.
fn in_order(incident: &Incident) -> Vec<(&Package, &Release)> {
    let mut malicious: Vec<_> = incident.malicious().collect();
    malicious.sort_by_key(|(_, release)| release.published());
    malicious
}

/// Which of them were served: when they came, in the middle and at the end of the time until they were taken down, or thereafter.
async fn under_the_default_policy(incident: &Incident) -> Vec<String> {
    let airlock = in_use(incident, |_| {}).await;
    let end = incident.taken_down();
    let mut moments: Vec<(Timestamp, bool, &Package, &Release)> = Vec::new();
    for (package, release) in in_order(incident) {
        let (begin, rest) = (release.published(), end.since(release.published()));
        moments.extend([(begin, true, package, release), (begin.plus(rest / 2), false, package, release), (end, false, package, release)]);
    }
    moments.sort_by_key(|(at, _, _, _)| *at);
    let mut served = Vec::new();
    for (at, comes, package, release) in moments {
        if comes {
            publish(&airlock, incident, package, release).await;
        }
        go_to(&airlock, at);
        let reply = download(&airlock, package, release).await;
        let is_listed = airlock.listed(&package.name).await.contains(&release.version);
        let name = named(package, release);
        match reply.status {
            403 => assert!(!is_listed, "{name} is refused and listed"),
            200 if !served.contains(&name) => served.push(name),
            200 => {}
            other => panic!("{name} is answered with {other}: {}", reply.text()),
        }
        assert!(!comes || !served.contains(&named(package, release)), "{} was served at once", named(package, release));
    }
    for (package, release) in in_order(incident) {
        airlock.upstream.remove(&package.name, &release.version);
    }
    airlock.advance("10m");
    for (package, release) in in_order(incident) {
        assert!(!airlock.listed(&package.name).await.contains(&release.version), "{} is gone and listed", named(package, release));
        let reply = download(&airlock, package, release).await;
        assert_ne!(reply.status, 200, "{} was taken down and is served", named(package, release));
    }
    served
}

/// For each when it opens while all findings are only noted, and what was found then.
async fn with_age_alone(incident: &Incident) -> BTreeMap<String, (Timestamp, Vec<String>)> {
    let noted = |config: &mut Config| config.policy.findings = FindingKind::ALL.iter().map(|kind| (*kind, Action::Note)).collect();
    let airlock = in_use(incident, noted).await;
    let mut opening = Vec::new();
    for (package, release) in in_order(incident) {
        publish(&airlock, incident, package, release).await;
        let told = airlock.release(&package.name, &release.version).await;
        let opens_at = told["opens_at"].as_str().unwrap_or_else(|| panic!("age does not hold {}: {told:#}", named(package, release)));
        opening.push((Timestamp::parse(opens_at).unwrap(), package, release));
    }
    opening.sort_by_key(|(at, _, _)| *at);
    let mut opened = BTreeMap::new();
    for (at, package, release) in opening {
        let name = named(package, release);
        if let Some(ahead) = Some(at.since(airlock.now())).filter(|ahead| *ahead > Duration::from_secs(60)) {
            airlock.clock.advance(ahead.saturating_sub(Duration::from_secs(60)));
            assert_eq!(download(&airlock, package, release).await.status, 403, "{name} opens before its time");
        }
        go_to(&airlock, at);
        assert_eq!(download(&airlock, package, release).await.status, 200, "age alone opens {name}");
        opened.insert(name, (at, findings(&airlock, package, release).await));
    }
    opened
}

/// For each whether it is kept at first sight where no age counts, and what was found then.
async fn without_age(incident: &Incident) -> BTreeMap<String, (bool, Vec<String>)> {
    let ageless = |config: &mut Config| {
        config.policy.release_age.minimum = Duration::ZERO;
        config.policy.release_age.floor = Duration::ZERO;
        config.policy.release_age.new_package = Duration::ZERO;
    };
    let airlock = in_use(incident, ageless).await;
    let mut seen = BTreeMap::new();
    for (package, release) in in_order(incident) {
        publish(&airlock, incident, package, release).await;
        let reply = download(&airlock, package, release).await;
        assert!(matches!(reply.status, 200 | 403), "{}: {}", named(package, release), reply.text());
        seen.insert(named(package, release), (reply.status == 403, findings(&airlock, package, release).await));
    }
    seen
}

async fn findings(airlock: &Airlock, package: &Package, release: &Release) -> Vec<String> {
    let told = airlock.release(&package.name, &release.version).await;
    let kinds = told["findings"].as_array().unwrap().iter().map(|finding| finding["kind"].as_str().unwrap().to_owned());
    kinds.filter(|kind| !OF_AGE.contains(&kind.as_str())).collect()
}
