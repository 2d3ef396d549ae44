//! Records as databases write them, and as nobody should.

use serde_json::Value;
use serde_json::json;

use super::*;
use crate::model::digest::Digest;
use crate::protocol::npm::order;

fn read_value(record: &Value) -> Result<Vec<Advisory>, Unreadable> {
    let (advisories, in_part) = read(record.to_string().as_bytes(), &order::precedence)?;
    in_part.map_or(Ok(advisories), Err)
}

#[track_caller]
fn one(record: &Value) -> Advisory {
    let mut all = read_value(record).unwrap();
    assert_eq!(all.len(), 1, "{all:?}");
    all.remove(0)
}

fn version(text: &str) -> Version {
    Version::parse(text).unwrap()
}

fn malware(change: impl FnOnce(&mut Value)) -> Value {
    let mut record = json!({
        "schema_version": "1.7.4",
        "id": "MAL-2099-0001",
        "published": "2099-08-04T18:00:00Z",
        "modified": "2099-08-04T23:56:06.868204584Z",
        "summary": "Malicious code in left-pad (npm)",
        "details": "x".repeat(10_000),
        "affected": [{
            "package": { "name": "left-pad", "ecosystem": "npm" },
            "versions": ["6.0.0"],
            "database_specific": {
                "cwes": [{ "cweId": "CWE-506" }],
                "indicators": {
                    "evidence_files": [{ "path": "setup.mjs", "sha256": "54" }],
                    "package_integrity": [{ "filename": "left-pad-6.0.0.tgz", "hashes": {
                        "sha1": "0f18da4e81443285c3ee7e96eb3adc3803b2487e",
                        "sha512_sri": Digest::of(b"tarball").sri(),
                    } }],
                },
            },
        }],
        "database_specific": {
            "iocs": { "files": [] },
            "malicious-packages-origins": [{
                "id": "IN-MAL-2099-010972",
                "import_time": "2099-08-04T21:33:11.726128238Z",
                "modified_time": "2099-08-04T21:07:18Z",
                "sha256": "4b828a8383aadd40e3c94c5be32dc4466e0d7c4872550f6316da2a195e978ca5",
                "source": "some-inspector",
                "versions": ["6.0.0"],
            }],
        },
        "credits": [{ "name": "Ann", "type": "FINDER" }],
    });
    change(&mut record);
    record
}

fn vulnerability(change: impl FnOnce(&mut Value)) -> Value {
    let mut record = json!({
        "schema_version": "1.4.0",
        "id": "GHSA-aaaa-bbbb-cccc",
        "modified": "2099-01-02T00:00:00Z",
        "aliases": ["CVE-2099-1"],
        "summary": "Prototype pollution",
        "severity": [{ "type": "CVSS_V3", "score": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H" }],
        "affected": [{
            "package": { "name": "left-pad", "ecosystem": "npm" },
            "ranges": [{ "type": "SEMVER", "events": [{ "introduced": "0" }, { "fixed": "1.2.3" }] }],
        }],
        "database_specific": { "github_reviewed": true, "severity": "CRITICAL", "cwe_ids": ["CWE-1321"] },
    });
    change(&mut record);
    record
}

fn range(introduced: &str, fixed: &str, last_affected: &str, limit: &str) -> AffectedRange {
    let some = |text: &str| (!text.is_empty()).then(|| version(text));
    AffectedRange { introduced: some(introduced), fixed: some(fixed), last_affected: some(last_affected), limit: some(limit) }
}

#[test]
fn malware_is_read_with_its_bytes_and_who_says_so() {
    let advisory = one(&malware(|_| {}));
    assert_eq!((advisory.id.as_str(), advisory.kind), ("MAL-2099-0001", AdvisoryKind::Malware));
    assert_eq!(advisory.versions, [version("6.0.0")]);
    assert_eq!(advisory.digests, [Digest::of(b"tarball")]);
    assert_eq!(advisory.sources, [Source { name: "some-inspector".into(), versions: vec![], ranges: vec![] }]);
    assert_eq!(advisory.summary, "", "it says no more than that it is malware");
    assert_eq!(advisory.modified_at.to_string(), "2099-08-04T23:56:06.868Z");
    assert_eq!(advisory.withdrawn_at, None);
}

#[test]
fn a_reports_own_hash_is_no_hash_of_bytes() {
    let advisory = one(&malware(|record| record["affected"][0]["database_specific"] = Value::Null));
    assert_eq!(advisory.digests, [], "the origin's sha256 is that of the report");
}

#[test]
fn vulnerabilities_are_read_with_their_range_and_score() {
    let advisory = one(&vulnerability(|_| {}));
    assert_eq!((advisory.kind, advisory.score, advisory.independent), (AdvisoryKind::Vulnerability, Some(98), true));
    assert_eq!(advisory.ranges, [range("", "1.2.3", "", "")]);
    assert_eq!((advisory.aliases, advisory.summary.as_str()), (vec!["CVE-2099-1".to_owned()], "Prototype pollution"));
    assert_eq!(advisory.sources[0].name, "ghsa");
    let word = one(&vulnerability(|record| record["severity"] = Value::Null));
    assert_eq!(word.score, Some(90), "the word, where there is no vector");
    let own = one(&vulnerability(|record| {
        record["affected"][0]["severity"] = json!([{ "score": "CVSS:3.1/AV:L/AC:H/PR:H/UI:R/S:U/C:L/I:N/A:N" }])
    }));
    assert_eq!(own.score, Some(18), "the package's own score beats the whole record's");
}

#[test]
fn what_a_packages_owner_wrote_is_not_independent() {
    for (id, reviewed, expect) in [
        ("GHSA-aaaa-bbbb-cccc", json!(true), true),
        ("GHSA-aaaa-bbbb-cccc", json!(false), false),
        ("GHSA-aaaa-bbbb-cccc", Value::Null, false),
        ("ACME-2099-1", Value::Null, true),
    ] {
        let record = vulnerability(|record| {
            record["id"] = json!(id);
            record["database_specific"]["github_reviewed"] = reviewed.clone();
        });
        assert_eq!(one(&record).independent, expect, "{id} {reviewed}");
    }
}

#[test]
fn malware_is_known_by_more_than_its_id() {
    let kind = |change: fn(&mut Value)| one(&vulnerability(change)).kind;
    assert_eq!(kind(|record| record["aliases"] = json!(["MAL-2099-1"])), AdvisoryKind::Malware);
    let many = |record: &mut Value| {
        let ids = (0..ALIASES_MAX + 8).map(|number| json!(format!("CVE-2099-{number}"))).chain([json!("MAL-2099-1")]);
        record["aliases"] = ids.collect();
    };
    assert_eq!(kind(many), AdvisoryKind::Malware, "however many other names it has");
    assert_eq!(kind(|record| record["database_specific"]["cwe_ids"] = json!(["CWE-506"])), AdvisoryKind::Malware);
    assert_eq!(
        kind(|record| record["database_specific"]["malicious-packages-origins"] = json!([{ "source": "x", "sha256": "00" }])),
        AdvisoryKind::Malware
    );
    assert_eq!(kind(|_| {}), AdvisoryKind::Vulnerability);
}

#[test]
fn each_source_counts_once_and_for_what_it_names() {
    let record = malware(|record| {
        record["affected"][0]["versions"] = json!(["6.0.0", "6.0.1"]);
        record["database_specific"]["malicious-packages-origins"] = json!([
            { "source": "ghsa-malware", "sha256": "00", "versions": ["6.0.0"] },
            { "source": "ghsa-malware", "sha256": "01", "versions": ["6.0.0"] },
            { "source": "one", "sha256": "02", "versions": ["6.0.1", "6.0.0"] },
            { "source": "two", "sha256": "03", "ranges": [{ "type": "SEMVER", "events": [{ "introduced": "0" }] }] },
        ]);
    });
    let sources = one(&record).sources;
    let shown: Vec<(&str, usize, usize)> = sources.iter().map(|one| (one.name.as_str(), one.versions.len(), one.ranges.len())).collect();
    assert_eq!(shown, [("ghsa", 1, 0), ("one", 0, 0), ("two", 0, 1)]);
}

#[test]
fn malware_without_versions_is_all_of_the_package() {
    let advisory = one(&malware(|record| record["affected"][0]["versions"] = Value::Null));
    assert_eq!(advisory.ranges, [range("", "", "", "")]);
    let nothing = one(&vulnerability(|record| record["affected"][0]["ranges"] = Value::Null));
    assert!(nothing.ranges.is_empty() && nothing.versions.is_empty());
}

#[test]
fn events_become_stretches_in_whatever_order_they_stand() {
    #[track_caller]
    fn check(events: &Value, expect: &[AffectedRange]) {
        let record = vulnerability(|record| record["affected"][0]["ranges"] = json!([{ "type": "SEMVER", "events": events }]));
        assert_eq!(one(&record).ranges, expect, "{events}");
    }
    check(&json!([{ "fixed": "1.2.3" }, { "introduced": "1.0.0" }]), &[range("1.0.0", "1.2.3", "", "")]);
    check(
        &json!([{ "introduced": "2.0.0" }, { "fixed": "2.0.5" }, { "introduced": "0" }, { "fixed": "1.2.3" }]),
        &[range("2.0.0", "2.0.5", "", ""), range("", "1.2.3", "", "")],
    );
    check(&json!([{ "introduced": "0" }, { "last_affected": "1.9.0" }]), &[range("", "", "1.9.0", "")]);
    let mixed = json!([{ "introduced": "0" }, { "last_affected": "1.2.0" }, { "introduced": "2.0.0" }, { "fixed": "2.3.0" }]);
    check(&mixed, &[range("", "", "1.2.0", ""), range("2.0.0", "2.3.0", "", "")]);
    check(&json!([{ "introduced": "1.0.0" }, { "limit": "2.0.0" }, { "limit": "1.5.0" }]), &[range("1.0.0", "", "", "2.0.0")]);
    check(&json!([{ "introduced": "1.0.0" }, { "limit": "*" }]), &[range("1.0.0", "", "", "")]);
    check(&json!([{ "introduced": "not a version" }, { "fixed": "ä" }]), &[range("", "", "", "")]);
    let git = vulnerability(|record| record["affected"][0]["ranges"][0]["type"] = json!("GIT"));
    assert_eq!(one(&git).ranges, []);
}

#[test]
fn the_last_version_that_is_known_to_be_affected_ends_a_range() {
    for (text, expect) in [("<= 1.9.0", range("", "", "1.9.0", "")), ("< 2.0.0", range("", "", "", "2.0.0")), ("?", range("", "", "", ""))]
    {
        let record = vulnerability(|record| {
            record["affected"][0]["ranges"][0]["events"] = json!([{ "introduced": "0" }]);
            record["affected"][0]["database_specific"] = json!({ "last_known_affected_version_range": text });
        });
        assert_eq!(one(&record).ranges, [expect], "{text}");
    }
}

#[test]
fn ranges_hold_what_they_say() {
    let holds = |range: &AffectedRange, text: &str| range.contains(&version(text), order::precedence);
    let fixed = range("1.0.0", "1.2.3", "", "");
    let inside = ["1.0.0", "1.2.2", "1.2.3-beta.1"];
    assert!(inside.iter().all(|text| holds(&fixed, text)));
    assert!(["0.9.9", "1.0.0-rc.1", "1.2.3", "2.0.0"].iter().all(|text| !holds(&fixed, text)));
    let last = range("", "", "1.2.3", "");
    assert!(holds(&last, "1.2.3") && holds(&last, "0.0.1-0") && !holds(&last, "1.2.4-0"));
    let limit = range("1.0.0", "", "", "2.0.0");
    assert!(holds(&limit, "1.99.0") && !holds(&limit, "2.0.0"));
    assert!(holds(&range("", "", "", ""), "not-semver"), "everything is everything");
}

#[test]
fn packages_are_told_apart_and_blocks_of_one_are_joined() {
    let record = vulnerability(|record| {
        let block = record["affected"][0].clone();
        let mut second = block.clone();
        second["ranges"][0]["events"] = json!([{ "introduced": "2.0.0" }, { "fixed": "2.0.5" }]);
        let named = |ecosystem: &str, name: &str| {
            let mut other = block.clone();
            other["package"] = json!({ "ecosystem": ecosystem, "name": name });
            other
        };
        record["affected"] =
            json!([block, second, named("PyPI", "left-pad"), named("npm", "@acme/web"), named("npm", "no name"), { "package": null }]);
    });
    let all = read_value(&record).unwrap();
    let shown: Vec<(String, usize)> = all.iter().map(|one| (one.package.to_string(), one.ranges.len())).collect();
    assert_eq!(shown, [("npm/@acme/web".to_owned(), 1), ("npm/left-pad".to_owned(), 2)]);
}

#[test]
fn what_was_taken_back_says_when() {
    let advisory = one(&malware(|record| record["withdrawn"] = json!("2099-08-05T00:00:00Z")));
    let at = Timestamp::parse("2099-08-05T00:00:00Z").unwrap();
    assert_eq!(advisory.withdrawn_at, Some(at));
    assert!(advisory.counts_at(Timestamp::from_millis(at.millis() - 1)) && !advisory.counts_at(at));
}

#[test]
fn what_databases_add_in_other_forms_says_nothing() {
    for odd in [json!("text"), json!(7), json!([1, 2]), json!({ "severity": 3 }), json!({ "malicious-packages-origins": "x" })] {
        let advisory = one(&malware(|record| {
            record["database_specific"] = odd.clone();
            record["affected"][0]["database_specific"] = odd.clone();
        }));
        assert_eq!(advisory.sources[0].name, "mal", "{odd}");
    }
}

#[test]
fn what_cannot_be_read_takes_nothing_beside_it_away() {
    let advisory = one(&vulnerability(|record| {
        record["summary"] = json!({ "en": "Prototype pollution" });
        record["aliases"] = json!([7, "CVE-2099-1", { "id": "x" }]);
        record["severity"] = json!([{ "type": "OTHER", "score": 9.8 }, record["severity"][0], "x"]);
        record["database_specific"] = json!({ "severity": 3, "github_reviewed": "yes", "cwe_ids": [1_321, "CWE-506"] });
        record["affected"][0]["database_specific"] = json!({
            "severity": ["HIGH"],
            "last_known_affected_version_range": 7,
            "cwes": [506, { "id": 506 }, { "cweId": "CWE-1" }],
            "indicators": { "package_integrity": [
                "x",
                { "hashes": 7 },
                { "hashes": { "sha512": { "a": 1 }, "sha512_sri": Digest::of(b"tarball").sri() } },
            ] },
        });
    }));
    assert_eq!((advisory.kind, advisory.score), (AdvisoryKind::Malware, Some(98)), "by its cwe_ids, and the vector that can be read");
    assert_eq!((advisory.aliases, advisory.summary.as_str()), (vec!["CVE-2099-1".to_owned()], ""));
    assert_eq!(advisory.digests, [Digest::of(b"tarball")]);
    let word = one(&vulnerability(|record| {
        record["severity"] = json!("9.8");
        record["affected"][0]["database_specific"] = json!({ "severity": 3, "cwes": "x" });
    }));
    assert_eq!(word.score, Some(90), "a word is enough");
    let origins = one(&vulnerability(|record| record["database_specific"]["malicious-packages-origins"] = json!({ "a": "form of 2100" })));
    assert_eq!(origins.kind, AdvisoryKind::Malware);
}

#[test]
fn what_matters_and_cannot_be_read_makes_the_record_unreadable() {
    #[track_caller]
    fn check(expect: &str, change: impl FnOnce(&mut Value)) {
        let fault = read_value(&vulnerability(change)).unwrap_err().to_string();
        assert!(fault.starts_with(expect), "{fault}");
    }
    let range = |range: Value| move |record: &mut Value| record["affected"][0]["ranges"] = json!([range]);
    check("a range of it cannot be read: its type \"SEMVER2\"", range(json!({ "type": "SEMVER2", "events": [{ "introduced": "0" }] })));
    check("a range of it cannot be read: its type \"\"", range(json!({ "events": [{ "introduced": "0" }] })));
    check("a range of it cannot be read: it begins nowhere", range(json!({ "type": "SEMVER", "events": [] })));
    check("a range of it cannot be read: it begins nowhere", range(json!({ "type": "SEMVER", "events": [{ "fixed": "1.0.0" }] })));
    let odd = json!({ "type": "SEMVER", "events": [{ "introduced": "0" }, { "mended": "1.0.0" }] });
    check("a range of it cannot be read: one of its events", range(odd));
    check("it is not an OSV record", range(json!("0 - 1.0.0")));
    check("it is not an OSV record", |record| record["affected"][0]["package"] = json!("left-pad"));
    check("it is not an OSV record", |record| record["withdrawn"] = json!(2_099));
    for unreadable in [json!([{ "type": "CVSS_V9", "score": "CVSS:9.9/AV:N" }]), json!([9.8]), json!("9.8")] {
        check("how grave it is cannot be read", |record| {
            record["severity"] = unreadable;
            record["database_specific"]["severity"] = json!("GRAVE");
        });
    }
    // What is about others is theirs.
    let others = one(&vulnerability(|record| {
        let range = json!({ "type": "SEMVER2", "events": 7 });
        let other = json!({ "package": { "ecosystem": "Other", "name": "x" }, "ranges": range });
        record["affected"].as_array_mut().unwrap().push(other);
    }));
    assert_eq!(others.ranges.len(), 1);
    let twice = r#"{"id":"GHSA-1","modified":"2099-01-01T00:00:00Z","database_specific":{"cwe_ids":[],"cwe_ids":["CWE-506"]}}"#;
    assert!(matches!(read(twice.as_bytes(), &order::precedence), Err(Unreadable::Malformed(_))));
}

#[test]
fn hostile_text_is_cleaned_and_cut() {
    let advisory = one(&vulnerability(|record| {
        record["summary"] = json!(format!("\u{1b}[31m\u{202e}{}", "x".repeat(5_000)));
        record["aliases"] = json!(["CVE-2099-1", "<script>", "a b", "x".repeat(100)]);
        record["database_specific"]["malicious-packages-origins"] = json!([{ "source": "\u{202e}evil\n", "sha256": "0" }]);
    }));
    assert!(advisory.summary.len() <= SUMMARY_BYTES_MAX && advisory.summary.starts_with("\u{fffd}[31m\u{fffd}x"));
    assert_eq!(advisory.aliases, ["CVE-2099-1"]);
    assert_eq!(advisory.sources[0].name, "\u{fffd}evil\u{fffd}");
}

#[test]
fn what_is_no_record_is_told() {
    let fault = |record: &Value| read_value(record).unwrap_err();
    assert!(matches!(read(b"{", &order::precedence), Err(Unreadable::Malformed(_))));
    assert!(matches!(read(b"[]", &order::precedence), Err(Unreadable::Malformed(_))));
    assert_eq!(read(&vec![b' '; RECORD_BYTES_MAX + 1], &order::precedence), Err(Unreadable::TooLarge));
    for id in ["", "../../etc/passwd", "MAL 1", "\u{43c}", &"M".repeat(65)] {
        assert_eq!(fault(&malware(|record| record["id"] = json!(id))), Unreadable::Id, "{id}");
    }
    assert!(matches!(fault(&malware(|record| record["modified"] = json!("yesterday"))), Unreadable::Time(_)));
    assert!(matches!(fault(&malware(|record| record["withdrawn"] = json!("\u{1b}"))), Unreadable::Time(_)));
    assert!(matches!(fault(&malware(|record| record["affected"] = json!({}))), Unreadable::Malformed(_)));
    assert!(matches!(fault(&malware(|record| record["affected"][0]["versions"] = json!([1]))), Unreadable::Malformed(_)));
    assert!(matches!(fault(&malware(|record| _ = record.as_object_mut().unwrap().remove("modified"))), Unreadable::Malformed(_)));
    let twice = br#"{"id":"MAL-1","id":"MAL-2","modified":"2099-01-01T00:00:00Z"}"#;
    assert!(matches!(read(twice, &order::precedence), Err(Unreadable::Malformed(_))));
    let many: Vec<String> = (0..=VERSIONS_MAX).map(|number| format!("1.0.{number}")).collect();
    assert!(matches!(fault(&malware(|record| record["affected"][0]["versions"] = json!(many))), Unreadable::TooMany { .. }));
}

#[test]
fn depth_where_nobody_looks_is_passed_over() {
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let record = format!(r#"{{"id":"MAL-1","modified":"2099-01-01T00:00:00Z","details":{deep}}}"#);
    assert_eq!(read(record.as_bytes(), &order::precedence), Ok((Vec::new(), None)));
    let looked_at = format!(r#"{{"id":"MAL-1","modified":"2099-01-01T00:00:00Z","affected":{deep}}}"#);
    assert!(matches!(read(looked_at.as_bytes(), &order::precedence), Err(Unreadable::Malformed(_))));
}

#[test]
fn what_can_be_read_of_a_record_counts_beside_its_fault() {
    let in_part = |record: Value| {
        let (advisories, fault) = read(record.to_string().as_bytes(), &order::precedence).unwrap();
        assert!(fault.is_some(), "{record}");
        advisories.into_iter().next().unwrap()
    };
    let odd = json!([{ "type": "SEMVER", "events": [] }]);
    let malware = |versions: Value| {
        json!({
            "id": "MAL-2099-1", "modified": "2099-01-01T00:00:00Z",
            "affected": [{ "package": { "ecosystem": "npm", "name": "evil" }, "versions": versions, "ranges": odd }],
        })
    };
    let named = in_part(malware(json!(["1.0.0"])));
    assert_eq!((named.kind, named.versions.len(), named.ranges.len()), (AdvisoryKind::Malware, 1, 0));
    let all = in_part(malware(json!([])));
    assert_eq!((all.versions.len(), all.ranges), (0, vec![range("", "", "", "")]));
    let flaw = in_part(vulnerability(|record| record["affected"][0]["ranges"] = json!([{ "type": "SEMVER2", "events": [] }])));
    assert_eq!(flaw.ranges, [range("", "", "", "")], "wider, never narrower");
    let grave = in_part(vulnerability(|record| {
        record["severity"] = json!("9.8");
        record["database_specific"]["severity"] = json!("GRAVE");
    }));
    assert_eq!(grave.score, None);
}
