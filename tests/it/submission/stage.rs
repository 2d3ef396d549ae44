//! The review queue as `npm stage` asks it.

use std::collections::BTreeSet;

use airlock::config::policy::Submissions;
use serde_json::Value;
use serde_json::json;

use super::workflow::STANDING_OF_WEB;
use super::workflow::WEB;
use super::workflow::status;
use crate::identity::PASSWORD;
use crate::identity::make_user;
use crate::identity::sign_in;
use crate::support::airlock::Airlock;
use crate::support::http::Reply;
use crate::support::publish::Publish;
use crate::support::scenario::Scenario;

async fn asked(airlock: &Airlock, token: &str, method: &str, path: &str) -> Reply {
    airlock.call(method, path).bearer(token).send().await
}

async fn items(airlock: &Airlock, token: &str) -> Vec<Value> {
    let listed = asked(airlock, token, "GET", "/-/stage?page=0&perPage=100").await;
    assert_eq!(listed.status, 200, "{}", listed.text());
    let listed = listed.json();
    assert_eq!(listed["total"], listed["items"].as_array().unwrap().len());
    listed["items"].as_array().unwrap().clone()
}

async fn id_of(airlock: &Airlock, token: &str, version: &str) -> String {
    let items = items(airlock, token).await;
    let item = items.iter().find(|item| item["version"] == version).unwrap_or_else(|| panic!("{version} is not among {items:?}"));
    item["id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn npm_and_the_console_show_the_same_queue() {
    let builds = |p: &mut crate::support::scenario::Package| _ = p.release("2.0.0").file("binding.gyp", "{}");
    let airlock = Scenario::new().package("native", builds).gated().await;
    let (ann, bob) = (airlock.user("ann", "publisher").await, airlock.user("bob", "approver").await);
    assert_eq!(airlock.publish(&ann, WEB, "1.0.0").await.status, 202);
    assert_eq!(airlock.tarball("native", "2.0.0").await.status, 403, "looked into, and now it waits for people");

    let shown = items(&airlock, &bob).await;
    let named = |items: &[Value], name: &str| -> BTreeSet<String> {
        items.iter().map(|item| format!("{}@{}", item[name].as_str().unwrap(), item["version"].as_str().unwrap())).collect()
    };
    let queue = airlock.as_admin("GET", "/-/airlock/v1/queue").send().await.json();
    assert_eq!(named(&shown, "packageName"), named(queue["waiting"].as_array().unwrap(), "package"));
    let packed = Publish::new(WEB, "1.0.0").packed();
    let (web, native) = (&shown[0], &shown[1]);
    let expect = json!({
        "id": web["id"], "packageName": WEB, "version": "1.0.0", "tag": "latest", "createdAt": web["createdAt"], "actor": "ann",
        "actorType": "user", "access": "public", "shasum": packed.shasum, "status": "staged",
    });
    assert_eq!(web, &expect);
    assert_eq!((&native["actor"], &native["actorType"], &native["tag"]), (&json!("upstream"), &Value::Null, &json!("latest")));
    let filtered = asked(&airlock, &bob, "GET", "/-/stage?package=%40acme%2Fweb").await.json();
    assert_eq!(named(filtered["items"].as_array().unwrap(), "packageName"), BTreeSet::from(["@acme/web@1.0.0".to_owned()]));

    for (item, tarball) in [(web, packed.bytes), (native, airlock.upstream.tarball("native", "2.0.0"))] {
        let path = format!("/-/stage/{}", item["id"].as_str().unwrap());
        let viewed = asked(&airlock, &bob, "GET", &path).await.json();
        let why = viewed["reason"].as_str().unwrap();
        assert!(
            why.starts_with(item["packageName"].as_str().unwrap()) && viewed["link"].as_str().unwrap().contains("/-/airlock/r/"),
            "{viewed}"
        );
        let opened = asked(&airlock, &bob, "GET", &format!("{path}/tarball")).await;
        assert_eq!((opened.status, opened.body == tarball, opened.header("cache-control")), (200, true, Some("no-store")));
        let approved = asked(&airlock, &bob, "POST", &format!("{path}/approve")).await;
        assert_eq!((approved.status, &approved.json()["ok"]), (201, &json!(true)), "{}", approved.text());
        assert_eq!(asked(&airlock, &bob, "GET", &path).await.status, 404, "it waits no more");
    }
    assert_eq!(airlock.tarball("native", "2.0.0").await.status, 200);
    assert_eq!(airlock.tarball(WEB, "1.0.0").await.status, 200);
    let history = airlock.release(WEB, "1.0.0").await["history"].clone();
    assert!(history.as_array().unwrap().iter().any(|one| one["reason"] == "npm stage approve" && one["by"] == "bob"), "{history}");
}

#[tokio::test]
async fn a_staged_release_waits_even_where_submissions_are_trusted() {
    let airlock = Scenario::new().gated_by(|config| config.policy.submissions = Submissions::Trusted).await;
    let (ann, bob) = (airlock.user("ann", "publisher").await, airlock.user("bob", "approver").await);
    let staged = Publish::new(WEB, "1.0.0").staged(&airlock, &ann).send().await;
    assert_eq!(staged.status, 201, "{}", staged.text());
    let id = staged.json()["stageId"].as_str().unwrap().to_owned();
    airlock.advance("99d");
    assert_eq!(airlock.tarball(WEB, "1.0.0").await.status, 403, "no age opens it");
    assert_eq!(airlock.release(WEB, "1.0.0").await["standing"], "in_review");
    assert_eq!(asked(&airlock, &ann, "POST", &format!("/-/stage/{id}/approve")).await.status, 403, "a publisher does not approve");
    assert_eq!(asked(&airlock, &bob, "POST", &format!("/-/stage/{id}/approve")).await.status, 201);
    assert_eq!(airlock.tarball(WEB, "1.0.0").await.status, 200);
}

#[tokio::test]
async fn what_is_held_is_opened_by_who_reviews_or_submitted_it_and_by_nobody_else() {
    let airlock = Scenario::new().gated().await;
    let ann = airlock.user("ann", "publisher").await;
    assert_eq!(airlock.publish(&ann, WEB, "1.0.0").await.status, 202);
    let id = id_of(&airlock, &ann, "1.0.0").await;
    for (who, role, expect) in [("joe", "publisher", 404), ("eve", "reader", 403), ("bob", "approver", 200), ("adm", "admin", 200)] {
        let token = airlock.user(who, role).await;
        for path in [format!("/-/stage/{id}"), format!("/-/stage/{id}/tarball")] {
            for method in ["GET", "HEAD"] {
                assert_eq!(asked(&airlock, &token, method, &path).await.status, expect, "{method} {path} as {role}");
            }
        }
        if role == "publisher" {
            assert_eq!(items(&airlock, &token).await, [Value::Null; 0], "another's");
            assert_eq!(asked(&airlock, &token, "DELETE", &format!("/-/stage/{id}")).await.status, 404);
        }
    }
    assert_eq!(asked(&airlock, &ann, "GET", &format!("/-/stage/{id}/tarball")).await.status, 200);
    assert_eq!(airlock.get(&format!("/-/stage/{id}/tarball")).await.status, 401);
    // Not to be had by any other way.
    assert_eq!(airlock.call("GET", "/@acme/web/-/web-1.0.0.tgz").bearer(&ann).send().await.status, 403);
}

#[tokio::test]
async fn turned_down_by_an_approver_it_is_rejected_and_by_its_submitter_withdrawn() {
    let airlock = Scenario::new().gated().await;
    let (ann, bob) = (airlock.user("ann", "publisher").await, airlock.user("bob", "approver").await);
    assert_eq!(airlock.publish(&ann, WEB, "1.0.0").await.status, 202);
    let path = format!("/-/stage/{}", id_of(&airlock, &ann, "1.0.0").await);
    let rejected = asked(&airlock, &bob, "DELETE", &path).await;
    assert_eq!((rejected.status, rejected.body.len()), (204, 0));
    assert_eq!(asked(&airlock, &bob, "DELETE", &path).await.status, 404, "once is enough");
    assert_eq!(status(&airlock, STANDING_OF_WEB).await, "blocked");

    assert_eq!(airlock.publish(&ann, WEB, "1.1.0").await.status, 202);
    let path = format!("/-/stage/{}", id_of(&airlock, &ann, "1.1.0").await);
    assert_eq!(asked(&airlock, &ann, "DELETE", &path).await.status, 204);
    let told = asked(&airlock, &ann, "GET", "/-/package/@acme%2fweb/version/1.1.0/status").await;
    assert_eq!((told.status, &told.json()["status"]), (200, &json!("deleted")));
    assert_eq!(airlock.publish(&ann, WEB, "1.1.0").await.status, 403, "its version is gone for good");
}

/// A token for some packages is for them alone: whoever has it takes back nothing else of its user's.
#[tokio::test]
async fn a_narrow_token_turns_down_only_what_it_might_have_submitted() {
    let airlock = Scenario::new().gated().await;
    make_user(&airlock, "maria", "publisher").await;
    let maria = sign_in(&airlock, "maria").await;
    let made = async |packages: Value| {
        let order = json!({"password": PASSWORD, "packages": packages, "readonly": false});
        let made = airlock.call("POST", "/-/npm/v1/tokens").bearer(&maria).json(&order).send().await;
        assert_eq!(made.status, 201, "{}", made.text());
        made.json()["token"].as_str().unwrap().to_owned()
    };
    let (narrow, fitting) = (made(json!(["@acme/other"])).await, made(json!([WEB])).await);
    assert_eq!(airlock.publish(&maria, WEB, "1.0.0").await.status, 202);
    let path = format!("/-/stage/{}", id_of(&airlock, &maria, "1.0.0").await);
    for (method, path) in [("DELETE", path.clone()), ("GET", path.clone()), ("GET", format!("{path}/tarball"))] {
        let reply = asked(&airlock, &narrow, method, &path).await;
        assert_eq!(reply.status, 404, "{method} {path}: {}", reply.text());
    }
    assert_eq!(items(&airlock, &narrow).await, [Value::Null; 0]);
    assert_eq!(status(&airlock, STANDING_OF_WEB).await, "staged");
    assert_eq!(asked(&airlock, &fitting, "DELETE", &path).await.status, 204);
    // What is withdrawn waits no more, for nobody.
    for token in [&maria, &narrow, &fitting, &airlock.admin_token()] {
        assert_eq!(asked(&airlock, token, "DELETE", &path).await.status, 404);
    }
}

/// Who submitted it and owns it no more takes nothing back; neither does who only has the same role.
#[tokio::test]
async fn it_is_its_packages_owners_who_take_it_back() {
    let airlock = Scenario::new().gated().await;
    let (ann, joe, bob) =
        (airlock.user("ann", "publisher").await, airlock.user("joe", "publisher").await, airlock.user("bob", "approver").await);
    assert_eq!(airlock.publish(&ann, WEB, "1.0.0").await.status, 202);
    let path = format!("/-/stage/{}", id_of(&airlock, &ann, "1.0.0").await);
    let add = airlock.call("PUT", "/-/package/@acme%2fweb/owners").bearer(&ann).json(&json!({"user": "joe"})).send().await;
    assert_eq!(add.status, 200, "{}", add.text());
    assert_eq!(asked(&airlock, &joe, "DELETE", "/-/package/@acme%2fweb/owners/ann").await.status, 200);
    let refused = asked(&airlock, &ann, "DELETE", &path).await;
    assert_eq!(refused.status, 403, "{}", refused.text());
    assert!(refused.text().contains("you are not an owner of @acme/web"), "{}", refused.text());
    assert_eq!(asked(&airlock, &joe, "DELETE", &path).await.status, 404, "an owner who did not submit it");
    assert_eq!(status(&airlock, STANDING_OF_WEB).await, "staged");
    assert_eq!(asked(&airlock, &bob, "DELETE", &path).await.status, 204);
    assert_eq!(status(&airlock, STANDING_OF_WEB).await, "blocked");
}

#[tokio::test]
async fn more_people_are_said_to_be_needed() {
    let airlock = Scenario::new().gated_by(|config| config.policy.review.approvals = 2).await;
    let ann = airlock.user("ann", "publisher").await;
    assert_eq!(airlock.publish(&ann, WEB, "1.0.0").await.status, 202);
    let path = format!("/-/stage/{}/approve", id_of(&airlock, &ann, "1.0.0").await);
    let first = asked(&airlock, &airlock.user("bob", "approver").await, "POST", &path).await;
    assert_eq!(first.status, 202, "{}", first.text());
    assert!(first.header("npm-notice").unwrap().starts_with("1 of 2 approvals: @acme/web@1.0.0 is held"), "{:?}", first.headers);
    assert_eq!(asked(&airlock, &airlock.user("eve", "approver").await, "POST", &path).await.status, 201);
    assert_eq!(airlock.tarball(WEB, "1.0.0").await.status, 200);
}

#[tokio::test]
async fn pages_are_whole_and_what_is_no_id_is_not_there() {
    let airlock = Scenario::new().gated().await;
    let ann = airlock.user("ann", "publisher").await;
    for version in ["1.0.0", "1.1.0", "1.2.0"] {
        assert_eq!(airlock.publish(&ann, WEB, version).await.status, 202);
    }
    let mut seen = BTreeSet::new();
    for (page, count) in [(0, 2), (1, 1), (2, 0)] {
        let listed = asked(&airlock, &ann, "GET", &format!("/-/stage?page={page}&perPage=2")).await.json();
        assert_eq!((&listed["page"], &listed["perPage"], &listed["total"]), (&json!(page), &json!(2), &json!(3)), "{listed}");
        let items = listed["items"].as_array().unwrap();
        assert_eq!(items.len(), count);
        seen.extend(items.iter().map(|item| item["version"].as_str().unwrap().to_owned()));
    }
    assert_eq!(seen.len(), 3);
    for bad in ["page=x", "page=-1", "perPage=101", "package=..%2Fx"] {
        assert_eq!(asked(&airlock, &ann, "GET", &format!("/-/stage?{bad}")).await.status, 400, "{bad}");
    }
    for id in ["1", "00000000-0000-8000-8000-000000000000", "left-pad"] {
        for (method, path) in [("GET", ""), ("GET", "/tarball"), ("DELETE", "")] {
            let reply = asked(&airlock, &ann, method, &format!("/-/stage/{id}{path}")).await;
            assert_eq!((reply.status, reply.json()["error"].is_string()), (404, true), "{method} {id}{path}");
        }
    }
}

#[tokio::test]
async fn a_token_for_some_packages_is_for_them_here_too() {
    const PASSWORD: &str = "correct horse battery";
    let airlock = Scenario::new().gated().await;
    let order = json!({"name": "otto", "role": "publisher", "password": PASSWORD});
    assert_eq!(airlock.as_admin("POST", "/-/airlock/v1/users").json(&order).send().await.status, 201);
    let body = json!({"name": "otto", "password": PASSWORD});
    let otto = airlock.call("PUT", "/-/user/org.couchdb.user:otto").json(&body).send().await.json()["token"].as_str().unwrap().to_owned();
    let order = json!({"password": PASSWORD, "packages": ["@acme/app"], "readonly": false});
    let bound =
        airlock.call("POST", "/-/npm/v1/tokens").bearer(&otto).json(&order).send().await.json()["token"].as_str().unwrap().to_owned();
    for (token, name) in [(&otto, WEB), (&bound, "@acme/app")] {
        assert_eq!(airlock.publish(token, name, "1.0.0").await.status, 202, "{name}");
    }
    assert_eq!(airlock.publish(&bound, WEB, "2.0.0").await.status, 403);
    let all = items(&airlock, &otto).await;
    let id = |name: &str| all.iter().find(|item| item["packageName"] == name).unwrap()["id"].as_str().unwrap().to_owned();
    let (web, app) = (id(WEB), id("@acme/app"));
    let seen = items(&airlock, &bound).await;
    assert_eq!(seen.iter().map(|item| item["packageName"].as_str().unwrap()).collect::<Vec<_>>(), ["@acme/app"]);
    for (method, path) in [("GET", ""), ("GET", "/tarball"), ("DELETE", "")] {
        let reply = asked(&airlock, &bound, method, &format!("/-/stage/{web}{path}")).await;
        assert_eq!(reply.status, 404, "{method} {path}: {}", reply.text());
    }
    let star = asked(&airlock, &bound, "PUT", "/-/user/package/@acme%2fweb/star").await;
    assert_eq!(star.status, 403, "{}", star.text());
    assert_eq!(asked(&airlock, &bound, "GET", &format!("/-/stage/{app}/tarball")).await.status, 200);
    assert_eq!(asked(&airlock, &bound, "DELETE", &format!("/-/stage/{app}")).await.status, 204);
    assert_eq!(asked(&airlock, &otto, "DELETE", &format!("/-/stage/{web}")).await.status, 204);
}
