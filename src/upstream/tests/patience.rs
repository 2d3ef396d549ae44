//! Retries, Retry-After, the breaker, and the log of what failed.

use std::io;
use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;

use tracing_subscriber::fmt::MakeWriter;
use url::Url;

use crate::upstream::Document;
use crate::upstream::UpstreamError;
use crate::upstream::breaker::FAILURES_MAX;
use crate::upstream::breaker::PAUSE;
use crate::upstream::guard::Guard;
use crate::upstream::tests::TOKEN;
use crate::upstream::tests::clock;
use crate::upstream::tests::config;
use crate::upstream::tests::package;
use crate::upstream::tests::plain;
use crate::upstream::tests::responder::Reply;
use crate::upstream::tests::responder::Responder;
use crate::upstream::tests::upstreams;

#[tokio::test]
async fn faults_of_the_moment_are_retried_as_often_as_configured() {
    for (reply, error) in [
        (Reply::status(500), UpstreamError::Failing { status: 500 }),
        (Reply::status(503), UpstreamError::Failing { status: 503 }),
        (Reply::status(429), UpstreamError::Busy { retry_after: None }),
        (Reply::new(429, &[("retry-after", "0")], ""), UpstreamError::Busy { retry_after: Some(Duration::ZERO) }),
        (Reply::new(503, &[("retry-after", "0")], ""), UpstreamError::Busy { retry_after: Some(Duration::ZERO) }),
        (Reply::raw(200, &[("content-length", "9")], "short").then_close(), UpstreamError::Truncated),
    ] {
        for retries in [0, 1, 3] {
            let reply = reply.clone();
            let registry = Responder::start(move |_| reply.clone()).await;
            let mut config = config();
            config.retries = retries;
            let upstreams = upstreams(&config, &registry.url(""), &clock(), Guard::system());
            assert_eq!(upstreams.document(&package("a"), "a", None).await, Err(error.clone()));
            assert_eq!(registry.hits(), retries as usize + 1, "{error}");
            let condition = upstreams.condition().remove(0);
            assert_eq!((condition.retries, condition.failures), (u64::from(retries), u64::from(retries) + 1));
            assert!(error.is_outage());
        }
    }
}

#[tokio::test]
async fn a_retry_that_succeeds_is_an_answer() {
    let registry = Responder::start(|asked| match asked.before {
        0 => Reply::hang_up(),
        1 => Reply::status(502),
        _ => Reply::ok("body"),
    })
    .await;
    let upstreams = plain(&registry.url(""));
    assert_eq!(upstreams.artifact(&package("a"), "a.tgz", "f").await.as_deref(), Ok(&b"body"[..]));
    assert_eq!(registry.hits(), 3);
}

#[tokio::test]
async fn a_4xx_is_never_retried() {
    let registry = Responder::start(|asked| Reply::status(asked.target[1..].parse().unwrap())).await;
    let upstreams = plain(&registry.url(""));
    let statuses = [400, 401, 402, 403, 405, 406, 408, 409, 418, 422, 425, 451];
    for status in statuses {
        let error = upstreams.document(&package("a"), &status.to_string(), None).await.unwrap_err();
        assert_eq!(error, UpstreamError::Refused { status });
        assert!(!error.is_outage());
    }
    assert_eq!(registry.hits(), statuses.len());
    assert!(!upstreams.condition()[0].breaker_open);
}

#[tokio::test]
async fn an_upstream_that_is_not_there_is_unreachable() {
    let gone = Responder::start(|_| Reply::hang_up()).await;
    let hung_up = plain(&gone.url("")).document(&package("a"), "a", None).await.unwrap_err();
    assert!(matches!(hung_up, UpstreamError::Unreachable { .. }), "{hung_up}");
    assert_eq!(gone.hits(), 3);
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let nobody = format!("http://{}/", free.local_addr().unwrap());
    drop(free);
    let refused = plain(&nobody).document(&package("a"), "a?secret", None).await.unwrap_err();
    assert!(matches!(&refused, UpstreamError::Unreachable { host, why } if host == "127.0.0.1" && !why.contains("secret")), "{refused}");
}

#[tokio::test]
async fn patience_longer_than_a_caller_waits_is_passed_on() {
    for (said, seconds) in [("60", 60), ("Fri, 27 Nov 2026 14:05:30 GMT", 30), ("99999999", 3_600)] {
        let registry = Responder::start(move |_| Reply::new(429, &[("retry-after", said)], "")).await;
        let upstreams = plain(&registry.url(""));
        let error = upstreams.document(&package("a"), "a", None).await.unwrap_err();
        assert_eq!(error, UpstreamError::Busy { retry_after: Some(Duration::from_secs(seconds)) });
        assert_eq!(error.retry_after(), Some(Duration::from_secs(seconds)));
        assert_eq!(registry.hits(), 1, "it asked us not to come back at once");
    }
}

#[tokio::test]
async fn the_breaker_opens_lets_one_probe_pass_and_closes() {
    let well = Arc::new(Mutex::new(false));
    let state = Arc::clone(&well);
    let registry = Responder::start(move |_| if *state.lock().unwrap() { Reply::ok("{}") } else { Reply::status(500) }).await;
    let mut config = config();
    config.retries = 0;
    let clock = clock();
    let upstreams = upstreams(&config, &registry.url(""), &clock, Guard::system());
    let ask = async || upstreams.document(&package("a"), "a", None).await;
    let failures = usize::try_from(FAILURES_MAX).unwrap();
    for _ in 0..failures {
        assert_eq!(ask().await, Err(UpstreamError::Failing { status: 500 }));
    }
    let open = |retry_after| Err(UpstreamError::BreakerOpen { retry_after });
    assert_eq!(ask().await, open(PAUSE));
    assert!(upstreams.condition()[0].breaker_open);
    assert_eq!(registry.hits(), failures);
    clock.advance(PAUSE);
    assert_eq!(ask().await, Err(UpstreamError::Failing { status: 500 }), "the probe");
    assert_eq!(ask().await, open(PAUSE * 2));
    assert_eq!(registry.hits(), failures + 1);
    *well.lock().unwrap() = true;
    clock.advance(PAUSE * 2);
    assert!(matches!(ask().await, Ok(Document::Fresh { .. })));
    assert!(!upstreams.condition()[0].breaker_open);
    assert!(matches!(ask().await, Ok(Document::Fresh { .. })));
}

#[tokio::test]
async fn retries_stop_when_the_breaker_opens() {
    let registry = Responder::start(|_| Reply::status(500)).await;
    let mut config = config();
    config.retries = 10;
    let upstreams = upstreams(&config, &registry.url(""), &clock(), Guard::system());
    assert_eq!(upstreams.document(&package("a"), "a", None).await, Err(UpstreamError::BreakerOpen { retry_after: PAUSE }));
    assert_eq!(registry.hits(), usize::try_from(FAILURES_MAX).unwrap());
}

#[tokio::test]
async fn a_failing_origin_of_tarballs_does_not_open_the_upstreams_breaker() {
    let registry = Responder::start(|_| Reply::ok("{}")).await;
    let files = Responder::start(|_| Reply::status(500)).await;
    let mut config = config();
    config.retries = 10;
    config.tarball_origins = vec![Url::parse(&files.url("")).unwrap()];
    let upstreams = upstreams(&config, &registry.url(""), &clock(), Guard::system());
    let artifact = upstreams.artifact(&package("a"), &files.url("a.tgz"), "f").await;
    assert_eq!(artifact, Err(UpstreamError::BreakerOpen { retry_after: PAUSE }));
    assert!(upstreams.document(&package("a"), "a", None).await.is_ok());
}

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Lines;

    fn make_writer(&'a self) -> Lines {
        self.clone()
    }
}

/// One thread, so that the fetch's task logs here too.
#[tokio::test]
async fn a_failure_is_logged_once_with_host_and_path_and_no_secret() {
    let lines = Lines::default();
    let subscriber = tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_ansi(false).with_writer(lines.clone()).finish();
    let logged = tracing::subscriber::set_default(subscriber);
    let registry = Responder::start(|_| Reply::status(500)).await;
    let upstreams = plain(&registry.url(""));
    let location = registry.url("a/-/a-1.0.0.tgz?signature=canary-query");
    let a = package("a");
    // With a single subscriber, a line that another thread reaches first is switched off for all: reach it, then have
    // the switches set anew.
    assert!(upstreams.artifact(&a, &location, "f").await.is_err());
    tracing::callsite::rebuild_interest_cache();
    lines.0.lock().unwrap().clear();
    let (first, second) = tokio::join!(upstreams.artifact(&a, &location, "f"), upstreams.artifact(&a, &location, "f"));
    assert!(first.is_err() && second.is_err());
    let debug = format!("{upstreams:?}");
    drop(logged);
    let log = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
    let ours: Vec<&str> = log.lines().filter(|line| line.contains("airlock::upstream")).collect();
    assert_eq!(ours.len(), 1, "{log}");
    assert!(ours[0].contains("WARN") && ours[0].contains("127.0.0.1") && ours[0].contains("/a/-/a-1.0.0.tgz"), "{log}");
    assert!(!ours[0].contains("canary-query"), "{log}");
    assert!(!log.contains(TOKEN) && !debug.contains(TOKEN), "{log} {debug}");
}
