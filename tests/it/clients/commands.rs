//! What people do with npm besides installing: publish, look after what is theirs, review, ask who they are.

use airlock::config::policy::Submissions;
use serde_json::Value;

use super::program::Program;
use super::program::client;
use super::project::Project;
use crate::support::airlock::Airlock;
use crate::support::scenario::Scenario;

/// npm before a gate where `@acme` is at home.
pub struct Shop {
    pub program: Program,
    pub airlock: Airlock,
}

impl Shop {
    /// `None` when the client is not to be had, which was said loudly.
    pub async fn open(name: &'static str, submissions: Submissions) -> Option<Shop> {
        let program = client(name).await?;
        let gated = Scenario::live().package("left-pad", |p| _ = p.release("1.0.0")).gated_by(|config| {
            config.policy.private_scopes.push("@acme".to_owned());
            config.policy.submissions = submissions;
        });
        Some(Shop { program, airlock: gated.await })
    }

    /// A project of somebody with this token, who needs these packages.
    pub fn project(&self, token: &str, dependencies: &[(&str, &str)]) -> Project {
        let url = self.airlock.url();
        let project = Project::new(&self.program, &url, dependencies);
        project.login_with(&url, token);
        project
    }

    /// What waits, as `npm stage` lists it.
    pub async fn staged(&self, token: &str) -> Vec<Value> {
        let reply = self.airlock.call("GET", "/-/stage?page=0&perPage=100").bearer(token).send().await;
        assert_eq!(reply.status, 200, "{}", reply.text());
        reply.json()["items"].as_array().unwrap().clone()
    }

    /// A project of a publisher, who has published `@acme/web` in two versions, which are open.
    async fn published(name: &'static str) -> Option<(Shop, Project)> {
        let shop = Shop::open(name, Submissions::Trusted).await?;
        let otto = shop.project(&shop.airlock.user("otto", "publisher").await, &[]);
        for version in ["1.0.0", "1.1.0"] {
            let folder = otto.package("@acme/web", version);
            otto.run_in(&folder, &["publish"]).await.assert_success();
        }
        assert_eq!(shop.airlock.listed("@acme/web").await, ["1.0.0", "1.1.0"]);
        Some((shop, otto))
    }
}

async fn publish_waits_for_somebody_else(name: &'static str) {
    let Some(shop) = Shop::open(name, Submissions::Workflow).await else { return };
    let (otto, maria) = (shop.airlock.user("otto", "publisher").await, shop.airlock.user("maria", "approver").await);
    let ann = shop.project(&shop.airlock.user("ann", "reader").await, &[("@acme/web", "1.0.0")]);
    let publisher = shop.project(&otto, &[]);
    let folder = publisher.package("@acme/web", "1.0.0");
    publisher.run_in(&folder, &["publish"]).await.assert_success().assert_says("@acme/web@1.0.0 is held");
    publisher.run_in(&folder, &["publish"]).await.assert_failure();
    ann.install().await.assert_failure();
    assert_eq!(ann.installed("@acme/web"), None);

    let staged = shop.staged(&maria).await;
    let id = staged[0]["id"].as_str().unwrap();
    assert_eq!((staged.len(), &staged[0]["packageName"]), (1, &"@acme/web".into()));
    if name == "npm-10" {
        // It has no `stage` yet.
        for (token, status) in [(&otto, 403), (&maria, 201)] {
            let reply = shop.airlock.call("POST", &format!("/-/stage/{id}/approve")).bearer(token).send().await;
            assert_eq!(reply.status, status, "{}", reply.text());
        }
    } else {
        publisher.run(&["stage", "approve", id]).await.assert_failure();
        let approver = shop.project(&maria, &[]);
        approver.run(&["stage", "list"]).await.assert_success().assert_says("@acme/web");
        approver.run(&["stage", "view", id]).await.assert_success().assert_says("1.0.0");
        approver.run(&["stage", "approve", id]).await.assert_success();
        assert_eq!(shop.staged(&maria).await.len(), 0);
    }
    ann.install().await.assert_success();
    assert_eq!(ann.installed("@acme/web").as_deref(), Some("1.0.0"));
    shop.airlock.upstream.assert_never_told("acme");
}

/// Staged on purpose, and rejected: the version is not to be had.
async fn stage_publish_and_reject(name: &'static str) {
    let Some(shop) = Shop::open(name, Submissions::Trusted).await else { return };
    let maria = shop.airlock.user("maria", "approver").await;
    let publisher = shop.project(&shop.airlock.user("otto", "publisher").await, &[]);
    let folder = publisher.package("@acme/web", "1.0.0");
    publisher.run_in(&folder, &["stage", "publish"]).await.assert_success();
    let staged = shop.staged(&maria).await;
    assert_eq!(staged.len(), 1, "it waits even where submissions are trusted");
    let id = staged[0]["id"].as_str().unwrap();
    let approver = shop.project(&maria, &[]);
    approver.run(&["stage", "download", id]).await.assert_success();
    approver.run(&["stage", "reject", id]).await.assert_success();
    assert_eq!(shop.staged(&maria).await.len(), 0);
    assert_eq!(shop.airlock.listed("@acme/web").await, [""; 0]);
}

async fn deprecate_and_undeprecate(name: &'static str) {
    let Some((shop, otto)) = Shop::published(name).await else { return };
    otto.run(&["deprecate", "@acme/web@1.0.0", "take 1.1.0"]).await.assert_success();
    let packument = shop.airlock.get("/@acme%2fweb").await.json();
    assert_eq!(packument["versions"]["1.0.0"]["deprecated"], "take 1.1.0");
    assert_eq!(packument["versions"]["1.1.0"].get("deprecated"), None);
    otto.run(&["deprecate", "@acme/web@1.0.0", ""]).await.assert_success();
    let packument = shop.airlock.get("/@acme%2fweb").await.json();
    assert!(packument["versions"]["1.0.0"]["deprecated"].as_str().unwrap_or_default().is_empty(), "{packument:#}");
}

async fn dist_tags(name: &'static str) {
    let Some((_shop, otto)) = Shop::published(name).await else { return };
    otto.run(&["dist-tag", "ls", "@acme/web"]).await.assert_success().assert_says("latest: 1.1.0");
    otto.run(&["dist-tag", "add", "@acme/web@1.0.0", "old"]).await.assert_success();
    otto.run(&["dist-tag", "ls", "@acme/web"]).await.assert_success().assert_says("old: 1.0.0");
    otto.run(&["dist-tag", "rm", "@acme/web", "old"]).await.assert_success();
    let left = otto.run(&["dist-tag", "ls", "@acme/web"]).await;
    assert!(!left.assert_success().output.contains("old"), "{}", left.output);
}

async fn unpublish(name: &'static str) {
    let Some((shop, otto)) = Shop::published(name).await else { return };
    otto.run(&["unpublish", "@acme/web@1.1.0"]).await.assert_success();
    assert_eq!(shop.airlock.listed("@acme/web").await, ["1.0.0"]);
    assert_eq!(shop.airlock.tarball("@acme/web", "1.1.0").await.status, 404);
    let again = otto.package("@acme/web", "1.1.0");
    otto.run_in(&again, &["publish"]).await.assert_failure();
    otto.run(&["unpublish", "@acme/web", "--force"]).await.assert_success();
    assert_eq!(shop.airlock.get("/@acme%2fweb").await.status, 404);
    shop.airlock.upstream.assert_never_told("acme");
}

async fn search(name: &'static str) {
    let Some((shop, otto)) = Shop::published(name).await else { return };
    assert_eq!(shop.airlock.get("/left-pad").await.status, 200);
    otto.run(&["search", "web"]).await.assert_success().assert_says("@acme/web");
    otto.run(&["search", "left-pad", "--json"]).await.assert_success().assert_says("\"left-pad\"");
    otto.run(&["search", "no-such-thing"]).await.assert_success().assert_says("No matches found");
}

async fn audit(name: &'static str) {
    let Some((shop, _otto)) = Shop::published(name).await else { return };
    let ann = shop.project(&shop.airlock.user("ann", "reader").await, &[("@acme/web", "1.1.0"), ("left-pad", "1.0.0")]);
    ann.install().await.assert_success();
    ann.run(&["audit"]).await.assert_success().assert_says("found 0 vulnerabilities");
    assert_eq!(shop.airlock.decide("@acme/web", "1.1.0", "revoke", "it sends mail").await.status, 200);
    ann.run(&["audit"]).await.assert_failure().assert_says("@acme/web@1.1.0 was revoked by admin: it sends mail");
    shop.airlock.upstream.assert_never_told("acme");
}

async fn who_am_i_and_whose_is_it(name: &'static str) {
    let Some((shop, otto)) = Shop::published(name).await else { return };
    otto.run(&["whoami"]).await.assert_success().assert_says("otto");
    otto.run(&["ping"]).await.assert_success();
    otto.run(&["owner", "ls", "@acme/web"]).await.assert_success().assert_says("otto");
    otto.run(&["access", "get", "status", "@acme/web"]).await.assert_success().assert_says("@acme/web: public");
    otto.run(&["access", "set", "status=private", "@acme/web"]).await.assert_success();
    otto.run(&["access", "get", "status", "@acme/web"]).await.assert_success().assert_says("@acme/web: private");
    assert_eq!(shop.airlock.get("/@acme%2fweb").await.status, 404, "who has no name is not told of it");
}

macro_rules! every_npm {
    ($($client:ident = $name:literal,)*) => {
        $(mod $client {
            #[tokio::test]
            async fn publish_waits_for_somebody_else() {
                super::publish_waits_for_somebody_else($name).await;
            }
            #[tokio::test]
            async fn deprecate_and_undeprecate() {
                super::deprecate_and_undeprecate($name).await;
            }
            #[tokio::test]
            async fn dist_tags() {
                super::dist_tags($name).await;
            }
            #[tokio::test]
            async fn unpublish() {
                super::unpublish($name).await;
            }
            #[tokio::test]
            async fn search() {
                super::search($name).await;
            }
            #[tokio::test]
            async fn audit() {
                super::audit($name).await;
            }
            #[tokio::test]
            async fn who_am_i_and_whose_is_it() {
                super::who_am_i_and_whose_is_it($name).await;
            }
        })*
    };
}

every_npm! {
    npm = "npm",
    npm_10 = "npm-10",
    npm_12 = "npm-12",
}

#[tokio::test]
async fn npm_stages_and_rejects() {
    stage_publish_and_reject("npm").await;
}

#[tokio::test]
async fn npm_12_stages_and_rejects() {
    stage_publish_and_reject("npm-12").await;
}
