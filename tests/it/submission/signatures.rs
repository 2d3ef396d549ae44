//! Airlock's own signature on what is published here, and the keys it is checked with.

use std::process::Command;
use std::time::Duration;

use airlock::config::policy::Submissions;
use serde_json::Value;
use serde_json::json;

use super::workflow::WEB;
use crate::clients::program::node;
use crate::support::airlock::Airlock;
use crate::support::command::run;
use crate::support::scenario::Scenario;
use crate::support::upstream::Fault;

const KEYS: &str = "/-/npm/v1/keys";

async fn trusting() -> Airlock {
    Scenario::new().gated_by(|config| config.policy.submissions = Submissions::Trusted).await
}

async fn keys(airlock: &Airlock) -> Vec<Value> {
    let reply = airlock.get(KEYS).await;
    assert_eq!((reply.status, reply.header("cache-control")), (200, Some("no-store")), "{}", reply.text());
    reply.json()["keys"].as_array().unwrap().clone()
}

/// What a packument says of one release's bytes, but where they are.
async fn dist(airlock: &Airlock, version: &str) -> Value {
    let mut dist = airlock.get("/@acme%2fweb").await.json()["versions"][version]["dist"].clone();
    dist.as_object_mut().unwrap().remove("tarball");
    dist
}

#[tokio::test]
async fn a_release_is_signed_once_and_its_key_outlives_its_file() {
    let airlock = trusting().await;
    assert_eq!(keys(&airlock).await, [Value::Null; 0], "nothing was published yet");
    let ann = airlock.user("ann", "publisher").await;
    assert_eq!(airlock.publish(&ann, WEB, "1.0.0").await.status, 201);
    let known = keys(&airlock).await;
    let signed = dist(&airlock, "1.0.0").await;
    assert_eq!((known.len(), &signed["signatures"][0]["keyid"]), (1, &known[0]["keyid"]));
    assert_eq!((&known[0]["keytype"], &known[0]["scheme"]), (&json!("ecdsa-sha2-nistp256"), &json!("ecdsa-sha2-nistp256")));
    assert!(known[0].as_object().unwrap().contains_key("expires"), "{known:?}");

    let file = airlock.data_dir().join("signing-key");
    let airlock = airlock.restart().await;
    assert_eq!(airlock.publish(&ann, WEB, "1.1.0").await.status, 201);
    assert_eq!((keys(&airlock).await, dist(&airlock, "1.0.0").await), (known.clone(), signed.clone()), "the same after a restart");

    std::fs::remove_file(file).unwrap();
    let airlock = airlock.restart().await;
    assert_eq!(airlock.publish(&ann, WEB, "1.2.0").await.status, 201);
    let after = keys(&airlock).await;
    assert_eq!((after.len(), &after[0]), (2, &known[0]), "what it signed is still to be checked");
    assert_eq!(dist(&airlock, "1.2.0").await["signatures"][0]["keyid"], after[1]["keyid"]);
    assert_eq!(dist(&airlock, "1.0.0").await, signed);
}

#[tokio::test]
async fn upstreams_keys_are_served_beside_ours_and_kept_while_it_is_out() {
    let airlock = trusting().await;
    let theirs = json!({"expires": null, "keyid": "SHA256:theirs", "keytype": "ecdsa-sha2-nistp256", "scheme": "ecdsa-sha2-nistp256", "key": "MFkw"});
    airlock.upstream.fault(KEYS, Fault::status(503));
    let refused = airlock.get(KEYS).await;
    assert_eq!(
        (refused.status, refused.header("retry-after").is_some()),
        (503, true),
        "ours alone would be taken for all: {}",
        refused.text()
    );

    airlock.upstream.heal(KEYS);
    airlock.upstream.document(KEYS, json!({"keys": [theirs]}).to_string());
    airlock.advance("10m");
    let ann = airlock.user("ann", "publisher").await;
    assert_eq!(airlock.publish(&ann, WEB, "1.0.0").await.status, 201);
    let both = keys(&airlock).await;
    assert_eq!((both.len(), &both[1]), (2, &theirs));
    let told = airlock.upstream.count(KEYS);
    assert_eq!(keys(&airlock).await, both);
    assert_eq!(airlock.upstream.count(KEYS), told, "it is not asked each time");

    airlock.upstream.fault(KEYS, Fault::status(503));
    airlock.advance("2h");
    assert_eq!(keys(&airlock).await, both, "kept on while upstream is out");
    assert!(airlock.upstream.count(KEYS) > told);
}

#[tokio::test]
async fn node_verifies_what_we_sign() {
    let Some(node) = node() else { return };
    let airlock = trusting().await;
    let ann = airlock.user("ann", "publisher").await;
    assert_eq!(airlock.publish(&ann, WEB, "1.0.0").await.status, 201);
    let (key, dist) = (keys(&airlock).await.remove(0), dist(&airlock, "1.0.0").await);
    // As npm does it, and once with another message, which must not verify.
    let script = r#"
        const crypto = require('node:crypto');
        const [key, integrity, signature] = process.argv.slice(1);
        const pem = `-----BEGIN PUBLIC KEY-----\n${key}\n-----END PUBLIC KEY-----`;
        const verify = (message) => { const v = crypto.createVerify('SHA256'); v.write(message); v.end(); return v.verify(pem, signature, 'base64'); };
        console.log(verify(`@acme/web@1.0.0:${integrity}`), verify(`@acme/web@1.0.1:${integrity}`));
    "#;
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let mut command = Command::new(node);
    command.args(["-e", script, "--"]).args([text(&key["key"]), text(&dist["integrity"]), text(&dist["signatures"][0]["sig"])]);
    let said = tokio::task::spawn_blocking(move || run(command, Duration::from_secs(60))).await.unwrap().unwrap();
    assert_eq!(said.output.trim(), "true false");
}
