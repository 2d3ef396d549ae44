//! Every address of a registry's file is changed, nothing else is, and what comes from elsewhere stays.

use super::*;
use crate::protocol::npm::lockfile::read;

fn fixture(name: &str) -> String {
    std::fs::read_to_string(format!("{}/tests/fixtures/lockfiles/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

#[track_caller]
fn pointed(text: &str, to: &str) -> Rewritten {
    rewrite(text.as_bytes(), None, &registry(to).unwrap()).unwrap()
}

#[test]
fn every_format_is_pointed_elsewhere_and_back_byte_for_byte() {
    for name in [
        "npm-6/package-lock.json",
        "npm-10/package-lock.json",
        "npm-12/package-lock.json",
        "npm-shrinkwrap/npm-shrinkwrap.json",
        "pnpm-12/pnpm-lock.yaml",
        "pnpm-8/pnpm-lock.yaml",
        "pnpm-11-catalog/pnpm-lock.yaml",
        "yarn-1/yarn.lock",
        "yarn-4/yarn.lock",
        "yarn-4-patch/yarn.lock",
        "bun/bun.lock",
        "bun-catalog/bun.lock",
        "deno/deno.lock",
    ] {
        let text = fixture(name);
        let addresses = text.matches("registry.example").count();
        let there = pointed(&text, "http://127.0.0.1:4873/npm");
        assert_eq!((there.changed, there.kept), (addresses, 0), "{name}");
        assert_eq!(there.lockfile, read(text.as_bytes(), None).unwrap(), "{name}: what was read");
        let again = pointed(&there.text, "http://127.0.0.1:4873/npm/");
        assert_eq!((again.changed, again.kept, &again.text), (0, addresses, &there.text), "{name}");
        // Where the file lay elsewhere than is usual, its conventional place is what comes back.
        let usual = text
            .replace("download/odd/1.0.0/odd.tgz", "odd/-/odd-1.0.0.tgz")
            .replace("download%2Fodd%2F1.0.0%2Fodd.tgz", "odd%2F-%2Fodd-1.0.0.tgz");
        assert_eq!(pointed(&there.text, "https://registry.example").text, usual, "{name}");
        // Nothing but addresses changed.
        let place = there.text.replace("http://127.0.0.1:4873/npm/", "https://registry.example/");
        let place = place.replace("http%3A%2F%2F127.0.0.1%3A4873%2Fnpm%2F", "https%3A%2F%2Fregistry.example%2F");
        assert_eq!(place, usual, "{name}");
        for (before, after) in read(text.as_bytes(), None).unwrap().entries.iter().zip(&read(there.text.as_bytes(), None).unwrap().entries)
        {
            assert_eq!(
                (&before.name, &before.version, &before.stated, &before.wants),
                (&after.name, &after.version, &after.stated, &after.wants)
            );
        }
    }
}

#[test]
fn what_comes_from_elsewhere_is_told_and_not_touched() {
    for name in ["npm-12/package-lock.json", "pnpm-12/pnpm-lock.yaml", "yarn-1/yarn.lock", "yarn-4/yarn.lock", "bun/bun.lock"] {
        let there = pointed(&fixture(name), "https://airlock.example");
        let told: Vec<&str> = elsewhere(&there.lockfile).map(|(_, _, address)| address).collect();
        assert_eq!(told.len(), 2, "{name}: {told:?}");
        assert!(there.text.contains("https://files.example/right/-/right-1.1.0.tgz") && there.text.contains("git.example"), "{name}");
        assert!(!there.text.contains("registry.example"), "{name}");
    }
}

#[test]
fn an_address_of_another_package_becomes_the_packages_own() {
    let text = "# yarn lockfile v1\n\n\na@^1:\n  version \"1.0.0\"\n  resolved \"https://h.example/evil/-/evil-9.0.0.tgz#0123\"\n\n\"@s/b@1\":\n  version \"1.0.0+x\"\n  resolved \"https://h.example/npm/@s%2fb/-/b-1.0.0.tgz\"\n";
    let there = pointed(text, "https://airlock.example/");
    assert!(there.text.contains("\"https://airlock.example/a/-/a-1.0.0.tgz#0123\""), "{}", there.text);
    assert!(there.text.contains("\"https://airlock.example/@s/b/-/b-1.0.0.tgz\""), "{}", there.text);
}

#[test]
fn what_cannot_be_read_or_written_is_refused() {
    let refused = |text: &str| rewrite(text.as_bytes(), None, &registry("https://airlock.example").unwrap()).unwrap_err().to_string();
    let escaped = r#"{"lockfileVersion":3,"packages":{
        "node_modules/a":{"version":"1.0.0","resolved":"https:\/\/h.example\/a\/-\/a-1.0.0.tgz"}}}"#;
    assert_eq!(refused(escaped), "line 2: an address that is written with escapes, which is not changed");
    assert_eq!(refused("nonsense").split(':').next(), Some("line 1"));
    for (text, why) in [
        ("registry.example", "it is not a URL"),
        ("ftp://registry.example/", "it is neither http nor https"),
        ("https://ann:s3cret@registry.example/", "it holds credentials, a query or a fragment"),
        ("https://registry.example/?x=1", "it holds credentials, a query or a fragment"),
        ("https://registry.example/a,b/", "it holds signs that no lockfile takes as they are"),
    ] {
        assert_eq!(registry(text).map(|url| url.to_string()), Err(why), "{text}");
    }
    assert_eq!(registry("http://[::1]:4873/npm").unwrap().as_str(), "http://[::1]:4873/npm/");
}
