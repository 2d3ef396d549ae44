//! Where redirects may lead, and what goes along.

use std::sync::Arc;

use tokio::io::AsyncReadExt;
use tokio::io::AsyncWriteExt;
use url::Url;

use crate::config::upstream::Upstream;
use crate::upstream::Document;
use crate::upstream::UpstreamError;
use crate::upstream::Upstreams;
use crate::upstream::guard::Guard;
use crate::upstream::tests::TOKEN;
use crate::upstream::tests::Zone;
use crate::upstream::tests::clock;
use crate::upstream::tests::config;
use crate::upstream::tests::package;
use crate::upstream::tests::plain;
use crate::upstream::tests::responder::Reply;
use crate::upstream::tests::responder::Responder;
use crate::upstream::tests::upstreams;

fn with(config: &Upstream, base: &str, zone: &Arc<Zone>) -> Upstreams {
    upstreams(config, base, &clock(), zone.guard())
}

/// A registry that answers every request with this redirect.
async fn redirecting(location: String) -> Responder {
    Responder::start(move |_| Reply::redirect(&location)).await
}

fn nothing_leaked(responder: &Responder) {
    for asked in responder.asked() {
        assert!(asked.headers.iter().all(|(_, value)| !value.contains(TOKEN)), "{asked:?}");
    }
}

#[tokio::test]
async fn three_redirects_on_the_same_origin_are_followed_and_no_more() {
    let registry = Responder::start(|asked| match asked.target.as_str() {
        "/npm/3" => Reply::redirect("2"),
        "/npm/2" => Reply::new(307, &[("location", "/npm/1#fragment")], ""),
        "/npm/1" => Reply::new(308, &[("location", "../npm/0")], ""),
        "/npm/0" => Reply::ok("body"),
        "/npm/4" => Reply::new(301, &[("location", "3")], ""),
        _ => Reply::new(303, &[("location", "round")], ""),
    })
    .await;
    let upstreams = plain(&registry.url("npm/"));
    assert!(matches!(upstreams.document(&package("a"), "3", None).await, Ok(Document::Fresh { .. })));
    assert_eq!(registry.targets(), ["/npm/3", "/npm/2", "/npm/1", "/npm/0"]);
    let bearer = format!("Bearer {TOKEN}");
    assert!(registry.asked().iter().all(|asked| asked.header("authorization") == Some(&bearer)));
    for path in ["4", "round"] {
        let before = registry.hits();
        assert_eq!(upstreams.document(&package("a"), path, None).await, Err(UpstreamError::Redirects { max: 3 }));
        assert_eq!(registry.hits() - before, 4, "and it is not retried");
    }
}

#[tokio::test]
async fn a_listed_origin_may_be_private_and_gets_no_credentials() {
    let files = Responder::start(|_| Reply::ok("body")).await;
    let registry = redirecting(files.url("a.tgz?signature=1")).await;
    let mut config = config();
    config.tarball_origins = vec![Url::parse(&files.url("")).unwrap()];
    let upstreams = upstreams(&config, &registry.url(""), &clock(), Guard::system());
    let a = package("a");
    assert!(upstreams.document(&a, "a", None).await.is_ok());
    assert_eq!(upstreams.artifact(&a, "a.tgz", "f").await.as_deref(), Ok(&b"body"[..]));
    assert_eq!(upstreams.artifact(&a, &files.url("b.tgz"), "f").await.as_deref(), Ok(&b"body"[..]), "by its document");
    assert_eq!(files.targets(), ["/a.tgz?signature=1", "/a.tgz?signature=1", "/b.tgz"]);
    nothing_leaked(&files);
}

#[tokio::test]
async fn a_document_is_not_followed_to_another_origin() {
    let other = Responder::start(|_| Reply::ok("{}")).await;
    let registry = redirecting(format!("http://cdn.test:{}/a", other.port())).await;
    let zone = Zone::new(&[("cdn.test", &["127.0.0.1"])]);
    let upstreams = with(&config(), &registry.url(""), &zone);
    let origin = format!("http://cdn.test:{}", other.port());
    assert_eq!(upstreams.document(&package("a"), "a", None).await, Err(UpstreamError::ForeignOrigin { origin }));
    assert_eq!((registry.hits(), other.hits()), (1, 0));
}

#[tokio::test]
async fn an_artifact_is_followed_to_a_public_host_without_credentials() {
    let storage = Responder::start(|_| Reply::ok("body")).await;
    let registry = redirecting(format!("http://cdn.test:{}/a.tgz?signature=1", storage.port())).await;
    let zone = Zone::new(&[("cdn.test", &["127.0.0.1"])]);
    let upstreams = with(&config(), &registry.url(""), &zone);
    assert_eq!(upstreams.artifact(&package("a"), "a.tgz", "f").await.as_deref(), Ok(&b"body"[..]));
    assert_eq!(storage.targets(), ["/a.tgz?signature=1"]);
    assert_eq!(storage.asked()[0].header("cookie"), None);
    nothing_leaked(&storage);
}

#[tokio::test]
async fn a_name_that_resolves_to_a_private_address_is_refused() {
    let registry = redirecting("http://inside.test/a.tgz".to_owned()).await;
    for private in ["10.0.0.1", "169.254.169.254", "::1", "::ffff:127.0.0.1", "fd00::1"] {
        let zone = Zone::new(&[("inside.test", &[private])]);
        let error = with(&config(), &registry.url(""), &zone).artifact(&package("a"), "a.tgz", "f").await.unwrap_err();
        let expected = UpstreamError::ForbiddenAddress { host: "inside.test".into(), address: private.parse().unwrap() };
        assert_eq!(error, expected);
    }
    assert_eq!(registry.hits(), 5, "none is retried");
}

#[tokio::test]
async fn a_name_that_changes_its_address_is_resolved_once() {
    let storage = Responder::start(|_| Reply::ok("body")).await;
    let registry = redirecting(format!("http://rebind.test:{}/a.tgz", storage.port())).await;
    let zone = Zone::new(&[("rebind.test", &["127.0.0.1", "10.0.0.1", "10.0.0.2"])]);
    let upstreams = with(&config(), &registry.url(""), &zone);
    assert_eq!(upstreams.artifact(&package("a"), "a.tgz", "f").await.as_deref(), Ok(&b"body"[..]));
    assert_eq!(zone.answers_left("rebind.test"), 2, "one lookup for the check and the connection");
    assert_eq!(storage.connections(), 1);
}

#[tokio::test]
async fn no_redirect_reaches_this_machine_or_its_network() {
    let inside = Responder::start(|_| Reply::ok("secret")).await;
    let port = inside.port();
    let hosts = [
        "127.0.0.1",
        "127.1",
        "0",
        "0.0.0.0",
        "0x7f000001",
        "2130706433",
        "0177.0.0.1",
        "localhost",
        "LOCALHOST.",
        "a.localhost",
        "[::1]",
        "[::]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "127.0.0.1.",
        "10.0.0.1",
        "192.168.0.1",
        "169.254.169.254",
        "100.64.0.1",
        "[fe80::1]",
        "[fd00::1]",
        "[64:ff9b::7f00:1]",
    ];
    for host in hosts {
        let registry = redirecting(format!("http://{host}:{port}/a.tgz")).await;
        let mut config = config();
        config.retries = 0;
        let upstreams = upstreams(&config, &registry.url(""), &clock(), Guard::system());
        let error = upstreams.artifact(&package("a"), "a.tgz", "f").await.unwrap_err();
        assert!(matches!(error, UpstreamError::ForbiddenAddress { .. }), "{host} {error}");
    }
    assert_eq!(inside.connections(), 0);
}

#[tokio::test]
async fn a_redirect_to_no_plain_http_address_is_refused() {
    for location in [
        "file:///etc/passwd",
        "ftp://cdn.test/a.tgz",
        "gopher://127.0.0.1/x",
        "data:text/plain,x",
        "http://me:secret@cdn.test/a.tgz",
        "http://",
        "http://[::1/a",
    ] {
        let registry = redirecting(location.to_owned()).await;
        let error = plain(&registry.url("")).artifact(&package("a"), "a.tgz", "f").await.unwrap_err();
        assert!(matches!(error, UpstreamError::Garbled { .. }), "{location} {error}");
        assert_eq!(registry.hits(), 1);
    }
    let nowhere = Responder::start(|_| Reply::status(302)).await;
    let error = plain(&nowhere.url("")).document(&package("a"), "a", None).await.unwrap_err();
    assert!(matches!(error, UpstreamError::Garbled { .. }), "{error}");
}

/// A foreign host that points back home gets neither credentials nor the reach of a configured host.
#[tokio::test]
async fn trust_once_lost_does_not_come_back() {
    let registry = Responder::start(|asked| match asked.target.as_str() {
        "/a.tgz" => Reply::redirect(&format!("http://cdn.test:{}/b.tgz", asked.header("host").unwrap().rsplit(':').next().unwrap())),
        "/b.tgz" => Reply::redirect(&format!("http://{}/c.tgz", asked.header("host").unwrap().replace("cdn.test", "127.0.0.1"))),
        _ => Reply::ok("body"),
    })
    .await;
    let zone = Zone::new(&[("cdn.test", &["127.0.0.1"])]);
    let upstreams = with(&config(), &registry.url(""), &zone);
    assert_eq!(upstreams.artifact(&package("a"), "a.tgz", "f").await.as_deref(), Ok(&b"body"[..]));
    let credentials: Vec<bool> = registry.asked().iter().map(|asked| asked.header("authorization").is_some()).collect();
    assert_eq!(registry.targets(), ["/a.tgz", "/b.tgz", "/c.tgz"]);
    assert_eq!(credentials, [true, false, false]);
}

#[tokio::test]
async fn a_host_that_only_a_document_names_is_never_asked() {
    let other = Responder::start(|_| Reply::ok("other")).await;
    let registry = Responder::start(|_| Reply::ok("home")).await;
    let zone = Zone::new(&[("cdn.test", &["127.0.0.1"])]);
    let upstreams = with(&config(), &registry.url(""), &zone);
    let named = format!("http://cdn.test:{}/a.tgz", other.port());
    let userinfo = format!("http://x:{TOKEN}@127.0.0.1:{}/a.tgz", registry.port());
    for location in [named.as_str(), &other.url("a.tgz"), "http://169.254.169.254/x", "file:///etc/passwd", &userinfo] {
        assert_eq!(upstreams.artifact(&package("a"), location, "home.tgz").await.as_deref(), Ok(&b"home"[..]));
    }
    assert_eq!(other.connections(), 0);
    assert!(registry.targets().iter().all(|target| target == "/home.tgz"));
}

/// An https upstream whose server speaks no TLS: nothing is sent in the clear.
#[tokio::test]
async fn https_is_never_downgraded() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = Url::parse(&format!("https://{}/", listener.local_addr().unwrap())).unwrap();
    let mut config = config();
    config.retries = 0;
    let upstreams = match Upstreams::new(&config, base, "me", clock()) {
        Ok(upstreams) => upstreams,
        // A machine without trust roots refuses https at the start.
        Err(error) => return assert!(matches!(error, UpstreamError::Setup { .. })),
    };
    let server = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut first = [0; 16];
        stream.read_exact(&mut first).await.unwrap();
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}").await.unwrap();
        first
    };
    let a = package("a");
    let (answer, first) = tokio::join!(upstreams.document(&a, "a", None), server);
    assert!(matches!(answer, Err(UpstreamError::Unreachable { .. })), "{answer:?}");
    assert_eq!(first[0], 0x16, "a TLS handshake");
}
