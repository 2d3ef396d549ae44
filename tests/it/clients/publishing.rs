//! The other clients publish, and others of them install what was published.

use airlock::config::policy::Submissions;
use serde_json::json;

use super::commands::Shop;
use super::program::Kind;
use super::program::client;
use super::project::Project;

/// The same wish in each client's words. `None`: it has no such command.
#[derive(Clone, Copy, Debug)]
enum Wish {
    Publish,
    Whoami,
    Audit,
    Tags,
    Search,
}

fn words(kind: Kind, wish: Wish) -> Option<&'static [&'static str]> {
    Some(match (kind, wish) {
        (Kind::Npm | Kind::Yarn1 | Kind::Deno, _) => return None,
        (Kind::Pnpm, Wish::Publish) => &["publish", "--no-git-checks"],
        (Kind::Pnpm, Wish::Whoami) => &["whoami"],
        (Kind::Pnpm | Kind::Bun, Wish::Audit) => &["audit"],
        (Kind::Pnpm, Wish::Tags) => &["dist-tag", "ls", "@acme/web"],
        (Kind::Pnpm, Wish::Search) => &["search", "web"],
        (Kind::Yarn4, Wish::Publish) => &["npm", "publish"],
        (Kind::Yarn4, Wish::Whoami) => &["npm", "whoami"],
        (Kind::Yarn4, Wish::Audit) => &["npm", "audit"],
        (Kind::Yarn4, Wish::Tags) => &["npm", "tag", "list", "@acme/web"],
        (Kind::Bun, Wish::Publish) => &["publish"],
        (Kind::Bun, Wish::Whoami) => &["pm", "whoami"],
        (Kind::Yarn4 | Kind::Bun, Wish::Search) | (Kind::Bun, Wish::Tags) => return None,
    })
}

async fn publishes(name: &'static str) {
    let Some(shop) = Shop::open(name, Submissions::Trusted).await else { return };
    let kind = shop.program.kind;
    let token = shop.airlock.user("otto", "publisher").await;
    let otto = shop.project(&token, &[]);
    let folder = otto.package("@acme/web", "1.0.0");
    if kind == Kind::Yarn4 {
        otto.run_in(&folder, &["install"]).await.assert_success();
    }
    otto.run_in(&folder, words(kind, Wish::Publish).unwrap()).await.assert_success();
    assert_eq!(shop.airlock.listed("@acme/web").await, ["1.0.0"]);
    otto.run_in(&folder, words(kind, Wish::Publish).unwrap()).await.assert_failure();

    let ann = shop.project(&shop.airlock.user("ann", "reader").await, &[("@acme/web", "1.0.0"), ("left-pad", "1.0.0")]);
    ann.install().await.assert_success();
    assert_eq!(ann.installed("@acme/web").as_deref(), Some("1.0.0"));
    for (wish, says) in [(Wish::Whoami, "ann"), (Wish::Tags, "1.0.0"), (Wish::Search, "@acme/web")] {
        if let Some(words) = words(kind, wish) {
            ann.run(words).await.assert_success().assert_says(says);
        }
    }
    let audit = words(kind, Wish::Audit).unwrap();
    ann.run(audit).await.assert_success();
    let cvss = json!({"score": 7.5, "vectorString": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:H"});
    let advisory = json!({
        "id": 1_097_677, "url": "https://advisories.example/GHSA-aaaa-bbbb-cccc", "title": "It fills too much", "severity": "high",
        "vulnerable_versions": "<1.1.0", "cwe": ["CWE-400"], "cvss": cvss,
    });
    shop.airlock.upstream.document("/-/npm/v1/security/advisories/bulk", json!({"left-pad": [advisory]}).to_string());
    ann.run(audit).await.assert_failure().assert_says("It fills too much");
    assert_eq!(shop.airlock.decide("@acme/web", "1.0.0", "revoke", "it sends mail").await.status, 200);
    let revoked = ann.run(audit).await;
    revoked.assert_failure();
    // yarn 4 asks whether what it has is deprecated, and stumbles over a release that is not listed.
    if kind != Kind::Yarn4 {
        revoked.assert_says("@acme/web");
    }
    shop.airlock.upstream.assert_never_told("acme");
}

/// Somebody else lets it through, in each client's own words.
async fn stages(name: &'static str) {
    let Some(shop) = Shop::open(name, Submissions::Workflow).await else { return };
    let kind = shop.program.kind;
    let maria = shop.airlock.user("maria", "approver").await;
    let otto = shop.project(&shop.airlock.user("otto", "publisher").await, &[]);
    let folder = otto.package("@acme/web", "1.0.0");
    if kind == Kind::Yarn4 {
        otto.run_in(&folder, &["install"]).await.assert_success();
    }
    otto.run_in(&folder, words(kind, Wish::Publish).unwrap()).await.assert_success();
    let staged = shop.staged(&maria).await;
    let id = staged[0]["id"].as_str().unwrap();
    let stage: &[&str] = if kind == Kind::Yarn4 { &["npm", "stage"] } else { &["stage"] };
    otto.run(&[stage, &["approve", id]].concat()).await.assert_failure();
    let approver = shop.project(&maria, &[]);
    approver.run(&[stage, &["list"]].concat()).await.assert_success().assert_says("@acme/web");
    approver.run(&[stage, &["approve", id]].concat()).await.assert_success();
    assert_eq!(shop.staged(&maria).await.len(), 0);
    assert_eq!(shop.airlock.listed("@acme/web").await, ["1.0.0"]);
}

#[tokio::test]
async fn pnpm_11_stages() {
    stages("pnpm-11").await;
}

#[tokio::test]
async fn pnpm_12_stages() {
    stages("pnpm-12").await;
}

#[tokio::test]
async fn yarn_4_stages() {
    stages("yarn-4").await;
}

/// yarn 1 publishes with a token that stands in `.npmrc`.
#[tokio::test]
async fn yarn_1() {
    let Some(shop) = Shop::open("yarn-1", Submissions::Trusted).await else { return };
    let otto = shop.project(&shop.airlock.user("otto", "publisher").await, &[]);
    let folder = otto.package("@acme/web", "1.0.0");
    let publish = ["publish", "--non-interactive", "--new-version", "1.0.0"];
    otto.run_in(&folder, &publish).await.assert_success();
    assert_eq!(shop.airlock.listed("@acme/web").await, ["1.0.0"]);
    otto.run_in(&folder, &publish).await.assert_failure().assert_says("You cannot publish over the previously published versions: 1.0.0");
    otto.run(&["tag", "add", "@acme/web@1.0.0", "old"]).await.assert_success();
    otto.run(&["tag", "list", "@acme/web"]).await.assert_success().assert_says("old: 1.0.0");
    otto.run(&["owner", "list", "@acme/web"]).await.assert_success().assert_says("otto");
    let ann = shop.project(&shop.airlock.user("ann", "reader").await, &[("@acme/web", "1.0.0"), ("left-pad", "1.0.0")]);
    ann.install().await.assert_success();
    assert_eq!(ann.installed("@acme/web").as_deref(), Some("1.0.0"));
    shop.airlock.upstream.assert_never_told("acme");
}

/// deno publishes nowhere here; it reads with its token what nobody without one is told of.
#[tokio::test]
async fn deno_reads_with_a_token() {
    let Some(npm) = Shop::open("npm", Submissions::Trusted).await else { return };
    let Some(deno) = client("deno").await else { return };
    let otto = npm.project(&npm.airlock.user("otto", "publisher").await, &[]);
    let folder = otto.package("@acme/web", "1.0.0");
    otto.run_in(&folder, &["publish"]).await.assert_success();
    otto.run(&["access", "set", "status=private", "@acme/web"]).await.assert_success();
    let url = npm.airlock.url();
    let ann = Project::new(&deno, &url, &[("@acme/web", "1.0.0"), ("left-pad", "1.0.0")]);
    ann.install().await.assert_failure();
    ann.login_with(&url, &npm.airlock.user("ann", "reader").await);
    ann.install().await.assert_success();
    assert_eq!(["@acme/web", "left-pad"].map(|package| ann.installed(package).unwrap()), ["1.0.0", "1.0.0"]);
    npm.airlock.upstream.assert_never_told("acme");
}

macro_rules! every_client {
    ($($test:ident = $name:literal,)*) => {
        $(#[tokio::test]
        async fn $test() {
            publishes($name).await;
        })*
    };
}

every_client! {
    pnpm_10 = "pnpm-10",
    pnpm_11 = "pnpm-11",
    pnpm_12 = "pnpm-12",
    yarn_4 = "yarn-4",
    bun = "bun",
}
