//! Tables of advisories: what is written is read, newer words win, and damage is told.

use super::*;
use crate::model::advisory::AdvisoryKind;
use crate::model::advisory::Source;
use crate::model::package::Version;
use crate::model::time::Timestamp;

fn package(name: &str) -> PackageId {
    PackageId::npm(name).unwrap()
}

fn advisory(id: &str, name: &str, modified: i64) -> Advisory {
    Advisory {
        id: id.to_owned(),
        aliases: Vec::new(),
        kind: AdvisoryKind::Malware,
        package: package(name),
        versions: vec![Version::parse("1.0.0").unwrap()],
        ranges: Vec::new(),
        score: None,
        summary: String::new(),
        digests: Vec::new(),
        sources: vec![Source { name: "some-inspector".into(), versions: Vec::new(), ranges: Vec::new() }],
        independent: true,
        published_at: Some(Timestamp::from_millis(1_000)),
        modified_at: Timestamp::from_millis(modified),
        withdrawn_at: None,
    }
}

struct Folder {
    folder: tempfile::TempDir,
    advisories: Advisories,
    heard: BTreeMap<String, FeedHeard>,
}

impl Folder {
    fn new() -> Folder {
        let folder = tempfile::tempdir().unwrap();
        let advisories = Advisories::open(folder.path(), &BTreeMap::new()).unwrap();
        Folder { folder, advisories, heard: BTreeMap::new() }
    }

    fn hear(&mut self, feed: Feed, said: &[Advisory], onto: bool) -> Arc<Table> {
        let mut draft = self.advisories.draft().unwrap();
        for one in said {
            draft.add(one).unwrap();
        }
        let before = self.advisories.table(feed).filter(|_| onto);
        let table = Arc::new(self.advisories.write(feed, draft, before.as_deref()).unwrap());
        let as_of = Timestamp::from_millis(0);
        let heard = FeedHeard { as_of, digest: *table.digest(), advisories: table.totals().advisories, unreadable: 0, faults: Vec::new() };
        self.heard.insert(feed.as_str().to_owned(), heard);
        self.advisories.install(feed, Arc::clone(&table));
        table
    }

    fn open_again(&mut self) {
        self.advisories = Advisories::open(self.folder.path(), &self.heard).unwrap();
    }

    fn files(&self) -> Vec<PathBuf> {
        let mut files: Vec<PathBuf> =
            std::fs::read_dir(self.folder.path().join("advisories")).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.sort();
        files
    }

    fn ids(&self, name: &str) -> Vec<String> {
        self.advisories.of(&package(name)).iter().map(|one| one.id.clone()).collect()
    }
}

#[test]
fn what_is_written_is_read() {
    let mut folder = Folder::new();
    let mut said: Vec<Advisory> =
        (0..500).map(|number| advisory(&format!("MAL-2099-{number}"), &format!("p{}", number / 2), number)).collect();
    said.push(advisory("GHSA-a", "@acme/web", 7));
    said.reverse();
    let table = folder.hear(Feed::Osv, &said, false);
    assert_eq!((table.totals().advisories, table.newest_modified_at().millis()), (501, 499));
    for again in 0..2 {
        assert_eq!(folder.ids("p7"), ["MAL-2099-14", "MAL-2099-15"], "{again}");
        assert_eq!(*folder.advisories.of(&package("@acme/web")), [advisory("GHSA-a", "@acme/web", 7)]);
        assert_eq!(folder.ids("p250"), [] as [&str; 0]);
        assert_eq!(folder.advisories.stamp(&package("p250")), 0);
        assert_ne!(folder.advisories.stamp(&package("p7")), 0);
        folder.open_again();
    }
}

#[test]
fn the_newer_word_wins_and_a_withdrawal_is_kept() {
    let mut folder = Folder::new();
    folder.hear(Feed::Osv, &[advisory("MAL-1", "a", 10), advisory("MAL-2", "a", 10), advisory("MAL-3", "b", 10)], false);
    let before = ["a", "b", "c"].map(|name| folder.advisories.stamp(&package(name)));
    let taken_back = Advisory { withdrawn_at: Some(Timestamp::from_millis(20)), ..advisory("MAL-1", "a", 20) };
    let older = advisory("MAL-2", "a", 5);
    folder.hear(Feed::Osv, &[taken_back.clone(), older, advisory("MAL-4", "c", 20)], true);
    assert_eq!(*folder.advisories.of(&package("a")), [taken_back, advisory("MAL-2", "a", 10)]);
    assert_eq!(folder.ids("b"), ["MAL-3"]);
    let after = ["a", "b", "c"].map(|name| folder.advisories.stamp(&package(name)));
    assert_eq!(before.iter().zip(&after).map(|(before, after)| before != after).collect::<Vec<_>>(), [true, false, true]);
}

#[test]
fn a_whole_hearing_takes_the_place_of_the_one_before() {
    let mut folder = Folder::new();
    folder.hear(Feed::Osv, &[advisory("MAL-1", "a", 10)], false);
    folder.hear(Feed::Osv, &[advisory("MAL-2", "b", 10)], false);
    assert_eq!((folder.ids("a").len(), folder.ids("b").len()), (0, 1));
    assert_eq!(folder.files().len(), 1, "nothing is left behind");
    folder.hear(Feed::Osv, &[advisory("MAL-2", "b", 10)], false);
    assert_eq!((folder.ids("b").len(), folder.files().len()), (1, 1), "the same again is the same file");
}

#[test]
fn feeds_are_asked_together() {
    let mut folder = Folder::new();
    folder.hear(Feed::Osv, &[advisory("MAL-1", "a", 10), advisory("MAL-2", "a", 10)], false);
    let stamp = folder.advisories.stamp(&package("a"));
    let ours = Advisory { withdrawn_at: Some(Timestamp::from_millis(0)), ..advisory("MAL-1", "a", 30) };
    folder.hear(Feed::Own, &[ours.clone(), advisory("ACME-1", "a", 1)], false);
    assert_eq!(*folder.advisories.of(&package("a")), [advisory("ACME-1", "a", 1), ours, advisory("MAL-2", "a", 10)]);
    assert_ne!(folder.advisories.stamp(&package("a")), stamp);
}

#[test]
fn bytes_are_found_whatever_package_is_named() {
    let mut folder = Folder::new();
    let bytes = Digest::of(b"tarball");
    let named = Advisory { digests: vec![bytes, Digest::of(b"other")], ..advisory("MAL-1", "a", 10) };
    folder.hear(Feed::Osv, &[named.clone(), advisory("MAL-2", "a", 10), Advisory { package: package("b"), ..named.clone() }], false);
    let found = folder.advisories.by_digest(&bytes);
    assert_eq!(found, [named.clone(), Advisory { package: package("b"), ..named.clone() }]);
    assert_eq!(folder.advisories.by_digest(&Digest::of(b"good")), []);
    let table = folder.advisories.table(Feed::Osv).unwrap();
    let stamp = table.stamp_of_bytes(&bytes);
    assert!(stamp != 0 && table.stamp_of_bytes(&Digest::of(b"good")) == 0);
    assert!(table.says_the_same_of_bytes(Some(&table)) && !table.says_the_same_of_bytes(None));
    let more = folder.hear(Feed::Osv, &[advisory("MAL-3", "c", 10)], true);
    assert!(more.says_the_same_of_bytes(Some(&table)), "it is about a name");
    let taken_back = Advisory { withdrawn_at: Some(Timestamp::from_millis(0)), modified_at: Timestamp::from_millis(99), ..named };
    let less = folder.hear(Feed::Osv, &[taken_back], true);
    assert!(!less.says_the_same_of_bytes(Some(&more)) && less.stamp_of_bytes(&bytes) != stamp);
}

#[test]
fn damage_anywhere_is_told_and_counts_as_never_heard() {
    let mut folder = Folder::new();
    folder.hear(Feed::Osv, &[advisory("MAL-1", "a", 10)], false);
    let file = folder.files().remove(0);
    let whole = std::fs::read(&file).unwrap();
    for at in (0..whole.len()).step_by(7) {
        let mut damaged = whole.clone();
        damaged[at] ^= 1;
        std::fs::write(&file, &damaged).unwrap();
        folder.open_again();
        assert!(folder.advisories.table(Feed::Osv).is_none() && folder.advisories.lost(Feed::Osv).is_some(), "byte {at}");
    }
    for length in [0, 1, whole.len() / 2, whole.len() - 1] {
        std::fs::write(&file, &whole[..length]).unwrap();
        folder.open_again();
        assert!(folder.advisories.lost(Feed::Osv).is_some(), "{length} bytes");
    }
    std::fs::remove_file(&file).unwrap();
    folder.open_again();
    assert!(folder.advisories.lost(Feed::Osv).is_some(), "it is gone");
    std::fs::write(&file, &whole).unwrap();
    folder.open_again();
    assert_eq!((folder.ids("a").len(), folder.advisories.lost(Feed::Osv)), (1, None));
}

#[test]
fn damage_that_comes_later_is_found_by_who_asks() {
    let mut folder = Folder::new();
    folder.hear(Feed::Osv, &[advisory("MAL-1", "a", 10)], false);
    let file = folder.files().remove(0);
    let mut damaged = std::fs::read(&file).unwrap();
    damaged[40] ^= 1;
    std::fs::write(&file, &damaged).unwrap();
    assert_eq!(folder.ids("a"), [] as [&str; 0]);
    assert!(folder.advisories.lost(Feed::Osv).is_some());
}

#[test]
fn a_file_that_the_ledger_does_not_name_is_not_believed() {
    let mut folder = Folder::new();
    folder.hear(Feed::Osv, &[advisory("MAL-1", "a", 10)], false);
    let named = folder.heard.clone();
    folder.hear(Feed::Osv, &[advisory("MAL-1", "a", 20)], false);
    folder.heard = named;
    folder.open_again();
    assert!(folder.advisories.table(Feed::Osv).is_none(), "the one that is named is gone");
    assert_eq!(folder.files().len(), 0, "and the other is nobody's");
}

#[test]
fn what_was_begun_leaves_nothing_behind() {
    let folder = Folder::new();
    let mut draft = folder.advisories.draft().unwrap();
    draft.add(&advisory("MAL-1", "a", 10)).unwrap();
    assert_eq!(folder.files().len(), 1);
    drop(draft);
    assert_eq!(folder.files().len(), 0);
    std::fs::write(folder.advisories.unfinished(), "left by a crash").unwrap();
    Advisories::open(folder.folder.path(), &BTreeMap::new()).unwrap();
    assert_eq!(folder.files().len(), 0);
}

/// By hand: `cargo test --release storage::advisories::tests::as_many -- --ignored --nocapture`.
#[test]
#[ignore = "a measurement"]
fn as_many_as_there_are() {
    let mut folder = Folder::new();
    let began = std::time::Instant::now();
    let said: Vec<Advisory> = (0..215_000)
        .map(|number: u32| Advisory {
            digests: if number.is_multiple_of(3) { vec![Digest::of(&number.to_le_bytes())] } else { Vec::new() },
            ..advisory(&format!("MAL-2099-{number}"), &format!("some-package-{number}"), i64::from(number))
        })
        .collect();
    println!("made in {:?}", began.elapsed());
    let began = std::time::Instant::now();
    let table = folder.hear(Feed::Osv, &said, false);
    println!("written in {:?}: {} bytes on disk", began.elapsed(), std::fs::metadata(table.path()).unwrap().len());
    let began = std::time::Instant::now();
    folder.open_again();
    println!("opened in {:?}", began.elapsed());
    let began = std::time::Instant::now();
    folder.hear(Feed::Osv, &said[..100], true);
    println!("100 more in {:?}", began.elapsed());
    let packages: Vec<PackageId> = (0..100_000).map(|number| package(&format!("some-package-{number}"))).collect();
    let none: Vec<PackageId> = (0..100_000).map(|number| package(&format!("another-package-{number}"))).collect();
    let began = std::time::Instant::now();
    let said: usize = packages.iter().map(|package| folder.advisories.of(package).len()).sum();
    println!("of: {:?} each ({said})", began.elapsed() / 100_000);
    let began = std::time::Instant::now();
    let said: usize = none.iter().map(|package| folder.advisories.of(package).len()).sum();
    println!("of none: {:?} each ({said})", began.elapsed() / 100_000);
    let began = std::time::Instant::now();
    let sum = packages.iter().chain(&none).map(|package| folder.advisories.stamp(package)).fold(0, u64::wrapping_add);
    println!("stamp: {:?} each ({sum})", began.elapsed() / 200_000);
}
