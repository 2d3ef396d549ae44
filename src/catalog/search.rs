//! What can be found: a card for every package of which something is listed, written as packages are judged and kept in
//! memory. Upstream is never asked, and a card is looked at again before it is shown, because standings move.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::Mutex;

use quick_cache::sync::Cache;

use crate::catalog::Catalog;
use crate::catalog::CatalogError;
use crate::catalog::exposure::Exposed;
use crate::ecosystem::Description;
use crate::model::digest::DocumentDigest;
use crate::model::package::PackageId;
use crate::model::package::Version;
use crate::model::time::Timestamp;
use crate::quarantine::standings::Standings;
use crate::quarantine::workflow::lock;
use crate::storage::record::PackageState;
use crate::storage::record::Sequence;

/// Packages of upstream's that can be found, and as many of our own: some 500 bytes each.
const CARDS_MAX: usize = 20_000;
/// Hits of one page.
pub const PAGE_MAX: usize = 250;
/// Words of one question.
const TERMS_MAX: usize = 16;
/// What a card keeps of a description.
const DESCRIPTION_BYTES_MAX: usize = 300;
const NAMES_MAX: usize = 20;
const NAME_BYTES_MAX: usize = 64;

/// What is said of a package that can be found.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Found {
    pub package: PackageId,
    /// What `latest` points at, else the release published last.
    pub version: Version,
    pub published_at: Timestamp,
    pub description: Description,
}

/// What is found, and until when that holds.
#[derive(Clone, Debug)]
struct Card {
    found: Arc<Found>,
    stamp: DocumentDigest,
    revision: Sequence,
    outside_changes: u64,
    valid_until: Option<Timestamp>,
}

/// The cards: our own, all of them, and those of upstream's packages that were asked for last.
#[derive(Debug)]
pub struct Cards {
    ours: Mutex<HashMap<PackageId, Card>>,
    known: Cache<PackageId, Card>,
}

impl Default for Cards {
    fn default() -> Cards {
        Cards { ours: Mutex::default(), known: Cache::new(CARDS_MAX) }
    }
}

impl Cards {
    fn get(&self, package: &PackageId) -> Option<Card> {
        let ours = lock(&self.ours).get(package).cloned();
        ours.or_else(|| self.known.get(package))
    }

    fn remove(&self, package: &PackageId) {
        lock(&self.ours).remove(package);
        self.known.remove(package);
    }

    fn put(&self, card: Card, is_ours: bool) {
        let package = card.found.package.clone();
        if !is_ours {
            lock(&self.ours).remove(&package);
            self.known.insert(package, card);
            return;
        }
        self.known.remove(&package);
        let mut ours = lock(&self.ours);
        if ours.len() < CARDS_MAX || ours.contains_key(&package) {
            ours.insert(package, card);
        }
    }

    /// Each with whether it is our own.
    fn all(&self) -> Vec<(Card, bool)> {
        let ours: Vec<(Card, bool)> = lock(&self.ours).values().map(|card| (card.clone(), true)).collect();
        ours.into_iter().chain(self.known.iter().map(|(_, card)| (card, false))).collect()
    }
}

/// What a package must have to be found: all of it. In lower case.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Terms {
    /// Each somewhere: name, keywords, description or maintainers.
    pub words: Vec<String>,
    /// One of each list.
    pub keywords: Vec<Vec<String>>,
    pub maintainers: Vec<String>,
    /// Without `@`.
    pub scopes: Vec<String>,
}

impl Terms {
    /// Reads `web keywords:ui,css maintainer:ann scope:acme`. What else has a colon means something elsewhere only, and asks
    /// for nothing here.
    pub fn parse(text: &str) -> Terms {
        let mut terms = Terms::default();
        for word in text.split_whitespace().take(TERMS_MAX) {
            let word = word.to_lowercase();
            match word.split_once(':') {
                Some(("keywords" | "keyword", of)) => terms.keywords.push(of.split([',', '+']).map(str::to_owned).collect()),
                Some(("maintainer" | "author", name)) => terms.maintainers.push(name.to_owned()),
                Some(("scope", scope)) => terms.scopes.push(scope.trim_start_matches('@').to_owned()),
                Some(_) => {}
                None => terms.words.push(word),
            }
        }
        terms
    }

    /// How well it fits, from 1 to 100; `None`: not at all.
    fn score(&self, found: &Found) -> Option<u32> {
        let name = found.package.name.as_str().to_lowercase();
        let scope = found.package.name.scope().map(str::to_lowercase);
        let said = Said {
            unscoped: name.rsplit('/').next().unwrap_or(&name),
            name: &name,
            keywords: found.description.keywords.iter().map(|word| word.to_lowercase()).collect(),
            maintainers: found.description.maintainers.iter().map(|name| name.to_lowercase()).collect(),
            description: found.description.description.as_deref().unwrap_or_default().to_lowercase(),
        };
        let fits = self.scopes.iter().all(|wanted| scope.as_deref().is_some_and(|scope| scope.trim_start_matches('@') == wanted))
            && self.maintainers.iter().all(|wanted| said.maintainers.contains(wanted))
            && self.keywords.iter().all(|any| any.iter().any(|wanted| said.keywords.contains(wanted)));
        if !fits {
            return None;
        }
        let mut score = 0;
        for word in &self.words {
            score += said.score(word)?;
        }
        let count = u32::try_from(self.words.len()).unwrap_or(u32::MAX);
        Some(score.checked_div(count).unwrap_or(1).max(1))
    }
}

/// What is said of a package, in lower case.
struct Said<'f> {
    name: &'f str,
    unscoped: &'f str,
    keywords: Vec<String>,
    maintainers: Vec<String>,
    description: String,
}

impl Said<'_> {
    fn score(&self, word: &str) -> Option<u32> {
        let is = |all: &[String]| all.iter().any(|one| one == word);
        match () {
            () if self.name == word => Some(100),
            () if self.unscoped == word => Some(90),
            () if self.name.starts_with(word) => Some(80),
            () if self.unscoped.starts_with(word) => Some(70),
            () if self.name.contains(word) => Some(50),
            () if is(&self.keywords) => Some(40),
            () if is(&self.maintainers) => Some(30),
            () if self.keywords.iter().any(|one| one.contains(word)) => Some(20),
            () if self.description.contains(word) => Some(10),
            () => None,
        }
    }
}

/// A page of what was found.
#[derive(Clone, Debug)]
pub struct Hits {
    /// Best first, each with how well it fits, from 1 to 100.
    pub hits: Vec<(Arc<Found>, u32)>,
    /// On all pages.
    pub total: usize,
    pub at: Timestamp,
}

impl Catalog {
    /// Packages that fit, from the one at place `from`, at most `size` and never more than [`PAGE_MAX`]. Callers who are
    /// nobody do not find what is restricted.
    pub async fn search(self: &Arc<Self>, terms: Terms, from: usize, size: usize, is_nobody: bool) -> Result<Hits, CatalogError> {
        let cards = self.cards.all();
        let score = move || {
            let scored = cards.into_iter().filter_map(|(card, is_ours)| Some((terms.score(&card.found)?, is_ours, card)));
            let mut scored: Vec<(u32, bool, Card)> = scored.collect();
            let by_name = |left: &Card, right: &Card| left.found.package.cmp(&right.found.package);
            scored.sort_by(|left, right| right.0.cmp(&left.0).then(right.1.cmp(&left.1)).then_with(|| by_name(&left.2, &right.2)));
            scored
        };
        let scored = tokio::task::spawn_blocking(score).await.map_err(|error| CatalogError::Storage(error.to_string()))?;
        let mut visible = Vec::with_capacity(scored.len());
        for (score, _, card) in scored {
            if !(is_nobody && self.is_restricted(&card.found.package)) {
                visible.push((score, card));
            }
        }
        let mut hits = Hits { hits: Vec::new(), total: visible.len(), at: self.clock.now() };
        for (score, card) in visible.into_iter().skip(from).take(size.min(PAGE_MAX)) {
            match self.looked_at_again(card).await? {
                Some(found) => hits.hits.push((found, score)),
                None => hits.total -= 1,
            }
        }
        Ok(hits)
    }

    /// What is found of the package by now. `None`: nothing of it is listed any more.
    async fn looked_at_again(self: &Arc<Self>, card: Card) -> Result<Option<Arc<Found>>, CatalogError> {
        let package = &card.found.package;
        let now = self.clock.now();
        let stands = !self.has_twin_at_home(package)
            && card.revision == self.state.revision(package).await?
            && card.outside_changes == self.quarantine.outside_changes(package)
            && card.valid_until.is_none_or(|until| now < until);
        if stands {
            return Ok(Some(card.found));
        }
        let state = self.state.package(package).await?;
        let shelf = match &state.local {
            // What is at home here is composed here: no upstream hears of it.
            Some(_) => match self.shelf(package).await {
                Ok(shelf) => Some(shelf),
                Err(CatalogError::UnknownPackage(_)) => None,
                Err(error) => return Err(error),
            },
            None => self.known(package, &state).await?,
        };
        let Some(shelf) = shelf else {
            self.cards.remove(package);
            return Ok(None);
        };
        let view = self.view(&shelf).await?;
        self.card(&state, &view.exposed, &view.standings, view.outside_changes());
        Ok(self.cards.get(package).map(|card| card.found))
    }

    /// Writes the card of a package that was judged, or takes it away where nothing is listed.
    pub(super) fn card(&self, state: &PackageState, exposed: &Exposed, standings: &Standings, outside_changes: u64) {
        let package = exposed.package();
        let latest = exposed.pointer("latest").and_then(|version| exposed.release(version));
        let Some(release) = latest.or_else(|| exposed.releases().iter().max_by_key(|release| release.published_at)) else {
            self.cards.remove(package);
            return;
        };
        let before = self.cards.get(package).filter(|card| card.stamp == *exposed.stamp());
        let found = match (before, self.ecosystem(package)) {
            (Some(card), _) => card.found,
            (None, Err(_)) => return,
            (None, Ok(ecosystem)) => Arc::new(Found {
                package: package.clone(),
                version: release.version.clone(),
                published_at: release.published_at,
                description: within_bounds(ecosystem.describe(exposed.frame(), &release.manifest)),
            }),
        };
        let (stamp, revision, valid_until) = (*exposed.stamp(), standings.revision, standings.valid_until);
        self.cards.put(Card { found, stamp, revision, outside_changes, valid_until }, state.local.is_some());
    }
}

fn within_bounds(all: Description) -> Description {
    let short = |text: String, bytes_max: usize| {
        let end = (0..=bytes_max.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
        text.get(..end).unwrap_or_default().to_owned()
    };
    let names = |names: Vec<String>| names.into_iter().take(NAMES_MAX).map(|name| short(name, NAME_BYTES_MAX)).collect();
    Description {
        description: all.description.map(|text| short(text, DESCRIPTION_BYTES_MAX)),
        keywords: names(all.keywords),
        maintainers: names(all.maintainers),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(name: &str, keywords: &[&str], description: &str) -> Found {
        Found {
            package: PackageId::npm(name).unwrap(),
            version: Version::parse("1.0.0").unwrap(),
            published_at: Timestamp::from_millis(0),
            description: Description {
                description: Some(description.to_owned()),
                keywords: keywords.iter().map(|word| (*word).to_owned()).collect(),
                maintainers: vec!["Ann".to_owned()],
            },
        }
    }

    #[test]
    fn what_fits_better_scores_higher() {
        let web = found("@acme/web", &["UI", "css"], "Widgets of our own");
        let score = |text: &str| Terms::parse(text).score(&web);
        let falling = ["@acme/web", "web", "we", "eb", "ui", "ann", "cs", "widgets"].map(|text| score(text).unwrap());
        assert!(falling.windows(2).all(|two| two[0] >= two[1]) && falling[0] > falling[7], "{falling:?}");
        for fits in
            ["WEB widgets", "keywords:css,less", "keywords:less+css web", "maintainer:ann", "scope:@acme", "is:unstable", "web not:x"]
        {
            assert!(score(fits).is_some(), "{fits}");
        }
        for not in ["web gadgets", "keywords:less", "maintainer:otto", "scope:other", "acme-web"] {
            assert_eq!(score(not), None, "{not}");
        }
    }

    #[test]
    fn a_card_is_small_whatever_a_package_says() {
        let long = "\u{e9}".repeat(10_000);
        let all = Description { description: Some(long.clone()), keywords: vec![long.clone(); 1_000], maintainers: vec![long; 1_000] };
        let bounded = within_bounds(all);
        assert_eq!(bounded.description.unwrap().len(), DESCRIPTION_BYTES_MAX);
        assert!(bounded.keywords.len() == NAMES_MAX && bounded.keywords[0].len() == NAME_BYTES_MAX);
    }
}
