//! Attestations: upstream's, of what is listed, and of nothing else.

use airlock::config::policy::Submissions;
use data_encoding::BASE64;
use serde_json::json;

use crate::support::publish::Publish;
use crate::support::scenario::Scenario;
use crate::support::upstream::Fault;

#[tokio::test]
async fn only_of_a_release_that_is_listed() {
    let airlock = Scenario::new()
        .package("@acme/web", |p| {
            p.release("1.0.0");
            p.release("1.1.0+b");
            p.release("1.2.0");
            p.release("2.0.0").age("1h");
        })
        .gated()
        .await;
    let there = json!({"attestations": [{"predicateType": "https://slsa.example/provenance/v1", "bundle": {"mediaType": "x"}}]});
    for version in ["1.0.0", "1.1.0+b", "2.0.0"] {
        airlock.upstream.document(&format!("/-/npm/v1/attestations/@acme/web@{version}"), there.to_string());
    }
    for path in ["@acme%2fweb@1.0.0", "@acme/web@1.0.0", "@acme%2fweb@1.1.0%2bb"] {
        let reply = airlock.get(&format!("/-/npm/v1/attestations/{path}")).await;
        assert_eq!((reply.status, reply.json()), (200, there.clone()), "{path}");
        assert_eq!(reply.header("cache-control"), Some("no-store"));
    }
    airlock.upstream.forget_requests();
    let held = airlock.get("/-/npm/v1/attestations/@acme%2fweb@2.0.0").await;
    assert_eq!(held.status, 403);
    assert!(held.json()["error"].as_str().unwrap().starts_with("@acme/web@2.0.0 is held"), "{}", held.text());
    for (path, status) in [("@acme%2fweb@3.0.0", 404), ("nobody@1.0.0", 404)] {
        assert_eq!(airlock.get(&format!("/-/npm/v1/attestations/{path}")).await.status, status, "{path}");
    }
    airlock.upstream.assert_never_told("/attestations/");
    let none = airlock.get("/-/npm/v1/attestations/@acme%2fweb@1.2.0").await;
    assert_eq!((none.status, &none.json()["error"]), (404, &json!("nothing is attested of @acme/web@1.2.0")));
    for (fault, status) in [(Fault::body("<html>"), 502), (Fault::body("{}"), 502), (Fault::status(403), 502)] {
        airlock.upstream.heal_all();
        airlock.upstream.fault("/-/npm/v1/attestations/@acme/web@1.0.0", fault.clone());
        let reply = airlock.get("/-/npm/v1/attestations/@acme%2fweb@1.0.0").await;
        assert_eq!(reply.status, status, "{fault:?}: {}", reply.text());
    }
}

/// npm reads the address that a packument gives as one of its own, and must find it here.
#[tokio::test]
async fn a_packument_leads_to_us_for_what_is_attested() {
    let airlock = Scenario::new()
        .package("@acme/web", |p| {
            let said =
                json!({"url": "https://registry.example/-/npm/v1/attestations/@acme%2fweb@1.0.0", "provenance": {"predicateType": "x"}});
            p.release("1.0.0").dist("attestations", said);
            p.release("1.1.0");
        })
        .gated_by(|config| {
            config.policy.submissions = Submissions::Trusted;
            config.server.allowed_hosts.push("gate.example".to_owned());
        })
        .await;
    let token = airlock.user("otto", "publisher").await;
    let mut body = Publish::new("@our/web", "1.0.0+build").body();
    body["_attachments"]["@our/web-1.0.0+build.sigstore"] = json!({"content_type": "x", "data": "{}", "length": 2});
    let published = airlock.call("PUT", "/@our%2fweb").bearer(&token).json(&body).send().await;
    assert_eq!(published.status, 201, "{}", published.text());
    let there = json!({"attestations": [{"predicateType": "x", "bundle": {}}]});
    airlock.upstream.document("/-/npm/v1/attestations/@acme/web@1.0.0", there.to_string());
    let mut tags = Vec::new();
    for (package, version, path) in [
        ("@acme/web", "1.0.0", "/-/npm/v1/attestations/@acme%2fweb@1.0.0"),
        ("@our/web", "1.0.0+build", "/-/npm/v1/attestations/@our%2fweb@1.0.0%2Bbuild"),
    ] {
        for (host, base) in [
            (airlock.address().to_string(), format!("http://{}", airlock.address())),
            ("gate.example".into(), "http://gate.example".into()),
        ] {
            let name = package.replace('/', "%2f");
            for (at, accept) in [
                (format!("/{name}"), "application/json"),
                (format!("/{name}"), "application/vnd.npm.install-v1+json"),
                (format!("/{name}/{}", version.replace('+', "%2b")), "application/json"),
            ] {
                let reply = airlock.call("GET", &at).header("host", &host).header("accept", accept).send().await;
                let document = reply.json();
                let manifest = if document["versions"].is_object() { &document["versions"][version] } else { &document };
                assert_eq!(manifest["dist"]["attestations"]["url"], format!("{base}{path}"), "{at} {host}: {document:#}");
                tags.push(reply.header("etag").unwrap().to_owned());
            }
        }
        let attested = airlock.get(path).await;
        assert_eq!(attested.status, 200, "{}", attested.text());
    }
    let distinct: std::collections::BTreeSet<&String> = tags.iter().collect();
    assert_eq!(distinct.len(), tags.len(), "each base has a tag of its own");
    let none = airlock.get("/@acme%2fweb/1.1.0").await.json();
    assert_eq!(none["dist"].get("attestations"), None);
}

/// npm 10 puts the path of the address behind the registry's, npm 11 and later in its place: under a prefix both end here.
#[tokio::test]
async fn under_a_prefix_both_ways_to_read_an_address_lead_to_it() {
    let airlock = Scenario::new()
        .package("web", |p| _ = p.release("1.0.0").dist("attestations", json!({"url": "https://registry.example/x"})))
        .gated_by(|config| config.server.public_url = Some("https://gate.example/npm".to_owned()))
        .await;
    airlock.upstream.document("/-/npm/v1/attestations/web@1.0.0", json!({"attestations": []}).to_string());
    let url = airlock.get("/web").await.json()["versions"]["1.0.0"]["dist"]["attestations"]["url"].as_str().unwrap().to_owned();
    assert_eq!(url, "https://gate.example/npm/-/npm/v1/attestations/web@1.0.0");
    // The proxy before it takes one prefix away.
    for path in ["/-/npm/v1/attestations/web@1.0.0", "/npm/-/npm/v1/attestations/web@1.0.0"] {
        assert_eq!(airlock.get(path).await.status, 200, "{path}");
    }
}

#[tokio::test]
async fn of_our_own_what_came_with_it() {
    let airlock = Scenario::new()
        .gated_by(|config| {
            config.policy.submissions = Submissions::Trusted;
            config.policy.private_scopes.push("@acme".to_owned());
        })
        .await;
    let token = airlock.user("otto", "publisher").await;
    let statement = BASE64.encode(br#"{"predicateType":"https://slsa.example/provenance/v1"}"#);
    let bundle = json!({"mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json", "dsseEnvelope": {"payload": statement}});
    let publish = Publish::new("@acme/web", "1.0.0");
    let mut body = publish.body();
    let text = bundle.to_string();
    body["_attachments"]["@acme/web-1.0.0.sigstore"] =
        json!({"content_type": "application/vnd.dev.sigstore.bundle.v0.3+json", "data": text, "length": text.len()});
    let published = airlock.call("PUT", "/@acme%2fweb").bearer(&token).json(&body).send().await;
    assert_eq!(published.status, 201, "{}", published.text());
    assert_eq!(airlock.publish(&token, "@acme/web", "1.1.0").await.status, 201);
    let reply = airlock.get("/-/npm/v1/attestations/@acme%2fweb@1.0.0").await;
    let expect = json!({"attestations": [{"predicateType": "https://slsa.example/provenance/v1", "bundle": bundle}]});
    assert_eq!((reply.status, reply.json()), (200, expect), "{}", reply.text());
    assert_eq!(airlock.get("/-/npm/v1/attestations/@acme%2fweb@1.1.0").await.status, 404);
    assert_eq!(airlock.upstream.log().len(), 0);
}
