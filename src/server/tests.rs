//! The server over real sockets, with handlers made for the test in the place of the registry's.

use std::time::Duration;

use axum::body::Bytes;
use axum::extract::State;
use axum::routing::any;
use axum::routing::get;
use axum::routing::post;
use tokio::io::AsyncRead;
use tokio::io::AsyncReadExt;
use tokio::io::AsyncWrite;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::sync::Notify;

use super::*;
use crate::config::access::Anonymous;
use crate::config::server::Tls;
use crate::http::caller::Caller;
use crate::http::problem::Problem;
use crate::server::stream::Watched;

/// What the slow handler and its test tell each other.
#[derive(Default)]
struct Slow {
    begun: Notify,
    goes_on: Notify,
}

struct Stage {
    running: Running,
    instance: String,
    token: String,
    slow: Arc<Slow>,
    _folder: tempfile::TempDir,
}

impl Stage {
    async fn set(change: impl FnOnce(&mut Config)) -> Stage {
        let folder = tempfile::tempdir().unwrap();
        let mut config = Config::default();
        config.server.listen = SocketAddr::from(([127, 0, 0, 1], 0));
        config.storage.data_dir = folder.path().join("data");
        change(&mut config);
        let upstream = Url::parse("http://127.0.0.1:9/").unwrap();
        let app = Arc::new(App::build(&config, upstream, Clock::system()).await.unwrap());
        let listener = listen(config.server.listen).await.unwrap();
        let address = listener.local_addr().unwrap();
        let tls = config.server.tls.as_ref().map(tls::acceptor).transpose().unwrap();
        let slow = Arc::new(Slow::default());
        let reasons: Reasons = Box::new(|| Box::pin(async { vec!["the disk is full".to_owned()] }));
        let (instance, token_file) = (app.instance.clone(), app.admin_token.clone().unwrap());
        let bodies = Arc::new(BodyCache::new(1 << 20));
        let body_bytes_max = config.server.body_bytes_max;
        let registry = npm::Registry { catalog: Arc::clone(&app.catalog), bodies, access: Arc::clone(&app.access), body_bytes_max };
        let service = Service { app, pages: pages(Arc::clone(&slow)), registry, reasons, sources: Vec::new() };
        let running = service.run(&config, listener, address, tls);
        let token = std::fs::read_to_string(token_file).unwrap().trim().to_owned();
        Stage { running, instance, token, slow, _folder: folder }
    }

    /// Sends a request without its end and reads until the server closes.
    async fn say(&self, request: &str) -> String {
        let mut socket = TcpStream::connect(self.running.address).await.unwrap();
        socket.write_all(request.as_bytes()).await.unwrap();
        heard(&mut socket).await
    }

    async fn get(&self, path: &str, headers: &str) -> String {
        self.say(&format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{headers}\r\n")).await
    }
}

/// What arrives until the other end closes, or resets after it answered.
async fn heard(socket: &mut (impl AsyncRead + Unpin)) -> String {
    let mut bytes = Vec::new();
    let mut block = [0; 4_096];
    while let Ok(read @ 1..) = socket.read(&mut block).await {
        bytes.extend_from_slice(&block[..read]);
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn pages(slow: Arc<Slow>) -> Router {
    let wait = |State(slow): State<Arc<Slow>>| async move {
        slow.begun.notify_one();
        slow.goes_on.notified().await;
        "finished"
    };
    Router::new()
        .route("/-/airlock/", get(|| async { "console" }))
        .route("/-/airlock/slow", get(wait))
        .route("/-/airlock/crash", get(crash))
        .route(
            "/-/airlock/length",
            post(|body: Result<Bytes, axum::extract::rejection::BytesRejection>| async move {
                body.map(|bytes| bytes.len().to_string()).map_err(Problem::from)
            }),
        )
        .fallback(any(|caller: Caller| async move { format!("{} {:?} {}", caller.base, caller.name, caller.address) }))
        .layer(axum::extract::DefaultBodyLimit::disable())
        .with_state(slow)
}

/// For connections on which no request is made.
async fn nothing(_: http::Request<axum::body::Body>) -> http::Response<axum::body::Body> {
    http::Response::new(axum::body::Body::empty())
}

async fn crash() -> &'static str {
    panic!("a bug")
}

#[track_caller]
fn check(answer: &str, status: u16, holds: &[&str]) {
    assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
    for part in holds {
        assert!(answer.contains(part), "{part:?} is not in {answer}");
    }
}

#[tokio::test]
async fn the_base_is_the_allowed_host_and_no_other() {
    let stage = Stage::set(|_| {}).await;
    let instance = format!("airlock-instance: {}\r\n", stage.instance);
    let good = stage
        .say("GET /-/airlock/who HTTP/1.1\r\nHost: localhost:4873\r\nX-Forwarded-Host: evil.example\r\nConnection: close\r\n\r\n")
        .await;
    check(&good, 200, &["http://localhost:4873 None 127.0.0.1", &instance, "airlock-request-id: ", "x-content-type-options: nosniff"]);
    let evil = stage.say("GET /-/airlock/who HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n").await;
    check(&evil, 421, &["allowed_hosts", "public_url", "application/problem+json", &instance]);
    let none = stage.say("GET /-/airlock/who HTTP/1.1\r\nConnection: close\r\n\r\n").await;
    check(&none, 400, &["no Host"]);
    let probe = stage.say("GET /-/airlock/livez HTTP/1.1\r\nHost: 10.0.0.7:4873\r\nConnection: close\r\n\r\n").await;
    check(&probe, 200, &["\r\n\r\nok", &instance]);
    stage.running.shutdown().await;
}

#[tokio::test]
async fn without_anonymous_readers_a_token_is_needed() {
    let stage = Stage::set(|config| config.access.anonymous = Anonymous::None).await;
    check(&stage.get("/-/airlock/who", "").await, 401, &["www-authenticate: Bearer", "www-authenticate: Basic"]);
    check(&stage.get("/-/airlock/metrics", "").await, 401, &[]);
    check(&stage.get("/-/airlock/livez", "").await, 200, &[]);
    check(&stage.get("/-/airlock/readyz", "").await, 503, &["the disk is full"]);
    let bearer = format!("Authorization: Bearer {}\r\n", stage.token);
    check(&stage.get("/-/airlock/who", &bearer).await, 200, &["Some(\"admin\")"]);
    check(&stage.get(&format!("/-/airlock/who?token={}", stage.token), "").await, 401, &[]);
    check(&stage.get("/-/airlock/who", &format!("{bearer}{bearer}")).await, 400, &[]);
    check(&stage.get("/-/airlock/who", "Authorization: Bearer airlock_x\r\n").await, 401, &["www-authenticate: Bearer"]);
    stage.running.shutdown().await;
}

#[tokio::test]
async fn a_request_of_ones_own_is_a_loop() {
    let stage = Stage::set(|_| {}).await;
    check(&stage.get("/-/airlock/who", &format!("airlock-via: {}\r\n", stage.instance)).await, 508, &["--upstream"]);
    check(&stage.get("/-/airlock/who", "airlock-via: another\r\n").await, 200, &[]);
    stage.running.shutdown().await;
}

#[tokio::test]
async fn a_crash_is_an_answer_and_the_next_request_lives() {
    let stage = Stage::set(|_| {}).await;
    let mut socket = TcpStream::connect(stage.running.address).await.unwrap();
    let both = "GET /-/airlock/crash HTTP/1.1\r\nHost: localhost\r\n\r\nGET /-/airlock/who HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    socket.write_all(both.as_bytes()).await.unwrap();
    let answers = heard(&mut socket).await;
    check(&answers, 500, &["application/problem+json", "HTTP/1.1 200 OK", "http://localhost None"]);
    assert!(!answers.contains("a bug"));
    stage.running.shutdown().await;
}

#[tokio::test]
async fn bodies_are_refused_before_they_are_read() {
    let stage = Stage::set(|config| config.server.body_bytes_max = 1_000).await;
    let head = "POST /-/airlock/length HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n";
    check(&stage.say(&format!("{head}Content-Length: 1000\r\n\r\n{}", "x".repeat(1_000))).await, 200, &["\r\n\r\n1000"]);
    // Nothing of this body is ever sent.
    check(&stage.say(&format!("{head}Content-Length: 10000000000\r\n\r\n")).await, 413, &["body_bytes_max"]);
    let piece = format!("200\r\n{}\r\n", "x".repeat(512));
    check(&stage.say(&format!("{head}Transfer-Encoding: chunked\r\n\r\n{piece}{piece}")).await, 413, &[]);
    stage.running.shutdown().await;
}

#[tokio::test]
async fn heads_are_bounded() {
    let stage = Stage::set(|_| {}).await;
    check(&stage.get("/-/airlock/who", &format!("X-Long: {}\r\n", "x".repeat(limits::HEAD_BYTES_MAX))).await, 431, &[]);
    check(&stage.get("/-/airlock/who", &"X-Many: x\r\n".repeat(limits::HEADERS_MAX)).await, 431, &[]);
    check(&stage.get("/-/airlock/who", &"X-Some: x\r\n".repeat(limits::HEADERS_MAX / 2)).await, 200, &[]);
    stage.running.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_says_nothing_whole_is_closed() {
    for said in ["", "PRI * HT", "GET /-/airlock/who HTTP/1.1\r\nHost: loc"] {
        let (ours, mut theirs) = tokio::io::duplex(4_096);
        let (_stop, stopped) = watch::channel(false);
        let peer = SocketAddr::from(([192, 0, 2, 1], 1));
        let speaking = tokio::spawn(async move {
            listen::speak(Watched::new(ours), peer, &Clock::system(), nothing, &limits::protocols(), stopped).await;
        });
        theirs.write_all(said.as_bytes()).await.unwrap();
        let began = tokio::time::Instant::now();
        speaking.await.unwrap();
        let open_for = began.elapsed();
        assert!((limits::IDLE..limits::IDLE * 2).contains(&open_for), "{said:?}: {open_for:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_connection_is_kept_for_a_minute_between_requests() {
    let (ours, mut theirs) = tokio::io::duplex(4_096);
    let (_stop, stopped) = watch::channel(false);
    let here = async |_: http::Request<axum::body::Body>| http::Response::new(axum::body::Body::from("here"));
    let peer = SocketAddr::from(([192, 0, 2, 1], 1));
    tokio::spawn(async move { listen::speak(Watched::new(ours), peer, &Clock::system(), here, &limits::protocols(), stopped).await });
    for _ in 0..3 {
        theirs.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
        let mut answer = Vec::new();
        while !answer.ends_with(b"here") {
            assert_ne!(theirs.read_buf(&mut answer).await.unwrap(), 0);
        }
        tokio::time::sleep(Duration::from_secs(66)).await;
    }
}

#[tokio::test]
async fn stopping_finishes_what_is_under_way() {
    let Stage { running, slow, _folder, .. } = Stage::set(|_| {}).await;
    let address = running.address;
    let mut idle = TcpStream::connect(address).await.unwrap();
    let mut busy = TcpStream::connect(address).await.unwrap();
    busy.write_all(b"GET /-/airlock/slow HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    slow.begun.notified().await;
    let stopping = tokio::spawn(running.shutdown());
    assert_eq!(heard(&mut idle).await, "", "an idle connection is closed");
    assert!(TcpStream::connect(address).await.is_err(), "nobody new is let in");
    assert!(!stopping.is_finished());
    slow.goes_on.notify_one();
    check(&heard(&mut busy).await, 200, &["\r\n\r\nfinished"]);
    stopping.await.unwrap();
}

#[tokio::test]
async fn a_taken_port_is_named_and_another_suggested() {
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = taken.local_addr().unwrap();
    let mut config = Config::default();
    config.server.listen = address;
    let options = Options { config, upstream: Url::parse("http://127.0.0.1:9/").unwrap(), clock: Clock::system() };
    let said = start(options).await.err().unwrap().to_string();
    assert!(said.contains(&format!("{address} is in use")) && said.contains("--listen"), "{said}");
}

#[tokio::test]
async fn tls_is_spoken_and_links_say_so() {
    let folder = tempfile::tempdir().unwrap();
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let files = Tls { cert: folder.path().join("cert.pem"), key: folder.path().join("key.pem") };
    std::fs::write(&files.cert, made.cert.pem()).unwrap();
    std::fs::write(&files.key, made.signing_key.serialize_pem()).unwrap();
    let stage = Stage::set(|config| config.server.tls = Some(files)).await;
    let mut roots = rustls::RootCertStore::empty();
    roots.add(made.cert.der().clone()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let client = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let client = tokio_rustls::TlsConnector::from(Arc::new(client.with_root_certificates(roots).with_no_client_auth()));
    let socket = TcpStream::connect(stage.running.address).await.unwrap();
    let mut socket = client.connect("localhost".try_into().unwrap(), socket).await.unwrap();
    socket.write_all(b"GET /-/airlock/who HTTP/1.1\r\nHost: localhost:4873\r\nConnection: close\r\n\r\n").await.unwrap();
    check(&heard(&mut socket).await, 200, &["https://localhost:4873 None"]);
    stage.running.shutdown().await;
}

#[tokio::test]
async fn http2_is_spoken_to_who_begins_with_it() {
    let stage = Stage::set(|_| {}).await;
    let mut socket = TcpStream::connect(stage.running.address).await.unwrap();
    hello_http2(&mut socket).await;
    // It would not answer the goodbye, and be waited for.
    drop(socket);
    stage.running.shutdown().await;
}

/// The client's preface and empty settings, then the server's settings. Source: RFC 9113, 3.4.
async fn hello_http2(socket: &mut (impl AsyncRead + AsyncWrite + Unpin)) {
    const SETTINGS: u8 = 4;
    socket.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await.unwrap();
    let mut frame = [0; 9];
    socket.read_exact(&mut frame).await.unwrap();
    assert_eq!(frame[3], SETTINGS);
}

#[tokio::test]
async fn numbers_are_told_by_template() {
    let stage = Stage::set(|_| {}).await;
    check(&stage.get("/-/airlock/livez", "").await, 200, &[]);
    check(&stage.get("/-/airlock/livez/", "").await, 200, &[]);
    let told = stage.get("/-/airlock/metrics", "").await;
    check(&told, 200, &["application/openmetrics-text", "# EOF", "process_resident_memory_bytes"]);
    assert!(told.contains(r#"airlock_http_requests_total{method="GET",route="/-/airlock/livez",status="200"} 1"#), "{told}");
    assert!(told.contains(r#"route="unmatched""#), "{told}");
    let wrong = stage.say("POST /-/airlock/metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 0\r\n\r\n").await;
    check(&wrong, 405, &[]);
    stage.running.shutdown().await;
}

#[tokio::test]
async fn own_pages_are_closed_to_other_sites() {
    let stage = Stage::set(|_| {}).await;
    let page = stage.get("/-/airlock/", "").await;
    check(&page, 200, &["content-security-policy: default-src 'none'", "x-frame-options: DENY", "referrer-policy: no-referrer"]);
    assert!(!stage.get("/left-pad", "").await.contains("content-security-policy"));
    let write = "POST /-/airlock/length HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 0\r\n";
    check(&stage.say(&format!("{write}Origin: http://evil.example\r\n\r\n")).await, 403, &["another site"]);
    check(&stage.say(&format!("{write}Origin: http://localhost\r\n\r\n")).await, 200, &[]);
    stage.running.shutdown().await;
}

#[tokio::test]
async fn the_whole_url_space_is_mounted() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = Config::default();
    config.server.listen = SocketAddr::from(([127, 0, 0, 1], 0));
    config.storage.data_dir = folder.path().join("data");
    let upstream = Url::parse("http://127.0.0.1:9/").unwrap();
    let running = start(Options { config, upstream, clock: Clock::system() }).await.unwrap();
    assert!(running.admin_token_created.as_ref().is_some_and(|file| file.is_file()));
    let get = async |path: &str| {
        let mut socket = TcpStream::connect(running.address).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        socket.write_all(request.as_bytes()).await.unwrap();
        heard(&mut socket).await
    };
    check(&get("/-/airlock/livez").await, 200, &[]);
    check(&get("/-/airlock/readyz").await, 200, &["\"ready\":true"]);
    check(&get("/-/airlock/v1/openapi.json").await, 200, &["openapi"]);
    check(&get("/-/airlock/v1/tokens").await, 401, &[]);
    check(&get("/-/ping").await, 200, &[]);
    check(&get("/-/airlockish").await, 404, &["Airlock does not serve /-/airlockish"]);
    check(&get("/-/airlock/metrics").await, 200, &["airlock_upstream_requests_total{upstream=\"default\"}", "airlock_jobs_waiting 0.0"]);
    running.shutdown().await;
}

#[tokio::test]
async fn a_length_on_the_wire_is_the_bodys() {
    const PAGE: &str = "twelve bytes";
    let (ours, theirs) = tokio::io::duplex(4_096);
    let (_stop, stopped) = watch::channel(false);
    let answer = |method: http::Method, headers: http::HeaderMap| async move {
        let manner = crate::http::rendered::Manner { content_type: "text/plain", cache_control: "no-cache", last_modified: None };
        let coding = crate::http::rendered::Coding::Plain;
        let key = crate::http::cache::BodyKey { stamp: crate::model::digest::DocumentDigest::of(b"x"), base: "", form: "full", coding };
        crate::http::rendered::Rendered::new(&key, &manner, Bytes::from_static(PAGE.as_bytes()), None)
            .ready(method == http::Method::HEAD, &headers)
            .into_response()
    };
    let peer = SocketAddr::from(([192, 0, 2, 1], 1));
    let answer = move |request: http::Request<axum::body::Body>| answer(request.method().clone(), request.headers().clone());
    tokio::spawn(async move { listen::speak(Watched::new(ours), peer, &Clock::system(), answer, &limits::protocols(), stopped).await });
    let (mut reader, mut writer) = tokio::io::split(theirs);
    let ask = "HEAD / HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\nIf-None-Match: *\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    writer.write_all(ask.as_bytes()).await.unwrap();
    let answers = heard(&mut reader).await;
    let parts: Vec<&str> = answers.split("HTTP/1.1 ").skip(1).collect();
    let [head, held, whole] = parts[..] else { panic!("{answers}") };
    assert!(head.starts_with("200") && head.contains("content-length: 12\r\n") && head.ends_with("\r\n\r\n"), "{head}");
    assert!(held.starts_with("304") && !held.contains("content-length: 0\r\n") && held.ends_with("\r\n\r\n"), "{held}");
    assert!(whole.starts_with("200") && whole.contains("content-length: 12\r\n") && whole.ends_with(PAGE), "{whole}");
}

#[test]
fn no_route_is_listed_twice() {
    let mut seen = std::collections::BTreeSet::new();
    for route in router::ROUTES.into_iter().flatten() {
        assert!(seen.insert((route.method, route.template)), "{route:?}");
        assert!(route.template.starts_with('/'), "{route:?}");
    }
}
