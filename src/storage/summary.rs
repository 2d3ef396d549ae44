//! The part of the fold that is kept in memory whole: every package's revision, tokens, users, jobs, the policy's digest,
//! the signing keys, which packages are at home here or were let in by people, and who starred what.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::collections::HashMap;
use std::collections::HashSet;

use serde::Deserialize;
use serde::Serialize;

use crate::model::actor::is_one_name;
use crate::model::decision::Verb;
use crate::model::digest::DocumentDigest;
use crate::model::job::Work;
use crate::model::local::NameOwner;
use crate::model::package::PackageId;
use crate::model::time::Timestamp;
use crate::model::token::Token;
use crate::model::token::TokenKind;
use crate::model::user::User;
use crate::model::user::UserChange;
use crate::storage::hands;
use crate::storage::jobs::Jobs;
use crate::storage::projection;
use crate::storage::record::Amendment;
use crate::storage::record::Command;
use crate::storage::record::FeedHeard;
use crate::storage::record::Record;
use crate::storage::record::SealKey;
use crate::storage::record::Sequence;
use crate::storage::revisions::Revisions;
use crate::storage::state::Condition;
use crate::storage::users::Users;
use crate::storage::waivers::Waivers;

#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Summary {
    /// The last record that was folded.
    pub sequence: Sequence,
    pub revisions: Revisions,
    pub tokens: Tokens,
    pub jobs: Jobs,
    pub policy: Option<DocumentDigest>,
    /// The policy that judged before, while what the present one changed is not recorded.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub policy_before: Option<DocumentDigest>,
    #[serde(skip_serializing_if = "Users::is_empty", default)]
    pub users: Users,
    /// Oldest first.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub keys: Vec<SealKey>,
    /// The packages that are at home here.
    #[serde(skip_serializing_if = "BTreeSet::is_empty", default)]
    pub locals: BTreeSet<PackageId>,
    /// Those of which people ever approved a release.
    #[serde(skip_serializing_if = "BTreeSet::is_empty", default)]
    pub let_in: BTreeSet<PackageId>,
    /// By user; upstream's packages too. Never an empty set.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    pub stars_of: BTreeMap<String, BTreeSet<PackageId>>,
    #[serde(skip_serializing_if = "Waivers::is_empty", default)]
    pub waivers: Waivers,
    /// What was heard last of each feed of advisories.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    pub feeds: BTreeMap<String, FeedHeard>,
    /// Since when each edition of the inspection looks here.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    pub editions: BTreeMap<u16, Timestamp>,
}

impl Summary {
    pub fn revision(&self, package: &PackageId) -> Sequence {
        self.revisions.of(package).unwrap_or_default()
    }

    pub fn names_alike(&self, package: &PackageId) -> Vec<PackageId> {
        self.revisions.alike(package)
    }

    /// Of several that took over before what they changed was recorded, the first counts: nothing was compared with those between.
    fn takes_over(&mut self, policy: DocumentDigest) {
        let last = self.policy.replace(policy);
        self.policy_before = self.policy_before.or(last).filter(|before| *before != policy);
    }

    pub fn apply(&mut self, record: &Record) {
        for command in &record.commands {
            if let Some(package) = projection::package(command) {
                self.revisions.set(package, record.sequence);
            }
            match command {
                Command::Policy { digest, .. } => self.takes_over(*digest),
                Command::Rejudged { policy, .. } if self.policy == Some(*policy) => self.policy_before = None,
                Command::JobQueued { work, due_at } => self.jobs.queue(work, record.at, *due_at),
                Command::JobLeased { work, until } => self.jobs.lease(work, *until),
                Command::JobDone { work } => self.jobs.done(work),
                Command::JobFailed { work, error, retry_at } => self.jobs.failed(work, error, *retry_at),
                Command::Submitted { release, .. } => self.is_at_home(&release.package),
                Command::Decided { release, decision } => match decision.verb {
                    Verb::Approve if !self.let_in.contains(&release.package) => _ = self.let_in.insert(release.package.clone()),
                    Verb::Approve | Verb::Reject | Verb::Hold | Verb::Revoke | Verb::Reopen => {}
                },
                Command::Amended { package, changes, .. } => self.stars(package, changes),
                Command::Assigned { package, to: NameOwner::Local } => self.is_at_home(package),
                Command::Assigned { package, to: NameOwner::Upstream } => _ = self.locals.remove(package),
                Command::TokenCreated { token } => {
                    let token = hands::with_hands(token, &record.actor, record.at, &self.tokens, &self.users);
                    self.tokens.add(token);
                }
                Command::TokenRevoked { id } => self.tokens.revoke(id, record.at),
                Command::UserMade { user } => {
                    let is_told = user.behind.is_some() || user.password.is_none();
                    let behind = if is_told { user.behind.clone() } else { self.behind_password(&user.name, record) };
                    self.users.add(User { behind: Some(behind.unwrap_or_default()), ..user.clone() });
                }
                Command::UserChanged { name, change } => {
                    self.users.change(name, change, record.at);
                    // Where the record says it, that comes next.
                    if let UserChange::Password(_) = change
                        && let Some(people) = self.behind_password(name, record)
                    {
                        self.users.change(name, &UserChange::Behind(people), record.at);
                    }
                }
                Command::KeyMade { key } => self.keys.push(key.clone()),
                Command::Waived { waiver } => self.waivers.add(waiver),
                Command::WaiverEnded { id, by, .. } => self.waivers.end(id, by, record.at),
                Command::EditionBegun { edition } => _ = self.editions.entry(*edition).or_insert(record.at),
                Command::FeedHeard { feed, heard } => _ = self.feeds.insert(feed.clone(), heard.clone()),
                Command::Sight(_)
                | Command::Inspected { .. }
                | Command::Requested { .. }
                | Command::Acknowledged { .. }
                | Command::Rejudged { .. } => {}
            }
        }
        self.sequence = record.sequence;
    }

    fn behind_password(&self, name: &str, record: &Record) -> Option<Vec<String>> {
        hands::behind_password(name, &record.actor, record.at, &self.tokens, &self.users)
    }

    fn is_at_home(&mut self, package: &PackageId) {
        if !self.locals.contains(package) {
            self.locals.insert(package.clone());
        }
    }

    fn stars(&mut self, package: &PackageId, changes: &[Amendment]) {
        for change in changes {
            match change {
                Amendment::Starred { by, on: true } => _ = self.stars_of.entry(by.clone()).or_default().insert(package.clone()),
                Amendment::Starred { by, on: false } => {
                    if let Some(starred) = self.stars_of.get_mut(by) {
                        starred.remove(package);
                        if starred.is_empty() {
                            self.stars_of.remove(by);
                        }
                    }
                }
                Amendment::Tagged { .. }
                | Amendment::Untagged { .. }
                | Amendment::Deprecated { .. }
                | Amendment::Withdrawn { .. }
                | Amendment::Owners { .. }
                | Amendment::Restricted { .. } => {}
            }
        }
    }
}

/// All tokens that an admin made, and of the others those that have not ended, oldest first.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Tokens(Vec<Token>);

impl Tokens {
    /// A second token of the same id is ignored: an id is what revokes.
    pub fn add(&mut self, token: Token) {
        if !self.0.iter().any(|other| other.id == token.id) {
            self.0.retain(|other| !other.makes_room_for(&token));
            self.0.push(token);
        }
    }

    pub fn revoke(&mut self, id: &str, at: Timestamp) {
        if let Some(token) = self.0.iter_mut().find(|token| token.id == id) {
            token.revoked_at.get_or_insert(at);
        }
    }

    pub fn all(&self) -> &[Token] {
        &self.0
    }

    /// In whatever case: whoever holds such a token is that person already.
    fn is_somebody(&self, name: &str, at: Timestamp) -> bool {
        self.named(at).any(|token| is_one_name(&token.name, name))
    }

    /// Those whose name is a person and that count. A user's own tokens take no name: they have the user's.
    fn named(&self, at: Timestamp) -> impl Iterator<Item = &Token> {
        self.0.iter().filter(move |token| token.kind == TokenKind::Named && token.counts_at(at))
    }
}

/// A summary with records on top that are not durable yet: what the conditions of the next batch are held against.
pub struct Staged<'s> {
    summary: &'s Summary,
    revisions: HashMap<PackageId, Sequence>,
    /// Only once a staged record changed them.
    tokens: Option<Tokens>,
    users: Option<Users>,
    touched: HashSet<Work>,
}

impl<'s> Staged<'s> {
    pub fn on(summary: &'s Summary) -> Staged<'s> {
        Staged { summary, revisions: HashMap::new(), tokens: None, users: None, touched: HashSet::new() }
    }

    /// The first condition that does not hold at `at`.
    pub fn refused(&self, conditions: &[Condition], at: Timestamp) -> Option<Condition> {
        let tokens = self.tokens.as_ref().unwrap_or(&self.summary.tokens);
        let users = self.users.as_ref().unwrap_or(&self.summary.users);
        let holds = |condition: &&Condition| match condition {
            Condition::Revision { package, is } => {
                *is == self.revisions.get(package).copied().unwrap_or_else(|| self.summary.revision(package))
            }
            Condition::TokenNameFree { name } => !tokens.is_somebody(name, at),
            Condition::NoTokens => tokens.0.is_empty(),
            Condition::UserNameFree { name } => !User::is_reserved(name) && !users.has(name) && !tokens.is_somebody(name, at),
        };
        conditions.iter().find(|condition| !holds(condition)).cloned()
    }

    pub fn push(&mut self, record: &Record) {
        for command in &record.commands {
            if let Some(package) = projection::package(command) {
                self.revisions.insert(package.clone(), record.sequence);
            }
            match command {
                Command::TokenCreated { token } => self.tokens().add(token.clone()),
                Command::TokenRevoked { id } => self.tokens().revoke(id, record.at),
                Command::JobQueued { work, .. }
                | Command::JobLeased { work, .. }
                | Command::JobDone { work }
                | Command::JobFailed { work, .. } => {
                    self.touched.insert(work.clone());
                }
                Command::UserMade { user } => self.users().add(user.clone()),
                Command::UserChanged { name, change } => self.users().change(name, change, record.at),
                Command::Sight(_)
                | Command::Inspected { .. }
                | Command::Decided { .. }
                | Command::Policy { .. }
                | Command::Submitted { .. }
                | Command::Amended { .. }
                | Command::Assigned { .. }
                | Command::KeyMade { .. }
                | Command::Waived { .. }
                | Command::WaiverEnded { .. }
                | Command::Requested { .. }
                | Command::Acknowledged { .. }
                | Command::Rejudged { .. }
                | Command::EditionBegun { .. }
                | Command::FeedHeard { .. } => {}
            }
        }
    }

    fn tokens(&mut self) -> &mut Tokens {
        self.tokens.get_or_insert_with(|| self.summary.tokens.clone())
    }

    fn users(&mut self) -> &mut Users {
        self.users.get_or_insert_with(|| self.summary.users.clone())
    }

    /// Works that may be leased at `now`, at most `limit`. What a staged record touches waits for the next asking.
    pub fn leasable(&self, now: Timestamp, limit: usize) -> Vec<Work> {
        let free = self.summary.jobs.available(now).filter(|job| !self.touched.contains(&job.work));
        free.take(limit).map(|job| job.work.clone()).collect()
    }
}
