//! The ledger as people read it: every record with a line for each thing that it changed, and the proof that none is
//! missing, changed or moved.

use serde_json::Value;

use crate::model::actor::Actor;
use crate::model::decision::Decision;
use crate::model::decision::Verb;
use crate::model::digest::DocumentDigest;
use crate::model::finding::printable;
use crate::model::job::Work;
use crate::model::local::NameOwner;
use crate::model::package::PackageName;
use crate::model::release::ReleaseId;
use crate::model::time::Timestamp;
use crate::model::user::UserChange;
use crate::model::waiver::Waiver;
use crate::quarantine::Quarantine;
use crate::quarantine::checks::inspection::INTEGRITY_ONLY;
use crate::storage::record::Amendment;
use crate::storage::record::Command;
use crate::storage::record::Sequence;
use crate::storage::record::Sight;
use crate::storage::state::Entry;
use crate::storage::state::Proof;
use crate::storage::state::ReadError;

/// What a record repeats from outside, in bytes.
const TEXT_BYTES_MAX: usize = 300;

/// One record of the ledger, told.
#[derive(Clone, PartialEq, Debug)]
pub struct Passage {
    pub sequence: u64,
    pub at: Timestamp,
    pub by: Actor,
    /// A line for each command.
    pub what: Vec<String>,
    /// As the ledger keeps them, but for the hashes of secrets and passwords.
    pub commands: Vec<Value>,
    pub hash: DocumentDigest,
    pub previous: DocumentDigest,
}

/// What proving the whole ledger came to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Proved {
    Sound {
        records: u64,
        head: DocumentDigest,
    },
    /// Where the chain breaks, in words, and the last record that is sound.
    Broken {
        after: u64,
        place: String,
    },
}

impl Quarantine {
    /// The ledger after the record `after`, oldest first, at most `limit` records.
    pub async fn chronicle(&self, after: u64, limit: usize) -> Result<Vec<Passage>, ReadError> {
        Ok(self.audit(Sequence(after), limit).await?.iter().map(tell).collect())
    }

    /// Proves the ledger from its first byte to its last.
    pub async fn prove(&self) -> Result<Proved, ReadError> {
        Ok(match self.verify().await? {
            Proof::Sound { records, head } => Proved::Sound { records, head },
            Proof::Broken { after, place } => Proved::Broken { after: after.0, place },
        })
    }
}

fn tell(entry: &Entry) -> Passage {
    let record = &entry.record;
    let raw = |command: &Command| without_secrets(serde_json::to_value(command).unwrap_or_default());
    Passage {
        sequence: record.sequence.0,
        at: record.at,
        by: record.actor.clone(),
        what: record.commands.iter().map(words).collect(),
        commands: record.commands.iter().map(raw).collect(),
        hash: entry.hash,
        previous: entry.previous,
    }
}

/// The hash of a token's secret, which holds 256 random bits, tells nothing, that of a password may be guessed at: nobody
/// needs either.
fn without_secrets(mut command: Value) -> Value {
    for (holder, secret) in [("token", "secret_hash"), ("user", "password"), ("change", "password")] {
        if let Some(holder) = command.get_mut(holder).and_then(Value::as_object_mut) {
            holder.remove(secret);
        }
    }
    command
}

/// `approved left-pad@1.3.0: read the diff`.
fn words(command: &Command) -> String {
    match command {
        Command::Sight(sight) => seen(sight),
        Command::Inspected { release, file, inspection } => {
            let trusted = if inspection.edition == INTEGRITY_ONLY { "; trusted, so that nobody looked inside" } else { "" };
            format!("inspected {file} of {release}: {} bytes, {}{trusted}", inspection.size, inspection.digest)
        }
        Command::Decided { release, decision } => decided(&release.to_string(), decision),
        Command::Policy { digest, .. } => format!("policy {digest} judges from here on"),
        Command::TokenCreated { token } => {
            let until = token.expires_at.map_or_else(String::new, |at| format!(" until {}", at.for_people()));
            format!("made token {} for {} as {}{until}", token.id, token.name, token.role.as_str())
        }
        Command::TokenRevoked { id } => format!("revoked token {id}"),
        Command::JobQueued { work, .. } => format!("queued: {}", task(work)),
        Command::JobLeased { work, until } => format!("began: {}, until {}", task(work), until.for_people()),
        Command::JobDone { work } => format!("done: {}", task(work)),
        Command::JobFailed { work, error, retry_at } => {
            let next = retry_at.map_or_else(|| "given up, waits for people".to_owned(), |at| format!("again {}", at.for_people()));
            format!("failed: {}: {}; {next}", task(work), printable(error, TEXT_BYTES_MAX))
        }
        Command::Submitted { release, submission } => {
            let staged = if submission.staged { ", to wait for people" } else { "" };
            let access = if submission.asked_restricted { ", with access \"restricted\"" } else { "" };
            format!("submitted {release}: {} bytes, {}{staged}{access}", submission.size, submission.digest)
        }
        Command::Amended { package, changes, .. } => {
            let told: Vec<String> = changes.iter().map(|change| amended(&package.name, change)).collect();
            told.join("; ")
        }
        Command::Assigned { package, to: NameOwner::Local } => format!("the name {} belongs here", package.name),
        Command::Assigned { package, to: NameOwner::Upstream } => format!("the name {} belongs to the upstream registry", package.name),
        Command::UserMade { user } => format!("made user {} as {}", user.name, user.role.as_str()),
        Command::UserChanged { name, change } => match change {
            UserChange::Password(_) => format!("changed the password of {name}"),
            UserChange::Behind(people) if people.is_empty() => format!("nobody else knows the password of {name}"),
            UserChange::Behind(people) => format!("{} could sign in as {name} too", people.join(", ")),
            UserChange::Role(role) => format!("made {name} {}", role.as_str()),
            UserChange::Email(Some(_)) => format!("changed the e-mail address of {name}"),
            UserChange::Email(None) => format!("removed the e-mail address of {name}"),
            UserChange::Disabled(true) => format!("disabled user {name}"),
            UserChange::Disabled(false) => format!("enabled user {name}"),
        },
        Command::KeyMade { key } => format!("made signing key {}", key.id),
        Command::Waived { waiver } => waived(waiver),
        Command::WaiverEnded { id, by, reason } => format!("waiver {id} ended by {by}: {}", printable(reason, TEXT_BYTES_MAX)),
        Command::Requested { release, request } => {
            format!("{} asks for {release}: {}", request.by, printable(&request.reason, TEXT_BYTES_MAX))
        }
        Command::Acknowledged { release, acknowledgement } => {
            let note = printable(&acknowledgement.note, TEXT_BYTES_MAX);
            let note = if note.is_empty() { note } else { format!(": {note}") };
            let of = acknowledgement.of.as_deref().map_or_else(String::new, |of| format!(" for {}", printable(of, TEXT_BYTES_MAX)));
            format!("{} acknowledged the recall of {release}{of}{note}", acknowledgement.by)
        }
        Command::Rejudged { policy, rejudged } => {
            let named = |all: &[ReleaseId], total: u64| match all.first() {
                Some(first) if total > 1 => format!("{total} ({first} first)"),
                Some(first) => first.to_string(),
                None => "none".to_owned(),
            };
            let (opened, closed) = (named(&rejudged.opened, rejudged.opened_total), named(&rejudged.closed, rejudged.closed_total));
            format!("policy {policy} instead of {}, of the releases in use: opened {opened}, closed {closed}", rejudged.before)
        }
        Command::EditionBegun { edition } => format!("began to inspect by edition {edition}"),
        Command::FeedHeard { feed, heard } => {
            let unreadable = if heard.unreadable == 0 { String::new() } else { format!(", {} unreadable", heard.unreadable) };
            format!("heard the feed {feed} as of {}: {} advisories{unreadable}", heard.as_of.for_people(), heard.advisories)
        }
    }
}

fn waived(waiver: &Waiver) -> String {
    let findings: Vec<&str> = waiver.findings.iter().map(|kind| kind.as_str()).collect();
    let packages: Vec<String> = waiver.packages.iter().map(ToString::to_string).collect();
    let version = waiver.version.as_ref().map_or_else(String::new, |version| format!("@{version}"));
    format!(
        "waived {} of {}{version} until {} (waiver {}): {}",
        findings.join(", "),
        packages.join(", "),
        waiver.expires_at.for_people(),
        waiver.id,
        printable(&waiver.reason, TEXT_BYTES_MAX)
    )
}

fn amended(package: &PackageName, change: &Amendment) -> String {
    let text = |text: &str| printable(text, TEXT_BYTES_MAX);
    match change {
        Amendment::Tagged { tag, version } => format!("tagged {package}@{version} as {}", text(tag)),
        Amendment::Untagged { tag } => format!("removed the tag {} of {package}", text(tag)),
        Amendment::Deprecated { version, text: Some(why) } => format!("deprecated {package}@{version}: {}", text(why)),
        Amendment::Deprecated { version, text: None } => format!("deprecated {package}@{version} no more"),
        Amendment::Withdrawn { version } => format!("withdrew {package}@{version}"),
        Amendment::Owners { names } => {
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            format!("made {} owners of {package}", text(&names.join(", ")))
        }
        Amendment::Starred { on: true, .. } => format!("starred {package}"),
        Amendment::Starred { on: false, .. } => format!("starred {package} no more"),
        Amendment::Restricted { on: true } => format!("hid {package} from callers without a name"),
        Amendment::Restricted { on: false } => format!("showed {package} to callers without a name"),
    }
}

fn decided(release: &str, decision: &Decision) -> String {
    let verb = match decision.verb {
        Verb::Approve => "approved",
        Verb::Reject => "rejected",
        Verb::Hold => "held",
        Verb::Reopen => "reopened",
        Verb::Revoke => "revoked",
    };
    let until = decision.expires_at.map_or_else(String::new, |at| format!(" until {}", at.for_people()));
    let others =
        if decision.behind.is_empty() { String::new() } else { format!(" ({} could have said so too)", decision.behind.join(", ")) };
    format!("{verb} {release}{until}{others}: {}", printable(&decision.reason, Decision::REASON_BYTES_MAX))
}

fn seen(sight: &Sight) -> String {
    let counts = [("new", &sight.added), ("taken down", &sight.removed), ("returned", &sight.returned), ("changed", &sight.changed)];
    let told: Vec<String> = counts
        .into_iter()
        .filter(|(_, versions)| !versions.is_empty())
        .map(|(what, versions)| format!("{} {what}", versions.len()))
        .collect();
    let told = if told.is_empty() { "no release differs".to_owned() } else { told.join(", ") };
    format!("saw the index of {}: {told}", sight.package.name)
}

fn task(work: &Work) -> String {
    match work {
        Work::Inspect { release, file } => format!("inspect {file} of {release}"),
        Work::Notify { release, event, hook } => format!("tell {hook} that {release} is {}", event.as_str().replace('_', " ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::package::PackageId;
    use crate::model::package::Version;
    use crate::model::release::ReleaseId;
    use crate::model::token::Role;
    use crate::model::token::Token;
    use crate::model::user::PasswordHash;
    use crate::model::user::User;
    use crate::storage::record::Record;

    fn check(command: &Command, expected: &str) {
        assert_eq!(words(command), expected);
    }

    #[test]
    fn every_record_reads_as_a_sentence() {
        let package = PackageId::npm("left-pad").unwrap();
        let version = |text: &str| Version::parse(text).unwrap();
        let release = ReleaseId { package: package.clone(), version: version("1.3.0") };
        let at = Timestamp::parse("2026-11-27T14:05:00Z").unwrap();
        let digest = DocumentDigest::of(b"");
        let sight = |added: &[&str], removed: &[&str]| Sight {
            package: package.clone(),
            at,
            source: digest,
            document: digest,
            first: false,
            absent_at: None,
            added: added.iter().map(|text| version(text)).collect(),
            removed: removed.iter().map(|text| version(text)).collect(),
            returned: Vec::new(),
            changed: Vec::new(),
        };
        check(&Command::Sight(sight(&["1.0.0", "1.1.0"], &["0.9.0"])), "saw the index of left-pad: 2 new, 1 taken down");
        check(&Command::Sight(sight(&[], &[])), "saw the index of left-pad: no release differs");
        let decision = |verb, reason: &str, expires_at| Decision {
            verb,
            by: "maria".to_owned(),
            behind: Vec::new(),
            at,
            reason: reason.to_owned(),
            digest: None,
            substance: None,
            covers: Vec::new(),
            basis: None,
            expires_at,
        };
        let decided = |decision| Command::Decided { release: release.clone(), decision };
        check(&decided(decision(Verb::Approve, "read the diff", None)), "approved left-pad@1.3.0: read the diff");
        check(
            &decided(decision(Verb::Hold, "\u{1b}[31m\n\u{202e}x", Some(at))),
            "held left-pad@1.3.0 until 2026-11-27 14:05 UTC: \u{fffd}[31m\u{fffd}\u{fffd}x",
        );
        let given = Decision { behind: ["ann", "root"].map(str::to_owned).to_vec(), ..decision(Verb::Approve, "read it", None) };
        check(&decided(given), "approved left-pad@1.3.0 (ann, root could have said so too): read it");
        let named = Token::named("5f0c9a1be27d".to_owned(), "maria".to_owned(), Role::Approver, digest, at);
        let token = Token { expires_at: Some(at), ..named };
        let created = Command::TokenCreated { token };
        check(&created, "made token 5f0c9a1be27d for maria as approver until 2026-11-27 14:05 UTC");
        let record = Record { version: Record::VERSION, sequence: Sequence(7), at, actor: Actor::Airlock, commands: vec![created] };
        let passage = tell(&Entry { record, hash: digest, previous: digest });
        assert_eq!(passage.commands[0]["token"]["name"], "maria");
        assert!(!passage.commands[0].to_string().contains("secret"), "{}", passage.commands[0]);
        let hash = || PasswordHash::new("$argon2id$canary".to_owned());
        let (name, password) = ("maria".to_owned(), Some(hash()));
        let (role, behind) = (Role::Publisher, Some(vec!["root".to_owned()]));
        let user = User { name: name.clone(), role, email: None, password, behind, oidc: None, made_at: at, disabled_at: None };
        let changed = |change| Command::UserChanged { name: name.clone(), change };
        for (command, expected) in [
            (Command::UserMade { user }, "made user maria as publisher"),
            (changed(UserChange::Password(hash())), "changed the password of maria"),
            (changed(UserChange::Behind(vec!["ann".to_owned(), "root".to_owned()])), "ann, root could sign in as maria too"),
            (changed(UserChange::Behind(Vec::new())), "nobody else knows the password of maria"),
            (changed(UserChange::Role(Role::Approver)), "made maria approver"),
            (changed(UserChange::Email(None)), "removed the e-mail address of maria"),
            (changed(UserChange::Disabled(true)), "disabled user maria"),
        ] {
            check(&command, expected);
            let shown = without_secrets(serde_json::to_value(&command).unwrap()).to_string();
            assert!(shown.contains("maria") && !shown.contains("canary"), "{shown}");
        }
        let amended = |change| Command::Amended { package: package.clone(), by: name.clone(), changes: vec![change] };
        let why = "\u{1b}[31mold".to_owned();
        check(&amended(Amendment::Deprecated { version: version("1.3.0"), text: Some(why) }), "deprecated left-pad@1.3.0: \u{fffd}[31mold");
        check(&amended(Amendment::Withdrawn { version: version("1.3.0") }), "withdrew left-pad@1.3.0");
        let owners = Amendment::Owners { names: ["ann", "maria"].map(str::to_owned).into() };
        check(&amended(owners), "made ann, maria owners of left-pad");
        let assigned = Command::Assigned { package: package.clone(), to: NameOwner::Local };
        check(&assigned, "the name left-pad belongs here");
        let work = Work::Inspect { release, file: "left-pad-1.3.0.tgz".to_owned() };
        let failed = Command::JobFailed { work, error: "timed out".to_owned(), retry_at: None };
        check(&failed, "failed: inspect left-pad-1.3.0.tgz of left-pad@1.3.0: timed out; given up, waits for people");
    }
}
