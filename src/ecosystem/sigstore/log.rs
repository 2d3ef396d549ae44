//! An entry of a transparency log: what it is of, the log's promise of when it came in, and the proof that the tree which the log
//! signed holds it. Sources: RFC 6962, 2.1; RFC 9162, 2.1.3.2; Rekor's `openapi.yaml`; C2SP, signed notes and checkpoints.

use data_encoding::BASE64;
use data_encoding::HEXLOWER;
use serde::Deserialize;
use serde_json::Value;
use sha2::Digest;
use sha2::Sha256;

use crate::ecosystem::json::Bounds;
use crate::ecosystem::json::strict;
use crate::ecosystem::signature::PublicKey;
use crate::ecosystem::sigstore::Fault;
use crate::ecosystem::sigstore::root::TrustRoot;
use crate::model::time::Timestamp;

type Hash = [u8; 32];

/// Of the body of an entry.
const BODY: Bounds = Bounds { bytes_max: 1_024 * 1_024, depth_max: 16 };
/// Steps of a proof: of a tree of 2^64 entries.
const STEPS_MAX: usize = 64;
/// Lines of a checkpoint, and signatures below it.
const LINES_MAX: usize = 32;

/// An entry as a bundle has it. Whole numbers stand there as text.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    #[serde(default)]
    log_index: Value,
    log_id: LogId,
    #[serde(default)]
    integrated_time: Value,
    inclusion_promise: Option<Promise>,
    inclusion_proof: Option<Inclusion>,
    #[serde(default)]
    canonicalized_body: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct LogId {
    key_id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Promise {
    signed_entry_timestamp: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Inclusion {
    /// Of the entry in the tree; 0 may be left out.
    #[serde(default)]
    log_index: Value,
    root_hash: String,
    tree_size: Value,
    #[serde(default)]
    hashes: Vec<String>,
    checkpoint: Option<Checkpoint>,
}

#[derive(Deserialize)]
struct Checkpoint {
    envelope: String,
}

/// What an entry must be of.
pub struct Signed<'a> {
    pub payload: &'a [u8],
    /// As it stands in the envelope, decoded.
    pub signature: &'a [u8],
}

/// What an entry proves.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Logged {
    /// When the log says, under its signature, that the entry came in.
    pub at: Option<Timestamp>,
    /// Whether a tree that the log signed holds it.
    pub is_included: bool,
}

/// What is proven by an entry; nothing where the trust root does not know its log.
///
/// # Errors
/// It is of something else, or a promise or a proof of it is false.
pub fn examine(entry: &Entry, signed: &Signed<'_>, root: &TrustRoot) -> Result<Logged, Fault> {
    let body = BASE64.decode(entry.canonicalized_body.as_bytes()).map_err(|_| Fault::wrong("its log entry is not in base64"))?;
    is_of(&body, signed)?;
    let id = BASE64.decode(entry.log_id.key_id.as_bytes()).map_err(|_| Fault::wrong("the id of its log is not in base64"))?;
    let Some(log) = root.logs.iter().find(|log| log.id == id) else { return Ok(Logged::default()) };
    let Some(key) = &log.key else { return Ok(Logged::default()) };
    let mut logged = Logged::default();
    if let Some(promise) = &entry.inclusion_promise {
        let at = promised(entry, &id, promise, key)?;
        if !log.valid.holds(at) {
            return Err(Fault::wrong("the key of its log was not valid when it came in"));
        }
        logged.at = Some(at);
    }
    if let Some(inclusion) = &entry.inclusion_proof {
        logged.is_included = is_included(inclusion, &body, key)?;
    }
    Ok(logged)
}

/// Whether the entry is of what was signed, by its hash and its signature.
fn is_of(body: &[u8], signed: &Signed<'_>) -> Result<(), Fault> {
    let body = strict(body, BODY).map_err(|_| Fault::wrong("its log entry cannot be read"))?;
    let text = |pointer: &str| body.pointer(pointer).and_then(Value::as_str);
    let payload_hash = HEXLOWER.encode(&Sha256::digest(signed.payload));
    let signature = BASE64.encode(signed.signature);
    let (hash, list, field, expected) = match (text("/kind"), text("/apiVersion")) {
        (Some("dsse"), Some("0.0.1")) => ("/spec/payloadHash/value", "/spec/signatures", "signature", signature),
        // There the signature is encoded twice.
        (Some("intoto"), Some("0.0.2")) => {
            ("/spec/content/payloadHash/value", "/spec/content/envelope/signatures", "sig", BASE64.encode(signature.as_bytes()))
        }
        (kind, version) => {
            let (kind, version) = (kind.unwrap_or_default(), version.unwrap_or_default());
            return Err(Fault::Unknown(format!("its log entry is of a kind that is not known here, {kind} {version}")));
        }
    };
    let signatures = body.pointer(list).and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let is_signed = signatures.iter().any(|one| one.get(field).and_then(Value::as_str) == Some(expected.as_str()));
    if text(hash) == Some(payload_hash.as_str()) && is_signed { Ok(()) } else { Err(Fault::wrong("its log entry is of something else")) }
}

/// When the log promised to take it in.
fn promised(entry: &Entry, id: &[u8], promise: &Promise, key: &PublicKey) -> Result<Timestamp, Fault> {
    let false_promise = || Fault::wrong("its log's promise does not verify");
    let (time, index) = (number(&entry.integrated_time).ok_or_else(false_promise)?, number(&entry.log_index).ok_or_else(false_promise)?);
    // As Rekor writes it: the keys in order, nothing between.
    let text = format!(
        r#"{{"body":"{}","integratedTime":{time},"logID":"{}","logIndex":{index}}}"#,
        entry.canonicalized_body,
        HEXLOWER.encode(id)
    );
    let signature = BASE64.decode(promise.signed_entry_timestamp.as_bytes()).map_err(|_| false_promise())?;
    let millis = i64::try_from(time).ok().and_then(|time| time.checked_mul(1_000)).ok_or_else(false_promise)?;
    if key.signed(text.as_bytes(), &signature) { Ok(Timestamp::from_millis(millis)) } else { Err(false_promise()) }
}

/// Whether the tree whose root the log signed holds `body`. Without a signed root nothing is proven.
fn is_included(inclusion: &Inclusion, body: &[u8], key: &PublicKey) -> Result<bool, Fault> {
    let false_proof = || Fault::wrong("the proof that it is in the log does not verify");
    let hash = |text: &String| BASE64.decode(text.as_bytes()).ok().and_then(|bytes| Hash::try_from(bytes).ok());
    let stated = hash(&inclusion.root_hash).ok_or_else(false_proof)?;
    let size = number(&inclusion.tree_size).ok_or_else(false_proof)?;
    let index = if inclusion.log_index.is_null() { 0 } else { number(&inclusion.log_index).ok_or_else(false_proof)? };
    let steps = inclusion.hashes.iter().take(STEPS_MAX + 1).map(hash).collect::<Option<Vec<Hash>>>().ok_or_else(false_proof)?;
    if root_of(leaf(body), index, size, &steps) != Some(stated) {
        return Err(false_proof());
    }
    let Some(checkpoint) = &inclusion.checkpoint else { return Ok(false) };
    let false_checkpoint = || Fault::wrong("the state of the log that it comes with is not signed by the log");
    let (text, signatures) = checkpoint.envelope.split_once("\n\n").ok_or_else(false_checkpoint)?;
    let mut lines = text.lines().take(LINES_MAX).skip(1);
    let is_same = lines.next() == Some(size.to_string().as_str()) && lines.next() == Some(inclusion.root_hash.as_str());
    let signed = format!("{text}\n");
    // Behind the name there are four bytes that tell keys apart, and the signature.
    let mut signatures = signatures.lines().take(LINES_MAX).filter_map(|line| {
        let (_, encoded) = line.strip_prefix("\u{2014} ")?.rsplit_once(' ')?;
        BASE64.decode(encoded.as_bytes()).ok()
    });
    let is_signed = signatures.any(|bytes| bytes.get(4..).is_some_and(|signature| key.signed(signed.as_bytes(), signature)));
    if is_same && is_signed { Ok(true) } else { Err(false_checkpoint()) }
}

fn leaf(body: &[u8]) -> Hash {
    Sha256::new().chain_update([0]).chain_update(body).finalize().into()
}

fn node(left: &Hash, right: &Hash) -> Hash {
    Sha256::new().chain_update([1]).chain_update(left).chain_update(right).finalize().into()
}

/// The root of the tree of `size` entries that has `leaf` at `index` and these hashes beside the way up. `None`: there is none.
fn root_of(leaf: Hash, index: u64, size: u64, beside: &[Hash]) -> Option<Hash> {
    if index >= size {
        return None;
    }
    let (mut at, mut last, mut hash) = (index, size - 1, leaf);
    for other in beside {
        if last == 0 {
            return None;
        }
        if at & 1 == 1 || at == last {
            hash = node(other, &hash);
            while at & 1 == 0 && at != 0 {
                (at, last) = (at >> 1, last >> 1);
            }
        } else {
            hash = node(&hash, other);
        }
        (at, last) = (at >> 1, last >> 1);
    }
    (last == 0).then_some(hash)
}

/// A whole number, as one or as text.
fn number(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_str()?.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The root, and what stands beside the way up from an entry, by the definition of RFC 6962.
    fn tree(leaves: &[Hash], index: usize) -> (Hash, Vec<Hash>) {
        if leaves.len() == 1 {
            return (leaves[0], Vec::new());
        }
        let middle = leaves.len().next_power_of_two() / 2;
        let (left, right) = leaves.split_at(middle);
        let (own, other) =
            if index < middle { (tree(left, index), tree(right, 0).0) } else { (tree(right, index - middle), tree(left, 0).0) };
        let root = if index < middle { node(&own.0, &other) } else { node(&other, &own.0) };
        (root, [own.1, vec![other]].concat())
    }

    #[test]
    fn every_entry_of_a_tree_leads_to_its_root() {
        for size in 1..=40 {
            let leaves: Vec<Hash> = (0..size).map(|at| leaf(&[at])).collect();
            for index in 0..usize::from(size) {
                let (root, beside) = tree(&leaves, index);
                let found = root_of(leaves[index], index as u64, u64::from(size), &beside);
                assert_eq!(found, Some(root), "{index} of {size}");
                let other = (index + 1) % usize::from(size);
                if other != index {
                    assert_ne!(root_of(leaves[other], index as u64, u64::from(size), &beside), Some(root));
                    assert_ne!(root_of(leaves[index], other as u64, u64::from(size), &beside), Some(root));
                }
                assert_ne!(root_of(leaves[index], index as u64, u64::from(size), &[beside, vec![leaf(b"x")]].concat()), Some(root));
            }
        }
        assert_eq!(root_of(leaf(b""), 1, 1, &[]), None);
        assert_eq!(root_of(leaf(b""), 0, 0, &[]), None);
    }
}
