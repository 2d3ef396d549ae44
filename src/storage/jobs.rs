//! The table of jobs that are not done: part of the fold, kept in memory whole.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::collections::HashMap;

use serde::Deserialize;
use serde::Serialize;

use crate::model::job::Job;
use crate::model::job::Work;
use crate::model::time::Timestamp;

/// Jobs by the order in which they were queued.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(from = "Vec<Job>", into = "Vec<Job>")]
pub struct Jobs {
    jobs: BTreeMap<u64, Job>,
    ordinals: HashMap<Work, u64>,
    /// Those not parked, by the time at which they may be leased.
    ready: BTreeSet<(Timestamp, u64)>,
    next: u64,
}

impl Jobs {
    /// Does nothing when the same work is there; a parked one begins again with all its attempts.
    pub fn queue(&mut self, work: &Work, at: Timestamp, due_at: Timestamp) {
        let fresh = Job { work: work.clone(), queued_at: at, attempts: 0, due_at, leased_until: None, last_error: None, parked: false };
        if !self.ordinals.contains_key(work) {
            self.insert(fresh);
            return;
        }
        self.change(work, |job| {
            if job.parked {
                let last_error = job.last_error.take();
                *job = Job { last_error, ..fresh };
            }
        });
    }

    pub fn lease(&mut self, work: &Work, until: Timestamp) {
        self.change(work, |job| {
            job.attempts = job.attempts.saturating_add(1);
            job.leased_until = Some(until);
        });
    }

    pub fn done(&mut self, work: &Work) {
        if let Some(ordinal) = self.ordinals.remove(work)
            && let Some(job) = self.jobs.remove(&ordinal)
        {
            self.ready.remove(&(available_at(&job), ordinal));
        }
    }

    pub fn failed(&mut self, work: &Work, error: &str, retry_at: Option<Timestamp>) {
        self.change(work, |job| {
            job.last_error = Some(error.to_owned());
            job.leased_until = None;
            match retry_at {
                Some(retry_at) => job.due_at = retry_at,
                None => job.parked = true,
            }
        });
    }

    /// Jobs that may be leased at `now`, those waiting longest first.
    pub fn available(&self, now: Timestamp) -> impl Iterator<Item = &Job> {
        self.ready.range(..=(now, u64::MAX)).filter_map(|(_, ordinal)| self.jobs.get(ordinal))
    }

    pub fn get(&self, work: &Work) -> Option<&Job> {
        self.ordinals.get(work).and_then(|ordinal| self.jobs.get(ordinal))
    }

    /// Oldest first.
    pub fn iter(&self) -> impl Iterator<Item = &Job> {
        self.jobs.values()
    }

    fn insert(&mut self, job: Job) {
        let ordinal = self.next;
        self.next += 1;
        if !job.parked {
            self.ready.insert((available_at(&job), ordinal));
        }
        self.ordinals.insert(job.work.clone(), ordinal);
        self.jobs.insert(ordinal, job);
    }

    fn change(&mut self, work: &Work, change: impl FnOnce(&mut Job)) {
        if let Some(ordinal) = self.ordinals.get(work)
            && let Some(job) = self.jobs.get_mut(ordinal)
        {
            self.ready.remove(&(available_at(job), *ordinal));
            change(job);
            if !job.parked {
                self.ready.insert((available_at(job), *ordinal));
            }
        }
    }
}

/// Due, and no lease that still runs.
fn available_at(job: &Job) -> Timestamp {
    job.leased_until.map_or(job.due_at, |until| until.max(job.due_at))
}

impl PartialEq for Jobs {
    fn eq(&self, other: &Jobs) -> bool {
        self.jobs.values().eq(other.jobs.values())
    }
}

impl From<Vec<Job>> for Jobs {
    fn from(all: Vec<Job>) -> Jobs {
        let mut jobs = Jobs::default();
        for job in all {
            jobs.insert(job);
        }
        jobs
    }
}

impl From<Jobs> for Vec<Job> {
    fn from(jobs: Jobs) -> Vec<Job> {
        jobs.jobs.into_values().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::package::PackageId;
    use crate::model::package::Version;
    use crate::model::release::ReleaseId;

    fn work(version: &str) -> Work {
        let release = ReleaseId { package: PackageId::npm("a").unwrap(), version: Version::parse(version).unwrap() };
        Work::Inspect { release, file: "a.tgz".into() }
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(seconds * 1_000)
    }

    fn available(jobs: &Jobs, now: i64) -> Vec<Work> {
        jobs.available(at(now)).map(|job| job.work.clone()).collect()
    }

    #[test]
    fn a_lease_hides_a_job_until_it_ends() {
        let mut jobs = Jobs::default();
        jobs.queue(&work("1.0.0"), at(0), at(5));
        assert!(available(&jobs, 4).is_empty());
        assert_eq!(available(&jobs, 5), [work("1.0.0")]);
        jobs.lease(&work("1.0.0"), at(9));
        assert!(available(&jobs, 8).is_empty());
        assert_eq!(available(&jobs, 9), [work("1.0.0")]);
        assert_eq!(jobs.get(&work("1.0.0")).unwrap().attempts, 1);
        jobs.done(&work("1.0.0"));
        assert!(available(&jobs, 100).is_empty() && jobs.iter().next().is_none());
    }

    #[test]
    fn a_parked_job_waits_until_it_is_queued_again() {
        let mut jobs = Jobs::default();
        jobs.queue(&work("1.0.0"), at(0), at(0));
        jobs.lease(&work("1.0.0"), at(9));
        jobs.failed(&work("1.0.0"), "no", Some(at(3)));
        assert_eq!(available(&jobs, 3), [work("1.0.0")]);
        jobs.queue(&work("1.0.0"), at(4), at(7));
        assert_eq!(jobs.get(&work("1.0.0")).unwrap().due_at, at(3), "the same work is there already");
        jobs.failed(&work("1.0.0"), "never", None);
        assert!(available(&jobs, 100).is_empty());
        jobs.queue(&work("1.0.0"), at(4), at(7));
        let job = jobs.get(&work("1.0.0")).unwrap();
        assert_eq!((job.attempts, job.parked, job.last_error.as_deref()), (0, false, Some("never")));
        assert_eq!(available(&jobs, 7), [work("1.0.0")]);
    }

    #[test]
    fn reads_what_it_writes() {
        let mut jobs = Jobs::default();
        for version in ["3.0.0", "1.0.0", "2.0.0"] {
            jobs.queue(&work(version), at(0), at(0));
        }
        jobs.failed(&work("1.0.0"), "never", None);
        let read: Jobs = serde_json::from_str(&serde_json::to_string(&jobs).unwrap()).unwrap();
        assert_eq!(read, jobs);
        assert_eq!(available(&read, 0), available(&jobs, 0));
    }
}
