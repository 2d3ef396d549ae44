//! Credentials: the upstream's token goes to the upstream's own origin and nowhere else; the clients' go nowhere at all.

use airlock::config::upstream::Scope;
use airlock::config::upstream::Secret;

use crate::support::scenario::Scenario;
use crate::support::upstream::Fault;
use crate::support::upstream::Upstream;

const TOKEN: &str = "upstream-s3cret";
const FILE: &str = "/x/-/x-1.0.0.tgz";

fn secret(text: &str) -> Option<Secret> {
    Some(Secret::new(text.to_owned()))
}

fn x() -> Scenario {
    Scenario::new().package("x", |p| _ = p.release("1.0.0"))
}

fn authorizations(upstream: &Upstream, path: &str) -> Vec<Option<String>> {
    upstream.requests(path).iter().map(|one| one.header("authorization").map(str::to_owned)).collect()
}

fn bearer(token: &str) -> Option<String> {
    Some(format!("Bearer {token}"))
}

#[tokio::test]
async fn the_token_goes_to_the_upstream_with_every_question() {
    let airlock = x().gated_by(|config| config.upstream.token = secret(TOKEN)).await;
    airlock.upstream.fault("/x", Fault::status(503).times(1));
    airlock.upstream.fault(FILE, Fault::redirect("/moved/x-1.0.0.tgz"));
    airlock.upstream.document("/moved/x-1.0.0.tgz", airlock.upstream.tarball("x", "1.0.0"));
    assert_eq!(airlock.tarball("x", "1.0.0").await.status, 200);
    assert_eq!(authorizations(&airlock.upstream, "/x"), [bearer(TOKEN), bearer(TOKEN)], "retried too");
    assert_eq!(authorizations(&airlock.upstream, FILE), [bearer(TOKEN)]);
    assert_eq!(authorizations(&airlock.upstream, "/moved/x-1.0.0.tgz"), [bearer(TOKEN)], "the same origin");
}

#[tokio::test]
async fn a_listed_origin_never_gets_the_token() {
    let files = x().start().await;
    let upstream = x().start().await;
    upstream.package("x", |p| _ = p.release("1.0.0").tarball_url(&format!("{}x/-/x-1.0.0.tgz", files.url())));
    upstream.package("y", |p| _ = p.release("1.0.0"));
    upstream.fault("/y/-/y-1.0.0.tgz", Fault::redirect(&format!("{}y.tgz", files.url())));
    files.document("/y.tgz", upstream.tarball("y", "1.0.0"));
    let origin = files.url();
    let airlock = crate::support::airlock::Airlock::before(upstream, |config| {
        config.upstream.token = secret(TOKEN);
        config.upstream.tarball_origins.push(origin);
    })
    .await;
    for name in ["x", "y"] {
        let reply = airlock.tarball(name, "1.0.0").await;
        assert_eq!((reply.status, reply.body), (200, airlock.upstream.tarball(name, "1.0.0")), "{name}");
    }
    assert_eq!((files.count(FILE), files.count("/y.tgz")), (1, 1));
    files.assert_never_told(TOKEN);
    assert_eq!(authorizations(&files, FILE), [None]);
    assert_eq!(authorizations(&airlock.upstream, "/x"), [bearer(TOKEN)]);
}

#[tokio::test]
async fn each_scope_has_a_token_of_its_own_or_none() {
    let acme = Scenario::new().package("@acme/web", |p| _ = p.release("1.0.0")).start().await;
    let open = Scenario::new().package("@open/web", |p| _ = p.release("1.0.0")).start().await;
    let (acme_url, open_url) = (acme.url(), open.url());
    let airlock = x()
        .gated_by(|config| {
            config.upstream.token = secret(TOKEN);
            config.upstream.scopes.insert("@acme".to_owned(), Scope { url: acme_url, token: secret("acme-s3cret") });
            config.upstream.scopes.insert("@open".to_owned(), Scope { url: open_url, token: None });
        })
        .await;
    for name in ["x", "@acme/web", "@open/web"] {
        assert_eq!(airlock.tarball(name, "1.0.0").await.status, 200, "{name}");
    }
    assert_eq!(authorizations(&acme, "/@acme/web"), [bearer("acme-s3cret")]);
    assert_eq!(authorizations(&acme, "/@acme/web/-/web-1.0.0.tgz"), [bearer("acme-s3cret")]);
    assert_eq!(authorizations(&open, "/@open/web"), [None]);
    assert_eq!(authorizations(&airlock.upstream, "/x"), [bearer(TOKEN)]);
    acme.assert_never_told(TOKEN);
    open.assert_never_told("s3cret");
    airlock.upstream.assert_never_told("acme-s3cret");
}

/// A scope's document may name the default upstream's host, and the other way round: neither sends its token there.
#[tokio::test]
async fn a_document_cannot_lead_one_upstreams_token_to_another() {
    let acme = Scenario::new().package("@acme/web", |p| _ = p.release("1.0.0")).start().await;
    let upstream = x().start().await;
    acme.package("@acme/web", |p| _ = p.release("1.0.0").tarball_url(&format!("{}@acme/web/-/web-1.0.0.tgz", upstream.url())));
    let url = acme.url();
    let airlock = crate::support::airlock::Airlock::before(upstream, |config| {
        config.upstream.token = secret(TOKEN);
        config.upstream.scopes.insert("@acme".to_owned(), Scope { url, token: secret("acme-s3cret") });
    })
    .await;
    assert_eq!(airlock.tarball("@acme/web", "1.0.0").await.body, acme.tarball("@acme/web", "1.0.0"), "by its path, from its own upstream");
    airlock.upstream.assert_never_told("acme-s3cret");
    acme.assert_never_told(TOKEN);
}

#[tokio::test]
async fn nothing_of_a_client_is_passed_on() {
    let airlock = x().gated().await;
    let token = airlock.admin_token();
    for path in ["/x", FILE, "/x/latest", "/nobody?secret=client-query"] {
        let call = airlock.as_admin("GET", path);
        let call = call.header("cookie", "session=client-cookie").header("npm-otp", "client-otp").header("user-agent", "npm/client-agent");
        let call = call
            .header("referer", "http://client-referer/")
            .header("x-forwarded-for", "198.51.100.77")
            .header("npm-session", "client-session");
        assert!([200, 404].contains(&call.send().await.status), "{path}");
    }
    assert!(airlock.upstream.log().len() >= 3);
    for said in [token.as_str(), "client-", "198.51.100.77", "127.0.0.1:4873"] {
        airlock.upstream.assert_never_told(said);
    }
    assert!(airlock.upstream.log().iter().all(|one| one.header("authorization").is_none() && one.header("cookie").is_none()));
}

#[tokio::test]
async fn no_answer_and_no_page_shows_the_token() {
    let airlock = x().gated_by(|config| config.upstream.token = secret(TOKEN)).await;
    airlock.upstream.fault("/x", Fault::status(401).times(1));
    for path in ["/x", "/x", FILE, "/-/airlock/metrics", "/-/airlock/r/x@1.0.0", "/-/airlock/", "/nobody"] {
        let reply = airlock.as_admin("GET", path).send().await;
        assert!(!format!("{} {:?} {}", reply.reason, reply.headers, reply.text()).contains(TOKEN), "{path}");
    }
}
