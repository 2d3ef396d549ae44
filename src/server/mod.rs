//! Sockets, TLS, signals, and which URL goes where.

pub mod door;
pub mod entry;
pub mod head;
pub mod health;
pub mod http1;
pub mod limits;
pub mod listen;
pub mod metrics;
pub mod origin;
pub mod router;
pub mod scenario;
pub mod sending;
pub mod shutdown;
pub mod stream;
pub mod tls;

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use axum::Router;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use url::Url;

use crate::admin;
use crate::app::App;
use crate::app::AppError;
use crate::clock::Clock;
use crate::config::Config;
use crate::http::cache::BODY_CACHE_BYTES;
use crate::http::cache::BodyCache;
use crate::http::caller::Callers;
use crate::protocol::npm;
use crate::server::door::Door;
use crate::server::health::Health;
use crate::server::health::Reasons;
use crate::server::listen::Listening;
use crate::server::metrics::Scrape;
use crate::server::metrics::Source;
use crate::server::origin::Origins;
use crate::server::router::Site;
use crate::server::shutdown::Signals;
use crate::server::tls::TlsError;
use crate::telemetry::numbers::Metrics;

/// What a server is started with. `upstream` is the registry to gate, found out by whoever starts it.
pub struct Options {
    pub config: Config,
    pub upstream: Url,
    pub clock: Clock,
}

#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("{address} is in use: stop what listens there, or choose another address with --listen, such as --listen 127.0.0.1:{}", suggestion(*.address))]
    InUse { address: SocketAddr },
    #[error("Airlock cannot listen on {address}: {source}; choose another address with --listen")]
    Listen {
        address: SocketAddr,
        #[source]
        source: io::Error,
    },
    #[error(transparent)]
    Tls(#[from] TlsError),
    #[error(transparent)]
    App(#[from] AppError),
}

/// A port beside the one that is taken.
fn suggestion(taken: SocketAddr) -> u16 {
    taken.port().checked_add(1).unwrap_or(0)
}

/// A server that answers. Dropping it stops it without waiting.
pub struct Running {
    /// Where it listens: with the port it was given, when 0 was asked for.
    pub address: SocketAddr,
    /// The file with the admin token, when this start made it.
    pub admin_token_created: Option<PathBuf>,
    health: Arc<Health>,
    stop: watch::Sender<bool>,
    ended: JoinHandle<()>,
}

/// Listens, opens what is stored, and serves.
///
/// # Errors
/// The address cannot be had, the TLS files do not serve, the data folder cannot be used.
pub async fn start(options: Options) -> Result<Running, StartError> {
    let Options { config, upstream, clock } = options;
    // First, because it is what fails when Airlock runs already, and it says so best.
    let listener = listen(config.server.listen).await?;
    let address = listener.local_addr().map_err(|source| StartError::Listen { address: config.server.listen, source })?;
    let tls = config.server.tls.as_ref().map(tls::acceptor).transpose()?;
    let app = Arc::new(App::build(&config, upstream, clock.clone()).await?);
    app.run_workers();
    let bodies = Arc::new(BodyCache::new(BODY_CACHE_BYTES));
    let (asked, whom) = (Arc::clone(&app), Arc::clone(&bodies));
    let source: Source = Box::new(move || Box::pin(metrics::of_app(Arc::clone(&asked), Arc::clone(&whom))));
    let asked = Arc::clone(&app);
    let reasons: Reasons = Box::new(move || Box::pin(unready(Arc::clone(&asked))));
    let context = admin::Context {
        catalog: Arc::clone(&app.catalog),
        quarantine: Arc::clone(&app.quarantine),
        access: Arc::clone(&app.access),
        clock,
    };
    let registry = npm::Registry {
        catalog: Arc::clone(&app.catalog),
        bodies,
        access: Arc::clone(&app.access),
        body_bytes_max: config.server.body_bytes_max,
    };
    let service = Service { app, pages: admin::router(context), registry, reasons, sources: vec![source] };
    Ok(service.run(&config, listener, address, tls))
}

async fn unready(app: Arc<App>) -> Vec<String> {
    let (state, blobs) = tokio::join!(app.state.health(), app.blobs.health());
    [state, blobs].into_iter().filter_map(Result::err).collect()
}

async fn listen(address: SocketAddr) -> Result<TcpListener, StartError> {
    TcpListener::bind(address).await.map_err(|source| match source.kind() {
        io::ErrorKind::AddrInUse => StartError::InUse { address },
        _ => StartError::Listen { address, source },
    })
}

/// What answers, and what it is asked about itself.
struct Service {
    app: Arc<App>,
    pages: Router,
    registry: npm::Registry,
    reasons: Reasons,
    sources: Vec<Source>,
}

impl Service {
    fn run(self, config: &Config, listener: TcpListener, address: SocketAddr, tls: Option<tokio_rustls::TlsAcceptor>) -> Running {
        let Service { app, pages, registry, reasons, sources } = self;
        let metrics = Arc::new(Metrics::default());
        let origins = Origins::new(&config.server, address);
        let callers = Callers::new(Arc::clone(&app.access));
        let door =
            Arc::new(Door::new(origins, callers, Arc::clone(&metrics), config.server.body_bytes_max, &app.instance, app.clock.clone()));
        let health = Arc::new(Health::new(reasons));
        let site = Arc::new(Site::new(Arc::clone(&health), Arc::new(Scrape { metrics, sources }), pages, registry));
        let listening = Listening { listener, tls, site, door, connections_max: limits::connections_that_fit() };
        let (stop, stopped) = watch::channel(false);
        let admin_token_created = app.admin_token.clone();
        let ended = tokio::spawn(async move {
            listening.serve(stopped).await;
            app.close().await;
        });
        Running { address, admin_token_created, health, stop, ended }
    }
}

impl Running {
    /// Stops accepting, finishes requests within [`limits::STOP_TIMEOUT`], then the work besides them, and closes what is stored.
    pub async fn shutdown(self) {
        self.health.stop();
        self.stop.send_replace(true);
        if let Err(error) = self.ended.await {
            tracing::error!(%error, "the server ended badly");
        }
    }

    /// Serves until SIGTERM or SIGINT asks for a stop, and stops; a second signal ends the process at once.
    ///
    /// # Errors
    /// The system does not let signals be listened to.
    #[expect(clippy::disallowed_methods, reason = "a second signal asks for just this, and the ledger stands an end at any moment")]
    pub async fn wait(self) -> io::Result<()> {
        let mut signals = Signals::listen()?;
        signals.next().await;
        tracing::info!("stopping: requests under way are finished; ask again to stop at once");
        tokio::select! {
            () = self.shutdown() => Ok(()),
            code = signals.next() => {
                crate::telemetry::flush();
                std::process::exit(code)
            }
        }
    }
}

#[cfg(test)]
mod tests;
