//! How upstream is asked, what is believed of it, and what is served when it does not answer.

mod credentials;
mod faults;
mod fetching;
mod origins;
mod private;
mod stale;

use crate::support::airlock::Airlock;

/// The value of one metric, labels and all: `airlock_upstream_requests_total{upstream="default"}`.
async fn metric(airlock: &Airlock, name: &str) -> f64 {
    let text = airlock.get("/-/airlock/metrics").await.text();
    let found = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.trim().parse().ok());
    found.unwrap_or_else(|| panic!("no {name} in\n{text}"))
}
