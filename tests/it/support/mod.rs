//! What tests stand on: a scenario upstream, Airlock in-process or as the real binary, a raw HTTP client.
//! Nothing here sleeps, and nothing here speaks to anything but 127.0.0.1.

pub mod airlock;
pub mod binary;
pub mod command;
pub mod http;
pub mod provider;
pub mod publish;
pub mod scenario;
pub mod sigstore;
pub mod slow;
pub mod tuf;
pub mod upstream;

use std::future::Future;
use std::time::Duration;

/// How long a test waits for something that should happen at once, on a machine that is busy.
pub const PATIENCE: Duration = Duration::from_secs(240);

/// Waits for `what`, or fails by its name.
pub async fn within<T>(what: &str, happens: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, happens).await.unwrap_or_else(|_| panic!("waited {PATIENCE:?} in vain for {what}"))
}
