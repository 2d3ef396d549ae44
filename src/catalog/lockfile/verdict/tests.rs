//! Entries are judged by what is fetched, and the whole by its worst.

use super::*;
use crate::model::package::Version;
use crate::protocol::npm::Npm;

const BASE: &str = "http://127.0.0.1:4873/npm";

fn at(day: u32) -> Timestamp {
    Timestamp::parse(&format!("2026-11-{day:02}T14:05:00Z")).unwrap()
}

fn release(text: &str) -> ReleaseId {
    let (name, version) = text.rsplit_once('@').unwrap();
    ReleaseId { package: PackageId::npm(name).unwrap(), version: Version::parse(version).unwrap() }
}

fn integrity(of: &[u8]) -> Integrity {
    Integrity { sha512: Some(Digest::of(of)), ..Integrity::default() }
}

fn book() -> Book {
    let mut book = Book::default();
    let held = Standing::Held { until: Some(at(20)) };
    for (text, standing) in [
        ("open@1.0.0", Standing::Approved),
        ("new@1.0.0", Standing::Admissible),
        ("held@1.0.0", held),
        ("stuck@1.0.0", Standing::Held { until: None }),
        ("queued@1.0.0", Standing::InReview),
        ("bad@1.0.0", Standing::Rejected),
        ("gone@1.0.0", Standing::Revoked),
    ] {
        let release = release(text);
        let opens_at = if standing == held { Some(at(20)) } else { None };
        let told = Told {
            standing,
            observed: false,
            opens_at,
            sentence: format!("{text} is told."),
            integrity: integrity(text.as_bytes()),
            digest: None,
        };
        let file = format!("{}-1.0.0.tgz", release.package.name);
        book.files.insert((release.package.clone(), file), release.version.clone());
        book.releases.insert(release, told);
    }
    book.silent.insert(PackageId::npm("mute").unwrap(), "Nothing could be learned of mute.".to_owned());
    book
}

fn entry(source: Source, stated: Stated) -> Locked {
    Locked {
        name: "x".to_owned(),
        version: "1.0.0".to_owned(),
        alias: None,
        source,
        stated,
        line: 1,
        wants: Vec::new(),
        dev: false,
        optional: false,
        peer: false,
    }
}

fn registry(text: &str, address: Option<&str>) -> Source {
    Source::Registry { release: release(text), address: address.map(str::to_owned) }
}

#[track_caller]
fn check(source: Source, word: Word, sentence: Option<&str>) {
    let judged = book().judge(&entry(source, Stated::Nothing), BASE, &Npm);
    assert_eq!((judged.word, judged.sentence.as_deref()), (word, sentence));
}

#[test]
fn a_release_is_what_it_stands_as() {
    check(registry("open@1.0.0", None), Word::Allowed, None);
    check(registry("new@1.0.0", None), Word::Allowed, None);
    check(registry("held@1.0.0", None), Word::Held, Some("held@1.0.0 is told."));
    check(registry("stuck@1.0.0", None), Word::Held, Some("stuck@1.0.0 is told."));
    check(registry("queued@1.0.0", None), Word::Held, Some("queued@1.0.0 is told."));
    check(registry("bad@1.0.0", None), Word::Denied, Some("bad@1.0.0 is told."));
    check(registry("gone@1.0.0", None), Word::Denied, Some("gone@1.0.0 is told."));
    check(registry("open@9.0.0", None), Word::Unknown, Some("open@9.0.0 is not known, neither here nor at the upstream registry."));
    check(registry("mute@1.0.0", None), Word::Unknown, Some("Nothing could be learned of mute."));
    check(Source::Local, Word::Local, None);
    let bundled = |release: &str| match registry(release, None) {
        Source::Registry { release, .. } => Source::Bundled { release: Some(release) },
        other => other,
    };
    check(Source::Bundled { release: None }, Word::Bundled, None);
    check(bundled("new@1.0.0"), Word::Bundled, None);
    check(bundled("open@9.0.0"), Word::Bundled, None);
    check(bundled("mute@1.0.0"), Word::Unknown, Some("Nothing could be learned of mute."));
    check(bundled("held@1.0.0"), Word::Held, Some("held@1.0.0 is told."));
    check(bundled("bad@1.0.0"), Word::Denied, Some("bad@1.0.0 is told."));
}

/// The word is the one that enforcing would make of it.
#[test]
fn what_is_served_because_policy_observes_is_told_as_such() {
    let mut book = book();
    book.releases.get_mut(&release("held@1.0.0")).unwrap().observed = true;
    let judged = book.judge(&entry(registry("held@1.0.0", None), Stated::Nothing), BASE, &Npm);
    assert_eq!((judged.word, judged.observed), (Word::Held, true));
    let other = book.judge(&entry(registry("bad@1.0.0", None), Stated::Nothing), BASE, &Npm);
    assert_eq!((other.word, other.observed), (Word::Denied, false));
}

#[test]
fn what_is_fetched_counts_and_not_what_is_said() {
    let here = |path: &str| format!("{BASE}/{path}");
    check(registry("open@1.0.0", Some(&here("open/-/open-1.0.0.tgz"))), Word::Allowed, None);
    check(registry("held@1.0.0", Some(&here("held/-/held-1.0.0.tgz"))), Word::Held, Some("held@1.0.0 is told."));
    check(
        registry("open@1.0.0", Some(&here("bad/-/bad-1.0.0.tgz"))),
        Word::Elsewhere,
        Some("open@1.0.0 is fetched from http://127.0.0.1:4873/npm/bad/-/bad-1.0.0.tgz, which is bad@1.0.0."),
    );
    check(
        registry("open@1.0.0", Some(&here("open/-/open-7.0.0.tgz"))),
        Word::Elsewhere,
        Some("open@1.0.0 is fetched from http://127.0.0.1:4873/npm/open/-/open-7.0.0.tgz, which is no file of it."),
    );
    // Of an unknown release the address says nothing more.
    let unknown = "open@9.0.0 is not known, neither here nor at the upstream registry.";
    check(registry("open@9.0.0", Some(&here("open/-/open-9.0.0.tgz"))), Word::Unknown, Some(unknown));
    for other in [
        "https://127.0.0.1:4873/npm/open/-/open-1.0.0.tgz",
        "http://127.0.0.1:4874/npm/open/-/open-1.0.0.tgz",
        "http://127.0.0.1:4873/open/-/open-1.0.0.tgz",
        "http://127.0.0.1:4873/npmx/open/-/open-1.0.0.tgz",
        "http://127.0.0.1:4873.evil.example/npm/open/-/open-1.0.0.tgz",
        "http://127.0.0.1:4873@evil.example/npm/open/-/open-1.0.0.tgz",
        "http://127.0.0.1:4873/npm/../open/-/open-1.0.0.tgz",
        "http://127.0.0.1:4873/npm/-/ping",
        "not an address",
    ] {
        let judged = book().judge(&entry(registry("open@1.0.0", Some(other)), Stated::Nothing), BASE, &Npm);
        assert_eq!((judged.word, judged.standing), (Word::Elsewhere, Some(Standing::Approved)), "{other}");
    }
    let beneath = |path: &str| Source::Beneath { release: release("open@1.0.0"), path: path.to_owned() };
    check(beneath("/open/-/open-1.0.0.tgz"), Word::Allowed, None);
    check(beneath("/npm/open/-/open-1.0.0.tgz"), Word::Allowed, None);
    check(
        beneath("/held/-/held-1.0.0.tgz"),
        Word::Elsewhere,
        Some("open@1.0.0 is fetched from http://127.0.0.1:4873/npm/held/-/held-1.0.0.tgz, which is held@1.0.0."),
    );
    check(
        beneath("/npmx/open/-/open-1.0.0.tgz"),
        Word::Elsewhere,
        Some("open@1.0.0 is fetched from http://127.0.0.1:4873/npm/npmx/open/-/open-1.0.0.tgz, which is not this registry."),
    );
    let elsewhere = |address: &str| Source::Elsewhere { address: address.to_owned() };
    check(elsewhere(&here("held/-/held-1.0.0.tgz")), Word::Held, Some("held@1.0.0 is told."));
    check(
        elsewhere(&here("who/-/who-1.0.0.tgz")),
        Word::Unknown,
        Some("Nothing is known of http://127.0.0.1:4873/npm/who/-/who-1.0.0.tgz."),
    );
    check(
        elsewhere("git+ssh://git@h.example/a.git#01"),
        Word::Elsewhere,
        Some("It is fetched from git+ssh://git@h.example/a.git#01, which no gate sees."),
    );
}

#[test]
fn bytes_are_compared_by_every_hash_that_both_know() {
    #[track_caller]
    fn check(stated: Stated, ours: (Option<Digest>, Integrity), expect: &Compared) {
        let mut book = book();
        let told = book.releases.get_mut(&release("open@1.0.0")).unwrap();
        (told.digest, told.integrity) = ours;
        let judged = book.judge(&entry(registry("open@1.0.0", None), stated), BASE, &Npm);
        assert_eq!(judged.integrity, *expect);
    }
    let sha1 = |text: &str| Integrity { sha1: Some(text.to_owned()), ..Integrity::default() };
    let (a, b) = (Digest::of(b"a"), Digest::of(b"b"));
    let differs = |stated: String, ours: String| Compared::Differs { stated, ours };
    check(Stated::Integrity(integrity(b"a")), (None, integrity(b"a")), &Compared::Agrees);
    check(Stated::Integrity(integrity(b"a")), (Some(a), Integrity::default()), &Compared::Agrees);
    check(Stated::Integrity(integrity(b"a")), (None, integrity(b"b")), &differs(a.sri(), b.sri()));
    // What was pinned counts before what is stated.
    check(Stated::Integrity(integrity(b"a")), (Some(b), integrity(b"a")), &differs(a.sri(), b.sri()));
    check(Stated::Integrity(sha1("00")), (None, sha1("00")), &Compared::Agrees);
    check(Stated::Integrity(sha1("00")), (None, sha1("11")), &differs("sha1 00".to_owned(), "sha1 11".to_owned()));
    let both = Integrity { sha1: Some("00".to_owned()), ..integrity(b"a") };
    check(Stated::Integrity(both), (Some(a), sha1("11")), &differs("sha1 00".to_owned(), "sha1 11".to_owned()));
    check(Stated::Integrity(sha1("00")), (Some(a), Integrity::default()), &Compared::NotComparable(OTHER_HASH));
    let garbled = Integrity { unreadable: Some("md5-x".to_owned()), ..integrity(b"a") };
    check(Stated::Integrity(garbled), (Some(b), Integrity::default()), &Compared::NotComparable(UNREADABLE));
    check(Stated::NotComparable("a zip"), (Some(a), Integrity::default()), &Compared::NotComparable("a zip"));
    check(Stated::Nothing, (Some(a), Integrity::default()), &Compared::Unstated);
}

#[test]
fn the_whole_waits_for_its_last() {
    let judge = |source: Source, stated: Stated| book().judge(&entry(source, stated), BASE, &Npm);
    let of = |text: &str| judge(registry(text, None), Stated::Nothing);
    let later = || Judged { opens_at: Some(at(25)), ..of("held@1.0.0") };
    assert_eq!(waiting(&[]), Waiting::Nothing);
    assert_eq!(waiting(&[of("open@1.0.0"), judge(Source::Local, Stated::Nothing)]), Waiting::Nothing);
    assert_eq!(waiting(&[of("open@1.0.0"), later(), of("held@1.0.0")]), Waiting::Until(at(25)));
    for worse in ["stuck@1.0.0", "queued@1.0.0", "bad@1.0.0", "open@9.0.0"] {
        assert_eq!(waiting(&[of("held@1.0.0"), of(worse)]), Waiting::Somebody, "{worse}");
    }
    let differs = judge(registry("open@1.0.0", None), Stated::Integrity(integrity(b"other")));
    assert_eq!(waiting(&[differs]), Waiting::Somebody);
}
