//! The pure parts of Airlock, timed by criterion (in processor time) and counted by callgrind. `make bench` does both.
//!
//! `cargo bench --bench pure` times; criterion's own arguments work, such as a name to filter by.
//! `cargo bench --bench pure -- --counts` counts instructions under valgrind.
//! `cargo bench --bench pure -- --limits` goes through the worst archives that can be sent, and prints what they cost.
//! `cargo bench --bench pure -- FILE…` times what those packuments go through, and says what is odd about them.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::panic,
    reason = "a bench says what is wrong by failing, and what it found by printing"
)]

mod counts;
mod cpu;
mod limits;
mod parts;
mod samples;

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use airlock::model::package::PackageId;
use criterion::BenchmarkId;
use criterion::Criterion;
use criterion::Throughput;

use crate::cpu::CpuTime;
use crate::parts::Document;
use crate::parts::Part;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let named: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match *named.as_slice() {
        ["--counts"] => counts::compare(),
        ["--counted", input] => {
            counts::run(&parts::of_input(input));
            ExitCode::SUCCESS
        }
        ["--limits"] => limits::compare(),
        ["--limited", file] => {
            limits::run(Path::new(file));
            ExitCode::SUCCESS
        }
        ref files if !files.is_empty() && files.iter().all(|file| Path::new(file).is_file()) => {
            let documents: Vec<Document> = files.iter().map(|file| given(file)).collect();
            let mut criterion = patience();
            documents.iter().for_each(remark);
            documents.iter().for_each(|document| time(&mut criterion, "given", &parts::of_packument(document)));
            ExitCode::SUCCESS
        }
        _ => {
            let mut criterion = patience().configure_from_args();
            parts::inputs().for_each(|input| time(&mut criterion, "made up", &parts::of_input(input)));
            criterion.final_summary();
            ExitCode::SUCCESS
        }
    }
}

/// How long each part is measured: some fifty of them must not take more than a few minutes.
fn patience() -> Criterion<CpuTime> {
    Criterion::default()
        .with_measurement(CpuTime)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_millis(1_500))
        .sample_size(10)
        .without_plots()
}

fn time(criterion: &mut Criterion<CpuTime>, group: &str, parts: &[Part]) {
    let mut group = criterion.benchmark_group(group);
    for part in parts {
        group.throughput(Throughput::Bytes(part.bytes as u64));
        group.bench_function(BenchmarkId::new(part.name, &part.input), |bencher| bencher.iter(|| (part.act)()));
    }
    group.finish();
}

/// A packument from a file, measured under the file's name.
fn given(file: &str) -> Document {
    #[derive(serde::Deserialize)]
    struct Named {
        name: String,
    }
    let body = std::fs::read(file).unwrap();
    let named: Named = serde_json::from_slice(&body).unwrap();
    Document::new(PackageId::npm(&named.name).unwrap(), &named.name, body.into())
}

/// What is odd in a packument: what cannot be read of it, and what is not as registries have it.
fn remark(document: &Document) {
    let index = document.read();
    println!("{}: {} releases, {} bytes", document.package, index.rows.len(), document.body().len());
    for row in &index.rows {
        if let Some(why) = &row.unreadable {
            println!("  unreadable {}: {why}", row.version);
        }
        if !row.claims.exotic_dependencies.is_empty() {
            println!("  exotic {}: {:?}", row.version, row.claims.exotic_dependencies);
        }
        for artifact in &row.artifacts {
            if !artifact.aliases.is_empty() {
                println!("  irregular {}: {:?}", artifact.file, artifact.aliases);
            }
            if let Some(why) = &artifact.integrity.unreadable {
                println!("  integrity {}: {why}", artifact.file);
            }
        }
    }
}
