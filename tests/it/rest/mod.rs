//! The rest of what npm's clients ask: search, audits, attestations, and what is not answered on purpose.

mod attestations;
mod audit;
mod search;

use crate::support::scenario::Scenario;

#[tokio::test]
async fn what_is_not_served_says_so_in_json() {
    let airlock = Scenario::new().gated().await;
    // Only where `/-/org/…` is not there does npm ask for a user's packages.
    for (method, path) in [
        ("GET", "/-/all"),
        ("GET", "/-/org/acme/package"),
        ("PUT", "/-/org/acme/user"),
        ("GET", "/-/team/acme/web/package"),
        ("POST", "/-/npm/v1/hooks/hook"),
        ("GET", "/-/npm/v1/trust/x"),
    ] {
        let reply = airlock.as_admin(method, path).send().await;
        assert_eq!((reply.status, reply.header("content-type")), (404, Some("application/json")), "{method} {path}");
        let said = reply.json()["error"].as_str().unwrap().to_owned();
        let is_of_npm = ["/-/org/", "/-/team/", "/-/npm/v1/hooks"].iter().any(|start| path.starts_with(start));
        assert!(said.starts_with(if is_of_npm { "Airlock has no " } else { "Airlock does not serve /-/" }), "{said}");
    }
    assert_eq!(airlock.upstream.log().len(), 0);
}

/// Whoever opens the registry's address is told what answers there, in the form that was asked for.
#[tokio::test]
async fn the_root_says_what_answers() {
    let airlock = Scenario::new().gated().await;
    let text = airlock.get("/").await;
    assert_eq!((text.status, text.header("content-type")), (200, Some("text/plain; charset=utf-8")));
    assert!(text.text().contains(&format!("npm config set registry {}", airlock.url())), "{}", text.text());
    let page = airlock.call("GET", "/").header("accept", "text/html").send().await;
    assert_eq!((page.status, page.header("content-type")), (200, Some("text/html; charset=utf-8")));
    assert_eq!(airlock.call("PUT", "/").send().await.status, 405);
    assert_eq!(airlock.upstream.log().len(), 0);
}
