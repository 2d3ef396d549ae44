//! Ranges mean what node-semver 7 takes them for: `tests/fixtures/ranges.tsv` has, for each range, which of the versions in
//! its first line satisfy it, or `!` where it is none.

use super::*;

const TABLE: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/ranges.tsv"));

#[test]
fn ranges_mean_what_npm_takes_them_for() {
    let (first, rest) = TABLE.split_once('\n').unwrap();
    let versions: Vec<&str> = first.trim_start_matches("# versions: ").split(' ').collect();
    assert!(versions.len() > 40 && rest.lines().count() > 300);
    let mut wrong = Vec::new();
    for line in rest.lines() {
        let (range, expect) = line.split_once('\t').unwrap();
        let found = match Range::parse(range) {
            None => "!".to_owned(),
            Some(_) => versions.iter().filter(|version| satisfies(range, version)).copied().collect::<Vec<&str>>().join(" "),
        };
        if found != expect {
            wrong.push(format!("{range:?}: {found}\n    not {expect}"));
        }
    }
    assert!(wrong.is_empty(), "{} are wrong\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn hostile_ranges_end_soon() {
    for text in ["||".repeat(500), ">=1 ".repeat(250), "1".repeat(1_000), "^".repeat(1_000), "x".repeat(5_000), " - ".repeat(300)] {
        let _ = Range::parse(&text);
    }
    assert_eq!(Range::parse(&"1||".repeat(200)), None);
}
