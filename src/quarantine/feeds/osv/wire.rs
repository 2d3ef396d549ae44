//! The shape of an OSV record, and what databases add to it. Strict where a record would mean something else, and blind to
//! everything that is not asked for. Elsewhere what cannot be read is left out, by itself: what stands beside it counts.

use std::borrow::Cow;

use serde::Deserialize;
use serde::Deserializer;
use serde_json::value::RawValue;

use crate::model::digest::Digest;
use crate::model::package::PackageId;
use crate::quarantine::feeds::osv::DIGESTS_MAX;
use crate::quarantine::feeds::osv::Unreadable;
use crate::quarantine::feeds::osv::at_most;
use crate::quarantine::feeds::score;

#[derive(Deserialize)]
pub struct Record<'a> {
    #[serde(borrow)]
    pub id: Cow<'a, str>,
    #[serde(borrow)]
    pub modified: Cow<'a, str>,
    #[serde(borrow, default)]
    pub published: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    pub withdrawn: Option<Cow<'a, str>>,
    #[serde(default, deserialize_with = "readable")]
    pub aliases: Vec<Cow<'a, str>>,
    #[serde(default, deserialize_with = "if_readable")]
    pub summary: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    pub severity: Option<&'a RawValue>,
    /// Each to be read as [`OfWhom`], and where it is about an npm package as [`Affected`].
    #[serde(borrow, default, deserialize_with = "or_nothing")]
    pub affected: Vec<&'a RawValue>,
    #[serde(borrow, default)]
    pub database_specific: Option<&'a RawValue>,
}

/// Go writes `null` for an empty list.
fn or_nothing<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Vec<T>, D::Error> {
    Option::<Vec<T>>::deserialize(deserializer).map(Option::unwrap_or_default)
}

/// What stands there, if it has the form that is known.
fn if_readable<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    let raw = Option::<&'de RawValue>::deserialize(deserializer)?;
    Ok(raw.and_then(|raw| serde_json::from_str(raw.get()).ok()))
}

/// What of a list has the form that is known.
fn readable<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Vec<T>, D::Error> {
    Option::<&'de RawValue>::deserialize(deserializer).map(|raw| readable_of(raw).unwrap_or_default())
}

/// `None` of what is no list.
fn readable_of<'de, T: Deserialize<'de>>(raw: Option<&'de RawValue>) -> Option<Vec<T>> {
    let all: Vec<&'de RawValue> = serde_json::from_str(raw?.get()).ok()?;
    Some(all.into_iter().filter_map(|one| serde_json::from_str(one.get()).ok()).collect())
}

/// How grave it is, where a list of scores says so.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Graveness {
    Unsaid,
    /// In tenths.
    Score(u8),
    /// Something is said, and none of it can be read.
    Unreadable,
}

impl Graveness {
    pub fn of(raw: Option<&RawValue>) -> Graveness {
        let Some(raw) = raw else { return Graveness::Unsaid };
        let all: Vec<Severity<'_>> = readable_of(Some(raw)).unwrap_or_default();
        match all.iter().filter_map(|one| score::of_vector(&one.score)).max() {
            Some(score) => Graveness::Score(score),
            None if is_empty_list(raw) => Graveness::Unsaid,
            None => Graveness::Unreadable,
        }
    }

    pub const fn score(self) -> Option<u8> {
        match self {
            Graveness::Score(score) => Some(score),
            Graveness::Unsaid | Graveness::Unreadable => None,
        }
    }
}

fn is_empty_list(raw: &RawValue) -> bool {
    serde_json::from_str::<Vec<&RawValue>>(raw.get()).is_ok_and(|all| all.is_empty())
}

#[derive(Deserialize)]
struct Severity<'a> {
    #[serde(borrow)]
    score: Cow<'a, str>,
}

/// Which package it is about, whatever else stands there.
#[derive(Deserialize)]
pub struct OfWhom<'a> {
    #[serde(borrow, default)]
    pub package: Option<Package<'a>>,
}

#[derive(Deserialize)]
pub struct Affected<'a> {
    #[serde(borrow, default)]
    pub severity: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "or_nothing")]
    pub ranges: Vec<Range<'a>>,
    #[serde(borrow, default, deserialize_with = "or_nothing")]
    pub versions: Vec<Cow<'a, str>>,
    #[serde(borrow, default)]
    pub database_specific: Option<&'a RawValue>,
}

#[derive(Deserialize)]
pub struct Package<'a> {
    #[serde(borrow)]
    pub ecosystem: Cow<'a, str>,
    #[serde(borrow)]
    pub name: Cow<'a, str>,
}

impl Package<'_> {
    pub fn npm(&self) -> Option<PackageId> {
        // A database may say which registry: `npm:…`.
        let is_npm = self.ecosystem.split(':').next() == Some("npm");
        is_npm.then(|| PackageId::npm(&self.name).ok()).flatten()
    }
}

#[derive(Deserialize)]
pub struct Range<'a> {
    #[serde(borrow, rename = "type", default)]
    pub kind: Cow<'a, str>,
    #[serde(borrow, default, deserialize_with = "or_nothing")]
    pub events: Vec<Event<'a>>,
}

/// At least one of them is said.
#[derive(Deserialize)]
pub struct Event<'a> {
    #[serde(borrow, default)]
    pub introduced: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    pub fixed: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    pub last_affected: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    pub limit: Option<Cow<'a, str>>,
}

impl Event<'_> {
    pub const fn says_nothing(&self) -> bool {
        self.introduced.is_none() && self.fixed.is_none() && self.last_affected.is_none() && self.limit.is_none()
    }
}

/// What databases say beyond the schema. What is no object says nothing.
pub fn additions<'a, T: Deserialize<'a> + Default>(raw: Option<&'a RawValue>) -> Result<T, Unreadable> {
    match raw.map(RawValue::get).filter(|text| text.starts_with('{')) {
        Some(text) => serde_json::from_str(text).map_err(|fault| Unreadable::Malformed(format!("what its database adds: {fault}"))),
        None => Ok(T::default()),
    }
}

/// What GitHub and the database of malicious packages say of a whole record.
#[derive(Deserialize, Default)]
#[serde(default)]
pub struct About<'a> {
    #[serde(deserialize_with = "if_readable")]
    pub severity: Option<String>,
    #[serde(deserialize_with = "readable")]
    pub cwe_ids: Vec<String>,
    #[serde(deserialize_with = "if_readable")]
    pub github_reviewed: Option<bool>,
    /// That they are there says that it is malware, in whatever form they are.
    #[serde(borrow, rename = "malicious-packages-origins")]
    origins: Option<&'a RawValue>,
}

impl<'a> About<'a> {
    /// Each to be read as [`Origin`].
    pub fn origins(&self) -> Vec<&'a RawValue> {
        self.origins.and_then(|raw| serde_json::from_str(raw.get()).ok()).unwrap_or_default()
    }

    pub fn has_origins(&self) -> bool {
        self.origins.is_some_and(|raw| !is_empty_list(raw))
    }
}

/// A report that was merged into the record. Its `sha256` is that of the report, not of anything that is installed.
#[derive(Deserialize)]
pub struct Origin<'a> {
    #[serde(borrow)]
    pub source: Cow<'a, str>,
    #[serde(borrow, default, deserialize_with = "or_nothing")]
    pub ranges: Vec<Range<'a>>,
    #[serde(borrow, default, deserialize_with = "or_nothing")]
    pub versions: Vec<Cow<'a, str>>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub struct OfAffected {
    #[serde(deserialize_with = "if_readable")]
    pub severity: Option<String>,
    #[serde(deserialize_with = "if_readable")]
    pub last_known_affected_version_range: Option<String>,
    #[serde(deserialize_with = "readable")]
    pub cwes: Vec<Cwe>,
    #[serde(deserialize_with = "if_readable")]
    pub indicators: Option<Indicators>,
}

#[derive(Deserialize)]
pub struct Cwe {
    #[serde(rename = "cweId")]
    pub id: String,
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub struct Indicators {
    #[serde(deserialize_with = "readable")]
    pub package_integrity: Vec<PackageIntegrity>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub struct PackageIntegrity {
    #[serde(deserialize_with = "if_readable")]
    pub hashes: Option<Hashes>,
}

/// SHA-1 and SHA-256 stand there too: a release is known by its SHA-512 here.
#[derive(Deserialize, Default)]
#[serde(default)]
pub struct Hashes {
    #[serde(deserialize_with = "if_readable")]
    pub sha512_sri: Option<String>,
    #[serde(deserialize_with = "if_readable")]
    pub sha512: Option<String>,
}

impl OfAffected {
    pub fn has_cwe(&self, id: &str) -> bool {
        self.cwes.iter().any(|cwe| cwe.id == id)
    }

    pub fn digests(&self) -> Result<Vec<Digest>, Unreadable> {
        let stated = self.indicators.as_ref().map_or(&[][..], |indicators| &indicators.package_integrity);
        at_most("digests", DIGESTS_MAX, stated.len())?;
        let texts = stated.iter().filter_map(|one| one.hashes.as_ref()).flat_map(|one| [&one.sha512_sri, &one.sha512]).flatten();
        Ok(texts.filter_map(|text| Digest::parse(text).ok()).collect())
    }
}
