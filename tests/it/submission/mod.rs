//! Releases that are published here: how they come in, whose they are, what is changed of them, who lets them through.

mod duties;
mod malformed;
mod memory;
mod publish;
mod signatures;
mod stage;
mod trusted;
mod workflow;

use crate::support::publish::Publish;
use crate::support::scenario::Scenario;

#[tokio::test]
async fn what_is_no_publisher_publishes_nothing() {
    let airlock = Scenario::new().gated().await;
    for role in ["reader", "approver"] {
        let token = airlock.user(&format!("a {role}"), role).await;
        let publish = Publish::new("@acme/web", "1.0.0");
        for call in [publish.call(&airlock, &token), publish.staged(&airlock, &token)] {
            let reply = call.send().await;
            assert_eq!(reply.status, 403, "{}", reply.text());
            assert_eq!(reply.json()["error"], format!("this needs a token with the role publisher; yours is {role}"));
        }
    }
    assert_eq!(airlock.upstream.log().len(), 0, "{:?}", airlock.upstream.log());
}
