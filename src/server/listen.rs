//! The accept loop: one task a connection, bounded in number, ended in order.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::AtomicI64;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::body::Body;
use futures_util::FutureExt;
use http::Request;
use http::Response;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioExecutor;
use hyper_util::rt::TokioIo;
use hyper_util::server::conn::auto::Builder;
use prometheus_client::metrics::gauge::Gauge;
use tokio::io::AsyncRead;
use tokio::io::AsyncWrite;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use crate::clock::Clock;
use crate::http::fields::Plain;
use crate::server::door::Door;
use crate::server::entry::Logged;
use crate::server::head::Raw;
use crate::server::http1;
use crate::server::http1::Again;
use crate::server::http1::Answers;
use crate::server::http1::End;
use crate::server::limits;
use crate::server::limits::Connections;
use crate::server::router::Site;
use crate::server::sending::SendsFiles;
use crate::server::stream::Watched;

/// How long accepting rests after it failed, for want of files mostly.
const REST: Duration = Duration::from_millis(100);

/// What connections are served with.
pub struct Listening {
    pub listener: TcpListener,
    pub tls: Option<TlsAcceptor>,
    pub site: Arc<Site>,
    pub door: Arc<Door>,
    pub connections_max: usize,
}

impl Listening {
    /// Until `stop` turns true; then nobody is accepted, idle connections are closed, and requests have
    /// [`limits::STOP_TIMEOUT`] to end.
    pub async fn serve(self, mut stop: watch::Receiver<bool>) {
        let room = Arc::new(Semaphore::new(self.connections_max));
        let protocols = Arc::new(limits::protocols());
        let of_client = Connections::default();
        let mut open = JoinSet::new();
        loop {
            let accepted = tokio::select! {
                accepted = accept(&self.listener, &room) => accepted,
                // A closed channel means that whoever could stop us is gone.
                _ = stop.wait_for(|stop| *stop) => break,
                Some(_) = open.join_next(), if !open.is_empty() => continue,
            };
            let (socket, peer, permit) = match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(REST).await;
                    continue;
                }
            };
            let client = peer.ip().to_canonical();
            // All clients behind a trusted proxy come from its one address.
            let max = if self.door.origins.trusts(client) { usize::MAX } else { limits::CONNECTIONS_PER_ADDRESS_MAX };
            let Some(counted) = of_client.admit(client, max) else {
                self.door.metrics.connections_refused.inc();
                continue;
            };
            let (tls, protocols, stop) = (self.tls.clone(), Arc::clone(&protocols), stop.clone());
            let (door, site, clock) = (Arc::clone(&self.door), Arc::clone(&self.site), self.door.clock.clone());
            let answers = Here { door, site, peer };
            let gauge = self.door.metrics.connections.clone();
            open.spawn(async move {
                let _held = (permit, counted);
                let _open = Open::new(gauge);
                converse(socket, peer, tls, &clock, answers, &protocols, stop).await;
            });
        }
        drop(self.listener);
        let finish = async { while open.join_next().await.is_some() {} };
        if tokio::time::timeout(limits::STOP_TIMEOUT, finish).await.is_err() {
            tracing::warn!(connections = open.len(), "requests did not end in time and were cut");
            open.shutdown().await;
        }
    }
}

/// Everything there is to ask, for one client.
struct Here {
    door: Arc<Door>,
    site: Arc<Site>,
    peer: SocketAddr,
}

impl Answers for Here {
    type Body = Logged;

    fn at_once(&self, plain: &Plain<'_, Raw<'_>>, head: &mut Vec<u8>) -> Option<Logged> {
        self.door.at_once(&self.site, self.peer, plain, head)
    }

    fn answer(&self, request: Request<Body>) -> impl Future<Output = Response<Logged>> + Send + 'static {
        let (door, site, peer) = (Arc::clone(&self.door), Arc::clone(&self.site), self.peer);
        async move { door.answer(&site, peer, request).await }
    }
}

/// One connection more, until it is dropped.
struct Open(Gauge<i64, AtomicI64>);

impl Open {
    fn new(gauge: Gauge<i64, AtomicI64>) -> Open {
        gauge.inc();
        Open(gauge)
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.dec();
    }
}

type Accepted = (TcpStream, SocketAddr, tokio::sync::OwnedSemaphorePermit);

/// Waits for room first: those who come when there is none wait in the system's queue.
async fn accept(listener: &TcpListener, room: &Arc<Semaphore>) -> io::Result<Accepted> {
    let permit = Arc::clone(room).acquire_owned().await.map_err(io::Error::other)?;
    let (socket, peer) = listener.accept().await?;
    socket.set_nodelay(true)?;
    Ok((socket, peer, permit))
}

async fn converse<A: Answers>(
    socket: TcpStream,
    peer: SocketAddr,
    tls: Option<TlsAcceptor>,
    clock: &Clock,
    answers: A,
    protocols: &Builder<TokioExecutor>,
    stop: watch::Receiver<bool>,
) {
    match tls {
        None => speak(Watched::new(socket), peer, clock, answers, protocols, stop).await,
        Some(tls) => match tokio::time::timeout(limits::TLS_HANDSHAKE_TIMEOUT, tls.accept(socket)).await {
            Ok(Ok(socket)) => speak(Watched::new(socket), peer, clock, answers, protocols, stop).await,
            Ok(Err(error)) => tracing::debug!(%peer, %error, "a TLS handshake failed"),
            Err(_) => tracing::debug!(%peer, "a TLS handshake took too long"),
        },
    }
}

/// One connection to its end; each request on it is given to `answers`.
pub async fn speak<S, A>(
    mut socket: S,
    peer: SocketAddr,
    clock: &Clock,
    answers: A,
    protocols: &Builder<TokioExecutor>,
    mut stop: watch::Receiver<bool>,
) where
    S: AsyncRead + AsyncWrite + SendsFiles + Unpin + Send + 'static,
    A: Answers,
{
    let read = match http1::converse(&mut socket, clock, &answers, stop.clone()).await {
        End::Elsewhere(read) => read,
        End::Closed => {
            // The other end may be gone, and then there is nobody to take leave of.
            let _ = socket.shutdown().await;
            return;
        }
    };
    let socket = Again { read, socket };
    let spoke = AtomicBool::new(false);
    let service = service_fn(|request: Request<Incoming>| {
        spoke.store(true, Ordering::Relaxed);
        answers.answer(request.map(Body::new)).map(Ok::<_, Infallible>)
    });
    let mut connection = pin!(protocols.serve_connection(TokioIo::new(socket), service));
    // hyper bounds the time of a request's head, but not the time until it knows which HTTP is spoken.
    let mut silence = pin!(tokio::time::sleep(limits::IDLE));
    let (mut listening, mut stopping) = (true, false);
    loop {
        tokio::select! {
            ended = connection.as_mut() => {
                if let Err(error) = ended {
                    tracing::debug!(%peer, %error, "a connection ended badly");
                }
                return;
            }
            () = silence.as_mut(), if listening => {
                if !spoke.load(Ordering::Relaxed) {
                    return;
                }
                listening = false;
            }
            _ = stop.wait_for(|stop| *stop), if !stopping => {
                connection.as_mut().graceful_shutdown();
                stopping = true;
            }
        }
    }
}
