//! Every client behind Airlock: installs, lockfiles, and what a developer sees of a release that is held.

use url::Url;

use super::program::Kind;
use super::program::Program;
use super::program::client;
use super::project::Project;
use crate::support::airlock::Airlock;
use crate::support::command::Outcome;
use crate::support::scenario::Scenario;

const HELD: &str = "is held: published 9 hours ago";

/// What a client shows of the one sentence that says why. Where this table and a client disagree, the client wins.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Shows {
    Sentence,
    /// Only that it was forbidden, or the words given.
    Only(&'static str),
}

/// Of a 403 on a tarball. npm 10, 11 and 12 print both reason phrase and `error`; pnpm 10 and 11 and yarn 4 the reason phrase, deno the
/// whole body.
fn of_a_refused_tarball(program: &Program) -> Shows {
    match program.kind {
        Kind::Npm | Kind::Yarn4 | Kind::Deno => Shows::Sentence,
        Kind::Pnpm if program.name != "pnpm-12" => Shows::Sentence,
        Kind::Pnpm | Kind::Bun => Shows::Only("403"),
        Kind::Yarn1 => Shows::Only("403 Forbidden"),
    }
}

/// Of a package without any release to show.
fn of_an_empty_packument(program: &Program) -> Shows {
    match program.kind {
        Kind::Npm => Shows::Sentence,
        Kind::Pnpm => Shows::Only("No versions available for only-young"),
        Kind::Yarn1 => Shows::Only("No valid versions found for \"only-young\""),
        Kind::Yarn4 => Shows::Only("only-young@npm:^1.0.0: No candidates found"),
        Kind::Bun => Shows::Only("No version matching \"^1.0.0\" found for specifier \"only-young\""),
        Kind::Deno => Shows::Only("Could not find npm package 'only-young' matching '^1.0.0'"),
    }
}

#[track_caller]
fn assert_shows(outcome: &Outcome, shows: Shows) {
    outcome.assert_failure();
    match shows {
        Shows::Sentence => outcome.assert_says(HELD),
        Shows::Only(words) => outcome.assert_says(words),
    };
}

struct Gated {
    program: Program,
    airlock: Airlock,
}

/// `None` when the client is not to be had, which was said loudly.
async fn gated(name: &'static str) -> Option<Gated> {
    let program = client(name).await?;
    // Of the real time, because clients have no other.
    let airlock = Scenario::file("held-latest").aged_from_now().gated().await;
    Some(Gated { program, airlock })
}

impl Gated {
    fn project(&self, dependencies: &[(&str, &str)]) -> Project {
        Project::new(&self.program, &self.airlock.url(), dependencies)
    }

    /// A lockfile that was made where nothing is held, now used behind the gate.
    async fn project_locked_elsewhere(&self, dependencies: &[(&str, &str)]) -> Project {
        let elsewhere: Url = self.airlock.upstream.url();
        let mut project = Project::new(&self.program, &elsewhere, dependencies);
        project.install().await.assert_success();
        project.forget_all_but_the_lockfile(&self.airlock.url());
        project.rewrite_lockfile(&self.airlock.url());
        project
    }

    /// No byte of the young release was asked of upstream for this.
    fn assert_young_tarballs_unasked(&self) {
        for path in ["/only-young/-/only-young-1.0.0.tgz", "/left-pad/-/left-pad-1.4.0.tgz"] {
            assert_eq!(self.airlock.upstream.count(path), 0, "{path}");
        }
    }
}

/// Install, then the same from the lockfile on a machine that has nothing else.
async fn installs(name: &'static str) {
    let Some(gated) = gated(name).await else { return };
    let mut project = gated.project(&[("left-pad", "1.2.0")]);
    project.install().await.assert_success();
    assert_eq!(project.installed("left-pad").as_deref(), Some("1.2.0"));
    let lockfile = project.lockfile();
    assert!(!lockfile.contains(gated.airlock.upstream.url().as_str()), "it leads past the gate:\n{lockfile}");

    project.forget_all_but_the_lockfile(&gated.airlock.url());
    project.install_frozen().await.assert_success();
    assert_eq!(project.installed("left-pad").as_deref(), Some("1.2.0"));
    assert_eq!(project.lockfile(), lockfile);
    assert_eq!(gated.airlock.upstream.count("/left-pad/-/left-pad-1.2.0.tgz"), 1, "fetched once, judged once");
}

/// A scoped package with a dependency and a command; its newest release, and that of what it needs, are too young.
async fn installs_scoped(name: &'static str) {
    let Some(gated) = gated(name).await else { return };
    let mut project = gated.project(&[("@acme/web", "^1.0.0")]);
    project.install().await.assert_success();
    assert_eq!(["@acme/web", "left-pad"].map(|package| project.installed(package).unwrap()), ["1.0.0", "1.3.0"]);
    project.forget_all_but_the_lockfile(&gated.airlock.url());
    project.install_frozen().await.assert_success();
    assert_eq!(project.installed("@acme/web").as_deref(), Some("1.0.0"));
    gated.assert_young_tarballs_unasked();
}

/// The range has an older release that is open.
async fn falls_back(name: &'static str) {
    let Some(gated) = gated(name).await else { return };
    let project = gated.project(&[("left-pad", "^1.2.0")]);
    project.install().await.assert_success();
    assert_eq!(project.installed("left-pad").as_deref(), Some("1.3.0"));
    gated.assert_young_tarballs_unasked();
}

/// `latest` itself is held, so it stands at the newest that is open.
async fn latest_is_held(name: &'static str) {
    let Some(gated) = gated(name).await else { return };
    let project = gated.project(&[("left-pad", "latest")]);
    project.install().await.assert_success();
    assert_eq!(project.installed("left-pad").as_deref(), Some("1.3.0"));
    gated.assert_young_tarballs_unasked();
}

/// Nothing in the range is open, until its time has come: then the same command works, whatever the client kept.
async fn only_held(name: &'static str) {
    let Some(gated) = gated(name).await else { return };
    let project = gated.project(&[("only-young", "^1.0.0")]);
    let outcome = project.install().await;
    assert_shows(&outcome, of_an_empty_packument(&gated.program));
    assert_eq!(project.installed("only-young"), None);
    gated.assert_young_tarballs_unasked();

    gated.airlock.advance("15d");
    project.install().await.assert_success();
    assert_eq!(project.installed("only-young").as_deref(), Some("1.0.0"));
}

/// The lockfile pins a release that is held: no packument is asked, so the tarball is where the gate is.
async fn held_by_tarball(name: &'static str) {
    let Some(gated) = gated(name).await else { return };
    let project = gated.project_locked_elsewhere(&[("only-young", "1.0.0")]).await;
    gated.airlock.upstream.forget_requests();
    let outcome = project.install_frozen().await;
    assert_shows(&outcome, of_a_refused_tarball(&gated.program));
    assert_eq!(project.installed("only-young"), None);
    gated.assert_young_tarballs_unasked();
}

macro_rules! every_client {
    ($($client:ident = $name:literal,)*) => {
        $(mod $client {
            #[tokio::test]
            async fn installs() {
                super::installs($name).await;
            }
            #[tokio::test]
            async fn installs_scoped() {
                super::installs_scoped($name).await;
            }
            #[tokio::test]
            async fn falls_back() {
                super::falls_back($name).await;
            }
            #[tokio::test]
            async fn latest_is_held() {
                super::latest_is_held($name).await;
            }
            #[tokio::test]
            async fn only_held() {
                super::only_held($name).await;
            }
            #[tokio::test]
            async fn held_by_tarball() {
                super::held_by_tarball($name).await;
            }
        })*
    };
}

every_client! {
    npm = "npm",
    npm_10 = "npm-10",
    npm_12 = "npm-12",
    pnpm_10 = "pnpm-10",
    pnpm_11 = "pnpm-11",
    pnpm_12 = "pnpm-12",
    yarn_1 = "yarn-1",
    yarn_4 = "yarn-4",
    bun = "bun",
    deno = "deno",
}
