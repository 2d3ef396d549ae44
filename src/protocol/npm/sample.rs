//! Made-up packuments and what is exposed of them, for this dialect's tests.

use bytes::Bytes;

use crate::catalog::exposure::Exposed;
use crate::catalog::exposure::expose;
use crate::ecosystem::Ecosystem;
use crate::ecosystem::Fetched;
use crate::ecosystem::Reading;
use crate::ecosystem::UpstreamPath;
use crate::model::decision::Decision;
use crate::model::decision::Verb;
use crate::model::index::Index;
use crate::model::package::PackageId;
use crate::model::standing::Standing;
use crate::model::time::Timestamp;
use crate::protocol::npm::Npm;
use crate::quarantine::standings::Standings;
use crate::quarantine::verdict::Reason;
use crate::quarantine::verdict::Verdict;
use crate::storage::record::Sequence;

/// What clients reach the registry under.
pub const BASE: &str = "https://gate.example/npm";

const NOW: &str = "2026-11-20T14:05:00Z";

/// One release of a made-up package.
#[derive(Clone, Copy)]
pub struct Release<'v> {
    pub version: &'v str,
    pub listed: bool,
    /// Bytes of further text in its manifest.
    pub padding: usize,
}

impl<'v> Release<'v> {
    pub const fn listed(version: &'v str) -> Release<'v> {
        Release { version, listed: true, padding: 0 }
    }
}

/// A packument whose `latest` is the last of `releases`; `head` is raw, `"key":value,`.
pub fn document(package: &str, releases: &[Release<'_>], head: &str) -> String {
    let unscoped = package.rsplit('/').next().unwrap();
    let manifests: Vec<String> = releases
        .iter()
        .map(|Release { version, padding, .. }| {
            let filler = "lorem ipsum ".repeat(padding / 12);
            format!(
                r#""{version}": {{ "name":"{package}","version":"{version}","description":"marker {version}","padding":"{filler}",
                "scripts":{{"postinstall":"node x"}},"readme":"marker {version}","_npmUser":{{"name":"ann","trustedPublisher":{{"id":"github"}}}},
                "dist":{{"shasum":"da39a3ee5e6b4b0d3255bfef95601890afd80709","tarball":"https://registry.example/{package}/-/{unscoped}-{version}.tgz",
                "signatures":[{{"keyid":"SHA256:x","sig":"MEUCIQ=="}}]}} }}"#
            )
        })
        .collect();
    let times: Vec<String> = releases.iter().map(|release| format!(r#""{}":"2020-01-01T00:00:00Z""#, release.version)).collect();
    let latest = releases.last().unwrap().version;
    format!(
        r#"{{"name":"{package}",{head}"dist-tags":{{"latest":"{latest}"}},"versions":{{{}}},"time":{{"created":"2019-12-31T00:00:00Z",{}}}}}"#,
        manifests.join(","),
        times.join(",")
    )
}

pub fn index(package: &str, text: &str) -> Index {
    let id = PackageId::npm(package).unwrap();
    let fetched = Fetched { path: UpstreamPath(package.to_owned()), body: Bytes::copy_from_slice(text.as_bytes()) };
    match Npm.read(&id, &[fetched]).unwrap() {
        Reading::Complete(index) => index,
        Reading::NeedMore(_) => panic!("npm needs one document"),
    }
}

/// The package with those of `releases` listed that say so; the others are held by a person.
pub fn exposed(package: &str, text: &str, releases: &[Release<'_>]) -> Exposed {
    let now = Timestamp::parse(NOW).unwrap();
    let held = Decision {
        verb: Verb::Hold,
        by: "eve".to_owned(),
        behind: Vec::new(),
        at: now,
        reason: "no".to_owned(),
        digest: None,
        substance: None,
        covers: Vec::new(),
        basis: None,
        expires_at: None,
    };
    let verdicts = releases.iter().map(|release| Verdict {
        standing: if release.listed { Standing::Admissible } else { Standing::Held { until: None } },
        observed: false,
        inspected: false,
        findings: Vec::new(),
        age_counts_from: now,
        reason: if release.listed { Reason::Clear } else { Reason::Person(held.clone()) },
        changes_at: None,
        changed_at: None,
        approvals_given: 0,
        approvals_needed: 1,
        digest: None,
        trusted: None,
        fix_of: None,
        gravest: None,
        tie: None,
    });
    let standings = Standings {
        revision: Sequence::default(),
        now,
        verdicts: verdicts.collect(),
        valid_until: None,
        changed_at: now,
        lists_admissible: true,
        fallback: crate::config::policy::Policy::default().fallback,
    };
    expose(&index(package, text), &standings, &Npm)
}
