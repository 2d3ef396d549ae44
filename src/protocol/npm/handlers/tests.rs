//! The routes over a whole Airlock and a made-up upstream on a real socket; requests go straight into the router.

use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::response::IntoResponse;
use axum::response::Response;
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use http::HeaderMap;
use http::StatusCode;
use http::header;
use http_body_util::BodyExt;
use hyper::ext::ReasonPhrase;
use serde_json::Value;
use url::Url;

use crate::app::App;
use crate::clock::Clock;
use crate::config::Config;
use crate::http::cache::BodyCache;
use crate::http::caller::Caller;
use crate::http::route::Matched;
use crate::http::route::Needs;
use crate::model::digest::Digest;
use crate::model::principal::Roles;
use crate::model::time::Timestamp;
use crate::model::token::Role;
use crate::protocol::npm::ROUTES;
use crate::protocol::npm::Registry;

const NOW: &str = "2026-11-20T12:00:00Z";
const BRIEF: &str = "application/vnd.npm.install-v1+json; q=1.0, application/json; q=0.8, */*";
const BASE: &str = "http://gate.example";

/// One Airlock before an upstream that knows `@acme/web` with 1.0.0, which is old enough, and 1.1.0, which is not.
struct Scene {
    app: App,
    registry: Registry,
    clock: Clock,
    upstream_is_down: Arc<AtomicBool>,
    tarball: Bytes,
    _folder: tempfile::TempDir,
}

fn tarball(version: &str) -> Bytes {
    let manifest = format!(r#"{{"name":"@acme/web","version":"{version}"}}"#);
    let mut archive = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    let mut header = tar::Header::new_ustar();
    header.set_size(manifest.len() as u64);
    header.set_mode(0o644);
    archive.append_data(&mut header, "package/package.json", manifest.as_bytes()).unwrap();
    Bytes::from(archive.into_inner().unwrap().finish().unwrap())
}

fn packument(held: &Bytes, open: &Bytes) -> String {
    let manifest = |version: &str, bytes: &Bytes| {
        let integrity = Digest::of(bytes).sri();
        format!(
            r#""{version}":{{"name":"@acme/web","version":"{version}","description":"marker {version}","dist":{{"integrity":"{integrity}","tarball":"https://registry.example/@acme/web/-/web-{version}.tgz"}}}}"#
        )
    };
    format!(
        r#"{{"name":"@acme/web","dist-tags":{{"latest":"1.1.0","old":"1.0.0"}},"versions":{{{},{}}},
        "time":{{"created":"2020-01-01T00:00:00Z","1.0.0":"2020-01-01T00:00:00Z","1.1.0":"2026-11-20T11:00:00Z"}}}}"#,
        manifest("1.0.0", open),
        manifest("1.1.0", held)
    )
}

impl Scene {
    async fn new() -> Scene {
        let (open, held) = (tarball("1.0.0"), tarball("1.1.0"));
        let documents: HashMap<&str, Bytes> = HashMap::from([
            ("/@acme%2fweb", Bytes::from(packument(&held, &open))),
            ("/@acme/web/-/web-1.0.0.tgz", open.clone()),
            ("/@acme/web/-/web-1.1.0.tgz", held),
        ]);
        let upstream_is_down = Arc::new(AtomicBool::new(false));
        let down = Arc::clone(&upstream_is_down);
        let answer = move |request: Request| async move {
            match documents.get(request.uri().path()) {
                _ if down.load(Ordering::SeqCst) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
                Some(document) => document.clone().into_response(),
                None => StatusCode::NOT_FOUND.into_response(),
            }
        };
        let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let upstream = Url::parse(&format!("http://{}/", listener.local_addr().unwrap())).unwrap();
        tokio::spawn(async move { axum::serve(listener, Router::new().fallback(answer)).await });
        let folder = tempfile::tempdir().unwrap();
        let mut config = Config::default();
        config.storage.data_dir = folder.path().join("data");
        config.upstream.retries = 0;
        let clock = Clock::test(Timestamp::parse(NOW).unwrap());
        let app = App::build(&config, upstream, clock.clone()).await.unwrap();
        let bodies = Arc::new(BodyCache::new(1 << 20));
        let body_bytes_max = config.server.body_bytes_max;
        let registry = Registry { catalog: Arc::clone(&app.catalog), bodies, access: Arc::clone(&app.access), body_bytes_max };
        Scene { app, registry, clock, upstream_is_down, tarball: open, _folder: folder }
    }

    async fn ask(&self, method: &str, path: &str, headers: &[(header::HeaderName, &str)]) -> Response {
        self.ask_as(Some(Role::Reader), None, method, path, headers).await
    }

    async fn ask_as(
        &self,
        role: Option<Role>,
        name: Option<&str>,
        method: &str,
        path: &str,
        headers: &[(header::HeaderName, &str)],
    ) -> Response {
        let mut request = Request::builder().method(method).uri(path);
        for (header, value) in headers {
            request = request.header(header, *value);
        }
        let (request, ()) = request.body(()).unwrap().into_parts();
        let caller = Caller::tried(name, role.map_or(Roles::NONE, Roles::of), BASE);
        let (mut response, route) = self.registry.answer(&request, Body::empty(), &caller).await;
        // As the door would be told.
        if let Some(route) = route {
            response.extensions_mut().insert(Matched(route));
        }
        response
    }

    async fn json(&self, path: &str, headers: &[(header::HeaderName, &str)]) -> Value {
        let response = self.ask("GET", path, headers).await;
        assert_eq!(response.status(), StatusCode::OK, "{path}");
        serde_json::from_slice(&bytes(response).await).unwrap()
    }

    async fn close(self) {
        self.app.close().await;
    }
}

async fn bytes(response: Response) -> Bytes {
    response.into_body().collect().await.unwrap().to_bytes()
}

fn text<'h>(headers: &'h HeaderMap, name: &str) -> &'h str {
    headers.get(name).map_or("", |value| value.to_str().unwrap())
}

#[tokio::test]
async fn both_forms_of_a_packument_in_every_spelling() {
    let scene = Scene::new().await;
    for path in ["/@acme%2fweb", "/@acme%2Fweb", "/@acme/web", "/%40acme%2fweb"] {
        let full = scene.json(path, &[(header::ACCEPT, "application/json")]).await;
        assert_eq!(full["versions"].as_object().unwrap().keys().collect::<Vec<_>>(), ["1.0.0"]);
        assert_eq!(full["dist-tags"], serde_json::json!({ "latest": "1.0.0", "old": "1.0.0" }));
        assert_eq!(full["versions"]["1.0.0"]["dist"]["tarball"], format!("{BASE}/@acme/web/-/web-1.0.0.tgz"));
    }
    let response = scene.ask("GET", "/@acme/web", &[(header::ACCEPT, BRIEF), (header::ACCEPT_ENCODING, "gzip")]).await;
    assert_eq!(text(response.headers(), "content-type"), "application/vnd.npm.install-v1+json");
    assert_eq!(text(response.headers(), "cache-control"), "no-cache");
    assert_eq!(text(response.headers(), "vary"), "accept, accept-encoding");
    assert_eq!(response.extensions().get::<Matched>(), Some(&Matched("/{package}")));
    let brief = scene.json("/@acme/web", &[(header::ACCEPT, BRIEF)]).await;
    assert_eq!((brief.get("_id"), brief["time"]["1.0.0"].as_str()), (None, Some("2020-01-01T00:00:00.000Z")));
    let to_write = scene.json("/@acme/web?write=true", &[(header::ACCEPT, BRIEF)]).await;
    assert!(to_write["_rev"].as_str().unwrap().starts_with("1-"));
    scene.close().await;
}

#[tokio::test]
async fn what_a_client_holds_is_not_sent_again() {
    let scene = Scene::new().await;
    let first = scene.ask("GET", "/@acme/web", &[(header::ACCEPT, BRIEF)]).await;
    let etag = text(first.headers(), "etag").to_owned();
    let length = text(first.headers(), "content-length").to_owned();
    assert_eq!(length, bytes(first).await.len().to_string());
    let again = scene.ask("GET", "/@acme/web", &[(header::ACCEPT, BRIEF), (header::IF_NONE_MATCH, &etag)]).await;
    assert_eq!((again.status(), text(again.headers(), "vary")), (StatusCode::NOT_MODIFIED, "accept, accept-encoding"));
    let other_form = scene.ask("GET", "/@acme/web", &[(header::IF_NONE_MATCH, &etag)]).await;
    assert_eq!(other_form.status(), StatusCode::OK);
    let head = scene.ask("HEAD", "/@acme/web", &[(header::ACCEPT, BRIEF)]).await;
    assert_eq!(text(head.headers(), "content-length"), length);
    assert_eq!(bytes(head).await.len(), 0);
    scene.close().await;
}

#[tokio::test]
async fn one_document_by_version_and_by_tag() {
    let scene = Scene::new().await;
    for path in ["/@acme/web/1.0.0", "/@acme%2fweb/latest", "/@acme/web/old"] {
        let one = scene.json(path, &[]).await;
        assert_eq!((&one["version"], &one["dist"]["tarball"]), (&"1.0.0".into(), &format!("{BASE}/@acme/web/-/web-1.0.0.tgz").into()));
    }
    let tags = scene.ask("GET", "/-/package/@acme%2fweb/dist-tags", &[]).await;
    assert_eq!((text(tags.headers(), "cache-control"), tags.headers().get(header::ETAG)), ("no-store", None));
    assert_eq!(bytes(tags).await, br#"{"latest":"1.0.0","old":"1.0.0"}"#.as_slice());
    for (path, said) in [
        ("/@acme/web/9.9.9", "@acme/web has no version or tag \"9.9.9\""),
        ("/@acme/web/next", "@acme/web has no version or tag \"next\""),
        ("/@acme/web/-/web-9.9.9.tgz", "@acme/web has no file \"web-9.9.9.tgz\""),
        ("/nobody", "nobody is not known, neither here nor at the upstream registry"),
        ("/-/npm/v1/hooks", "Airlock has no hooks"),
        ("/-/all", "Airlock does not serve /-/all"),
    ] {
        let response = scene.ask("GET", path, &[]).await;
        assert_eq!((response.status(), text(response.headers(), "cache-control")), (StatusCode::NOT_FOUND, "no-store"), "{path}");
        assert_eq!(serde_json::from_slice::<Value>(&bytes(response).await).unwrap()["error"], said);
    }
    scene.close().await;
}

#[tokio::test]
async fn an_open_tarball_is_sent_in_every_shape() {
    let scene = Scene::new().await;
    for path in ["/@acme/web/-/web-1.0.0.tgz", "/@acme%2fweb/-/web-1.0.0.tgz", "/@acme/web/-/@acme/web-1.0.0.tgz"] {
        let response = scene.ask("GET", path, &[]).await;
        assert_eq!(response.status(), StatusCode::OK, "{path}");
        assert_eq!(text(response.headers(), "cache-control"), "public, max-age=31536000, immutable");
        assert_eq!(text(response.headers(), "content-length"), scene.tarball.len().to_string());
        assert_eq!(response.headers().get(header::CONTENT_ENCODING), None);
        assert_eq!(bytes(response).await, scene.tarball);
    }
    let head = scene.ask("HEAD", "/@acme/web/-/web-1.0.0.tgz", &[]).await;
    assert_eq!((head.status(), text(head.headers(), "content-length")), (StatusCode::OK, scene.tarball.len().to_string().as_str()));
    assert_eq!(bytes(head).await.len(), 0);
    scene.close().await;
}

#[tokio::test]
async fn what_a_token_got_is_kept_by_its_owner_only() {
    let scene = Scene::new().await;
    let etag = text(scene.ask("GET", "/@acme/web", &[]).await.headers(), "etag").to_owned();
    for (path, condition, kept) in [
        ("/@acme/web", None, "private, no-cache"),
        ("/@acme/web", Some(etag.as_str()), "private, no-cache"),
        ("/@acme/web/1.0.0", None, "private, no-cache"),
        ("/@acme/web/-/web-1.0.0.tgz", None, "private, max-age=31536000, immutable"),
    ] {
        let headers: Vec<_> = condition.map(|etag| (header::IF_NONE_MATCH, etag)).into_iter().collect();
        for method in ["GET", "HEAD"] {
            let response = scene.ask_as(Some(Role::Reader), Some("ann"), method, path, &headers).await;
            let expected = if condition.is_some() { StatusCode::NOT_MODIFIED } else { StatusCode::OK };
            assert_eq!((response.status(), text(response.headers(), "cache-control")), (expected, kept), "{method} {path}");
        }
    }
    scene.close().await;
}

#[tokio::test]
async fn a_held_release_is_refused_in_one_wording_on_every_route() {
    let scene = Scene::new().await;
    let said = format!(
        "@acme/web@1.1.0 is held: published 1 hour ago, opens 2026-11-27 11:00 UTC (minimum age 7 days). 1.0.0 is admissible. {BASE}/-/airlock/r/@acme/web@1.1.0"
    );
    for path in ["/@acme/web/1.1.0", "/@acme%2fweb/-/web-1.1.0.tgz", "/@acme/web/-/@acme/web-1.1.0.tgz"] {
        for method in ["GET", "HEAD"] {
            let response = scene.ask(method, path, &[]).await;
            assert_eq!(response.status(), StatusCode::FORBIDDEN, "{method} {path}");
            assert_eq!(response.extensions().get::<ReasonPhrase>().unwrap().as_bytes(), said.as_bytes());
            assert_eq!((text(response.headers(), "npm-notice"), text(response.headers(), "cache-control")), (said.as_str(), "no-store"));
            let sent = bytes(response).await;
            match method {
                // The door takes the body away.
                "HEAD" => {}
                _ => assert_eq!(
                    serde_json::from_slice::<Value>(&sent).unwrap(),
                    serde_json::json!({ "error": said, "message": said, "reason": said })
                ),
            }
        }
    }
    for form in ["application/json", BRIEF] {
        let response = scene.ask("GET", "/@acme/web", &[(header::ACCEPT, form)]).await;
        let sent = bytes(response).await;
        assert!(memchr::memmem::find(&sent, b"marker 1.1.0").is_none());
        let packument: Value = serde_json::from_slice(&sent).unwrap();
        assert_eq!(packument["policyRestrictions"]["message"], said);
        assert_eq!(packument["policyRestrictions"]["versions"], serde_json::json!({"1.1.0": {"name": "@acme/web", "version": "1.1.0"}}));
    }
    scene.close().await;
}

/// What fills a template, for a package that is known.
fn filled(template: &str) -> String {
    let path = template.replace("{package}", "@acme%2fweb").replace("{version}", "1.0.0").replace("{file}", "web-1.0.0.tgz");
    path.replace("{subject}", "@acme%2fweb@1.0.0").replace(['{', '}'], "")
}

#[tokio::test]
async fn who_may_ask_what() {
    let scene = Scene::new().await;
    let callers = [(None, None), (Some(Role::Reader), None)];
    let named = Role::ALL.map(|role| (Some(role), Some("ann")));
    for route in ROUTES {
        let path = filled(route.template);
        for (role, name) in callers.into_iter().chain(named) {
            let response = scene.ask_as(role, name, route.method, &path, &[]).await;
            assert_eq!(response.extensions().get::<Matched>(), Some(&Matched(route.template)), "{path}");
            let has = |needed: Role| role.is_some_and(|role| role.covers(needed));
            let may = match route.needs {
                Needs::Nothing => true,
                Needs::Person => name.is_some(),
                Needs::Role(needed) => has(needed),
                Needs::AnyOf(needed) => needed.iter().any(|needed| has(*needed)),
            };
            let status = response.status();
            let what = format!("{} {path} as {role:?} {name:?}: {status}", route.method);
            match (may, name) {
                // A handler may refuse for reasons of its own, in other words.
                (true, _) => {
                    let said = String::from_utf8_lossy(&bytes(response).await).into_owned();
                    let is_refused = said.contains("this needs a token") || status == StatusCode::METHOD_NOT_ALLOWED;
                    assert!(!is_refused && !status.is_server_error(), "{what}: {said}");
                }
                (false, None) => {
                    assert_eq!(status, StatusCode::UNAUTHORIZED, "{what}");
                    assert!(text(response.headers(), "www-authenticate").starts_with("Bearer"));
                }
                (false, Some(_)) => assert_eq!(status, StatusCode::FORBIDDEN, "{what}"),
            }
        }
    }
    let named = scene.ask_as(Some(Role::Reader), Some("ann"), "GET", "/-/whoami", &[]).await;
    assert_eq!(text(named.headers(), "cache-control"), "no-store");
    assert_eq!(bytes(named).await, br#"{"username":"ann"}"#.as_slice());
    assert_eq!(bytes(scene.ask("GET", "/-/ping?write=true", &[]).await).await, b"{}".as_slice());
    scene.close().await;
}

#[tokio::test]
async fn a_method_that_a_route_has_not_is_refused_with_those_it_has() {
    let scene = Scene::new().await;
    for (method, path, allow) in [
        ("POST", "/@acme%2fweb", "GET, HEAD, PUT"),
        ("DELETE", "/@acme/web/-/web-1.0.0.tgz", "GET, HEAD"),
        ("GET", "/@acme/web/-/web-1.0.0.tgz/-rev/1-0", "DELETE"),
        ("POST", "/-/whoami", "GET, HEAD"),
        ("PATCH", "/x/latest", "GET, HEAD"),
        ("GET", "/-/npm/v1/security/advisories/bulk", "POST"),
        ("HEAD", "/-/v1/done/x", "GET"),
        ("GET", "/-/package/x/dist-tags/latest", "PUT, POST, DELETE"),
    ] {
        // Said to whoever asks: that a method is not there is no secret.
        for role in [None, Some(Role::Admin)] {
            let response = scene.ask_as(role, role.map(|_| "root"), method, path, &[]).await;
            assert_eq!((response.status(), text(response.headers(), "allow")), (StatusCode::METHOD_NOT_ALLOWED, allow), "{path}");
        }
    }
    for path in ["/..%2fx", "/.bin", "/x%zz", "//x"] {
        let response = scene.ask("GET", path, &[]).await;
        assert_eq!((response.status(), text(response.headers(), "location")), (StatusCode::BAD_REQUEST, ""), "{path}");
    }
    for path in ["/-/all", "/-/org/acme/package", "/-/npm/v1/hooks"] {
        assert_eq!(scene.ask("POST", path, &[]).await.status(), StatusCode::NOT_FOUND, "{path}");
    }
    scene.close().await;
}

#[tokio::test]
async fn an_upstream_that_is_down_is_said_with_the_age_of_what_is_served() {
    let scene = Scene::new().await;
    let fresh = scene.ask("GET", "/@acme/web", &[]).await;
    assert_eq!(fresh.headers().get("airlock-stale-seconds"), None);
    scene.upstream_is_down.store(true, Ordering::SeqCst);
    scene.clock.advance(std::time::Duration::from_secs(3_600));
    for path in ["/@acme/web", "/@acme/web/latest", "/-/package/@acme%2fweb/dist-tags"] {
        let stale = scene.ask("GET", path, &[]).await;
        assert_eq!((stale.status(), text(stale.headers(), "airlock-stale-seconds")), (StatusCode::OK, "3600"), "{path}");
    }
    scene.close().await;
}

/// The state of a request is moved about with it: what waits for upstream or for an inspection lies on the heap.
#[tokio::test]
async fn an_answer_that_waits_for_nothing_is_small() {
    const BYTES_MAX: usize = 2_048;
    let scene = Scene::new().await;
    let (request, ()) = Request::get("/@acme/web").body(()).unwrap().into_parts();
    let caller = Caller::tried(None, Roles::NONE, BASE);
    let bytes = std::mem::size_of_val(&scene.registry.answer(&request, Body::empty(), &caller));
    assert!(bytes <= BYTES_MAX, "{bytes}");
    scene.close().await;
}
