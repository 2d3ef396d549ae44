//! `/-/airlock/metrics`: the server's own numbers, and those that the other rooms keep, read when somebody asks.

use std::fs;
use std::sync::Arc;

use axum::extract::State;
use axum::response::IntoResponse;
use axum::response::Response;
use futures_util::future::BoxFuture;
use http::header;

use crate::app::App;
use crate::http::cache::BodyCache;
use crate::http::caller::Caller;
use crate::http::problem::Problem;
use crate::telemetry::numbers::Metrics;
use crate::telemetry::numbers::Sample;

/// Source: the OpenMetrics specification.
const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Where other rooms' numbers come from.
pub type Source = Box<dyn Fn() -> BoxFuture<'static, Vec<Sample>> + Send + Sync>;

pub struct Scrape {
    pub metrics: Arc<Metrics>,
    pub sources: Vec<Source>,
}

pub async fn metrics(State(scrape): State<Arc<Scrape>>, caller: Caller) -> Result<Response, Problem> {
    caller.may_read()?;
    let mut samples = of_process();
    for source in &scrape.sources {
        samples.extend(source().await);
    }
    let text = scrape.metrics.text(samples).map_err(|_| Problem::internal("metrics could not be written"))?;
    Ok(([(header::CONTENT_TYPE, CONTENT_TYPE), (header::CACHE_CONTROL, "no-store")], text).into_response())
}

/// What the rooms behind the application count.
pub async fn of_app(app: Arc<App>, bodies: Arc<BodyCache>) -> Vec<Sample> {
    let mut samples = Vec::with_capacity(32);
    let catalog = app.catalog.condition();
    samples.extend([
        Sample::counter("airlock_indexes_refreshed", "Indexes fetched or confirmed upstream", catalog.refreshed),
        Sample::counter(
            "airlock_indexes_served_stale",
            "Indexes served although upstream did not confirm them in time",
            catalog.served_stale,
        ),
        Sample::gauge(
            "airlock_index_stale_seconds",
            "Age of the oldest index that upstream did not confirm when it was last asked; 0 while it confirms all",
            catalog.stale_for.as_secs_f64(),
        ),
        Sample::counter("airlock_refusals", "Downloads refused by policy", catalog.refused),
        Sample::counter("airlock_downloads", "Artifacts served", catalog.downloads),
        Sample::gauge("airlock_observing", "1 while policy keeps back nothing by itself", f64::from(u8::from(catalog.observing))),
        Sample::counter("airlock_observed", "Artifacts served only because policy observes", catalog.observed),
        Sample::counter("airlock_malware_served", "Those of them that are known to be malware", catalog.malware_served),
        Sample::gauge("airlock_releases_waiting", "Releases that were asked for and wait for people", catalog.waiting as f64),
        Sample::gauge("airlock_indexes_in_memory", "Indexes kept in memory", catalog.shelves as f64),
    ]);
    let quarantine = app.quarantine.condition();
    samples.extend([
        Sample::counter("airlock_inspections", "Inspections finished", quarantine.inspected).with("outcome", "recorded"),
        Sample::counter("airlock_inspections", "Inspections finished", quarantine.failed).with("outcome", "failed"),
        Sample::counter("airlock_inspected_bytes", "Bytes of artifacts inspected", quarantine.inspected_bytes),
        Sample::gauge("airlock_jobs_parked", "Jobs that were given up and wait for people", quarantine.parked as f64),
    ]);
    samples.extend(of_feeds(&app));
    if let Ok(waiting) = app.quarantine.jobs_waiting().await {
        samples.push(Sample::gauge("airlock_jobs_waiting", "Jobs that are not done yet", waiting as f64));
    }
    for upstream in app.upstreams.condition() {
        let name = upstream.name.as_str();
        samples.extend([
            Sample::counter("airlock_upstream_requests", "Requests sent upstream", upstream.requests).with("upstream", name),
            Sample::counter("airlock_upstream_failures", "Requests upstream failed", upstream.failures).with("upstream", name),
            Sample::counter("airlock_upstream_retries", "Requests sent upstream again", upstream.retries).with("upstream", name),
            Sample::counter("airlock_upstream_shared", "Callers that shared another's fetch", upstream.coalesced).with("upstream", name),
            Sample::gauge("airlock_upstream_breaker_open", "1 while upstream is not asked", f64::from(u8::from(upstream.breaker_open)))
                .with("upstream", name),
        ]);
    }
    let bodies = bodies.condition();
    samples.extend([
        Sample::counter("airlock_body_cache_hits", "Rendered bodies found in memory", bodies.hits),
        Sample::counter("airlock_body_cache_builds", "Bodies rendered", bodies.builds),
        Sample::gauge("airlock_body_cache_entries", "Rendered bodies in memory", bodies.entries as f64),
        Sample::gauge("airlock_body_cache_bytes", "Bytes of rendered bodies in memory", bodies.bytes as f64),
    ]);
    samples
}

/// How what is known of advisories is.
fn of_feeds(app: &App) -> Vec<Sample> {
    let condition = app.quarantine.feeds().condition();
    let mut samples = vec![
        Sample::counter("airlock_feed_failures", "Times that the feed of advisories was not heard", condition.failures),
        Sample::counter("airlock_feed_unreadable", "Records of advisories that could not be read", condition.unreadable),
        Sample::counter("airlock_malware_in_use", "Releases in use that turned out to be malware", condition.found),
    ];
    if let Some(age) = condition.age {
        let seconds = app.clock.now().since(age.as_of).as_secs_f64();
        samples.push(Sample::gauge("airlock_feed_age_seconds", "Age of what is known of advisories", seconds));
        let stale = f64::from(u8::from(!age.is_fresh(app.clock.now())));
        samples.push(Sample::gauge("airlock_feed_stale", "1 while that is too old to open releases by", stale));
    }
    for feed in condition.feeds {
        let known = feed.heard.map_or(0, |heard| heard.advisories);
        samples.push(Sample::gauge("airlock_advisories", "Advisories that are known", known as f64).with("feed", feed.name));
    }
    samples
}

/// Of this process, as Linux tells; what cannot be read is left out.
fn of_process() -> Vec<Sample> {
    /// Ticks a second in `/proc/self/stat`, the same on every Linux. Source: proc(5), `sysconf(_SC_CLK_TCK)`.
    const TICKS: f64 = 100.0;
    let version = env!("CARGO_PKG_VERSION");
    let mut samples = vec![Sample::gauge("airlock_build_info", "1; the version is a label", 1.0).with("version", version)];
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let field = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)?.split_whitespace().next()?.parse::<f64>().ok());
    if let Some(kibibytes) = field("VmRSS:") {
        samples.push(Sample::gauge("process_resident_memory_bytes", "Resident memory", kibibytes * 1024.0));
    }
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // The second field is the program's name in parentheses and may hold spaces.
    let mut after_name = stat.rsplit_once(") ").map_or("", |(_, rest)| rest).split(' ').skip(11);
    if let (Some(user), Some(system)) = (after_name.next(), after_name.next())
        && let (Ok(user), Ok(system)) = (user.parse::<f64>(), system.parse::<f64>())
    {
        let seconds = (user + system) / TICKS;
        samples.push(Sample { value: seconds, ..Sample::counter("process_cpu_seconds", "CPU time used, in seconds", 0) });
    }
    if let Ok(files) = fs::read_dir("/proc/self/fd") {
        samples.push(Sample::gauge("process_open_fds", "Open files", files.count() as f64));
    }
    samples
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_process_tells_of_itself() {
        let samples = of_process();
        let value = |name: &str| samples.iter().find(|sample| sample.name == name).map(|sample| sample.value);
        assert!(value("process_resident_memory_bytes").unwrap() > 1_000_000.0);
        assert!(value("process_cpu_seconds").is_some_and(|seconds| (0.0..100_000.0).contains(&seconds)));
        assert!(value("process_open_fds").unwrap() >= 3.0);
    }
}
