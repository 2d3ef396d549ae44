//! The keys of `[feeds]`: how they are read and written.

use std::time::Duration;

use url::Host;
use url::Url;

use crate::config::fault::Fault;
use crate::config::key::Key;
use crate::config::key::quoted;
use crate::config::quantity::write_duration;
use crate::config::value::Value;

const REFRESH_LEAST: Duration = Duration::from_secs(60);
const AGE_MOST: Duration = Duration::from_secs(3_650 * 24 * 3_600);

pub(super) fn keys() -> Vec<Key> {
    vec![
        Key::new(
            "feeds.osv.url",
            "where OSV's records of npm packages lie, such as \"https://feeds.example/npm/\"; \"\": only what is imported counts",
            |config| Some(quoted(config.feeds.osv.url.as_ref().map_or("", Url::as_str))),
            |draft, value| {
                draft.config.feeds.osv.url = match value.optional_text()? {
                    Some(_) => Some(address(value)?),
                    None => None,
                };
                Ok(())
            },
        ),
        Key::new(
            "feeds.osv.refresh_every",
            "how often it is asked what is new",
            |config| Some(quoted(&write_duration(config.feeds.osv.refresh_every))),
            |draft, value| {
                draft.config.feeds.osv.refresh_every = value.duration(REFRESH_LEAST..=AGE_MOST)?;
                Ok(())
            },
        ),
        Key::new(
            "feeds.osv.age_max",
            "how old what is known may be; when it is older, nothing opens by its age that had not opened before (finding feed_stale)",
            |config| Some(quoted(&write_duration(config.feeds.osv.age_max))),
            |draft, value| {
                draft.config.feeds.osv.age_max = value.duration(REFRESH_LEAST..=AGE_MOST)?;
                Ok(())
            },
        ),
        Key::new(
            "feeds.osv.quiet_max",
            "how long a feed may say nothing new; what is known gets older from then on, as of a mirror that nobody renews any more",
            |config| Some(quoted(&write_duration(config.feeds.osv.quiet_max))),
            |draft, value| {
                draft.config.feeds.osv.quiet_max = value.duration(REFRESH_LEAST..=AGE_MOST)?;
                Ok(())
            },
        ),
    ]
}

/// What a feed says opens and closes releases, so that nobody may write into it on the way.
fn address(value: &Value) -> Result<Url, Vec<Fault>> {
    let url = value.base_url()?;
    let is_this_machine = match url.host() {
        Some(Host::Ipv4(v4)) => v4.is_loopback(),
        Some(Host::Ipv6(v6)) => v6.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    };
    if url.scheme() != "https" && !is_this_machine {
        return Err(value.fault("a feed is asked by https only, unless it is on this machine", "write https://"));
    }
    Ok(url)
}
