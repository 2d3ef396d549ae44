//! The manifest in the index against the one in the bytes, field by field, after the changes that npm itself makes when it
//! publishes. What is compared decides what is installed and run: names, versions, dependencies, commands, platforms, scripts.
//!
//! Not compared: devDependencies, which no installation reads and some publishers strip; scripts that installing does not
//! run, which publishing tools rewrite; texts for people.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use serde_json::Value;

use crate::ecosystem::archive::Contents;
use crate::model::facts::Difference;
use crate::model::package::PackageId;
use crate::model::package::Version;
use crate::protocol::npm::inspect::LIST_MAX;
use crate::protocol::npm::inspect::bins;
use crate::protocol::npm::inspect::loose;
use crate::protocol::npm::inspect::manifest::Manifest;
use crate::protocol::npm::inspect::scripts;
use crate::protocol::npm::inspect::scripts::Steps;
use crate::protocol::npm::inspect::shown;
use crate::protocol::npm::needs;

/// Field to meaning. A field that means nothing is absent.
type Meaning = BTreeMap<String, String>;

/// Where the two differ, at most [`LIST_MAX`] places.
pub(super) fn differences(
    package: &PackageId,
    version: &Version,
    listed: &Manifest,
    shipped: &Manifest,
    contents: &Contents,
    steps: &Steps,
) -> Vec<Difference> {
    let mut ours = meaning(listed, contents);
    let mut theirs = meaning(shipped, contents);
    // What is asked of the bytes is the release they are served as.
    ours.insert("name".to_owned(), package.name.as_str().to_owned());
    ours.insert("version".to_owned(), cleaned(version.as_str()));
    install_scripts(&mut ours, &mut theirs, listed, shipped, steps);
    let fields: BTreeSet<&String> = ours.keys().chain(theirs.keys()).collect();
    let differing = fields.into_iter().filter(|field| ours.get(*field) != theirs.get(*field));
    let text = |side: &Meaning, field: &String| side.get(field).map(|text| shown(text)).unwrap_or_default();
    differing
        .map(|field| Difference { field: shown(field), listed: text(&ours, field), shipped: text(&theirs, field) })
        .take(LIST_MAX)
        .collect()
}

fn meaning(manifest: &Manifest, contents: &Contents) -> Meaning {
    let mut meaning = Meaning::new();
    if let Some(name) = manifest.get("name").and_then(Value::as_str) {
        meaning.insert("name".to_owned(), name.trim().to_owned());
    }
    if let Some(version) = manifest.get("version").and_then(Value::as_str) {
        meaning.insert("version".to_owned(), cleaned(version));
    }
    // npm once copied optional dependencies among the others; either way they are optional.
    let optional = dependencies(manifest, "optionalDependencies");
    let mut required = dependencies(manifest, "dependencies");
    required.retain(|name, _| !optional.contains_key(name));
    for (field, pairs) in [
        ("dependencies", required),
        ("optionalDependencies", optional),
        ("peerDependencies", dependencies(manifest, "peerDependencies")),
        ("bin", bins::commands(manifest, contents)),
        ("engines", engines(manifest)),
    ] {
        meaning.extend(pairs.into_iter().map(|(key, value)| (format!("{field}.{key}"), value)));
    }
    for field in ["os", "cpu", "libc"] {
        let names = names(manifest.get(field));
        if !names.is_empty() {
            meaning.insert(field.to_owned(), names.join(", "));
        }
    }
    let bundled = bundled(manifest);
    if !bundled.is_empty() {
        meaning.insert("bundleDependencies".to_owned(), bundled.join(", "));
    }
    meaning
}

/// Scripts that installing runs. npm adds the build of a gyp file to the index and leaves the bytes as they are; the
/// abbreviated form of the index says only that there are scripts.
fn install_scripts(ours: &mut Meaning, theirs: &mut Meaning, listed: &Manifest, shipped: &Manifest, steps: &Steps) {
    if !scripts::only_a_mark(listed) {
        for event in scripts::EVENTS {
            let field = format!("scripts.{event}");
            let (here, there) = (scripts::command(listed, event), scripts::command(shipped, event));
            if event == "install" && there.is_none() && here == Some("node-gyp rebuild") && steps.build_added_by_npm {
                continue;
            }
            ours.extend(here.map(|command| (field.clone(), command.to_owned())));
            theirs.extend(there.map(|command| (field, command.to_owned())));
        }
    }
    if let Some(Value::Bool(mark)) = listed.get("hasInstallScript")
        && !steps.build_added_by_npm
    {
        ours.insert("hasInstallScript".to_owned(), mark.to_string());
        theirs.insert("hasInstallScript".to_owned(), steps.any_of_the_root().to_string());
    }
}

fn cleaned(version: &str) -> String {
    loose::version(version).unwrap_or_else(|| version.trim().to_owned())
}

/// Name to what is wanted. The forms of npm's first years, one text or a list of texts, are read as npm reads them.
fn dependencies(manifest: &Manifest, field: &str) -> BTreeMap<String, String> {
    let split = |text: &str| {
        let at = text.find(['@', ' ', '>', '<', '=']).unwrap_or(text.len());
        let (name, wanted) = text.split_at(at);
        (name.to_owned(), loose::wanted(wanted.strip_prefix('@').unwrap_or(wanted)))
    };
    match manifest.get(field) {
        Some(Value::Object(pairs)) => {
            pairs.iter().filter_map(|(name, wanted)| Some((name.clone(), loose::wanted(wanted.as_str()?)))).collect()
        }
        Some(Value::Array(texts)) => texts.iter().filter_map(Value::as_str).map(|text| split(text.trim())).collect(),
        Some(Value::String(texts)) => texts.split([' ', ',', '\n', '\r', '\t']).filter(|text| !text.is_empty()).map(split).collect(),
        _ => BTreeMap::new(),
    }
}

/// Name and range of what npm installs along with it, by what it is and not by what it is called there; peers that are optional it leaves alone.
pub(super) fn installed_along(manifest: &Manifest) -> BTreeMap<String, String> {
    let optional = |name: &str| {
        let meta = manifest.get("peerDependenciesMeta").and_then(|meta| meta.get(name)).and_then(|meta| meta.get("optional"));
        meta == Some(&Value::Bool(true))
    };
    let mut along = dependencies(manifest, "peerDependencies");
    along.retain(|name, _| !optional(name));
    along.extend(dependencies(manifest, "dependencies"));
    along.extend(dependencies(manifest, "optionalDependencies"));
    let named = |name: String, range: &str| needs::needed(&name, range).map_or(name, |package| package.name.as_str().to_owned());
    along.into_iter().map(|(name, range)| (named(name, &range), range)).collect()
}

fn engines(manifest: &Manifest) -> BTreeMap<String, String> {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), |text| text.trim().to_owned());
    match manifest.get("engines") {
        Some(Value::Object(pairs)) => pairs.iter().map(|(name, wanted)| (name.clone(), text(wanted))).collect(),
        // The index may hold a list as an object with its places as keys.
        Some(Value::Array(values)) => values.iter().enumerate().map(|(place, wanted)| (place.to_string(), text(wanted))).collect(),
        Some(Value::String(wanted)) if !wanted.is_empty() => BTreeMap::from([(String::new(), wanted.trim().to_owned())]),
        _ => BTreeMap::new(),
    }
}

/// One text or a list of them, in order of the alphabet.
fn names(value: Option<&Value>) -> Vec<&str> {
    let names: BTreeSet<&str> = match value {
        Some(Value::String(name)) if !name.is_empty() => BTreeSet::from([name.as_str()]),
        Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).collect(),
        _ => BTreeSet::new(),
    };
    names.into_iter().collect()
}

/// The packages that lie inside the package. Source: @npmcli/package-json, steps `bundledDependencies`, `bundleDependencies`.
pub(super) fn bundled(manifest: &Manifest) -> Vec<&str> {
    match manifest.get("bundleDependencies").or_else(|| manifest.get("bundledDependencies")) {
        Some(Value::Bool(true)) => match manifest.get("dependencies") {
            Some(Value::Object(pairs)) => pairs.keys().map(String::as_str).collect(),
            _ => Vec::new(),
        },
        Some(Value::Object(pairs)) => pairs.keys().map(String::as_str).collect(),
        other => names(other),
    }
}
