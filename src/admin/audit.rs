//! The ledger, read by people and proved on demand.

use axum::Json;
use axum::extract::State;
use serde_json::Value;

use crate::admin::Api;
use crate::admin::request::Asked;
use crate::admin::request::limit;
use crate::admin::wire;
use crate::admin::wire::Audit;
use crate::admin::wire::AuditQuery;
use crate::http::problem::Problem;
use crate::quarantine::chronicle;
use crate::quarantine::chronicle::Entry;
use crate::quarantine::chronicle::Proof;
use crate::quarantine::chronicle::Sequence;

/// Commands in one answer, in bytes of JSON; past it the answer ends early, with `next_after`.
const COMMANDS_BYTES_MAX: usize = 4 * 1_024 * 1_024;

/// The ledger, oldest first
///
/// Every record that was ever made, each with the hash of the one before. The hash of a token's secret is left out.
#[utoipa::path(get, path = "/-/airlock/v1/audit", tag = "audit", params(AuditQuery), responses((status = 200, body = Audit)))]
pub async fn list(State(api): State<Api>, Asked(asked): Asked<AuditQuery>) -> Result<Json<Audit>, Problem> {
    let limit = limit(asked.limit)?;
    let entries = api.quarantine.audit(Sequence(asked.after.unwrap_or(0)), limit).await;
    let entries = entries.map_err(|error| Problem::internal(error.to_string()))?;
    Ok(Json(stretch(&entries, limit)))
}

/// Prove the whole ledger again, from its first byte to its last
#[utoipa::path(get, path = "/-/airlock/v1/audit/verify", tag = "audit", responses((status = 200, body = wire::Proof)))]
pub async fn verify(State(api): State<Api>) -> Result<Json<wire::Proof>, Problem> {
    let proof = api.quarantine.verify().await.map_err(|error| Problem::internal(error.to_string()))?;
    Ok(Json(proved(proof)))
}

fn stretch(entries: &[Entry], limit: usize) -> Audit {
    let mut told: Vec<wire::Entry> = Vec::new();
    let mut bytes = 0;
    for entry in entries {
        let (entry, entry_bytes) = tell(entry);
        bytes += entry_bytes;
        if bytes > COMMANDS_BYTES_MAX && !told.is_empty() {
            break;
        }
        told.push(entry);
    }
    let more = entries.len() >= limit || told.len() < entries.len();
    let next_after = told.last().filter(|_| more).map(|last| last.sequence);
    Audit { entries: told, next_after }
}

/// With the size of its commands, in bytes of JSON.
fn tell(entry: &Entry) -> (wire::Entry, usize) {
    let record = &entry.record;
    let commands = record.commands.iter().map(|command| without_secrets(serde_json::to_value(command).unwrap_or_default()));
    let commands: Vec<Value> = commands.collect();
    let bytes = commands.iter().map(|command| command.to_string().len()).sum();
    let entry = wire::Entry {
        sequence: record.sequence.0,
        at: record.at,
        by: record.actor.to_string(),
        what: record.commands.iter().map(chronicle::words).collect(),
        commands,
        hash: entry.hash.hex(),
        previous: entry.previous.hex(),
    };
    (entry, bytes)
}

/// The hash of a secret that holds 256 random bits tells nothing; even so, nobody needs it.
fn without_secrets(mut command: Value) -> Value {
    if let Some(token) = command.get_mut("token").and_then(Value::as_object_mut) {
        token.remove("secret_hash");
    }
    command
}

fn proved(proof: Proof) -> wire::Proof {
    match proof {
        Proof::Sound { records, head } => {
            wire::Proof { sound: true, records: Some(records), head: Some(head.hex()), after: None, place: None }
        }
        Proof::Broken { after, place } => wire::Proof { sound: false, records: None, head: None, after: Some(after.0), place: Some(place) },
    }
}
