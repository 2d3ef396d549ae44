//! What is posted to an upstream, and how an identity provider is asked.

use bytes::Bytes;
use url::Url;

use crate::config::upstream::Scope;
use crate::config::upstream::Secret;
use crate::upstream::UpstreamError;
use crate::upstream::guard::Guard;
use crate::upstream::tests::TOKEN;
use crate::upstream::tests::clock;
use crate::upstream::tests::config;
use crate::upstream::tests::plain;
use crate::upstream::tests::responder::Reply;
use crate::upstream::tests::responder::Responder;
use crate::upstream::tests::upstreams;

const BODY: Bytes = Bytes::from_static(b"{\"left-pad\":[\"1.0.0\"]}");

#[tokio::test]
async fn what_is_posted_goes_to_its_scopes_upstream_with_its_credentials_only() {
    let public = Responder::start(|_| Reply::ok("public")).await;
    let acme = Responder::start(|_| Reply::ok("acme")).await;
    let mut config = config();
    let token = Some(Secret::new("acme-token".to_owned()));
    config.scopes.insert("@acme".to_owned(), Scope { url: Url::parse(&acme.url("npm/")).unwrap(), token });
    let upstreams = upstreams(&config, &public.url(""), &clock(), Guard::system());
    for (scope, said, registry, target, token) in [
        (None, "public", &public, "/-/audit", TOKEN),
        (Some("@other"), "public", &public, "/-/audit", TOKEN),
        (Some("@acme"), "acme", &acme, "/npm/-/audit", "acme-token"),
    ] {
        assert_eq!(upstreams.post(scope, "-/audit", BODY).await, Ok(Some(Bytes::from_static(said.as_bytes()))));
        let asked = registry.asked().pop().unwrap();
        assert_eq!((asked.method.as_str(), asked.target.as_str(), &asked.body[..]), ("POST", target, &BODY[..]));
        assert_eq!(asked.header("authorization"), Some(format!("Bearer {token}").as_str()));
        assert_eq!(asked.header("content-type"), Some("application/json"));
    }
    assert!(upstreams.post(None, "../-/audit", BODY).await.is_err());
    assert_eq!((public.hits(), acme.hits()), (2, 1));
}

#[tokio::test]
async fn what_is_posted_is_posted_once() {
    let registry = Responder::start(|asked| match asked.target.as_str() {
        "/302" => Reply::redirect("/200"),
        target => Reply::status(target[1..].parse().unwrap()),
    })
    .await;
    let upstreams = plain(&registry.url(""));
    for status in ["404", "405", "410"] {
        assert_eq!(upstreams.post(None, status, BODY).await, Ok(None), "{status}");
    }
    assert_eq!(upstreams.post(None, "403", BODY).await, Err(UpstreamError::Refused { status: 403 }));
    assert!(matches!(upstreams.post(None, "302", BODY).await, Err(UpstreamError::Garbled { .. })));
    assert_eq!(upstreams.post(None, "500", BODY).await, Err(UpstreamError::Failing { status: 500 }));
    assert_eq!(upstreams.post(None, "429", BODY).await, Err(UpstreamError::Busy { retry_after: None }));
    assert_eq!(registry.hits(), 7);
    let condition = upstreams.condition().remove(0);
    assert_eq!((condition.requests, condition.failures, condition.retries), (7, 2, 0));
}

#[tokio::test]
async fn a_provider_is_asked_as_it_is_and_nowhere_else_over_http() {
    let there = Responder::start(|asked| match asked.target.as_str() {
        "/large" => Reply::ok(vec![b' '; 1_024 * 1_024 + 1]),
        "/moved" => Reply::redirect("/keys"),
        _ => Reply::new(400, &[("x-said", "yes")], "{\"error\":\"invalid_grant\"}"),
    })
    .await;
    let elsewhere = Responder::start(|_| Reply::ok("x")).await;
    let provider = plain("http://registry.example/").provider(&Url::parse(&there.url("")).unwrap()).unwrap();
    let post = |url: String| http::Request::post(url).header("authorization", "Basic x").body(b"code=1".to_vec()).unwrap();
    let answer = provider.send(post(there.url("token"))).await.unwrap();
    assert_eq!((answer.status().as_u16(), &answer.body()[..]), (400, &b"{\"error\":\"invalid_grant\"}"[..]));
    assert_eq!(answer.headers()["x-said"], "yes");
    let asked = there.asked().remove(0);
    assert_eq!((asked.header("authorization"), &asked.body[..]), (Some("Basic x"), &b"code=1"[..]));
    assert_eq!(provider.send(post(there.url("moved"))).await.unwrap().status(), 302);
    assert!(matches!(provider.send(post(there.url("large"))).await, Err(UpstreamError::TooLarge { .. })));
    assert!(matches!(provider.send(post(elsewhere.url("token"))).await, Err(UpstreamError::ForeignOrigin { .. })));
    assert_eq!((there.hits(), elsewhere.hits()), (3, 0));
}
