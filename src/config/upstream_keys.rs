//! The keys of `[upstream]`: how they are read and written.

use std::path::PathBuf;
use std::time::Duration;

use url::Url;

use crate::config::Config;
use crate::config::draft::Draft;
use crate::config::draft::ScopeDraft;
use crate::config::draft::SecretDraft;
use crate::config::fault::Fault;
use crate::config::key::Key;
use crate::config::key::Shape;
use crate::config::key::Shown;
use crate::config::key::nearest;
use crate::config::key::quoted;
use crate::config::key::quoted_list;
use crate::config::quantity::write_duration;
use crate::config::quantity::write_size;
use crate::config::value::Entry;
use crate::config::value::Value;
use crate::config::value::each;
use crate::model::package::PackageName;

const ASK_AHEAD_MOST: u64 = 1_000;
const SECOND: Duration = Duration::from_secs(1);
const DAY: Duration = Duration::from_secs(24 * 3_600);
const RETRIES_MAX: u64 = 10;
const INDEX_BYTES_LEAST: u64 = 1_000;
/// A document is held in memory while it is read.
const INDEX_BYTES_MOST: u64 = 2_000_000_000;
const ARTIFACT_BYTES_LEAST: u64 = 1_000;
const ARTIFACT_BYTES_MOST: u64 = 4_000_000_000;
const SCOPE_KEYS: [&str; 3] = ["url", "token_env", "token_file"];

pub(super) fn keys() -> Vec<Key> {
    vec![
        Key::new(
            "upstream.url",
            "the registry that is gated; empty: the one npm on this machine is configured with",
            |config| Some(quoted(config.upstream.url.as_ref().map_or("", Url::as_str))),
            |draft, value| {
                draft.config.upstream.url = if value.optional_text()?.is_some() { Some(value.base_url()?) } else { None };
                Ok(())
            },
        ),
        Key::new(
            "upstream.token_env",
            "the environment variable that holds the token for upstream; secrets never stand in this file",
            |_| Some(quoted("")),
            |draft, value| read_token_env(&mut draft.token, value),
        ),
        Key::new(
            "upstream.token_file",
            "or the file that holds it",
            |_| Some(quoted("")),
            |draft, value| read_token_file(&mut draft.token, value),
        ),
        Key::new(
            "upstream.own",
            "true: you run that registry yourself, so that policy.trusted may well name packages that come from it",
            |config| Some(config.upstream.own.to_string()),
            |draft, value| {
                draft.config.upstream.own = value.switch()?;
                Ok(())
            },
        ),
        Key::new(
            "upstream.fresh_for",
            "how long an index is served without asking upstream again",
            |config| Some(quoted(&write_duration(config.upstream.fresh_for))),
            |draft, value| {
                draft.config.upstream.fresh_for = value.duration(Duration::ZERO..=DAY * 30)?;
                Ok(())
            },
        ),
        Key::new(
            "upstream.ask_ahead",
            "of the packages that one needs, so many are asked for and inspected while a client reads that one; 0: none",
            |config| Some(config.upstream.ask_ahead.to_string()),
            |draft, value| {
                draft.config.upstream.ask_ahead = usize::try_from(value.number(0..=ASK_AHEAD_MOST)?).unwrap_or_default();
                Ok(())
            },
        ),
        Key::new(
            "upstream.timeout",
            "how long one request to upstream may take to answer",
            |config| Some(quoted(&write_duration(config.upstream.timeout))),
            |draft, value| {
                draft.config.upstream.timeout = value.duration(Duration::from_millis(1)..=SECOND * 600)?;
                Ok(())
            },
        ),
        Key::new(
            "upstream.retries",
            "how often a request that failed on the way is tried again; never after a 4xx",
            |config| Some(config.upstream.retries.to_string()),
            |draft, value| {
                draft.config.upstream.retries = u32::try_from(value.number(0..=RETRIES_MAX)?).unwrap_or_default();
                Ok(())
            },
        ),
        Key::new(
            "upstream.index_bytes_max",
            "the largest index of a package that is read; the largest real ones are about 30 MB",
            |config| Some(quoted(&write_size(config.upstream.index_bytes_max))),
            |draft, value| {
                draft.config.upstream.index_bytes_max = value.size(INDEX_BYTES_LEAST..=INDEX_BYTES_MOST)?;
                Ok(())
            },
        ),
        Key::new(
            "upstream.artifact_bytes_max",
            "the largest package file that is fetched",
            |config| Some(quoted(&write_size(config.upstream.artifact_bytes_max))),
            |draft, value| {
                draft.config.upstream.artifact_bytes_max = value.size(ARTIFACT_BYTES_LEAST..=ARTIFACT_BYTES_MOST)?;
                Ok(())
            },
        ),
        Key::new(
            "upstream.tarball_origins",
            "other origins files may come from, such as \"https://files.registry.example\"; no token goes there",
            |config| {
                let origins: Vec<String> = config.upstream.tarball_origins.iter().map(|url| url.origin().ascii_serialization()).collect();
                Some(quoted_list(origins.iter().map(String::as_str)))
            },
            |draft, value| {
                draft.config.upstream.tarball_origins = each(value, origin)?;
                Ok(())
            },
        )
        .shaped(Shape::List),
        Key::new(
            "upstream.trust_root",
            "a trusted_root.json of Sigstore: whose word on provenance counts; empty: that of Sigstore for the public",
            |config| {
                Some(quoted(&config.upstream.trust_root.as_ref().map_or_else(String::new, |path| path.to_string_lossy().into_owned())))
            },
            |draft, value| {
                draft.config.upstream.trust_root = value.optional_text()?.map(PathBuf::from);
                Ok(())
            },
        ),
        Key::new("upstream.scopes", "another upstream for a scope, with a token of its own", write_scopes, read_scopes)
            .shaped(Shape::Table)
            .shown(Shown::Sample(&[
                "[upstream.scopes.\"@acme\"]",
                "url = \"https://npm.acme.example/\"",
                "token_env = \"ACME_TOKEN\"  # or token_file",
            ])),
    ]
}

pub(super) fn read_token_env(token: &mut SecretDraft, value: &Value) -> Result<(), Vec<Fault>> {
    let name = value.optional_text()?;
    if name.is_some_and(|name| !name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')) {
        // Not echoed: who errs here may have put the secret itself.
        return Err(value.fault(
            "this is not the name of an environment variable",
            "name the variable that holds the secret; the secret itself never stands here",
        ));
    }
    token.env = name.map(|name| (name.to_owned(), value.clone()));
    Ok(())
}

pub(super) fn read_token_file(token: &mut SecretDraft, value: &Value) -> Result<(), Vec<Fault>> {
    token.file = value.optional_text()?.map(|path| (PathBuf::from(path), value.clone()));
    Ok(())
}

fn origin(value: &Value) -> Result<Url, Vec<Fault>> {
    let url = value.base_url()?;
    if url.path() != "/" {
        return Err(value.fault("an origin has no path", format!("write \"{}\"", url.origin().ascii_serialization())));
    }
    Ok(url)
}

/// `@acme`, a scope in npm's grammar.
pub(super) fn scope_name(text: &str) -> Option<String> {
    let whole = text.starts_with('@') && !text.contains('/') && PackageName::npm(&format!("{text}/x")).is_ok();
    whole.then(|| text.to_owned())
}

fn read_scopes(draft: &mut Draft, value: &Value) -> Result<(), Vec<Fault>> {
    let mut faults = Vec::new();
    draft.scopes.clear();
    for entry in value.table()? {
        match read_scope(entry) {
            Ok(scope) => draft.scopes.push(scope),
            Err(told) => faults.extend(told),
        }
    }
    if faults.is_empty() { Ok(()) } else { Err(faults) }
}

fn read_scope(entry: &Entry) -> Result<ScopeDraft, Vec<Fault>> {
    let mut faults = Vec::new();
    let name = scope_name(&entry.name).unwrap_or_else(|| {
        let remedy = "write it with its @ and in quotes: [upstream.scopes.\"@acme\"]";
        faults.push(Fault::new(entry.place.clone(), entry.value.key.as_str(), format!("{:?} is not a scope", entry.name), remedy));
        String::new()
    });
    let mut url = None;
    let mut token = SecretDraft::default();
    let mut url_was_told = false;
    for field in entry.value.table()? {
        let told = match field.name.as_str() {
            "url" => {
                url_was_told = true;
                field.value.base_url().map(|base| url = Some(base))
            }
            "token_env" => read_token_env(&mut token, &field.value),
            "token_file" => read_token_file(&mut token, &field.value),
            unknown => Err(vec![unknown_key(field, unknown)]),
        };
        faults.extend(told.err().unwrap_or_default());
    }
    if !url_was_told {
        let remedy = "add url = \"https://…/\", the registry of this scope";
        faults.push(Fault::new(entry.place.clone(), entry.value.key.as_str(), "the scope has no url", remedy));
    }
    match url {
        Some(url) if faults.is_empty() => Ok(ScopeDraft { name, url, token, place: entry.place.clone() }),
        Some(_) | None => Err(faults),
    }
}

fn unknown_key(field: &Entry, name: &str) -> Fault {
    let (wrong, remedy) = if super::draft::is_inline_secret(name) {
        super::draft::INLINE_SECRET
    } else if let Some(near) = nearest(name, SCOPE_KEYS) {
        return Fault::new(field.place.clone(), field.value.key.as_str(), "there is no such key", format!("did you mean {near}?"));
    } else {
        ("there is no such key", "known here: url, token_env, token_file")
    };
    Fault::new(field.place.clone(), field.value.key.as_str(), wrong, remedy)
}

fn write_scopes(config: &Config) -> Option<String> {
    if config.upstream.scopes.is_empty() {
        return None;
    }
    let scope = |(name, scope): (&String, &crate::config::upstream::Scope)| {
        format!("{} = {{ url = {} }}", quoted(name), quoted(scope.url.as_str()))
    };
    let scopes: Vec<String> = config.upstream.scopes.iter().map(scope).collect();
    Some(format!("{{ {} }}", scopes.join(", ")))
}
