//! What feeds say, as npm's bulk answer has it.

use serde_json::Value;
use serde_json::json;

use crate::model::advisory::Advisory;
use crate::model::advisory::AdvisoryKind;
use crate::model::advisory::AffectedRange;
use crate::model::digest::DocumentDigest;
use crate::model::package::Version;

/// Versions that one advisory names one by one; of longer lists only those that were asked about.
const VERSIONS_MAX: usize = 200;

/// One advisory, for somebody who uses these releases of its package.
pub fn known(advisory: &Advisory, in_use: &[Version]) -> Value {
    let title = match (advisory.kind, advisory.summary.as_str()) {
        (AdvisoryKind::Malware, "") => format!("{} is malware ({})", advisory.package.name, advisory.id),
        (AdvisoryKind::Vulnerability, "") => advisory.id.clone(),
        (AdvisoryKind::Malware | AdvisoryKind::Vulnerability, summary) => summary.to_owned(),
    };
    json!({
        "id": number(&advisory.id),
        "url": url(&advisory.id),
        "title": title,
        "severity": severity(advisory),
        "vulnerable_versions": vulnerable(advisory, in_use),
        "cwe": [],
        "cvss": {"score": advisory.score.map_or(0.0, |score| f64::from(score) / 10.0), "vectorString": null},
    })
}

fn url(id: &str) -> String {
    if id.starts_with("GHSA-") { format!("https://github.com/advisories/{id}") } else { format!("https://osv.dev/vulnerability/{id}") }
}

/// Clients want a number, the same each time. 31 bits fit everywhere.
fn number(id: &str) -> u32 {
    let digest = DocumentDigest::of(id.as_bytes());
    let first = digest.raw().iter().take(4).fold(0, |number: u32, byte| number << 8 | u32::from(*byte));
    first >> 1
}

/// npm's words for CVSS's bands. Where there is no score, nobody knows that it is harmless.
fn severity(advisory: &Advisory) -> &'static str {
    match (advisory.kind, advisory.score) {
        (AdvisoryKind::Malware, _) | (AdvisoryKind::Vulnerability, Some(90..)) => "critical",
        (AdvisoryKind::Vulnerability, Some(70..=89)) => "high",
        (AdvisoryKind::Vulnerability, Some(40..=69) | None) => "moderate",
        (AdvisoryKind::Vulnerability, Some(0..=39)) => "low",
    }
}

/// A range as npm reads it: `>=1.0.0 <1.2.3 || =2.0.0`.
fn vulnerable(advisory: &Advisory, in_use: &[Version]) -> String {
    let listed = &advisory.versions;
    let is_short = listed.len() <= VERSIONS_MAX;
    let versions = listed.iter().filter(|version| is_short || in_use.contains(version)).map(|version| format!("={version}"));
    let all: Vec<String> = advisory.ranges.iter().map(range).chain(versions).collect();
    all.join(" || ")
}

fn range(range: &AffectedRange) -> String {
    let AffectedRange { introduced, fixed, last_affected, limit } = range;
    let part = |sign: &str, version: &Option<Version>| version.as_ref().map(|version| format!("{sign}{version}"));
    let parts = [part(">=", introduced), part("<", fixed), part("<", limit), part("<=", last_affected)];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    if parts.is_empty() { "*".to_owned() } else { parts.join(" ") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::package::PackageId;
    use crate::model::time::Timestamp;

    fn version(text: &str) -> Version {
        Version::parse(text).unwrap()
    }

    fn advisory() -> Advisory {
        Advisory {
            id: "GHSA-aaaa-bbbb-cccc".into(),
            aliases: Vec::new(),
            kind: AdvisoryKind::Vulnerability,
            package: PackageId::npm("left-pad").unwrap(),
            versions: Vec::new(),
            ranges: vec![AffectedRange { introduced: None, fixed: Some(version("1.2.3")), last_affected: None, limit: None }],
            score: Some(98),
            summary: "Prototype pollution".into(),
            digests: Vec::new(),
            sources: Vec::new(),
            independent: true,
            published_at: None,
            modified_at: Timestamp::from_millis(0),
            withdrawn_at: None,
        }
    }

    #[test]
    fn an_advisory_is_told_as_npm_reads_it() {
        let told = known(&advisory(), &[]);
        assert_eq!(told["url"], "https://github.com/advisories/GHSA-aaaa-bbbb-cccc");
        assert_eq!(
            (&told["severity"], &told["vulnerable_versions"], &told["cvss"]["score"]),
            (&json!("critical"), &json!("<1.2.3"), &json!(9.8))
        );
        assert_eq!(told["id"], known(&advisory(), &[])["id"]);
        let malware = Advisory { id: "MAL-1".into(), kind: AdvisoryKind::Malware, score: None, summary: String::new(), ..advisory() };
        assert_eq!(known(&malware, &[])["title"], "left-pad is malware (MAL-1)");
        assert_eq!(known(&malware, &[])["severity"], "critical");
    }

    #[test]
    fn ranges_are_npms() {
        let of = |introduced: &str, fixed: &str, last: &str, limit: &str| {
            let some = |text: &str| (!text.is_empty()).then(|| version(text));
            AffectedRange { introduced: some(introduced), fixed: some(fixed), last_affected: some(last), limit: some(limit) }
        };
        let all = Advisory {
            ranges: vec![of("1.0.0", "1.2.3", "", ""), of("", "", "0.9.0", ""), of("2.0.0", "", "", "3.0.0"), of("", "", "", "")],
            versions: vec![version("4.0.0")],
            ..advisory()
        };
        assert_eq!(vulnerable(&all, &[]), ">=1.0.0 <1.2.3 || <=0.9.0 || >=2.0.0 <3.0.0 || * || =4.0.0");
        let many =
            Advisory { ranges: Vec::new(), versions: (0..1_000).map(|number| version(&format!("1.0.{number}"))).collect(), ..advisory() };
        assert_eq!(vulnerable(&many, &[version("1.0.7"), version("9.0.0")]), "=1.0.7");
    }

    #[test]
    fn no_score_is_not_harmless() {
        let of = |score| severity(&Advisory { score, ..advisory() });
        assert_eq!([of(None), of(Some(0)), of(Some(40)), of(Some(70)), of(Some(90))], ["moderate", "low", "moderate", "high", "critical"]);
    }
}
