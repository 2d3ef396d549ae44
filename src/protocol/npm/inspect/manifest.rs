//! The package.json inside the bytes, read so that it means the same to every client.

use serde_json::Map;
use serde_json::Value;

use crate::ecosystem::json;
use crate::ecosystem::json::Bounds;
use crate::ecosystem::json::JsonFault;
use crate::ecosystem::json::Keep;

/// The largest real one seen is 41 KB and 8 deep.
pub(super) const BOUNDS: Bounds = Bounds { bytes_max: 1 << 20, depth_max: 32 };

/// Fields that decide what is installed and what runs then.
const FIELDS: [&str; 17] = [
    "name",
    "version",
    "scripts",
    "dependencies",
    "optionalDependencies",
    "peerDependencies",
    "peerDependenciesMeta",
    "bundleDependencies",
    "bundledDependencies",
    "bin",
    "directories",
    "engines",
    "os",
    "cpu",
    "libc",
    "gypfile",
    "hasInstallScript",
];

pub(super) type Manifest = Map<String, Value>;

/// Reads a manifest. Real ones have keys that stand twice, so what counts is whether readers that keep the first and readers
/// that keep the last agree on every field that decides something; scripts that installing does not run decide nothing.
pub(super) fn read(text: &[u8]) -> Result<Manifest, String> {
    let object = |value: Value| match value {
        Value::Object(manifest) => Ok(manifest),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => Err("it is no object".to_owned()),
    };
    let manifest = match json::strict(text, BOUNDS) {
        Ok(value) => object(value)?,
        Err(fault @ JsonFault::DuplicateKey { .. }) => {
            let reading = |keep| json::keeping(text, BOUNDS, keep).map_err(|fault| fault.to_string()).and_then(object);
            let (first, last) = (reading(Keep::First)?, reading(Keep::Last)?);
            if !FIELDS.iter().all(|field| deciding(&first, field) == deciding(&last, field)) {
                return Err(fault.to_string());
            }
            last
        }
        Err(fault) => return Err(fault.to_string()),
    };
    check_scripts(&manifest)?;
    Ok(manifest)
}

fn deciding(manifest: &Manifest, field: &str) -> Option<Value> {
    let mut value = manifest.get(field)?.clone();
    if field == "scripts"
        && let Value::Object(scripts) = &mut value
    {
        scripts.retain(|event, _| super::scripts::EVENTS.contains(&event.as_str()));
        if scripts.is_empty() {
            return None;
        }
    }
    Some(value)
}

/// A script that is no text means one thing to one client and nothing to another.
fn check_scripts(manifest: &Manifest) -> Result<(), String> {
    match manifest.get("scripts") {
        None | Some(Value::Null) => Ok(()),
        Some(Value::Object(scripts)) => match scripts.iter().find(|(_, command)| !command.is_string()) {
            Some((event, _)) => Err(format!("the script {event:?} is no text")),
            None => Ok(()),
        },
        Some(Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_)) => Err("its scripts are no object".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn refused(text: &str, why: &str) {
        assert_eq!(read(text.as_bytes()).unwrap_err(), why);
    }

    #[test]
    fn a_key_that_stands_twice_is_refused_where_it_decides() {
        refused(r#"{"name":"a","name":"b"}"#, r#"the key "name" stands twice in one object, at line 1 column 18"#);
        refused(
            r#"{"scripts":{"install":"x"},"scripts":{"test":"y"}}"#,
            r#"the key "scripts" stands twice in one object, at line 1 column 36"#,
        );
        refused(r#"{"dependencies":{"a":"1","a":"2"}}"#, r#"the key "a" stands twice in one object, at line 1 column 28"#);
        for text in [
            r#"{"scripts":{"test":"x"},"scripts":{"test":"y","build":"z"}}"#,
            r#"{"name":"a","name":"a"}"#,
            r#"{"devDependencies":{"a":"1","a":"2"},"main":"a","main":"b"}"#,
        ] {
            assert!(read(text.as_bytes()).is_ok(), "{text}");
        }
    }

    #[test]
    fn scripts_are_texts() {
        refused(r#"{"scripts":{"test":["x"]}}"#, r#"the script "test" is no text"#);
        refused(r#"{"scripts":"x"}"#, "its scripts are no object");
        refused("[]", "it is no object");
        assert!(read(br#"{"scripts":null}"#).is_ok());
    }
}
