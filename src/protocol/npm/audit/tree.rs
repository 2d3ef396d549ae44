//! The audit of a whole tree, as npm 6 to 10, pnpm up to 10 and yarn 1 ask it: which releases stand in it, and the report
//! that says where. Source: npm's legacy audit endpoint, and what these clients read of its answer.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fmt;

use serde::Deserializer;
use serde::de::DeserializeSeed;
use serde::de::IgnoredAny;
use serde::de::MapAccess;
use serde::de::Visitor;
use serde_json::Map;
use serde_json::Value;
use serde_json::json;

use crate::catalog::advisories::InUse;
use crate::model::package::PackageName;
use crate::model::package::Version;
use crate::protocol::npm::audit::Advisories;
use crate::protocol::npm::audit::question::Left;
use crate::protocol::npm::audit::question::Loose;
use crate::protocol::npm::audit::question::NotAQuestion;
use crate::protocol::npm::audit::question::PLACES_MAX;
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
#[derive(Debug)]
pub struct Tree(Node);

type Nodes = BTreeMap<String, Node>;

/// A place in a tree, or the whole of it.
#[derive(Default, Debug)]
struct Node {
    version: Loose,
    integrity: Loose,
    is_dev: bool,
    is_optional: bool,
    dependencies: Nodes,
}

/// Reads a node, and takes one of what is left for every one below it.
struct ANode<'l>(&'l Left);

impl<'de> DeserializeSeed<'de> for ANode<'_> {
    type Value = Node;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Node, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for ANode<'_> {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a tree of dependencies")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Node, A::Error> {
        let mut node = Node::default();
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                "version" => node.version = map.next_value()?,
                "integrity" => node.integrity = map.next_value()?,
                "dev" => node.is_dev = map.next_value::<Loose>()? == Loose::True,
                "optional" => node.is_optional = map.next_value::<Loose>()? == Loose::True,
                "dependencies" => node.dependencies.extend(map.next_value_seed(SomeNodes(self.0))?),
                _ => _ = map.next_value::<IgnoredAny>()?,
            }
        }
        Ok(node)
    }
}

/// The nodes below one; there may be none.
struct SomeNodes<'l>(&'l Left);

impl<'de> DeserializeSeed<'de> for SomeNodes<'_> {
    type Value = Nodes;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Nodes, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for SomeNodes<'_> {
    type Value = Nodes;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("dependencies by name")
    }

    fn visit_unit<E>(self) -> Result<Nodes, E> {
        Ok(Nodes::new())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Nodes, A::Error> {
        let mut nodes = Nodes::new();
        while let Some(name) = map.next_key::<String>()? {
            self.0.take()?;
            nodes.insert(name, map.next_value_seed(ANode(self.0))?);
        }
        Ok(nodes)
    }
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
    pub fn parse(text: &[u8]) -> Result<Tree, NotAQuestion> {
        let places = Left::of("places in a tree", PLACES_MAX);
        Left::read(&[&places], text, ANode(&places)).map(Tree)
    }

    /// Every release in it, by name.
    pub fn in_use(&self) -> Vec<InUse> {
        let mut all: BTreeMap<PackageName, BTreeSet<Version>> = BTreeMap::new();
        self.each(&mut |place| _ = all.entry(place.name).or_default().insert(place.version));
        all.into_iter().map(|(name, versions)| InUse { package: npm(name), versions: versions.into_iter().collect() }).collect()
    }

    fn each(&self, act: &mut impl FnMut(Place<'_>)) {
        walk(&self.0.dependencies, &mut Vec::new(), act);
    }

    /// The report of what is known.
    pub fn report(&self, known: &Advisories) -> Value {
        let mut findings: BTreeMap<(PackageName, Version), Finding> = BTreeMap::new();
        let (mut total, mut dev, mut optional) = (0_u64, 0_u64, 0_u64);
        let mut path_bytes = 0;
        self.each(&mut |place| {
            let (is_dev, is_optional) = (place.node.is_dev, place.node.is_optional);
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
fn walk<'t>(nodes: &'t Nodes, path: &mut Vec<&'t str>, act: &mut impl FnMut(Place<'_>)) {
    for (name, node) in nodes {
        path.push(name);
        let version = match &node.version {
            Loose::Text(version) => version.as_str(),
            Loose::Nothing | Loose::True | Loose::Other => "",
        };
        // pnpm writes each project of a workspace as one that has no bytes.
        let is_project = path.len() == 1 && version == "0.0.0" && node.integrity == Loose::Nothing;
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
        walk(&node.dependencies, path, act);
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
        for bad in [&br#"{"dependencies":[]}"#[..], br#"{"dependencies":{"a":null}}"#, b"[]", b"{}{}"] {
            assert!(matches!(Tree::parse(bad), Err(NotAQuestion::Malformed(_))), "{bad:?}");
        }
    }

    #[test]
    fn a_tree_of_too_many_places_is_not_read() {
        let wide = |count: usize| (0..count).map(|at| format!("\"p{at}\":{{}}")).collect::<Vec<String>>().join(",");
        let deep = |count: usize| format!(r#"{{"dependencies":{{"a":{{"dependencies":{{{}}}}}}}}}"#, wide(count));
        assert!(Tree::parse(deep(PLACES_MAX - 1).as_bytes()).is_ok());
        let too_many = NotAQuestion::TooMany { what: "places in a tree", max: PLACES_MAX };
        assert_eq!(Tree::parse(deep(PLACES_MAX).as_bytes()).unwrap_err(), too_many);
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
