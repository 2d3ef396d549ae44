//! What was pulled lately, summed up by day: what a policy is tried on.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::io::BufRead;
use std::io::BufReader;
use std::sync::Arc;

use crate::model::pull::Puller;
use crate::model::release::ReleaseId;
use crate::model::time::Timestamp;
use crate::storage::pulls::DAY_MILLIS;
use crate::storage::pulls::Line;
use crate::storage::pulls::Pulls;
use crate::storage::pulls::days;

/// Sums that are kept in memory, some 300 bytes each.
pub const SUMS_MAX: usize = 200_000;

/// Pulls of one release by one caller on one day.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DayPulls {
    pub release: ReleaseId,
    pub puller: Puller,
    pub first_at: Timestamp,
    pub last_at: Timestamp,
    pub count: u64,
}

/// What is known of the pulls since some instant.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Since {
    /// In order of releases and days.
    pub pulls: Vec<DayPulls>,
    /// Pulls that are in no sum, because there are more sums than are kept; the newest days are summed up first.
    pub left_out: u64,
}

impl Pulls {
    /// Pulls at or after `from`, by days that are whole: the first day counts from its beginning.
    pub async fn since(self: &Arc<Self>, from: Timestamp) -> io::Result<Since> {
        let this = Arc::clone(self);
        let read = move || {
            this.flush();
            this.read_since(from, SUMS_MAX)
        };
        tokio::task::spawn_blocking(read).await.map_err(io::Error::other)?
    }

    fn read_since(&self, from: Timestamp, sums_max: usize) -> io::Result<Since> {
        let first_day = day_name(from);
        let mut sums: HashMap<(ReleaseId, i64, Puller), (Timestamp, Timestamp, u64)> = HashMap::new();
        let mut left_out = 0;
        let is_of_it = |stem: &str| stem >= first_day.as_str();
        for file in
            days(&self.folder)?.into_iter().rev().filter(|file| file.file_stem().and_then(|stem| stem.to_str()).is_some_and(is_of_it))
        {
            for line in BufReader::new(File::open(file)?).split(b'\n') {
                // A line that a crash cut or a disk garbled is skipped; the rest counts.
                let Ok(Line { release, puller, first_at, last_at, count }) = serde_json::from_slice::<Line>(&line?) else { continue };
                let key = (release, first_at.millis().div_euclid(DAY_MILLIS), puller);
                if sums.len() >= sums_max && !sums.contains_key(&key) {
                    left_out += count;
                    continue;
                }
                let sum = sums.entry(key).or_insert((first_at, last_at, 0));
                sum.0 = sum.0.min(first_at);
                sum.1 = sum.1.max(last_at);
                sum.2 += count;
            }
        }
        let one = |((release, _, puller), (first_at, last_at, count))| DayPulls { release, puller, first_at, last_at, count };
        let mut pulls: Vec<DayPulls> = sums.into_iter().map(one).collect();
        pulls.sort_by(|left, right| (&left.release, left.first_at, &left.puller).cmp(&(&right.release, right.first_at, &right.puller)));
        Ok(Since { pulls, left_out })
    }
}

fn day_name(at: Timestamp) -> String {
    at.to_string().chars().take("2026-11-20".len()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::package::PackageId;
    use crate::model::package::Version;

    #[tokio::test]
    async fn sums_up_by_day_and_keeps_the_newest_where_there_are_too_many() {
        let folder = tempfile::tempdir().unwrap();
        let pulls = Pulls::open(folder.path()).unwrap();
        let release = |version: &str| ReleaseId { package: PackageId::npm("left-pad").unwrap(), version: Version::parse(version).unwrap() };
        let puller = |name: &str| Puller { by: Some(name.into()), address: "127.0.0.1".parse().unwrap(), user_agent: "npm/11".into() };
        let at = |text: &str| Timestamp::parse(text).unwrap();
        for when in ["2026-11-18T10:00:00Z", "2026-11-20T10:00:00Z", "2026-11-20T12:00:00Z", "2026-11-21T10:00:00Z"] {
            pulls.record(release("1.0.0"), puller("ci"), at(when));
        }
        pulls.record(release("2.0.0"), puller("dev"), at("2026-11-20T11:00:00Z"));
        let found = pulls.since(at("2026-11-20T23:00:00Z")).await.unwrap();
        let shown: Vec<_> = found.pulls.iter().map(|one| (one.release.version.as_str(), one.count, one.first_at)).collect();
        let expected =
            [("1.0.0", 2, at("2026-11-20T10:00:00Z")), ("1.0.0", 1, at("2026-11-21T10:00:00Z")), ("2.0.0", 1, at("2026-11-20T11:00:00Z"))];
        assert_eq!((shown.as_slice(), found.left_out), (expected.as_slice(), 0));
        let few = pulls.read_since(at("2026-11-01T00:00:00Z"), 1).unwrap();
        assert_eq!((few.pulls.len(), few.pulls[0].first_at, few.left_out), (1, at("2026-11-21T10:00:00Z"), 4));
    }
}
