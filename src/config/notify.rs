//! `[notify]`: who outside is told when a release in use is taken back, and the keys for it.

use url::Host;
use url::Url;

use crate::config::fault::Fault;
use crate::config::key::Key;
use crate::config::key::Shape;
use crate::config::key::quoted;
use crate::config::key::quoted_list;
use crate::config::upstream::Secret;
use crate::config::upstream_keys::read_token_env;
use crate::config::upstream_keys::read_token_file;
use crate::config::value::Value;
use crate::config::value::each;

/// Addresses that are told.
const URLS_MAX: usize = 16;

#[derive(Clone, PartialEq, Debug, Default)]
pub struct Notify {
    pub urls: Vec<Url>,
    /// What every notice is signed with; resolved from `secret_env` or `secret_file` when the configuration was read.
    pub secret: Option<Secret>,
    /// Whether the addresses may be of the network that Airlock stands in; else only public ones are connected to.
    pub private_addresses: bool,
}

impl Notify {
    /// Bytes of a secret that nobody guesses.
    pub const SECRET_BYTES_MIN: usize = 16;
}

pub(super) fn keys() -> Vec<Key> {
    vec![
        Key::new(
            "notify.urls",
            "where a signed notice is posted to when a release in use is taken back, such as \"https://hooks.example/airlock\"",
            |config| Some(quoted_list(config.notify.urls.iter().map(Url::as_str))),
            |draft, value| {
                draft.config.notify.urls = each(value, address)?;
                if draft.config.notify.urls.len() > URLS_MAX {
                    return Err(value.fault(format!("these are more than {URLS_MAX}"), "tell one, and let that one tell the others"));
                }
                Ok(())
            },
        )
        .shaped(Shape::List),
        Key::new(
            "notify.secret_env",
            "the environment variable that holds the secret by which receivers know that a notice is yours",
            |_| Some(quoted("")),
            |draft, value| read_token_env(&mut draft.notify_secret, value),
        ),
        Key::new(
            "notify.secret_file",
            "or the file that holds it",
            |_| Some(quoted("")),
            |draft, value| read_token_file(&mut draft.notify_secret, value),
        ),
        Key::new(
            "notify.private_addresses",
            "true: the addresses may be private ones, and plain http; false: only public ones are connected to, by https",
            |config| Some(config.notify.private_addresses.to_string()),
            |draft, value| {
                draft.config.notify.private_addresses = value.switch()?;
                Ok(())
            },
        ),
    ]
}

/// Never echoed: its path may be a secret.
fn address(value: &Value) -> Result<Url, Vec<Fault>> {
    const REMEDY: &str = "write it in full, such as https://hooks.example/airlock";
    let url = Url::parse(value.text()?).map_err(|error| value.fault(format!("this is not a URL: {error}"), REMEDY))?;
    if !matches!(url.scheme(), "http" | "https") || url.host().is_none() {
        return Err(value.fault("the URL is neither http nor https", REMEDY));
    }
    if !url.username().is_empty() || url.password().is_some() || url.fragment().is_some() {
        return Err(value.fault("the URL holds credentials or a fragment", "take them out; receivers check the signature"));
    }
    Ok(url)
}

/// The host that makes an address need `private_addresses`, as far as its text tells: plain http, or an address of this machine.
pub(super) fn is_private(url: &Url) -> bool {
    let is_this_machine = match url.host() {
        Some(Host::Ipv4(v4)) => v4.is_loopback(),
        Some(Host::Ipv6(v6)) => v6.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    };
    url.scheme() == "http" || is_this_machine
}
