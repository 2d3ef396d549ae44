//! What people look after besides releases, with real clients: their tokens, who owns a package, who likes it, who reads it,
//! their profile. And what Airlock has not, said so that it is understood.

use std::collections::BTreeSet;

use airlock::config::access::Registration;
use airlock::config::policy::Submissions;
use serde_json::Value;
use serde_json::json;

use super::program::Kind;
use super::program::client;
use super::project::Project;
use crate::support::airlock::Airlock;
use crate::support::scenario::Scenario;

const PASSWORD: &str = "correct horse battery";

/// otto has published `@acme/web`, and works with this client. maria publishes too.
struct House {
    airlock: Airlock,
    otto: Project,
    token: String,
    kind: Kind,
}

/// `None` when the client is not to be had, which was said loudly.
async fn house(name: &'static str) -> Option<House> {
    let program = client(name).await?;
    let gated = Scenario::live().gated_by(|config| {
        config.policy.private_scopes.push("@acme".to_owned());
        config.policy.submissions = Submissions::Trusted;
        config.access.registration = Registration::Open;
    });
    let airlock = gated.await;
    for name in ["otto", "maria"] {
        let user = json!({"name": name, "role": "publisher", "password": PASSWORD});
        assert_eq!(airlock.as_admin("POST", "/-/airlock/v1/users").json(&user).send().await.status, 201);
    }
    let document = json!({"_id": "org.couchdb.user:otto", "name": "otto", "password": PASSWORD, "type": "user", "roles": []});
    let signed_in = airlock.call("PUT", "/-/user/org.couchdb.user:otto").json(&document).send().await;
    let token = signed_in.json()["token"].as_str().unwrap().to_owned();
    let otto = Project::new(&program, &airlock.url(), &[]);
    otto.login_with(&airlock.url(), &token);
    let kind = program.kind;
    let house = House { airlock, otto, token, kind };
    for version in ["1.0.0", "1.1.0"] {
        let folder = house.otto.package("@acme/web", version);
        let publish: &[&str] = if kind == Kind::Pnpm { &["publish", "--no-git-checks"] } else { &["publish"] };
        house.otto.run_in(&folder, publish).await.assert_success();
    }
    assert_eq!(house.airlock.listed("@acme/web").await, ["1.0.0", "1.1.0"]);
    Some(house)
}

impl House {
    async fn tokens(&self) -> Vec<Value> {
        let listed = self.airlock.call("GET", "/-/npm/v1/tokens").bearer(&self.token).send().await.json();
        listed["objects"].as_array().unwrap().clone()
    }

    async fn owners(&self) -> BTreeSet<String> {
        let packument = self.airlock.get("/@acme%2fweb").await.json();
        let owners = packument["maintainers"].as_array().unwrap().iter();
        owners.map(|owner| owner["name"].as_str().unwrap().to_owned()).collect()
    }
}

/// Made, listed, used, revoked; a wrong password is called that.
async fn tokens(name: &'static str) {
    let Some(house) = house(name).await else { return };
    // npm since 11 has no way to say that a token only reads but that one, and says nothing of `--read-only`.
    let create: &[&str] = match name {
        "npm-10" => &["token", "create", "--read-only", "--cidr=127.0.0.0/8"],
        _ => &["token", "create", "--name=ci", "--expires=30", "--cidr=127.0.0.0/8"],
    };
    let wrong = house.otto.run_fed("app", create, &[("password:", "wrong password")]).await;
    wrong.assert_failure().assert_says("Incorrect or missing password");
    assert_eq!(house.tokens().await.len(), 1);

    let made = house.otto.run_fed("app", create, &[("password:", PASSWORD)]).await;
    let text = made.assert_success().output.split_whitespace().find(|word| word.starts_with("airlock_")).unwrap();
    let who = house.airlock.call("GET", "/-/whoami").bearer(text).send().await;
    assert_eq!(who.json()["username"], "otto", "{}", who.text());
    let tag = house.airlock.call("PUT", "/-/package/@acme%2fweb/dist-tags/old").bearer(text).json(&json!("1.0.0"));
    assert_eq!(tag.send().await.status, 403, "it reads only");

    // The same for a token that publishes.
    let create: &[&str] = match name {
        "npm-10" => &["token", "create"],
        _ => &["token", "create", "--packages-and-scopes-permission=read-write", "--scopes=@acme"],
    };
    let made = house.otto.run_fed("app", create, &[("password:", PASSWORD)]).await;
    let publishing = made.assert_success().output.split_whitespace().find(|word| word.starts_with("airlock_")).unwrap();
    let tag = house.airlock.call("PUT", "/-/package/@acme%2fweb/dist-tags/old").bearer(publishing).json(&json!("1.0.0"));
    assert_eq!(tag.send().await.status, 201);
    house.otto.run(&["token", "revoke", publishing.split('_').nth(1).unwrap()]).await.assert_success();

    let tokens = house.tokens().await;
    let key = tokens.iter().find(|token| text.contains(token["key"].as_str().unwrap())).unwrap()["key"].as_str().unwrap();
    let listed = house.otto.run(&["token", "list"]).await;
    listed.assert_success().assert_says(&key[..6]);
    assert!(!listed.output.contains(text), "it is told once");
    house.otto.run(&["token", "revoke", "zzzzzz"]).await.assert_failure();
    house.otto.run(&["token", "revoke", &key[..8]]).await.assert_success();
    assert_eq!(house.airlock.call("GET", "/-/whoami").bearer(text).send().await.status, 401);
    assert_eq!(house.tokens().await.len(), 1, "the other one is left");
}

/// One more who publishes; the last one is not taken away.
async fn owners(name: &'static str) {
    let Some(house) = house(name).await else { return };
    let owner = |does: &'static str, user: &'static str| match house.kind {
        Kind::Npm | Kind::Yarn1 | Kind::Yarn4 | Kind::Bun | Kind::Deno => ["owner", does, user, "@acme/web"],
        Kind::Pnpm => ["owner", does, "@acme/web", user],
    };
    house.otto.run(&owner("add", "nobody-here")).await.assert_failure();
    house.otto.run(&owner("add", "maria")).await.assert_success();
    assert_eq!(house.owners().await, BTreeSet::from(["maria".to_owned(), "otto".to_owned()]));
    house.otto.run(&["owner", "ls", "@acme/web"]).await.assert_success().assert_says("maria");
    house.otto.run(&owner("rm", "maria")).await.assert_success();
    assert_eq!(house.owners().await, BTreeSet::from(["otto".to_owned()]));
    // npm says itself that it will not; pnpm is refused.
    let last = house.otto.run(&owner("rm", "otto")).await;
    assert!(house.kind == Kind::Npm || last.code != Some(0), "{}", last.output);
    assert_eq!(house.owners().await, BTreeSet::from(["otto".to_owned()]));
}

async fn stars(name: &'static str) {
    let Some(house) = house(name).await else { return };
    let starred = async || house.airlock.get("/-/_view/starredByUser?key=%22otto%22").await.json()["rows"].as_array().unwrap().len();
    house.otto.run(&["star", "@acme/web"]).await.assert_success();
    assert_eq!(starred().await, 1);
    house.otto.run(&["stars"]).await.assert_success().assert_says("@acme/web");
    house.otto.run(&["unstar", "@acme/web"]).await.assert_success();
    assert_eq!(starred().await, 0);
}

async fn who_reads_it(name: &'static str) {
    let Some(house) = house(name).await else { return };
    house.otto.run(&["access", "set", "status=private", "@acme/web"]).await.assert_success();
    assert_eq!(house.airlock.get("/@acme%2fweb").await.status, 404, "who has no name is not told of it");
    house.otto.run(&["access", "set", "status=public", "@acme/web"]).await.assert_success();
    house.otto.run(&["access", "get", "status", "@acme/web"]).await.assert_success().assert_says("public");
    house.otto.run(&["access", "list", "packages", "otto"]).await.assert_success().assert_says("@acme/web");
}

/// What is not kept is not said to be kept.
async fn profile(name: &'static str) {
    let Some(house) = house(name).await else { return };
    house.otto.run(&["profile", "set", "email", "otto@acme.example"]).await.assert_success();
    house.otto.run(&["profile", "get"]).await.assert_success().assert_says("otto@acme.example");
    let refused = house.otto.run(&["profile", "set", "fullname", "Otto"]).await;
    refused.assert_failure().assert_says("and no fullname");
}

async fn what_airlock_has_not(name: &'static str) {
    let Some(house) = house(name).await else { return };
    const GROUPS: &str = "groups of people stand in its configuration";
    for command in [&["team", "ls", "@acme"] as &[&str], &["team", "create", "@acme:web"], &["org", "ls", "acme"]] {
        house.otto.run(command).await.assert_failure().assert_says(GROUPS);
    }
    if name == "npm-10" {
        house.otto.run(&["hook", "ls"]).await.assert_failure().assert_says("Airlock has no hooks");
    } else {
        house.otto.run(&["trust", "list", "@acme/web"]).await.assert_failure().assert_says("access.trusted_publishers");
    }
    house.otto.run(&["access", "set", "mfa=publish", "@acme/web"]).await.assert_failure().assert_says("no second factor");
}

/// Deprecated and no more so, tagged, taken back: in pnpm's words.
async fn releases(name: &'static str) {
    let Some(house) = house(name).await else { return };
    let deprecated = async || house.airlock.get("/@acme%2fweb").await.json()["versions"]["1.0.0"]["deprecated"].clone();
    house.otto.run(&["deprecate", "@acme/web@1.0.0", "take 1.1.0"]).await.assert_success();
    assert_eq!(deprecated().await, "take 1.1.0");
    house.otto.run(&["undeprecate", "@acme/web@1.0.0"]).await.assert_success();
    assert_eq!(deprecated().await, Value::Null);
    house.otto.run(&["dist-tag", "add", "@acme/web@1.0.0", "old"]).await.assert_success();
    assert_eq!(house.airlock.get("/-/package/@acme%2fweb/dist-tags").await.json(), json!({"latest": "1.1.0", "old": "1.0.0"}));
    house.otto.run(&["dist-tag", "rm", "@acme/web", "old"]).await.assert_success();
    house.otto.run(&["unpublish", "@acme/web@1.1.0"]).await.assert_success();
    assert_eq!(house.airlock.listed("@acme/web").await, ["1.0.0"]);
    assert_eq!(house.airlock.get("/-/package/@acme%2fweb/dist-tags").await.json(), json!({"latest": "1.0.0"}));
    let again = house.otto.package("@acme/web", "1.1.0");
    house.otto.run_in(&again, &["publish", "--no-git-checks"]).await.assert_failure();
    house.otto.run(&["unpublish", "@acme/web", "--force"]).await.assert_success();
    assert_eq!(house.airlock.get("/@acme%2fweb").await.status, 404);
    house.airlock.upstream.assert_never_told("acme");
}

macro_rules! every_client {
    ($($client:ident = $name:literal: $($test:ident)*,)*) => {
        $(mod $client {
            $(#[tokio::test]
            async fn $test() {
                super::$test($name).await;
            })*
        })*
    };
}

// npm 12 has no stars any more; pnpm has neither tokens nor a profile before 12.
every_client! {
    npm = "npm": tokens owners stars who_reads_it profile what_airlock_has_not,
    npm_10 = "npm-10": tokens owners stars who_reads_it profile what_airlock_has_not,
    npm_12 = "npm-12": tokens owners who_reads_it profile what_airlock_has_not,
    pnpm_11 = "pnpm-11": owners stars who_reads_it releases,
    pnpm_12 = "pnpm-12": owners stars who_reads_it releases,
}
