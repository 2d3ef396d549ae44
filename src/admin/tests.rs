//! The admin API asked as clients ask it: every route by every role, decisions, listings, tokens, the ledger, the pages.

use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use http::HeaderMap;
use http::Request;
use http::StatusCode;
use http_body_util::BodyExt;
use serde_json::Value;
use serde_json::json;
use tower::ServiceExt;

use super::*;
use crate::app::App;
use crate::config::Config;
use crate::http::route::Needs;
use crate::model::digest::Digest;
use crate::model::principal::Roles;
use crate::model::time::Timestamp;

const BASE: &str = "http://127.0.0.1:4873";
const NOW: &str = "2026-11-27T14:05:00Z";

/// An Airlock on a folder of its own, before an upstream that knows two packages.
struct House {
    router: Router,
    app: App,
    _folder: tempfile::TempDir,
}

/// Who asks: the name of a token and its role.
type Who = (Option<&'static str>, Option<Role>);

const NOBODY: Who = (None, None);
const ANONYMOUS: Who = (None, Some(Role::Reader));
const READER: Who = (Some("rita"), Some(Role::Reader));
const PUBLISHER: Who = (Some("paul"), Some(Role::Publisher));
const MARIA: Who = (Some("maria"), Some(Role::Approver));
const OTTO: Who = (Some("otto"), Some(Role::Approver));
const ADMIN: Who = (Some("ada"), Some(Role::Admin));

struct Answered {
    status: StatusCode,
    headers: HeaderMap,
    text: String,
}

impl Answered {
    fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }

    /// `404 unknown left-pad has no version 9.9.9`
    fn problem(&self) -> String {
        let problem = self.json();
        assert_eq!(self.headers["content-type"], "application/problem+json", "{}", self.text);
        assert_eq!(problem["status"], self.status.as_u16());
        let slug = problem["type"].as_str().unwrap().rsplit(':').next().unwrap().to_owned();
        format!("{} {slug}: {}", self.status.as_u16(), problem["detail"].as_str().unwrap())
    }
}

/// Old and clean, old with an install script, and published nine hours ago.
fn packument(name: &str) -> Value {
    let file = name.rsplit('/').next().unwrap();
    let version = |version: &str, scripts: Value| {
        let dist = json!({
            "tarball": format!("https://registry.example/{name}/-/{file}-{version}.tgz"),
            "integrity": Digest::of(format!("{name}@{version}").as_bytes()).sri(),
        });
        json!({ "name": name, "version": version, "scripts": scripts, "dist": dist })
    };
    json!({
        "name": name,
        "dist-tags": { "latest": "1.3.0" },
        "versions": {
            "1.0.0": version("1.0.0", json!({})),
            "1.2.0": version("1.2.0", json!({ "postinstall": "node <script>alert(1)</script>" })),
            "1.3.0": version("1.3.0", json!({})),
        },
        "time": {
            "created": "2020-01-01T00:00:00.000Z",
            "modified": "2026-11-27T05:05:00.000Z",
            "1.0.0": "2020-01-01T00:00:00.000Z",
            "1.2.0": "2021-01-01T00:00:00.000Z",
            "1.3.0": "2026-11-27T05:05:00.000Z",
        },
    })
}

async fn upstream() -> url::Url {
    async fn answer(uri: http::Uri) -> Response {
        match uri.path() {
            "/left-pad" => axum::Json(packument("left-pad")).into_response(),
            "/@acme%2fweb" => axum::Json(packument("@acme/web")).into_response(),
            _ => StatusCode::NOT_FOUND.into_response(),
        }
    }
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, Router::new().fallback(answer)).await.unwrap() });
    format!("http://{address}/").parse().unwrap()
}

impl House {
    async fn new() -> House {
        let folder = tempfile::tempdir().unwrap();
        let mut config = Config::default();
        config.storage.data_dir = folder.path().to_owned();
        let app = App::build(&config, upstream().await, Clock::test(Timestamp::parse(NOW).unwrap())).await.unwrap();
        let context = Context {
            catalog: Arc::clone(&app.catalog),
            quarantine: Arc::clone(&app.quarantine),
            access: Arc::clone(&app.access),
            clock: app.clock.clone(),
        };
        House { router: router(context), app, _folder: folder }
    }

    async fn send(&self, who: Who, request: Request<Body>) -> Answered {
        let (mut parts, body) = request.into_parts();
        parts.extensions.insert(Caller::tried(who.0, who.1.map_or(Roles::NONE, Roles::of), BASE));
        let response = self.router.clone().oneshot(Request::from_parts(parts, body)).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        Answered { status: parts.status, headers: parts.headers, text: String::from_utf8(bytes.to_vec()).unwrap() }
    }

    async fn get(&self, who: Who, path: &str) -> Answered {
        self.send(who, Request::get(path).body(Body::empty()).unwrap()).await
    }

    async fn accepting(&self, who: Who, path: &str, accept: &str) -> Answered {
        self.send(who, Request::get(path).header("accept", accept).body(Body::empty()).unwrap()).await
    }

    async fn post(&self, who: Who, path: &str, body: &Value) -> Answered {
        let request = Request::post(path).header("content-type", "application/json");
        self.send(who, request.body(Body::from(body.to_string())).unwrap()).await
    }

    async fn post_once(&self, who: Who, path: &str, key: &str, body: &Value) -> Answered {
        let request = Request::post(path).header("content-type", "application/json").header("idempotency-key", key);
        self.send(who, request.body(Body::from(body.to_string())).unwrap()).await
    }

    async fn decisions_recorded(&self) -> usize {
        let audit = self.get(MARIA, "/-/airlock/v1/audit?limit=500").await.json();
        let commands = audit["entries"].as_array().unwrap().iter().flat_map(|entry| entry["commands"].as_array().unwrap());
        commands.filter(|command| command["command"] == "decided").count()
    }
}

const YOUNG: &str = "/-/airlock/v1/releases/left-pad/1.3.0";
const DECIDE: &str = "/-/airlock/v1/releases/left-pad/1.3.0/decisions";

#[tokio::test]
async fn every_route_answers_whom_it_is_for_and_nobody_else() {
    let house = House::new().await;
    for route in ROUTES {
        let path = route.template.replace("{scope}/{name}", "@acme/web").replace("{package}", "left-pad").replace("{id}", "000000000000");
        let path = path.replace("{version}", "1.3.0").replace("{*subject}", "left-pad@1.3.0");
        for who in [NOBODY, ANONYMOUS, READER, PUBLISHER, MARIA, ADMIN] {
            let request = Request::builder().method(route.method).uri(&path).header("accept", "application/json");
            let answered = house.send(who, request.body(Body::empty()).unwrap()).await;
            let (name, role) = who;
            let may = match route.needs {
                Needs::Nothing => true,
                Needs::Person => name.is_some(),
                Needs::Role(needed) => role.is_some_and(|role| role.covers(needed)),
                Needs::AnyOf(needed) => role.is_some_and(|role| needed.iter().any(|needed| role.covers(*needed))),
            };
            let expected = match (may, name) {
                (true, _) => None,
                (false, Some(_)) => Some(StatusCode::FORBIDDEN),
                (false, None) => Some(StatusCode::UNAUTHORIZED),
            };
            let refused = [StatusCode::FORBIDDEN, StatusCode::UNAUTHORIZED].contains(&answered.status);
            assert_eq!(refused.then_some(answered.status), expected, "{} {path} as {who:?}: {}", route.method, answered.text);
            if refused {
                assert!(answered.problem().contains("this needs a token"), "{}", answered.text);
            } else {
                assert_ne!(answered.status, StatusCode::METHOD_NOT_ALLOWED, "{} {path}", route.method);
                assert!(!answered.text.contains("there is nothing here"), "{} {path}", route.method);
            }
        }
        let changes = route.method != "GET";
        let is_sign_in = route.template.starts_with("/-/airlock/sign-in/");
        // It asks, with a body.
        let asks = route.template == "/-/airlock/v1/lockfile";
        // What lets nothing through and is counted by name.
        let is_word = ["/requests", "/acknowledgements"].iter().any(|end| route.template.ends_with(end)) && route.needs == Needs::Person;
        let is_for_many = is_sign_in || asks || is_word;
        assert!(!changes || is_for_many || matches!(route.needs, Needs::Role(Role::Approver | Role::Admin)), "{route:?}");
        assert!(
            !["/tokens", "/users"].iter().any(|people| route.template.contains(people)) || route.needs == Needs::Role(Role::Admin),
            "{route:?}"
        );
    }
}

#[tokio::test]
async fn a_held_release_is_explained_in_all_spellings() {
    let house = House::new().await;
    let view = house.get(ANONYMOUS, YOUNG).await.json();
    assert_eq!(view["standing"], "held", "{view}");
    assert_eq!(view["opens_at"], "2026-12-04T05:05:00.000Z");
    assert_eq!(view["link"], "http://127.0.0.1:4873/-/airlock/r/left-pad@1.3.0");
    assert_eq!(view["digest"], Digest::of(b"left-pad@1.3.0").sri());
    assert_eq!(view["artifacts"][0]["file"], "left-pad-1.3.0.tgz");
    assert_eq!(view["would_change"][0], "opens 2026-12-04 05:05 UTC by itself");
    assert!(view["sentence"].as_str().unwrap().starts_with("left-pad@1.3.0 is held: published 9 hours ago, opens"), "{view}");
    assert!(view.get("removed_at").is_none() && view["history"].is_array());
    let scripted = house.get(ANONYMOUS, "/-/airlock/v1/releases/left-pad/1.2.0").await.json();
    let finding = &scripted["findings"][0];
    assert_eq!((&finding["kind"], &finding["action"], &finding["stage"]), (&json!("install_script"), &json!("note"), &json!("screening")));
    assert_eq!(finding["why"], "its manifest runs a program when it is installed");
    for path in
        ["/-/airlock/v1/releases/@acme%2fweb/1.3.0", "/-/airlock/v1/releases/%40acme%2Fweb/1.3.0", "/-/airlock/v1/releases/@acme/web/1.3.0"]
    {
        assert_eq!(house.get(ANONYMOUS, path).await.json()["package"], "@acme/web", "{path}");
    }
    let package = house.get(ANONYMOUS, "/-/airlock/v1/packages/@acme%2fweb").await.json();
    assert_eq!((&package["total"], &package["standings"]), (&json!(3), &json!({ "admissible": 2, "held": 1 })));
    assert_eq!(package["releases"][0]["version"], "1.3.0");
    assert_eq!(package["releases"][1]["findings"], json!(["install_script"]));
}

#[tokio::test]
async fn what_is_not_there_and_what_is_no_name_are_told_apart() {
    let house = House::new().await;
    for (path, expected) in [
        ("/-/airlock/v1/releases/left-pad/9.9.9", "404 unknown: left-pad has no version 9.9.9"),
        ("/-/airlock/v1/releases/right-pad/1.0.0", "404 unknown: right-pad is not known"),
        ("/-/airlock/v1/releases/..%2fsecrets/1.0.0", "400 not-a-name: "),
        ("/-/airlock/v1/releases/left-pad/1%2f0", "400 not-a-name: "),
        ("/-/airlock/v1/releases/%ff/1.0.0", "400 malformed: "),
        ("/-/airlock/v1/packages/.hidden", "400 not-a-name: "),
        ("/-/airlock/v1/nothing", "404 unknown: there is nothing here"),
        ("/-/airlock/v1/audit?aftr=3", "400 malformed: "),
        ("/-/airlock/v1/audit?limit=501", "400 malformed: limit is from 1 to 500, not 501"),
        ("/-/airlock/v1/queue?limit=0", "400 malformed: limit is from 1 to 500, not 0"),
        ("/-/airlock/v1/releases?package=%2e%2e", "400 not-a-name: "),
        ("/-/airlock/v1/releases?standing=fine", "400 malformed: "),
        ("/-/airlock/v1/releases?cursor=AAAA", "400 malformed: the cursor is not one of this server's"),
    ] {
        let problem = house.get(ADMIN, path).await.problem();
        assert!(problem.starts_with(expected), "{path}: {problem}");
    }
    let wrong = house.send(ADMIN, Request::put("/-/airlock/v1/queue").body(Body::empty()).unwrap()).await;
    assert!(wrong.problem().starts_with("405 method-not-allowed"), "{}", wrong.text);
}

#[tokio::test]
async fn two_people_open_what_is_below_the_floor() {
    let house = House::new().await;
    let before = house.get(MARIA, YOUNG).await.json();
    assert_eq!(before["approvals"], json!({ "given": 0, "needed": 2 }), "{before}");
    let digest = Digest::of(b"left-pad@1.3.0");
    let order = json!({ "decision": "approve", "reason": "read the diff", "digest": digest.hex(), "revision": before["revision"] });
    let first = house.post(MARIA, DECIDE, &order).await;
    assert_eq!(first.status, StatusCode::OK, "{}", first.text);
    let first = first.json();
    assert_eq!((&first["standing"], &first["approvals"]["given"]), (&json!("held"), &json!(1)), "{first}");
    let event = first["history"].as_array().unwrap().last().unwrap();
    assert_eq!((&event["by"], &event["what"], &event["reason"]), (&json!("maria"), &json!("approved"), &json!("read the diff")));
    let again = house.post(MARIA, DECIDE, &json!({ "decision": "approve", "reason": "and again" })).await;
    assert!(again.problem().starts_with("409 conflict: maria has approved"), "{}", again.text);
    let stale = house.post(OTTO, DECIDE, &json!({ "decision": "approve", "reason": "me too", "revision": before["revision"] })).await;
    assert!(stale.problem().starts_with("409 conflict: the package changed since revision"), "{}", stale.text);
    let other = json!({ "decision": "approve", "reason": "me too", "digest": Digest::of(b"other").sri() });
    let other = house.post(OTTO, DECIDE, &other).await;
    assert!(other.problem().starts_with("409 conflict: the decision is for sha512-"), "{}", other.text);
    let second = house.post(OTTO, DECIDE, &json!({ "decision": "approve", "reason": "me too", "digest": digest.sri() })).await.json();
    assert_eq!((&second["standing"], &second["approvals"]), (&json!("admissible"), &json!({ "given": 2, "needed": 2 })), "{second}");
    assert_eq!(house.decisions_recorded().await, 2);
}

#[tokio::test]
async fn a_decision_needs_a_reason_and_a_release() {
    let house = House::new().await;
    for (path, body, expected) in [
        (DECIDE, json!({ "decision": "reject" }), "422 unacceptable: a reason is needed"),
        (DECIDE, json!({ "decision": "reject", "reason": " \n" }), "422 unacceptable: a reason is needed"),
        (DECIDE, json!({ "decision": "reject", "reason": "x".repeat(1_001) }), "422 unacceptable: the reason is longer than 1000 bytes"),
        (DECIDE, json!({ "decision": "reject", "reason": "x", "digest": "md5-1" }), "422 unacceptable: digest: "),
        (
            DECIDE,
            json!({ "decision": "hold", "reason": "x", "expires_at": "2020-01-01T00:00:00Z" }),
            "422 unacceptable: the decision would",
        ),
        (DECIDE, json!({ "decision": "reject", "reason": "x", "by": "otto" }), "400 malformed: "),
        (DECIDE, json!({ "decision": "reopen", "reason": "x" }), "409 conflict: nothing was decided"),
        ("/-/airlock/v1/releases/left-pad/9.9.9/decisions", json!({ "decision": "reject", "reason": "x" }), "404 unknown: "),
        ("/-/airlock/v1/releases/right-pad/1.0.0/decisions", json!({ "decision": "reject", "reason": "x" }), "404 unknown: "),
    ] {
        let problem = house.post(MARIA, path, &body).await.problem();
        assert!(problem.starts_with(expected), "{body}: {problem}");
    }
    let text = Request::post(DECIDE).header("content-type", "text/plain").body(Body::from("{}")).unwrap();
    assert!(house.send(MARIA, text).await.problem().starts_with("415 unsupported-media-type"));
    assert_eq!(house.decisions_recorded().await, 0);
}

#[tokio::test]
async fn the_same_call_under_one_key_is_done_once() {
    let house = House::new().await;
    let order = json!({ "decision": "hold", "reason": "wait for the audit" });
    let first = house.post_once(MARIA, DECIDE, "k1", &order).await;
    assert_eq!(first.status, StatusCode::OK, "{}", first.text);
    let again = house.post_once(MARIA, DECIDE, "k1", &order).await;
    assert_eq!((again.status, &again.text), (first.status, &first.text));
    assert_eq!(
        (&again.headers["idempotency-replayed"], &again.headers["content-type"]),
        (&"true".parse().unwrap(), &first.headers["content-type"])
    );
    assert_eq!(house.decisions_recorded().await, 1);
    let other = house.post_once(MARIA, DECIDE, "k1", &json!({ "decision": "reject", "reason": "no" })).await;
    assert!(other.problem().starts_with("422 unacceptable: this Idempotency-Key was used with another body"), "{}", other.text);
    assert_eq!(house.decisions_recorded().await, 1);
    house.app.clock.advance(Duration::from_secs(25 * 3_600));
    let late = house.post_once(MARIA, DECIDE, "k1", &order).await;
    assert!(late.headers.get("idempotency-replayed").is_none(), "{}", late.text);
    assert_eq!(house.decisions_recorded().await, 2);
}

#[tokio::test]
async fn a_failed_call_may_be_repaired_under_its_key() {
    let house = House::new().await;
    let failed = house.post_once(MARIA, DECIDE, "k2", &json!({ "decision": "hold" })).await;
    assert_eq!(failed.status, StatusCode::UNPROCESSABLE_ENTITY);
    let repaired = house.post_once(MARIA, DECIDE, "k2", &json!({ "decision": "hold", "reason": "wait" })).await;
    assert_eq!(repaired.status, StatusCode::OK, "{}", repaired.text);
    let large = house.post_once(MARIA, DECIDE, "k3", &json!({ "reason": "x".repeat(70_000) })).await;
    assert!(large.problem().starts_with("413 too-large"), "{}", large.text);
    let no_role = house.post_once(READER, DECIDE, "k2", &json!({ "decision": "hold", "reason": "wait" })).await;
    assert_eq!(no_role.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn releases_are_listed_page_by_page() {
    let house = House::new().await;
    for package in ["left-pad", "@acme%2fweb"] {
        assert_eq!(house.get(ANONYMOUS, &format!("/-/airlock/v1/packages/{package}")).await.status, StatusCode::OK);
    }
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    for _ in 0..10 {
        let page = house.get(MARIA, &format!("/-/airlock/v1/releases?limit=2{cursor}")).await.json();
        let releases = page["releases"].as_array().unwrap();
        seen.extend(releases.iter().map(|one| format!("{}@{}", one["package"].as_str().unwrap(), one["version"].as_str().unwrap())));
        assert_eq!(page["complete"], page["next_cursor"].is_null(), "{page}");
        let Some(next) = page["next_cursor"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    seen.sort();
    assert_eq!(seen, ["@acme/web@1.0.0", "@acme/web@1.2.0", "@acme/web@1.3.0", "left-pad@1.0.0", "left-pad@1.2.0", "left-pad@1.3.0"]);
    let held = house.get(MARIA, "/-/airlock/v1/releases?standing=held&package=left-pad").await.json();
    assert_eq!((held["releases"].as_array().unwrap().len(), &held["releases"][0]["version"]), (1, &json!("1.3.0")), "{held}");
    let elsewhere = house.get(MARIA, &format!("/-/airlock/v1/releases?standing=held{cursor}")).await;
    assert!(elsewhere.problem().contains("another listing"), "{}", elsewhere.text);
}

#[tokio::test]
async fn the_queue_and_the_recall_list_have_their_form() {
    let house = House::new().await;
    let queue = house.get(MARIA, "/-/airlock/v1/queue").await.json();
    assert!(queue["waiting"].is_array() && queue["parked"].is_array() && queue["complete"].is_boolean(), "{queue}");
    let recall = house.get(MARIA, "/-/airlock/v1/recalls/@acme/web/1.0.0").await.json();
    assert_eq!(
        recall,
        json!({ "package": "@acme/web", "version": "1.0.0", "pulls": [], "total": 0, "acknowledgements": [], "missing": [], "notices": [] })
    );
}

#[tokio::test]
async fn a_token_is_told_once_and_its_hash_never() {
    let house = House::new().await;
    let order = json!({ "name": "ci", "role": "reader", "expires_at": "2027-01-01T00:00:00Z" });
    let made = house.post_once(ADMIN, "/-/airlock/v1/tokens", "t1", &order).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.text);
    let token = made.json();
    let id = token["id"].as_str().unwrap().to_owned();
    let secret = token["token"].as_str().unwrap().to_owned();
    assert!(secret.starts_with(&format!("airlock_{id}_")), "{secret}");
    assert_eq!(house.post_once(ADMIN, "/-/airlock/v1/tokens", "t1", &order).await.text, made.text);
    let taken = house.post(ADMIN, "/-/airlock/v1/tokens", &order).await;
    assert!(taken.problem().starts_with("409 conflict: \"ci\" has a token already"), "{}", taken.text);
    for (body, expected) in [
        (json!({ "name": "x", "role": "owner" }), "400 malformed"),
        (json!({ "name": " ", "role": "reader" }), "422 unacceptable"),
        (json!({ "name": "x", "role": "reader", "expires_at": "2020-01-01T00:00:00Z" }), "422 unacceptable"),
    ] {
        let problem = house.post(ADMIN, "/-/airlock/v1/tokens", &body).await.problem();
        assert!(problem.starts_with(expected), "{problem}");
    }
    let list = house.get(ADMIN, "/-/airlock/v1/tokens").await;
    let audit = house.get(MARIA, "/-/airlock/v1/audit").await;
    for text in [&list.text, &audit.text] {
        assert!(text.contains(&id) && !text.contains(&secret) && !text.contains("secret_hash"), "{text}");
    }
    let revoke = || Request::delete(format!("/-/airlock/v1/tokens/{id}")).body(Body::empty()).unwrap();
    assert_eq!(house.send(ADMIN, revoke()).await.status, StatusCode::NO_CONTENT);
    assert_eq!(house.send(ADMIN, revoke()).await.status, StatusCode::NO_CONTENT);
    let list = house.get(ADMIN, "/-/airlock/v1/tokens").await.json();
    let revoked = list["tokens"].as_array().unwrap().iter().find(|token| token["id"] == id.as_str()).unwrap();
    assert_eq!(revoked["revoked_at"], "2026-11-27T14:05:00.000Z");
    let unknown = Request::delete("/-/airlock/v1/tokens/ffffffffffff").body(Body::empty()).unwrap();
    assert!(house.send(ADMIN, unknown).await.problem().starts_with("404 unknown"));
}

#[tokio::test]
async fn the_ledger_is_told_in_order_and_proved() {
    let house = House::new().await;
    house.post(MARIA, DECIDE, &json!({ "decision": "reject", "reason": "typosquat" })).await;
    let mut entries = Vec::new();
    let mut after = json!(0);
    while !after.is_null() {
        let audit = house.get(MARIA, &format!("/-/airlock/v1/audit?after={after}&limit=1")).await.json();
        entries.extend(audit["entries"].as_array().unwrap().iter().cloned());
        after = audit["next_after"].clone();
    }
    let chained = entries
        .windows(2)
        .all(|pair| pair[0]["hash"] == pair[1]["previous"] && pair[0]["sequence"].as_u64() < pair[1]["sequence"].as_u64());
    assert!(chained && entries.len() >= 3, "{entries:?}");
    let last = entries.last().unwrap();
    assert_eq!((&last["by"], &last["what"]), (&json!("maria"), &json!(["rejected left-pad@1.3.0: typosquat"])));
    let proof = house.get(MARIA, "/-/airlock/v1/audit/verify").await.json();
    assert_eq!(proof, json!({ "sound": true, "records": entries.len(), "head": last["hash"] }));
}

#[tokio::test]
async fn the_link_of_a_refusal_leads_to_the_same_words_in_each_form() {
    let house = House::new().await;
    let path = "/-/airlock/r/left-pad@1.3.0";
    let sentence = house.get(ANONYMOUS, YOUNG).await.json()["sentence"].as_str().unwrap().to_owned();
    let html = house.accepting(ANONYMOUS, path, "text/html,*/*;q=0.8").await;
    assert_eq!(html.headers["content-type"], "text/html; charset=utf-8");
    assert_eq!(
        (&html.headers["cache-control"], &html.headers["x-content-type-options"]),
        (&"no-store".parse().unwrap(), &"nosniff".parse().unwrap())
    );
    assert!(html.headers["content-security-policy"].to_str().unwrap().starts_with("default-src 'none'"));
    let text = house.accepting(ANONYMOUS, path, "*/*").await;
    assert_eq!(text.headers["content-type"], "text/plain; charset=utf-8");
    let json = house.accepting(ANONYMOUS, path, "application/json").await;
    assert_eq!(json.json(), house.get(ANONYMOUS, YOUNG).await.json());
    for answered in [&html, &text, &json] {
        assert!(answered.text.contains(&sentence), "{}", answered.text);
    }
    for path in ["/-/airlock/r/@acme/web@1.3.0", "/-/airlock/r/@acme%2fweb@1.3.0", "/-/airlock/r/@acme/web"] {
        assert!(house.get(ANONYMOUS, path).await.text.contains("@acme/web@1.3.0 is held"), "{path}");
    }
    let scripted = house.accepting(ANONYMOUS, "/-/airlock/r/left-pad@1.2.0", "text/html").await.text;
    assert!(scripted.contains("node &lt;script&gt;alert(1)&lt;/script&gt;") && !scripted.contains("<script"), "{scripted}");
}

#[tokio::test]
async fn pages_refuse_as_pages() {
    let house = House::new().await;
    for (who, path, status, word) in [
        (NOBODY, "/-/airlock/r/left-pad@1.3.0", 401, "this needs a token"),
        (ANONYMOUS, "/-/airlock/r/left-pad@9.9.9", 404, "left-pad has no version 9.9.9"),
        (ANONYMOUS, "/-/airlock/r/%3Cscript%3E", 400, "&lt;script&gt;"),
    ] {
        let page = house.accepting(who, path, "text/html").await;
        assert_eq!((page.status.as_u16(), &page.headers["content-type"]), (status, &"text/html; charset=utf-8".parse().unwrap()), "{path}");
        assert!(page.text.contains(word) && !page.text.contains("<script"), "{}", page.text);
    }
    assert!(house.accepting(NOBODY, "/-/airlock/r/x", "text/html").await.headers.contains_key("www-authenticate"));
}

#[tokio::test]
async fn the_front_door_tells_strangers_nothing_of_what_is_inside() {
    let house = House::new().await;
    for path in ["/-/airlock/", "/-/airlock"] {
        let stranger = house.accepting(NOBODY, path, "text/html").await;
        assert_eq!(stranger.status, StatusCode::OK);
        assert!(stranger.text.contains("npm config set registry http://127.0.0.1:4873/") && !stranger.text.contains("refused"));
        assert!(house.accepting(ANONYMOUS, path, "text/html").await.text.contains("refused"));
    }
    let document = house.get(NOBODY, "/-/airlock/v1/openapi.json").await;
    assert_eq!((&document.headers["content-type"], &document.json()["openapi"]), (&"application/json".parse().unwrap(), &json!("3.1.0")));
}
