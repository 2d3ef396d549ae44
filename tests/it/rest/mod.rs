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
        assert!(reply.json()["error"].as_str().unwrap().starts_with("Airlock does not serve /-/"), "{}", reply.text());
    }
    assert_eq!(airlock.upstream.log().len(), 0);
}
