//! The ledger, read by people and proved on demand.

use axum::Json;
use axum::extract::State;

use crate::admin::Api;
use crate::admin::request::Asked;
use crate::admin::request::limit;
use crate::admin::wire::Audit;
use crate::admin::wire::AuditQuery;
use crate::admin::wire::Entry;
use crate::admin::wire::Proof;
use crate::http::problem::Problem;
use crate::quarantine::chronicle::Passage;
use crate::quarantine::chronicle::Proved;

/// Commands in one answer, in bytes of JSON; past it the answer ends early, with `next_after`.
const COMMANDS_BYTES_MAX: usize = 4 * 1_024 * 1_024;

/// The ledger, oldest first
///
/// Every record that was ever made, each with the hash of the one before. The hash of a token's secret is left out.
#[utoipa::path(get, path = "/-/airlock/v1/audit", operation_id = "listAudit", tag = "audit", params(AuditQuery), responses((status = 200, body = Audit)))]
pub async fn list(State(api): State<Api>, Asked(asked): Asked<AuditQuery>) -> Result<Json<Audit>, Problem> {
    let limit = limit(asked.limit)?;
    let passages = api.quarantine.chronicle(asked.after.unwrap_or(0), limit).await;
    let passages = passages.map_err(|error| Problem::internal(error.to_string()))?;
    Ok(Json(stretch(passages, limit)))
}

/// Prove the whole ledger again, from its first byte to its last
#[utoipa::path(get, path = "/-/airlock/v1/audit/verify", tag = "audit", operation_id = "verifyAudit", responses((status = 200, body = Proof)))]
pub async fn verify(State(api): State<Api>) -> Result<Json<Proof>, Problem> {
    let proved = api.quarantine.prove().await.map_err(|error| Problem::internal(error.to_string()))?;
    Ok(Json(proof(proved)))
}

fn stretch(passages: Vec<Passage>, limit: usize) -> Audit {
    let found = passages.len();
    let mut entries: Vec<Entry> = Vec::new();
    let mut bytes = 0;
    for passage in passages {
        bytes += passage.commands.iter().map(|command| command.to_string().len()).sum::<usize>();
        if bytes > COMMANDS_BYTES_MAX && !entries.is_empty() {
            break;
        }
        entries.push(entry(passage));
    }
    let more = found >= limit || entries.len() < found;
    let next_after = entries.last().filter(|_| more).map(|last| last.sequence);
    Audit { entries, next_after }
}

fn entry(passage: Passage) -> Entry {
    let Passage { sequence, at, by, what, commands, hash, previous } = passage;
    Entry { sequence, at, by: by.to_string(), what, commands, hash: hash.hex(), previous: previous.hex() }
}

fn proof(proved: Proved) -> Proof {
    let nothing = Proof { sound: false, records: None, head: None, after: None, place: None };
    match proved {
        Proved::Sound { records, head } => Proof { sound: true, records: Some(records), head: Some(head.hex()), ..nothing },
        Proved::Broken { after, place } => Proof { after: Some(after), place: Some(place), ..nothing },
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::model::actor::Actor;
    use crate::model::digest::DocumentDigest;
    use crate::model::time::Timestamp;

    fn passage(sequence: u64, bytes: usize) -> Passage {
        Passage {
            sequence,
            at: Timestamp::from_millis(0),
            by: Actor::Person("maria".to_owned()),
            what: vec!["approved left-pad@1.3.0: read it".to_owned()],
            commands: vec![json!("x".repeat(bytes))],
            hash: DocumentDigest::of(b"1"),
            previous: DocumentDigest::of(b"0"),
        }
    }

    #[test]
    fn a_stretch_says_where_to_go_on() {
        let three = || (1..=3).map(|sequence| passage(sequence, 1)).collect::<Vec<_>>();
        assert_eq!(stretch(three(), 4).next_after, None);
        assert_eq!(stretch(three(), 3).next_after, Some(3));
        assert_eq!(stretch(Vec::new(), 3).next_after, None);
    }

    #[test]
    fn a_large_stretch_ends_early_and_never_stands_still() {
        let large = (1..=3).map(|sequence| passage(sequence, COMMANDS_BYTES_MAX)).collect();
        let audit = stretch(large, 50);
        assert_eq!((audit.entries.len(), audit.next_after), (1, Some(1)));
    }

    #[test]
    fn the_wire_forms_are_as_documented() {
        let entry = serde_json::to_value(entry(passage(7, 1))).unwrap();
        assert_eq!(entry["at"], "1970-01-01T00:00:00.000Z");
        assert_eq!((&entry["sequence"], &entry["by"], entry["hash"].as_str().unwrap().len()), (&json!(7), &json!("maria"), 64));
        let broken = serde_json::to_value(proof(Proved::Broken { after: 4, place: "segment 1, byte 99".to_owned() })).unwrap();
        assert_eq!(broken, json!({ "sound": false, "after": 4, "place": "segment 1, byte 99" }));
        let sound = proof(Proved::Sound { records: 2, head: DocumentDigest::of(b"") });
        let head = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(serde_json::to_value(sound).unwrap(), json!({ "sound": true, "records": 2, "head": head }));
    }
}
