//! A token for some packages is for them alone, by whatever way something is changed.

use std::collections::BTreeSet;

use airlock::http::route::Needs;
use airlock::model::token::Role;
use airlock::server::router::ROUTES;
use serde_json::Value;
use serde_json::json;

use super::trusting;
use crate::support::airlock::Airlock;
use crate::support::http::Reply;
use crate::support::publish::Publish;
use crate::support::scenario::Scenario;

const WEB: &str = "@acme/web";
const PASSWORD: &str = "correct horse battery";

/// A change of otto's package that is in order: the route it takes, the address, the body.
struct Change {
    method: &'static str,
    template: &'static str,
    path: String,
    body: Value,
}

/// One for each route by which a package is changed, of the package as it is now. In this order each can be done after the other.
fn changes(read: &Value) -> Vec<Change> {
    let rev = read["_rev"].as_str().unwrap();
    let mut deprecated = read.clone();
    deprecated["versions"]["1.0.0"]["deprecated"] = json!("use 1.1.0");
    let rows = [
        ("PUT", "/{package}", "/@acme%2fweb".to_owned(), Publish::new(WEB, "2.0.0").body()),
        ("POST", "/-/stage/package/{package}", "/-/stage/package/@acme%2fweb".to_owned(), Publish::new(WEB, "3.0.0").body()),
        ("PUT", "/-/package/{package}/dist-tags/{tag}", "/-/package/@acme%2fweb/dist-tags/old".to_owned(), json!("1.0.0")),
        ("POST", "/-/package/{package}/dist-tags/{tag}", "/-/package/@acme%2fweb/dist-tags/old".to_owned(), json!("1.1.0")),
        ("DELETE", "/-/package/{package}/dist-tags/{tag}", "/-/package/@acme%2fweb/dist-tags/old".to_owned(), Value::Null),
        ("PUT", "/-/package/{package}/owners", "/-/package/@acme%2fweb/owners".to_owned(), json!({"user": "ann"})),
        ("DELETE", "/-/package/{package}/owners/{user}", "/-/package/@acme%2fweb/owners/ann".to_owned(), Value::Null),
        ("POST", "/-/package/{package}/access", "/-/package/@acme%2fweb/access".to_owned(), json!({"access": "restricted"})),
        ("PUT", "/-/user/package/{package}/star", "/-/user/package/@acme%2fweb/star".to_owned(), json!({})),
        ("DELETE", "/-/user/package/{package}/star", "/-/user/package/@acme%2fweb/star".to_owned(), Value::Null),
        ("PUT", "/-/user/v1/star", "/-/user/v1/star".to_owned(), json!({"name": WEB})),
        ("DELETE", "/-/user/v1/star", "/-/user/v1/star".to_owned(), json!({"name": WEB})),
        ("PUT", "/{package}/-rev/{rev}", format!("/@acme%2fweb/-rev/{rev}"), deprecated),
        ("DELETE", "/{package}/-/{file}/-rev/{rev}", format!("/@acme/web/-/web-1.1.0.tgz/-rev/{rev}"), Value::Null),
        ("DELETE", "/{package}/-rev/{rev}", format!("/@acme%2fweb/-rev/{rev}"), Value::Null),
    ];
    rows.into_iter().map(|(method, template, path, body)| Change { method, template, path, body }).collect()
}

async fn asked(airlock: &Airlock, token: &str, change: &Change) -> Reply {
    let call = airlock.call(change.method, &change.path).bearer(token);
    if change.body.is_null() { call.send().await } else { call.json(&change.body).send().await }
}

#[tokio::test]
async fn by_no_route_is_another_package_changed() {
    let airlock = Scenario::new().gated_by(trusting).await;
    airlock.user("ann", "publisher").await;
    let order = json!({"name": "otto", "role": "publisher", "password": PASSWORD});
    assert_eq!(airlock.as_admin("POST", "/-/airlock/v1/users").json(&order).send().await.status, 201);
    let body = json!({"name": "otto", "password": PASSWORD});
    let otto = airlock.call("PUT", "/-/user/org.couchdb.user:otto").json(&body).send().await.json()["token"].as_str().unwrap().to_owned();
    let token = async |packages: &[&str]| {
        let order = json!({"password": PASSWORD, "packages": packages, "readonly": false});
        airlock.call("POST", "/-/npm/v1/tokens").bearer(&otto).json(&order).send().await.json()["token"].as_str().unwrap().to_owned()
    };
    let (for_another, for_it) = (token(&["@acme/app"]).await, token(&[WEB, "left-pad"]).await);
    for version in ["1.0.0", "1.1.0"] {
        assert_eq!(airlock.publish(&otto, WEB, version).await.status, 201);
    }
    let read = async || airlock.call("GET", "/@acme%2fweb?write=true").bearer(&otto).send().await.json();

    let before = read().await;
    let all = changes(&before);
    let listed: BTreeSet<(&str, &str)> = all.iter().map(|change| (change.method, change.template)).collect();
    let changing = ROUTES.iter().copied().flatten().filter(|route| {
        let for_publishers = match route.needs {
            Needs::Role(role) => role == Role::Publisher,
            Needs::Person => route.template.ends_with("/star"),
            Needs::AnyOf(_) | Needs::Nothing => false,
        };
        for_publishers && !matches!(route.method, "GET" | "HEAD")
    });
    assert_eq!(changing.map(|route| (route.method, route.template)).collect::<BTreeSet<_>>(), listed, "every route has a row");
    for change in &all {
        let reply = asked(&airlock, &for_another, change).await;
        let what = format!("{} {}: {} {}", change.method, change.template, reply.status, reply.text());
        assert!(reply.status == 403 && reply.text().contains("this token"), "{what}");
    }
    assert_eq!(read().await, before, "nothing is otherwise than it was");
    // And nothing else was wrong with them.
    for at in 0..all.len() {
        let Some(change) = changes(&read().await).into_iter().nth(at) else { break };
        let reply = asked(&airlock, &for_it, &change).await;
        assert!((200..300).contains(&reply.status), "{} {}: {} {}", change.method, change.template, reply.status, reply.text());
    }
}
