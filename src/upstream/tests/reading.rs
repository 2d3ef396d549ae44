//! Bodies: their size, their end, their encoding and their speed.

use std::time::Duration;

use crate::upstream::Document;
use crate::upstream::UpstreamError;
use crate::upstream::Upstreams;
use crate::upstream::guard::Guard;
use crate::upstream::tests::clock;
use crate::upstream::tests::config;
use crate::upstream::tests::package;
use crate::upstream::tests::plain;
use crate::upstream::tests::responder::Reply;
use crate::upstream::tests::responder::Responder;
use crate::upstream::tests::responder::gzip;
use crate::upstream::tests::upstreams;

const MAX: u64 = 1_000;

fn limited(base: &str) -> Upstreams {
    let mut config = config();
    config.index_bytes_max = MAX;
    config.artifact_bytes_max = 2 * MAX;
    upstreams(&config, base, &clock(), Guard::system())
}

fn body(document: Result<Document, UpstreamError>) -> Result<Vec<u8>, UpstreamError> {
    match document? {
        Document::Fresh { body, .. } => Ok(body.to_vec()),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_body_that_ends_early_is_truncated_and_retried() {
    let zipped = gzip(&[b'x'; 900]);
    let cut = &zipped[..zipped.len() - 9];
    for reply in [
        Reply::raw(200, &[("content-length", "9")], "short").then_close(),
        Reply::raw(200, &[("content-length", "9")], "").then_close(),
        Reply::chunked(b"short", false),
        Reply::new(200, &[("content-encoding", "gzip")], cut),
    ] {
        let again = reply.clone();
        let registry = Responder::start(move |_| again.clone()).await;
        let upstreams = plain(&registry.url(""));
        assert_eq!(upstreams.document(&package("a"), "a", None).await, Err(UpstreamError::Truncated), "{reply:?}");
        assert_eq!(upstreams.artifact(&package("a"), "a", "f").await, Err(UpstreamError::Truncated), "{reply:?}");
        assert_eq!(registry.hits(), 6);
    }
}

#[tokio::test]
async fn a_body_over_its_limit_is_refused_and_not_retried() {
    let registry = Responder::start(|asked| {
        let (kind, bytes) = asked.target[1..].split_once('-').unwrap();
        let body = vec![b'x'; if kind == "promise" { 0 } else { bytes.parse().unwrap() }];
        match kind {
            "length" => Reply::ok(&body),
            "chunked" => Reply::chunked(&body, true),
            "open" => Reply::raw(200, &[], &body).then_close(),
            // Nothing but the promise: it must be refused before the body comes.
            "promise" => Reply::raw(200, &[("content-length", bytes)], "").then_silence(),
            _ => Reply::new(200, &[("content-encoding", "gzip")], gzip(&body)),
        }
    })
    .await;
    let upstreams = limited(&registry.url(""));
    let a = package("a");
    for kind in ["length", "chunked", "open", "gzip"] {
        assert_eq!(body(upstreams.document(&a, &format!("{kind}-1000"), None).await), Ok(vec![b'x'; 1_000]), "{kind}");
        let over = upstreams.document(&a, &format!("{kind}-1001"), None).await;
        assert_eq!(over, Err(UpstreamError::TooLarge { max: MAX }), "{kind}");
        assert_eq!(upstreams.artifact(&a, &format!("{kind}-2000"), "f").await.map(|bytes| bytes.len()), Ok(2_000), "{kind}");
        let over = upstreams.artifact(&a, &format!("{kind}-2001"), "f").await;
        assert_eq!(over, Err(UpstreamError::TooLarge { max: 2 * MAX }), "{kind}");
    }
    let promised = upstreams.document(&a, "promise-99999999999", None).await;
    assert_eq!(promised, Err(UpstreamError::TooLarge { max: MAX }));
    assert_eq!(registry.hits(), 17, "none was retried");
}

#[tokio::test]
async fn a_gzip_bomb_ends_at_the_limit() {
    let bomb = gzip(&vec![0; 50_000_000]);
    assert!(bomb.len() < 500_000, "{}", bomb.len());
    let registry = Responder::start(move |_| Reply::new(200, &[("content-encoding", "gzip")], &bomb)).await;
    let mut config = config();
    config.index_bytes_max = 1_000_000;
    let upstreams = upstreams(&config, &registry.url(""), &clock(), Guard::system());
    let bombed = upstreams.document(&package("a"), "a", None).await;
    assert_eq!(bombed, Err(UpstreamError::TooLarge { max: 1_000_000 }));
    assert_eq!(registry.hits(), 1);
}

#[tokio::test]
async fn an_encoding_that_was_not_asked_for_is_garbled() {
    let registry = Responder::start(|asked| Reply::new(200, &[("content-encoding", &asked.target[1..])], "x")).await;
    let upstreams = plain(&registry.url(""));
    for encoding in ["br", "zstd", "deflate", "aes128gcm"] {
        let error = upstreams.document(&package("a"), encoding, None).await.unwrap_err();
        assert!(matches!(error, UpstreamError::Garbled { .. }), "{encoding} {error}");
    }
    assert_eq!(body(upstreams.document(&package("a"), "identity", None).await), Ok(b"x".to_vec()));
}

/// Each piece comes in time, the whole never does.
#[tokio::test]
async fn an_endless_body_is_given_up() {
    let registry = Responder::start(|_| Reply::dripping()).await;
    let mut config = config();
    config.timeout = Duration::from_millis(50);
    config.retries = 0;
    let upstreams = upstreams(&config, &registry.url(""), &clock(), Guard::system());
    let error = upstreams.document(&package("a"), "a", None).await.unwrap_err();
    assert!(matches!(&error, UpstreamError::Unreachable { why, .. } if why == "it took too long"), "{error}");
}

/// This one and the one before wait, for timeouts that nothing but the passing of time brings about.
#[tokio::test]
async fn an_upstream_that_stops_talking_is_given_up() {
    for reply in [
        Reply::default().then_silence(),
        Reply::raw(200, &[("content-length", "9")], "").then_silence(),
        Reply::raw(200, &[("content-length", "9")], "short").then_silence(),
    ] {
        let again = reply.clone();
        let registry = Responder::start(move |_| again.clone()).await;
        let mut config = config();
        config.timeout = Duration::from_millis(50);
        config.retries = 1;
        let upstreams = upstreams(&config, &registry.url(""), &clock(), Guard::system());
        let error = upstreams.artifact(&package("a"), "a", "f").await.unwrap_err();
        assert!(matches!(&error, UpstreamError::Unreachable { why, .. } if why == "it took too long"), "{reply:?} {error}");
        assert!(error.is_outage());
    }
}
