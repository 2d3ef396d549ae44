//! The shape of an OSV record, and what databases add to it. Strict where a record would mean something else, and blind to
//! everything that is not asked for.

use std::borrow::Cow;

use serde::Deserialize;
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
    #[serde(borrow, default, deserialize_with = "or_nothing")]
    pub aliases: Vec<Cow<'a, str>>,
    #[serde(borrow, default)]
    pub summary: Option<Cow<'a, str>>,
    #[serde(borrow, default, deserialize_with = "or_nothing")]
    pub severity: Vec<Severity<'a>>,
    #[serde(borrow, default, deserialize_with = "or_nothing")]
    pub affected: Vec<Affected<'a>>,
    #[serde(borrow, default)]
    pub database_specific: Option<&'a RawValue>,
}

/// Go writes `null` for an empty list.
fn or_nothing<'de, D: serde::Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Vec<T>, D::Error> {
    Option::<Vec<T>>::deserialize(deserializer).map(Option::unwrap_or_default)
}

#[derive(Deserialize)]
pub struct Severity<'a> {
    #[serde(borrow)]
    pub score: Cow<'a, str>,
}

impl Severity<'_> {
    pub fn tenths(&self) -> Option<u8> {
        score::of_vector(&self.score)
    }
}

#[derive(Deserialize)]
pub struct Affected<'a> {
    #[serde(borrow, default)]
    pub package: Option<Package<'a>>,
    #[serde(borrow, default, deserialize_with = "or_nothing")]
    pub severity: Vec<Severity<'a>>,
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

/// What GitHub and the database of malicious packages say of a whole record.
#[derive(Deserialize, Default)]
#[serde(default)]
pub struct About {
    pub severity: Option<String>,
    pub cwe_ids: Vec<String>,
    pub github_reviewed: Option<bool>,
    #[serde(rename = "malicious-packages-origins")]
    pub origins: Vec<Box<RawValue>>,
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
    pub severity: Option<String>,
    pub last_known_affected_version_range: Option<String>,
    pub cwes: Vec<Cwe>,
    pub indicators: Indicators,
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub struct Cwe {
    #[serde(rename = "cweId")]
    pub id: String,
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub struct Indicators {
    pub package_integrity: Vec<PackageIntegrity>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub struct PackageIntegrity {
    pub hashes: Hashes,
}

/// SHA-1 and SHA-256 stand there too: a release is known by its SHA-512 here.
#[derive(Deserialize, Default)]
#[serde(default)]
pub struct Hashes {
    pub sha512_sri: Option<String>,
    pub sha512: Option<String>,
}

impl OfAffected {
    pub fn has_cwe(&self, id: &str) -> bool {
        self.cwes.iter().any(|cwe| cwe.id == id)
    }

    pub fn digests(&self) -> Result<Vec<Digest>, Unreadable> {
        let stated = &self.indicators.package_integrity;
        at_most("digests", DIGESTS_MAX, stated.len())?;
        let texts = stated.iter().flat_map(|one| [&one.hashes.sha512_sri, &one.hashes.sha512]).flatten();
        Ok(texts.filter_map(|text| Digest::parse(text).ok()).collect())
    }
}
