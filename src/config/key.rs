//! The one table of all keys. Reading, unknown keys, names of variables, the example file and the effective
//! configuration all come from it. Each section's file holds its own rows.

use std::sync::LazyLock;

use crate::config::Config;
use crate::config::access_keys;
use crate::config::draft::Draft;
use crate::config::fault::Fault;
use crate::config::feeds_keys;
use crate::config::notify;
use crate::config::policy_keys;
use crate::config::server;
use crate::config::storage;
use crate::config::upstream_keys;
use crate::config::value::Value;

/// How a variable's text is taken apart.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Shape {
    One,
    /// Comma separated, or a TOML array.
    List,
    /// An inline TOML table.
    Table,
}

/// How the example shows a key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Shown {
    /// With its default, live.
    Live,
    /// A comment: there is no default, and this is what it could look like.
    Sample(&'static [&'static str]),
    /// In the sample of another key.
    Within,
}

type Read = Box<dyn Fn(&mut Draft, &Value) -> Result<(), Vec<Fault>> + Send + Sync>;
/// The value as TOML text; `None` where there is none.
type Write = Box<dyn Fn(&Config) -> Option<String> + Send + Sync>;

pub(super) struct Key {
    /// `policy.release_age.minimum`.
    pub path: String,
    pub shape: Shape,
    pub shown: Shown,
    /// One line of why, for the example.
    pub why: &'static str,
    pub read: Read,
    pub write: Write,
}

impl Key {
    pub fn new(
        path: impl Into<String>,
        why: &'static str,
        write: impl Fn(&Config) -> Option<String> + Send + Sync + 'static,
        read: impl Fn(&mut Draft, &Value) -> Result<(), Vec<Fault>> + Send + Sync + 'static,
    ) -> Key {
        Key { path: path.into(), shape: Shape::One, shown: Shown::Live, why, read: Box::new(read), write: Box::new(write) }
    }

    pub fn shaped(self, shape: Shape) -> Key {
        Key { shape, ..self }
    }

    pub fn shown(self, shown: Shown) -> Key {
        Key { shown, ..self }
    }

    /// `policy.release_age` of `policy.release_age.minimum`.
    pub fn section(&self) -> &str {
        self.path.rsplit_once('.').map_or("", |(section, _)| section)
    }

    /// `minimum` of `policy.release_age.minimum`.
    pub fn name(&self) -> &str {
        self.path.rsplit_once('.').map_or(self.path.as_str(), |(_, name)| name)
    }

    /// `AIRLOCK_POLICY__RELEASE_AGE__MINIMUM`.
    pub fn variable(&self) -> String {
        format!("AIRLOCK_{}", self.path.replace('.', "__").to_ascii_uppercase())
    }
}

/// Every key there is, in the order of the example file.
pub(super) static KEYS: LazyLock<Vec<Key>> = LazyLock::new(|| {
    [server::keys(), upstream_keys::keys(), storage::keys(), access_keys::keys(), feeds_keys::keys(), notify::keys(), policy_keys::keys()]
        .into_iter()
        .flatten()
        .collect()
});

/// The key at `path`.
pub(super) fn key(path: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.path == path)
}

/// What may stand in the section `path` (`""` for the file as a whole): names of keys and of sections.
pub(super) fn names_in(path: &str) -> Vec<&'static str> {
    let rest = |key: &'static Key| match path {
        "" => Some(key.path.as_str()),
        path => key.path.strip_prefix(path).and_then(|rest| rest.strip_prefix('.')),
    };
    let mut names: Vec<&'static str> = KEYS.iter().filter_map(rest).filter_map(|rest| rest.split('.').next()).collect();
    names.dedup();
    names
}

/// The known name that was most likely meant, if one is near enough.
pub(super) fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let far = (name.chars().count() / 3).clamp(1, 4);
    let near = known.into_iter().map(|known| (strsim::damerau_levenshtein(name, known), known)).min_by_key(|(distance, _)| *distance);
    near.filter(|(distance, _)| *distance <= far).map(|(_, known)| known)
}

/// TOML text of a string.
pub(super) fn quoted(text: &str) -> String {
    toml::Value::from(text).to_string()
}

/// TOML text of a list of strings, on one line.
pub(super) fn quoted_list<'a>(items: impl IntoIterator<Item = &'a str>) -> String {
    let items: Vec<String> = items.into_iter().map(quoted).collect();
    format!("[{}]", items.join(", "))
}
