//! Airlock in this very process: a free port, a folder of its own, a clock that a test moves, a scenario upstream.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use airlock::clock::Clock;
use airlock::config::Config;
use airlock::model::time::Timestamp;
use airlock::server;
use percent_encoding::NON_ALPHANUMERIC;
use percent_encoding::utf8_percent_encode;
use serde_json::Value;
use serde_json::json;
use tempfile::TempDir;
use url::Url;

use super::http::Call;
use super::http::Reply;
use super::scenario::Scenario;
use super::upstream::Upstream;
use super::within;

/// A running Airlock and all that is around it.
pub struct Airlock {
    pub upstream: Upstream,
    pub clock: Clock,
    config: Config,
    folder: Arc<TempDir>,
    running: server::Running,
}

/// The one place that knows how Airlock is started in-process.
async fn start(config: Config, upstream: Url, clock: Clock) -> server::Running {
    let starting = server::start(server::Options { config, upstream, clock });
    within("Airlock to start", starting).await.unwrap_or_else(|error| panic!("Airlock does not start: {error}"))
}

impl Scenario {
    /// Airlock with default settings before this scenario, both at the scenario's now.
    pub async fn gated(self) -> Airlock {
        self.gated_by(|_| {}).await
    }

    /// The same with other settings.
    pub async fn gated_by(self, edit: impl FnOnce(&mut Config)) -> Airlock {
        Airlock::before(self.start().await, edit).await
    }
}

impl Airlock {
    pub async fn before(upstream: Upstream, edit: impl FnOnce(&mut Config)) -> Airlock {
        let folder = Arc::new(TempDir::new().unwrap());
        let mut config = Config::default();
        config.server.listen = SocketAddr::from(([127, 0, 0, 1], 0));
        config.storage.data_dir = folder.path().join("data");
        edit(&mut config);
        let clock = Clock::test(upstream.now());
        let running = start(config.clone(), upstream.url(), clock.clone()).await;
        Airlock { upstream, clock, config, folder, running }
    }

    /// With a slash at its end.
    pub fn url(&self) -> Url {
        Url::parse(&format!("http://{}/", self.address())).unwrap()
    }

    pub fn address(&self) -> SocketAddr {
        self.running.address
    }

    pub fn data_dir(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Time passes: `8d`. The upstream's ages do not grow with it, for they became dates when it started.
    pub fn advance(&self, by: &str) {
        self.clock.advance(humantime::parse_duration(by).unwrap());
    }

    /// Stops in order and starts again on the same data, at the same time of day; the port is another.
    pub async fn restart(self) -> Airlock {
        self.restart_with(|_| {}).await
    }

    /// The same with other settings: a policy, say.
    pub async fn restart_with(mut self, edit: impl FnOnce(&mut Config)) -> Airlock {
        within("Airlock to stop", self.running.shutdown()).await;
        edit(&mut self.config);
        self.running = start(self.config.clone(), self.upstream.url(), self.clock.clone()).await;
        self
    }

    /// Stops, lets `between` do something to the data folder, and starts again on it.
    pub async fn restart_after(mut self, between: impl AsyncFnOnce(PathBuf)) -> Airlock {
        let data_dir = self.data_dir();
        within("Airlock to stop", self.running.shutdown()).await;
        between(data_dir).await;
        self.running = start(self.config.clone(), self.upstream.url(), self.clock.clone()).await;
        self
    }

    pub async fn shutdown(self) -> Upstream {
        within("Airlock to stop", self.running.shutdown()).await;
        self.upstream
    }

    pub fn call(&self, method: &str, path: &str) -> Call {
        Call::new(self.address(), method, path)
    }

    pub async fn get(&self, path: &str) -> Reply {
        self.call("GET", path).send().await
    }

    pub fn admin_token(&self) -> String {
        std::fs::read_to_string(self.data_dir().join("admin-token")).unwrap().trim().to_owned()
    }

    /// A call with the token that the first start made.
    pub fn as_admin(&self, method: &str, path: &str) -> Call {
        self.call(method, path).bearer(&self.admin_token())
    }

    /// `approve`, `reject`, `hold`, `reopen` or `revoke`, through the admin API.
    pub async fn decide(&self, package: &str, version: &str, decision: &str, reason: &str) -> Reply {
        self.as_admin("POST", &format!("{}/decisions", release_path(package, version)))
            .json(&json!({"decision": decision, "reason": reason}))
            .send()
            .await
    }

    /// What the admin API says of a release: its standing and every finding.
    pub async fn release(&self, package: &str, version: &str) -> Value {
        let reply = self.as_admin("GET", &release_path(package, version)).send().await;
        assert_eq!(reply.status, 200, "{}", reply.text());
        reply.json()
    }

    /// The versions that a client is shown, in order of the document.
    pub async fn listed(&self, package: &str) -> Vec<String> {
        let reply = self.get(&format!("/{}", package.replace('/', "%2f"))).await;
        reply.json()["versions"].as_object().map(|versions| versions.keys().cloned().collect()).unwrap_or_default()
    }

    /// A tarball by its conventional path.
    pub async fn tarball(&self, package: &str, version: &str) -> Reply {
        let unscoped = package.rsplit('/').next().unwrap();
        self.get(&format!("/{package}/-/{unscoped}-{version}.tgz")).await
    }
}

fn release_path(package: &str, version: &str) -> String {
    let segment = |text| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
    format!("/-/airlock/v1/releases/{}/{}", segment(package), segment(version))
}
