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
        .replace("{file}", "left-pad-1.0.0.tgz");
    path.replace("{scope}", "@acme").replace("{name}", if scoped { "web" } else { "left-pad" }).replace("{id}", "0123456789ab")
}

#[tokio::test]
async fn each_role_may_do_what_the_list_of_routes_says() {
    for anonymous in [Anonymous::Reader, Anonymous::None] {
        let airlock = scenario().gated_by(|config| config.access.anonymous = anonymous).await;
        let mut callers: Vec<(Option<Role>, Option<String>)> = vec![((anonymous == Anonymous::Reader).then_some(Role::Reader), None)];
        for role in Role::ALL {
            callers.push((Some(role), Some(token(&airlock, &format!("one {}", role.as_str()), role.as_str()).await.0)));
        }
        // Who has no name has no answer to whoami, whatever they may read.
        for route in ROUTES.iter().copied().flatten().filter(|route| route.template != "/-/whoami") {
            for (role, token) in &callers {
                let call = airlock.call(route.method, &path(route.template));
                let call = if let Some(token) = token { call.bearer(token) } else { call };
                // Not a good order, so that who may give one changes nothing either.
                let call = if route.method == "POST" { call.json(&json!({"nonsense": true})) } else { call };
                let reply = call.send().await;
                let may = match route.needs {
                    Needs::Nothing => true,
                    Needs::Role(needed) => role.is_some_and(|role| role.covers(needed)),
                };
                let what = format!("{} {} as {role:?} with a token: {}", route.method, route.template, token.is_some());
                match (may, token) {
                    (true, _) => assert!(!matches!(reply.status, 401 | 403 | 500), "{what}: {} {}", reply.status, reply.text()),
                    (false, None) => assert_eq!(reply.status, 401, "{what}: {}", reply.text()),
                    (false, Some(_)) => assert_eq!(reply.status, 403, "{what}: {}", reply.text()),
                }
            }
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
