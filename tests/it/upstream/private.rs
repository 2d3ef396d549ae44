//! Private scopes: their names are never told to upstream, however they are spelled.

use crate::support::scenario::Scenario;

#[tokio::test]
async fn a_private_scope_is_never_asked_of_upstream() {
    let airlock = Scenario::new()
        .package("@acme/web", |p| _ = p.release("99.0.0"))
        .package("@acme-web/x", |p| _ = p.release("1.0.0"))
        .package("acme", |p| _ = p.release("1.0.0"))
        .gated_by(|config| config.policy.private_scopes.push("@acme".to_owned()))
        .await;
    for path in [
        "/@acme%2fweb",
        "/@acme%2Fweb",
        "/@acme/web",
        "/%40acme%2fweb",
        "/%40acme/web",
        "/%40%61cme/web",
        "/@acme%2fweb?write=true",
        "/@acme/web/latest",
        "/@acme/web/99.0.0",
        "/@acme%2fweb/99.0.0",
        "/@acme/web/-/web-99.0.0.tgz",
        "/@acme%2fweb/-/web-99.0.0.tgz",
        "/@acme/web/-/@acme/web-99.0.0.tgz",
        "/-/package/@acme%2fweb/dist-tags",
        "/-/package/@acme/web/dist-tags",
        "/-/airlock/r/@acme/web@99.0.0",
        "/@acme%2funheard-of",
        "/@ACME%2fweb",
        "/@Acme/web",
        "/@aCme/web/-/web-99.0.0.tgz",
        "/%40%41cme%2fweb/latest",
    ] {
        for method in ["GET", "HEAD"] {
            for accept in ["application/json", "application/vnd.npm.install-v1+json"] {
                let reply = airlock.call(method, path).header("accept", accept).send().await;
                assert_eq!(reply.status, 404, "{method} {path}: {}", reply.text());
            }
        }
    }
    assert_eq!(airlock.as_admin("GET", "/-/airlock/v1/releases/%40acme%2Fweb/99.0.0").send().await.status, 404);
    assert_eq!(airlock.upstream.log().len(), 0, "{:?}", airlock.upstream.log());
    for path in ["/@acme-web%2fx", "/acme"] {
        assert_eq!(airlock.get(path).await.status, 200, "{path} is another's");
    }
}

#[tokio::test]
async fn what_was_taken_from_upstream_before_the_scope_was_private_is_not_served() {
    let airlock = Scenario::new().package("@acme/web", |p| _ = p.release("99.0.0")).gated().await;
    assert_eq!(airlock.tarball("@acme/web", "99.0.0").await.status, 200);
    let asked = airlock.upstream.log().len();
    let airlock = airlock.restart_with(|config| config.policy.private_scopes.push("@acme".to_owned())).await;
    // Neither a decision nor the walk at the start brings the package back from the ledger.
    assert_eq!(airlock.decide("@acme/web", "99.0.0", "hold", "not ours").await.status, 404);
    for path in ["/@acme%2fweb", "/@acme/web/latest", "/@acme/web/-/web-99.0.0.tgz"] {
        assert_eq!(airlock.get(path).await.status, 404, "{path}");
    }
    assert_eq!(airlock.upstream.log().len(), asked);
}
