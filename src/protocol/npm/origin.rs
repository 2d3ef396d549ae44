//! Where a release comes from, as its manifest has it: `_npmUser`, the maintainers of then, `dist.attestations`. The registry
//! writes these and no publisher does. What cannot be read is not known, and is never a fault of the release.

use std::collections::HashMap;
use std::sync::Arc;

use crate::ecosystem::json::Pair;
use crate::ecosystem::json::Raw;
use crate::ecosystem::json::entries;
use crate::model::finding::printable;
use crate::model::index::Hand;
use crate::model::index::Origin;
use crate::protocol::npm::manifest::Manifest;
use crate::protocol::npm::manifest::as_text;
use crate::protocol::npm::manifest::get;

/// The hands of one packument. The same two texts are read once.
#[derive(Default)]
pub struct Hands<'d> {
    read: HashMap<(&'d str, &'d str), Option<Arc<Hand>>>,
    /// What was read last: releases that follow each other are mostly of one hand.
    last: Option<(&'d str, &'d str, Option<Arc<Hand>>)>,
}

impl<'d> Hands<'d> {
    pub fn origin(&mut self, manifest: &Manifest<'d>, dist: &[Pair<'d>]) -> Origin {
        let publisher = manifest.get("_npmUser").map_or("", |raw| raw.get());
        let maintainers = manifest.get("maintainers").map_or("", |raw| raw.get());
        let hand = match &self.last {
            Some((of, among, hand)) if *of == publisher && *among == maintainers => hand.clone(),
            Some(_) | None => {
                let hand = self.read.entry((publisher, maintainers)).or_insert_with(|| hand(publisher, maintainers).map(Arc::new)).clone();
                self.last = Some((publisher, maintainers, hand.clone()));
                hand
            }
        };
        Origin { hand, has_provenance: has_provenance(dist) }
    }
}

/// Whether the registry lists a statement of provenance.
fn has_provenance(dist: &[Pair<'_>]) -> bool {
    let attestations = get(dist, "attestations").and_then(pairs);
    let provenance = attestations.as_deref().and_then(|pairs| get(pairs, "provenance")).and_then(pairs);
    provenance.as_deref().and_then(|pairs| get(pairs, "predicateType")).and_then(as_text).is_some_and(|kind| !kind.is_empty())
}

fn hand(publisher: &str, maintainers: &str) -> Option<Hand> {
    let pairs = entries(publisher.as_bytes()).ok()?;
    let name = named(&pairs, "name")?;
    let trusted = get(&pairs, "trustedPublisher").and_then(self::pairs);
    let workflow = trusted.and_then(|pairs| {
        let id = named(&pairs, "id")?;
        Some(match named(&pairs, "oidcConfigId") {
            Some(configuration) => format!("{id} {configuration}"),
            None => id,
        })
    });
    Some(Hand { name, workflow, maintainers: people(maintainers) })
}

/// Names of `[{"name":"ann","email":"…"}]`, or of `["ann <…>"]` as very old manifests have them.
fn people(maintainers: &str) -> Vec<String> {
    let list: Vec<&serde_json::value::RawValue> = serde_json::from_str(maintainers).unwrap_or_default();
    let name = |raw: &&serde_json::value::RawValue| match raw.get().starts_with('{') {
        true => entries(raw.get().as_bytes()).ok().and_then(|pairs| named(&pairs, "name")),
        false => {
            let text: String = serde_json::from_str(raw.get()).ok()?;
            tidy(text.split('<').next().unwrap_or_default())
        }
    };
    let mut names: Vec<String> = list.iter().take(Hand::MAINTAINERS_MAX).filter_map(name).collect();
    names.sort();
    names.dedup();
    names
}

fn pairs(raw: Raw<'_>) -> Option<Vec<Pair<'_>>> {
    entries(raw.get().as_bytes()).ok()
}

fn named(pairs: &[Pair<'_>], key: &str) -> Option<String> {
    get(pairs, key).and_then(as_text).and_then(|text| tidy(&text))
}

fn tidy(text: &str) -> Option<String> {
    let text = text.trim();
    (!text.is_empty()).then(|| printable(text, Hand::TEXT_BYTES_MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(text: &str) -> Origin {
        let manifest = Manifest::split(text.as_bytes()).unwrap();
        let dist = manifest.object("dist").unwrap();
        Hands::default().origin(&manifest, &dist)
    }

    #[test]
    fn who_published_it_and_as_what() {
        let ann = origin(
            r#"{"_npmUser":{"name":"ann","email":"ann@mail.example"},
                "maintainers":[{"name":"bob","email":"b@mail.example"},{"name":"ann"},{"name":"ann"},7,"cy <c@mail.example>"],"dist":{}}"#,
        );
        let hand = ann.hand.as_deref().unwrap();
        assert_eq!((hand.name.as_str(), hand.workflow.as_deref()), ("ann", None));
        assert_eq!(hand.maintainers, ["ann", "bob", "cy"]);
        assert!(!ann.has_provenance && !ann.is_vouched_for());

        let workflow = origin(
            r#"{"_npmUser":{"name":"GitHub Actions","trustedPublisher":{"id":"github","oidcConfigId":"oidc:1"}},
                "dist":{"attestations":{"url":"u","provenance":{"predicateType":"https://slsa.dev/provenance/v1"}}}}"#,
        );
        assert_eq!(workflow.hand.as_deref().unwrap().workflow.as_deref(), Some("github oidc:1"));
        assert!(workflow.has_provenance && workflow.is_vouched_for());
        assert!(origin(r#"{"_npmUser":{"name":"x","trustedPublisher":{"id":"gitlab"}},"dist":{}}"#).is_vouched_for());
    }

    #[test]
    fn what_cannot_be_read_is_not_known() {
        for text in [
            r#"{"dist":{}}"#,
            r#"{"_npmUser":"ann","dist":{}}"#,
            r#"{"_npmUser":{"name":""},"dist":{}}"#,
            r#"{"_npmUser":{"name":7},"dist":{"attestations":[]}}"#,
            r#"{"_npmUser":{"email":"x"},"dist":{"attestations":{"provenance":true}}}"#,
            r#"{"_npmUser":{"name":"\ud800"},"dist":{"attestations":{"provenance":{"predicateType":""}}}}"#,
        ] {
            assert_eq!(origin(text), Origin::default(), "{text}");
        }
        let odd = origin(r#"{"_npmUser":{"name":"a\u202eb","trustedPublisher":{}},"maintainers":{"a":1},"dist":{}}"#);
        let hand = odd.hand.as_deref().unwrap();
        assert_eq!((hand.name.as_str(), hand.workflow.as_deref(), hand.maintainers.len()), ("a\u{fffd}b", None, 0));
    }

    #[test]
    fn the_same_text_is_one_hand() {
        let text = r#"{"_npmUser":{"name":"ann"},"dist":{}}"#;
        let manifest = Manifest::split(text.as_bytes()).unwrap();
        let mut hands = Hands::default();
        let (one, other) = (hands.origin(&manifest, &[]), hands.origin(&manifest, &[]));
        assert!(Arc::ptr_eq(one.hand.as_ref().unwrap(), other.hand.as_ref().unwrap()));
    }
}
