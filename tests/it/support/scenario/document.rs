//! The documents a registry serves of a package, in npm's two forms. Releases keep their order of publication.

use airlock::model::time::Timestamp;
use indexmap::IndexMap;
use serde_json::Map;
use serde_json::Value;
use serde_json::json;
use serde_json::value::RawValue;
use serde_json::value::to_raw_value;

use super::package::Package;
use super::release::Release;

/// Which form of a packument a client asked for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Form {
    Full,
    /// `application/vnd.npm.install-v1+json`.
    Abbreviated,
}

/// What the abbreviated form keeps of a manifest. Source: npm's registry documentation, `package-metadata.md`.
const KEPT: [&str; 20] = [
    "name",
    "version",
    "deprecated",
    "dependencies",
    "optionalDependencies",
    "devDependencies",
    "bundleDependencies",
    "bundledDependencies",
    "peerDependencies",
    "peerDependenciesMeta",
    "acceptDependencies",
    "bin",
    "directories",
    "dist",
    "engines",
    "cpu",
    "os",
    "libc",
    "funding",
    "_hasShrinkwrap",
];
const INSTALL_EVENTS: [&str; 3] = ["preinstall", "install", "postinstall"];

impl Package {
    /// `base` is the registry's address and ends with a slash.
    pub fn document(&self, form: Form, base: &str, now: Timestamp, created_and_modified: bool) -> String {
        if let Some(text) = &self.document_text {
            return text.clone();
        }
        let mut document: IndexMap<&str, Box<RawValue>> = IndexMap::new();
        let mut put = |key, value: Value| document.insert(key, to_raw_value(&value).unwrap());
        put("name", json!(self.name()));
        put("dist-tags", json!(self.tags()));
        match form {
            Form::Abbreviated => {
                put("modified", json!(self.modified(now)));
            }
            Form::Full => {
                put("_id", json!(self.name()));
                put("_rev", json!(format!("{}-0123456789abcdef", self.releases.len())));
                put("time", json!(self.times(now, created_and_modified)));
                for (key, value) in &self.fields {
                    put(key, value.clone());
                }
            }
        }
        let versions: IndexMap<&str, Box<RawValue>> =
            self.releases.values().map(|release| (release.version(), release.manifest_raw(form, base))).collect();
        document.insert("versions", to_raw_value(&versions).unwrap());
        serde_json::to_string(&document).unwrap()
    }

    fn times(&self, now: Timestamp, created_and_modified: bool) -> IndexMap<String, String> {
        let mut times = IndexMap::new();
        let left = self.left_times.iter().map(|(version, published)| (version.as_str(), published));
        let all = self.releases.values().map(|release| (release.version(), release.published_at())).chain(left);
        let each: Vec<(String, String)> = all.filter_map(|(version, at)| Some((version.to_owned(), at.text(now)?))).collect();
        if created_and_modified {
            let readable = each.iter().filter_map(|(_, text)| Timestamp::parse(text).ok());
            times.insert("created".to_owned(), readable.min().unwrap_or(now).to_string());
            times.insert("modified".to_owned(), self.modified(now).to_string());
        }
        times.extend(each);
        times
    }

    /// The newest time of a release that can be read, else now.
    pub fn modified(&self, now: Timestamp) -> Timestamp {
        let texts = self.releases.values().filter_map(|release| release.published_at().text(now));
        texts.filter_map(|text| Timestamp::parse(&text).ok()).max().unwrap_or(now)
    }
}

impl Release {
    pub fn manifest_raw(&self, form: Form, base: &str) -> Box<RawValue> {
        if let Some(text) = self.manifest_text_if_any() {
            return RawValue::from_string(text.to_owned()).unwrap();
        }
        let full = self.manifest(base);
        to_raw_value(&match form {
            Form::Full => full,
            Form::Abbreviated => abbreviate(&full),
        })
        .unwrap()
    }
}

fn abbreviate(full: &Map<String, Value>) -> Map<String, Value> {
    let mut kept: Map<String, Value> =
        full.iter().filter(|(key, _)| KEPT.contains(&key.as_str())).map(|(key, value)| (key.clone(), value.clone())).collect();
    let runs =
        full.get("scripts").and_then(Value::as_object).is_some_and(|all| INSTALL_EVENTS.iter().any(|event| all.contains_key(*event)));
    if runs {
        kept.insert("hasInstallScript".into(), json!(true));
    }
    kept
}
