//! What a large release costs while it is published, as the real binary does it.

use std::fmt::Write;

use flate2::Compression;
use flate2::write::GzEncoder;

use crate::support::binary::Launch;
use crate::support::binary::Server;
use crate::support::http::Call;
use crate::support::publish::Publish;
use crate::support::scenario::Scenario;

const TARBALL_BYTES: usize = 30_000_000;
/// More than it took when it did nothing.
const GROWTH_BYTES_MAX: u64 = 100 * 1_024 * 1_024;
/// The same with four at once.
const GROWTH_OF_FOUR_BYTES_MAX: u64 = 250 * 1_024 * 1_024;

/// A line of `/proc/<pid>/status`, in bytes.
fn status(server: &Server, field: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.process_id())).unwrap();
    let line = status.lines().find(|line| line.starts_with(field)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1_024
}

/// From here on the most that it takes is counted anew.
fn forget_the_most(server: &Server) {
    std::fs::write(format!("/proc/{}/clear_refs", server.process_id()), "5").unwrap();
}

/// A release of a file that would not shrink, and is not tried to: that takes long here.
fn large(name: &str, seed: u64) -> Publish {
    let mut state = seed | 1;
    let mut body = Vec::with_capacity(TARBALL_BYTES + 8);
    while body.len() < TARBALL_BYTES {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        body.extend_from_slice(&state.to_le_bytes());
    }
    let publish = Publish::new(name, "1.0.0");
    let mut archive = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::none()));
    let manifest = publish.package_json().to_string();
    for (path, content) in [("package/package.json", manifest.as_bytes()), ("package/large.bin", &body)] {
        let mut header = tar::Header::new_ustar();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        archive.append_data(&mut header, path, content).unwrap();
    }
    let tarball = archive.into_inner().unwrap().finish().unwrap();
    Publish { tarball: Some(tarball.into()), ..publish }
}

fn call(server: &Server, publish: &Publish) -> Call {
    let call = Call::new(server.address(), "PUT", &format!("/{}", publish.segment())).bearer(&server.admin_token());
    call.header("content-type", "application/json").body(publish.body().to_string().as_bytes())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_release_of_30_mb_is_published_within_100_mb() {
    let upstream = Scenario::live().start().await;
    let config = "[policy]\nsubmissions = \"trusted\"\nprivate_scopes = [\"@acme\"]\n";
    let server = Launch::at(&upstream).config(config).start().await;
    let small = call(&server, &Publish::new("@acme/small", "1.0.0")).send().await;
    assert_eq!(small.status, 201, "{}", small.text());
    let idle = status(&server, "VmRSS:");
    forget_the_most(&server);
    let one = call(&server, &large("@acme/web", 1)).send().await;
    assert_eq!(one.status, 201, "{}", one.text());
    let grown = status(&server, "VmHWM:").saturating_sub(idle);

    forget_the_most(&server);
    let four = [2, 3, 4, 5].map(|seed| call(&server, &large(&format!("@acme/web-{seed}"), seed)));
    let [a, b, c, d] = four.map(Call::send);
    for reply in <[_; 4]>::from(tokio::join!(a, b, c, d)) {
        assert_eq!(reply.status, 201, "{}", reply.text());
    }
    let grown_by_four = status(&server, "VmHWM:").saturating_sub(idle);
    let mut figures = String::new();
    _ = write!(figures, "idle {idle}, one {grown} more, four {grown_by_four} more");
    println!("{figures}");
    assert!(grown < GROWTH_BYTES_MAX && grown_by_four < GROWTH_OF_FOUR_BYTES_MAX, "{figures}");
    let tarball = Call::get(server.address(), "/@acme/web/-/web-1.0.0.tgz").send().await;
    assert_eq!((tarball.status, tarball.body.len() > TARBALL_BYTES), (200, true));
}
