//! A policy on trial without a server: cases in, what became of each out.

use crate::admin::wire::Tried;
use crate::config::cases::Expected;
use crate::config::cases::TrialCase;
use crate::config::policy::Policy;
use crate::model::release::ReleaseId;
use crate::model::standing::Standing;
use crate::model::time::Timestamp;
use crate::model::time::roughly;
use crate::quarantine::trial::try_case;
use crate::quarantine::verdict::Judged;
use crate::quarantine::verdict::Reason;
use crate::quarantine::verdict::Verdict;
use crate::quarantine::wording;

/// What the policy makes of each case, as of `now`.
pub fn try_policy(policy: &Policy, cases: &[TrialCase], now: Timestamp) -> Vec<Tried> {
    let one = |case: &TrialCase| {
        let verdict = try_case(policy, case, now);
        let release = ReleaseId { package: case.package.clone(), version: case.version.clone() };
        let differs = differs(&case.expect, &verdict, now);
        Tried {
            case: case.name.clone(),
            place: case.place.to_string(),
            passed: differs.is_empty(),
            differs,
            standing: verdict.standing.as_str().to_owned(),
            served: verdict.is_served(),
            sentence: wording::refusal(&release.package, &release.version, &verdict, now, None).sentence,
        }
    };
    cases.iter().map(one).collect()
}

/// `standing: expected held, is approved`, a line for each thing.
fn differs(expect: &Expected, verdict: &Verdict, now: Timestamp) -> Vec<String> {
    let mut differs = Vec::new();
    let mut compare = |what: &str, wanted: Option<String>, is: String| {
        if let Some(wanted) = wanted.filter(|wanted| *wanted != is) {
            differs.push(format!("{what}: expected {wanted}, is {is}"));
        }
    };
    compare("standing", expect.standing.clone(), verdict.standing.as_str().to_owned());
    let served = |is: bool| if is { "served" } else { "not served" }.to_owned();
    compare("served", expect.served.map(served), served(verdict.is_served()));
    compare("reason", expect.reason.clone(), reason(verdict));
    let deciding = deciding(verdict).and_then(|one| one.rule.as_deref()).and_then(|rule| rule.split(':').next());
    compare("rule", expect.rule.clone(), deciding.unwrap_or("none").to_owned());
    let until = match verdict.standing {
        Standing::Held { until } => until,
        Standing::Quarantined | Standing::Admissible | Standing::InReview | Standing::Approved | Standing::Rejected | Standing::Revoked => {
            None
        }
    };
    let opens = until.map_or_else(|| "never by itself".to_owned(), |until| roughly(until.since(now)));
    compare("opens in", expect.opens_in.map(roughly), opens);
    differs
}

fn reason(verdict: &Verdict) -> String {
    match &verdict.reason {
        Reason::Clear => "clear".to_owned(),
        Reason::Age { .. } => "age".to_owned(),
        Reason::Tied { .. } => "siblings".to_owned(),
        Reason::Finding { kind, .. } => kind.to_string(),
        Reason::Staged => "staged".to_owned(),
        Reason::Person(decision) => decision.verb.to_string(),
        Reason::GivenUp { .. } => "given up".to_owned(),
    }
}

/// The finding that decides; where none does, the one that a rule speaks of.
fn deciding(verdict: &Verdict) -> Option<&Judged> {
    match &verdict.reason {
        Reason::Finding { kind, .. } => verdict.findings.iter().find(|one| one.finding.kind == *kind && !one.covered),
        Reason::Clear | Reason::Age { .. } | Reason::Tied { .. } | Reason::Staged | Reason::Person(_) | Reason::GivenUp { .. } => {
            verdict.findings.iter().find(|one| one.rule.is_some())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::cases::read_cases;
    use crate::config::read_policy;

    const NOW: &str = "2026-11-20T12:00:00Z";

    fn tried(policy: &str, cases: &str) -> Vec<Tried> {
        let (policy, cases) = (read_policy("policy", policy).unwrap(), read_cases("cases", cases).unwrap());
        try_policy(&policy, &cases, Timestamp::parse(NOW).unwrap())
    }

    fn check(policy: &str, case: &str) {
        let tried = tried(policy, &format!("[[case]]\nname = \"x\"\n{case}"));
        assert!(tried[0].passed, "{policy}\n{case}\n{:?}", tried[0]);
    }

    #[test]
    fn a_policy_does_what_its_cases_expect() {
        let expect = |text: &str| format!("[case.expect]\n{text}");
        check("", &expect("standing = \"approved\"\nserved = true\nreason = \"clear\"\nrule = \"none\""));
        check("", &format!("inspected = false\n{}", expect("standing = \"admissible\"")));
        check("", &format!("age = \"2d\"\n{}", expect("standing = \"held\"\nreason = \"age\"\nopens_in = \"5d\"\nserved = false")));
        check("policy.release_age.minimum = \"1d\"", &format!("age = \"2d\"\n{}", expect("served = true")));
        check("", &format!("age = \"2d\"\npackage_age = \"2d\"\n{}", expect("opens_in = \"12d\"")));
        let fix = "advisories = [{ id = \"GHSA-a\", fixed_by_this = true }]";
        check("", &format!("age = \"2d\"\n{fix}\n{}", expect("standing = \"approved\"")));
        let malware = "advisories = [{ id = \"MAL-1\", malware = true }]";
        check("", &format!("{malware}\n{}", expect("standing = \"rejected\"\nreason = \"malware\"")));
        check("policy.mode = \"observe\"", &format!("{malware}\n{}", expect("standing = \"rejected\"\nserved = true")));
        check("", &format!("findings = [\"obfuscated_code\"]\n{}", expect("standing = \"in_review\"")));
        check("", &format!("findings = [\"obfuscated_code\"]\napprovals = 1\n{}", expect("standing = \"approved\"")));
        check("", &format!("findings = [\"malware\"]\napprovals = 1\n{}", expect("standing = \"rejected\"")));
        check("policy.licenses.deny = [\"GPL-*\"]", &format!("license = \"GPL-3.0-only\"\n{}", expect("reason = \"license_denied\"")));
        let rego = "policy.rego.module = '''\npackage airlock\ndeny contains f.evidence if { some f in input.findings; f.kind == \"native_binary\" }\n'''";
        check(rego, &format!("findings = [\"native_binary\"]\n{}", expect("standing = \"rejected\"\nreason = \"rego_denied\"")));
        check(rego, &expect("standing = \"approved\""));
        check("policy.submissions = \"trusted\"", &format!("age = \"1h\"\npublished_by = \"maria\"\n{}", expect("served = true")));
        let rule = "[[policy.rules]]\npackages = [\"@acme/*\"]\nfindings = { native_binary = \"reject\" }\nreason = \"no\"";
        let native = "package = \"@acme/web\"\nfindings = [\"native_binary\"]";
        check(rule, &format!("{native}\n{}", expect("standing = \"rejected\"\nrule = \"policy.rules[0]\"")));
    }

    #[test]
    fn what_comes_out_otherwise_is_told() {
        let tried = tried(
            "",
            "[[case]]\nname = \"x\"\nage = \"2d\"\n[case.expect]\nstanding = \"approved\"\nreason = \"clear\"\nopens_in = \"1d\"",
        );
        let expected = ["standing: expected approved, is held", "reason: expected clear, is age", "opens in: expected 24 hours, is 5 days"];
        assert_eq!(tried[0].differs, expected);
        assert!(!tried[0].passed && tried[0].sentence.contains("is held"), "{:?}", tried[0]);
    }
}
