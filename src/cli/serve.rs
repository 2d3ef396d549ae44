//! `airlock serve`: reads the configuration, finds upstream, serves until it is told to stop.

use std::io;
use std::io::IsTerminal;
use std::net::SocketAddr;
use std::path::Path;
use std::path::PathBuf;

use url::Url;

use crate::cli::failure::Failure;
use crate::cli::failure::Outcome;
use crate::cli::page;
use crate::clock::Clock;
use crate::config;
use crate::config::Config;
use crate::config::Flags;
use crate::server;
use crate::server::Options;
use crate::server::StartError;
use crate::telemetry;

#[derive(clap::Args, Clone, Debug, Default)]
pub struct ServeFlags {
    /// The file to read [default: ./airlock.toml, if it exists; or AIRLOCK_CONFIG]
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Where to listen [default: 127.0.0.1:4873]
    #[arg(long, value_name = "ADDR")]
    pub listen: Option<String>,
    /// The registry to gate [default: the one that npm is configured with]
    #[arg(long, value_name = "URL")]
    pub upstream: Option<String>,
    /// Where everything is kept [default: ./airlock-data]
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<String>,
    /// How clients reach it [default: from the request's Host]
    #[arg(long, value_name = "URL")]
    pub public_url: Option<String>,
}

impl ServeFlags {
    pub fn flags(&self) -> Flags {
        Flags {
            listen: self.listen.clone(),
            upstream: self.upstream.clone(),
            data_dir: self.data_dir.clone(),
            public_url: self.public_url.clone(),
        }
    }
}

/// What `serve` will do, once the configuration is read and upstream is known.
#[derive(Debug)]
pub struct Plan {
    pub config: Config,
    pub upstream: Url,
    /// Upstream was not configured: npm said it.
    pub from_npm: bool,
}

fn plan(flags: &ServeFlags, clock: &Clock) -> Result<Plan, Failure> {
    let file = config::file(flags.config.clone());
    let config = Config::load(file.as_deref(), config::environment::variables(), &flags.flags())?;
    for warning in config::warnings(&config, clock.now()) {
        tracing::warn!("{warning}");
    }
    let (upstream, from_npm) = match &config.upstream.url {
        Some(url) => (url.clone(), false),
        None => (config::npm_registry(&config)?, true),
    };
    Ok(Plan { config, upstream, from_npm })
}

/// Serves until a signal asks for a stop. Green when it stopped in order.
pub fn run(flags: &ServeFlags, clock: &Clock) -> Result<Outcome, Failure> {
    let filter = config::environment::log_filter();
    // Held to the end: what is logged last is written down.
    let _logging = telemetry::start(filter.as_deref(), io::stderr().is_terminal())
        .map_err(|error| Failure::usage(format!("AIRLOCK_LOG: {error}"), ""))?;
    let plan = plan(flags, clock)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::failed(format!("the threads of the server could not be started: {error}"), ""))?;
    runtime.block_on(serve(&plan, clock))
}

async fn serve(plan: &Plan, clock: &Clock) -> Result<Outcome, Failure> {
    let options = Options { config: plan.config.clone(), upstream: plan.upstream.clone(), clock: clock.clone() };
    let running = server::start(options).await.map_err(|error| start_failure(&error))?;
    page::write(&announce(plan, running.address, running.admin_token_created.as_deref()))?;
    running.wait().await.map_err(|error| Failure::failed(format!("signals cannot be listened to: {error}"), ""))?;
    Ok(Outcome::Green)
}

/// What stands in the way of a start, with its causes; the server's words say what to do.
fn start_failure(error: &StartError) -> Failure {
    const DEPTH_MAX: usize = 8;
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    for _ in 0..DEPTH_MAX {
        let Some(source) = cause else { break };
        let words = source.to_string();
        // Some errors have their cause in their own words.
        if !text.contains(&words) {
            text.push_str(": ");
            text.push_str(&words);
        }
        cause = source.source();
    }
    match error {
        StartError::Tls(_) => Failure::usage(text, ""),
        StartError::InUse { .. } | StartError::Listen { .. } | StartError::App(_) => Failure::failed(text, ""),
    }
}

/// What is said once the server listens at `listening`. `admin_token` is where the first one lies, if it was just made.
fn announce(plan: &Plan, listening: SocketAddr, admin_token: Option<&Path>) -> String {
    let address = address(&plan.config, listening);
    let mut out = format!("Airlock {} listens on {address}\n", env!("CARGO_PKG_VERSION"));
    let from = if plan.from_npm { ", which npm on this machine is configured with" } else { "" };
    out.push_str(&format!("  gates  {}{from}\n", plan.upstream));
    for (name, scope) in &plan.config.upstream.scopes {
        out.push_str(&format!("         {name} from {}\n", scope.url));
    }
    out.push_str(&format!("  keeps  everything in {}\n", plan.config.storage.data_dir.display()));
    if let Some(path) = admin_token {
        out.push_str(&format!("  made   an admin token in {}, readable by you only; it is said this once\n", path.display()));
    }
    out.push_str(&format!("\nPoint npm at it:\n\n  npm config set registry {address}\n\n"));
    out
}

/// What a client on this machine types, with a trailing slash.
fn address(config: &Config, listening: SocketAddr) -> String {
    if let Some(public) = &config.server.public_url {
        return format!("{public}/");
    }
    let scheme = if config.server.tls.is_some() { "https" } else { "http" };
    let mut reached = listening;
    if reached.ip().is_unspecified() {
        reached.set_ip(if reached.is_ipv4() { std::net::Ipv4Addr::LOCALHOST.into() } else { std::net::Ipv6Addr::LOCALHOST.into() });
    }
    format!("{scheme}://{reached}/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_start_says_what_to_paste() {
        let plan = Plan { config: Config::default(), upstream: Url::parse("https://registry.example/").unwrap(), from_npm: true };
        let expected = format!(
            "\
Airlock {} listens on http://127.0.0.1:4873/
  gates  https://registry.example/, which npm on this machine is configured with
  keeps  everything in airlock-data
  made   an admin token in airlock-data/admin-token, readable by you only; it is said this once

Point npm at it:

  npm config set registry http://127.0.0.1:4873/

",
            env!("CARGO_PKG_VERSION")
        );
        assert_eq!(announce(&plan, "127.0.0.1:4873".parse().unwrap(), Some(Path::new("airlock-data/admin-token"))), expected);
    }

    #[test]
    fn the_address_is_one_that_a_client_reaches() {
        let mut config = Config::default();
        assert_eq!(address(&config, "0.0.0.0:80".parse().unwrap()), "http://127.0.0.1:80/");
        assert_eq!(address(&config, "[::]:80".parse().unwrap()), "http://[::1]:80/");
        config.server.tls = Some(config::server::Tls { cert: PathBuf::new(), key: PathBuf::new() });
        assert_eq!(address(&config, "10.0.0.5:443".parse().unwrap()), "https://10.0.0.5:443/");
        config.server.public_url = Some("https://airlock.example/npm".to_owned());
        assert_eq!(address(&config, "10.0.0.5:443".parse().unwrap()), "https://airlock.example/npm/");
    }
}
