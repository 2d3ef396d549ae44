//! The keys of `[policy]`: how they are read and written.

use std::time::Duration;

use crate::config::Config;
use crate::config::access_keys::some_packages;
use crate::config::access_keys::write_packages;
use crate::config::fault::Fault;
use crate::config::fields::Fields;
use crate::config::key::Key;
use crate::config::key::Shape;
use crate::config::key::Shown;
use crate::config::key::nearest;
use crate::config::key::quoted;
use crate::config::key::quoted_list;
use crate::config::policy::Exemption;
use crate::config::policy::FallbackAction;
use crate::config::policy::Listing;
use crate::config::policy::Mode;
use crate::config::policy::Pattern;
use crate::config::policy::Submissions;
use crate::config::policy::TrustedPackages;
use crate::config::quantity::write_duration;
use crate::config::rego;
use crate::config::rules_keys;
use crate::config::upstream_keys::scope_name;
use crate::config::value::Data;
use crate::config::value::Value;
use crate::config::value::each;
use crate::model::finding::Action;
use crate::model::finding::FindingKind;
use crate::model::package::PackageName;
use crate::model::time::Timestamp;

const AGE_MOST: Duration = Duration::from_secs(3_650 * 24 * 3_600);
/// Longer than any client waits, and short enough that a forgotten download ends.
const INSPECTION_WAIT_MOST: Duration = Duration::from_secs(600);
const APPROVALS_MAX: u64 = 10;
const REASON_BYTES_MAX: usize = 1_000;
const TRUSTED_KEYS: [&str; 2] = ["packages", "reason"];
const EXEMPTION_KEYS: [&str; 3] = ["package", "reason", "expires"];

pub(super) fn keys() -> Vec<Key> {
    let mut keys = vec![
        Key::new(
            "policy.mode",
            "\"enforce\", or \"observe\": judge and tell everything, keep back only what people keep back and what does not verify",
            |config| {
                Some(quoted(match config.policy.mode {
                    Mode::Enforce => "enforce",
                    Mode::Observe => "observe",
                }))
            },
            |draft, value| {
                draft.config.policy.mode = value.choice(&[("enforce", Mode::Enforce), ("observe", Mode::Observe)])?;
                Ok(())
            },
        ),
        Key::new(
            "policy.listing",
            "\"admissible\": list what screening passed, inspect it at its first download; \"approved\": list only what passed everything",
            |config| {
                Some(quoted(match config.policy.listing {
                    Listing::Admissible => "admissible",
                    Listing::Approved => "approved",
                }))
            },
            |draft, value| {
                draft.config.policy.listing = value.choice(&[("admissible", Listing::Admissible), ("approved", Listing::Approved)])?;
                Ok(())
            },
        ),
        Key::new(
            "policy.inspection_wait",
            "how long a download waits for its verdict; yarn 1 gives up at 30 s",
            |config| Some(quoted(&write_duration(config.policy.inspection_wait))),
            |draft, value| {
                draft.config.policy.inspection_wait = value.duration(Duration::ZERO..=INSPECTION_WAIT_MOST)?;
                Ok(())
            },
        ),
        Key::new(
            "policy.private_scopes",
            "your own scopes, such as \"@acme\": never asked of upstream, so that nobody there can stand in for them",
            |config| Some(quoted_list(config.policy.private_scopes.iter().map(String::as_str))),
            |draft, value| {
                draft.config.policy.private_scopes = each(value, scope)?;
                Ok(())
            },
        )
        .shaped(Shape::List),
        Key::new(
            "policy.submissions",
            "what is published here: \"workflow\": it waits like any other release; \"trusted\": it is approved at once",
            |config| {
                Some(quoted(match config.policy.submissions {
                    Submissions::Workflow => "workflow",
                    Submissions::Trusted => "trusted",
                }))
            },
            |draft, value| {
                draft.config.policy.submissions =
                    value.choice(&[("workflow", Submissions::Workflow), ("trusted", Submissions::Trusted)])?;
                Ok(())
            },
        ),
        Key::new(
            "policy.trusted",
            "packages of registries that you run yourself: their releases only have to be the bytes that were promised",
            write_trusted,
            |draft, value| {
                draft.config.policy.trusted = each(value, trusted)?;
                Ok(())
            },
        )
        .shaped(Shape::List)
        .shown(Shown::Sample(&["[[policy.trusted]]", "packages = [\"@acme/*\"]", "reason = \"our own registry\""])),
        rules_keys::rules_key(),
        Key::new(
            "policy.release_age.minimum",
            "how old a release must be; most malware is found and taken down within days",
            |config| Some(quoted(&write_duration(config.policy.release_age.minimum))),
            |draft, value| {
                draft.config.policy.release_age.minimum = value.duration(Duration::ZERO..=AGE_MOST)?;
                Ok(())
            },
        ),
        Key::new(
            "policy.release_age.floor",
            "what no exemption and no single person goes below",
            |config| Some(quoted(&write_duration(config.policy.release_age.floor))),
            |draft, value| {
                draft.config.policy.release_age.floor = value.duration(Duration::ZERO..=AGE_MOST)?;
                Ok(())
            },
        ),
        Key::new(
            "policy.release_age.new_package",
            "a name first published less than this ago waits until it is this old; typosquats are new names",
            |config| Some(quoted(&write_duration(config.policy.release_age.new_package))),
            |draft, value| {
                draft.config.policy.release_age.new_package = value.duration(Duration::ZERO..=AGE_MOST)?;
                Ok(())
            },
        ),
        Key::new(
            "policy.release_age.security_lane",
            "true: what an independent advisory names as the fix of what is in use here opens at the floor; all else is asked of it as ever",
            |config| Some(config.policy.release_age.security_lane.to_string()),
            |draft, value| {
                draft.config.policy.release_age.security_lane = value.switch()?;
                Ok(())
            },
        ),
        Key::new(
            "policy.release_age.exempt",
            "\"@types/*\", \"left-pad\", \"left-pad@1.3.0\", or { package = \"left-pad\", reason = \"…\", expires = \"2027-01-31\" }",
            write_exemptions,
            |draft, value| {
                draft.config.policy.release_age.exempt = exemptions(value)?;
                Ok(())
            },
        )
        .shaped(Shape::List),
        Key::new(
            "policy.review.approvals",
            "people needed where a finding asks for review; nobody counts twice",
            |config| Some(config.policy.review.approvals.to_string()),
            |draft, value| {
                draft.config.policy.review.approvals = u32::try_from(value.number(1..=APPROVALS_MAX)?).unwrap_or(u32::MAX);
                Ok(())
            },
        ),
        Key::new(
            "policy.review.self_approval",
            "true: people may approve what they submitted themselves, from the floor on; for who is alone",
            |config| Some(config.policy.review.self_approval.to_string()),
            |draft, value| {
                draft.config.policy.review.self_approval = value.switch()?;
                Ok(())
            },
        ),
        Key::new(
            "policy.review.new_packages",
            "true: every package never approved here before needs people",
            |config| Some(config.policy.review.new_packages.to_string()),
            |draft, value| {
                draft.config.policy.review.new_packages = value.switch()?;
                Ok(())
            },
        ),
        Key::new(
            "policy.fallback.score",
            "from which CVSS base score on it counts that an older release, which stands in for a newer one, has a known vulnerability",
            |config| Some(score_text(config.policy.fallback.score)),
            |draft, value| {
                draft.config.policy.fallback.score = score(value)?;
                Ok(())
            },
        ),
        Key::new(
            "policy.fallback.action",
            "\"notice\": it is served as latest, and whoever is refused the newer one is told; \"refuse\": there is no latest then, and people choose",
            |config| {
                Some(quoted(match config.policy.fallback.action {
                    FallbackAction::Notice => "notice",
                    FallbackAction::Refuse => "refuse",
                }))
            },
            |draft, value| {
                draft.config.policy.fallback.action =
                    value.choice(&[("notice", FallbackAction::Notice), ("refuse", FallbackAction::Refuse)])?;
                Ok(())
            },
        ),
    ];
    keys.extend(rules_keys::license_keys());
    keys.push(rego::rego_key());
    keys.extend(FindingKind::ALL.iter().copied().map(finding_key));
    keys
}

/// `7.0` of 70.
fn score_text(tenths: u8) -> String {
    format!("{}.{}", tenths / 10, tenths % 10)
}

/// A number from 0.0 to 10.0 with at most one digit behind its point.
pub(super) fn score(value: &Value) -> Result<u8, Vec<Fault>> {
    let text = match &value.data {
        Data::Odd(text) | Data::Text(text) => text.trim().to_owned(),
        Data::Number(number) => number.to_string(),
        Data::Switch(_) | Data::Time(_) | Data::List(_) | Data::Table(_) => String::new(),
    };
    let tenths = (0..=100_u8).find(|tenths| score_text(*tenths) == text || (tenths % 10 == 0 && (tenths / 10).to_string() == text));
    tenths.ok_or_else(|| value.fault("this is no CVSS score", "write a number from 0.0 to 10.0, such as 7.0"))
}

fn finding_key(kind: FindingKind) -> Key {
    Key::new(
        format!("policy.findings.{kind}"),
        kind.why(),
        move |config| Some(quoted(config.policy.action(kind).as_str())),
        move |draft, value| {
            let choices = Action::ALL.map(|action| (action.as_str(), action));
            let action = value.choice(&choices)?;
            if let Some((wrong, remedy)) = forbidden(kind, action) {
                return Err(value.fault(wrong, remedy));
            }
            if action == kind.default_action() {
                draft.config.policy.findings.remove(&kind);
            } else {
                draft.config.policy.findings.insert(kind, action);
            }
            Ok(())
        },
    )
}

/// What no policy does with such a finding, and what to write instead.
pub(super) fn forbidden(kind: FindingKind, action: Action) -> Option<(&'static str, &'static str)> {
    if kind == FindingKind::IntegrityMismatch && action == Action::Note {
        return Some(("bytes that are not what the index states are never just noted", "choose \"hold\", \"review\" or \"reject\""));
    }
    if kind == FindingKind::RegoFailed && action == Action::Note {
        return Some(("rules that cannot be asked are never just noted", "choose \"hold\", \"review\" or \"reject\""));
    }
    if kind == FindingKind::UnreadableManifest && action != Action::Reject {
        return Some(("nobody can say what a release is whose entry cannot be read: it is never let in", "leave it at \"reject\""));
    }
    None
}

fn scope(value: &Value) -> Result<String, Vec<Fault>> {
    let text = value.text()?;
    scope_name(text)
        .ok_or_else(|| value.fault(format!("{text:?} is not a scope"), "write it with its @ and nothing behind it, such as \"@acme\""))
}

fn trusted(value: &Value) -> Result<TrustedPackages, Vec<Fault>> {
    let mut fields = Fields::of(value, &TRUSTED_KEYS)?;
    let packages = fields.required("packages", "add packages = [\"@acme/*\"]", some_packages);
    let reason = fields.required("reason", "say why: everybody who asks about such a release is told", reason_text);
    fields.finish(packages.zip(reason).map(|(packages, reason)| TrustedPackages { packages, reason }))
}

fn write_trusted(config: &Config) -> Option<String> {
    let one = |one: &TrustedPackages| format!("{{ packages = {}, reason = {} }}", write_packages(&one.packages), quoted(&one.reason));
    let all: Vec<String> = config.policy.trusted.iter().map(one).collect();
    (!all.is_empty()).then(|| format!("[{}]", all.join(", ")))
}

fn exemptions(value: &Value) -> Result<Vec<Exemption>, Vec<Fault>> {
    let mut out: Vec<Exemption> = Vec::new();
    let mut faults = Vec::new();
    for item in value.list()? {
        match exemption(item) {
            Ok(new) if out.iter().any(|old| old.pattern == new.pattern) => {
                faults.extend(
                    item.fault("this pattern is exempted twice", "remove one of the two; which reason and expiry counts would be a guess"),
                );
            }
            Ok(new) => out.push(new),
            Err(told) => faults.extend(told),
        }
    }
    if faults.is_empty() { Ok(out) } else { Err(faults) }
}

fn exemption(item: &Value) -> Result<Exemption, Vec<Fault>> {
    let Data::Table(fields) = &item.data else {
        return Ok(Exemption { pattern: pattern(item)?, reason: None, expires: None });
    };
    let mut faults = Vec::new();
    let mut found = None;
    let mut reason = None;
    let mut expires = None;
    for field in fields {
        let told = match field.name.as_str() {
            "package" => pattern(&field.value).map(|pattern| found = Some(pattern)),
            "reason" => reason_text(&field.value).map(|text| reason = Some(text)),
            "expires" => instant(&field.value).map(|at| expires = Some(at)),
            unknown => {
                let remedy = match nearest(unknown, EXEMPTION_KEYS) {
                    Some(near) => format!("did you mean {near}?"),
                    None => "known here: package, reason, expires".to_owned(),
                };
                Err(vec![Fault::new(field.place.clone(), field.value.key.as_str(), "there is no such key", remedy)])
            }
        };
        faults.extend(told.err().unwrap_or_default());
    }
    if !fields.iter().any(|field| field.name == "package") {
        faults.extend(item.fault("the exemption names no package", "add package = \"left-pad\""));
    }
    match found {
        Some(pattern) if faults.is_empty() => Ok(Exemption { pattern, reason, expires }),
        Some(_) | None => Err(faults),
    }
}

/// `left-pad`, `left-pad@1.3.0`, `@types/*`; nothing else has a meaning, so nothing else is taken.
fn pattern(value: &Value) -> Result<Pattern, Vec<Fault>> {
    let text = value.text()?;
    let wrong = |why: &str| {
        let remedy = "write a scope \"@types/*\", a package \"left-pad\", or one release \"left-pad@1.3.0\"";
        Err(value.fault(format!("{text:?} is not a pattern: {why}"), remedy))
    };
    if let Some(scope) = text.strip_suffix("/*") {
        return match scope_name(scope) {
            Some(scope) => Ok(Pattern::Scope(scope)),
            None => wrong("before /* stands a scope"),
        };
    }
    if let Some(version_at) = text.rfind('@').filter(|at| *at > 0) {
        let (name, version) = (&text[..version_at], &text[version_at + 1..]);
        return match (PackageName::npm(name), semver::Version::parse(version)) {
            (Ok(_), Ok(_)) => Ok(Pattern::Release(name.to_owned(), version.to_owned())),
            (Ok(_), Err(_)) => wrong("behind the @ stands one exact version"),
            (Err(error), _) => wrong(&error.to_string()),
        };
    }
    match PackageName::npm(text) {
        Ok(_) if text.contains('*') => wrong("a * stands only for all packages of a scope"),
        Ok(name) => Ok(Pattern::Package(name.as_str().to_owned())),
        Err(error) => wrong(&error.to_string()),
    }
}

pub(super) fn reason_text(value: &Value) -> Result<String, Vec<Fault>> {
    match value.optional_text()? {
        Some(text) if text.len() <= REASON_BYTES_MAX => Ok(text.to_owned()),
        Some(_) => Err(value.fault("the reason is too long", format!("keep it to {REASON_BYTES_MAX} bytes"))),
        None => Err(value.fault("the reason is empty", "say why, or leave the key away")),
    }
}

/// RFC 3339, or a date alone, which is its first instant in UTC.
fn instant(value: &Value) -> Result<Timestamp, Vec<Fault>> {
    let text = match &value.data {
        Data::Time(text) => text.as_str(),
        Data::Text(_) | Data::Number(_) | Data::Switch(_) | Data::List(_) | Data::Table(_) | Data::Odd(_) => value.text()?,
    };
    let date = text.len() == "2027-01-31".len();
    let whole = if date { format!("{text}T00:00:00Z") } else { text.to_owned() };
    Timestamp::parse(&whole).map_err(|_| {
        value.fault(format!("{text:?} is not a time"), "write a date \"2027-01-31\" or a time with its offset \"2027-01-31T14:00:00Z\"")
    })
}

fn write_exemptions(config: &Config) -> Option<String> {
    let entries: Vec<String> = config.policy.release_age.exempt.iter().map(write_exemption).collect();
    Some(format!("[{}]", entries.join(", ")))
}

fn write_exemption(exemption: &Exemption) -> String {
    let pattern = quoted(&pattern_text(&exemption.pattern));
    if exemption.reason.is_none() && exemption.expires.is_none() {
        return pattern;
    }
    let mut fields = vec![format!("package = {pattern}")];
    fields.extend(exemption.reason.as_deref().map(|reason| format!("reason = {}", quoted(reason))));
    fields.extend(exemption.expires.map(|at| format!("expires = {}", quoted(&at.to_string()))));
    format!("{{ {} }}", fields.join(", "))
}

/// The pattern as it is written in the configuration.
pub(super) fn pattern_text(pattern: &Pattern) -> String {
    match pattern {
        Pattern::Package(name) => name.clone(),
        Pattern::Release(name, version) => format!("{name}@{version}"),
        Pattern::Scope(scope) => format!("{scope}/*"),
    }
}
