//! A made-up upstream on this machine, for `airlock selftest`: it serves what it is given, by path, and nothing else.

use std::collections::HashMap;
use std::convert::Infallible;
use std::io;
use std::net::Ipv4Addr;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;

use bytes::Bytes;
use http::Request;
use http::Response;
use http::StatusCode;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioExecutor;
use hyper_util::rt::TokioIo;
use hyper_util::server::conn::auto::Builder;
use percent_encoding::percent_decode_str;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

const CONNECTIONS_MAX: usize = 64;

type Documents = Arc<Mutex<HashMap<String, Bytes>>>;

/// Ends when it is dropped.
pub struct ScenarioUpstream {
    pub address: SocketAddr,
    documents: Documents,
    accepting: JoinHandle<()>,
}

impl ScenarioUpstream {
    /// Listens on a free port that only this machine reaches.
    pub async fn start() -> io::Result<ScenarioUpstream> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let documents = Documents::default();
        let served = Arc::clone(&documents);
        let accepting = tokio::spawn(accept(listener, served));
        Ok(ScenarioUpstream { address, documents, accepting })
    }

    /// From here on these are served at their paths, written without the slash in front.
    pub fn say(&self, documents: impl IntoIterator<Item = (String, Bytes)>) {
        self.documents.lock().unwrap_or_else(PoisonError::into_inner).extend(documents);
    }
}

impl Drop for ScenarioUpstream {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept(listener: TcpListener, documents: Documents) {
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        let Ok((socket, _)) = listener.accept().await else { return };
        let documents = Arc::clone(&documents);
        tokio::spawn(async move {
            let service = service_fn(|request: Request<Incoming>| {
                let answer = answer(&documents, request.uri().path());
                async move { Ok::<_, Infallible>(answer) }
            });
            // Whoever asks is told by a broken connection what went wrong.
            let _ = Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(socket), service).await;
            drop(place);
        });
    }
}

fn answer(documents: &Documents, path: &str) -> Response<Full<Bytes>> {
    let path = percent_decode_str(path.trim_start_matches('/')).decode_utf8_lossy();
    let found = documents.lock().unwrap_or_else(PoisonError::into_inner).get(&*path).cloned();
    let (status, body) = match found {
        Some(body) => (StatusCode::OK, body),
        None => (StatusCode::NOT_FOUND, Bytes::from_static(b"{\"error\":\"not found\"}")),
    };
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    response
}
