//! Tokens: made, listed, expired, revoked; and what each role may do, over every route.

use airlock::config::access::Anonymous;
use airlock::http::route::Needs;
use airlock::model::token::Role;
use airlock::server::router::ROUTES;
use airlock::server::router::is_for_sign_in;
use airlock::server::router::is_outside;
use http::Method;
use serde_json::json;

use super::TOKENS;
use super::token;
use crate::support::airlock::Airlock;
use crate::support::http::Reply;
use crate::support::scenario::Scenario;

fn scenario() -> Scenario {
    Scenario::new().package("left-pad", |p| _ = p.release("1.0.0")).package("@acme/web", |p| _ = p.release("1.0.0"))
}

fn path(template: &str) -> String {
    let scoped = template.contains("{scope}");
    let path = template
        .replace("{*subject}", "left-pad@1.0.0")
        .replace("{package}", "left-pad")
        .replace("{version}", "1.0.0")
        .replace("{file}", "left-pad-1.0.0.tgz")
        .replace("{subject}", "left-pad@1.0.0")
        .replace("{rev}", "1-0")
        .replace("{tag}", "next")
        .replace("{user}", "ann")
        .replace("{session}", "0123456789abcdef0123456789abcdef")
        .replace("{token}", "0123456789ab")
        .replace("{key}", "0123456789ab");
    path.replace("{scope}", "@acme").replace("{name}", if scoped { "web" } else { "left-pad" }).replace("{id}", "0123456789ab")
}

/// Whom each route is to answer: a need that changes is seen here. What it needs, the methods, the template.
const WHOM: &str = include_str!("whom.txt");

fn words(needs: Needs) -> String {
    match needs {
        Needs::Nothing => "nothing".to_owned(),
        Needs::Person => "person".to_owned(),
        Needs::Role(role) => role.as_str().to_owned(),
        Needs::AnyOf(roles) => roles.iter().map(|role| role.as_str()).collect::<Vec<&str>>().join("|"),
    }
}

#[test]
fn every_route_answers_whom_it_is_to_answer() {
    let rows = WHOM.lines().flat_map(|line| {
        let [needs, methods, template] = line.split_whitespace().collect::<Vec<&str>>().try_into().unwrap();
        methods.split(',').map(move |method| (method, template, needs.to_owned())).collect::<Vec<_>>()
    });
    let rows: Vec<(&str, &str, String)> = rows.collect();
    let routes = ROUTES.iter().copied().flatten();
    let without_a_row: Vec<String> = routes
        .map(|route| (route.method, route.template, words(route.needs)))
        .filter(|route| !rows.contains(route))
        .map(|(method, template, needs)| format!("{needs} {method} {template}"))
        .collect();
    assert_eq!(without_a_row, Vec::<String>::new());
    let all: std::collections::BTreeSet<_> = rows.iter().map(|(method, template, _)| (method, template)).collect();
    assert_eq!(all.len(), rows.len(), "a route has one row");
}

/// How a caller is refused by the list of routes, and how at the door.
const REFUSALS: [&str; 2] = ["this needs a token", "this Airlock answers only with a token"];

/// One who asks: with which role, with which token, and whether that token still counts.
struct Asker {
    who: String,
    role: Option<Role>,
    token: Option<String>,
    is_let_in: bool,
}

impl Asker {
    fn of(who: &str, role: Role, token: String) -> Asker {
        Asker { who: who.to_owned(), role: Some(role), token: Some(token), is_let_in: true }
    }
}

const PASSWORD: &str = "correct horse battery";

/// A token of a user with this role, signed in with a password.
async fn session(airlock: &Airlock, name: &str, role: Role) -> String {
    let order = json!({"name": name, "role": role.as_str(), "password": PASSWORD});
    assert_eq!(airlock.as_admin("POST", "/-/airlock/v1/users").json(&order).send().await.status, 201);
    let body = json!({"name": name, "password": PASSWORD});
    let reply = airlock.call("PUT", &format!("/-/user/org.couchdb.user:{name}")).json(&body).send().await;
    reply.json()["token"].as_str().unwrap().to_owned()
}

/// Nobody, and every way to be somebody: tokens of an admin's making, users who signed in, a token made for reading and one
/// for some packages; and those that count no more.
async fn askers(airlock: &Airlock, anonymous: Anonymous) -> Vec<Asker> {
    let role = (anonymous == Anonymous::Reader).then_some(Role::Reader);
    let mut askers = vec![Asker { who: "nobody".to_owned(), role, token: None, is_let_in: true }];
    for role in Role::ALL {
        askers.push(Asker::of("a token", role, token(airlock, &format!("one {}", role.as_str()), role.as_str()).await.0));
        askers.push(Asker::of("a user", role, session(airlock, &format!("user-{}", role.as_str()), role).await));
    }
    let root = session(airlock, "root", Role::Admin).await;
    let order = json!({"password": PASSWORD, "readonly": true});
    let made = airlock.call("POST", "/-/npm/v1/tokens").bearer(&root).json(&order).send().await.json();
    askers.push(Asker::of("an admin's token for reading", Role::Reader, made["token"].as_str().unwrap().to_owned()));
    // Whoever's it is, it publishes these and no others, and is otherwise for reading.
    let order = json!({"password": PASSWORD, "packages": ["left-pad"], "scopes": ["@acme"], "readonly": false});
    let bound = airlock.call("POST", "/-/npm/v1/tokens").bearer(&root).json(&order).send().await.json();
    askers.push(Asker::of("an admin's token for some packages", Role::Publisher, bound["token"].as_str().unwrap().to_owned()));
    let (revoked, id) = token(airlock, "over", "admin").await;
    assert_eq!(airlock.as_admin("DELETE", &format!("{TOKENS}/{id}")).send().await.status, 204);
    askers.push(Asker { is_let_in: false, ..Asker::of("a revoked token", Role::Admin, revoked) });
    let disabled = session(airlock, "gone", Role::Admin).await;
    let edit = airlock.as_admin("PATCH", "/-/airlock/v1/users/gone").json(&json!({"disabled": true})).send().await;
    assert_eq!(edit.status, 200);
    askers.push(Asker { is_let_in: false, ..Asker::of("a disabled user", Role::Admin, disabled) });
    askers
}

#[tokio::test]
async fn each_role_may_do_what_the_list_of_routes_says() {
    for anonymous in [Anonymous::Reader, Anonymous::None] {
        let airlock = scenario().gated_by(|config| config.access.anonymous = anonymous).await;
        let askers = askers(&airlock, anonymous).await;
        for route in ROUTES.iter().copied().flatten() {
            for Asker { who, role, token, is_let_in } in &askers {
                let call = airlock.call(route.method, &path(route.template));
                let call = if let Some(token) = token { call.bearer(token) } else { call };
                // Not a good order, so that who may give one changes nothing either.
                let changes = matches!(route.method, "POST" | "PUT" | "PATCH");
                let call = if changes { call.json(&json!({"nonsense": true})) } else { call };
                let reply = call.send().await;
                // Of HEAD there is only the first line.
                let said = format!("{} {}", reply.reason, reply.text());
                let what = format!("{} {} as {who}, {role:?}", route.method, route.template);
                let method = Method::from_bytes(route.method.as_bytes()).unwrap();
                if !is_let_in && !is_outside(route.template) && !is_for_sign_in(&method, route.template) {
                    assert_eq!(reply.status, 401, "{what}: {said}");
                    assert!(said.contains("the token is not valid"), "{what}: {said}");
                    continue;
                }
                let may = match route.needs {
                    Needs::Nothing => true,
                    Needs::Person => token.is_some(),
                    Needs::Role(needed) => role.is_some_and(|role| role.covers(needed)),
                    Needs::AnyOf(needed) => role.is_some_and(|role| needed.iter().any(|needed| role.covers(*needed))),
                };
                match (may, token) {
                    // A handler may refuse for reasons of its own, in other words.
                    (true, _) => {
                        let is_refused = REFUSALS.iter().any(|words| said.contains(words));
                        assert!(!is_refused && !matches!(reply.status, 405 | 500), "{what}: {} {}", reply.status, said);
                    }
                    (false, None) => assert_eq!(reply.status, 401, "{what}: {}", said),
                    (false, Some(_)) => {
                        assert_eq!(reply.status, 403, "{what}: {}", said);
                        assert!(said.contains(REFUSALS[0]), "{what}: {}", said);
                    }
                }
            }
        }
    }
}

/// Clients send the old token along while they sign in for a new one.
#[tokio::test]
async fn a_token_that_no_longer_serves_hinders_nobody_who_signs_in() {
    for anonymous in [Anonymous::Reader, Anonymous::None] {
        let airlock = scenario().gated_by(|config| config.access.anonymous = anonymous).await;
        for (method, path, may) in [
            ("PUT", "/-/user/org.couchdb.user:ann", true),
            ("PUT", "/-/user/org.couchdb.user:ann/-rev/1-0", true),
            ("POST", "/-/v1/login", true),
            ("GET", "/-/v1/done/0123456789abcdef", true),
            ("POST", "/-/npm/v1/oidc/token/exchange/package/left-pad", true),
            ("GET", "/-/user/org.couchdb.user:ann", false),
            ("GET", "/-/npm/v1/user", false),
            ("GET", "/left-pad", false),
        ] {
            let stale = airlock.call(method, path).bearer("airlock_0123456789ab_stale").send().await;
            let refused = stale.text().contains("the token is not valid");
            assert_eq!(refused, !may, "{method} {path}: {}", stale.text());
            assert!(may || stale.status == 401);
            let no_token = airlock.call(method, path).send().await;
            assert!(!may || !REFUSALS.iter().any(|words| no_token.text().contains(words)), "{method} {path}: {}", no_token.text());
        }
    }
}

/// All that a caller learns, but for what differs by nature.
fn without_ids(reply: &Reply) -> (u16, String, Vec<(String, String)>, String) {
    let headers = reply.headers.iter().filter(|(name, _)| !["date", "airlock-request-id"].contains(&name.to_lowercase().as_str()));
    (reply.status, reply.reason.clone(), headers.cloned().collect(), reply.text())
}

#[tokio::test]
async fn a_token_that_is_not_valid_gets_the_same_answer_whatever_is_wrong_with_it() {
    let airlock = scenario().gated().await;
    let (good, id) = token(&airlock, "maria", "approver").await;
    let (other, _) = token(&airlock, "otto", "approver").await;
    let expires_at = airlock.now().plus(std::time::Duration::from_secs(60)).to_string();
    let order = json!({"name": "short", "role": "reader", "expires_at": expires_at});
    let short = airlock.as_admin("POST", TOKENS).json(&order).send().await.json()["token"].as_str().unwrap().to_owned();
    let queue = |token: String| airlock.call("GET", "/-/airlock/v1/queue").bearer(&token).send();
    assert_eq!((queue(good.clone()).await.status, queue(short.clone()).await.status), (200, 403));
    let revoked = airlock.as_admin("DELETE", &format!("{TOKENS}/{id}")).send().await;
    assert_eq!(revoked.status, 204);
    airlock.advance("1m");
    let mixed = format!("{}{}", &good[..20], &other[20..]);
    let mut answers = Vec::new();
    for wrong in [good.clone(), short, mixed, format!("{other}x"), other[..other.len() - 1].to_owned(), "x".into(), "airlock_".into()] {
        let reply = queue(wrong).await;
        assert_eq!(reply.status, 401, "{}", reply.text());
        answers.push(without_ids(&reply));
    }
    assert!(answers.windows(2).all(|two| two[0] == two[1]), "{answers:#?}");
    assert_eq!(airlock.call("GET", "/left-pad").bearer(&good).send().await.status, 401);
    assert_eq!(airlock.call("GET", "/-/whoami").bearer(&other).send().await.json()["username"], "otto");
    let list = airlock.as_admin("GET", TOKENS).send().await;
    let list_json = list.json();
    let names: std::collections::BTreeSet<_> =
        list_json["tokens"].as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap()).collect();
    assert!(names.into_iter().eq(["admin", "maria", "otto", "short"]));
    for secret in [&good, &other] {
        assert!(!list.text().contains(&secret[21..]), "a list tells no secret");
    }
    let airlock = airlock.restart().await;
    assert_eq!(airlock.call("GET", "/left-pad").bearer(&good).send().await.status, 401, "nor after a restart");
}
