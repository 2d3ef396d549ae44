//! Every client over TLS, with a certificate that only its settings tell it to trust. deno speaks HTTP/2 then.

use std::fs;
use std::path::Path;
use std::path::PathBuf;

use airlock::config::server::Tls;
use tempfile::TempDir;
use url::Url;

use super::program::client;
use super::project::Project;
use crate::support::airlock::Airlock;
use crate::support::scenario::Scenario;

/// Airlock with a certificate for `localhost`, where that lies, and the address of the registry.
async fn encrypted(folder: &Path) -> (Airlock, PathBuf, Url) {
    let tls = Tls { cert: folder.join("cert.pem"), key: folder.join("key.pem") };
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    fs::write(&tls.cert, made.cert.pem()).unwrap();
    fs::write(&tls.key, made.signing_key.serialize_pem()).unwrap();
    let cert = tls.cert.clone();
    let airlock = Scenario::file("held-latest").aged_from_now().gated_by(|config| config.server.tls = Some(tls)).await;
    let url = Url::parse(&format!("https://localhost:{}/", airlock.address().port())).unwrap();
    (airlock, cert, url)
}

/// Install, and the lockfile on a machine that has nothing else.
async fn over_tls(name: &'static str) {
    let Some(program) = client(name).await else { return };
    let folder = TempDir::new().unwrap();
    let (airlock, cert, url) = encrypted(folder.path()).await;
    let mut project = Project::new(&program, &url, &[("@acme/web", "^1.0.0")]);
    project.trust(&cert);
    project.install().await.assert_success();
    assert_eq!(["@acme/web", "left-pad"].map(|package| project.installed(package).unwrap()), ["1.0.0", "1.3.0"]);
    project.forget_all_but_the_lockfile(&url);
    project.trust(&cert);
    project.install_frozen().await.assert_success();
    assert_eq!(project.installed("@acme/web").as_deref(), Some("1.0.0"));
    assert_eq!(airlock.upstream.count("/left-pad/-/left-pad-1.4.0.tgz"), 0);
}

/// HTTP/2 has no reason phrase: deno shows the body.
#[tokio::test]
async fn deno_shows_why_over_http2() {
    let Some(program) = client("deno").await else { return };
    let folder = TempDir::new().unwrap();
    let (airlock, cert, url) = encrypted(folder.path()).await;
    let elsewhere = airlock.upstream.url();
    let mut project = Project::new(&program, &elsewhere, &[("only-young", "1.0.0")]);
    project.install().await.assert_success();
    project.forget_all_but_the_lockfile(&url);
    project.rewrite_lockfile(&url);
    project.trust(&cert);
    project.install_frozen().await.assert_failure().assert_says("is held: published 9 hours ago");
    assert_eq!(project.installed("only-young"), None);
}

macro_rules! every_client {
    ($($test:ident = $name:literal,)*) => {
        $(#[tokio::test]
        async fn $test() {
            over_tls($name).await;
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
