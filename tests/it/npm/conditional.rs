//! What a client holds already: ETags, 304, codings, and what a cache may do with an answer.

use std::io::Read;

use tokio::io::AsyncReadExt;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use super::BRIEF;
use super::FULL;
use crate::support::airlock::Airlock;
use crate::support::http::Reply;
use crate::support::scenario::Scenario;
use crate::support::within;

async fn ask(airlock: &Airlock, path: &str, headers: &[(&str, &str)]) -> Reply {
    headers.iter().fold(airlock.call("GET", path), |call, (name, value)| call.header(name, value)).send().await
}

async fn etag(airlock: &Airlock, accept: &str) -> String {
    ask(airlock, "/left-pad", &[("accept", accept)]).await.header("etag").unwrap().to_owned()
}

async fn left_pad() -> Airlock {
    Scenario::new()
        .package("left-pad", |p| {
            // Long enough that packing it is worth it.
            p.release("1.0.0").field("bin", serde_json::json!({"pad": format!("./{}.js", "pad".repeat(700))}));
            p.release("1.1.0").age("9h");
        })
        .gated()
        .await
}

fn assert_unchanged(reply: &Reply, etag: &str) {
    assert_eq!((reply.status, reply.body.len()), (304, 0));
    assert_eq!(reply.header("etag"), Some(etag));
    assert_eq!(reply.header("vary"), Some("accept, accept-encoding"));
    assert_eq!(reply.header("cache-control"), Some("no-cache"));
}

#[tokio::test]
async fn packuments_are_asked_for_again_each_time() {
    let airlock = left_pad().await;
    for (path, accept) in [("/left-pad", FULL), ("/left-pad", BRIEF), ("/left-pad/1.0.0", FULL), ("/left-pad/latest", FULL)] {
        let reply = ask(&airlock, path, &[("accept", accept)]).await;
        assert_eq!((reply.header("cache-control"), reply.header("vary")), (Some("no-cache"), Some("accept, accept-encoding")), "{path}");
        assert!(reply.header("etag").unwrap().starts_with('"') && reply.header("etag").unwrap().ends_with('"'));
        assert_eq!(reply.header("content-length").unwrap(), reply.body.len().to_string());
    }
}

#[tokio::test]
async fn what_a_client_holds_is_not_sent_again() {
    let airlock = left_pad().await;
    for accept in [FULL, BRIEF] {
        let held = etag(&airlock, accept).await;
        for said in [held.clone(), format!("W/{held}"), format!("\"a\", {held}, \"b\""), "*".to_owned()] {
            assert_unchanged(&ask(&airlock, "/left-pad", &[("accept", accept), ("if-none-match", &said)]).await, &held);
            let head = airlock.call("HEAD", "/left-pad").header("accept", accept).header("if-none-match", &said).send().await;
            assert_unchanged(&head, &held);
        }
        assert_eq!(ask(&airlock, "/left-pad", &[("accept", accept), ("if-none-match", "\"other\"")]).await.status, 200);
    }
}

#[tokio::test]
async fn the_tag_of_one_form_is_not_that_of_the_other() {
    let airlock = left_pad().await;
    let (full, brief) = (etag(&airlock, FULL).await, etag(&airlock, BRIEF).await);
    assert_ne!(full, brief);
    // pnpm asks for the full form with the abbreviated form's tag and date.
    let abbreviated = ask(&airlock, "/left-pad", &[("accept", BRIEF)]).await;
    let modified = abbreviated.header("last-modified").unwrap();
    let asked = [("accept", FULL), ("if-none-match", &brief), ("if-modified-since", modified)];
    assert_eq!(ask(&airlock, "/left-pad", &asked).await.status, 200);
    let one = ask(&airlock, "/left-pad/1.0.0", &[]).await;
    assert!(![full.as_str(), brief.as_str()].contains(&one.header("etag").unwrap()));
}

#[tokio::test]
async fn if_none_match_beats_if_modified_since() {
    let airlock = left_pad().await;
    let modified = ask(&airlock, "/left-pad", &[]).await.header("last-modified").unwrap().to_owned();
    let held = ask(&airlock, "/left-pad", &[]).await.header("etag").unwrap().to_owned();
    assert_unchanged(&ask(&airlock, "/left-pad", &[("if-modified-since", &modified)]).await, &held);
    let (past, future) = ("Thu, 01 Jan 2015 00:00:00 GMT", "Fri, 01 Jan 2027 00:00:00 GMT");
    assert_eq!(ask(&airlock, "/left-pad", &[("if-modified-since", past)]).await.status, 200);
    for since in [modified.as_str(), future] {
        let other = [("if-none-match", "\"other\""), ("if-modified-since", since)];
        assert_eq!(ask(&airlock, "/left-pad", &other).await.status, 200, "a tag that does not match settles it");
    }
    assert_unchanged(&ask(&airlock, "/left-pad", &[("if-none-match", &held), ("if-modified-since", past)]).await, &held);
}

#[tokio::test]
async fn a_release_that_opens_changes_the_tag_and_the_date() {
    let airlock = left_pad().await;
    for accept in [FULL, BRIEF] {
        let before = ask(&airlock, "/left-pad", &[("accept", accept)]).await;
        assert!(!before.text().contains("left-pad-1.1.0.tgz"));
    }
    let held: Vec<Reply> =
        vec![ask(&airlock, "/left-pad", &[("accept", FULL)]).await, ask(&airlock, "/left-pad", &[("accept", BRIEF)]).await];
    // One second before it opens, and when it opens. Upstream's document stays the same all the time.
    airlock.advance("6d 14h 59m 59s");
    assert!(!ask(&airlock, "/left-pad", &[]).await.text().contains("left-pad-1.1.0.tgz"));
    airlock.advance("1s");
    for (accept, held) in [FULL, BRIEF].into_iter().zip(&held) {
        let (tag, date) = (held.header("etag").unwrap(), held.header("last-modified").unwrap());
        for conditions in
            [vec![("if-none-match", tag)], vec![("if-modified-since", date)], vec![("if-none-match", tag), ("if-modified-since", date)]]
        {
            let conditions: Vec<(&str, &str)> = [vec![("accept", accept)], conditions].concat();
            let after = ask(&airlock, "/left-pad", &conditions).await;
            assert_eq!(after.status, 200, "{conditions:?}");
            assert!(after.text().contains("left-pad-1.1.0.tgz"));
            assert_ne!(after.header("etag"), Some(tag));
        }
    }
    assert!(airlock.upstream.requests("/left-pad").iter().skip(1).all(|received| received.answered == 304));
}

#[tokio::test]
async fn a_decision_changes_the_tag_at_once() {
    let airlock = left_pad().await;
    let before = etag(&airlock, FULL).await;
    assert_eq!(airlock.decide("left-pad", "1.0.0", "reject", "no longer wanted").await.status, 200);
    assert_ne!(etag(&airlock, FULL).await, before);
    assert_eq!(airlock.listed("left-pad").await, [""; 0]);
    assert_eq!(airlock.decide("left-pad", "1.0.0", "reopen", "a mistake").await.status, 200);
    assert_eq!(airlock.listed("left-pad").await, ["1.0.0"]);
    assert_eq!(etag(&airlock, FULL).await, before, "the same document, the same instant");
}

#[tokio::test]
async fn the_tag_covers_the_base_address() {
    let airlock = left_pad().await;
    let port = airlock.address().port();
    let (one, other) = (format!("localhost:{port}"), format!("127.0.0.1:{port}"));
    let held = ask(&airlock, "/left-pad", &[("host", &one)]).await.header("etag").unwrap().to_owned();
    let moved = ask(&airlock, "/left-pad", &[("host", &other), ("if-none-match", &held)]).await;
    assert_eq!(moved.status, 200);
    assert_ne!(moved.header("etag"), Some(held.as_str()));
}

#[tokio::test]
async fn gzip_and_plain_are_one_document_under_two_tags() {
    let airlock = left_pad().await;
    for (path, accept) in [("/left-pad", FULL), ("/left-pad", BRIEF), ("/left-pad/1.0.0", FULL)] {
        let plain = ask(&airlock, path, &[("accept", accept), ("accept-encoding", "identity")]).await;
        assert_eq!(plain.header("content-encoding"), None);
        for coding in ["gzip", "gzip,deflate", "zstd, gzip", "gzip, deflate, br, zstd", "*"] {
            let coded = ask(&airlock, path, &[("accept", accept), ("accept-encoding", coding)]).await;
            assert_eq!((coded.status, coded.header("content-encoding")), (200, Some("gzip")), "{path} {coding}");
            assert_eq!(coded.header("content-length").unwrap(), coded.body.len().to_string());
            assert_eq!(coded.header("transfer-encoding"), None);
            let mut unpacked = Vec::new();
            flate2::read::GzDecoder::new(&coded.body[..]).read_to_end(&mut unpacked).unwrap();
            assert_eq!(unpacked, plain.body);
            assert_ne!(coded.header("etag"), plain.header("etag"));
            let again = [("accept", accept), ("accept-encoding", coding), ("if-none-match", coded.header("etag").unwrap())];
            assert_unchanged(&ask(&airlock, path, &again).await, coded.header("etag").unwrap());
        }
        for coding in ["gzip;q=0", "br", "deflate", "identity, gzip;q=0.1"] {
            let reply = ask(&airlock, path, &[("accept", accept), ("accept-encoding", coding)]).await;
            assert_eq!((reply.header("content-encoding"), &reply.body), (None, &plain.body), "{coding}");
        }
    }
}

#[tokio::test]
async fn a_warm_packument_is_rendered_once_and_asks_nobody() {
    let airlock = left_pad().await;
    let metric = async |name: &str| {
        let text = airlock.get("/-/airlock/metrics").await.text();
        text.lines().find_map(|line| line.strip_prefix(name)?.trim().parse::<f64>().ok()).unwrap_or_else(|| panic!("{name}: {text}"))
    };
    for coding in ["gzip", "identity"] {
        _ = ask(&airlock, "/left-pad", &[("accept-encoding", coding)]).await;
    }
    let builds = metric("airlock_body_cache_builds_total ").await;
    for coding in ["gzip", "identity", "gzip"] {
        _ = ask(&airlock, "/left-pad", &[("accept-encoding", coding)]).await;
    }
    assert_eq!(builds, 2.0, "a body for each coding that was asked for");
    assert_eq!(metric("airlock_body_cache_builds_total ").await, builds);
    assert_eq!(airlock.upstream.log().len(), 1);
}

#[tokio::test]
async fn what_a_client_holds_outlives_a_restart() {
    let scenario = Scenario::new().package("left-pad", |p| {
        p.release("1.0.0");
        p.release("1.1.0").age("9h");
    });
    let mut airlock = scenario.gated_by(|config| config.server.public_url = Some("https://npm.acme.example".to_owned())).await;
    let tarball = airlock.tarball("left-pad", "1.0.0").await.header("etag").unwrap().to_owned();
    let (full, brief) = (etag(&airlock, FULL).await, etag(&airlock, BRIEF).await);
    airlock = airlock.restart().await;
    for (accept, held) in [(FULL, &full), (BRIEF, &brief)] {
        assert_unchanged(&ask(&airlock, "/left-pad", &[("accept", accept), ("if-none-match", held)]).await, held);
    }
    assert_eq!(ask(&airlock, "/left-pad/-/left-pad-1.0.0.tgz", &[("if-none-match", &tarball)]).await.status, 304);
}

/// An answer that had a body where none may be would be read as the next answer.
#[tokio::test]
async fn answers_without_a_body_leave_the_connection_in_step() {
    let airlock = left_pad().await;
    assert_eq!(airlock.tarball("left-pad", "1.0.0").await.status, 200);
    let held = etag(&airlock, FULL).await;
    let host = airlock.address();
    let asked = [
        format!("HEAD /left-pad HTTP/1.1\r\nhost: {host}\r\n\r\n"),
        format!("GET /left-pad HTTP/1.1\r\nhost: {host}\r\nif-none-match: {held}\r\n\r\n"),
        format!("HEAD /left-pad/-/left-pad-1.0.0.tgz HTTP/1.1\r\nhost: {host}\r\n\r\n"),
        format!("HEAD /left-pad/1.1.0 HTTP/1.1\r\nhost: {host}\r\n\r\n"),
        format!("HEAD /nobody HTTP/1.1\r\nhost: {host}\r\n\r\n"),
        format!("GET /-/ping HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n"),
    ];
    let mut socket = TcpStream::connect(host).await.unwrap();
    socket.write_all(asked.concat().as_bytes()).await.unwrap();
    let mut answers = String::new();
    within("six answers", socket.read_to_string(&mut answers)).await.unwrap();
    let heads: Vec<&str> = answers.split("\r\n\r\n").map(|head| head.get(..12).unwrap_or(head)).collect();
    assert_eq!(heads, ["HTTP/1.1 200", "HTTP/1.1 304", "HTTP/1.1 200", "HTTP/1.1 403", "HTTP/1.1 404", "HTTP/1.1 200", "{}"], "{answers}");
}
