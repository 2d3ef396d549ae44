//! A log line as machines read it: one JSON object, with the id of the request that it belongs to.

use std::cell::RefCell;
use std::fmt;
use std::io::Write;
use std::net::IpAddr;

use tracing::Event;
use tracing::Subscriber;
use tracing::field::Field;
use tracing::field::Visit;
use tracing_subscriber::fmt::FmtContext;
use tracing_subscriber::fmt::FormatEvent;
use tracing_subscriber::fmt::FormatFields;
use tracing_subscriber::fmt::FormattedFields;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::FormatTime;
use tracing_subscriber::fmt::time::SystemTime;
use tracing_subscriber::registry::LookupSpan;

use crate::model::time::Timestamp;

/// What a line takes, about.
const LINE_BYTES: usize = 512;

/// A request that was answered, its body included.
pub struct Answered<'r> {
    pub at: Timestamp,
    pub id: &'r str,
    pub method: &'static str,
    /// The template, never the path.
    pub route: &'static str,
    /// As it may be shown.
    pub path: &'r str,
    pub status: u16,
    pub milliseconds: u64,
    /// Of the body.
    pub bytes: u64,
    /// The body did not reach its end.
    pub cut: bool,
    pub caller: Option<&'r str>,
    pub address: Option<IpAddr>,
}

impl Answered<'_> {
    /// Appends the line. Only what a client can choose is escaped. By hand, because it is written for every request.
    pub fn write(&self, target: &str, line: &mut Vec<u8>) {
        line.reserve(LINE_BYTES);
        let mut digits = itoa::Buffer::new();
        line.extend_from_slice(br#"{"timestamp":""#);
        instant(self.at, line);
        add(line, &[r#"","level":"INFO","message":"answered","id":""#, self.id, r#"","method":""#, self.method]);
        add(line, &[r#"","route":""#, self.route, r#"","path":"#]);
        text(self.path, line);
        add(line, &[r#","status":"#, digits.format(self.status)]);
        add(line, &[r#","milliseconds":"#, digits.format(self.milliseconds)]);
        add(line, &[r#","bytes":"#, digits.format(self.bytes)]);
        add(line, &[r#","cut":"#, if self.cut { "true" } else { "false" }, r#","caller":"#]);
        text(self.caller.unwrap_or("-"), line);
        if let Some(address) = self.address {
            line.extend_from_slice(br#","address":""#);
            ip(address, line);
            line.push(b'"');
        }
        add(line, &[r#","target":""#, target, "\"}\n"]);
    }
}

fn add(line: &mut Vec<u8>, parts: &[&str]) {
    for part in parts {
        line.extend_from_slice(part.as_bytes());
    }
}

/// RFC 3339 with milliseconds. The text of a second is kept for the lines that follow in it.
fn instant(at: Timestamp, line: &mut Vec<u8>) {
    /// `2026-11-27T14:05:00.`
    const SECOND_BYTES: usize = 20;
    thread_local! {
        static SECOND: RefCell<(i64, String)> = const { RefCell::new((i64::MIN, String::new())) };
    }
    SECOND.with_borrow_mut(|(second, text)| {
        let now = at.millis().div_euclid(1_000);
        if *second != now {
            *second = now;
            *text = at.to_string();
            text.truncate(SECOND_BYTES);
        }
        line.extend_from_slice(text.as_bytes());
    });
    let millis = at.millis().rem_euclid(1_000);
    let digit = |of: i64| b'0' + u8::try_from(of % 10).unwrap_or(0);
    line.extend_from_slice(&[digit(millis / 100), digit(millis / 10), digit(millis), b'Z']);
}

fn ip(address: IpAddr, line: &mut Vec<u8>) {
    match address {
        IpAddr::V4(four) => {
            let mut digits = itoa::Buffer::new();
            for (at, octet) in four.octets().into_iter().enumerate() {
                let dot = if at == 0 { "" } else { "." };
                add(line, &[dot, digits.format(octet)]);
            }
        }
        // Nothing fails that is written into memory.
        IpAddr::V6(_) => drop(write!(line, "{address}")),
    }
}

/// A JSON string.
fn text(value: &str, line: &mut Vec<u8>) {
    if value.bytes().all(|byte| matches!(byte, b' '..=b'~') && byte != b'"' && byte != b'\\') {
        return add(line, &["\"", value, "\""]);
    }
    let _ = serde_json::to_writer(line, value);
}

/// Events as JSON: their fields beside the time, the level, the message and the request's id.
pub struct Json;

impl<S, N> FormatEvent<S, N> for Json
where
    S: Subscriber + for<'l> LookupSpan<'l>,
    N: for<'w> FormatFields<'w> + 'static,
{
    fn format_event(&self, context: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        writer.write_str(r#"{"timestamp":""#)?;
        SystemTime.format_time(&mut writer)?;
        write!(writer, r#"","level":"{}""#, event.metadata().level())?;
        let mut fields = Fields(Vec::with_capacity(256));
        event.record(&mut fields);
        if let Some(span) = context.lookup_current()
            && let Some(id) = span.extensions().get::<FormattedFields<N>>().filter(|id| !id.is_empty())
        {
            fields.name("request");
            text(id, &mut fields.0);
        }
        writer.write_str(&String::from_utf8_lossy(&fields.0))?;
        writeln!(writer, r#","target":"{}"}}"#, event.metadata().target())
    }
}

/// `,"name":value` for each field.
struct Fields(Vec<u8>);

impl Fields {
    fn name(&mut self, name: &str) {
        self.0.push(b',');
        text(name, &mut self.0);
        self.0.push(b':');
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.name(field.name());
        text(&format!("{value:?}"), &mut self.0);
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.name(field.name());
        text(value, &mut self.0);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.name(field.name());
        let _ = write!(self.0, "{value}");
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.name(field.name());
        let _ = write!(self.0, "{value}");
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.name(field.name());
        let _ = write!(self.0, "{value}");
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.name(field.name());
        // JSON has no infinities.
        let _ = serde_json::to_writer(&mut self.0, &value);
    }
}

#[cfg(test)]
mod tests {
    use tracing_subscriber::fmt::format::debug_fn;

    use super::*;
    use crate::telemetry::tests::Kept;
    use crate::telemetry::write_value;

    fn logged(act: impl FnOnce()) -> serde_json::Value {
        let kept = Kept::default();
        let into = kept.clone();
        let to = tracing_subscriber::fmt().with_writer(move || into.clone());
        tracing::subscriber::with_default(to.fmt_fields(debug_fn(write_value)).event_format(Json).finish(), act);
        let text = kept.text();
        assert_eq!(text.matches('\n').count(), 1, "{text:?}");
        serde_json::from_str(&text).unwrap()
    }

    #[test]
    fn an_event_is_one_object_whatever_it_says() {
        let value = logged(|| {
            let _request = tracing::info_span!("request", id = %"00ab-01").entered();
            tracing::warn!(name = %"a\"b\n\u{1b}", count = 3_u64, less = -1, is = true, share = f64::INFINITY, "it said \"no\"\n");
        });
        assert_eq!(value["name"], "a\"b\n\u{1b}");
        assert_eq!((&value["count"], &value["less"], &value["is"]), (&3.into(), &(-1).into(), &true.into()));
        assert_eq!(value["message"], "it said \"no\"\n");
        assert_eq!((&value["level"], &value["request"]), (&"WARN".into(), &"00ab-01".into()));
        assert!(value["timestamp"].as_str().is_some_and(|at| at.ends_with('Z')) && value["target"].is_string());
    }

    #[test]
    fn outside_of_a_request_there_is_no_id() {
        assert_eq!(logged(|| tracing::info!("hello")).get("request"), None);
    }

    #[test]
    fn a_request_is_one_object_whatever_it_asks_for() {
        let mut answered = Answered {
            at: Timestamp::parse("2026-11-27T14:05:00.123Z").unwrap(),
            id: "00ab-01",
            method: "GET",
            route: "/{package}",
            path: "/\"},{\n",
            status: 200,
            milliseconds: 7,
            bytes: 12,
            cut: false,
            caller: None,
            address: Some(IpAddr::from([127, 0, 0, 1])),
        };
        let mut line = Vec::new();
        answered.write("airlock::access", &mut line);
        let value: serde_json::Value = serde_json::from_slice(&line).unwrap();
        assert_eq!(
            value,
            serde_json::json!({
                "timestamp": "2026-11-27T14:05:00.123Z", "level": "INFO", "message": "answered", "id": "00ab-01", "method": "GET",
                "route": "/{package}", "path": "/\"},{\n", "status": 200, "milliseconds": 7, "bytes": 12, "cut": false,
                "caller": "-", "address": "127.0.0.1", "target": "airlock::access"
            })
        );
        assert_eq!(line.iter().filter(|byte| **byte == b'\n').count(), 1);
        answered.caller = Some("ci \"x\"");
        line.clear();
        answered.write("t", &mut line);
        assert_eq!(serde_json::from_slice::<serde_json::Value>(&line).unwrap()["caller"], "ci \"x\"");
    }
}
