//! Whose a name is: what is published here is never asked of upstream, and what upstream has is not published here.

use serde_json::json;

use super::trusting;
use crate::support::airlock::Airlock;
use crate::support::http::Reply;
use crate::support::publish::Publish;
use crate::support::scenario::Scenario;
use crate::support::upstream::Fault;

async fn assign(airlock: &Airlock, package: &str, to: &str) -> Reply {
    let path = format!("/-/airlock/v1/packages/{}/owner", package.replace('/', "%2f"));
    airlock.as_admin("PUT", &path).json(&json!({"to": to})).send().await
}

#[tokio::test]
async fn a_local_name_is_never_asked_of_upstream() {
    let airlock = Scenario::new()
        .package("@acme/web", |p| _ = p.release("99.0.0"))
        .gated_by(|config| {
            trusting(config);
            config.policy.private_scopes.push("@acme".to_owned());
        })
        .await;
    let maria = airlock.user("maria", "publisher").await;
    let needy = Publish::new("@acme/web", "1.0.0").field("dependencies", json!({"@acme/web": "*", "@acme/other": "1"}));
    let reply = needy.call(&airlock, &maria).send().await;
    assert_eq!(reply.status, 201, "{}", reply.text());
    for path in [
        "/@acme%2fweb",
        "/@acme/web?write=true",
        "/@acme/web/latest",
        "/@acme/web/1.0.0",
        "/@acme/web/-/web-1.0.0.tgz",
        "/-/package/@acme%2fweb/dist-tags",
        "/-/package/@acme%2fweb/visibility",
        "/-/package/@acme%2fweb/collaborators",
        "/-/airlock/r/@acme/web",
    ] {
        for method in ["GET", "HEAD"] {
            let reply = airlock.call(method, path).send().await;
            assert_eq!(reply.status, 200, "{method} {path}: {}", reply.text());
        }
    }
    for path in ["/@acme/web/99.0.0", "/@acme/web/-/web-99.0.0.tgz", "/@acme/other", "/@acme%2fother/-/other-1.0.0.tgz"] {
        assert_eq!(airlock.get(path).await.status, 404, "{path}");
    }
    airlock.advance("2h");
    assert_eq!(airlock.listed("@acme/web").await, ["1.0.0"]);
    assert_eq!(airlock.upstream.log().len(), 0, "{:?}", airlock.upstream.log());
    let airlock = airlock.restart().await;
    assert_eq!(airlock.listed("@acme/web").await, ["1.0.0"]);
    assert_eq!(airlock.tarball("@acme/web", "1.0.0").await.body, needy.packed().bytes);
    assert_eq!(airlock.upstream.log().len(), 0, "{:?}", airlock.upstream.log());
}

#[tokio::test]
async fn a_name_stays_ours_when_nothing_is_left_of_it() {
    let airlock = Scenario::new().package("web", |_| ()).gated_by(trusting).await;
    airlock.upstream.remove_package("web");
    let maria = airlock.user("maria", "publisher").await;
    assert_eq!(airlock.publish(&maria, "web", "1.0.0").await.status, 201);
    airlock.upstream.publish("web", "99.0.0");
    airlock.upstream.forget_requests();
    assert_eq!(airlock.listed("web").await, ["1.0.0"]);
    let rev = airlock.get("/web").await.json()["_rev"].as_str().unwrap().to_owned();
    let gone = airlock.call("DELETE", &format!("/web/-rev/{rev}")).bearer(&maria).send().await;
    assert_eq!(gone.status, 200, "{}", gone.text());
    assert_eq!(airlock.get("/web").await.status, 404);
    assert_eq!(airlock.tarball("web", "1.0.0").await.status, 404);
    let airlock = airlock.restart().await;
    assert_eq!((airlock.get("/web").await.status, airlock.get("/web/99.0.0").await.status), (404, 404));
    assert_eq!(airlock.upstream.log().len(), 0, "{:?}", airlock.upstream.log());
    let again = airlock.publish(&maria, "web", "1.0.0").await;
    assert_eq!(again.status, 403, "{}", again.text());
    assert!(again.text().contains("was unpublished"), "{}", again.text());
    assert_eq!(airlock.publish(&maria, "web", "1.0.1").await.status, 201);
    assert_eq!(airlock.listed("web").await, ["1.0.1"]);
}

#[tokio::test]
async fn a_name_that_upstream_has_is_not_published() {
    let airlock = Scenario::new().package("left-pad", |p| _ = p.release("1.0.0")).gated_by(trusting).await;
    let maria = airlock.user("maria", "publisher").await;
    for version in ["1.0.0", "2.0.0"] {
        let reply = airlock.publish(&maria, "left-pad", version).await;
        assert_eq!(reply.status, 403, "{}", reply.text());
        assert!(reply.text().contains("belongs to the upstream registry"), "{}", reply.text());
    }
    airlock.upstream.remove_package("left-pad");
    airlock.advance("2h");
    let gone = airlock.publish(&maria, "left-pad", "2.0.0").await;
    assert_eq!(gone.status, 403, "it was upstream's once: {}", gone.text());
    assert!(airlock.upstream.log().iter().all(|one| one.method == "GET"), "nothing is sent on");
}

/// In a scope a name may begin with a dash or an underscore; and names of devices elsewhere are names of files here.
#[tokio::test]
async fn unusual_names_are_published_and_served() {
    let airlock = Scenario::new().gated_by(trusting).await;
    let maria = airlock.user("maria", "publisher").await;
    for name in ["@acme/_x", "@acme/-x", "@con/x", "aux.1", "nul.2", "a.b_c"] {
        let reply = airlock.publish(&maria, name, "1.0.0").await;
        assert_eq!(reply.status, 201, "{name}: {}", reply.text());
        assert_eq!(airlock.listed(name).await, ["1.0.0"], "{name}");
        assert_eq!(airlock.tarball(name, "1.0.0").await.status, 200, "{name}");
    }
    for name in ["@acme/-", "@acme/.x", "-x", "_x"] {
        let reply = airlock.publish(&maria, name, "1.0.0").await;
        assert!([400, 422].contains(&reply.status), "{name}: {}", reply.text());
    }
}

#[tokio::test]
async fn names_that_differ_in_case_are_one() {
    let airlock = Scenario::new().gated_by(trusting).await;
    let maria = airlock.user("maria", "publisher").await;
    let eve = airlock.user("eve", "publisher").await;
    assert_eq!(airlock.publish(&maria, "@acme/web", "1.0.0").await.status, 201);
    let reply = airlock.publish(&eve, "@Acme/web", "1.0.0").await;
    assert!((400..500).contains(&reply.status), "{} {}", reply.status, reply.text());
    assert_eq!(airlock.get("/@Acme%2fweb").await.status, 404);
}

/// A name that is at home here in another case is nobody's, and no upstream hears of it.
#[tokio::test]
async fn a_name_in_another_case_is_not_asked_of_upstream() {
    let airlock = Scenario::new()
        .package("Left-Pad", |p| _ = p.release("9.0.0"))
        .package("@Acme/web", |p| _ = p.release("9.0.0"))
        .gated_by(trusting)
        .await;
    let maria = airlock.user("maria", "publisher").await;
    // Known and served before the names are at home here.
    assert_eq!((airlock.listed("Left-Pad").await, airlock.tarball("Left-Pad", "9.0.0").await.status), (vec!["9.0.0".to_owned()], 200));
    let reply = airlock.publish(&maria, "left-pad", "1.0.0").await;
    assert_eq!(reply.status, 403, "{}", reply.text());
    assert!(
        reply.text().contains("left-pad differs only in its case from Left-Pad, which comes from the upstream registry"),
        "{}",
        reply.text()
    );
    assert_eq!(airlock.listed("Left-Pad").await, ["9.0.0"], "nobody took it away from those who use it");
    assert_eq!(assign(&airlock, "left-pad", "local").await.status, 200, "an admin may");
    for name in ["left-pad", "@acme/web"] {
        let reply = airlock.publish(&maria, name, "1.0.0").await;
        assert_eq!(reply.status, 201, "{}", reply.text());
    }
    let airlock = {
        check_twins(&airlock, &maria).await;
        airlock.restart().await
    };
    check_twins(&airlock, &maria).await;
    assert_eq!(airlock.listed("left-pad").await, ["1.0.0"]);
    assert_eq!(assign(&airlock, "left-pad", "upstream").await.status, 200);
    assert_eq!(airlock.listed("Left-Pad").await, ["9.0.0"], "nobody's twin any more");
}

async fn check_twins(airlock: &Airlock, maria: &str) {
    airlock.upstream.forget_requests();
    for name in ["Left-Pad", "LEFT-PAD", "left-paD", "@Acme/web", "@acme/Web", "@ACME/WEB"] {
        let (encoded, unscoped) = (name.replace('/', "%2f"), name.rsplit('/').next().unwrap());
        let paths = [
            format!("/{encoded}"),
            format!("/{name}/9.0.0"),
            format!("/{name}/latest"),
            format!("/{name}/-/{unscoped}-9.0.0.tgz"),
            format!("/-/package/{encoded}/dist-tags"),
            format!("/-/package/{encoded}/visibility"),
            format!("/-/package/{encoded}/collaborators"),
            format!("/-/package/{encoded}/version/9.0.0/status"),
            format!("/-/npm/v1/attestations/{encoded}@9.0.0"),
            format!("/-/airlock/r/{name}@9.0.0"),
        ];
        for path in paths {
            for method in ["GET", "HEAD"] {
                let reply = airlock.call(method, &path).bearer(maria).send().await;
                assert_eq!(reply.status, 404, "{method} {path}: {}", reply.text());
            }
        }
        for call in [Publish::new(name, "2.0.0").call(airlock, maria), Publish::new(name, "2.0.0").staged(airlock, maria)] {
            let reply = call.send().await;
            assert_eq!(reply.status, 403, "{}", reply.text());
            assert!(reply.text().contains("differs only in its case from"), "{}", reply.text());
        }
        let star = airlock.call("PUT", &format!("/-/user/package/{encoded}/star")).bearer(maria).send().await;
        assert_eq!(star.status, 404, "{}", star.text());
    }
    let body = json!({"Left-Pad": ["9.0.0"], "@ACME/web": ["9.0.0"], "left-pad": ["1.0.0"]});
    let audit = airlock.call("POST", "/-/npm/v1/security/advisories/bulk").json(&body).send().await;
    assert_eq!((audit.status, audit.json()), (200, json!({})), "{}", audit.text());
    let found = airlock.get("/-/v1/search?text=pad").await.json();
    let names: Vec<&str> = found["objects"].as_array().unwrap().iter().map(|one| one["package"]["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["left-pad"]);
    assert_eq!(airlock.upstream.log().len(), 0, "{:?}", airlock.upstream.log());
}

#[tokio::test]
async fn a_name_given_to_an_upstream_that_does_not_know_it_is_not_there() {
    let airlock = Scenario::new().gated_by(trusting).await;
    let maria = airlock.user("maria", "publisher").await;
    assert_eq!(airlock.publish(&maria, "web", "1.0.0").await.status, 201);
    assert_eq!(assign(&airlock, "web", "upstream").await.status, 200);
    airlock.upstream.fault("/web", Fault::status(503));
    let silent = airlock.get("/web").await;
    assert_eq!((silent.status, silent.header("retry-after").is_some()), (503, true), "{}", silent.text());
    airlock.upstream.heal_all();
    airlock.advance("1m");
    for path in ["/web", "/web/1.0.0", "/web/-/web-1.0.0.tgz", "/-/package/web/dist-tags", "/-/airlock/v1/packages/web"] {
        assert_eq!(airlock.get(path).await.status, 404, "{path}");
    }
    let airlock = airlock.restart().await;
    assert_eq!(airlock.get("/web").await.status, 404);
    assert_eq!(airlock.publish(&maria, "web", "1.1.0").await.status, 403, "it is upstream's to give");
    airlock.upstream.publish("web", "9.0.0");
    airlock.advance("30d");
    assert_eq!(airlock.listed("web").await, ["9.0.0"]);
    assert_eq!(airlock.tarball("web", "9.0.0").await.status, 200);
}

#[tokio::test]
async fn an_admin_assigns_it() {
    let airlock = Scenario::new().package("left-pad", |p| _ = p.release("1.0.0")).gated_by(trusting).await;
    let maria = airlock.user("maria", "publisher").await;
    assert_eq!(airlock.listed("left-pad").await, ["1.0.0"]);
    let refused = airlock.call("PUT", "/-/airlock/v1/packages/left-pad/owner").bearer(&maria).json(&json!({"to": "local"})).send().await;
    assert_eq!(refused.status, 403);
    let assigned = assign(&airlock, "left-pad", "local").await;
    assert_eq!((assigned.status, assigned.json()), (200, json!({"package": "left-pad", "to": "local"})));
    assert_eq!(airlock.get("/left-pad").await.status, 404, "nothing is published yet");
    assert_eq!(airlock.tarball("left-pad", "1.0.0").await.status, 404, "upstream's is not served under our name");
    assert_eq!(airlock.publish(&maria, "left-pad", "1.1.0").await.status, 201);
    assert_eq!(airlock.listed("left-pad").await, ["1.1.0"]);
    assert_eq!(assign(&airlock, "left-pad", "local").await.status, 200, "said twice, done once");
    assert_eq!(assign(&airlock, "left-pad", "upstream").await.status, 200);
    assert_eq!(airlock.listed("left-pad").await, ["1.0.0"]);
    assert_eq!(airlock.tarball("left-pad", "1.1.0").await.status, 404, "ours is not served under upstream's name");
    assert_eq!(airlock.publish(&maria, "left-pad", "1.2.0").await.status, 403);
    let airlock = airlock.restart().await;
    assert_eq!(assign(&airlock, "left-pad", "local").await.status, 200);
    assert_eq!(airlock.listed("left-pad").await, ["1.1.0"], "what was published comes back with the name");
    assert_eq!(assign(&airlock, "left-pad", "nobody").await.status, 400);
}

#[tokio::test]
async fn upstream_that_does_not_answer_claims_nothing() {
    let airlock = Scenario::new().gated_by(trusting).await;
    let maria = airlock.user("maria", "publisher").await;
    airlock.upstream.fault("/web", Fault::status(503));
    let head = airlock.as_admin("GET", "/-/airlock/v1/audit?limit=500").send().await.json();
    let reply = airlock.publish(&maria, "web", "1.0.0").await;
    assert_eq!(reply.status, 503, "{}", reply.text());
    assert!(reply.header("retry-after").is_some());
    assert_eq!(airlock.as_admin("GET", "/-/airlock/v1/audit?limit=500").send().await.json(), head, "nothing was recorded");
    airlock.upstream.heal_all();
    airlock.advance("1m");
    assert_eq!(airlock.publish(&maria, "web", "1.0.0").await.status, 201);
}

#[tokio::test]
async fn of_two_who_publish_a_new_name_at_once_one_has_it() {
    let airlock = Scenario::new().gated_by(trusting).await;
    let mut tokens = Vec::new();
    for name in ["ann", "ben", "eve", "otto"] {
        tokens.push(airlock.user(name, "publisher").await);
    }
    let all = tokens.iter().enumerate().map(|(at, token)| {
        let version = format!("1.0.{at}");
        let airlock = &airlock;
        async move { airlock.publish(token, "web", &version).await }
    });
    let replies = futures_util::future::join_all(all).await;
    let said: Vec<(u16, String)> = replies.iter().map(|reply| (reply.status, reply.text())).collect();
    assert_eq!(said.iter().filter(|(status, _)| *status == 201).count(), 1, "{said:?}");
    assert!(said.iter().all(|(status, _)| matches!(status, 201 | 403)), "{said:?}");
    assert_eq!(airlock.listed("web").await.len(), 1);
    let owners = airlock.get("/-/package/web/collaborators").await.json();
    assert_eq!(owners.as_object().unwrap().len(), 1, "{owners}");
}
