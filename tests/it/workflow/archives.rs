//! Archives that readers see differently, or that are built to do harm: none is served, each is said to be what it is.

use bytes::Bytes;

use crate::support::scenario::Scenario;
use crate::support::scenario::gzip;

/// A tar header with its content, as `edit` leaves the header.
fn entry(path: &str, content: &[u8], edit: impl FnOnce(&mut tar::Header)) -> Vec<u8> {
    let mut header = tar::Header::new_ustar();
    header.as_mut_bytes()[..path.len()].copy_from_slice(path.as_bytes());
    header.set_size(content.len() as u64);
    header.set_mode(0o644);
    edit(&mut header);
    header.set_cksum();
    let mut out = header.as_bytes().to_vec();
    out.extend_from_slice(content);
    out.resize(out.len().next_multiple_of(512), 0);
    out
}

fn file(path: &str, content: &str) -> Vec<u8> {
    entry(path, content.as_bytes(), |_| {})
}

fn archive(more: &[Vec<u8>]) -> Bytes {
    let manifest = file("package/package.json", r#"{"name":"hostile","version":"1.1.0"}"#);
    gzip(&[manifest, more.concat(), vec![0; 1_024]].concat())
}

#[tokio::test]
async fn none_of_them_is_served() {
    let link = |path: &str, to: &str| {
        entry(path, b"", |header| {
            header.set_entry_type(tar::EntryType::Symlink);
            header.set_link_name(to).unwrap();
        })
    };
    let honest = archive(&[]);
    let cases: Vec<(&str, Bytes, &str)> = vec![
        ("1.1.0", [honest.clone(), honest.clone()].concat().into(), "more than one gzip member"),
        ("1.2.0", archive(&[entry("package/x.js", b"1", |header| header.set_entry_type(tar::EntryType::new(b'7')))]), "of type '7'"),
        ("1.3.0", archive(&[file("zz/package.json", "{}")]), "a second root"),
        ("1.4.0", archive(&[link("package/x", "/etc/passwd")]), "is a link"),
        ("1.5.0", archive(&[file("package/../../x", "1")]), "leads out of the archive"),
        ("1.6.0", archive(&[file("package/Package.json", "{}")]), "one file where case does not count"),
        ("1.7.0", archive(&[file("package/package.json", r#"{"name":"hostile","version":"9.9.9"}"#)]), "twice in the archive"),
        ("1.8.0", archive(&[entry("package/zeros", &vec![0; 40_000_000], |_| {})]), "times its size"),
        ("1.9.0", honest.slice(..honest.len() - 20), "cut short"),
        ("2.0.0", Bytes::from_static(b"this is no archive at all"), "it is not gzip"),
        ("2.1.0", [honest, Bytes::from_static(b"more")].concat().into(), "after the gzip stream"),
    ];
    let scenario = Scenario::new().package("hostile", |p| {
        for (version, bytes, _) in &cases {
            p.release(version).bytes(bytes.clone());
        }
    });
    let airlock = scenario.gated().await;
    for (version, _, words) in &cases {
        let reply = airlock.tarball("hostile", version).await;
        assert_eq!(reply.status, 403, "{version}: {}", reply.text());
        let release = airlock.release("hostile", version).await;
        assert_eq!(release["standing"], "rejected", "{words}: {release:#}");
        let findings = release["findings"].to_string();
        assert!(findings.contains("unsafe_archive") && findings.contains(words), "{words}: {findings}");
    }
    assert_eq!(airlock.listed("hostile").await, [""; 0]);
}
