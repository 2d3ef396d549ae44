//! Who may change a package, who is told of it, and what is told of that.

use serde_json::Value;
use serde_json::json;

use super::trusting;
use crate::support::airlock::Airlock;
use crate::support::scenario::Scenario;

async fn world() -> (Airlock, String, String) {
    let airlock = Scenario::new().package("left-pad", |p| _ = p.release("1.0.0")).gated_by(trusting).await;
    let maria = airlock.user("maria", "publisher").await;
    let ann = airlock.user("ann", "publisher").await;
    assert_eq!(airlock.publish(&maria, "@acme/web", "1.0.0").await.status, 201);
    (airlock, maria, ann)
}

async fn collaborators(airlock: &Airlock) -> Value {
    airlock.get("/-/package/@acme%2fweb/collaborators?format=cli").await.json()
}

/// As npm does it: the owners, written back whole.
#[tokio::test]
async fn owners_make_others_owners() {
    let (airlock, maria, ann) = world().await;
    assert_eq!(airlock.publish(&ann, "@acme/web", "1.1.0").await.status, 403);
    let shown = airlock.call("GET", "/@acme%2fweb").bearer(&maria).send().await.json();
    assert_eq!(shown["maintainers"], json!([{"name": "maria", "email": ""}]));
    let rev = shown["_rev"].as_str().unwrap();
    let body = |names: &[&str]| {
        let maintainers: Vec<Value> = names.iter().map(|name| json!({"name": name, "email": ""})).collect();
        json!({"_id": "@acme/web", "_rev": rev, "maintainers": maintainers})
    };
    let put =
        |token: &str, names: &[&str]| airlock.call("PUT", &format!("/@acme%2fweb/-rev/{rev}")).bearer(token).json(&body(names)).send();
    for (token, names, status) in [
        (&ann, &["maria", "ann"][..], 403),
        (&maria, &["maria", "nobody-here"][..], 422),
        (&maria, &[][..], 422),
        (&maria, &["maria", "ann"][..], 201),
    ] {
        let reply = put(token, names).await;
        assert_eq!(reply.status, status, "{names:?}: {}", reply.text());
    }
    assert_eq!(collaborators(&airlock).await, json!({"ann": "write", "maria": "write"}));
    assert_eq!(airlock.publish(&ann, "@acme/web", "1.1.0").await.status, 201);
    assert_eq!(airlock.get("/-/user/ann/package").await.json(), json!({"@acme/web": "write"}));
    assert_eq!(airlock.get("/-/org/ann/package").await.status, 404, "so that npm asks for the user");
}

/// As pnpm does it.
#[tokio::test]
async fn owners_come_and_go_one_by_one() {
    let (airlock, maria, ann) = world().await;
    let add =
        |token: &str, user: &str| airlock.call("PUT", "/-/package/@acme%2fweb/owners").bearer(token).json(&json!({"user": user})).send();
    let remove = |token: &str, user: &str| airlock.call("DELETE", &format!("/-/package/@acme%2fweb/owners/{user}")).bearer(token).send();
    assert_eq!(add(&ann, "ann").await.status, 403);
    assert_eq!(add(&maria, "nobody-here").await.status, 422);
    for twice in ["ann", "ANN"] {
        assert_eq!(add(&maria, twice).await.status, 200);
        assert_eq!(collaborators(&airlock).await, json!({"ann": "write", "maria": "write"}), "in whatever case it is one person");
    }
    assert_eq!(remove(&ann, "Maria").await.status, 200);
    assert_eq!(collaborators(&airlock).await, json!({"ann": "write"}));
    assert_eq!(remove(&maria, "ann").await.status, 403, "no owner any more");
    assert_eq!(remove(&ann, "ann").await.status, 422, "a package has an owner");
    assert_eq!(remove(&ann, "maria").await.status, 422);
    assert_eq!(airlock.get("/-/package/@acme%2fweb/collaborators?user=maria").await.json(), json!({}));
    assert_eq!(airlock.get("/-/package/left-pad/collaborators").await.json(), json!({}), "nobody here writes to it");
    let theirs = airlock.call("PUT", "/-/package/left-pad/owners").bearer(&maria).json(&json!({"user": "maria"})).send().await;
    assert_eq!(theirs.status, 403, "{}", theirs.text());
    let admin = airlock.admin_token();
    assert_eq!(add(&admin, "maria").await.status, 200, "an admin helps where the last owner has left");
}

/// Each of two owners read the package before the other wrote.
#[tokio::test]
async fn two_who_change_the_owners_at_once_both_do() {
    let (airlock, maria, ann) = world().await;
    for name in ["bob", "otto"] {
        airlock.user(name, "publisher").await;
    }
    let rev = airlock.get("/@acme%2fweb").await.json()["_rev"].as_str().unwrap().to_owned();
    let put = |token: &str, names: &[&str]| {
        let maintainers: Vec<Value> = names.iter().map(|name| json!({"name": name, "email": ""})).collect();
        let body = json!({"_id": "@acme/web", "_rev": rev, "maintainers": maintainers});
        airlock.call("PUT", &format!("/@acme%2fweb/-rev/{rev}")).bearer(token).json(&body).send()
    };
    let (one, other) = tokio::join!(put(&maria, &["maria", "bob"]), put(&maria, &["maria", "ann"]));
    assert_eq!((one.status, other.status), (201, 201), "{} {}", one.text(), other.text());
    assert_eq!(collaborators(&airlock).await, json!({"ann": "write", "bob": "write", "maria": "write"}));
    // Whoever never saw bob and ann does not take them out.
    assert_eq!(put(&ann, &["maria", "otto"]).await.status, 201);
    assert_eq!(collaborators(&airlock).await, json!({"ann": "write", "bob": "write", "maria": "write", "otto": "write"}));
    assert_eq!(put(&ann, &["otto", "nobody-here"]).await.status, 422, "all or nothing");
    assert_eq!(put(&ann, &[]).await.status, 201, "maria, whom that view had, is out, and others are left");
    assert_eq!(collaborators(&airlock).await, json!({"ann": "write", "bob": "write", "otto": "write"}));
    let add =
        |token: &str, user: &str| airlock.call("PUT", "/-/package/@acme%2fweb/owners").bearer(token).json(&json!({"user": user})).send();
    let remove = |token: &str, user: &str| airlock.call("DELETE", &format!("/-/package/@acme%2fweb/owners/{user}")).bearer(token).send();
    let (added, removed) = tokio::join!(add(&ann, "maria"), remove(&ann, "otto"));
    assert_eq!((added.status, removed.status), (200, 200), "{} {}", added.text(), removed.text());
    assert_eq!(collaborators(&airlock).await, json!({"ann": "write", "bob": "write", "maria": "write"}));
}

#[tokio::test]
async fn a_restricted_package_is_told_only_to_callers_with_a_name() {
    let (airlock, maria, ann) = world().await;
    let access = |token: &str, body: Value| airlock.call("POST", "/-/package/@acme%2fweb/access").bearer(token).json(&body).send();
    assert_eq!(airlock.get("/-/package/@acme%2fweb/visibility").await.json(), json!({"public": true}));
    assert_eq!(access(&ann, json!({"access": "restricted"})).await.status, 403);
    assert_eq!(access(&maria, json!({"access": "secret"})).await.status, 400);
    let factor = access(&maria, json!({"publish_requires_tfa": true})).await;
    assert_eq!((factor.status, factor.text().contains("one-time pass")), (403, false), "{}", factor.text());
    assert_eq!(airlock.tarball("@acme/web", "1.0.0").await.status, 200);
    assert_eq!(access(&maria, json!({"access": "restricted"})).await.status, 200);
    let airlock = airlock.restart().await;
    let paths = [
        "/@acme%2fweb",
        "/@acme/web/1.0.0",
        "/@acme/web/latest",
        "/@acme/web/-/web-1.0.0.tgz",
        "/-/package/@acme%2fweb/dist-tags",
        "/-/package/@acme%2fweb/visibility",
        "/-/package/@acme%2fweb/access",
        "/-/package/@acme%2fweb/collaborators",
        "/-/airlock/r/@acme/web",
        "/-/airlock/r/@acme/web@1.0.0",
        "/-/airlock/v1/packages/@acme%2fweb",
        "/-/airlock/v1/releases/@acme%2fweb/1.0.0",
    ];
    let reader = airlock.user("a reader", "reader").await;
    for path in paths {
        // Twice, so that what was kept for one is not given to the other.
        for _ in 0..2 {
            for method in ["GET", "HEAD"] {
                let named = airlock.call(method, path).bearer(&reader).send().await;
                assert_eq!(named.status, 200, "{path}: {}", named.text());
                let nameless = airlock.call(method, path).send().await;
                assert_eq!(nameless.status, 404, "{path}: {}", nameless.text());
            }
        }
    }
    assert_eq!(airlock.get("/-/user/maria/package").await.json(), json!({}));
    let reply = airlock.call("GET", "/-/package/@acme%2fweb/access").bearer(&reader).send().await;
    assert_eq!(reply.json(), json!({"access": "restricted"}));
    let opened = airlock.call("POST", "/-/package/@acme%2fweb/access").bearer(&maria).json(&json!({"access": "public"})).send().await;
    assert_eq!(opened.status, 200, "{}", opened.text());
    for path in paths {
        assert_eq!(airlock.get(path).await.status, 200, "{path}");
    }
    assert_eq!(airlock.get("/-/package/left-pad/visibility").await.json(), json!({"public": true}));
    assert_eq!(airlock.get("/-/package/unheard-of/visibility").await.status, 404);
}
