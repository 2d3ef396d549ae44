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

/// What feeds lead to (`advisories/`), and what is found of bytes and of how releases change.
const ELSEWHERE: &[FindingKind] = &[
    FindingKind::Malware,
    FindingKind::MalwareUnconfirmed,
    FindingKind::VulnerableCritical,
    FindingKind::VulnerableHigh,
    FindingKind::Vulnerable,
    FindingKind::FeedStale,
    FindingKind::YoungDependency,
    FindingKind::LicenseDenied,
    FindingKind::HiddenCode,
    FindingKind::ObfuscatedCode,
    FindingKind::StealsSecrets,
    FindingKind::SpreadsItself,
    FindingKind::DestroysFiles,
    FindingKind::DrivesAgents,
    FindingKind::SendsAway,
    FindingKind::DownloadsAndRuns,
    FindingKind::Persists,
    FindingKind::AgentHooks,
    FindingKind::NativeBinary,
    FindingKind::FetchesAtInstall,
    FindingKind::BundledDependency,
    FindingKind::ForeignShrinkwrap,
    FindingKind::UnscannedContent,
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

/// Those that have a scenario here.
fn kinds() -> impl Iterator<Item = FindingKind> {
    FindingKind::ALL.iter().copied().filter(|kind| !ELSEWHERE.contains(kind))
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

/// An archive whose one file is no manifest.
fn without_manifest() -> Bytes {
    let mut archive = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_ustar();
    header.set_size(1);
    header.set_mode(0o644);
    archive.append_data(&mut header, "package/index.js", &b"1"[..]).unwrap();
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
        FindingKind::UnreadableArtifact => _ = p.release(BAD).bytes(without_manifest()),
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
        other => assert!(ELSEWHERE.contains(&other), "{other} has no scenario"),
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
            FindingKind::HiddenInstallScript | FindingKind::ImplicitBuild | FindingKind::BuildCommand => {
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
