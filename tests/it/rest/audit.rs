//! Audits: what our own people say and what each package's own upstream says, and an error where nobody knows.

use airlock::config::policy::Submissions;
use airlock::config::upstream::Scope;
use airlock::config::upstream::Secret;
use serde_json::Value;
use serde_json::json;

use crate::support::airlock::Airlock;
use crate::support::http::Reply;
use crate::support::scenario::Scenario;
use crate::support::scenario::gzip;
use crate::support::upstream::Fault;

const BULK: &str = "/-/npm/v1/security/advisories/bulk";
const QUICK: &str = "/-/npm/v1/security/audits/quick";

fn advisory(id: u32, range: &str) -> Value {
    let cvss = json!({"score": 7.5, "vectorString": "CVSS:3.1/AV:N"});
    let url = format!("https://advisories.example/GHSA-{id}");
    json!({"id": id, "url": url, "title": "It fills too much", "severity": "high", "vulnerable_versions": range, "cwe": ["CWE-400"], "cvss": cvss})
}

fn pads() -> Scenario {
    Scenario::new()
        .package("left-pad", |p| {
            p.release("1.0.0");
            p.release("2.0.0").age("1h");
        })
        .package("right-pad", |p| _ = p.release("1.0.0"))
}

async fn private() -> Airlock {
    let airlock = pads().gated_by(|config| config.policy.private_scopes.push("@acme".to_owned())).await;
    // What upstream says of names that nobody asked for is not passed on.
    let said = json!({"left-pad": [advisory(1, "<2.0.0")], "@acme/web": [advisory(2, "*")], "unasked": [advisory(3, "*")]});
    airlock.upstream.document(BULK, said.to_string());
    airlock
}

async fn ask(airlock: &Airlock, path: &str, body: &Value) -> Reply {
    airlock.call("POST", path).json(body).send().await
}

#[tokio::test]
async fn upstream_is_asked_of_its_own_packages_and_of_nothing_else() {
    let airlock = private().await;
    let body = json!({"left-pad": ["1.0.0"], "right-pad": ["1.0.0"], "@acme/web": ["1.0.0"], "@ACME/secret": ["3.1.4"]});
    let expect = json!({"left-pad": [advisory(1, "<2.0.0")]});
    let plain = ask(&airlock, BULK, &body).await;
    assert_eq!((plain.status, plain.json()), (200, expect.clone()), "{}", plain.text());
    assert_eq!((plain.header("cache-control"), plain.header("npm-notice")), (Some("no-store"), None));
    let packed = airlock.call("POST", BULK).body(&gzip(body.to_string().as_bytes())).header("content-encoding", "gzip").send().await;
    assert_eq!(packed.json(), expect);
    let told: Value = serde_json::from_slice(&airlock.upstream.requests(BULK)[0].body).unwrap();
    assert_eq!(told, json!({"left-pad": ["1.0.0"], "right-pad": ["1.0.0"]}));
    for secret in ["acme", "3.1.4", "secret"] {
        airlock.upstream.assert_never_told(secret);
    }
}

#[tokio::test]
async fn what_our_people_revoked_is_told_to_those_who_have_it() {
    let airlock = private().await;
    assert_eq!(airlock.tarball("left-pad", "1.0.0").await.status, 200);
    assert_eq!(airlock.decide("left-pad", "1.0.0", "revoke", "malware after all").await.status, 200);
    let reply = ask(&airlock, BULK, &json!({"left-pad": ["1.0.0", "2.0.0"]})).await;
    let of_it = reply.json()["left-pad"].clone();
    assert_eq!(of_it.as_array().unwrap().len(), 2, "{of_it:#}");
    assert_eq!(of_it[0]["title"], "left-pad@1.0.0 was revoked by admin: malware after all");
    assert_eq!((&of_it[0]["vulnerable_versions"], &of_it[0]["severity"]), (&json!("=1.0.0"), &json!("critical")));
    assert_eq!(of_it[0]["url"], format!("{}-/airlock/r/left-pad@1.0.0", airlock.url()));
    assert!(of_it[0]["id"].is_u64());
    let notice = reply.header("npm-notice").unwrap();
    assert!(notice.starts_with("2 of these releases are withheld here: left-pad@1.0.0 was revoked by admin"), "{notice}");
    let reply = ask(&airlock, BULK, &json!({"left-pad": ["2.0.0"]})).await;
    assert!(reply.header("npm-notice").unwrap().starts_with("left-pad@2.0.0 is held"), "{:?}", reply.headers);
}

#[tokio::test]
async fn each_scope_is_asked_of_its_own_upstream_with_its_own_credentials() {
    let acme = Scenario::new().start().await;
    acme.document(BULK, json!({"@acme/web": [advisory(5, "*")], "left-pad": [advisory(6, "*")]}).to_string());
    let airlock = pads()
        .gated_by(|config| {
            config.upstream.token = Some(Secret::new("public-s3cret".to_owned()));
            let token = Some(Secret::new("acme-s3cret".to_owned()));
            config.upstream.scopes.insert("@acme".to_owned(), Scope { url: acme.url(), token });
        })
        .await;
    airlock.upstream.document(BULK, json!({"left-pad": [advisory(1, "*")]}).to_string());
    let reply = ask(&airlock, BULK, &json!({"left-pad": ["1.0.0"], "@acme/web": ["1.0.0"], "@other/x": ["1.0.0"]})).await;
    assert_eq!(reply.json()["@acme/web"], json!([advisory(5, "*")]), "{}", reply.text());
    assert_eq!(reply.json()["left-pad"], json!([advisory(1, "*")]), "each speaks for its own packages only");
    let there: Value = serde_json::from_slice(&acme.requests(BULK)[0].body).unwrap();
    assert_eq!(there, json!({"@acme/web": ["1.0.0"]}));
    assert_eq!(airlock.upstream.count(BULK), 1, "one question for all that have no upstream of their own");
    airlock.upstream.assert_never_told("acme");
    for told in ["public-s3cret", "left-pad", "other"] {
        acme.assert_never_told(told);
    }
}

#[tokio::test]
async fn what_nobody_knows_is_an_error_and_never_an_empty_answer() {
    let body = json!({"left-pad": ["1.0.0"]});
    for (fault, status, retry) in [
        (Fault::status(500), 503, true),
        (Fault::status(429).retry_after("7"), 503, true),
        (Fault::reset(), 503, true),
        (Fault::status(403), 502, false),
        (Fault::body("[]"), 502, false),
        (Fault::body("{\"left-pad\":{}}"), 502, false),
        (Fault::status(404), 404, false),
        (Fault::status(405), 404, false),
    ] {
        let airlock = private().await;
        airlock.upstream.fault(BULK, fault.clone());
        for path in [BULK, QUICK, "/-/npm/v1/security/audits"] {
            let body = if path == BULK { body.clone() } else { json!({"dependencies": {"left-pad": {"version": "1.0.0"}}}) };
            let reply = ask(&airlock, path, &body).await;
            assert_eq!((reply.status, reply.header("retry-after").is_some()), (status, retry), "{fault:?} {path}: {}", reply.text());
            assert!(!reply.json()["error"].as_str().unwrap().is_empty());
        }
    }
    let airlock = private().await;
    airlock.upstream.fault("*", Fault::status(500));
    for known in [json!({}), json!({"@acme/web": ["1.0.0"]})] {
        let reply = ask(&airlock, BULK, &known).await;
        assert_eq!((reply.status, reply.json()), (200, json!({})), "of our own we know");
    }
    assert_eq!(airlock.upstream.log().len(), 0);
}

#[tokio::test]
async fn a_whole_tree_is_answered_from_the_same_knowledge() {
    let airlock = private().await;
    let body = json!({"name": "secret-app", "version": "9.9.9", "requires": {"right-pad": "1"}, "dependencies": {
        "right-pad": {"version": "1.0.0", "dependencies": {"left-pad": {"version": "1.0.0"}}},
        "@acme/web": {"version": "1.0.0"},
    }});
    for path in [QUICK, "/-/npm/v1/security/audits"] {
        let reply = ask(&airlock, path, &body).await;
        assert_eq!(reply.status, 200, "{}", reply.text());
        let report = reply.json();
        assert_eq!(report["advisories"]["1"]["findings"][0]["paths"], json!(["right-pad>left-pad"]), "{report:#}");
        assert_eq!(report["metadata"]["vulnerabilities"]["high"], 1);
        assert_eq!(report["metadata"]["totalDependencies"], 3);
    }
    for secret in ["acme", "secret-app", "9.9.9"] {
        airlock.upstream.assert_never_told(secret);
    }
}

#[tokio::test]
async fn what_is_no_audit_is_refused_in_words() {
    let airlock = private().await;
    for (body, status) in [
        (b"".to_vec(), 400),
        (b"[]".to_vec(), 400),
        (b"{\"left-pad\":\"1.0.0\"}".to_vec(), 400),
        (b"{\"left-pad\":[1]}".to_vec(), 400),
        (b"{\"../x\":[\"1.0.0\"]}".to_vec(), 400),
        (b"{\"left-pad\":[\"1 || 2\"]}".to_vec(), 400),
        (vec![b' '; 8 * 1_024 * 1_024 + 1], 413),
    ] {
        let reply = airlock.call("POST", BULK).body(&body).send().await;
        assert_eq!(reply.status, status, "{}", reply.text());
        assert!(!reply.json()["error"].as_str().unwrap().is_empty());
    }
    let versions = |count: usize| (0..count).map(|at| format!("\"1.0.{at}\"")).collect::<Vec<String>>().join(",");
    let places = (0..100_001).map(|at| format!("\"p{at}\":{{\"version\":\"1.0.0\"}}")).collect::<Vec<String>>().join(",");
    let names = (0..20_001).map(|at| format!("\"p{at}\":[\"1.0.0\"]")).collect::<Vec<String>>().join(",");
    for (path, body, said) in [
        (BULK, format!("{{\"left-pad\":[{}]}}", versions(50_001)), "at most 50000 releases"),
        (BULK, format!("{{\"a\":[{0}],\"b\":[{0}],\"c\":[{0}]}}", versions(20_000)), "at most 50000 releases"),
        (BULK, format!("{{{names}}}"), "at most 20000 packages"),
        (QUICK, format!("{{\"dependencies\":{{{places}}}}}"), "at most 100000 places in a tree"),
    ] {
        for body in [(body.clone().into_bytes(), None), (gzip(body.as_bytes()).to_vec(), Some("gzip"))] {
            let call = airlock.call("POST", path).body(&body.0);
            let reply = if let Some(coding) = body.1 { call.header("content-encoding", coding).send().await } else { call.send().await };
            assert_eq!(reply.status, 413, "{}", reply.text());
            assert!(reply.json()["error"].as_str().unwrap().contains(said), "{}", reply.text());
        }
    }
    let bomb = gzip(&vec![b' '; 64 * 1_024 * 1_024]);
    for (body, coding, status) in [(&bomb[..], "gzip", 413), (b"{}", "gzip", 400), (b"{}", "br", 415)] {
        let reply = airlock.call("POST", BULK).body(body).header("content-encoding", coding).send().await;
        assert_eq!(reply.status, status, "{coding}: {}", reply.text());
    }
    assert_eq!(airlock.upstream.log().len(), 0);
}

#[tokio::test]
async fn what_is_at_home_here_is_not_named_to_upstream_and_warned_of_all_the_same() {
    let airlock = pads().gated_by(|config| config.policy.submissions = Submissions::Trusted).await;
    let token = airlock.user("otto", "publisher").await;
    assert_eq!(airlock.publish(&token, "our-web", "1.0.0").await.status, 201);
    airlock.upstream.forget_requests();
    let body = json!({"left-pad": ["1.0.0"], "our-web": ["1.0.0"]});
    assert_eq!(ask(&airlock, BULK, &body).await.json(), json!({}));
    assert_eq!(airlock.decide("our-web", "1.0.0", "revoke", "it sends mail").await.status, 200);
    let reply = ask(&airlock, BULK, &body).await;
    assert_eq!(reply.json()["our-web"][0]["title"], "our-web@1.0.0 was revoked by admin: it sends mail");
    assert_eq!(airlock.upstream.count(BULK), 2);
    airlock.upstream.assert_never_told("our-web");
    // Who has no name is not told what is restricted.
    let restrict = airlock.call("POST", "/-/package/our-web/access").bearer(&token).json(&json!({"access": "restricted"})).send().await;
    assert_eq!(restrict.status, 200, "{}", restrict.text());
    let reply = ask(&airlock, BULK, &body).await;
    assert_eq!((reply.json(), reply.header("npm-notice")), (json!({}), None));
    let named = airlock.call("POST", BULK).bearer(&token).json(&body).send().await;
    assert!(named.json()["our-web"].is_array(), "{}", named.text());
}
