//! Which addresses a host may have that came out of a document or a redirect: public ones only. A name is resolved here
//! once, every address of it is vetted, and the connection is made to a vetted one, so rebinding finds no gap.

use std::fmt;
use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::net::Ipv6Addr;
use std::net::SocketAddr;
use std::sync::Arc;

use async_trait::async_trait;
use url::Host;
use url::Url;

/// Addresses of one name that are looked at; more than that is no honest answer.
const ADDRESSES_MAX: usize = 256;

/// Whether an address is one that anybody on the internet may reach. Where in doubt it is not.
/// Source: the IANA special-purpose address registries for IPv4 and IPv6.
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => is_public_v4(v4),
        IpAddr::V6(v6) => is_public_v6(v6),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let special = match address.octets() {
        // this network, private, loopback
        [0 | 10 | 127, ..] => true,
        // shared by carriers (100.64.0.0/10)
        [100, b, ..] => b & 0xc0 == 64,
        // link-local, the clouds' metadata service among them
        [169, 254, ..] => true,
        [172, b, ..] => b & 0xf0 == 16,
        // protocol assignments, documentation, 6to4 relays, private
        [192, 0, 0 | 2, _] | [192, 88, 99, _] | [192, 168, ..] => true,
        // benchmarks, documentation
        [198, 18 | 19, ..] | [198, 51, 100, _] | [203, 0, 113, _] => true,
        // multicast, reserved, broadcast
        [224..=255, ..] => true,
        _ => false,
    };
    !special
}

/// Only global unicast, 2000::/3, and of that nothing that carries an IPv4 address inside. So loopback, unspecified,
/// link-local, unique local (ULA), multicast, IPv4-mapped and -compatible and NAT64 all fall to the first test.
fn is_public_v6(address: Ipv6Addr) -> bool {
    let [first, second, ..] = address.segments();
    let special = match (first, second) {
        // protocol assignments (2001::/23), Teredo and benchmarks among them; documentation
        (0x2001, 0..=0x01ff | 0x0db8) => true,
        // 6to4
        (0x2002, _) => true,
        // documentation (3fff::/20)
        (0x3fff, second) => second & 0xf000 == 0,
        _ => false,
    };
    first & 0xe000 == 0x2000 && !special
}

/// A host whose address may not be asked.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{host} has the address {address}, which is not public")]
pub struct Forbidden {
    pub host: String,
    pub address: IpAddr,
}

#[derive(Debug, thiserror::Error)]
pub enum NoAddress {
    #[error(transparent)]
    Forbidden(#[from] Forbidden),
    #[error("the name cannot be resolved")]
    Lookup(#[from] std::io::Error),
    #[error("the name has no address")]
    None,
    #[error("the name has more than {ADDRESSES_MAX} addresses")]
    TooMany,
}

/// Who knows the addresses of a name.
#[async_trait]
pub trait Names: Send + Sync {
    async fn addresses(&self, host: &str) -> std::io::Result<Vec<IpAddr>>;
}

/// The operating system's resolver.
pub struct SystemNames;

#[async_trait]
impl Names for SystemNames {
    async fn addresses(&self, host: &str) -> std::io::Result<Vec<IpAddr>> {
        let found = tokio::net::lookup_host((host, 0)).await?;
        Ok(found.take(ADDRESSES_MAX + 1).map(|found| found.ip()).collect())
    }
}

#[derive(Clone)]
pub struct Guard {
    names: Arc<dyn Names>,
    permits: fn(IpAddr) -> bool,
}

impl fmt::Debug for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Guard")
    }
}

impl Guard {
    pub fn system() -> Guard {
        Guard::new(Arc::new(SystemNames), is_public)
    }

    pub fn new(names: Arc<dyn Names>, permits: fn(IpAddr) -> bool) -> Guard {
        Guard { names, permits }
    }

    /// A host written as an address never meets the resolver, so it is vetted here. `Url` has already brought octal,
    /// hexadecimal, short and dotless spellings to one form.
    pub fn vet_literal(&self, url: &Url) -> Result<(), Forbidden> {
        let address = match url.host() {
            Some(Host::Ipv4(v4)) => IpAddr::V4(v4),
            Some(Host::Ipv6(v6)) => IpAddr::V6(v6),
            Some(Host::Domain(_)) | None => return Ok(()),
        };
        self.vet(&address.to_string(), address)
    }

    /// Every address of the name, with port 0; one that is not public forbids them all. `localhost` is this machine
    /// whatever a resolver says. Source: RFC 6761, 6.3.
    pub async fn resolve(&self, host: &str) -> Result<Vec<SocketAddr>, NoAddress> {
        let name = host.strip_suffix('.').unwrap_or(host);
        if name.rsplit('.').next().is_some_and(|last| last.eq_ignore_ascii_case("localhost")) {
            return Err(NoAddress::Forbidden(Forbidden { host: host.to_owned(), address: IpAddr::V4(Ipv4Addr::LOCALHOST) }));
        }
        let addresses = self.names.addresses(host).await?;
        if addresses.is_empty() {
            return Err(NoAddress::None);
        }
        if addresses.len() > ADDRESSES_MAX {
            return Err(NoAddress::TooMany);
        }
        for address in &addresses {
            self.vet(host, *address)?;
        }
        Ok(addresses.into_iter().map(|address| SocketAddr::new(address, 0)).collect())
    }

    fn vet(&self, host: &str, address: IpAddr) -> Result<(), Forbidden> {
        if (self.permits)(address) { Ok(()) } else { Err(Forbidden { host: host.to_owned(), address }) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PRIVATE: [&str; 50] = [
        "0.0.0.0",
        "0.1.2.3",
        "10.0.0.1",
        "10.255.255.255",
        "100.64.0.1",
        "100.127.255.255",
        "127.0.0.1",
        "127.255.0.1",
        "169.254.0.1",
        "169.254.169.254",
        "172.16.0.1",
        "172.31.255.255",
        "192.0.0.8",
        "192.0.2.1",
        "192.88.99.1",
        "192.168.1.1",
        "198.18.0.1",
        "198.19.255.255",
        "198.51.100.7",
        "203.0.113.9",
        "224.0.0.1",
        "239.255.255.255",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::127.0.0.1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "::ffff:169.254.169.254",
        "::ffff:8.8.8.8",
        "::ffff:0:127.0.0.1",
        "64:ff9b::7f00:1",
        "64:ff9b::8.8.8.8",
        "64:ff9b:1::1",
        "100::1",
        "2001::1",
        "2001:0:7f00:1::",
        "2001:2::1",
        "2001:10::1",
        "2001:20::1",
        "2001:db8::1",
        "2002:7f00:1::",
        "3fff::1",
        "5f00::1",
        "fc00::1",
        "fd00:ec2::254",
        "fe80::1",
        "fec0::1",
        "ff02::1",
    ];

    #[test]
    fn addresses_that_are_not_public() {
        for text in PRIVATE {
            assert!(!is_public(text.parse().unwrap()), "{text}");
        }
    }

    #[test]
    fn addresses_that_are_public() {
        for text in [
            "1.1.1.1",
            "8.8.8.8",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "126.255.255.255",
            "128.0.0.1",
            "169.253.255.255",
            "169.255.0.0",
            "172.15.255.255",
            "172.32.0.0",
            "192.0.1.1",
            "192.167.255.255",
            "192.169.0.0",
            "198.17.255.255",
            "198.20.0.0",
            "223.255.255.255",
            "2000::1",
            "2001:200::1",
            "2001:4860:4860::8888",
            "2606:4700::1111",
            "2a00:1450::1",
            "3ffe::1",
        ] {
            assert!(is_public(text.parse().unwrap()), "{text}");
        }
    }

    #[test]
    fn every_spelling_of_an_address_is_seen_through() {
        let guard = Guard::system();
        for host in [
            "127.0.0.1",
            "127.1",
            "127.0.1",
            "0",
            "0x7f.1",
            "0x7f000001",
            "0177.0.0.1",
            "017700000001",
            "2130706433",
            "127.0.0.1.",
            "%31%32%37.0.0.1",
            "\u{ff11}\u{ff12}\u{ff17}.0.0.1",
            "127\u{3002}0\u{3002}0\u{3002}1",
            "169.254.169.254",
            "0xa9fea9fe",
            "2852039166",
            "[::]",
            "[::1]",
            "[0:0:0:0:0:0:0:1]",
            "[::ffff:127.0.0.1]",
            "[::ffff:7f00:1]",
            "[64:ff9b::a9fe:a9fe]",
            "[fd00::1]",
            "[fe80::1]",
        ] {
            let url = Url::parse(&format!("https://{host}/x")).unwrap();
            assert!(guard.vet_literal(&url).is_err(), "{host}");
        }
        for host in ["8.8.8.8", "[2606:4700::1111]", "files.registry.example"] {
            let url = Url::parse(&format!("https://{host}/x")).unwrap();
            assert!(guard.vet_literal(&url).is_ok(), "{host}");
        }
    }

    struct Always(Vec<IpAddr>);

    #[async_trait]
    impl Names for Always {
        async fn addresses(&self, _host: &str) -> std::io::Result<Vec<IpAddr>> {
            Ok(self.0.clone())
        }
    }

    fn naming(addresses: &[&str]) -> Guard {
        Guard::new(Arc::new(Always(addresses.iter().map(|a| a.parse().unwrap()).collect())), is_public)
    }

    #[tokio::test]
    async fn one_address_that_is_not_public_forbids_the_name() {
        let found = naming(&["1.1.1.1", "2606:4700::1111"]).resolve("cdn.example").await.unwrap();
        assert_eq!(found.len(), 2);
        for private in PRIVATE {
            let mixed = naming(&["1.1.1.1", private]).resolve("cdn.example").await.unwrap_err();
            let expected = Forbidden { host: "cdn.example".into(), address: private.parse().unwrap() };
            assert!(matches!(mixed, NoAddress::Forbidden(forbidden) if forbidden == expected), "{private}");
        }
        assert!(matches!(naming(&[]).resolve("cdn.example").await, Err(NoAddress::None)));
        assert!(matches!(naming(&["1.1.1.1"; ADDRESSES_MAX + 1]).resolve("cdn.example").await, Err(NoAddress::TooMany)));
    }

    #[tokio::test]
    async fn localhost_is_this_machine_whatever_a_resolver_says() {
        for host in ["localhost", "LocalHost.", "a.localhost"] {
            assert!(matches!(naming(&["1.1.1.1"]).resolve(host).await, Err(NoAddress::Forbidden(_))), "{host}");
        }
        assert!(naming(&["1.1.1.1"]).resolve("localhost.example").await.is_ok());
    }

    #[tokio::test]
    async fn the_systems_resolver_is_asked() {
        let found = SystemNames.addresses("127.0.0.1").await.unwrap();
        assert_eq!(found, [IpAddr::V4(Ipv4Addr::LOCALHOST)]);
    }
}
