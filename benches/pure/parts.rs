//! The parts that are measured, each a name, an input and an act that can be repeated.

use std::hint::black_box;
use std::rc::Rc;

use airlock::catalog::exposure::Exposed;
use airlock::catalog::exposure::expose;
use airlock::catalog::kept;
use airlock::config::policy::Policy;
use airlock::ecosystem::Ecosystem;
use airlock::ecosystem::Fetched;
use airlock::ecosystem::Reading;
use airlock::ecosystem::UpstreamPath;
use airlock::ecosystem::archive;
use airlock::ecosystem::archive::Entry;
use airlock::ecosystem::archive::Limits;
use airlock::ecosystem::archive::Visitor;
use airlock::ecosystem::scan::Scan;
use airlock::http::cache::BodyKey;
use airlock::http::rendered::Coding;
use airlock::http::rendered::Manner;
use airlock::http::rendered::Rendered;
use airlock::model::digest::DocumentDigest;
use airlock::model::digest::Integrity;
use airlock::model::digest::Verified;
use airlock::model::index::Index;
use airlock::model::package::PackageId;
use airlock::model::package::Version;
use airlock::model::profile::Profile;
use airlock::model::time::Timestamp;
use airlock::protocol::npm::Npm;
use airlock::protocol::npm::render::Form;
use airlock::protocol::npm::render::packument;
use airlock::quarantine::change;
use airlock::quarantine::context::Context;
use airlock::quarantine::intake::Before;
use airlock::quarantine::intake::join;
use airlock::quarantine::standings::Standings;
use airlock::quarantine::standings::judge_all;
use airlock::storage::record::PackageState;
use bytes::Bytes;
use data_encoding::HEXLOWER;
use sha1::Digest as _;

use crate::samples;

const BASE: &str = "https://gate.example";
const NOW: &str = "2026-11-20T14:05:00Z";
const MANNER: Manner = Manner { content_type: "application/json", cache_control: "no-cache", last_modified: None };

/// Something to measure.
pub struct Part {
    pub name: &'static str,
    /// What it is done to, `300 versions`.
    pub input: String,
    /// How many bytes it goes through.
    pub bytes: usize,
    pub act: Box<dyn Fn()>,
}

/// A document of upstream's, and what it is measured as.
#[derive(Clone)]
pub struct Document {
    pub package: PackageId,
    pub input: String,
    fetched: Rc<[Fetched; 1]>,
}

/// A packed artifact, and what is measured of it.
struct Tarball {
    input: String,
    packed: Bytes,
    integrity: Integrity,
}

impl Document {
    pub fn new(package: PackageId, input: &str, body: Bytes) -> Document {
        Document { package, input: input.to_owned(), fetched: Rc::new([Fetched { path: UpstreamPath(String::new()), body }]) }
    }

    pub fn body(&self) -> &Bytes {
        &self.fetched[0].body
    }

    pub fn read(&self) -> Index {
        match Npm.read(&self.package, &*self.fetched).unwrap() {
            Reading::Complete(index) => index,
            Reading::NeedMore(_) => panic!("npm needs one document"),
        }
    }
}

impl Tarball {
    fn new(input: &str, packed: Vec<u8>) -> Tarball {
        let packed = Bytes::from(packed);
        let sha1 = HEXLOWER.encode(&sha1::Sha1::digest(&packed));
        let integrity = Integrity { sha512: Some(*Verified::measure(packed.clone()).digest()), sha1: Some(sha1), ..Integrity::default() };
        Tarball { input: input.to_owned(), packed, integrity }
    }

    fn hash(&self) {
        let content = Verified::measure(self.packed.clone());
        black_box(self.integrity.compare(&self.packed, content.digest()));
    }

    fn inspect(&self, package: &PackageId, version: &Version) -> u64 {
        let facts = Npm.inspect(package, version, samples::tarball::MANIFEST.as_bytes(), &self.packed).unwrap().facts;
        assert!(facts.differences.is_empty() && facts.unsafe_archive.is_none() && facts.unreadable_manifest.is_none(), "{facts:?}");
        black_box(facts).unpacked_bytes
    }

    /// What a release is compared with is gone through too.
    fn compare(&self, package: &PackageId, version: &Version, after: &Profile) {
        let before = Npm.profile(package, version, samples::tarball::MANIFEST.as_bytes(), &self.packed).unwrap();
        black_box(change::between(&before, after, version, &|_, _| None));
    }

    /// Every file of it, unpacked.
    fn files(&self) -> Vec<(Entry, Vec<u8>)> {
        let mut files = Files(Vec::new());
        archive::read(&self.packed, &Limits::DEFAULT, &mut files).unwrap();
        files.0
    }
}

struct Files(Vec<(Entry, Vec<u8>)>);

impl Visitor for Files {
    fn wants(&mut self, _entry: &Entry) -> bool {
        true
    }

    fn content(&mut self, entry: &Entry, content: Vec<u8>) {
        self.0.push((entry.clone(), content));
    }
}

/// As an archive is gone over, in pieces.
fn scan(files: &[(Entry, Vec<u8>)]) {
    const PIECE_BYTES: usize = 64 * 1024;
    let mut scan = Scan::default();
    for (entry, content) in files {
        scan.begin(entry);
        content.chunks(PIECE_BYTES).for_each(|piece| scan.piece(piece));
        scan.end();
    }
    let seen = black_box(scan.finish());
    assert!(seen.unscanned.is_empty(), "{:?}", seen.unscanned);
}

/// Made-up packuments, with their releases and bytes: a small one, one of many years, one of the largest.
const DOCUMENTS: [(&str, usize, usize); 3] =
    [("10 versions", 10, 30_000), ("300 versions", 300, 800_000), ("2,500 versions", 2_500, 9_000_000)];

/// Made-up tarballs, with their files and unpacked bytes: the median of npm's, a larger one, one of the largest that are
/// common, one as large as the largest of all.
const TARBALLS: [(&str, usize, usize); 4] = [
    ("30 KB packed", 20, 120_000),
    ("300 KB packed", 120, 1_200_000),
    ("6 MB packed", 1_500, 24_000_000),
    ("40 MB packed", 8_000, 160_000_000),
];

/// What each made-up input is called.
pub fn inputs() -> impl Iterator<Item = &'static str> {
    DOCUMENTS.into_iter().chain(TARBALLS).map(|(input, _, _)| input)
}

/// What the input of that name goes through.
pub fn of_input(input: &str) -> Vec<Part> {
    if let Some((name, releases, bytes)) = DOCUMENTS.into_iter().find(|(name, _, _)| *name == input) {
        let body = samples::packument::document(releases, bytes);
        return of_packument(&Document::new(PackageId::npm("big").unwrap(), name, body.into()));
    }
    let (name, files, bytes) = TARBALLS.into_iter().find(|(name, _, _)| *name == input).unwrap();
    of_tarball(Tarball::new(name, samples::tarball::packed(files, bytes)))
}

fn now() -> Timestamp {
    Timestamp::parse(NOW).unwrap()
}

fn judged(index: &Index) -> Standings {
    judge_all(index, &PackageState::default(), &Policy::default(), &Context::default(), |text| Npm.substance(text), now())
}

fn joined(index: &Index) -> Index {
    join(index, &Before::Nothing, &PackageState::default(), now()).index
}

fn sent(exposed: &Exposed, form: &str, body: Bytes) -> Rendered {
    Rendered::new(&BodyKey { stamp: *exposed.stamp(), base: BASE, form, coding: Coding::Gzip }, &MANNER, body, None)
}

/// All that the first sight of a package costs between upstream's answer and the client's, but for the disk: read, joined,
/// written as it is kept, judged, exposed, and rendered in one form, plain and compressed.
fn first_sight(document: &Document, form: Form) {
    let index = joined(&document.read());
    let kept = kept::write(&index);
    black_box(DocumentDigest::of(&kept));
    let exposed = expose(&index, &judged(&index), &Npm);
    let body = packument(&exposed, BASE, form).unwrap();
    black_box(sent(&exposed, "form", body));
}

/// What a packument goes through, part by part and as a whole.
pub fn of_packument(document: &Document) -> Vec<Part> {
    let bytes = document.body().len();
    let index = Rc::new(joined(&document.read()));
    let standings = Rc::new(judged(&index));
    let exposed = Rc::new(expose(&index, &standings, &Npm));
    let full = packument(&exposed, BASE, Form::Full).unwrap();
    let abbreviated = packument(&exposed, BASE, Form::Abbreviated).unwrap();
    let part = |name, act: Box<dyn Fn()>| Part { name, input: document.input.clone(), bytes, act };
    let read = document.clone();
    let (whole, brief) = (document.clone(), document.clone());
    let to_join = Rc::clone(&index);
    let to_write = Rc::clone(&index);
    let to_judge = Rc::clone(&index);
    let (to_render, to_shorten) = (Rc::clone(&exposed), Rc::clone(&exposed));
    let (to_send, to_send_brief) = (Rc::clone(&exposed), Rc::clone(&exposed));
    vec![
        part("read", Box::new(move || drop(black_box(read.read())))),
        part("join", Box::new(move || drop(black_box(joined(&to_join))))),
        part("write", Box::new(move || drop(black_box(kept::write(&to_write))))),
        part("judge", Box::new(move || drop(black_box(judged(&to_judge))))),
        part("expose", Box::new(move || drop(black_box(expose(&index, &standings, &Npm))))),
        part("render full", Box::new(move || drop(black_box(packument(&to_render, BASE, Form::Full).unwrap())))),
        part("render abbreviated", Box::new(move || drop(black_box(packument(&to_shorten, BASE, Form::Abbreviated).unwrap())))),
        part("compress full", Box::new(move || drop(black_box(sent(&to_send, "full", full.clone()))))),
        part("compress abbreviated", Box::new(move || drop(black_box(sent(&to_send_brief, "abbreviated", abbreviated.clone()))))),
        part("first sight, full", Box::new(move || first_sight(&whole, Form::Full))),
        part("first sight, abbreviated", Box::new(move || first_sight(&brief, Form::Abbreviated))),
    ]
}

/// What a tarball goes through before its first byte may leave.
fn of_tarball(tarball: Tarball) -> Vec<Part> {
    let package = PackageId::npm("big").unwrap();
    let version = Version::parse("1.0.0").unwrap();
    let bytes = usize::try_from(tarball.inspect(&package, &version)).unwrap();
    let tarball = Rc::new(tarball);
    let part = |name, act: Box<dyn Fn()>| Part { name, input: tarball.input.clone(), bytes, act };
    let (hashed, unpacked, whole, compared) = (Rc::clone(&tarball), Rc::clone(&tarball), Rc::clone(&tarball), Rc::clone(&tarball));
    let (named, other) = ((package.clone(), version.clone()), (package.clone(), version.clone()));
    let after = Npm.profile(&package, &version, samples::tarball::MANIFEST.as_bytes(), &tarball.packed).unwrap();
    let files = tarball.files();
    vec![
        part("hash", Box::new(move || hashed.hash())),
        part("scan", Box::new(move || scan(&files))),
        part("compare", Box::new(move || compared.compare(&other.0, &other.1, &after))),
        part(
            "unpack and check",
            Box::new(move || {
                black_box(unpacked.inspect(&named.0, &named.1));
            }),
        ),
        part(
            "inspection",
            Box::new(move || {
                whole.hash();
                black_box(whole.inspect(&package, &version));
            }),
        ),
    ]
}
