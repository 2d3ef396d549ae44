//! `npm audit signatures`: what was published here is verified by Airlock's key, what came from upstream by upstream's.

use airlock::config::policy::Submissions;
use airlock::model::finding::Action;
use airlock::model::finding::FindingKind;
use data_encoding::BASE64;
use ring::rand::SystemRandom;
use ring::signature::ECDSA_P256_SHA256_ASN1_SIGNING;
use ring::signature::EcdsaKeyPair;
use ring::signature::KeyPair;
use serde_json::json;

use super::program::client;
use super::project::Project;
use crate::support::airlock::Airlock;
use crate::support::scenario::Scenario;
use crate::support::tuf::Tuf;

/// What stands before the point of a P-256 key in its DER form. Source: RFC 5480.
const SPKI_P256: [u8; 26] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01,
    0x07, 0x03, 0x42, 0x00,
];

struct Signing {
    airlock: Airlock,
    tuf: Tuf,
}

/// Upstream signs `left-pad@1.0.0`, and `left-pad@1.1.0` with a signature that is of another; it does not sign `bare`.
async fn signing() -> Signing {
    let random = SystemRandom::new();
    let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &random).unwrap();
    let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, document.as_ref(), &random).unwrap();
    let scenario = Scenario::live().package("bare", |p| _ = p.release("1.0.0")).package("left-pad", |p| {
        let integrity = p.release("1.0.0").manifest("")["dist"]["integrity"].as_str().unwrap().to_owned();
        let signature = key.sign(&random, format!("left-pad@1.0.0:{integrity}").as_bytes()).unwrap();
        let signatures = json!([{"keyid": "SHA256:theirs", "sig": BASE64.encode(signature.as_ref())}]);
        p.release("1.0.0").dist("signatures", signatures.clone());
        p.release("1.1.0").dist("signatures", signatures);
    });
    let gated = scenario.gated_by(|config| {
        config.policy.private_scopes.push("@acme".to_owned());
        config.policy.submissions = Submissions::Trusted;
        // Else a forged one is rejected here, and no client comes to see it.
        config.policy.findings.insert(FindingKind::SignatureInvalid, Action::Note);
    });
    let airlock = gated.await;
    let public = BASE64.encode(&[&SPKI_P256, key.public_key().as_ref()].concat());
    let theirs = json!({
        "expires": null, "keyid": "SHA256:theirs", "keytype": "ecdsa-sha2-nistp256", "scheme": "ecdsa-sha2-nistp256", "key": public,
    });
    airlock.upstream.document("/-/npm/v1/keys", json!({"keys": [theirs]}).to_string());
    let otto = airlock.user("otto", "publisher").await;
    assert_eq!(airlock.publish(&otto, "@acme/web", "1.0.0").await.status, 201);
    Signing { airlock, tuf: Tuf::start().await }
}

async fn npm(name: &'static str) {
    let Some(program) = client(name).await else { return };
    let Signing { airlock, tuf } = signing().await;
    let audited = async |dependencies: &[(&str, &str)]| {
        let mut project = Project::new(&program, &airlock.url(), dependencies);
        for (variable, value) in tuf.environment() {
            project.set_environment(variable, value);
        }
        tuf.seed(&project.home());
        project.install().await.assert_success();
        project.run(&["audit", "signatures"]).await
    };
    let both = audited(&[("@acme/web", "1.0.0"), ("left-pad", "1.0.0")]).await;
    both.assert_success().assert_says("2 packages have verified registry signatures");
    let forged = audited(&[("left-pad", "1.1.0")]).await;
    forged.assert_failure().assert_says("1 package has an invalid registry signature");
    let unsigned = audited(&[("@acme/web", "1.0.0"), ("bare", "1.0.0")]).await;
    unsigned.assert_failure().assert_says("1 package has a missing registry signature").assert_says("bare@1.0.0");
    airlock.upstream.assert_never_told("acme");
}

#[tokio::test]
async fn npm_11() {
    npm("npm").await;
}

#[tokio::test]
async fn npm_10() {
    npm("npm-10").await;
}

#[tokio::test]
async fn npm_12() {
    npm("npm-12").await;
}

/// pnpm asks the registry for its keys, and nobody before.
async fn pnpm(name: &'static str) {
    let Some(program) = client(name).await else { return };
    let Signing { airlock, tuf: _ } = signing().await;
    let audited = async |dependencies: &[(&str, &str)]| {
        let project = Project::new(&program, &airlock.url(), dependencies);
        project.install().await.assert_success();
        project.run(&["audit", "signatures"]).await
    };
    audited(&[("@acme/web", "1.0.0"), ("left-pad", "1.0.0")]).await.assert_success();
    audited(&[("left-pad", "1.1.0")]).await.assert_failure().assert_says("left-pad@1.1.0");
}

#[tokio::test]
async fn pnpm_11() {
    pnpm("pnpm-11").await;
}

#[tokio::test]
async fn pnpm_12() {
    pnpm("pnpm-12").await;
}
