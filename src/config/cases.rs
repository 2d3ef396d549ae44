//! A file of cases that a policy is tried on: releases described in words, each with what is expected to become of it.

use std::sync::Arc;
use std::time::Duration;

use toml::Spanned;
use toml::de::DeTable;
use toml::de::DeValue;

use crate::config::Faults;
use crate::config::fault::Fault;
use crate::config::fault::Place;
use crate::config::fields::Fields;
use crate::config::policy_keys::score;
use crate::config::value::Data;
use crate::config::value::Source;
use crate::config::value::Value;
use crate::config::value::each;
use crate::model::finding::Finding;
use crate::model::finding::FindingKind;
use crate::model::package::PackageId;
use crate::model::package::Version;
use crate::model::user::User;

const CASES_MAX: usize = 1_000;
const AGE_MOST: Duration = Duration::from_secs(36_500 * 24 * 3_600);
const DAY: Duration = Duration::from_secs(24 * 3_600);
const TEXT_BYTES_MAX: usize = 200;
const APPROVALS_MAX: u64 = 10;
const KEYS: [&str; 13] = [
    "name",
    "package",
    "version",
    "age",
    "package_age",
    "approved_before",
    "inspected",
    "license",
    "findings",
    "advisories",
    "approvals",
    "published_by",
    "expect",
];
const FINDING_KEYS: [&str; 2] = ["kind", "evidence"];
const ADVISORY_KEYS: [&str; 5] = ["id", "malware", "score", "sources", "fixed_by_this"];
const EXPECT_KEYS: [&str; 5] = ["standing", "served", "reason", "rule", "opens_in"];
const STANDINGS: [&str; 7] = ["quarantined", "admissible", "held", "in_review", "approved", "rejected", "revoked"];

/// One release, and what is expected of it.
#[derive(Clone, PartialEq, Debug)]
pub struct TrialCase {
    pub name: String,
    pub place: Place,
    pub package: PackageId,
    pub version: Version,
    /// Since it was published.
    pub age: Duration,
    /// Since the first release of its package was.
    pub package_age: Duration,
    /// Whether people approved a release of the package before.
    pub approved_before: bool,
    pub inspected: bool,
    pub license: Option<String>,
    pub findings: Vec<Finding>,
    pub advisories: Vec<TrialAdvisory>,
    /// How many people approved it, in sight of all that was found.
    pub approvals: u64,
    /// Who published it here; `None`: it is upstream's.
    pub published_by: Option<String>,
    pub expect: Expected,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TrialAdvisory {
    pub id: String,
    pub malware: bool,
    /// In tenths.
    pub score: Option<u8>,
    pub sources: Vec<String>,
    /// It is not about this release: this one is its fix, and what it is about is in use.
    pub fixed_by_this: bool,
}

/// What is not given is not looked at; something always is.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Expected {
    /// The text of `Standing::as_str`.
    pub standing: Option<String>,
    pub served: Option<bool>,
    /// `clear`, `age`, `staged`, or the kind of the finding that decides.
    pub reason: Option<String>,
    /// `policy.rules[0]`, or `none`.
    pub rule: Option<String>,
    /// How long until it opens by itself.
    pub opens_in: Option<Duration>,
}

/// Reads the text of a file of cases; `name` is what faults are told under.
pub fn read_cases(name: &str, text: &str) -> Result<Vec<TrialCase>, Faults> {
    let source = Source::File { name: Arc::from(name), text };
    let table = DeTable::parse(text).map_err(|error| {
        let place = source.place(error.span().map_or(0, |span| span.start));
        Faults(vec![Fault::new(place, "", format!("this is not TOML: {}", error.message()), "write cases as [[case]]")])
    })?;
    let root = Value::of_toml("", &Spanned::new(table.span(), DeValue::Table(table.into_inner())), &source);
    let whole = |mut fields: Fields<'_>| {
        let cases = fields.required("case", "write [[case]], its keys, and [case.expect]", |value| match value.list()? {
            [] => Err(value.fault("there is no case", "write [[case]]")),
            items if items.len() > CASES_MAX => {
                Err(value.fault(format!("there are {} cases", items.len()), format!("keep to {CASES_MAX} in one file")))
            }
            _ => each(value, case),
        });
        fields.finish(cases)
    };
    Fields::of(&root, &["case"]).and_then(whole).map_err(Faults)
}

fn case(value: &Value) -> Result<TrialCase, Vec<Fault>> {
    let mut fields = Fields::of(value, &KEYS)?;
    let name = fields.required("name", "say what the case is about", text);
    let package = fields.read("package", |value| {
        PackageId::npm(value.text()?).map_err(|error| value.fault(error.to_string(), "write a package's name, such as \"@acme/web\""))
    });
    let version = fields.read("version", |value| {
        Version::parse(value.text()?).map_err(|error| value.fault(error.to_string(), "write a version, such as \"1.0.0\""))
    });
    let age = fields.read("age", |value| value.duration(Duration::ZERO..=AGE_MOST)).unwrap_or(DAY * 30);
    let package_age = fields.read("package_age", |value| value.duration(Duration::ZERO..=AGE_MOST)).unwrap_or(DAY * 900).max(age);
    let approved_before = fields.read("approved_before", Value::switch).unwrap_or(true);
    let inspected = fields.read("inspected", Value::switch).unwrap_or(true);
    let license = fields.read("license", text);
    let findings = fields.read("findings", |value| each(value, finding)).unwrap_or_default();
    let advisories = fields.read("advisories", |value| each(value, advisory)).unwrap_or_default();
    let approvals = fields.read("approvals", |value| value.number(0..=APPROVALS_MAX)).unwrap_or(0);
    let published_by = fields.read("published_by", |value| {
        let name = value.text()?;
        if User::is_name(name) {
            Ok(name.to_owned())
        } else {
            Err(value.fault(format!("{name:?} is not the name of a user"), "write one, such as \"maria\""))
        }
    });
    let expect = fields.required("expect", "write [case.expect] with standing, served, reason, rule or opens_in", expected);
    let package = package.or_else(|| PackageId::npm("left-pad").ok());
    let version = version.or_else(|| Version::parse("1.0.0").ok());
    let read = name.zip(expect).zip(package.zip(version)).map(|((name, expect), (package, version))| TrialCase {
        name,
        place: value.place.clone(),
        package,
        version,
        age,
        package_age,
        approved_before,
        inspected,
        license,
        findings,
        advisories,
        approvals,
        published_by,
        expect,
    });
    fields.finish(read)
}

fn text(value: &Value) -> Result<String, Vec<Fault>> {
    match value.optional_text()? {
        Some(text) if text.len() <= TEXT_BYTES_MAX => Ok(text.to_owned()),
        Some(_) => Err(value.fault("the text is too long", format!("keep it to {TEXT_BYTES_MAX} bytes"))),
        None => Err(value.fault("the text is empty", "say what is meant, or leave the key away")),
    }
}

/// `"native_binary"`, or `{ kind = "native_binary", evidence = "x.node" }`.
fn finding(value: &Value) -> Result<Finding, Vec<Fault>> {
    let Data::Table(_) = &value.data else { return Ok(Finding::new(kind(value)?, "")) };
    let mut fields = Fields::of(value, &FINDING_KEYS)?;
    let found = fields.required("kind", "add kind = \"native_binary\"", kind);
    let evidence = fields.read("evidence", text).unwrap_or_default();
    fields.finish(found.map(|kind| Finding::new(kind, evidence)))
}

fn kind(value: &Value) -> Result<FindingKind, Vec<Fault>> {
    value.choice_near(FindingKind::ALL.iter().map(|kind| (kind.as_str(), *kind)), "no finding is called")
}

fn advisory(value: &Value) -> Result<TrialAdvisory, Vec<Fault>> {
    let mut fields = Fields::of(value, &ADVISORY_KEYS)?;
    let id = fields.required("id", "add id = \"GHSA-xxxx\"", text);
    let malware = fields.read("malware", Value::switch).unwrap_or(false);
    let score = fields.read("score", score);
    let sources = fields.read("sources", |value| each(value, text)).unwrap_or_else(|| vec!["a source".to_owned()]);
    let fixed_by_this = fields.read("fixed_by_this", Value::switch).unwrap_or(false);
    fields.finish(id.map(|id| TrialAdvisory { id, malware, score, sources, fixed_by_this }))
}

fn expected(value: &Value) -> Result<Expected, Vec<Fault>> {
    let mut fields = Fields::of(value, &EXPECT_KEYS)?;
    let standing =
        fields.read("standing", |value| value.choice_near(STANDINGS.map(|one| (one, one)), "no standing is called").map(str::to_owned));
    let served = fields.read("served", Value::switch);
    let reason = fields.read("reason", |value| {
        let others = ["clear", "age", "staged"].into_iter();
        let all = others.chain(FindingKind::ALL.iter().map(|kind| kind.as_str()));
        value.choice_near(all.map(|one| (one, one)), "no reason is called").map(str::to_owned)
    });
    let rule = fields.read("rule", text);
    let opens_in = fields.read("opens_in", |value| value.duration(Duration::ZERO..=AGE_MOST));
    let read = Expected { standing, served, reason, rule, opens_in };
    if read == Expected::default() && value.table().is_ok_and(<[_]>::is_empty) {
        return Err(value.fault("nothing is expected", "write standing, served, reason, rule or opens_in"));
    }
    fields.finish(Some(read))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_case_is_read_with_its_defaults() {
        let text = r#"
            [[case]]
            name = "a young release waits"
            age = "2h"
            findings = ["install_script", { kind = "native_binary", evidence = "x.node" }]
            advisories = [{ id = "GHSA-a", score = 9.8 }, { id = "MAL-1", malware = true, sources = ["a", "b"] }]
            [case.expect]
            standing = "held"
            reason = "age"
            opens_in = "6d 22h"
        "#;
        let cases = read_cases("cases.toml", &text.replace("6d 22h", "166h")).unwrap();
        let [case] = cases.as_slice() else { panic!("{cases:?}") };
        assert_eq!((case.package.name.as_str(), case.version.as_str(), case.inspected), ("left-pad", "1.0.0", true));
        assert_eq!(case.findings[1], Finding::new(FindingKind::NativeBinary, "x.node"));
        assert_eq!((case.advisories[0].score, case.advisories[1].sources.len()), (Some(98), 2));
        assert_eq!(case.expect.opens_in, Some(Duration::from_secs(166 * 3_600)));
    }

    #[test]
    fn what_is_wrong_is_told_with_its_line() {
        let check = |text: &str, words: &str| {
            let told = read_cases("cases.toml", text).unwrap_err().to_string();
            assert!(told.contains(words), "{text}\n{told}");
        };
        check("", "it has no case");
        check("[[case]]\nname = \"a\"", "cases.toml:1:");
        check("[[case]]\nname = \"a\"", "case[0]: it has no expect");
        check("[[case]]\nname = \"a\"\n[case.expect]", "nothing is expected");
        check(
            "[[case]]\nname = \"a\"\nfindings = [\"malwre\"]\n[case.expect]\nserved = true",
            "cases.toml:3:13: case[0].findings[0]: no finding is called \"malwre\"",
        );
        check("[[case]]\nname = \"a\"\n[case.expect]\nstanding = \"open\"", "no standing is called \"open\"");
        check("[[case]]\nname = \"a\"\nagee = \"1d\"\n[case.expect]\nserved = true", "did you mean age?");
        check("[[case]\nname", "this is not TOML");
        check("[policy]\nmode = \"observe\"", "there is no such key");
    }
}
