//! `[server]`: where Airlock listens, under which names it is reached, and the limits of a request.

use std::net::SocketAddr;
use std::path::PathBuf;

use ipnet::IpNet;

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
