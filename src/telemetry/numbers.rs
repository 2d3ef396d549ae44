//! One number a fact: what the server counts itself, and what other rooms are asked for when somebody reads.

use std::fmt;
use std::hash::Hash;
use std::hash::Hasher;
use std::sync::atomic::AtomicI64;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::MetricEncoder;
use prometheus_client::encoding::NoLabelSet;
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

/// What a request is counted by. The route is a template, never a path, so that the number of series is bounded.
#[derive(Clone, PartialEq, Eq, Debug, EncodeLabelSet)]
pub struct RequestLabels {
    pub method: &'static str,
    pub route: &'static str,
    pub status: u16,
}

#[derive(Clone, PartialEq, Eq, Debug, EncodeLabelSet)]
pub struct RouteLabels {
    pub route: &'static str,
}

/// Counted for every request, and there are few of them: their lengths tell most of them apart.
impl Hash for RequestLabels {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self.route.len() * 8 + self.method.len()).hash(state);
        self.status.hash(state);
    }
}

impl Hash for RouteLabels {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.route.len().hash(state);
    }
}

/// What the server counts itself.
pub struct Metrics {
    registry: Registry,
    pub requests: Family<RequestLabels, Counter>,
    /// Seconds from the request's head to the end of its answer's body.
    pub request_seconds: Family<RouteLabels, Histogram, fn() -> Histogram>,
    pub requests_in_flight: Gauge<i64, AtomicI64>,
    /// Those whose answer lay ready.
    pub answered_at_once: Counter,
    pub response_bytes: Counter,
    pub connections: Gauge<i64, AtomicI64>,
    /// Turned away because there were too many.
    pub connections_refused: Counter,
}

fn histogram() -> Histogram {
    Histogram::new([0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0])
}

impl Default for Metrics {
    fn default() -> Metrics {
        let mut registry = Registry::default();
        let metrics = Metrics {
            requests: Family::default(),
            request_seconds: Family::new_with_constructor(histogram),
            requests_in_flight: Gauge::default(),
            answered_at_once: Counter::default(),
            response_bytes: Counter::default(),
            connections: Gauge::default(),
            connections_refused: Counter::default(),
            registry: Registry::default(),
        };
        registry.register("airlock_http_requests", "Requests answered", metrics.requests.clone());
        registry.register(
            "airlock_http_request_seconds",
            "Time from a request's head to its answer's end",
            metrics.request_seconds.clone(),
        );
        registry.register("airlock_http_requests_in_flight", "Requests being answered", metrics.requests_in_flight.clone());
        registry.register("airlock_http_answered_at_once", "Requests whose answer lay ready", metrics.answered_at_once.clone());
        registry.register("airlock_http_response_bytes", "Bytes of bodies sent", metrics.response_bytes.clone());
        registry.register("airlock_connections", "Open connections", metrics.connections.clone());
        registry.register(
            "airlock_connections_refused",
            "Connections turned away, too many being open",
            metrics.connections_refused.clone(),
        );
        Metrics { registry, ..metrics }
    }
}

/// One number that another room keeps, read when metrics are asked for.
#[derive(Clone, PartialEq, Debug)]
pub struct Sample {
    /// `airlock_refusals`; a counter gets `_total` added.
    pub name: &'static str,
    pub help: &'static str,
    pub kind: SampleKind,
    pub labels: Vec<(&'static str, String)>,
    pub value: f64,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SampleKind {
    /// Only ever grows.
    Counter,
    Gauge,
}

impl Sample {
    pub fn counter(name: &'static str, help: &'static str, value: u64) -> Sample {
        Sample { name, help, kind: SampleKind::Counter, labels: Vec::new(), value: value as f64 }
    }

    pub fn gauge(name: &'static str, help: &'static str, value: f64) -> Sample {
        Sample { name, help, kind: SampleKind::Gauge, labels: Vec::new(), value }
    }

    #[must_use]
    pub fn with(mut self, label: &'static str, value: impl Into<String>) -> Sample {
        self.labels.push((label, value.into()));
        self
    }
}

impl Sample {
    fn write(&self, encoder: &mut MetricEncoder<'_>) -> fmt::Result {
        match self.kind {
            SampleKind::Counter => encoder.encode_counter::<NoLabelSet, _, u64>(&self.value, None),
            SampleKind::Gauge => encoder.encode_gauge(&self.value),
        }
    }
}

/// Samples of one scrape. Those with one name stand together, as the format asks.
#[derive(Debug)]
struct Scrape(Vec<Sample>);

impl Collector for Scrape {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        for group in self.0.chunk_by(|left, right| left.name == right.name) {
            let Some(first) = group.first() else { continue };
            let kind = match first.kind {
                SampleKind::Counter => MetricType::Counter,
                SampleKind::Gauge => MetricType::Gauge,
            };
            let mut metric = encoder.encode_descriptor(first.name, first.help, None, kind)?;
            for sample in group {
                let labels: Vec<(&str, &str)> = sample.labels.iter().map(|(name, value)| (*name, value.as_str())).collect();
                if labels.is_empty() {
                    sample.write(&mut metric)?;
                } else {
                    sample.write(&mut metric.encode_family(&labels)?)?;
                }
            }
        }
        Ok(())
    }
}

impl Metrics {
    /// Everything, in the OpenMetrics text format.
    pub fn text(&self, mut samples: Vec<Sample>) -> Result<String, fmt::Error> {
        samples.sort_by_key(|sample| sample.name);
        let mut others = Registry::default();
        others.register_collector(Box::new(Scrape(samples)));
        let mut text = String::new();
        prometheus_client::encoding::text::encode_registry(&mut text, &self.registry)?;
        prometheus_client::encoding::text::encode_registry(&mut text, &others)?;
        prometheus_client::encoding::text::encode_eof(&mut text)?;
        Ok(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_of_one_name_stand_together() {
        let metrics = Metrics::default();
        metrics.requests.get_or_create(&RequestLabels { method: "GET", route: "/{package}", status: 200 }).inc();
        let samples = vec![
            Sample::gauge("airlock_upstream_breaker_open", "1 while open", 1.0).with("upstream", "default"),
            Sample::counter("airlock_refusals", "Refused", 7),
            Sample::gauge("airlock_upstream_breaker_open", "1 while open", 0.0).with("upstream", "@acme \"x\"\n"),
        ];
        let text = metrics.text(samples).unwrap();
        assert_eq!(text.matches("# TYPE airlock_upstream_breaker_open gauge").count(), 1, "{text}");
        assert!(text.contains("airlock_refusals_total 7.0"), "{text}");
        assert!(text.contains(r#"airlock_upstream_breaker_open{upstream="@acme \"x\"\n"} 0.0"#), "{text}");
        assert!(text.contains(r#"airlock_http_requests_total{method="GET",route="/{package}",status="200"} 1"#), "{text}");
        assert!(text.ends_with("# EOF\n"));
    }
}
