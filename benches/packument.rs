//! How long a large packument takes to be read, judged, exposed and rendered: `cargo bench --bench packument`. With files
//! as arguments (`-- FILE…`) those packuments instead, and which of their releases cannot be read.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::panic,
    reason = "a bench says what is wrong by failing, and what it found by printing"
)]

use std::fmt::Write as _;
use std::time::Instant;

use airlock::catalog::exposure::expose;
use airlock::config::policy::Policy;
use airlock::ecosystem::Ecosystem;
use airlock::ecosystem::Fetched;
use airlock::ecosystem::Reading;
use airlock::ecosystem::UpstreamPath;
use airlock::model::digest::DocumentDigest;
use airlock::model::index::Index;
use airlock::model::package::PackageId;
use airlock::model::time::Timestamp;
use airlock::protocol::npm::Npm;
use airlock::protocol::npm::render::Form;
use airlock::protocol::npm::render::packument;
use airlock::quarantine::judge::judge_all;
use airlock::storage::record::PackageState;
use bytes::Bytes;

const ROUNDS: u32 = 9;
const VERSIONS: usize = 2_500;
/// Releases younger than the minimum age.
const HELD: usize = 60;

/// A release as large real packages have them: some sixty dependencies, scripts, people, signatures.
fn manifest(version: &str, bytes: usize) -> String {
    let mut text = format!(r#"{{"name":"big","version":"{version}","description":"A big package","keywords":["big","package"],"#);
    text += r#""license":"MIT","author":{"name":"Ann","email":"ann@mail.example"},"main":"./dist/index.js","scripts":{"build":"tsc","test":"jest"},"#;
    text += r#""dependencies":{"#;
    while text.len() < bytes.saturating_sub(900) {
        let n = text.len();
        write!(text, r#""@scope/dependency-{n}":"^{}.{}.0","#, n % 9, n % 23).unwrap();
    }
    text += r#""last":"1.0.0"},"engines":{"node":">=18"},"_npmUser":{"name":"ann","email":"ann@mail.example"},"maintainers":[{"name":"ann","email":"ann@mail.example"}],"#;
    text += r#""dist":{"integrity":"sha512-z4PhNX7vuL3xVChQ1m2AB9Yg5AULVxXcg/SpIdNs6c5H0NE8XYXysP+DGNKHfuwvY7kxvUdBeoGlODJ6+SfaPg==","shasum":"da39a3ee5e6b4b0d3255bfef95601890afd80709","#;
    write!(text, r#""tarball":"https://registry.example/big/-/big-{version}.tgz","fileCount":120,"unpackedSize":345678,"#).unwrap();
    text += r#""signatures":[{"keyid":"SHA256:abcdef","sig":"MEUCIQDabcdefghijklmnopqrstuvwxyz0123456789"}]},"directories":{},"_hasShrinkwrap":false}"#;
    text
}

fn document(bytes: usize) -> String {
    let versions: Vec<String> = (0..VERSIONS).map(|n| format!("{}.{}.{}", n / 500, n / 20 % 25, n % 20)).collect();
    let manifests: Vec<String> = versions.iter().map(|version| format!(r#""{version}":{}"#, manifest(version, bytes / VERSIONS))).collect();
    let time = |n: usize| if n + HELD < VERSIONS { "2024-03-01T00:00:00.000Z" } else { "2026-11-19T00:00:00.000Z" };
    let times: Vec<String> = versions.iter().enumerate().map(|(n, version)| format!(r#""{version}":"{}""#, time(n))).collect();
    format!(
        r#"{{"_id":"big","name":"big","dist-tags":{{"latest":"{}"}},"versions":{{{}}},"time":{{"created":"2020-01-01T00:00:00Z",{}}}}}"#,
        versions.last().unwrap(),
        manifests.join(","),
        times.join(",")
    )
}

/// The quickest of a few rounds, in milliseconds, and what came of it.
fn timed<T>(what: &str, mut act: impl FnMut() -> T) -> T {
    let mut best = f64::MAX;
    let mut made = act();
    for _ in 0..ROUNDS {
        let start = Instant::now();
        made = act();
        best = best.min(start.elapsed().as_secs_f64() * 1_000.0);
    }
    println!("  {what:<12} {best:8.2} ms");
    made
}

fn read(package: &PackageId, fetched: &[Fetched]) -> Index {
    match Npm.read(package, fetched).unwrap() {
        Reading::Complete(index) => index,
        Reading::NeedMore(_) => panic!("npm needs one document"),
    }
}

fn measure(package: &PackageId, body: Bytes) {
    let now = Timestamp::parse("2026-11-20T14:05:00Z").unwrap();
    let (state, policy) = (PackageState::default(), Policy::default());
    let fetched = [Fetched { path: UpstreamPath(String::new()), body }];
    timed("digest", || Fetched::digest(&fetched));
    let index = timed("read", || read(package, &fetched));
    println!("{package}: {} releases, {} bytes", index.rows.len(), fetched[0].body.len());
    for row in index.rows.iter().filter(|row| row.unreadable.is_some()) {
        println!("  unreadable {}: {}", row.version, row.unreadable.as_deref().unwrap_or_default());
    }
    for row in index.rows.iter().filter(|row| !row.claims.exotic_dependencies.is_empty()) {
        println!("  exotic {}: {:?}", row.version, row.claims.exotic_dependencies);
    }
    for artifact in index.rows.iter().flat_map(|row| &row.artifacts).filter(|artifact| !artifact.aliases.is_empty()) {
        println!("  irregular {}: {:?}", artifact.file, artifact.aliases);
    }
    for artifact in index.rows.iter().flat_map(|row| &row.artifacts).filter(|artifact| artifact.integrity.unreadable.is_some()) {
        println!("  integrity {}: {:?}", artifact.file, artifact.integrity.unreadable);
    }
    let standings = timed("judge", || judge_all(&index, &state, &policy, DocumentDigest::of, now));
    let exposed = timed("expose", || expose(&index, &standings, &Npm));
    println!("  listed {}, withheld {}", exposed.releases().len(), exposed.withheld_total());
    timed("full", || packument(&exposed, "https://gate.example", Form::Full).unwrap());
    timed("abbreviated", || packument(&exposed, "https://gate.example", Form::Abbreviated).unwrap());
}

fn main() {
    let files: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with("--")).collect();
    for file in &files {
        #[derive(serde::Deserialize)]
        struct Named {
            name: String,
        }
        let body = std::fs::read(file).unwrap();
        let named: Named = serde_json::from_slice(&body).unwrap();
        measure(&PackageId::npm(&named.name).unwrap(), body.into());
    }
    if files.is_empty() {
        for bytes in [9_000_000, 25_000_000] {
            measure(&PackageId::npm("big").unwrap(), document(bytes).into());
        }
    }
}
