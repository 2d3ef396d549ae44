//! Advisories: records that tests make themselves, brought by an admin or heard of a feed, and what becomes of releases by them.

mod fallback;
mod feed;
mod import;
mod judging;
mod lane;

use std::io::Write;

use serde_json::Value;
use serde_json::json;

use crate::support::airlock::Airlock;
use crate::support::http::Reply;

const ADVISORIES: &str = "/-/airlock/v1/advisories";
const CRITICAL: &str = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H";

/// One source each.
pub fn malware(id: &str, package: &str, versions: &[&str], sources: &[&str], modified: &str) -> Value {
    let origins: Vec<Value> = sources.iter().map(|source| json!({"source": source, "sha256": "00", "versions": versions})).collect();
    json!({
        "schema_version": "1.7.4",
        "id": id,
        "modified": modified,
        "published": modified,
        "summary": format!("Malicious code in {package} (npm)"),
        "affected": [{"package": {"ecosystem": "npm", "name": package}, "versions": versions}],
        "database_specific": {"malicious-packages-origins": origins},
    })
}

fn vulnerability(id: &str, package: &str, fixed: &str, modified: &str) -> Value {
    json!({
        "schema_version": "1.4.0",
        "id": id,
        "modified": modified,
        "summary": "It fills too much",
        "severity": [{"type": "CVSS_V3", "score": CRITICAL}],
        "affected": [{
            "package": {"ecosystem": "npm", "name": package},
            "ranges": [{"type": "SEMVER", "events": [{"introduced": "0"}, {"fixed": fixed}]}],
        }],
        "database_specific": {"github_reviewed": true, "severity": "CRITICAL", "cwe_ids": []},
    })
}

fn with(mut record: Value, key: &str, value: Value) -> Value {
    record[key] = value;
    record
}

fn zip(files: &[(&str, &str)]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut archive = rawzip::ZipArchiveWriter::new(&mut out);
    for (path, text) in files {
        let (mut entry, config) = archive.new_file(*path).compression_method(rawzip::CompressionMethod::DEFLATE).start().unwrap();
        let mut writer = config.wrap(flate2::write::DeflateEncoder::new(&mut entry, flate2::Compression::fast()));
        writer.write_all(text.as_bytes()).unwrap();
        let (encoder, descriptor) = writer.finish().unwrap();
        encoder.finish().unwrap();
        entry.finish(descriptor).unwrap();
    }
    archive.finish().unwrap();
    out
}

fn zip_of(records: &[Value]) -> Vec<u8> {
    let files: Vec<(String, String)> =
        records.iter().map(|record| (format!("{}.json", record["id"].as_str().unwrap()), record.to_string())).collect();
    let files: Vec<(&str, &str)> = files.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
    zip(&files)
}

impl Airlock {
    /// All there is, as a zip.
    async fn bring_all(&self, records: &[Value]) -> Reply {
        self.as_admin("POST", &format!("{ADVISORIES}?whole=true")).body(&zip_of(records)).send().await
    }

    /// Some records, as JSON lines.
    pub async fn bring(&self, records: &[Value]) {
        let lines: Vec<String> = records.iter().map(Value::to_string).collect();
        let reply = self.as_admin("POST", ADVISORIES).body(lines.join("\n").as_bytes()).send().await;
        assert_eq!(reply.status, 200, "{}", reply.text());
        assert_eq!((&reply.json()["advisories"], &reply.json()["unreadable"]), (&json!(records.len()), &json!(0)), "{}", reply.text());
    }

    async fn standing(&self, package: &str, version: &str) -> String {
        self.release(package, version).await["standing"].as_str().unwrap().to_owned()
    }

    async fn findings(&self, package: &str, version: &str) -> Vec<String> {
        let release = self.release(package, version).await;
        let findings = release["findings"].as_array().unwrap();
        findings.iter().map(|one| format!("{}: {}", one["kind"].as_str().unwrap(), one["evidence"].as_str().unwrap())).collect()
    }
}
