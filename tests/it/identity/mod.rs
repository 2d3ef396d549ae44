//! People: how they sign in, what they are called, what they may do and what they see of themselves.

mod oidc;
mod trusted_publishing;

use crate::support::scenario::Scenario;

#[tokio::test]
async fn each_token_is_somebody() {
    let airlock = Scenario::new().gated().await;
    for (name, role) in [("ann", "reader"), ("otto", "publisher"), ("maria", "approver"), ("root", "admin")] {
        let token = airlock.user(name, role).await;
        let reply = airlock.call("GET", "/-/whoami").bearer(&token).send().await;
        assert_eq!((reply.status, &reply.json()["username"]), (200, &name.into()));
    }
}
