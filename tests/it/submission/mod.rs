//! Releases that are published here: how they come in, whose they are, what is changed of them, who lets them through.

mod access;
mod beside;
mod bound;
mod differences;
mod duties;
mod malformed;
mod memory;
mod names;
mod owners;
mod publish;
mod rights;
mod signatures;
mod stage;
mod tags;
mod trusted;
mod unpublish;
mod workflow;

use airlock::config::Config;
use airlock::config::policy::Submissions;

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

/// What is published is open at once, unless it is staged.
pub fn trusting(config: &mut Config) {
    config.policy.submissions = Submissions::Trusted;
}
