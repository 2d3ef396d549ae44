//! The commands that a package puts on the path. Source: @npmcli/package-json, steps `bin` and `binDir`.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::ecosystem::archive::Contents;
use crate::ecosystem::archive::Kind;
use crate::protocol::npm::inspect::manifest::Manifest;

/// Command to file, whichever of the forms the manifest uses.
pub(super) fn commands(manifest: &Manifest, contents: &Contents) -> BTreeMap<String, String> {
    let pairs: Vec<(String, String)> = match manifest.get("bin") {
        Some(Value::String(file)) if !file.is_empty() => {
            let name = manifest.get("name").and_then(Value::as_str).unwrap_or_default();
            vec![(name.trim().to_owned(), file.clone())]
        }
        Some(Value::Array(files)) => files.iter().filter_map(Value::as_str).map(|file| (file.to_owned(), file.to_owned())).collect(),
        Some(Value::Object(files)) => files.iter().filter_map(|(name, file)| Some((name.clone(), file.as_str()?.to_owned()))).collect(),
        _ => match manifest.get("directories").and_then(|directories| directories.get("bin")).and_then(Value::as_str) {
            Some(folder) => below(folder, contents),
            None => Vec::new(),
        },
    };
    pairs.iter().map(|(name, file)| (base(name), secure(file))).filter(|(name, file)| !name.is_empty() && !file.is_empty()).collect()
}

/// Every file below a folder, hidden ones left out.
fn below(folder: &str, contents: &Contents) -> Vec<(String, String)> {
    let folder = secure(folder);
    let files = contents.entries.iter().filter(|entry| entry.kind == Kind::File).filter_map(|entry| {
        let rest = if folder.is_empty() { &entry.path } else { entry.path.strip_prefix(&folder)?.strip_prefix('/')? };
        let hidden = rest.split('/').any(|part| part.starts_with('.'));
        (!hidden).then(|| (rest.to_owned(), entry.path.clone()))
    });
    files.collect()
}

/// A path that cannot lead out of the package: `./a/../../b` is `b`.
fn secure(path: &str) -> String {
    let mut parts = Vec::new();
    for part in path.split(['/', '\\', ':']) {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    parts.join("/")
}

fn base(name: &str) -> String {
    secure(name).rsplit('/').next().unwrap_or_default().to_owned()
}
