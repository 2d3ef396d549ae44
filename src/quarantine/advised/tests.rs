//! What advisories say of which release, and what they call a fix.

use super::*;
use crate::model::digest::DocumentDigest;
use crate::model::digest::Integrity;
use crate::model::digest::IntegrityOutcome;
use crate::model::facts::Facts;
use crate::model::index::Artifact;
use crate::model::index::Claims;
use crate::model::index::Origin;
use crate::model::package::PackageId;
use crate::protocol::npm::order;
use crate::storage::record::Inspection;
use crate::storage::record::ReleaseState;

fn version(text: &str) -> Version {
    Version::parse(text).unwrap()
}

fn now() -> Timestamp {
    Timestamp::parse("2099-11-20T12:00:00Z").unwrap()
}

fn range(introduced: &str, fixed: &str) -> AffectedRange {
    let some = |text: &str| (!text.is_empty()).then(|| version(text));
    AffectedRange { introduced: some(introduced), fixed: some(fixed), last_affected: None, limit: None }
}

fn vulnerability(id: &str, score: u8, ranges: &[AffectedRange]) -> Advisory {
    Advisory {
        id: id.to_owned(),
        aliases: Vec::new(),
        kind: AdvisoryKind::Vulnerability,
        package: PackageId::npm("left-pad").unwrap(),
        versions: Vec::new(),
        ranges: ranges.to_vec(),
        score: Some(score),
        summary: String::new(),
        digests: Vec::new(),
        sources: vec![Source { name: "ghsa".into(), versions: Vec::new(), ranges: Vec::new() }],
        independent: true,
        published_at: Some(now()),
        modified_at: now(),
        withdrawn_at: None,
    }
}

/// A package with these releases, of which some are in use here.
struct World {
    index: Index,
    state: PackageState,
    advisories: Vec<Advisory>,
    is_named_outside: bool,
    by_bytes: Vec<Advisory>,
}

impl World {
    fn of(versions: &[&str], in_use: &[&str]) -> World {
        let row = |text: &&str| {
            let integrity = Integrity { sha512: Some(Digest::of(text.as_bytes())), ..Integrity::default() };
            let artifact = Artifact { file: format!("left-pad-{text}.tgz"), aliases: Vec::new(), location: String::new(), integrity };
            Row {
                version: version(text),
                manifest: 0..0,
                published_at: Some(now().minus(std::time::Duration::from_secs(24 * 3_600))),
                artifacts: vec![artifact],
                claims: Claims::default(),
                origin: Origin::default(),
                unreadable: None,
                removed_at: None,
            }
        };
        let index = Index {
            package: PackageId::npm("left-pad").unwrap(),
            source: DocumentDigest::of(b""),
            frame: bytes::Bytes::new(),
            pointers: Vec::new(),
            earlier: Vec::new(),
            rows: versions.iter().map(row).collect(),
            text: bytes::Bytes::new(),
        };
        let mut state = PackageState::default();
        for text in in_use {
            let inspection = Inspection {
                at: now(),
                edition: 1,
                digest: Digest::of(text.as_bytes()),
                size: 1,
                integrity: IntegrityOutcome::Agrees,
                facts: Facts::default(),
                substance: None,
                evidence: None,
            };
            let inspections = [(format!("left-pad-{text}.tgz"), Arc::new(inspection))].into();
            state.releases.insert(version(text), ReleaseState { inspections, ..ReleaseState::default() });
        }
        World { index, state, advisories: Vec::new(), is_named_outside: true, by_bytes: Vec::new() }
    }

    fn with(mut self, advisory: Advisory) -> World {
        self.advisories.push(advisory);
        self
    }

    fn advised(&self) -> Advised {
        let by_digest = |digest: &Digest| self.by_bytes.iter().filter(|one| one.digests.contains(digest)).cloned().collect();
        Advised::of(&Question {
            index: &self.index,
            state: &self.state,
            advisories: &self.advisories,
            is_named_outside: self.is_named_outside,
            by_digest: &by_digest,
            precedence: &order::precedence,
            track: &order::track,
            now: now(),
        })
    }

    fn said(&self) -> Vec<String> {
        let of =
            |(version, said): (&Version, &Vec<Said>)| said.iter().map(|one| format!("{version} {}", one.advisory.id)).collect::<Vec<_>>();
        self.advised().said.iter().flat_map(of).collect()
    }

    #[track_caller]
    fn fixes(&self, expect: &[&str]) {
        let found: Vec<String> = self.advised().fixes.iter().map(|(version, id)| format!("{version} {id}")).collect();
        assert_eq!(found, expect);
    }
}

const MANY: &[&str] = &["2.1.0", "1.0.0", "1.2.2", "1.2.3-rc.1", "1.2.3", "1.2.4", "2.0.0", "one"];

#[test]
fn ranges_and_lists_name_releases_in_whatever_order_the_index_has_them() {
    let mut listed = vulnerability("GHSA-b", 50, &[]);
    listed.versions = vec![version("2.1.0"), version("9.9.9")];
    let world = World::of(MANY, &[]).with(vulnerability("GHSA-a", 50, &[range("1.0.0", "1.2.3")])).with(listed);
    assert_eq!(world.said(), ["1.0.0 GHSA-a", "1.2.2 GHSA-a", "1.2.3-rc.1 GHSA-a", "2.1.0 GHSA-b"]);
    let everything = World::of(MANY, &[]).with(vulnerability("GHSA-a", 50, &[range("", "")]));
    assert_eq!(everything.said().len(), MANY.len());
    let overlapping = World::of(MANY, &[]).with(vulnerability("GHSA-a", 50, &[range("1.2.4", ""), range("1.2.4", "2.0.0")]));
    let said = &overlapping.advised().said[&version("1.2.4")];
    assert_eq!((said.len(), said[0].fixed.clone()), (1, Some(version("2.0.0"))), "once, with the fix that one of them gives");
}

#[test]
fn what_was_taken_back_says_nothing() {
    let mut advisory = vulnerability("GHSA-a", 50, &[range("", "1.2.3")]);
    advisory.withdrawn_at = Some(now());
    let world = World::of(MANY, &["1.0.0"]).with(advisory);
    assert_eq!(world.advised(), Advised::default());
}

#[test]
fn what_is_at_home_here_is_known_by_its_bytes_only() {
    let mut world = World::of(MANY, &["1.0.0"]).with(vulnerability("GHSA-a", 50, &[range("", "")]));
    world.is_named_outside = false;
    assert_eq!(world.advised(), Advised::default());
    let elsewhere =
        Advisory { package: PackageId::npm("evil").unwrap(), digests: vec![Digest::of(b"1.2.4")], ..vulnerability("MAL-1", 0, &[]) };
    world.by_bytes = vec![elsewhere.clone(), Advisory { withdrawn_at: Some(now()), id: "MAL-2".into(), ..elsewhere }];
    assert_eq!(world.said(), ["1.2.4 MAL-1"]);
    assert!(world.advised().said[&version("1.2.4")][0].names_bytes);
}

#[test]
fn pinned_bytes_count_as_those_that_are_stated() {
    let mut world = World::of(&["1.0.0"], &["1.0.0"]);
    world.index.rows[0].artifacts[0].integrity = Integrity::default();
    let named = Advisory { digests: vec![Digest::of(b"1.0.0")], ..vulnerability("MAL-1", 0, &[]) };
    world.by_bytes = vec![named.clone()];
    assert_eq!(world.said(), ["1.0.0 MAL-1"]);
    world.advisories = vec![Advisory { versions: vec![version("1.0.0")], ..named }];
    let said = &world.advised().said[&version("1.0.0")];
    assert_eq!((said.len(), said[0].names_bytes), (1, true), "one advisory says it once");
}

#[test]
fn sources_count_for_the_releases_that_they_name() {
    let mut advisory = vulnerability("MAL-1", 0, &[]);
    advisory.versions = vec![version("1.0.0"), version("1.2.2"), version("2.0.0")];
    let source = |name: &str, versions: &[&str], ranges: &[AffectedRange]| Source {
        name: name.into(),
        versions: versions.iter().map(|text| version(text)).collect(),
        ranges: ranges.to_vec(),
    };
    advisory.sources = vec![source("all", &[], &[]), source("one", &["1.0.0"], &[]), source("range", &[], &[range("", "1.2.3")])];
    let advised = World::of(MANY, &[]).with(advisory).advised();
    let sources = |text: &str| advised.said[&version(text)][0].sources.join(" ");
    assert_eq!([sources("1.0.0"), sources("1.2.2"), sources("2.0.0")], ["all one range", "all range", "all"]);
}

#[test]
fn the_fix_of_what_is_in_use_is_found() {
    let advisory = || vulnerability("GHSA-a", 98, &[range("", "1.2.3")]);
    World::of(MANY, &["1.0.0"]).with(advisory()).fixes(&["1.2.3 GHSA-a"]);
    World::of(MANY, &[]).with(advisory()).fixes(&[]);
    World::of(MANY, &["2.0.0"]).with(advisory()).fixes(&[]);
    World::of(MANY, &["1.2.3-rc.1"]).with(advisory()).fixes(&["1.2.3 GHSA-a"]);
    World::of(&["1.0.0", "1.2.4", "1.2.5"], &["1.0.0"]).with(advisory()).fixes(&["1.2.4 GHSA-a"]);
    World::of(&["1.0.0", "1.2.4-rc.1", "2.0.0"], &["1.0.0"]).with(advisory()).fixes(&[]);
    World::of(&["1.0.0", "2.0.0-rc.1"], &["1.0.0"])
        .with(vulnerability("GHSA-a", 98, &[range("", "2.0.0-rc.1")]))
        .fixes(&["2.0.0-rc.1 GHSA-a"]);
    let lines = vulnerability("GHSA-a", 98, &[range("", "1.2.3"), range("2.0.0", "2.1.0")]);
    World::of(MANY, &["1.0.0"]).with(lines.clone()).fixes(&["1.2.3 GHSA-a"]);
    World::of(MANY, &["1.0.0", "2.0.0"]).with(lines).fixes(&["1.2.3 GHSA-a", "2.1.0 GHSA-a"]);
}

#[test]
fn what_the_owner_publishes_afterwards_stands_in_for_no_fix() {
    let later = Some(now().plus(std::time::Duration::from_secs(1)));
    let advisory = || vulnerability("GHSA-a", 98, &[range("", "1.2.3")]);
    // The fix is taken down, and something else takes its place.
    let mut replaced = World::of(MANY, &["1.0.0"]).with(advisory());
    replaced.index.rows[4].removed_at = Some(now());
    replaced.index.rows[5].published_at = later;
    replaced.fixes(&[]);
    // None is of that name, and something comes between it and the true one.
    let mut between = World::of(&["1.0.0", "1.2.4", "1.2.5"], &["1.0.0"]).with(advisory());
    between.index.rows[1].published_at = later;
    between.fixes(&["1.2.5 GHSA-a"]);
    let mut backdated = World::of(&["1.0.0", "1.2.4"], &["1.0.0"]).with(advisory());
    backdated.state.releases.insert(version("1.2.4"), ReleaseState { absent_at: later, ..ReleaseState::default() });
    backdated.fixes(&[]);
    let mut undated = World::of(&["1.0.0", "1.2.4"], &["1.0.0"]).with(advisory());
    undated.index.rows[1].published_at = None;
    undated.fixes(&[]);
    // The one that is named may be as new as it likes.
    let mut named = World::of(MANY, &["1.0.0"]).with(advisory());
    named.index.rows[4].published_at = later;
    named.fixes(&["1.2.3 GHSA-a"]);
}

#[test]
fn a_fix_that_is_gone_or_as_bad_itself_is_none() {
    let world = || World::of(MANY, &["1.0.0"]).with(vulnerability("GHSA-a", 70, &[range("", "1.2.3")]));
    world().with(vulnerability("GHSA-b", 69, &[range("1.2.3", "1.2.4")])).fixes(&["1.2.3 GHSA-a"]);
    world().with(vulnerability("GHSA-b", 70, &[range("1.2.3", "1.2.4")])).fixes(&["1.2.4 GHSA-a"]);
    let malware = Advisory { kind: AdvisoryKind::Malware, score: None, versions: vec![version("1.2.3")], ..vulnerability("MAL-1", 0, &[]) };
    world().with(malware).fixes(&["1.2.4 GHSA-a"]);
    let mut removed = world();
    removed.index.rows[4].removed_at = Some(now());
    removed.fixes(&["1.2.4 GHSA-a"]);
    let mut unreadable = world();
    unreadable.index.rows[4].unreadable = Some("two versions".into());
    unreadable.fixes(&["1.2.4 GHSA-a"]);
    let mut taken_down = world();
    taken_down.state.releases.insert(version("1.2.3"), ReleaseState { removed_at: Some(now()), ..ReleaseState::default() });
    taken_down.fixes(&["1.2.4 GHSA-a"]);
}

#[test]
fn only_an_independent_word_that_stands_names_a_fix() {
    let advisory = || vulnerability("GHSA-a", 98, &[range("", "1.2.3")]);
    World::of(MANY, &["1.0.0"]).with(Advisory { independent: false, ..advisory() }).fixes(&[]);
    World::of(MANY, &["1.0.0"]).with(Advisory { kind: AdvisoryKind::Malware, ..advisory() }).fixes(&[]);
    World::of(MANY, &["1.0.0"]).with(Advisory { withdrawn_at: Some(now()), ..advisory() }).fixes(&[]);
    let graver = World::of(MANY, &["1.0.0"]).with(vulnerability("GHSA-b", 40, &[range("", "1.2.3")])).with(advisory());
    graver.fixes(&["1.2.3 GHSA-a"]);
}
