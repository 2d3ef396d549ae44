//! Logs and numbers: one line a request, one number a fact. Secrets are never given to either.

pub mod line;
pub mod lines;
pub mod numbers;

use std::fmt;
use std::fmt::Write;
use std::io;
use std::sync::Arc;
use std::sync::OnceLock;
use std::time::Duration;

use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::format::debug_fn;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry;
use tracing_subscriber::util::SubscriberInitExt;

use crate::telemetry::line::Answered;
use crate::telemetry::line::Json;
use crate::telemetry::lines::Lines;

/// What is logged when nobody says otherwise.
pub const LEVEL: &str = "info";

/// How long an end waits for who reads the log.
const LAST_WORDS: Duration = Duration::from_secs(2);

static STARTED: OnceLock<Arc<Lines>> = OnceLock::new();

/// Where requests are logged in the machine's form; unset while nobody asked for that.
static MACHINE_LINES: OnceLock<Arc<Lines>> = OnceLock::new();

#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    #[error(
        "the log level {level:?} cannot be read: {why}; it is error, warn, info, debug or trace, or a list such as info,airlock::upstream=debug"
    )]
    Level { level: String, why: String },
    #[error("logging was started twice")]
    Twice,
    #[error("the thread that writes the log could not be started: {0}")]
    Thread(#[from] io::Error),
}

/// Writes down what is still waiting when it is dropped: held until the process ends.
#[must_use]
pub struct Logging(Arc<Lines>);

impl Drop for Logging {
    fn drop(&mut self) {
        self.0.flush(LAST_WORDS);
    }
}

/// Writes down what waits, for who ends the process at once.
pub fn flush() {
    if let Some(lines) = STARTED.get() {
        lines.flush(LAST_WORDS);
    }
}

/// Starts logging to standard error: for people on a terminal, one JSON object a line elsewhere. `level` is what
/// `AIRLOCK_LOG` says, as the configuration read it.
pub fn start(level: Option<&str>, terminal: bool) -> Result<Logging, TelemetryError> {
    let level = level.filter(|level| !level.trim().is_empty()).unwrap_or(LEVEL);
    let wanted: Result<Targets, _> = level.parse();
    let wanted = wanted.map_err(|why| TelemetryError::Level { level: level.to_owned(), why: why.to_string() })?;
    let lines = Lines::start(Box::new(io::stderr()))?;
    let to = tracing_subscriber::fmt::layer().with_writer(Arc::clone(&lines));
    let started = if terminal {
        registry().with(wanted).with(to.with_target(false).fmt_fields(debug_fn(write_field))).try_init()
    } else {
        registry().with(wanted).with(to.fmt_fields(debug_fn(write_value)).event_format(Json)).try_init()
    };
    started.map_err(|_| TelemetryError::Twice)?;
    // Set once: a second start was refused above.
    let _ = STARTED.set(Arc::clone(&lines));
    if !terminal {
        let _ = MACHINE_LINES.set(Arc::clone(&lines));
    }
    Ok(Logging(lines))
}

/// Logs one answered request. The busiest line there is, so that for machines it is written down directly.
pub fn answered(request: &Answered<'_>) {
    const TARGET: &str = "airlock::access";
    if !tracing::enabled!(target: TARGET, tracing::Level::INFO) {
        return;
    }
    match MACHINE_LINES.get() {
        Some(lines) => lines.push_with(|text| request.write(TARGET, text)),
        None => tracing::info!(
            target: TARGET,
            id = %request.id,
            method = request.method,
            route = request.route,
            path = request.path,
            status = request.status,
            milliseconds = request.milliseconds,
            bytes = request.bytes,
            cut = request.cut,
            caller = request.caller.unwrap_or("-"),
            address = request.address.map(tracing::field::display),
            "answered"
        ),
    }
}

/// A span's fields, which are the ids of requests: bare.
fn write_value(writer: &mut Writer<'_>, _: &tracing::field::Field, value: &dyn fmt::Debug) -> fmt::Result {
    write!(writer, "{value:?}")
}

/// One field for a terminal: the message as it is, the others as `name=value`; control characters made visible, so that
/// what a package or a client says cannot move the cursor. JSON does the same by its grammar.
fn write_field(writer: &mut Writer<'_>, field: &tracing::field::Field, value: &dyn fmt::Debug) -> fmt::Result {
    if field.name() != "message" {
        write!(writer, "{}=", field.name())?;
    }
    write!(Visible(writer), "{value:?}")?;
    // `debug_fn` puts nothing between fields.
    writer.write_char(' ')
}

/// Passes text on with its control characters escaped.
struct Visible<'w, 'v>(&'w mut Writer<'v>);

impl Write for Visible<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for c in text.chars() {
            let hidden = c.is_control() || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}');
            if hidden {
                write!(self.0, "{}", c.escape_default())?;
            } else {
                self.0.write_char(c)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::Arc;
    use std::sync::Mutex;

    use super::*;

    /// What was logged, kept for looking at.
    #[derive(Clone, Default)]
    pub(super) struct Kept(Arc<Mutex<Vec<u8>>>);

    impl Kept {
        pub(super) fn text(&self) -> String {
            String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
        }
    }

    impl io::Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_terminal_is_not_steered_by_what_is_logged() {
        let kept = Kept::default();
        let into = kept.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_ansi(false)
            .without_time()
            .fmt_fields(debug_fn(write_field))
            .with_writer(move || into.clone())
            .finish();
        tracing::subscriber::with_default(subscriber, || {
            tracing::info!(name = %"\u{1b}[2Jleft\u{202e}pad\nfake line", count = 3, "hello \u{1b}[31m");
        });
        let text = kept.text();
        assert_eq!(text.matches('\n').count(), 1, "{text:?}");
        assert!(!text.contains('\u{1b}') && !text.contains('\u{202e}'), "{text:?}");
        assert!(text.contains("count=3") && text.contains("left\\u{202e}pad\\nfake line"), "{text:?}");
    }

    #[test]
    fn a_level_that_is_none_is_named() {
        assert!(matches!(start(Some("airlock=loudest"), false), Err(TelemetryError::Level { .. })));
    }
}
