//! The environment of the process, which no other room reads.

use std::path::PathBuf;

/// Every variable whose name and text are UTF-8; another cannot be a key's.
#[expect(clippy::disallowed_methods, reason = "config/ is who reads the environment")]
pub fn variables() -> impl Iterator<Item = (String, String)> {
    std::env::vars_os().filter_map(|(name, text)| Some((name.into_string().ok()?, text.into_string().ok()?)))
}

#[expect(clippy::disallowed_methods, reason = "config/ is who reads the environment")]
fn given(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|text| !text.is_empty())
}

/// `AIRLOCK_CONFIG`: the file to read when no flag names one.
pub fn config_file() -> Option<PathBuf> {
    given("AIRLOCK_CONFIG").map(PathBuf::from)
}

/// `AIRLOCK_LOG`: what to log, in the words of tracing's filters.
pub fn log_filter() -> Option<String> {
    given("AIRLOCK_LOG")
}

/// `NO_COLOR` (no-color.org): any text but the empty one.
pub fn no_color() -> bool {
    given("NO_COLOR").is_some()
}

/// Where what is needed for a short while may lie.
pub fn temporary_folder() -> PathBuf {
    std::env::temp_dir()
}

/// `COLUMNS`, where a shell exports it.
pub fn columns() -> Option<usize> {
    given("COLUMNS").and_then(|text| text.parse().ok())
}
