//! The keys `[[policy.rules]]` and `[policy.licenses]`: how they are read and written, and rules that say nothing.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use crate::config::Config;
use crate::config::access::Access;
use crate::config::draft::Draft;
use crate::config::fault::Fault;
use crate::config::fields::Fields;
use crate::config::key::Key;
use crate::config::key::Shape;
use crate::config::key::Shown;
use crate::config::key::nearest;
use crate::config::key::quoted;
use crate::config::key::quoted_list;
use crate::config::policy::Unclear;
use crate::config::policy_keys::forbidden;
use crate::config::policy_keys::reason_text;
use crate::config::rules::PATTERNS_MAX;
use crate::config::rules::RULES_MAX;
use crate::config::rules::Rule;
use crate::config::value::Entry;
use crate::config::value::Value;
use crate::config::value::each;
use crate::model::finding::Action;
use crate::model::finding::FindingKind;
use crate::model::glob::NameGlob;
use crate::model::license::LicensePattern;
use crate::model::package::EcosystemId;

const RULE_KEYS: [&str; 5] = ["packages", "ecosystem", "published_by", "findings", "reason"];
/// What people may try in order to say who reads.
const READERS: [&str; 7] = ["group", "groups", "token", "tokens", "readers", "users", "token_group"];

pub(super) fn rules_key() -> Key {
    Key::new("policy.rules", "what findings do to some packages; the first rule that is about a release and speaks of a finding decides", write, read)
            .shaped(Shape::List)
            .shown(Shown::Sample(&[
                "[[policy.rules]]",
                "packages = [\"esbuild\", \"@esbuild/*\"]  # a star stands for all but a slash; left away: every package. published_by = [\"GROUP\"]: only what its members published here",
                "ecosystem = \"npm\"",
                "findings = { native_binary = \"note\", install_script = \"review\" }",
                "reason = \"it brings programs on purpose\"",
            ]))
}

pub(super) fn license_keys() -> Vec<Key> {
    vec![
        Key::new(
            "policy.licenses.allow",
            "SPDX ids, such as \"MIT\", \"BSD-*\", \"LicenseRef-Acme\": what is under no licence of these is a finding license_denied; []: all",
            |config| Some(write_licenses(&config.policy.licenses.allow)),
            |draft, value| {
                draft.config.policy.licenses.allow = each(value, license)?;
                Ok(())
            },
        )
        .shaped(Shape::List),
        Key::new(
            "policy.licenses.deny",
            "the same for what is never taken, such as \"AGPL-*\"; \"GPL-3.0\" means its -only and its -or-later too",
            |config| Some(write_licenses(&config.policy.licenses.deny)),
            |draft, value| {
                draft.config.policy.licenses.deny = each(value, license)?;
                Ok(())
            },
        )
        .shaped(Shape::List),
        Key::new(
            "policy.licenses.unclear",
            "what says nothing of its licence that SPDX knows, where one of these lists is given: \"deny\", or \"allow\"",
            |config| {
                Some(quoted(match config.policy.licenses.unclear {
                    Unclear::Deny => "deny",
                    Unclear::Allow => "allow",
                }))
            },
            |draft, value| {
                draft.config.policy.licenses.unclear = value.choice(&[("deny", Unclear::Deny), ("allow", Unclear::Allow)])?;
                Ok(())
            },
        ),
    ]
}

fn license(value: &Value) -> Result<LicensePattern, Vec<Fault>> {
    let text = value.text()?;
    LicensePattern::parse(text).map_err(|error| {
        let remedy =
            match LicensePattern::known().find(|known| known.eq_ignore_ascii_case(text)).or_else(|| nearest(text, LicensePattern::known()))
            {
                Some(near) => format!("did you mean {near:?}?"),
                None => "write an SPDX id such as \"MIT\", the start of some such as \"BSD-*\", or one of your own, \"LicenseRef-Acme\""
                    .to_owned(),
            };
        value.fault(error.to_string(), remedy)
    })
}

fn write_licenses(patterns: &[LicensePattern]) -> String {
    let texts: Vec<String> = patterns.iter().map(ToString::to_string).collect();
    quoted_list(texts.iter().map(String::as_str))
}

fn read(draft: &mut Draft, value: &Value) -> Result<(), Vec<Fault>> {
    let items = value.list()?;
    if items.len() > RULES_MAX {
        return Err(value
            .fault(format!("there are {} rules", items.len()), format!("keep to {RULES_MAX}: one rule may name {PATTERNS_MAX} patterns")));
    }
    draft.rule_groups.clear();
    let mut rules = Vec::new();
    let mut faults = Vec::new();
    for (at, item) in items.iter().enumerate() {
        match rule(item) {
            Ok((rule, groups)) => {
                draft.rule_groups.extend(groups.map(|groups| (at, groups)));
                rules.push(rule);
            }
            Err(told) => faults.extend(told),
        }
    }
    if faults.is_empty() {
        faults = idle(items, &rules);
    }
    draft.config.policy.rules = rules;
    if faults.is_empty() { Ok(()) } else { Err(faults) }
}

/// The rule, and where it names groups.
fn rule(item: &Value) -> Result<(Rule, Option<Value>), Vec<Fault>> {
    if let Some(field) = item.table()?.iter().find(|field| READERS.contains(&field.name.as_str())) {
        return Err(vec![Fault::new(
            field.place.clone(),
            field.value.key.as_str(),
            "a rule cannot ask who reads: all readers are shown one index, and what one of them may not have would be listed to them",
            "take it out; published_by = [\"GROUP\"] asks who published it here",
        )]);
    }
    let mut fields = Fields::of(item, &RULE_KEYS)?;
    let packages = fields.read("packages", |value| {
        let packages = each(value, glob)?;
        match packages.len() {
            0 => Err(value
                .fault("the list is empty", "name packages, \"esbuild\" or \"@acme/*\", or take the key out: the rule is about all then")),
            1..=PATTERNS_MAX => Ok(packages),
            many => Err(value.fault(format!("there are {many} patterns"), format!("keep it to {PATTERNS_MAX} in one rule"))),
        }
    });
    let ecosystem = fields.read("ecosystem", ecosystem);
    let mut groups = None;
    let published_by = fields.read("published_by", |value| {
        groups = Some(value.clone());
        let names = each(value, |name| name.text().map(str::to_owned))?;
        if names.is_empty() {
            Err(value.fault("the list is empty", "name groups of [access.groups], or take the key out"))
        } else {
            Ok(names)
        }
    });
    let findings = fields.required("findings", "add findings = { install_script = \"review\" }", findings);
    let reason = fields.required("reason", "say why: everybody who asks about such a release is told", reason_text);
    let read = findings.zip(reason).map(|(findings, reason)| Rule {
        packages: packages.unwrap_or_default(),
        ecosystem,
        published_by: published_by.unwrap_or_default().into_iter().collect(),
        publishers: BTreeSet::new(),
        findings,
        reason,
    });
    fields.finish(read).map(|rule| (rule, groups))
}

fn glob(value: &Value) -> Result<NameGlob, Vec<Fault>> {
    let text = value.text()?;
    NameGlob::parse(text).map_err(|error| {
        let remedy =
            "write a package \"left-pad\", a scope \"@acme/*\", or a name with stars \"eslint-*\"; a star stands for all but a slash";
        value.fault(format!("{text:?} is not a pattern: {error}"), remedy)
    })
}

fn ecosystem(value: &Value) -> Result<EcosystemId, Vec<Fault>> {
    let choices = EcosystemId::ALL.map(|id| (id.as_str(), id));
    match value.choice(&choices)? {
        EcosystemId::Npm => Ok(EcosystemId::Npm),
        id @ (EcosystemId::Nuget | EcosystemId::Pypi | EcosystemId::Oci) => {
            Err(value.fault(format!("{:?} is reserved, not built yet", id.as_str()), "use \"npm\", or take the key out"))
        }
    }
}

fn findings(value: &Value) -> Result<BTreeMap<FindingKind, Action>, Vec<Fault>> {
    let mut found = BTreeMap::new();
    let mut faults = Vec::new();
    for entry in value.table()? {
        match finding(entry) {
            Ok((kind, action)) => _ = found.insert(kind, action),
            Err(told) => faults.extend(told),
        }
    }
    if found.is_empty() && faults.is_empty() {
        faults = value.fault("the rule says nothing of any finding", "write findings = { install_script = \"review\" }");
    }
    if faults.is_empty() { Ok(found) } else { Err(faults) }
}

fn finding(entry: &Entry) -> Result<(FindingKind, Action), Vec<Fault>> {
    let Some(kind) = FindingKind::parse(&entry.name) else {
        let remedy = match nearest(&entry.name, FindingKind::ALL.iter().map(|kind| kind.as_str())) {
            Some(near) => format!("did you mean {near}?"),
            None => "the kinds are the keys of [policy.findings] in airlock.toml.example".to_owned(),
        };
        let wrong = format!("no finding is called {:?}", entry.name);
        return Err(vec![Fault::new(entry.place.clone(), entry.value.key.as_str(), wrong, remedy)]);
    };
    let action = entry.value.choice(&Action::ALL.map(|action| (action.as_str(), action)))?;
    match forbidden(kind, action) {
        Some((wrong, remedy)) => Err(entry.value.fault(wrong, remedy)),
        None => Ok((kind, action)),
    }
}

/// Rules, and parts of them, that never decide anything because an earlier rule always does.
fn idle(items: &[Value], rules: &[Rule]) -> Vec<Fault> {
    let mut faults = Vec::new();
    for (at, (item, rule)) in items.iter().zip(rules).enumerate() {
        let earlier = &rules[..at];
        // Whether an earlier one decides this kind for all of these packages, and which.
        let decided = |kind: FindingKind, packages: Option<&NameGlob>| {
            earlier.iter().position(|before| before.findings.contains_key(&kind) && before.covers(rule, packages))
        };
        let patterns: Vec<Option<&NameGlob>> = if rule.packages.is_empty() { vec![None] } else { rule.packages.iter().map(Some).collect() };
        let by = |kind: &FindingKind| {
            let all: Vec<Option<usize>> = patterns.iter().map(|pattern| decided(*kind, *pattern)).collect();
            if all.iter().all(Option::is_some) { all.into_iter().flatten().next() } else { None }
        };
        let name = |before: usize| format!("policy.rules[{before}] ({})", items[before].place);
        let dead: Vec<(FindingKind, usize)> = rule.findings.keys().filter_map(|kind| Some((*kind, by(kind)?))).collect();
        match dead.first() {
            Some((_, before)) if dead.len() == rule.findings.len() => {
                let wrong = format!("this rule never decides anything: {} comes first for all that it is about", name(*before));
                faults.extend(item.fault(wrong, "put it before that one, or remove it"));
                continue;
            }
            Some(_) | None => {}
        }
        for (kind, before) in dead {
            let wrong = format!("this rule never decides {kind}: {} comes first for all that it is about", name(before));
            faults.extend(item.fault(wrong, format!("put it before that one, or take {kind} out of it")));
        }
        for pattern in &rule.packages {
            let all: Vec<Option<usize>> = rule.findings.keys().map(|kind| decided(*kind, Some(pattern))).collect();
            if let Some(before) = all.first().copied().flatten().filter(|_| all.iter().all(Option::is_some)) {
                let wrong = format!("this rule never decides anything for {pattern}: {} comes first", name(before));
                faults.extend(item.fault(wrong, format!("put it before that one, or take \"{pattern}\" out of it")));
            }
        }
    }
    faults
}

/// Fills in who the groups are that rules name. What is at fault is told at its rule.
pub(super) fn resolve_groups(rules: &mut [Rule], named: &[(usize, Value)], access: &Access) -> Vec<Fault> {
    let mut faults = Vec::new();
    for (at, value) in named {
        let Some(rule) = rules.get_mut(*at) else { continue };
        for name in &rule.published_by {
            match access.groups.get(name) {
                Some(group) if group.claims.is_empty() => rule.publishers.extend(group.members.iter().cloned()),
                Some(_) => faults.extend(value.fault(
                    format!("who is in the group {name:?} is known by an identity provider's claims, and only while they are signed in"),
                    format!("name a group without claims: its members are those that [access.groups.{name}] lists"),
                )),
                None => {
                    let remedy = match nearest(name, access.groups.keys().map(String::as_str)) {
                        Some(near) => format!("did you mean {near:?}?"),
                        None => format!("write [access.groups.{name}] with its members, or take it out"),
                    };
                    faults.extend(value.fault(format!("there is no group {name:?}"), remedy));
                }
            }
        }
    }
    faults
}

fn write(config: &Config) -> Option<String> {
    let rules: Vec<String> = config.policy.rules.iter().map(write_rule).collect();
    (!rules.is_empty()).then(|| format!("[{}]", rules.join(", ")))
}

/// The rule as an inline table, which reads back as the same.
pub(super) fn write_rule(rule: &Rule) -> String {
    let mut fields = Vec::new();
    if !rule.packages.is_empty() {
        let texts: Vec<String> = rule.packages.iter().map(ToString::to_string).collect();
        fields.push(format!("packages = {}", quoted_list(texts.iter().map(String::as_str))));
    }
    fields.extend(rule.ecosystem.map(|id| format!("ecosystem = {}", quoted(id.as_str()))));
    if !rule.published_by.is_empty() {
        fields.push(format!("published_by = {}", quoted_list(rule.published_by.iter().map(String::as_str))));
    }
    let findings: Vec<String> = rule.findings.iter().map(|(kind, action)| format!("{kind} = {}", quoted(action.as_str()))).collect();
    fields.push(format!("findings = {{ {} }}", findings.join(", ")));
    fields.push(format!("reason = {}", quoted(&rule.reason)));
    format!("{{ {} }}", fields.join(", "))
}
