//! What is asked, of whom, with which headers, and how often.

use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::join_all;
use tokio::sync::Semaphore;
use url::Url;

use crate::config::upstream::Scope;
use crate::config::upstream::Secret;
use crate::upstream::Document;
use crate::upstream::UpstreamError;
use crate::upstream::Upstreams;
use crate::upstream::Validators;
use crate::upstream::guard::Guard;
use crate::upstream::tests::INSTANCE;
use crate::upstream::tests::TOKEN;
use crate::upstream::tests::clock;
use crate::upstream::tests::config;
use crate::upstream::tests::package;
use crate::upstream::tests::plain;
use crate::upstream::tests::responder::Reply;
use crate::upstream::tests::responder::Responder;
use crate::upstream::tests::upstreams;

fn fresh(body: &'static str) -> Document {
    Document::Fresh { body: body.into(), validators: Validators::default() }
}

#[tokio::test]
async fn a_document_lies_under_the_base_and_an_artifact_where_it_says() {
    let registry = Responder::start(|_| Reply::ok("body")).await;
    let upstreams = plain(&registry.url("npm"));
    let web = package("@acme/web");
    assert_eq!(upstreams.document(&web, "@acme%2fweb", None).await, Ok(fresh("body")));
    assert_eq!(upstreams.artifact(&web, &registry.url("else/a.tgz?sig=1"), "f").await.as_deref(), Ok(&b"body"[..]));
    assert_eq!(upstreams.artifact(&web, "https://cdn.example/a.tgz", "@acme/web/-/web-1.0.0.tgz").await.as_deref(), Ok(&b"body"[..]));
    assert_eq!(registry.targets(), ["/npm/@acme%2fweb", "/else/a.tgz?sig=1", "/npm/@acme/web/-/web-1.0.0.tgz"]);
    assert!(matches!(upstreams.document(&web, "../secret", None).await, Err(UpstreamError::NotAPath { .. })));
    assert_eq!(registry.hits(), 3);
}

#[tokio::test]
async fn a_request_has_the_headers_it_needs_and_no_other() {
    let registry = Responder::start(|_| Reply::ok("{}")).await;
    let upstreams = plain(&registry.url(""));
    upstreams.document(&package("a"), "a", None).await.unwrap();
    upstreams.artifact(&package("a"), "a.tgz", "f").await.unwrap();
    let host = format!("127.0.0.1:{}", registry.port());
    let bearer = format!("Bearer {TOKEN}");
    let agent = format!("airlock/{}", env!("CARGO_PKG_VERSION"));
    for (asked, accept, encoding) in [(&registry.asked()[0], "application/json", "gzip"), (&registry.asked()[1], "*/*", "identity")] {
        let mut headers = asked.headers.clone();
        headers.sort();
        let expected = [
            ("accept", accept),
            ("accept-encoding", encoding),
            ("airlock-via", INSTANCE),
            ("authorization", &bearer),
            ("host", &host),
            ("user-agent", &agent),
        ];
        assert_eq!(headers, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
    }
}

#[tokio::test]
async fn a_scope_with_an_upstream_of_its_own_is_asked_there_with_its_own_token() {
    let public = Responder::start(|_| Reply::ok("public")).await;
    let acme = Responder::start(|_| Reply::ok("acme")).await;
    let open = Responder::start(|_| Reply::ok("open")).await;
    let mut config = config();
    let scope = |at: &Responder, token: Option<&str>| Scope {
        url: Url::parse(&at.url("")).unwrap(),
        token: token.map(|token| Secret::new(token.to_owned())),
    };
    config.scopes.insert("@acme".to_owned(), scope(&acme, Some("acme-token")));
    config.scopes.insert("@open".to_owned(), scope(&open, None));
    let upstreams = upstreams(&config, &public.url(""), &clock(), Guard::system());
    for (name, body, registry, credentials) in [
        ("left-pad", "public", &public, Some(format!("Bearer {TOKEN}"))),
        ("@acme/web", "acme", &acme, Some("Bearer acme-token".to_owned())),
        ("@open/web", "open", &open, None),
    ] {
        assert_eq!(upstreams.document(&package(name), "x", None).await, Ok(fresh(body)));
        // The other's origin is foreign, so it is asked at home.
        assert_eq!(upstreams.artifact(&package(name), &public.url("a.tgz"), "f").await.as_deref(), Ok(body.as_bytes()));
        assert!(registry.asked().iter().all(|asked| asked.header("authorization") == credentials.as_deref()));
        assert_eq!(registry.hits(), 2);
    }
    assert_eq!(upstreams.document(&package("@acme-x/web"), "x", None).await, Ok(fresh("public")));
    let names: Vec<String> = upstreams.condition().into_iter().map(|condition| condition.name).collect();
    assert_eq!(names, ["default", "@acme", "@open"]);
}

#[tokio::test]
async fn validators_make_a_request_conditional() {
    let registry = Responder::start(|asked| match (asked.header("if-none-match"), asked.header("if-modified-since")) {
        (Some("W/\"1\""), _) | (None, Some("Fri, 27 Nov 2026 14:05:00 GMT")) => Reply::raw(304, &[], ""),
        _ => Reply::new(200, &[("etag", "W/\"1\""), ("last-modified", "Fri, 27 Nov 2026 14:05:00 GMT")], "{}"),
    })
    .await;
    let upstreams = plain(&registry.url(""));
    let a = package("a");
    let ask = async |validators: Option<Validators>| upstreams.document(&a, "a", validators.as_ref()).await.unwrap();
    let both = Validators { etag: Some("W/\"1\"".into()), last_modified: Some("Fri, 27 Nov 2026 14:05:00 GMT".into()) };
    assert_eq!(ask(None).await, Document::Fresh { body: "{}".into(), validators: both.clone() });
    assert_eq!(ask(Some(both.clone())).await, Document::Unchanged);
    assert_eq!(ask(Some(Validators { etag: None, ..both.clone() })).await, Document::Unchanged);
    assert_eq!(ask(Some(Validators { last_modified: None, ..both.clone() })).await, Document::Unchanged);
    let old = Validators { etag: Some("\"0\"".into()), last_modified: None };
    assert!(matches!(ask(Some(old)).await, Document::Fresh { .. }));
    assert!(matches!(ask(Some(Validators::default())).await, Document::Fresh { .. }));
    assert_eq!(registry.hits(), 6);
}

#[tokio::test]
async fn unchanged_without_being_asked_is_garbled() {
    let registry = Responder::start(|_| Reply::raw(304, &[], "")).await;
    let upstreams = plain(&registry.url(""));
    let garbled = |error| matches!(error, UpstreamError::Garbled { .. });
    assert!(garbled(upstreams.document(&package("a"), "a", None).await.unwrap_err()));
    assert!(garbled(upstreams.document(&package("a"), "a", Some(&Validators::default())).await.unwrap_err()));
    assert!(garbled(upstreams.artifact(&package("a"), "a.tgz", "f").await.unwrap_err()));
}

#[tokio::test]
async fn only_200_is_fresh_and_404_and_410_are_missing() {
    let registry = Responder::start(|asked| Reply::new(asked.target[1..].parse().unwrap(), &[], "body")).await;
    let upstreams = plain(&registry.url(""));
    let a = package("a");
    assert_eq!(upstreams.document(&a, "200", None).await, Ok(fresh("body")));
    for status in ["404", "410"] {
        assert_eq!(upstreams.document(&a, status, None).await, Ok(Document::Missing));
        assert_eq!(upstreams.artifact(&a, status, "f").await, Err(UpstreamError::Missing));
    }
    for status in ["201", "202", "203", "206", "226", "300", "305", "600"] {
        let error = upstreams.document(&a, status, None).await.unwrap_err();
        assert!(matches!(error, UpstreamError::Garbled { .. }), "{status} {error}");
    }
}

#[tokio::test]
async fn an_upstream_that_is_this_airlock_is_a_loop() {
    let registry = Responder::start(|asked| match asked.target.as_str() {
        "/other" => Reply::new(200, &[("airlock-instance", "another")], "{}"),
        "/503" => Reply::new(503, &[("airlock-instance", INSTANCE)], ""),
        _ => Reply::new(200, &[("airlock-instance", INSTANCE)], "{}"),
    })
    .await;
    let upstreams = plain(&registry.url(""));
    assert_eq!(upstreams.document(&package("a"), "a", None).await, Err(UpstreamError::Loop));
    assert_eq!(upstreams.document(&package("a"), "503", None).await, Err(UpstreamError::Loop));
    assert_eq!(upstreams.artifact(&package("a"), "a", "f").await, Err(UpstreamError::Loop));
    assert_eq!(upstreams.document(&package("a"), "other", None).await, Ok(fresh("{}")));
    assert_eq!(registry.hits(), 4, "a loop is not retried");
}

#[tokio::test]
async fn fifty_callers_share_one_fetch() {
    let gate = Arc::new(Semaphore::new(0));
    let held = Arc::clone(&gate);
    let registry = Responder::start(move |_| Reply::ok("body").gated(&held)).await;
    let upstreams = plain(&registry.url(""));
    let a = package("a");
    let known = Validators { etag: Some("\"0\"".into()), last_modified: None };
    let callers = join_all((0..50).map(|_| upstreams.document(&a, "a", None)));
    let others = async { tokio::join!(upstreams.document(&a, "b", None), upstreams.document(&a, "a", Some(&known))) };
    let opener = async {
        while upstreams.condition()[0].coalesced < 49 {
            tokio::task::yield_now().await;
        }
        gate.add_permits(3);
    };
    let (answers, others, ()) = tokio::join!(callers, others, opener);
    assert_eq!(answers, vec![Ok(fresh("body")); 50]);
    assert_eq!(others, (Ok(fresh("body")), Ok(fresh("body"))));
    assert_eq!(registry.hits(), 3, "one for the fifty, one for another path, one for other validators");
    let condition = upstreams.condition().remove(0);
    assert_eq!((condition.requests, condition.failures, condition.coalesced), (3, 0, 49));
}

#[tokio::test]
async fn a_dropped_first_caller_takes_nothing_from_the_others() {
    let gate = Arc::new(Semaphore::new(0));
    let held = Arc::clone(&gate);
    let registry = Responder::start(move |_| Reply::ok("body").gated(&held)).await;
    let upstreams = plain(&registry.url(""));
    let a = package("a");
    let mut first = Box::pin(upstreams.artifact(&a, "a.tgz", "f"));
    assert!((&mut first).now_or_never().is_none());
    while registry.hits() == 0 {
        tokio::task::yield_now().await;
    }
    let mut second = Box::pin(upstreams.artifact(&a, "a.tgz", "f"));
    assert!((&mut second).now_or_never().is_none());
    drop(first);
    gate.add_permits(1);
    assert_eq!(second.await.as_deref(), Ok(&b"body"[..]));
    assert_eq!(registry.hits(), 1);
}

#[tokio::test]
async fn connections_are_kept() {
    let registry = Responder::start(|_| Reply::ok("body")).await;
    let upstreams = plain(&registry.url(""));
    for path in ["a", "b", "c"] {
        upstreams.document(&package("a"), path, None).await.unwrap();
    }
    assert_eq!((registry.hits(), registry.connections()), (3, 1));
}

#[test]
fn what_cannot_work_is_said_at_the_start() {
    let setup = |config: &crate::config::upstream::Upstream, base: &str| {
        matches!(
            Upstreams::new(config, Url::parse(base).unwrap(), INSTANCE, clock()),
            Err(UpstreamError::Setup { name, .. }) if name == "default"
        )
    };
    assert!(!setup(&config(), "http://registry.example/"));
    assert!(setup(&config(), "ftp://registry.example/"));
    assert!(setup(&config(), "http://me:secret@registry.example/"));
    let mut broken = config();
    broken.token = Some(Secret::new("line\nbreak".into()));
    assert!(setup(&broken, "http://registry.example/"));
    let mut broken = config();
    broken.tarball_origins = vec![Url::parse("file:///srv").unwrap()];
    assert!(setup(&broken, "http://registry.example/"));
}
