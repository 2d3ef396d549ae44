//! Under which address clients reach Airlock: it is in every tarball's address and every link, and nobody else chooses it.

use airlock::config::Config;
use serde_json::Value;

use super::BRIEF;
use super::FULL;
use crate::support::airlock::Airlock;
use crate::support::http::Call;
use crate::support::scenario::Scenario;

fn acme() -> Scenario {
    Scenario::new().package("@acme/web", |p| {
        p.release("1.0.0").listed("_resolved", Value::Null);
        p.release("1.1.0").age("9h");
        p.tag("next", "1.1.0");
    })
}

fn ask(airlock: &Airlock, path: &str, headers: &[(&str, &str)]) -> Call {
    headers.iter().fold(airlock.call("GET", path), |call, (name, value)| call.header(name, value))
}

/// Every address that Airlock hands out stands under `base`.
async fn check(airlock: &Airlock, headers: &[(&str, &str)], base: &str) {
    for accept in [FULL, BRIEF] {
        let reply = ask(airlock, "/@acme%2fweb", headers).header("accept", accept).send().await;
        assert_eq!(reply.status, 200, "{headers:?}: {}", reply.text());
        let packument = reply.json();
        assert_eq!(packument["versions"]["1.0.0"]["dist"]["tarball"], format!("{base}/@acme/web/-/web-1.0.0.tgz"), "{headers:?}");
        let message = packument["policyRestrictions"]["message"].as_str().unwrap();
        assert!(message.ends_with(&format!(" {base}/-/airlock/r/@acme/web@1.1.0")), "{message}");
    }
    for path in ["/@acme/web/1.0.0", "/@acme/web/latest"] {
        let one = ask(airlock, path, headers).send().await.json();
        assert_eq!(one["dist"]["tarball"], format!("{base}/@acme/web/-/web-1.0.0.tgz"), "{headers:?}");
    }
    for path in ["/@acme/web/-/web-1.1.0.tgz", "/@acme/web/1.1.0"] {
        let refused = ask(airlock, path, headers).send().await;
        let link = format!(" {base}/-/airlock/r/@acme/web@1.1.0");
        assert!(refused.json()["error"].as_str().unwrap().ends_with(&link), "{}", refused.text());
        assert!(refused.reason.ends_with(&link) && refused.header("npm-notice").unwrap().ends_with(&link));
    }
}

#[tokio::test]
async fn by_an_allowed_host() {
    let airlock = acme().gated_by(|config| config.server.allowed_hosts.push("airlock.example".to_owned())).await;
    let port = airlock.address().port();
    for (host, base) in [
        (format!("127.0.0.1:{port}"), format!("http://127.0.0.1:{port}")),
        (format!("localhost:{port}"), format!("http://localhost:{port}")),
        ("localhost".to_owned(), "http://localhost".to_owned()),
        ("Airlock.Example:8080".to_owned(), "http://airlock.example:8080".to_owned()),
    ] {
        check(&airlock, &[("host", &host)], &base).await;
    }
}

#[tokio::test]
async fn a_foreign_host_is_refused_and_named_nowhere() {
    let airlock = acme().gated().await;
    for host in ["evil.example", "evil.example:4873", "127.0.0.1.evil.example", "localhost.", "127.0.0.2"] {
        for path in ["/@acme%2fweb", "/@acme/web/-/web-1.0.0.tgz", "/@acme/web/latest", "/-/ping", "/-/airlock/"] {
            let reply = ask(&airlock, path, &[("host", host)]).send().await;
            assert_eq!(reply.status, 421, "{host} {path}");
            assert!(!reply.text().contains("-1.0.0.tgz"), "{}", reply.text());
        }
    }
    for host in ["", "a b", "user@localhost", "localhost:99999"] {
        assert_eq!(ask(&airlock, "/@acme%2fweb", &[("host", host)]).send().await.status, 400, "{host}");
    }
    assert_eq!(ask(&airlock, "/@acme%2fweb", &[("host", "localhost"), ("host", "evil.example")]).send().await.status, 400);
    assert_eq!(airlock.upstream.log().len(), 0);
}

#[tokio::test]
async fn by_the_configured_address_with_its_prefix() {
    let airlock = acme().gated_by(|config| config.server.public_url = Some("https://npm.acme.example/airlock".to_owned())).await;
    check(&airlock, &[], "https://npm.acme.example/airlock").await;
    for hostile in [
        ("host", "evil.example"),
        ("x-forwarded-host", "evil.example"),
        ("forwarded", "host=evil.example"),
        ("x-forwarded-prefix", "/evil"),
    ] {
        check(&airlock, &[hostile], "https://npm.acme.example/airlock").await;
    }
}

#[tokio::test]
async fn forwarded_headers_count_only_from_a_trusted_proxy() {
    let forwarded = [("x-forwarded-host", "npm.acme.example"), ("x-forwarded-proto", "https")];
    let direct = acme().gated().await;
    check(&direct, &forwarded, direct.url().as_str().trim_end_matches('/')).await;
    let stranger = acme().gated_by(|config| config.server.trusted_proxies = vec!["10.0.0.0/8".parse().unwrap()]).await;
    check(&stranger, &forwarded, stranger.url().as_str().trim_end_matches('/')).await;
    let proxied = acme().gated_by(|config| config.server.trusted_proxies = vec!["127.0.0.1/32".parse().unwrap()]).await;
    check(&proxied, &forwarded, "https://npm.acme.example").await;
    check(&proxied, &[("host", "inner:4873"), ("x-forwarded-host", "evil.example, npm.acme.example")], "http://npm.acme.example").await;
    let odd = ask(&proxied, "/@acme%2fweb", &[("x-forwarded-proto", "javascript")]).send().await;
    assert_eq!(odd.status, 400);
}

#[tokio::test]
async fn two_bases_never_share_a_body() {
    let airlock = acme().gated().await;
    let port = airlock.address().port();
    for _ in 0..2 {
        check(&airlock, &[("host", &format!("localhost:{port}"))], &format!("http://localhost:{port}")).await;
        check(&airlock, &[("host", &format!("127.0.0.1:{port}"))], &format!("http://127.0.0.1:{port}")).await;
    }
}

/// Whatever upstream calls its files, and whoever asks however: no answer names upstream's origin.
#[tokio::test]
async fn no_answer_leads_past_the_gate() {
    async fn walk(airlock: &Airlock, secrets: &[String]) {
        let paths = [
            "/@acme%2fweb",
            "/@acme/web?write=true",
            "/@acme/web/1.0.0",
            "/@acme/web/1.1.0",
            "/@acme/web/latest",
            "/@acme/web/next",
            "/@acme/web/9.9.9",
            "/@acme/web/-/web-1.1.0.tgz",
            "/@acme/web/-/web-9.9.9.tgz",
            "/-/package/@acme%2fweb/dist-tags",
            "/nobody",
            "/-/ping",
        ];
        for path in paths {
            for (accept, coding) in [(FULL, "identity"), (BRIEF, "identity"), ("*/*", "identity")] {
                let reply = ask(airlock, path, &[("accept", accept), ("accept-encoding", coding)]).send().await;
                let said = format!("{} {:?} {}", reply.reason, reply.headers, reply.text());
                for secret in secrets {
                    assert!(!said.contains(secret), "{path} says {secret}: {said}");
                }
            }
        }
    }
    let settings = |config: &mut Config| config.upstream.retries = 0;
    let own = acme().gated_by(settings).await;
    let origin = own.upstream.address().to_string();
    walk(&own, &[origin.clone(), format!(":{}", own.upstream.address().port())]).await;
    own.upstream.die().await;
    own.advance("1h");
    walk(&own, &[origin]).await;
    let foreign = acme()
        .package("@acme/web", |p| {
            for version in ["1.0.0", "1.1.0"] {
                p.release(version).tarball_url(&format!("https://cdn.foreign.example/web-{version}.tgz"));
            }
        })
        .gated()
        .await;
    walk(&foreign, &["foreign.example".to_owned(), foreign.upstream.address().to_string()]).await;
}

/// A request may name its target whole; then that host counts. Source: RFC 9112, 3.2.2.
#[tokio::test]
async fn the_host_in_the_target_beats_the_header() {
    let airlock = acme().gated().await;
    let port = airlock.address().port();
    let own = ask(&airlock, &format!("http://localhost:{port}/@acme%2fweb"), &[("host", "evil.example")]).send().await;
    assert_eq!(own.json()["versions"]["1.0.0"]["dist"]["tarball"], format!("http://localhost:{port}/@acme/web/-/web-1.0.0.tgz"));
    let foreign = ask(&airlock, "http://evil.example/@acme%2fweb", &[]).send().await;
    assert_eq!(foreign.status, 421);
}
