//! Whether Airlock is alive, and whether it is able to serve.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::time::Duration;
use std::time::Instant;

use axum::Json;
use axum::extract::State;
use axum::response::IntoResponse;
use axum::response::Response;
use futures_util::future::BoxFuture;
use http::StatusCode;
use http::header;
use serde::Serialize;
use tokio::sync::Mutex;

/// What answers why it cannot serve; nothing when it can.
pub type Reasons = Box<dyn Fn() -> BoxFuture<'static, Vec<String>> + Send + Sync>;

/// How long one answer is given again: everybody may ask, and asking may touch the disk.
const KEPT_FOR: Duration = Duration::from_secs(1);
const CHECK_TIMEOUT: Duration = Duration::from_secs(5);

pub struct Health {
    reasons: Reasons,
    last: Mutex<Option<(Instant, Vec<String>)>>,
    stopping: AtomicBool,
}

#[derive(Serialize)]
struct Readiness {
    ready: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    reasons: Vec<String>,
}

impl Health {
    pub fn new(reasons: Reasons) -> Health {
        Health { reasons, last: Mutex::new(None), stopping: AtomicBool::new(false) }
    }

    /// From now on not ready, so that nobody sends new requests.
    pub fn stop(&self) {
        self.stopping.store(true, Ordering::SeqCst);
    }

    async fn reasons(&self) -> Vec<String> {
        if self.stopping.load(Ordering::SeqCst) {
            return vec!["Airlock is stopping".to_owned()];
        }
        let mut last = self.last.lock().await;
        if let Some((at, reasons)) = &*last
            && at.elapsed() < KEPT_FOR
        {
            return reasons.clone();
        }
        let late = |_| vec!["the store does not answer in time".to_owned()];
        let reasons = tokio::time::timeout(CHECK_TIMEOUT, (self.reasons)()).await.unwrap_or_else(late);
        *last = Some((Instant::now(), reasons.clone()));
        reasons
    }
}

pub async fn livez() -> Response {
    ([(header::CACHE_CONTROL, "no-store")], "ok").into_response()
}

pub async fn readyz(State(health): State<Arc<Health>>) -> Response {
    let reasons = health.reasons().await;
    let status = if reasons.is_empty() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, [(header::CACHE_CONTROL, "no-store")], Json(Readiness { ready: reasons.is_empty(), reasons })).into_response()
}
