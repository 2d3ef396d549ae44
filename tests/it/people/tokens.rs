//! Tokens: made, listed, expired, revoked; and what each role may do, over every route.

use airlock::config::access::Anonymous;
use airlock::http::route::Needs;
use airlock::model::token::Role;
use airlock::server::router::ROUTES;
use serde_json::json;

use super::TOKENS;
use super::token;
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

/// How a caller is refused by the list of routes, and how at the door.
const REFUSALS: [&str; 2] = ["this needs a token", "this Airlock answers only with a token"];

#[tokio::test]
async fn each_role_may_do_what_the_list_of_routes_says() {
    for anonymous in [Anonymous::Reader, Anonymous::None] {
        let airlock = scenario().gated_by(|config| config.access.anonymous = anonymous).await;
        let mut callers: Vec<(Option<Role>, Option<String>)> = vec![((anonymous == Anonymous::Reader).then_some(Role::Reader), None)];
        for role in Role::ALL {
            callers.push((Some(role), Some(token(&airlock, &format!("one {}", role.as_str()), role.as_str()).await.0)));
        }
        for route in ROUTES.iter().copied().flatten() {
            for (role, token) in &callers {
                let call = airlock.call(route.method, &path(route.template));
                let call = if let Some(token) = token { call.bearer(token) } else { call };
                // Not a good order, so that who may give one changes nothing either.
                let changes = matches!(route.method, "POST" | "PUT" | "PATCH");
                let call = if changes { call.json(&json!({"nonsense": true})) } else { call };
                let reply = call.send().await;
                let may = match route.needs {
                    Needs::Nothing => true,
                    Needs::Person => token.is_some(),
                    Needs::Role(needed) => role.is_some_and(|role| role.covers(needed)),
                    Needs::AnyOf(needed) => role.is_some_and(|role| needed.iter().any(|needed| role.covers(*needed))),
                };
                // Of HEAD there is only the first line.
                let said = format!("{} {}", reply.reason, reply.text());
                let what = format!("{} {} as {role:?} with a token: {}", route.method, route.template, token.is_some());
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
