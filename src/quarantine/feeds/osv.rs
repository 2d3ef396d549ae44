//! OSV records: one JSON document in, what it says of npm packages out. Its text is somebody's: it is bounded and cleaned, and
//! where a bound of a range cannot be read the range is taken wider, never narrower. Source: the OSV schema, 1.x.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::collections::BTreeMap;

use crate::model::advisory::Advisory;
use crate::model::advisory::AdvisoryKind;
use crate::model::advisory::AffectedRange;
use crate::model::advisory::Source;
use crate::model::finding::printable;
use crate::model::package::PackageId;
use crate::model::package::Version;
use crate::model::time::Timestamp;
use crate::quarantine::feeds::osv::wire::About;
use crate::quarantine::feeds::osv::wire::Affected;
use crate::quarantine::feeds::osv::wire::Event;
use crate::quarantine::feeds::osv::wire::Graveness;
use crate::quarantine::feeds::osv::wire::OfAffected;
use crate::quarantine::feeds::osv::wire::OfWhom;
use crate::quarantine::feeds::osv::wire::Origin;
use crate::quarantine::feeds::osv::wire::Package;
use crate::quarantine::feeds::osv::wire::Range;
use crate::quarantine::feeds::osv::wire::Record;
use crate::quarantine::feeds::osv::wire::additions;
use crate::quarantine::feeds::score;

mod wire;

/// Of one record. The longest lists of versions that were seen take some hundred kilobytes.
pub const RECORD_BYTES_MAX: usize = 4 * 1_024 * 1_024;
const ID_BYTES_MAX: usize = 64;
const SUMMARY_BYTES_MAX: usize = 240;
const ALIASES_MAX: usize = 32;
const AFFECTED_MAX: usize = 2_000;
/// Of one package.
const VERSIONS_MAX: usize = 20_000;
const RANGES_MAX: usize = 2_000;
const EVENTS_MAX: usize = 2_000;
const DIGESTS_MAX: usize = 20_000;
const SOURCES_MAX: usize = 32;
const SOURCE_BYTES_MAX: usize = 64;
/// "Embedded malicious code".
const MALICIOUS_CODE: &str = "CWE-506";

/// Why a record says nothing that could be relied on.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum Unreadable {
    #[error("it is larger than {RECORD_BYTES_MAX} bytes")]
    TooLarge,
    #[error("it is not an OSV record: {0}")]
    Malformed(String),
    #[error("its id is missing, or is not one to 64 letters, digits and -._:")]
    Id,
    #[error("its time {0:?} cannot be read")]
    Time(String),
    #[error("a range of it cannot be read: {0}")]
    Range(String),
    #[error("how grave it is cannot be read")]
    Severity,
    #[error("it has more than {max} {what}")]
    TooMany { what: &'static str, max: usize },
}

/// Reads one record: one advisory for each npm package that it is about, in order; none where it is about no npm package. A name
/// or a version that npm could not have is passed over: nobody could ask for it. `precedence`: [`crate::ecosystem::Ecosystem::precedence`].
/// Where part of it that matters cannot be read, what can be counts, with the fault beside it.
pub fn read(bytes: &[u8], precedence: &dyn Fn(&Version, &Version) -> Ordering) -> Result<(Vec<Advisory>, Option<Unreadable>), Unreadable> {
    let mut fault = None;
    if bytes.len() > RECORD_BYTES_MAX {
        return Err(Unreadable::TooLarge);
    }
    let record: Record<'_> = serde_json::from_slice(bytes).map_err(|fault| Unreadable::Malformed(fault.to_string()))?;
    if !is_id(&record.id) {
        return Err(Unreadable::Id);
    }
    let modified_at = time(&record.modified)?;
    let published_at = record.published.as_deref().map(time).transpose()?;
    let withdrawn_at = record.withdrawn.as_deref().map(time).transpose()?;
    at_most("affected packages", AFFECTED_MAX, record.affected.len())?;
    let about: About<'_> = additions(record.database_specific)?;
    let kind = kind(&record, &about);
    let aliases: Vec<String> = record.aliases.iter().filter(|id| is_id(id)).take(ALIASES_MAX).map(|id| id.clone().into_owned()).collect();
    let of_all = Graveness::of(record.severity);
    let mut said: BTreeMap<PackageId, Advisory> = BTreeMap::new();
    for affected in &record.affected {
        let malformed = |fault: serde_json::Error| Unreadable::Malformed(format!("what it is about: {fault}"));
        let whom: OfWhom<'_> = serde_json::from_str(affected.get()).map_err(malformed)?;
        let Some(package) = whom.package.as_ref().and_then(Package::npm) else { continue };
        let affected: Affected<'_> = serde_json::from_str(affected.get()).map_err(malformed)?;
        let specific: OfAffected = additions(affected.database_specific)?;
        let of_it = Graveness::of(affected.severity);
        let words = [about.severity.as_deref(), specific.severity.as_deref()];
        let score = of_it.score().or(of_all.score()).or_else(|| words.into_iter().flatten().find_map(score::of_word));
        let is_malware = kind == AdvisoryKind::Malware || specific.has_cwe(MALICIOUS_CODE);
        if score.is_none() && !is_malware && (of_it == Graveness::Unreadable || of_all == Graveness::Unreadable) {
            fault.get_or_insert(Unreadable::Severity);
        }
        let advisory = said.entry(package).or_insert_with_key(|package| Advisory {
            id: record.id.clone().into_owned(),
            aliases: aliases.clone(),
            kind,
            package: package.clone(),
            versions: Vec::new(),
            ranges: Vec::new(),
            score: None,
            summary: String::new(),
            digests: Vec::new(),
            sources: Vec::new(),
            independent: is_independent(&record.id, &about),
            published_at,
            modified_at,
            withdrawn_at,
        });
        if is_malware {
            advisory.kind = AdvisoryKind::Malware;
        }
        advisory.score = advisory.score.max(score);
        advisory.versions.extend(versions(&affected.versions)?);
        let last_known = specific.last_known_affected_version_range.as_deref();
        advisory.ranges.extend(ranges(&affected.ranges, last_known, precedence, &mut fault)?);
        advisory.digests.extend(specific.digests()?);
    }
    let mut advisories: Vec<Advisory> = said.into_values().collect();
    for advisory in &mut advisories {
        advisory.versions.sort_unstable();
        advisory.versions.dedup();
        advisory.digests.sort_unstable();
        advisory.digests.dedup();
        at_most("versions", VERSIONS_MAX, advisory.versions.len())?;
        at_most("ranges", RANGES_MAX, advisory.ranges.len())?;
        at_most("digests", DIGESTS_MAX, advisory.digests.len())?;
        let is_in_part = matches!(fault, Some(Unreadable::Range(_)));
        if (advisory.kind == AdvisoryKind::Malware || is_in_part) && advisory.versions.is_empty() && advisory.ranges.is_empty() {
            // It names a package and no release of it, or none that can be read: then it names all.
            advisory.ranges.push(AffectedRange { introduced: None, fixed: None, last_affected: None, limit: None });
        }
        advisory.sources = sources(&record.id, &about, advisory, precedence, &mut fault)?;
        advisory.summary = summary(record.summary.as_deref(), advisory);
    }
    Ok((advisories, fault))
}

/// Whether the text is an id as databases have them, which is a file's name too.
pub fn is_id(text: &str) -> bool {
    let is_of_id = |b: u8| b.is_ascii_alphanumeric() || b"-._:".contains(&b);
    !text.is_empty() && text.len() <= ID_BYTES_MAX && !text.starts_with('.') && text.bytes().all(is_of_id)
}

fn at_most(what: &'static str, max: usize, found: usize) -> Result<(), Unreadable> {
    if found > max { Err(Unreadable::TooMany { what, max }) } else { Ok(()) }
}

fn time(text: &str) -> Result<Timestamp, Unreadable> {
    Timestamp::parse(text).map_err(|_| Unreadable::Time(printable(text, SOURCE_BYTES_MAX)))
}

/// By all of its aliases, however many there are.
fn kind(record: &Record<'_>, about: &About<'_>) -> AdvisoryKind {
    let is_malware = std::iter::once(&record.id).chain(&record.aliases).any(|id| id.starts_with("MAL-"))
        || about.has_origins()
        || about.cwe_ids.iter().any(|cwe| cwe == MALICIOUS_CODE);
    if is_malware { AdvisoryKind::Malware } else { AdvisoryKind::Vulnerability }
}

/// GitHub's database passes on what a repository's owner wrote; only what was reviewed is somebody else's word too.
fn is_independent(id: &str, about: &About<'_>) -> bool {
    about.github_reviewed.unwrap_or(!id.starts_with("GHSA-"))
}

fn versions(listed: &[Cow<'_, str>]) -> Result<Vec<Version>, Unreadable> {
    at_most("versions", VERSIONS_MAX, listed.len())?;
    Ok(listed.iter().filter_map(|text| Version::parse(text).ok()).collect())
}

fn ranges(
    listed: &[Range<'_>],
    last_known: Option<&str>,
    precedence: &dyn Fn(&Version, &Version) -> Ordering,
    fault: &mut Option<Unreadable>,
) -> Result<Vec<AffectedRange>, Unreadable> {
    at_most("ranges", RANGES_MAX, listed.len())?;
    let mut all = Vec::new();
    for range in listed {
        let odd = match &*range.kind {
            // Of commits, which nobody installs by.
            "GIT" => continue,
            "SEMVER" | "ECOSYSTEM" if range.events.iter().any(Event::says_nothing) => {
                "one of its events says nothing that is known".to_owned()
            }
            "SEMVER" | "ECOSYSTEM" if range.events.iter().all(|event| event.introduced.is_none()) => "it begins nowhere".to_owned(),
            "SEMVER" | "ECOSYSTEM" => String::new(),
            other => format!("its type {:?} is not known", printable(other, SOURCE_BYTES_MAX)),
        };
        if !odd.is_empty() {
            fault.get_or_insert(Unreadable::Range(odd));
            continue;
        }
        at_most("events", EVENTS_MAX, range.events.len())?;
        all.extend(stretches(&range.events, last_known, precedence));
        at_most("ranges", RANGES_MAX, all.len())?;
    }
    Ok(all)
}

/// One stretch for each event that begins one, up to the nearest that ends it.
fn stretches(events: &[Event<'_>], last_known: Option<&str>, precedence: &dyn Fn(&Version, &Version) -> Ordering) -> Vec<AffectedRange> {
    let parsed = |text: &Option<Cow<'_, str>>| text.as_deref().and_then(|text| end(text, precedence));
    let sorted = |mut found: Vec<Version>| {
        found.sort_by(precedence);
        found
    };
    let starts: Vec<Option<Version>> = events
        .iter()
        .filter_map(|event| event.introduced.as_deref())
        .map(|text| Version::parse(text).ok().filter(|_| text != "0"))
        .collect();
    let fixes = sorted(events.iter().filter_map(|event| parsed(&event.fixed)).collect());
    let lasts = sorted(events.iter().filter_map(|event| parsed(&event.last_affected)).collect());
    // A version is looked at if it is below any of the limits.
    let is_endless = events.iter().any(|event| event.limit.as_deref() == Some("*"));
    let limit = sorted(events.iter().filter_map(|event| parsed(&event.limit)).collect()).pop().filter(|_| !is_endless);
    let mut all = Vec::new();
    for introduced in starts {
        let is_after = |end: &&Version| introduced.as_ref().is_none_or(|start| precedence(end, start) != Ordering::Less);
        let fixed = fixes.iter().find(is_after);
        let last = lasts.iter().find(is_after);
        let (fixed, last_affected) = match (fixed, last) {
            (Some(fixed), Some(last)) if precedence(last, fixed) == Ordering::Less => (None, Some(last.clone())),
            (Some(fixed), _) => (Some(fixed.clone()), None),
            (None, last) => (None, last.cloned()),
        };
        let mut stretch = AffectedRange { introduced, fixed, last_affected, limit: limit.clone() };
        if stretch.fixed.is_none() && stretch.last_affected.is_none() && stretch.limit.is_none() {
            end_at_last_known(&mut stretch, last_known, precedence);
        }
        all.push(stretch);
    }
    all
}

/// GitHub's own way to say where a stretch ends that nothing fixed: `<= 1.2.3`, `< 2.0.0`.
fn end_at_last_known(stretch: &mut AffectedRange, last_known: Option<&str>, precedence: &dyn Fn(&Version, &Version) -> Ordering) {
    let Some(text) = last_known.map(str::trim) else { return };
    if let Some(last) = text.strip_prefix("<=") {
        stretch.last_affected = end(last, precedence);
    } else if let Some(limit) = text.strip_prefix('<') {
        stretch.limit = end(limit, precedence);
    }
}

/// Where a range ends. What the format cannot order comes before all that it can: taken for an end it would leave nothing.
fn end(text: &str, precedence: &dyn Fn(&Version, &Version) -> Ordering) -> Option<Version> {
    let least = Version::parse("0.0.0-0").ok()?;
    Version::parse(text.trim()).ok().filter(|end| precedence(end, &least) != Ordering::Less)
}

/// Each source once, with what it names by itself. Where none is named it is the database, by the letters its ids begin with.
fn sources(
    id: &str,
    about: &About<'_>,
    advisory: &Advisory,
    precedence: &dyn Fn(&Version, &Version) -> Ordering,
    fault: &mut Option<Unreadable>,
) -> Result<Vec<Source>, Unreadable> {
    let mut named: BTreeMap<String, Source> = BTreeMap::new();
    for origin in about.origins() {
        let origin: Origin<'_> = match serde_json::from_str(origin.get()) {
            Ok(origin) => origin,
            Err(fault) => return Err(Unreadable::Malformed(format!("one of its origins: {fault}"))),
        };
        let name = source_name(&origin.source);
        let mut versions = versions(&origin.versions)?;
        versions.sort_unstable();
        versions.dedup();
        let ranges = ranges(&origin.ranges, None, precedence, fault)?;
        let names_all = (versions.is_empty() && ranges.is_empty()) || (versions == advisory.versions && ranges == advisory.ranges);
        let (versions, ranges) = if names_all { (Vec::new(), Vec::new()) } else { (versions, ranges) };
        match named.get_mut(&name) {
            None => _ = named.insert(name.clone(), Source { name, versions, ranges }),
            Some(known) if names_all || (known.versions.is_empty() && known.ranges.is_empty()) => {
                known.versions.clear();
                known.ranges.clear();
            }
            Some(known) => {
                known.versions.extend(versions);
                known.versions.sort_unstable();
                known.versions.dedup();
                known.ranges.extend(ranges);
                at_most("versions of one origin", VERSIONS_MAX, known.versions.len())?;
                at_most("ranges of one origin", RANGES_MAX, known.ranges.len())?;
            }
        }
        at_most("origins", SOURCES_MAX, named.len())?;
    }
    if named.is_empty() {
        let name = source_name(id.split('-').next().unwrap_or(id));
        return Ok(vec![Source { name, versions: Vec::new(), ranges: Vec::new() }]);
    }
    Ok(named.into_values().collect())
}

/// GitHub's malware comes in two ways and is one source.
fn source_name(text: &str) -> String {
    let name = printable(&text.to_ascii_lowercase(), SOURCE_BYTES_MAX);
    if name == "ghsa-malware" { "ghsa".to_owned() } else { name }
}

/// Nothing where it says no more than what the advisory is anyway.
fn summary(text: Option<&str>, advisory: &Advisory) -> String {
    let text = text.unwrap_or_default().trim();
    let says_nothing = advisory.kind == AdvisoryKind::Malware && text == format!("Malicious code in {} (npm)", advisory.package.name);
    if says_nothing { String::new() } else { printable(text, SUMMARY_BYTES_MAX) }
}

#[cfg(test)]
mod tests;
