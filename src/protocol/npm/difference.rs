//! A packument that a client writes back, held against what it was shown: the difference is what it wishes. What it was not
//! shown it cannot have meant, so that a withheld release survives whatever is written.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use serde_json::Map;
use serde_json::Value;

use crate::catalog::amend::Wish;
use crate::catalog::exposure::Exposed;
use crate::catalog::exposure::ExposedRelease;
use crate::model::actor::is_one_name;
use crate::model::finding::printable;
use crate::model::package::Version;
use crate::protocol::npm::tag;
use crate::protocol::npm::tag::NotATag;

const SHOWN_BYTES_MAX: usize = 80;

/// What a written packument may do besides what every one may.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reach {
    /// `PUT /{package}`: a version that is not in it is not spoken of.
    Plain,
    /// `PUT /{package}/-rev/{rev}`: a version or tag that is not in it is to go.
    Whole,
}

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum NotADifference {
    #[error("the body's {0} is not what a packument has there")]
    Shape(&'static str),
    #[error("version {0} is not one you were shown; a new one comes with its tarball, by npm publish")]
    Addition(String),
    #[error("{key} of version {version} cannot be changed: a version is published once")]
    Changed { version: String, key: String },
    #[error("the tag {0:?} is to point at what is no version")]
    Target(String),
    #[error(transparent)]
    Tag(#[from] NotATag),
    #[error("what was shown cannot be read: {0}")]
    Shown(String),
}

/// What `body` wishes, written by the user `name` who was shown `view`. Only keys that it has speak.
pub fn difference(view: &Exposed, body: &Map<String, Value>, name: &str, reach: Reach) -> Result<Vec<Wish>, NotADifference> {
    let mut wishes = Vec::new();
    let mut gone: BTreeSet<&Version> = BTreeSet::new();
    if let Some(versions) = body.get("versions") {
        let versions = versions.as_object().ok_or(NotADifference::Shape("versions"))?;
        if let Some(added) = versions.keys().find(|key| Version::parse(key).ok().and_then(|version| view.release(&version)).is_none()) {
            return Err(NotADifference::Addition(printable(added, SHOWN_BYTES_MAX)));
        }
        for release in view.releases() {
            match versions.get(release.version.as_str()) {
                Some(written) => wishes.extend(deprecation(release, written)?),
                None => _ = gone.insert(&release.version),
            }
        }
        if reach == Reach::Plain {
            gone.clear();
        }
    }
    if !gone.is_empty() {
        wishes.push(Wish::Withdraw { versions: gone.iter().copied().cloned().collect() });
    }
    if let Some(tags) = body.get("dist-tags") {
        wishes.extend(of_tags(view, tags, &gone, reach)?);
    }
    if let Some(maintainers) = body.get("maintainers") {
        wishes.extend(of_owners(view, maintainers)?);
    }
    if let Some(users) = body.get("users") {
        wishes.extend(of_star(view, users, name)?);
    }
    Ok(wishes)
}

/// Of a version only its deprecation may be written. Where its file and what is attested of it lie is written by us and for each
/// client anew.
fn deprecation(release: &ExposedRelease, written: &Value) -> Result<Option<Wish>, NotADifference> {
    const DEPRECATED: &str = "deprecated";
    let written = written.as_object().ok_or(NotADifference::Shape("versions"))?;
    let shown: Map<String, Value> = serde_json::from_slice(&release.manifest).map_err(|error| NotADifference::Shown(error.to_string()))?;
    for (key, value) in written.iter().filter(|(key, _)| *key != DEPRECATED) {
        let is_same = match (shown.get(key), key.as_str()) {
            (Some(shown), "dist") => is_same_dist(shown, value),
            (Some(shown), _) => is_same(shown, value),
            // Written into the abbreviated form by whoever rendered it.
            (None, "hasInstallScript") => true,
            (None, _) => false,
        };
        if !is_same {
            let version = release.version.to_string();
            return Err(NotADifference::Changed { version, key: printable(key, SHOWN_BYTES_MAX) });
        }
    }
    let before = text(shown.get(DEPRECATED))?;
    let after = text(written.get(DEPRECATED))?;
    Ok((before != after).then(|| Wish::Deprecate { version: release.version.clone(), text: after }))
}

/// A deprecation: none, or a text that is not empty.
fn text(value: Option<&Value>) -> Result<Option<String>, NotADifference> {
    match value {
        None | Some(Value::Null | Value::Bool(false)) => Ok(None),
        Some(Value::String(text)) => Ok((!text.is_empty()).then(|| plain(text))),
        Some(Value::Bool(true) | Value::Number(_) | Value::Array(_) | Value::Object(_)) => Err(NotADifference::Shape("deprecated")),
    }
}

/// A text that clients write to terminals, without what would steer one.
fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() && c != '\n' && c != '\t' { char::REPLACEMENT_CHARACTER } else { c }).collect()
}

fn is_same_dist(shown: &Value, written: &Value) -> bool {
    let (Some(shown), Some(written)) = (shown.as_object(), written.as_object()) else { return false };
    let is_there = |key: &String, value: &Value| match (shown.get(key), key.as_str()) {
        (Some(_), "tarball") => true,
        (Some(shown), "attestations") => is_same_but_for(shown, value, "url"),
        (Some(shown), _) => is_same(shown, value),
        (None, _) => false,
    };
    written.iter().all(|(key, value)| is_there(key, value))
}

/// The same but for what one key holds.
fn is_same_but_for(shown: &Value, written: &Value, key: &str) -> bool {
    let without = |value: &Value| {
        let mut value = value.clone();
        value.as_object_mut().map(|fields| fields.remove(key));
        value
    };
    is_same(&without(shown), &without(written))
}

/// The same after JavaScript read and wrote it: `1.0` is `1`, and a large number is the nearest it has.
fn is_same(shown: &Value, written: &Value) -> bool {
    match (shown, written) {
        (Value::Number(shown), Value::Number(written)) => shown.as_f64() == written.as_f64(),
        (Value::Array(shown), Value::Array(written)) => {
            shown.len() == written.len() && shown.iter().zip(written).all(|(shown, written)| is_same(shown, written))
        }
        (Value::Object(shown), Value::Object(written)) => {
            shown.len() == written.len() && shown.iter().all(|(key, shown)| written.get(key).is_some_and(|written| is_same(shown, written)))
        }
        _ => shown == written,
    }
}

/// A tag that was at a version which goes is not spoken of: clients guess where it is to be, and we know.
fn of_tags(view: &Exposed, tags: &Value, gone: &BTreeSet<&Version>, reach: Reach) -> Result<Vec<Wish>, NotADifference> {
    let tags = tags.as_object().ok_or(NotADifference::Shape("dist-tags"))?;
    let shown: BTreeMap<&str, &Version> = view.pointers().iter().map(|(tag, version)| (tag.as_str(), version)).collect();
    tag::count(tags.len())?;
    let mut wishes = Vec::new();
    for (tag, target) in tags {
        // One that was shown is one, however it came to be.
        if !shown.contains_key(tag.as_str()) {
            tag::check(tag)?;
        }
        let target = target.as_str().and_then(|text| Version::parse(text).ok());
        let version = target.ok_or_else(|| NotADifference::Target(printable(tag, SHOWN_BYTES_MAX)))?;
        let before = shown.get(tag.as_str());
        if before != Some(&&version) && before.is_none_or(|before| !gone.contains(before)) {
            wishes.push(Wish::Tag { tag: tag.clone(), version });
        }
    }
    if reach == Reach::Whole {
        let dropped = shown.iter().filter(|(tag, version)| !tags.contains_key(**tag) && !gone.contains(*version));
        wishes.extend(dropped.map(|(tag, _)| Wish::Untag { tag: (*tag).to_owned() }));
    }
    Ok(wishes)
}

fn of_owners(view: &Exposed, maintainers: &Value) -> Result<Option<Wish>, NotADifference> {
    let shape = || NotADifference::Shape("maintainers");
    let names = |list: &Value| -> Result<BTreeSet<String>, NotADifference> {
        let one = |one: &Value| one.get("name").and_then(Value::as_str).map(str::to_owned).ok_or_else(shape);
        list.as_array().ok_or_else(shape)?.iter().map(one).collect()
    };
    let written = names(maintainers)?;
    let before = match head(view)?.get("maintainers") {
        Some(shown) => names(shown)?,
        None => BTreeSet::new(),
    };
    // In whatever case: it is the same person.
    let missing = |from: &BTreeSet<String>, of: &BTreeSet<String>| -> BTreeSet<String> {
        of.iter().filter(|name| !from.iter().any(|one| is_one_name(one, name))).cloned().collect()
    };
    let (added, removed) = (missing(&before, &written), missing(&written, &before));
    Ok((!added.is_empty() || !removed.is_empty()).then_some(Wish::Owners { added, removed }))
}

/// Nobody stars for another.
fn of_star(view: &Exposed, users: &Value, name: &str) -> Result<Option<Wish>, NotADifference> {
    let is_on = |users: &Value| users.get(name).is_some_and(|one| !matches!(one, Value::Null | Value::Bool(false)));
    if !users.is_object() {
        return Err(NotADifference::Shape("users"));
    }
    let on = is_on(users);
    let before = head(view)?.get("users").is_some_and(is_on);
    Ok((on != before).then_some(Wish::Star { on }))
}

fn head(view: &Exposed) -> Result<Map<String, Value>, NotADifference> {
    serde_json::from_slice(view.frame()).map_err(|error| NotADifference::Shown(error.to_string()))
}

#[cfg(test)]
mod tests;
