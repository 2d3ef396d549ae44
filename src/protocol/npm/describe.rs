//! What people search by, as a manifest says it. The packument's own words may be of a release that is not listed, so
//! only who maintains the package is taken from there.

use serde::Deserialize;
use serde_json::Value;

use crate::ecosystem::Description;

/// Whatever stands in these fields: manifests of old say anything anywhere.
#[derive(Deserialize, Default)]
struct Words {
    #[serde(default)]
    description: Value,
    #[serde(default)]
    keywords: Value,
    #[serde(default)]
    maintainers: Value,
}

/// Of an index's frame and the manifest of one release that is listed. What cannot be read says nothing.
pub fn describe(frame: &[u8], manifest: &[u8]) -> Description {
    let said: Words = serde_json::from_slice(manifest).unwrap_or_default();
    let mut maintainers = names(&said.maintainers);
    if maintainers.is_empty() {
        let of_package: Words = serde_json::from_slice(frame).unwrap_or_default();
        maintainers = names(&of_package.maintainers);
    }
    Description { description: said.description.as_str().map(str::to_owned), keywords: words(&said.keywords), maintainers }
}

/// A list, or one text with commas or blanks.
fn words(said: &Value) -> Vec<String> {
    match said {
        Value::Array(all) => all.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        Value::String(all) => all.split([',', ' ']).filter(|word| !word.is_empty()).map(str::to_owned).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => Vec::new(),
    }
}

/// `{"name": "ann"}`, or `ann <ann@mail.example>` as one text.
fn names(said: &Value) -> Vec<String> {
    let name = |one: &Value| {
        let text = one.as_str().or_else(|| one.get("name")?.as_str())?;
        text.split(" <").next().map(str::to_owned)
    };
    said.as_array().into_iter().flatten().filter_map(name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(frame: &str, manifest: &str, description: Option<&str>, keywords: &[&str], maintainers: &[&str]) {
        let owned = |all: &[&str]| all.iter().map(|one| (*one).to_owned()).collect();
        let expect =
            Description { description: description.map(str::to_owned), keywords: owned(keywords), maintainers: owned(maintainers) };
        assert_eq!(describe(frame.as_bytes(), manifest.as_bytes()), expect);
    }

    #[test]
    fn a_manifest_says_what_it_says() {
        let manifest = r#"{"description":"d","keywords":["a","b"],"maintainers":[{"name":"ann"},"otto <otto@mail.example>"]}"#;
        check("{}", manifest, Some("d"), &["a", "b"], &["ann", "otto"]);
        check("{}", r#"{"keywords":"a, b"}"#, None, &["a", "b"], &[]);
        check(r#"{"description":"of another release","maintainers":[{"name":"ann"}]}"#, "{}", None, &[], &["ann"]);
        check("{}", r#"{"description":{},"keywords":[1,"a"],"maintainers":{"name":"x"}}"#, None, &["a"], &[]);
        check("", "[", None, &[], &[]);
    }
}
