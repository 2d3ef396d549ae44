//! The ledger as people read it: every record with a line for each thing that it changed, and the proof that none is
//! missing, changed or moved.

use serde_json::Value;

use crate::model::actor::Actor;
use crate::model::decision::Decision;
use crate::model::decision::Verb;
use crate::model::digest::DocumentDigest;
use crate::model::finding::printable;
use crate::model::job::Work;
use crate::model::time::Timestamp;
use crate::quarantine::Quarantine;
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
    /// As the ledger keeps them, but for the hash of a token's secret.
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

/// The hash of a secret that holds 256 random bits tells nothing; even so, nobody needs it.
fn without_secrets(mut command: Value) -> Value {
    if let Some(token) = command.get_mut("token").and_then(Value::as_object_mut) {
        token.remove("secret_hash");
    }
    command
}

/// `approved left-pad@1.3.0: read the diff`.
fn words(command: &Command) -> String {
    match command {
        Command::Sight(sight) => seen(sight),
        Command::Inspected { release, file, inspection } => {
            format!("inspected {file} of {release}: {} bytes, {}", inspection.size, inspection.digest)
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
    format!("{verb} {release}{until}: {}", printable(&decision.reason, Decision::REASON_BYTES_MAX))
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
            at,
            reason: reason.to_owned(),
            digest: None,
            substance: None,
            covers: Vec::new(),
            expires_at,
        };
        let decided = |decision| Command::Decided { release: release.clone(), decision };
        check(&decided(decision(Verb::Approve, "read the diff", None)), "approved left-pad@1.3.0: read the diff");
        check(
            &decided(decision(Verb::Hold, "\u{1b}[31m\n\u{202e}x", Some(at))),
            "held left-pad@1.3.0 until 2026-11-27 14:05 UTC: \u{fffd}[31m\u{fffd}\u{fffd}x",
        );
        let token = Token {
            id: "5f0c9a1be27d".to_owned(),
            name: "maria".to_owned(),
            role: Role::Approver,
            secret_hash: digest,
            created_at: at,
            expires_at: Some(at),
            revoked_at: None,
        };
        let created = Command::TokenCreated { token };
        check(&created, "made token 5f0c9a1be27d for maria as approver until 2026-11-27 14:05 UTC");
        let record = Record { version: Record::VERSION, sequence: Sequence(7), at, actor: Actor::Airlock, commands: vec![created] };
        let passage = tell(&Entry { record, hash: digest, previous: digest });
        assert_eq!(passage.commands[0]["token"]["name"], "maria");
        assert!(!passage.commands[0].to_string().contains("secret"), "{}", passage.commands[0]);
        let work = Work::Inspect { release, file: "left-pad-1.3.0.tgz".to_owned() };
        let failed = Command::JobFailed { work, error: "timed out".to_owned(), retry_at: None };
        check(&failed, "failed: inspect left-pad-1.3.0.tgz of left-pad@1.3.0: timed out; given up, waits for people");
    }
}
