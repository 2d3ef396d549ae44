//! Under which address the client reaches Airlock, and which address the client has. Wrong answers here put an
//! attacker's host into everybody's lockfile, so only what is configured counts.

use std::net::IpAddr;
use std::net::SocketAddr;
use std::sync::Arc;

use arc_swap::ArcSwapOption;
use http::HeaderName;
use http::header;
use http::uri::Authority;
use ipnet::IpNet;

use crate::config::server::Server;
use crate::http::fields::Fields;
use crate::http::fields::text;
use crate::http::problem::Kind;
use crate::http::problem::Problem;

static FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
static FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
static FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The longest host that is looked at: 253 bytes of name, brackets, a port.
const HOST_BYTES_MAX: usize = 270;

/// Proxies in `X-Forwarded-For` that are looked at, from the nearest.
const HOPS_MAX: usize = 16;

/// What the configuration says of names and proxies.
pub struct Origins {
    public_url: Option<String>,
    /// Lower case, IPv6 without brackets.
    allowed_hosts: Vec<String>,
    trusted_proxies: Vec<IpNet>,
    is_tls: bool,
    listen: SocketAddr,
    /// What was let in last: nearly always what comes next.
    known: ArcSwapOption<Known>,
}

/// A spelling of `Host` and the base it leads to, for whoever is no trusted proxy.
struct Known {
    host: Box<[u8]>,
    base: Arc<str>,
}

impl Origins {
    /// `listen` is where Airlock really listens.
    pub fn new(config: &Server, listen: SocketAddr) -> Origins {
        let bare = |host: &String| host.trim_matches(['[', ']']).to_ascii_lowercase();
        // Whoever names one address to listen on reaches it by that address.
        let own = (!listen.ip().is_unspecified()).then(|| listen.ip().to_canonical().to_string());
        Origins {
            public_url: config.public_url.as_ref().map(|url| url.trim_end_matches('/').to_owned()).filter(|url| !url.is_empty()),
            allowed_hosts: config.allowed_hosts.iter().map(bare).chain(own).collect(),
            trusted_proxies: config.trusted_proxies.clone(),
            is_tls: config.tls.is_some(),
            listen,
            known: ArcSwapOption::empty(),
        }
    }

    pub fn trusts(&self, peer: IpAddr) -> bool {
        self.trusted_proxies.iter().any(|net| net.contains(&peer))
    }

    /// The client-visible origin and prefix, without a trailing slash. `authority` is what the request's target names.
    ///
    /// # Errors
    /// 400 without a readable Host, 421 for one that is not allowed.
    pub fn base<F: Fields>(&self, peer: IpAddr, authority: Option<&str>, fields: &F) -> Result<Arc<str>, Problem> {
        let trusted = self.trusts(peer);
        // Nothing but the one `Host` decides then.
        let host = if trusted || authority.is_some() { None } else { fields.only(&header::HOST).ok().flatten() };
        if let (Some(host), Some(known)) = (host, &*self.known.load())
            && *known.host == *host
        {
            return Ok(Arc::clone(&known.base));
        }
        let base: Arc<str> = self.base_of(trusted, authority, fields)?.into();
        if let Some(host) = host {
            self.known.store(Some(Arc::new(Known { host: host.into(), base: Arc::clone(&base) })));
        }
        Ok(base)
    }

    fn base_of<F: Fields>(&self, trusted: bool, authority: Option<&str>, fields: &F) -> Result<String, Problem> {
        // A request that names two hosts is one that two readers read differently, wherever its answer's links lead.
        let stated = stated_host(authority, fields)?;
        if let Some(url) = &self.public_url {
            return Ok(url.clone());
        }
        let proto = nearest(fields, &FORWARDED_PROTO).filter(|_| trusted);
        let scheme = match proto {
            Some(proto) if proto.eq_ignore_ascii_case("https") => "https",
            Some(proto) if proto.eq_ignore_ascii_case("http") => "http",
            Some(_) => return Err(Problem::new(Kind::Malformed, "X-Forwarded-Proto is neither http nor https")),
            None if self.is_tls => "https",
            None => "http",
        };
        // A trusted proxy answers for the host it names.
        if let Some(host) = nearest(fields, &FORWARDED_HOST).filter(|_| trusted) {
            return Ok(format!("{scheme}://{}", Host::parse(host)?));
        }
        let host = stated.ok_or_else(|| Problem::new(Kind::Malformed, "the request has no Host"))?;
        if !self.allowed_hosts.contains(&host.name) {
            return Err(self.not_allowed(&host));
        }
        Ok(format!("{scheme}://{host}"))
    }

    fn not_allowed(&self, host: &Host) -> Problem {
        let name = &host.name;
        let everywhere = if self.listen.ip().is_unspecified() {
            ", or, because Airlock listens on every address, better set [server] public_url to the address that clients use"
        } else {
            ", or set [server] public_url"
        };
        let detail = format!("Airlock does not answer for the host {name:?}: add it to [server] allowed_hosts{everywhere}");
        Problem::new(Kind::HostNotAllowed, detail)
    }

    /// The client's address: the peer's, or, when that is a trusted proxy, the nearest in `X-Forwarded-For` that is not.
    pub fn client<F: Fields>(&self, peer: IpAddr, fields: &F) -> IpAddr {
        let mut client = peer;
        if !self.trusts(peer) {
            return client;
        }
        let given: Vec<&str> = fields.all(&FORWARDED_FOR).map(|field| text(field).unwrap_or("?")).collect();
        for hop in given.into_iter().rev().flat_map(|field| field.rsplit(',')).take(HOPS_MAX) {
            if !self.trusts(client) {
                break;
            }
            // What is no address ends the walk: the proxy that wrote it is the best that is known.
            let Some(address) = address_of(hop.trim()) else { break };
            client = address;
        }
        client
    }
}

/// `192.0.2.1`, `192.0.2.1:1234`, `2001:db8::1`, `[2001:db8::1]:1234`.
fn address_of(hop: &str) -> Option<IpAddr> {
    let bare = hop.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(hop);
    let address = bare.parse::<IpAddr>().ok().or_else(|| hop.parse::<SocketAddr>().ok().map(|socket| socket.ip()));
    address.map(|address| address.to_canonical())
}

/// The value that the nearest proxy wrote: the last.
fn nearest<'f, F: Fields>(fields: &'f F, name: &'f HeaderName) -> Option<&'f str> {
    let last = fields.all(name).last()?;
    Some(text(last).unwrap_or("?").rsplit(',').next().unwrap_or("").trim()).filter(|text| !text.is_empty())
}

/// The host in the request's target beats the header, as in HTTP/2 and in absolute form. Source: RFC 9112, 3.2.2.
fn stated_host<F: Fields>(authority: Option<&str>, fields: &F) -> Result<Option<Host>, Problem> {
    let Ok(host) = fields.only(&header::HOST) else {
        return Err(Problem::new(Kind::Malformed, "the request has more than one Host"));
    };
    match (authority, host) {
        (Some(authority), _) => Host::parse(authority).map(Some),
        (None, Some(host)) => Host::parse(text(host).unwrap_or("?")).map(Some),
        (None, None) => Ok(None),
    }
}

/// A host and its port, each in the one spelling.
struct Host {
    /// Lower case, IPv6 without brackets.
    name: String,
    port: Option<u16>,
}

impl Host {
    fn parse(text: &str) -> Result<Host, Problem> {
        let unreadable = || Problem::new(Kind::Malformed, "the request's Host cannot be read");
        if text.is_empty() || text.len() > HOST_BYTES_MAX || text.contains('@') {
            return Err(unreadable());
        }
        let authority: Authority = text.parse().map_err(|_| unreadable())?;
        let host = authority.host();
        let port = match text.strip_prefix(host).ok_or_else(unreadable)? {
            "" => None,
            rest => Some(rest.strip_prefix(':').and_then(|port| port.parse().ok()).ok_or_else(unreadable)?),
        };
        let name = match host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            Some(literal) => literal.parse::<std::net::Ipv6Addr>().map_err(|_| unreadable())?.to_string(),
            None if !host.is_empty() && host.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_')) => {
                host.to_ascii_lowercase()
            }
            None => return Err(unreadable()),
        };
        Ok(Host { name, port })
    }
}

impl std::fmt::Display for Host {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.name.contains(':') {
            write!(f, "[{}]", self.name)?;
        } else {
            f.write_str(&self.name)?;
        }
        self.port.map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;
    use http::Uri;

    use super::*;

    const STRANGER: &str = "203.0.113.9";
    const PROXY: &str = "10.0.0.2";

    fn origins(public_url: Option<&str>, listen: &str) -> Origins {
        let config = Server {
            public_url: public_url.map(str::to_owned),
            allowed_hosts: vec!["localhost".into(), "127.0.0.1".into(), "[::1]".into(), "Airlock.Example".into()],
            trusted_proxies: vec!["10.0.0.0/8".parse().unwrap()],
            ..Server::default()
        };
        Origins::new(&config, listen.parse().unwrap())
    }

    fn headers(of: &[(&str, &str)]) -> HeaderMap {
        of.iter().map(|(name, value)| (name.parse::<HeaderName>().unwrap(), value.parse().unwrap())).collect()
    }

    #[track_caller]
    fn check(peer: &str, uri: &str, given: &[(&str, &str)], expect: Result<&str, u16>) {
        let uri: Uri = uri.parse().unwrap();
        let authority = uri.authority().map(Authority::as_str);
        let base = origins(None, "127.0.0.1:4873").base(peer.parse().unwrap(), authority, &headers(given));
        let base = base.as_deref().map_err(|problem| problem.status().as_u16());
        assert_eq!(base, expect);
    }

    #[test]
    fn the_base_is_an_allowed_host() {
        check(STRANGER, "/x", &[("host", "localhost:4873")], Ok("http://localhost:4873"));
        check(STRANGER, "/x", &[("host", "127.0.0.1")], Ok("http://127.0.0.1"));
        check(STRANGER, "/x", &[("host", "LOCALHOST:8080")], Ok("http://localhost:8080"));
        check(STRANGER, "/x", &[("host", "airlock.example")], Ok("http://airlock.example"));
        check(STRANGER, "/x", &[("host", "[0:0::1]:4873")], Ok("http://[::1]:4873"));
        check(STRANGER, "http://localhost:4873/x", &[("host", "evil.example")], Ok("http://localhost:4873"));
        check(STRANGER, "http://evil.example/x", &[("host", "localhost:4873")], Err(421));
    }

    #[test]
    fn any_other_host_is_refused() {
        for evil in ["evil.example", "evil.example:4873", "localhost.evil.example", "127.0.0.2", "[::2]", "localhost."] {
            check(STRANGER, "/x", &[("host", evil)], Err(421));
        }
        for bad in
            ["", "user@localhost", "localhost:", "localhost:99999", "local host", "localhost/x", "localhost:80:80", "[::1", "a\u{e9}"]
        {
            let mut given = HeaderMap::new();
            given.insert(header::HOST, http::HeaderValue::from_bytes(bad.as_bytes()).unwrap());
            let base = origins(None, "127.0.0.1:4873").base(STRANGER.parse().unwrap(), None, &given);
            assert_eq!(base.unwrap_err().status().as_u16(), 400, "{bad}");
        }
        check(STRANGER, "/x", &[], Err(400));
        check(STRANGER, "/x", &[("host", "localhost"), ("host", "evil.example")], Err(400));
    }

    #[test]
    fn only_a_trusted_proxy_forwards() {
        let forwarded = [("host", "127.0.0.1:4873"), ("x-forwarded-host", "npm.acme.example"), ("x-forwarded-proto", "https")];
        check(STRANGER, "/x", &forwarded, Ok("http://127.0.0.1:4873"));
        check(PROXY, "/x", &forwarded, Ok("https://npm.acme.example"));
        let internal = [("host", "airlock-0.internal:4873"), ("x-forwarded-host", "evil.example, npm.acme.example")];
        check(PROXY, "/x", &internal, Ok("http://npm.acme.example"));
        check(STRANGER, "/x", &internal, Err(421));
        check(PROXY, "/x", &[("host", "localhost"), ("x-forwarded-proto", "https")], Ok("https://localhost"));
        check(PROXY, "/x", &[("host", "evil.example"), ("x-forwarded-proto", "https")], Err(421));
        check(PROXY, "/x", &[("host", "localhost"), ("x-forwarded-proto", "javascript")], Err(400));
        check(PROXY, "/x", &[("host", "localhost"), ("x-forwarded-host", "a b")], Err(400));
    }

    #[test]
    fn a_public_url_needs_no_host() {
        let origins = origins(Some("https://npm.acme.example/airlock/"), "0.0.0.0:4873");
        let base = |given: &[(&str, &str)]| origins.base(STRANGER.parse().unwrap(), None, &headers(given));
        assert_eq!(base(&[("host", "10.1.2.3:4873")]).unwrap().as_ref(), "https://npm.acme.example/airlock");
        assert_eq!(base(&[("x-forwarded-host", "evil.example")]).unwrap().as_ref(), "https://npm.acme.example/airlock");
    }

    #[test]
    fn the_refusal_says_what_to_set() {
        let said = |listen: &str| {
            let refused = origins(None, listen).base(STRANGER.parse().unwrap(), None, &headers(&[("host", "npm.acme")]));
            refused.unwrap_err().detail
        };
        assert!(said("127.0.0.1:4873").contains("\"npm.acme\": add it to [server] allowed_hosts"));
        assert!(said("0.0.0.0:4873").contains("public_url"));
    }

    #[test]
    fn the_client_is_the_nearest_that_is_not_ours() {
        let check = |peer: &str, given: &[(&str, &str)], expect: &str| {
            assert_eq!(origins(None, "127.0.0.1:4873").client(peer.parse().unwrap(), &headers(given)).to_string(), expect);
        };
        check(STRANGER, &[("x-forwarded-for", "192.0.2.1")], STRANGER);
        check(PROXY, &[], PROXY);
        check(PROXY, &[("x-forwarded-for", "198.51.100.7, 192.0.2.1")], "192.0.2.1");
        check(PROXY, &[("x-forwarded-for", "192.0.2.1, 10.0.0.3")], "192.0.2.1");
        check(PROXY, &[("x-forwarded-for", "192.0.2.1"), ("x-forwarded-for", "10.0.0.3")], "192.0.2.1");
        check(PROXY, &[("x-forwarded-for", "[2001:db8::1]:55")], "2001:db8::1");
        check(PROXY, &[("x-forwarded-for", "unknown")], PROXY);
    }

    #[test]
    fn the_one_address_it_listens_on_is_an_allowed_host() {
        let base = |listen: &str, host: &str| {
            let origins = Origins::new(&Server::default(), listen.parse().unwrap());
            let headers: HeaderMap = [(http::header::HOST, http::HeaderValue::from_str(host).unwrap())].into_iter().collect();
            origins.base(IpAddr::from([10, 0, 0, 9]), None, &headers).ok()
        };
        assert_eq!(base("10.0.0.5:4873", "10.0.0.5:4873").as_deref(), Some("http://10.0.0.5:4873"));
        assert_eq!(base("[::1]:4873", "[::1]:4873").as_deref(), Some("http://[::1]:4873"));
        assert_eq!(base("10.0.0.5:4873", "10.0.0.6:4873"), None);
        assert_eq!(base("0.0.0.0:4873", "10.0.0.5:4873"), None);
    }
}
