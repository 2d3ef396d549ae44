//! Signing in with real clients: in the terminal, with the browser, and what is done with the tokens afterwards.

use airlock::config::access::Registration;
use serde_json::json;

use super::program::client;
use super::project::Project;
use crate::support::airlock::Airlock;
use crate::support::scenario::Scenario;

const PASSWORD: &str = "correct horse battery";

async fn world(name: &'static str) -> Option<(Airlock, Project)> {
    let program = client(name).await?;
    let airlock = Scenario::live().gated_by(|config| config.access.registration = Registration::Open).await;
    let maria = json!({"name": "maria", "role": "publisher", "password": PASSWORD});
    let made = airlock.as_admin("POST", "/-/airlock/v1/users").json(&maria).send().await;
    assert_eq!(made.status, 201, "{}", made.text());
    let project = Project::new(&program, &airlock.url(), &[]);
    Some((airlock, project))
}

/// In the terminal: then the token serves, is listed, makes another one, and is given up.
async fn in_the_terminal(name: &'static str) {
    let Some((airlock, maria)) = world(name).await else { return };
    maria.run(&["whoami"]).await.assert_failure();
    let wrong = maria.run_fed("app", &["login", "--auth-type=legacy"], &[("Username:", "maria"), ("Password:", "wrong")]).await;
    wrong.assert_failure().assert_says("Incorrect or missing password");
    let login = maria.run_fed("app", &["login", "--auth-type=legacy"], &[("Username:", "maria"), ("Password:", PASSWORD)]).await;
    login.assert_success();
    maria.run(&["whoami"]).await.assert_success().assert_says("maria");
    maria.run(&["profile", "get", "--json"]).await.assert_success().assert_says("maria");
    let token = maria.kept_token().unwrap();
    let folder = maria.package("web-of-maria", "1.0.0");
    maria.run_in(&folder, &["publish"]).await.assert_success();

    maria.run(&["token", "list"]).await.assert_success();
    let listed = airlock.call("GET", "/-/npm/v1/tokens").bearer(&token).send().await.json();
    assert_eq!(listed["objects"].as_array().unwrap().len(), 1, "{listed:#}");
    maria.run(&["logout"]).await.assert_success();
    maria.run(&["whoami"]).await.assert_failure();
    assert_eq!(airlock.call("GET", "/-/whoami").bearer(&token).send().await.status, 401, "it is given up, not only forgotten");
}

/// With the browser: npm says where, a person fills in the page, npm has its token.
async fn with_the_browser(name: &'static str) {
    let Some((airlock, maria)) = world(name).await else { return };
    let login = maria.run_told(&["login", "--auth-type=web"], "/-/airlock/sign-in/", async |url| fill_in(&airlock, &url).await).await;
    login.assert_success();
    maria.run(&["whoami"]).await.assert_success().assert_says("maria");
}

/// What maria does with the page to which a client sends her.
async fn fill_in(airlock: &Airlock, url: &str) {
    let page = url.strip_prefix(airlock.url().as_str().trim_end_matches('/')).unwrap();
    let shown = airlock.get(page).await.text();
    let nonce = shown.split_once("name=\"nonce\" value=\"").unwrap().1.split('"').next().unwrap().to_owned();
    let form = format!("nonce={nonce}&name=maria&password={}", PASSWORD.replace(' ', "+"));
    let call = airlock.call("POST", page).header("content-type", "application/x-www-form-urlencoded");
    let call = call.header("origin", airlock.url().as_str().trim_end_matches('/')).header("sec-fetch-site", "same-origin");
    let filled_in = call.body(form.as_bytes()).send().await;
    assert_eq!(filled_in.status, 200, "{}", filled_in.text());
}

/// pnpm always asks for the browser. What it keeps serves until it is given up.
async fn pnpm(name: &'static str) {
    let Some((airlock, maria)) = world(name).await else { return };
    maria.run(&["whoami"]).await.assert_failure().assert_says("You must be logged in");
    let login = maria.run_told(&["login"], "/-/airlock/sign-in/", async |url| fill_in(&airlock, &url).await).await;
    login.assert_success();
    maria.run(&["whoami"]).await.assert_success().assert_says("maria");
    let token = maria.kept_token().unwrap();
    assert_eq!(airlock.call("GET", "/-/whoami").bearer(&token).send().await.json()["username"], "maria");
    maria.run(&["logout"]).await.assert_success();
    maria.run(&["whoami"]).await.assert_failure();
    assert_eq!(airlock.call("GET", "/-/whoami").bearer(&token).send().await.status, 401, "it is given up, not only forgotten");
}

#[tokio::test]
async fn pnpm_11() {
    pnpm("pnpm-11").await;
}

#[tokio::test]
async fn pnpm_12() {
    pnpm("pnpm-12").await;
}

#[tokio::test]
async fn yarn_4() {
    let Some((airlock, maria)) = world("yarn-4").await else { return };
    maria.run(&["npm", "whoami"]).await.assert_failure().assert_says("No authentication configured");
    maria.yarn_login("maria", "wrong password").await.assert_failure().assert_says("Invalid authentication (attempted as maria)");
    maria.yarn_login("maria", PASSWORD).await.assert_success().assert_says("Successfully logged in");
    maria.run(&["npm", "whoami"]).await.assert_success().assert_says("maria");
    let folder = maria.package("web-of-maria", "1.0.0");
    maria.run_in(&folder, &["install"]).await.assert_success();
    maria.run_in(&folder, &["npm", "publish"]).await.assert_success();
    // It forgets its token, and does not give it up.
    maria.run(&["npm", "logout"]).await.assert_success();
    maria.run(&["npm", "whoami"]).await.assert_failure();
    let kept = airlock.as_admin("GET", "/-/airlock/v1/tokens").send().await;
    assert!(kept.text().contains("\"maria\""), "{}", kept.text());
}

macro_rules! every_npm {
    ($($client:ident = $name:literal,)*) => {
        $(mod $client {
            #[tokio::test]
            async fn in_the_terminal() {
                super::in_the_terminal($name).await;
            }
            #[tokio::test]
            async fn with_the_browser() {
                super::with_the_browser($name).await;
            }
        })*
    };
}

every_npm! {
    npm = "npm",
    npm_10 = "npm-10",
    npm_12 = "npm-12",
}
