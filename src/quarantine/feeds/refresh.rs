//! Refreshing: the feed that is configured is asked what is new since it was heard last, or for all of it. A failure takes nothing away:
//! what is known stays, and gets older.

use std::collections::HashMap;
use std::collections::HashSet;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::join_all;
use tokio::sync::mpsc;

use crate::model::actor::Actor;
use crate::model::finding::printable;
use crate::model::time::Timestamp;
use crate::quarantine::Quarantine;
use crate::quarantine::context::FeedAge;
use crate::quarantine::feeds::hear;
use crate::quarantine::feeds::hear::Extent;
use crate::quarantine::feeds::hear::HearError;
use crate::quarantine::feeds::hear::Heard;
use crate::quarantine::feeds::hear::Hearing;
use crate::quarantine::feeds::hear::Source;
use crate::quarantine::feeds::osv;
use crate::quarantine::workflow::lock;
use crate::storage::advisories::Feed;
use crate::storage::advisories::bundle;
use crate::upstream::FeedHost;
use crate::upstream::UpstreamError;

/// All records of npm packages.
const ALL: &str = "all.zip";
/// When each record was modified, the newest first: `2026-08-04T23:56:06Z,MAL-2026-11524`.
const LIST: &str = "modified_id.csv";
/// Of the list, a line of some 45 bytes for each record.
const LIST_BYTES_MAX: u64 = 256 * 1_024 * 1_024;
const LINE_BYTES_MAX: usize = 256;
/// Records asked for one by one; where more are new, all are asked for.
const NEW_MAX: usize = 2_000;
/// Of these together.
const NEW_BYTES_MAX: usize = 64 * 1_024 * 1_024;
/// Asked for at the same time.
const AT_ONCE: usize = 8;
/// So often what is new is asked for where something else is known by the time it is there; then all is.
const ASKED_MAX: usize = 2;
/// The list may lag behind the records, and clocks differ: so far before what was heard last is asked again.
const OVERLAP: Duration = Duration::from_secs(2 * 3_600);
const ERROR_BYTES_MAX: usize = 300;
/// Where it failed it is asked again sooner.
const AGAIN_AFTER: Duration = Duration::from_secs(300);

/// What the last round fetched, so that the overlap is not fetched again: when each record was modified.
#[derive(Debug, Default)]
pub struct Round(HashMap<String, Timestamp>);

impl Round {
    pub(super) fn forget(&mut self) {
        self.0.clear();
    }
}

/// What came of asking for what is new.
enum ByNews {
    Heard(Box<Heard>),
    /// What it is new beside was replaced meanwhile.
    Overtaken,
    /// It takes all there is.
    AllIsNeeded,
}

/// What is new.
enum News {
    Some(Vec<(String, Timestamp)>),
    /// More than is asked for one by one.
    Much,
}

impl Quarantine {
    /// Asks the feed once. What is known afterwards counts from when this began, unless the feed was quiet for too long.
    pub async fn refresh_feed(&self) -> Result<Heard, HearError> {
        let refreshed = Box::pin(self.refreshed()).await;
        let told = match &refreshed {
            Ok(heard) if heard.unreadable > 0 => Some(format!("{} of its records could not be read", heard.unreadable)),
            Ok(_) => None,
            Err(error) => Some(printable(&error.to_string(), ERROR_BYTES_MAX)),
        };
        if let Some(error) = &told {
            self.feeds.failures.fetch_add(1, Ordering::Relaxed);
            let as_of = self.feeds.age().map(|age| age.as_of.to_string());
            tracing::error!(%error, as_of, "the feed of advisories could not be heard as it should; what is known stays, and gets older");
        }
        lock(&self.feeds.known).last_error = told;
        refreshed
    }

    /// How long to wait before the feed is asked again; `None` where none is configured. `chance`: any number, so that many Airlocks do
    /// not ask at the same time.
    pub fn feed_again_in(&self, failed: bool, chance: u8) -> Option<Duration> {
        self.feeds.host.as_ref()?;
        let every = self.feeds.config.refresh_every;
        let wait = if failed { every.min(AGAIN_AFTER) } else { every };
        // Nine tenths to eleven tenths of it.
        Some(wait * 9 / 10 + wait * u32::from(chance) / (5 * 256))
    }

    async fn refreshed(&self) -> Result<Heard, HearError> {
        let Some(host) = &self.feeds.host else { return Err(HearError::NotConfigured) };
        let _alone = self.feeds.asking.lock().await;
        for _ in 0..ASKED_MAX {
            match self.refreshed_by_news(host).await? {
                ByNews::Heard(heard) => return Ok(*heard),
                ByNews::Overtaken => {}
                ByNews::AllIsNeeded => return self.refreshed_whole(host).await,
            }
        }
        self.refreshed_whole(host).await
    }

    async fn refreshed_by_news(&self, host: &FeedHost) -> Result<ByNews, HearError> {
        let began_at = self.clock.now();
        let (known, fetched) = {
            let round = self.feeds.hearing.lock().await;
            (self.feeds.advisories.table(Feed::Osv), round.0.clone())
        };
        let heard_as_of = lock(&self.feeds.known).heard.get(Feed::Osv.as_str()).map(|heard| heard.as_of);
        let Some(since) = heard_as_of.filter(|as_of| known.is_some() && *as_of > FeedAge::NEVER) else {
            return Ok(ByNews::AllIsNeeded);
        };
        let (News::Some(new), newest) = news(host, since.minus(OVERLAP)).await? else { return Ok(ByNews::AllIsNeeded) };
        let wanted: Vec<(String, Timestamp)> = new.iter().filter(|(id, at)| fetched.get(id) != Some(at)).cloned().collect();
        let Some(records) = records(host, &wanted).await? else { return Ok(ByNews::AllIsNeeded) };
        let mut round = self.feeds.hearing.lock().await;
        let is_as_it_was = match (&known, self.feeds.advisories.table(Feed::Osv)) {
            (Some(known), Some(now)) => Arc::ptr_eq(known, &now),
            (Some(_), None) | (None, Some(_)) | (None, None) => false,
        };
        if !is_as_it_was {
            // Somebody brought another whole meanwhile, and what is new beside that is something else.
            return Ok(ByNews::Overtaken);
        }
        // Joined with what is known they are all there is. A list that says nothing new for long may be one that nobody renews any more.
        let quiet_max = self.feeds.config.quiet_max;
        let as_of = newest.map_or(began_at, |newest| began_at.min(newest.plus(quiet_max)));
        if as_of < began_at {
            let newest = newest.map(|newest| newest.to_string());
            tracing::warn!(newest, %as_of, "the feed says nothing new for long; what is known counts as of quiet_max after the newest thing that it says");
        }
        let extent = Extent::Rest(as_of);
        let hearing = Hearing { feed: Feed::Osv, source: Source::Records(records), extent, actor: Actor::Airlock };
        let heard = self.hear_alone(hearing, &mut round).await?;
        // Those that cannot be read are asked for again until they can be, or the feed drops them; where more than are told cannot be,
        // all are.
        let faulty: HashSet<&str> = heard.faults.iter().filter_map(|fault| hear::id_of(&fault.record)).collect();
        if heard.unreadable == faulty.len() as u64 {
            round.0 = new.into_iter().filter(|(id, _)| !faulty.contains(id.as_str())).collect();
        }
        Ok(ByNews::Heard(Box::new(heard)))
    }

    async fn refreshed_whole(&self, host: &FeedHost) -> Result<Heard, HearError> {
        let began_at = self.clock.now();
        let mut incoming = self.feeds.advisories.incoming();
        if let Some(pieces) = incoming.pieces() {
            let asked = host.pieces(ALL, bundle::BYTES_MAX, &pieces).await;
            drop(pieces);
            let written = incoming.finish().await;
            asked?;
            written.map_err(HearError::Incoming)?;
        }
        let source = Source::Bundle(incoming.path().to_owned());
        self.hear(Hearing { feed: Feed::Osv, source, extent: Extent::Whole(Some(began_at)), actor: Actor::Airlock }).await
    }
}

/// What was modified since then, by the feed's list, and when the newest thing that it names was.
async fn news(host: &FeedHost, since: Timestamp) -> Result<(News, Option<Timestamp>), HearError> {
    let (pieces, mut waiting) = mpsc::channel::<Bytes>(4);
    let asked = async {
        let pieces = pieces;
        host.pieces(LIST, LIST_BYTES_MAX, &pieces).await
    };
    let read = async move {
        let mut list = List { since, new: Vec::new(), newest: None, last: None, rest: Vec::new() };
        while let Some(piece) = waiting.recv().await {
            match list.take(&piece) {
                Ok(ControlFlow::Continue(())) => {}
                Ok(ControlFlow::Break(news)) => return Ok((news, list.newest)),
                Err(why) => return Err(HearError::List(why)),
            }
        }
        let news = list.end().map_err(HearError::List)?;
        Ok((news, list.newest))
    };
    // The reader goes, with its end of the pieces, as soon as it has heard enough.
    let (asked, news) = tokio::join!(asked, read);
    let news = news?;
    asked?;
    Ok(news)
}

/// The list, as far as it was read.
struct List {
    since: Timestamp,
    new: Vec<(String, Timestamp)>,
    /// Of the first line.
    newest: Option<Timestamp>,
    /// When the record before was modified: the newest come first.
    last: Option<Timestamp>,
    /// The beginning of a line.
    rest: Vec<u8>,
}

impl List {
    fn take(&mut self, piece: &[u8]) -> Result<ControlFlow<News>, String> {
        let mut lines = piece.split(|byte| *byte == b'\n');
        let first = lines.next().unwrap_or_default();
        self.rest.extend_from_slice(first);
        for line in lines {
            let whole = std::mem::replace(&mut self.rest, line.to_vec());
            if let ControlFlow::Break(news) = self.line(&whole)? {
                return Ok(ControlFlow::Break(news));
            }
        }
        if self.rest.len() > LINE_BYTES_MAX {
            return Err(format!("a line is longer than {LINE_BYTES_MAX} bytes"));
        }
        Ok(ControlFlow::Continue(()))
    }

    fn line(&mut self, line: &[u8]) -> Result<ControlFlow<News>, String> {
        let text = std::str::from_utf8(line).unwrap_or("\u{fffd}").trim();
        if text.is_empty() {
            return Ok(ControlFlow::Continue(()));
        }
        let wrong = || format!("this is no time and id: {}", printable(text, LINE_BYTES_MAX));
        let (at, id) = text.split_once(',').ok_or_else(wrong)?;
        let at = Timestamp::parse(at).map_err(|_| wrong())?;
        // A list of all ecosystems names the folder too.
        let (folder, id) = id.split_once('/').unwrap_or(("npm", id));
        if !osv::is_id(folder) || !osv::is_id(id) {
            return Err(wrong());
        }
        self.newest.get_or_insert(at);
        if self.last.replace(at).is_some_and(|last| last < at) {
            return Ok(ControlFlow::Break(News::Much));
        }
        if at < self.since {
            return Ok(ControlFlow::Break(News::Some(std::mem::take(&mut self.new))));
        }
        if self.new.len() >= NEW_MAX {
            return Ok(ControlFlow::Break(News::Much));
        }
        self.new.push((id.to_owned(), at));
        Ok(ControlFlow::Continue(()))
    }

    fn end(&mut self) -> Result<News, String> {
        let last = std::mem::take(&mut self.rest);
        Ok(match self.line(&last)? {
            ControlFlow::Break(news) => news,
            // It ended before what is known: it was cut, or is no list. All there is says.
            ControlFlow::Continue(()) => News::Much,
        })
    }
}

/// These records, or `None` where they are too large to be held together, or where one is not to be had although the list names it:
/// then all there is says whether it is gone.
async fn records(host: &FeedHost, wanted: &[(String, Timestamp)]) -> Result<Option<Vec<(String, Bytes)>>, HearError> {
    let (mut records, mut bytes) = (Vec::with_capacity(wanted.len()), 0);
    for some in wanted.chunks(AT_ONCE) {
        for record in join_all(some.iter().map(|(id, _)| record(host, id))).await {
            let record = match record {
                Err(HearError::Upstream(UpstreamError::Missing | UpstreamError::TooLarge { .. })) => return Ok(None),
                record => record?,
            };
            bytes += record.1.len();
            if bytes > NEW_BYTES_MAX {
                return Ok(None);
            }
            records.push(record);
        }
    }
    Ok(Some(records))
}

async fn record(host: &FeedHost, id: &str) -> Result<(String, Bytes), HearError> {
    let name = format!("{id}.json");
    let bytes = host.document(&name, osv::RECORD_BYTES_MAX as u64).await?;
    Ok((name, bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pieces: &[&str], since: &str) -> Result<Option<Vec<String>>, String> {
        let mut list = List { since: Timestamp::parse(since).unwrap(), new: Vec::new(), newest: None, last: None, rest: Vec::new() };
        let ids = |news| match news {
            News::Some(new) => Some(new.into_iter().map(|(id, _)| id).collect()),
            News::Much => None,
        };
        for piece in pieces {
            if let ControlFlow::Break(news) = list.take(piece.as_bytes())? {
                return Ok(ids(news));
            }
        }
        list.end().map(ids)
    }

    const LINES: &str = "2099-01-03T00:00:00Z,MAL-3\n2099-01-02T00:00:00.123456789Z,npm/GHSA-2\n2099-01-01T00:00:00Z,MAL-1\n";

    #[test]
    fn the_list_is_read_until_what_is_known() {
        let some = |ids: &[&str]| Ok(Some(ids.iter().map(|id| (*id).to_owned()).collect::<Vec<_>>()));
        assert_eq!(read(&[LINES], "2099-01-02T00:00:00Z"), some(&["MAL-3", "GHSA-2"]));
        let known = format!("{LINES}\n2097-12-31T00:00:00Z,MAL-0\n");
        assert_eq!(read(&[&known], "2098-01-01T00:00:00Z"), some(&["MAL-3", "GHSA-2", "MAL-1"]));
        assert_eq!(read(&[LINES], "2100-01-01T00:00:00Z"), some(&[]));
        assert_eq!(read(&[LINES, "garbage"], "2099-01-02T00:00:00Z"), some(&["MAL-3", "GHSA-2"]), "what is after it is not read");
        for at in 0..known.len() {
            let (left, right) = known.split_at(at);
            assert_eq!(read(&[left, right.trim_end()], "2098-01-01T00:00:00Z"), some(&["MAL-3", "GHSA-2", "MAL-1"]), "cut at {at}");
        }
    }

    #[test]
    fn a_list_that_ends_before_what_is_known_says_nothing() {
        for cut in ["", "\n", LINES] {
            assert_eq!(read(&[cut], "2098-01-01T00:00:00Z"), Ok(None), "{cut}");
        }
        let unsorted = "2099-01-01T00:00:00Z,MAL-1\n2099-01-03T00:00:00Z,MAL-3\n2097-01-01T00:00:00Z,MAL-0\n";
        assert_eq!(read(&[unsorted], "2098-01-01T00:00:00Z"), Ok(None));
    }

    #[test]
    fn a_list_that_cannot_be_read_is_none() {
        let since = "2098-01-01T00:00:00Z";
        for wrong in ["<html>", "2099-01-01T00:00:00Z", "yesterday,MAL-1", "2099-01-01T00:00:00Z,../etc", "2099-01-01T00:00:00Z,"] {
            assert!(read(&[wrong], since).is_err(), "{wrong}");
        }
        assert!(read(&[&"x".repeat(LINE_BYTES_MAX + 1)], since).is_err());
        let many = "2099-01-01T00:00:00Z,MAL-1\n".repeat(NEW_MAX + 1);
        assert_eq!(read(&[&many], since), Ok(None));
    }
}
