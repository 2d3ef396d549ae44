//! The audit of a whole tree, as npm 6 to 10, pnpm up to 10 and yarn 1 ask it: which releases stand in it, and the report
//! that says where. Source: npm's legacy audit endpoint, and what these clients read of its answer.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use serde::Deserialize;
use serde_json::Map;
use serde_json::Value;
use serde_json::json;

use crate::catalog::advisories::InUse;
use crate::model::package::PackageName;
use crate::model::package::Version;
use crate::protocol::npm::audit::Advisories;
use crate::protocol::npm::handlers::npm;
use crate::protocol::npm::needs::is_affected;
use crate::protocol::npm::order::semantic;

/// Ways to one release, and places in one report, that are named.
const PATHS_MAX: usize = 20;
const FINDINGS_MAX: usize = 1_000;
/// All paths of a report together.
const PATH_BYTES_MAX: usize = 4 * 1_024 * 1_024;

const SEVERITIES: [&str; 5] = ["info", "low", "moderate", "high", "critical"];

/// What a project uses: nothing of the project itself is kept.
#[derive(Deserialize)]
pub struct Tree {
    #[serde(default)]
    dependencies: Option<BTreeMap<String, Node>>,
}

#[derive(Deserialize)]
struct Node {
    #[serde(default)]
    version: Value,
    #[serde(default)]
    integrity: Value,
    #[serde(default)]
    dev: Option<bool>,
    #[serde(default)]
    optional: Option<bool>,
    #[serde(default)]
    dependencies: Option<BTreeMap<String, Node>>,
}

/// A release at one place of the tree.
struct Place<'t> {
    name: PackageName,
    version: Version,
    node: &'t Node,
    /// The names from the top to it.
    path: &'t [&'t str],
}

/// Where a release that something is known against stands.
#[derive(Default)]
struct Finding {
    paths: Vec<String>,
    dev: bool,
    optional: bool,
}

impl Tree {
    pub fn parse(text: &[u8]) -> Result<Tree, serde_json::Error> {
        serde_json::from_slice(text)
    }

    /// Every release in it, by name.
    pub fn in_use(&self) -> Vec<InUse> {
        let mut all: BTreeMap<PackageName, BTreeSet<Version>> = BTreeMap::new();
        self.each(&mut |place| _ = all.entry(place.name).or_default().insert(place.version));
        all.into_iter().map(|(name, versions)| InUse { package: npm(name), versions: versions.into_iter().collect() }).collect()
    }

    fn each(&self, act: &mut impl FnMut(Place<'_>)) {
        walk(self.dependencies.as_ref(), &mut Vec::new(), act);
    }

    /// The report of what is known.
    pub fn report(&self, known: &Advisories) -> Value {
        let mut findings: BTreeMap<(PackageName, Version), Finding> = BTreeMap::new();
        let (mut total, mut dev, mut optional) = (0_u64, 0_u64, 0_u64);
        let mut path_bytes = 0;
        self.each(&mut |place| {
            let (is_dev, is_optional) = (place.node.dev == Some(true), place.node.optional == Some(true));
            total += 1;
            dev += u64::from(is_dev);
            optional += u64::from(is_optional);
            let key = (place.name, place.version);
            if !known.contains_key(key.0.as_str()) || (findings.len() >= FINDINGS_MAX && !findings.contains_key(&key)) {
                return;
            }
            let finding = findings.entry(key).or_insert_with(|| Finding { dev: true, optional: true, ..Finding::default() });
            finding.dev &= is_dev;
            finding.optional &= is_optional;
            let bytes: usize = place.path.iter().map(|key| key.len() + 1).sum();
            if finding.paths.len() < PATHS_MAX && path_bytes + bytes <= PATH_BYTES_MAX {
                path_bytes += bytes;
                finding.paths.push(place.path.join(">"));
            }
        });
        let mut advisories = Map::new();
        let mut actions = Vec::new();
        let mut counts = SEVERITIES.map(|severity| (severity, 0_u64));
        for (name, all) in known {
            for advisory in all {
                let range = advisory.get("vulnerable_versions").and_then(Value::as_str).unwrap_or("*");
                let found =
                    findings.iter().filter(|((package, version), _)| package.as_str() == name && is_affected(range, version.as_str()));
                let found: Vec<_> = found.map(|((_, version), finding)| (version, finding)).collect();
                if found.is_empty() {
                    continue;
                }
                let severity = advisory.get("severity").and_then(Value::as_str).unwrap_or("high");
                if let Some((_, count)) = counts.iter_mut().find(|(one, _)| *one == severity) {
                    *count += found.len() as u64;
                }
                let id = advisory.get("id").cloned().unwrap_or(Value::Null);
                actions.push(action(name, &id, &found));
                advisories.insert(id.to_string().trim_matches('"').to_owned(), told(name, advisory, range, severity, &found));
            }
        }
        let vulnerabilities: BTreeMap<&str, u64> = counts.into_iter().collect();
        json!({
            "actions": actions,
            "advisories": advisories,
            "muted": [],
            "metadata": {
                "vulnerabilities": vulnerabilities,
                "dependencies": total - dev,
                "devDependencies": dev,
                "optionalDependencies": optional,
                "totalDependencies": total,
            },
        })
    }
}

/// What is no package of a registry, such as a folder or a project of pnpm's workspace, is passed through.
fn walk<'t>(nodes: Option<&'t BTreeMap<String, Node>>, path: &mut Vec<&'t str>, act: &mut impl FnMut(Place<'_>)) {
    for (name, node) in nodes.into_iter().flatten() {
        path.push(name);
        let version = node.version.as_str().unwrap_or_default();
        // pnpm writes each project of a workspace as one that has no bytes.
        let is_project = path.len() == 1 && version == "0.0.0" && node.integrity.is_null();
        let (name, version) = match version.strip_prefix("npm:").and_then(|target| target.rsplit_once('@')) {
            Some((other, version)) => (other, version),
            None => (name.as_str(), version),
        };
        if !is_project
            && semantic(version).is_some()
            && let (Ok(name), Ok(version)) = (PackageName::npm(name), Version::parse(version))
        {
            act(Place { name, version, node, path });
        }
        walk(node.dependencies.as_ref(), path, act);
        path.pop();
    }
}

fn told(name: &str, advisory: &Value, range: &str, severity: &str, found: &[(&Version, &Finding)]) -> Value {
    let of = |field: &str| advisory.get(field).cloned().unwrap_or(Value::Null);
    let url = advisory.get("url").and_then(Value::as_str).unwrap_or_default();
    let finding = |(version, finding): &(&Version, &Finding)| json!({"version": version, "paths": finding.paths, "dev": finding.dev, "optional": finding.optional, "bundled": false});
    json!({
        "id": of("id"),
        "url": url,
        "title": of("title"),
        "overview": of("title"),
        "recommendation": "",
        "module_name": name,
        "severity": severity,
        "vulnerable_versions": range,
        // What this means to clients: no version is known that is not affected.
        "patched_versions": "<0.0.0",
        "github_advisory_id": url.rsplit('/').next().filter(|last| last.starts_with("GHSA-")),
        "cves": [],
        "cwe": of("cwe"),
        "cvss": of("cvss"),
        "access": "public",
        "findings": found.iter().map(finding).collect::<Vec<Value>>(),
    })
}

/// yarn 1 shows what an action resolves, and nothing else.
fn action(name: &str, id: &Value, found: &[(&Version, &Finding)]) -> Value {
    let resolves = found.iter().flat_map(|(_, finding)| {
        let one = |path| json!({"id": id, "path": path, "dev": finding.dev, "optional": finding.optional, "bundled": false});
        finding.paths.iter().map(one)
    });
    json!({"action": "review", "module": name, "resolves": resolves.collect::<Vec<Value>>()})
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(value: &Value) -> Tree {
        Tree::parse(value.to_string().as_bytes()).unwrap()
    }

    #[track_caller]
    fn check(value: &Value, expect: &[(&str, &[&str])]) {
        let found: Vec<(String, Vec<String>)> = tree(value)
            .in_use()
            .into_iter()
            .map(|one| (one.package.name.to_string(), one.versions.iter().map(Version::to_string).collect()))
            .collect();
        let expect: Vec<(String, Vec<String>)> =
            expect.iter().map(|(name, versions)| ((*name).to_owned(), versions.iter().map(|one| (*one).to_owned()).collect())).collect();
        assert_eq!(found, expect);
    }

    #[test]
    fn every_release_of_a_tree_is_asked_about_and_nothing_else_of_it() {
        let npm = json!({"name": "secret-app", "version": "1.0.0", "requires": {"a": "^1"}, "dependencies": {
            "a": {"version": "1.0.0", "integrity": "sha512-x", "requires": {"b": "2"}, "dependencies": {"b": {"version": "2.0.0"}}},
            "b": {"version": "1.0.0", "dev": true},
            "alias": {"version": "npm:@s/c@3.0.0"},
            "folder": {"version": "file:../folder"},
            "odd": {"version": null}, "git": {"version": "git+ssh://git@host/x.git#1"},
        }});
        check(&npm, &[("@s/c", &["3.0.0"]), ("a", &["1.0.0"]), ("b", &["1.0.0", "2.0.0"])]);
        let pnpm = json!({"name": "secret-app", "dependencies": {
            ".": {"version": "0.0.0", "dependencies": {"a": {"version": "1.0.0", "integrity": "sha512-x"}}},
            "packages__secret": {"version": "0.0.0", "dependencies": {"b": {"version": "0.0.0"}}},
        }});
        check(&pnpm, &[("a", &["1.0.0"]), ("b", &["0.0.0"])]);
        check(&json!({}), &[]);
        check(&json!({"dependencies": null}), &[]);
        assert!(Tree::parse(br#"{"dependencies":[]}"#).is_err());
    }

    #[test]
    fn a_report_says_where_it_stands() {
        let tree = tree(&json!({"dependencies": {
            "a": {"version": "1.0.0", "dependencies": {"b": {"version": "2.0.0", "dev": true}}},
            "b": {"version": "3.0.0"}, "c": {"version": "1.0.0", "optional": true},
        }}));
        let advisory = |id: u32, range: &str| json!({"id": id, "url": "https://x.example/GHSA-1", "title": "t", "severity": "high", "vulnerable_versions": range, "cwe": ["CWE-1"], "cvss": {"score": 1}});
        let known =
            Advisories::from([("b".to_owned(), vec![advisory(7, "<3.0.0"), advisory(8, "<1")]), ("z".to_owned(), vec![advisory(9, "*")])]);
        let report = tree.report(&known);
        assert_eq!(report["advisories"].as_object().unwrap().len(), 1, "{report:#}");
        let said = &report["advisories"]["7"];
        assert_eq!(said["findings"], json!([{"version": "2.0.0", "paths": ["a>b"], "dev": true, "optional": false, "bundled": false}]));
        assert_eq!((&said["module_name"], &said["github_advisory_id"]), (&json!("b"), &json!("GHSA-1")));
        assert_eq!(report["actions"][0]["resolves"][0]["path"], "a>b");
        assert_eq!(report["metadata"]["vulnerabilities"]["high"], 1);
        assert_eq!((&report["metadata"]["totalDependencies"], &report["metadata"]["devDependencies"]), (&json!(4), &json!(1)));
    }
}
