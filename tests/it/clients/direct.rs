//! Every client straight at a scenario upstream: what fails behind Airlock must work here, or the harness is at fault.

use super::program::client;
use super::project::Project;
use crate::support::scenario::Scenario;

async fn works(name: &'static str) {
    let Some(program) = client(name).await else { return };
    let upstream = Scenario::file("held-latest").aged_from_now().start().await;
    let registry = upstream.url();
    let mut project = Project::new(&program, &registry, &[("@acme/web", "^1.0.0"), ("needs-young", "*")]);
    let check = |project: &Project| {
        let installed = ["@acme/web", "needs-young", "only-young"].map(|package| project.installed(package).unwrap());
        assert_eq!(installed, ["1.1.0", "2.0.0", "1.0.0"]);
        // Two ranges of it that no release satisfies both but one; where each lies is the client's affair.
        assert!(["1.3.0", "1.4.0"].contains(&project.installed("left-pad").unwrap().as_str()));
    };

    project.install().await.assert_success();
    check(&project);
    assert!(upstream.count("/@acme/web") > 0 && upstream.count("/@acme/web/-/web-1.1.0.tgz") == 1);

    let lockfile = project.lockfile();
    assert!(lockfile.contains("only-young"), "{lockfile}");
    project.forget_all_but_the_lockfile(&registry);
    upstream.forget_requests();
    project.install_frozen().await.assert_success();
    check(&project);
    assert_eq!(project.lockfile(), lockfile);
    assert_eq!(upstream.count("/only-young/-/only-young-1.0.0.tgz"), 1, "nothing came from a cache");
}

macro_rules! every_client {
    ($($test:ident = $name:literal,)*) => {
        $(#[tokio::test]
        async fn $test() {
            works($name).await;
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
