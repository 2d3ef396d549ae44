//! What others say of the made-up releases, as OSV records.

use std::io::Write;

use serde_json::Value;
use serde_json::json;

use crate::cli::failure::Failure;
use crate::cli::pieces::Pieces;
use crate::cli::remote::Remote;
use crate::cli::selftest::LONG_IN_USE;
use crate::cli::selftest::trials::Trial;
use crate::model::time::Timestamp;
use crate::protocol::npm::violation::Advisory;
use crate::protocol::npm::violation::BAD;

/// What is said of it, in the form of OSV: at the beginning, or when it has long been in use.
pub(super) fn record(trial: &Trial, began: Timestamp, late: bool) -> Option<Value> {
    let (is_late, id, severity, sources) = match trial.advisory? {
        Advisory::Malware => (false, "MAL-2000", None, vec!["airlock-selftest", "airlock-selftest-2"]),
        Advisory::MalwareLater => (true, "MAL-2000", None, vec!["airlock-selftest"]),
        Advisory::Vulnerability(vector) => (false, "GHSA", Some(vector), Vec::new()),
        Advisory::Silence => (true, "GHSA", Some("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:L/I:N/A:N"), Vec::new()),
    };
    if is_late != late {
        return None;
    }
    let name = trial.package.as_str();
    // What is silent of it speaks of something else, so that there is a feed at all.
    let about = if trial.advisory == Some(Advisory::Silence) { "airlock-selftest-something-else" } else { name };
    let versions = json!([BAD]);
    let origins: Vec<Value> = sources.iter().map(|source| json!({"source": source, "sha256": "00", "versions": versions})).collect();
    let mut record = json!({
        "schema_version": "1.7.4",
        "id": format!("{id}-{}", name.replace(['@', '/'], "-")),
        "modified": began.to_string(),
        // What comes late was said of what was long in use by then.
        "published": if late { began.plus(LONG_IN_USE) } else { began }.to_string(),
        "summary": "Made up by airlock selftest",
        "affected": [{"package": {"ecosystem": "npm", "name": about}, "versions": versions}],
        "database_specific": {"malicious-packages-origins": origins, "github_reviewed": true},
    });
    if let (Some(vector), Some(fields)) = (severity, record.as_object_mut()) {
        fields.insert("severity".to_owned(), json!([{"type": "CVSS_V3", "score": vector}]));
        fields.insert("database_specific".to_owned(), json!({"github_reviewed": true, "severity": "LOW", "cwe_ids": []}));
    }
    Some(record)
}

/// `whole`: it is all that is known, and so as old as its newest record.
pub(super) fn tell(remote: &Remote, records: &[Value], whole: bool) -> Result<(), Failure> {
    if records.is_empty() {
        return Ok(());
    }
    let lines: Vec<String> = records.iter().map(Value::to_string).collect();
    let text = lines.join("\n");
    let send = move |pieces: &mut Pieces| pieces.write_all(text.as_bytes());
    let answer = remote.upload::<Value>(&["advisories"], &[("whole", whole.to_string())], "application/x-ndjson", send)?;
    match answer.read.get("unreadable").and_then(Value::as_u64) {
        Some(0) => Ok(()),
        _ => Err(Failure::failed(format!("the selftest's own advisories cannot be read: {}", answer.text), "")),
    }
}
