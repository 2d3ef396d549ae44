//! The one thread that writes: takes every batch that waits, holds each against its conditions, writes and syncs all that
//! pass at once, lets them take effect, answers all.

use std::collections::VecDeque;
use std::fs::File;
use std::io::Write;
use std::sync::Arc;
use std::sync::mpsc::SyncSender;
use std::time::Duration;
use std::time::Instant;

use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TryRecvError;
use tokio::sync::oneshot;

use crate::model::actor::Actor;
use crate::model::job::Job;
use crate::model::job::Work;
use crate::model::time::Timestamp;
use crate::storage::ledger::writer::AppendError;
use crate::storage::ledger::writer::Group;
use crate::storage::ledger::writer::Writer;
use crate::storage::local::Shared;
use crate::storage::record::Command;
use crate::storage::record::Record;
use crate::storage::record::Sequence;
use crate::storage::state::Batch;
use crate::storage::state::CommitError;
use crate::storage::summary::Staged;

/// Requests answered by one write and one sync.
const GROUP_REQUESTS_MAX: usize = 256;
/// How long a request waits for company, a fraction of what a sync takes; a lone committer never waits.
const GATHER_WAIT_MAX: Duration = Duration::from_micros(200);
/// A group takes no further request once it is this long.
const GROUP_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Jobs that one lease takes, whatever was asked.
const LEASE_MAX: usize = 1_000;
const PROBE_BYTES: usize = 64 * 1024;

pub(super) enum Request {
    Commit {
        batch: Batch,
        reply: oneshot::Sender<Result<Sequence, CommitError>>,
    },
    Lease {
        now: Timestamp,
        duration: Duration,
        limit: usize,
        reply: oneshot::Sender<Result<Vec<Job>, CommitError>>,
    },
    /// Asks whether there is room again.
    Probe {
        reply: oneshot::Sender<Result<(), String>>,
    },
    /// Answered when everything before it is; nothing is taken after it.
    Close {
        reply: oneshot::Sender<()>,
    },
}

/// A request that was looked at, and waits for its group to be durable.
enum Answer {
    Committed { sequence: Sequence, reply: oneshot::Sender<Result<Sequence, CommitError>> },
    Leased { works: Vec<Work>, reply: oneshot::Sender<Result<Vec<Job>, CommitError>> },
    Refused { error: CommitError, reply: oneshot::Sender<Result<Sequence, CommitError>> },
}

pub(super) struct Committer {
    shared: Arc<Shared>,
    writer: Writer,
    waiting: mpsc::Receiver<Request>,
    /// Tells the projection's thread that there is something to put away.
    changed: SyncSender<()>,
    closing: Vec<oneshot::Sender<()>>,
}

impl Committer {
    pub fn new(shared: Arc<Shared>, writer: Writer, waiting: mpsc::Receiver<Request>, changed: SyncSender<()>) -> Committer {
        Committer { shared, writer, waiting, changed, closing: Vec::new() }
    }

    /// Until `Close`, or until the store is dropped.
    pub fn run(mut self) {
        let mut before = 1;
        while let Some(first) = self.waiting.blocking_recv() {
            let mut group = VecDeque::from([first]);
            self.gather(&mut group, before);
            before = group.len();
            while !group.is_empty() {
                self.commit(&mut group);
            }
            if !self.closing.is_empty() {
                break;
            }
        }
        // Whoever waits in the queue now hears that the store is closed, or nothing, and takes that for it.
        self.waiting.close();
        while let Ok(request) = self.waiting.try_recv() {
            match request {
                Request::Commit { reply, .. } => drop(reply.send(Err(CommitError::Closed))),
                Request::Lease { reply, .. } => drop(reply.send(Err(CommitError::Closed))),
                Request::Probe { reply } => drop(reply.send(Err("the store is shutting down".to_owned()))),
                Request::Close { reply } => self.closing.push(reply),
            }
        }
        for reply in self.closing {
            let _ = reply.send(());
        }
    }

    /// Takes what waits. Callers that were answered together come back together, within moments of each other: without a
    /// short wait for as many as `before`, the first of them would sync alone while all others wait for the next sync.
    fn gather(&mut self, group: &mut VecDeque<Request>, before: usize) {
        let began = Instant::now();
        while group.len() < GROUP_REQUESTS_MAX {
            match self.waiting.try_recv() {
                Ok(next) => group.push_back(next),
                Err(TryRecvError::Disconnected) => return,
                Err(TryRecvError::Empty) if group.len() >= before || began.elapsed() >= GATHER_WAIT_MAX => return,
                Err(TryRecvError::Empty) => std::thread::yield_now(),
            }
        }
    }

    /// Takes from the front of `requests` what makes one group, and answers it.
    fn commit(&mut self, requests: &mut VecDeque<Request>) {
        let mut group = self.writer.group();
        let mut records = Vec::new();
        let mut answers = Vec::new();
        {
            let summary = self.shared.shelf.summary();
            let mut staged = Staged::on(&summary);
            while group.size() < GROUP_BYTES_MAX
                && let Some(request) = requests.pop_front()
            {
                match request {
                    Request::Commit { batch, reply } => {
                        answers.push(match staged.refused(&batch.conditions, batch.at) {
                            Some(condition) => Answer::Refused { error: CommitError::Conflict(condition), reply },
                            None => match stage(&mut group, &mut staged, &mut records, batch.at, batch.actor, batch.commands) {
                                Ok(sequence) => Answer::Committed { sequence, reply },
                                Err(error) => Answer::Refused { error, reply },
                            },
                        });
                    }
                    Request::Lease { now, duration, limit, reply } => {
                        let works = staged.leasable(now, limit.min(LEASE_MAX));
                        if works.is_empty() {
                            let _ = reply.send(Ok(Vec::new()));
                            continue;
                        }
                        let until = now.plus(duration);
                        let commands = works.iter().map(|work| Command::JobLeased { work: work.clone(), until }).collect();
                        match stage(&mut group, &mut staged, &mut records, now, Actor::Airlock, commands) {
                            Ok(_) => answers.push(Answer::Leased { works, reply }),
                            Err(error) => drop(reply.send(Err(error))),
                        }
                    }
                    Request::Probe { reply } => {
                        let _ = reply.send(self.probe());
                    }
                    Request::Close { reply } => self.closing.push(reply),
                }
            }
        }
        if group.is_empty() {
            // Refused for what is durable already: nothing has to be waited for.
            self.answer(answers, &Ok(()));
            return;
        }
        let outcome = self.write(group, &records);
        self.answer(answers, &outcome);
    }

    fn write(&mut self, group: Group, records: &[Record]) -> Result<(), CommitError> {
        match self.writer.append(group) {
            Ok(written) => self.shared.ledger.extend(written),
            Err(AppendError::Full) => {
                let path = self.shared.data_dir.path().display().to_string();
                let error = CommitError::DiskFull { path };
                if self.shared.refusing().is_none() {
                    tracing::error!(%error, "commits are refused until there is room");
                }
                self.shared.refuse(Some(error.to_string()));
                return Err(error);
            }
            Err(AppendError::Broken(why)) => {
                self.shared.refuse(Some(format!("the ledger cannot be written: {why}")));
                return Err(CommitError::Broken(why));
            }
        }
        if let Err(fault) = self.shared.shelf.apply(records) {
            // Durable, and yet not to be seen: going on would hold the next conditions against something else than the truth.
            let why = format!("a durable change could not take effect: {fault}");
            self.writer.stop(&why);
            self.shared.refuse(Some(why.clone()));
            return Err(CommitError::Broken(why));
        }
        if self.shared.refusing().is_some() {
            tracing::info!("commits are accepted again");
            self.shared.refuse(None);
        }
        let _ = self.changed.try_send(());
        Ok(())
    }

    fn answer(&self, answers: Vec<Answer>, outcome: &Result<(), CommitError>) {
        let failed = || match outcome {
            Ok(()) => None,
            Err(CommitError::DiskFull { path }) => Some(CommitError::DiskFull { path: path.clone() }),
            Err(CommitError::Broken(why)) => Some(CommitError::Broken(why.clone())),
            Err(error @ (CommitError::Conflict(_) | CommitError::TooLarge { .. } | CommitError::Closed)) => {
                Some(CommitError::Broken(error.to_string()))
            }
        };
        // A caller that has gone away does not want its answer.
        for answer in answers {
            match answer {
                Answer::Committed { sequence, reply } => drop(reply.send(failed().map_or(Ok(sequence), Err))),
                // Refused because of what its own group was about to do: if that failed, so did this.
                Answer::Refused { error, reply } => drop(reply.send(Err(failed().unwrap_or(error)))),
                Answer::Leased { works, reply } => {
                    let jobs = || {
                        let summary = self.shared.shelf.summary();
                        works.iter().filter_map(|work| summary.jobs.get(work).cloned()).collect()
                    };
                    let _ = reply.send(failed().map_or_else(|| Ok(jobs()), Err));
                }
            }
        }
    }

    /// Whether there is room for a small write; says so if commits were refused for want of it.
    fn probe(&self) -> Result<(), String> {
        if let Some(why) = self.writer.broken() {
            return Err(format!("the ledger cannot be written: {why}"));
        }
        let path = self.shared.data_dir.path().join("probe");
        let tried = File::create(&path).and_then(|mut file| {
            file.write_all(&[0; PROBE_BYTES])?;
            file.sync_data()
        });
        let _ = std::fs::remove_file(&path);
        match tried {
            Ok(()) => {
                self.shared.refuse(None);
                Ok(())
            }
            Err(fault) => Err(format!("{} cannot be written: {fault}", self.shared.data_dir.path().display())),
        }
    }
}

fn stage(
    group: &mut Group,
    staged: &mut Staged<'_>,
    records: &mut Vec<Record>,
    at: Timestamp,
    actor: Actor,
    commands: Vec<Command>,
) -> Result<Sequence, CommitError> {
    let record = Record { version: Record::VERSION, sequence: group.next(), at, actor, commands };
    match group.push(&record) {
        Ok(_) => {}
        Err(fault) => return Err(CommitError::TooLarge { why: fault.to_string() }),
    }
    staged.push(&record);
    let sequence = record.sequence;
    records.push(record);
    Ok(sequence)
}
