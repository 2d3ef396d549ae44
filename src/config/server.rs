//! `[server]`: where Airlock listens, under which names it is reached, and the limits of a request.

use std::net::IpAddr;
use std::net::SocketAddr;
use std::path::PathBuf;

use ipnet::IpNet;
use url::Host;

use crate::config::fault::Fault;
use crate::config::key::Key;
use crate::config::key::Shape;
use crate::config::key::Shown;
use crate::config::key::quoted;
use crate::config::key::quoted_list;
use crate::config::quantity::write_size;
use crate::config::value::Value;
use crate::config::value::each;

#[derive(Clone, PartialEq, Debug)]
pub struct Server {
    pub listen: SocketAddr,
    /// Without a trailing slash. `None`: from the request's Host, when that is in `allowed_hosts`.
    pub public_url: Option<String>,
    /// Host names without port.
    pub allowed_hosts: Vec<String>,
    /// Only these may set `X-Forwarded-*`.
    pub trusted_proxies: Vec<IpNet>,
    pub body_bytes_max: u64,
    pub tls: Option<Tls>,
}

#[derive(Clone, PartialEq, Debug)]
pub struct Tls {
    pub cert: PathBuf,
    pub key: PathBuf,
}

impl Default for Server {
    fn default() -> Server {
        Server {
            listen: SocketAddr::from(([127, 0, 0, 1], 4873)),
            public_url: None,
            allowed_hosts: vec!["localhost".into(), "127.0.0.1".into()],
            trusted_proxies: Vec::new(),
            body_bytes_max: 100_000_000,
            tls: None,
        }
    }
}

pub(super) fn keys() -> Vec<Key> {
    vec![
        Key::new(
            "server.listen",
            "where Airlock listens; other machines reach it only through an address that is theirs to reach",
            |config| Some(quoted(&config.server.listen.to_string())),
            |draft, value| {
                let text = value.text()?;
                let wrong = || {
                    value.fault(
                        format!("{text:?} is not an address with a port"),
                        "write an IP address and a port: \"127.0.0.1:4873\", or \"0.0.0.0:4873\" for every network",
                    )
                };
                draft.config.server.listen = text.parse().map_err(|_| wrong())?;
                Ok(())
            },
        ),
        Key::new(
            "server.public_url",
            "how clients reach it; empty: from the request's Host, when that is in allowed_hosts",
            |config| Some(quoted(config.server.public_url.as_deref().unwrap_or(""))),
            |draft, value| {
                draft.config.server.public_url = match value.optional_text()? {
                    Some(_) => Some(value.base_url()?.as_str().trim_end_matches('/').to_owned()),
                    None => None,
                };
                Ok(())
            },
        ),
        Key::new(
            "server.allowed_hosts",
            "names under which it answers, without port; any other Host is refused",
            |config| Some(quoted_list(config.server.allowed_hosts.iter().map(String::as_str))),
            |draft, value| {
                draft.config.server.allowed_hosts = each(value, host)?;
                Ok(())
            },
        )
        .shaped(Shape::List),
        Key::new(
            "server.trusted_proxies",
            "addresses or networks of proxies that may set X-Forwarded-*; from all others it is ignored",
            |config| {
                let proxies: Vec<String> = config.server.trusted_proxies.iter().map(IpNet::to_string).collect();
                Some(quoted_list(proxies.iter().map(String::as_str)))
            },
            |draft, value| {
                draft.config.server.trusted_proxies = each(value, network)?;
                Ok(())
            },
        )
        .shaped(Shape::List),
        Key::new(
            "server.body_bytes_max",
            "the largest request body that is read",
            |config| Some(quoted(&write_size(config.server.body_bytes_max))),
            |draft, value| {
                draft.config.server.body_bytes_max = value.size(BODY_BYTES_LEAST..=BODY_BYTES_MOST)?;
                Ok(())
            },
        ),
        Key::new(
            "server.tls.cert",
            "PEM files of the certificate chain and its key; without them it speaks plain HTTP",
            |config| config.server.tls.as_ref().map(|tls| quoted(&tls.cert.to_string_lossy())),
            |draft, value| {
                draft.tls_cert = value.optional_text()?.map(PathBuf::from);
                Ok(())
            },
        )
        .shown(Shown::Sample(&["tls = { cert = \"cert.pem\", key = \"key.pem\" }"])),
        Key::new(
            "server.tls.key",
            "the key of the certificate",
            |config| config.server.tls.as_ref().map(|tls| quoted(&tls.key.to_string_lossy())),
            |draft, value| {
                draft.tls_key = value.optional_text()?.map(PathBuf::from);
                Ok(())
            },
        )
        .shown(Shown::Within),
    ]
}

const BODY_BYTES_LEAST: u64 = 1_000;
const BODY_BYTES_MOST: u64 = 10_000_000_000;

/// A host's name or address as URLs spell it, lower case, IPv6 in brackets.
fn host(value: &Value) -> Result<String, Vec<Fault>> {
    let text = value.text()?;
    let wrong = || {
        value.fault(format!("{text:?} is not a host name"), "write the bare name, such as \"airlock.example\", without scheme, port or *")
    };
    let text = if text.parse::<std::net::Ipv6Addr>().is_ok() { format!("[{text}]") } else { text.to_owned() };
    match Host::parse(&text) {
        Ok(host) if !text.contains(['*', '_']) => Ok(host.to_string()),
        Ok(_) | Err(_) => Err(wrong()),
    }
}

fn network(value: &Value) -> Result<IpNet, Vec<Fault>> {
    let text = value.text()?;
    text.parse::<IpNet>()
        .map(|net| net.trunc())
        .or_else(|_| text.parse::<IpAddr>().map(IpNet::from))
        .map_err(|_| value.fault(format!("{text:?} is neither an address nor a network"), "write \"10.0.0.7\" or \"10.0.0.0/8\""))
}
