//! Builds that publish without a stored secret: what their provider signed for them is exchanged for a token.

use std::collections::BTreeMap;
use std::time::Duration;

use airlock::config::Config;
use airlock::config::access::TrustedPublisher;
use airlock::model::pattern::PackagePattern;
use serde_json::Value;
use serde_json::json;

use crate::clients::program::client;
use crate::clients::project::Project;
use crate::support::airlock::Airlock;
use crate::support::http::Reply;
use crate::support::provider::Provider;
use crate::support::scenario::Scenario;

const WORKFLOW: &str = "acme/web/.ci/release.yml@refs/heads/main";

fn publisher(provider: &Provider) -> TrustedPublisher {
    let claims = [("repository", "acme/web"), ("workflow_ref", "acme/web/.ci/release.yml@*")];
    TrustedPublisher {
        packages: vec![PackagePattern::parse("@acme/*").unwrap()],
        issuer: provider.as_issuer(),
        claims: BTreeMap::from(claims.map(|(name, wanted)| (name.to_owned(), wanted.to_owned()))),
        audience: None,
        token_for: Duration::from_secs(15 * 60),
    }
}

async fn trusting(provider: &Provider, edit: impl FnOnce(&mut Config)) -> Airlock {
    let row = publisher(provider);
    let edit = |config: &mut Config| {
        config.access.trusted_publishers = vec![row];
        edit(config);
    };
    Scenario::new().gated_by(edit).await
}

/// What a build's provider signs for it, of this moment; `change` overrules.
fn claims(airlock: &Airlock, id: &str, change: &Value) -> Value {
    let now = airlock.now().millis() / 1_000;
    let mut claims = json!({
        "sub": "repo:acme/web:ref:refs/heads/main",
        "aud": "npm:127.0.0.1",
        "repository": "acme/web",
        "workflow_ref": WORKFLOW,
        "jti": id,
        "iat": now,
        "exp": now + 300,
    });
    for (name, value) in change.as_object().unwrap() {
        match value {
            Value::Null => _ = claims.as_object_mut().unwrap().remove(name),
            value => claims[name] = value.clone(),
        }
    }
    claims
}

async fn exchange(airlock: &Airlock, package: &str, id_token: &str) -> Reply {
    let path = format!("/-/npm/v1/oidc/token/exchange/package/{}", package.replace('/', "%2f"));
    airlock.call("POST", &path).bearer(id_token).send().await
}

#[tokio::test]
async fn only_that_repository_and_workflow_publishes_that_package() {
    let Some(provider) = Provider::start().await else { return };
    let airlock = trusting(&provider, |_| {}).await;
    let good = provider.mint(&json!({"claims": claims(&airlock, "good", &json!({}))})).await;
    let reply = exchange(&airlock, "@acme/web", &good).await;
    assert_eq!(reply.status, 201, "{}", reply.text());
    assert_eq!(reply.header("cache-control"), Some("no-store"));
    let answer = reply.json();
    let expires = airlock.now().plus(Duration::from_secs(15 * 60)).to_string();
    assert_eq!((&answer["token_type"], &answer["expires"]), (&json!("oidc"), &json!(expires)));
    let token = answer["token"].as_str().unwrap();
    let whoami = airlock.call("GET", "/-/whoami").bearer(token).send().await;
    assert_eq!((whoami.status, &whoami.json()["username"]), (200, &json!("ci:acme/web")));
    // It publishes, and does nothing else that not everybody may do.
    for (method, path) in [("GET", "/-/airlock/v1/queue"), ("POST", "/-/airlock/v1/releases/left-pad/1.0.0/decisions")] {
        assert_eq!(airlock.call(method, path).bearer(token).send().await.status, 403, "{method} {path}");
    }
    let published = airlock.publish(token, "@acme/web", "1.0.0").await;
    assert_eq!(published.status, 202, "{}", published.text());
    let history = airlock.release("@acme/web", "1.0.0").await["history"].to_string();
    let build = format!("by a build: repository acme/web, workflow_ref {WORKFLOW}, as {} says", provider.issuer);
    assert!(history.contains("ci:acme/web") && history.contains(&build), "{history}");
    let elsewhere = airlock.publish(token, "@acme/app", "1.0.0").await;
    assert_eq!(elsewhere.status, 403, "{}", elsewhere.text());
    // Nor does it get anything for longer.
    let made = airlock.call("POST", "/-/npm/v1/tokens").bearer(token).json(&json!({"password": "", "readonly": false})).send().await;
    assert_eq!(made.status, 403, "{}", made.text());
    let audit = airlock.as_admin("GET", "/-/airlock/v1/audit?limit=500").send().await.text();
    assert!(audit.contains(WORKFLOW) && audit.contains("repo:acme/web:ref:refs/heads/main"), "{audit}");

    let mut refused = Vec::new();
    let orders = [
        ("another repository", json!({"repository": "acme/web2"})),
        ("a fork", json!({"repository": "mallory/web"})),
        ("another workflow", json!({"workflow_ref": "acme/web/.ci/test.yml@refs/heads/main"})),
        ("no repository", json!({"repository": null})),
        ("several repositories", json!({"repository": ["acme/web"]})),
        ("another audience", json!({"aud": "npm:registry.example"})),
        ("no audience", json!({"aud": null})),
        ("an audience among others", json!({"aud": ["npm:127.0.0.1", "npm:registry.example"]})),
        ("another issuer", json!({"iss": "https://ci.acme.example"})),
        ("the issuer with a slash", json!({"iss": format!("{}/", provider.issuer)})),
        ("expired", json!({"exp": airlock.now().millis() / 1_000 - 61})),
        ("no expiry", json!({"exp": null})),
        ("of the future", json!({"iat": airlock.now().millis() / 1_000 + 61})),
        ("not yet", json!({"nbf": airlock.now().millis() / 1_000 + 61})),
        ("old", json!({"iat": airlock.now().millis() / 1_000 - 3_700})),
        ("no subject", json!({"sub": ""})),
    ];
    for (number, (what, change)) in orders.into_iter().enumerate() {
        let token = provider.mint(&json!({"claims": claims(&airlock, &format!("bad {number}"), &change)})).await;
        refused.push((what, exchange(&airlock, "@acme/web", &token).await));
    }
    for key in ["foreign", "public", "none"] {
        let order = json!({"claims": claims(&airlock, key, &json!({})), "key": key});
        refused.push((key, exchange(&airlock, "@acme/web", &provider.mint(&order).await).await));
    }
    // What is signed is not what is shown.
    let parts: Vec<&str> = good.split('.').collect();
    let changed = claims(&airlock, "changed", &json!({"iss": provider.issuer.clone()})).to_string();
    let changed = format!("{}.{}.{}", parts[0], data_encoding::BASE64URL_NOPAD.encode(changed.as_bytes()), parts[2]);
    refused.push(("a changed payload", exchange(&airlock, "@acme/web", &changed).await));
    refused.push(("no token at all", exchange(&airlock, "@acme/web", "x").await));
    refused.push(("a token of ours", exchange(&airlock, "@acme/web", &airlock.admin_token()).await));
    let other = provider.mint(&json!({"claims": claims(&airlock, "other", &json!({}))})).await;
    refused.push(("another package", exchange(&airlock, "@acme-evil/web", &other).await));
    refused.push(("an unscoped package", exchange(&airlock, "left-pad", &other).await));
    refused.push(("the same again", exchange(&airlock, "@acme/web", &good).await));
    for (what, reply) in &refused {
        assert_eq!((reply.status, reply.body.clone()), (401, refused[0].1.body.clone()), "{what}: {}", reply.text());
    }
    // Each of them with the one thing put right is good, and one token serves for several packages, once for each.
    assert_eq!(exchange(&airlock, "@acme/web", &other).await.status, 201);
    assert_eq!(exchange(&airlock, "@acme/app", &other).await.status, 201);
    assert_eq!(exchange(&airlock, "@acme/app", &other).await.status, 401);
    airlock.advance("15m");
    let ended = airlock.call("GET", "/-/whoami").bearer(token).send().await;
    assert_eq!(ended.status, 401, "{}", ended.text());
}

#[tokio::test]
async fn a_key_that_is_not_known_is_asked_for_and_a_silent_provider_is_said() {
    let Some(provider) = Provider::start().await else { return };
    let audience = "https://airlock.acme.example".to_owned();
    let airlock = trusting(&provider, |config| config.access.trusted_publishers[0].audience = Some(audience.clone())).await;
    let mint = async |id: &str, header: Value| {
        let claims = claims(&airlock, id, &json!({"aud": audience}));
        provider.mint(&json!({"claims": claims, "header": header})).await
    };
    assert_eq!(exchange(&airlock, "@acme/web", &mint("one", json!({})).await).await.status, 201);
    for header in [json!({"kid": "unknown"}), json!({"typ": "at+jwt"}), json!({"cty": "JWT"})] {
        assert_eq!(exchange(&airlock, "@acme/web", &mint("two", header).await).await.status, 401);
    }
    let unknown = mint("three", json!({"kid": "unknown"})).await;
    let (late, known) = (mint("four", json!({})).await, provider.address());
    drop(provider);
    // Known keys serve on; an unknown one is asked for once the last answer is a minute old.
    assert_eq!(exchange(&airlock, "@acme/web", &unknown).await.status, 401);
    airlock.advance("61s");
    let silent = exchange(&airlock, "@acme/web", &unknown).await;
    assert_eq!((silent.status, silent.header("retry-after")), (503, Some("10")), "{}", silent.text());
    assert!(!silent.text().contains(&known.to_string()));
    assert_eq!(exchange(&airlock, "@acme/web", &late).await.status, 201);
}

#[tokio::test]
async fn npm_publishes_without_a_stored_token() {
    let (Some(provider), Some(npm)) = (Provider::start().await, client("npm-12").await) else { return };
    let airlock = trusting(&provider, |_| {}).await;
    let project = Project::new(&npm, &airlock.url(), &[]);
    let folder = project.package("@acme/web", "1.0.0");
    project.run_in(&folder, &["publish"]).await.assert_failure().assert_says("ENEEDAUTH");
    let fork = provider.mint(&json!({"claims": claims(&airlock, "fork", &json!({"repository": "mallory/web"}))})).await;
    project.run_in_build(&folder, &["publish"], &fork).await.assert_failure().assert_says("ENEEDAUTH");
    let good = provider.mint(&json!({"claims": claims(&airlock, "good", &json!({}))})).await;
    project.run_in_build(&folder, &["publish"], &good).await.assert_success();
    let release = airlock.release("@acme/web", "1.0.0").await;
    assert_eq!(release["submitted_by"], "ci:acme/web", "{release}");
}

#[tokio::test]
async fn where_nothing_is_configured_nothing_is_exchanged() {
    let airlock = Scenario::new().gated().await;
    for reply in
        [exchange(&airlock, "left-pad", "e30.e30.x").await, airlock.call("POST", "/-/npm/v1/oidc/token/exchange/package/a").send().await]
    {
        assert_eq!(reply.status, 401, "{}", reply.text());
        let said = reply.json();
        assert!(said["error"].is_string() && said["error"] == said["message"]);
    }
}
