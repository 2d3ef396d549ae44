//! Names of hosts that stand in a text.

use std::net::Ipv4Addr;

/// Names that stand for a vocabulary or for nobody, and are never asked for anything.
const NOBODYS: [&str; 9] =
    ["www.w3.org", "localhost", "example.com", "example.org", "example.net", "www.example.com", "json-schema.org", "127.0.0.1", "0.0.0.0"];

const NAME_BYTES_MAX: usize = 253;

/// The host of an address whose `://` begins at `at`, where it stands in a text literal; anywhere in a script.
pub(super) fn of_address(text: &[u8], at: usize, anywhere: bool) -> Option<String> {
    const SCHEMES: [&[u8]; 5] = [b"https", b"http", b"wss", b"ws", b"ftp"];
    let before = text.get(..at)?;
    let scheme = SCHEMES.into_iter().find(|scheme| {
        let start = before.len().checked_sub(scheme.len()).and_then(|start| before.get(start..));
        start.is_some_and(|start| start.eq_ignore_ascii_case(scheme))
    })?;
    let quoted = matches!(before.get(..before.len() - scheme.len())?.last(), Some(b'"' | b'\'' | b'`'));
    if !quoted && !anywhere {
        return None;
    }
    let rest = text.get(at + 3..)?;
    let length = |text: &[u8]| text.iter().take(NAME_BYTES_MAX + 1).take_while(|b| is_host(**b)).count();
    let first = length(rest);
    let host = match rest.get(first) {
        // What came first was a user's name.
        Some(b'@') => rest.get(first + 1..)?,
        _ => rest,
    };
    name(host.get(..length(host))?)
}

/// The host of `hostname: "x.example"`, where the key begins at `start` and ends at `at`.
pub(super) fn of_key(text: &[u8], start: usize, at: usize) -> Option<String> {
    const GAP_BYTES_MAX: usize = 8;
    let is_part = text.get(..start)?.last().is_some_and(|b| b.is_ascii_alphanumeric() || *b == b'_');
    if is_part || text.get(start..at)?.iter().any(u8::is_ascii_uppercase) {
        return None;
    }
    let rest = text.get(at..)?;
    let gap = rest.iter().take(GAP_BYTES_MAX).take_while(|b| matches!(b, b'"' | b'\'' | b' ' | b':' | b'=' | b'\n')).count();
    let (gap, value) = rest.split_at_checked(gap)?;
    let opened = matches!(gap.last(), Some(b'"' | b'\'')) && gap.iter().any(|b| matches!(b, b':' | b'='));
    let length = value.iter().take(NAME_BYTES_MAX + 1).take_while(|b| is_host(**b)).count();
    let closed = gap.last() == value.get(length) || value.get(length) == Some(&b':');
    if opened && closed { name(value.get(..length)?) } else { None }
}

const fn is_host(b: u8) -> bool {
    b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_')
}

/// A name of at least two parts, lower case.
fn name(host: &[u8]) -> Option<String> {
    let host = str::from_utf8(host).ok()?.trim_end_matches('.').to_ascii_lowercase();
    let last = host.rsplit('.').next().unwrap_or_default();
    let ends =
        (last.len() > 1 && last.bytes().all(|b| b.is_ascii_alphabetic())) || last.starts_with("xn--") || host.parse::<Ipv4Addr>().is_ok();
    let whole = host.len() <= NAME_BYTES_MAX
        && host.split('.').count() > 1
        && host.split('.').all(|part| !part.is_empty() && !part.starts_with('-'));
    (whole && ends && !NOBODYS.contains(&host.as_str())).then_some(host)
}

/// Whether a host is a number on the public internet, other than the well-known resolvers.
pub(super) fn is_public_number(host: &str) -> bool {
    const RESOLVERS: [&str; 6] = ["1.1.1.1", "1.0.0.1", "8.8.8.8", "8.8.4.4", "9.9.9.9", "114.114.114.114"];
    let Ok(address) = host.parse::<Ipv4Addr>() else { return false };
    let [first, second, third, _] = address.octets();
    let version_like = first == 0 || (second == 0 && third == 0);
    let shared = first == 100 && (64..128).contains(&second);
    !(address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_documentation()
        || address.is_broadcast()
        || address.is_multicast()
        || shared
        || version_like
        || first >= 240
        || RESOLVERS.contains(&host))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> Option<String> {
        of_address(text.as_bytes(), text.find("://").unwrap(), false)
    }

    #[test]
    fn hosts_of_addresses_in_literals() {
        for (text, host) in [
            ("get('https://API.Acme.example/v1')", Some("api.acme.example")),
            ("`wss://a.b.example:8080`", Some("a.b.example")),
            ("\"http://user@a.example/\"", Some("a.example")),
            ("'https://${host}/x'", None),
            ("'https://localhost:80'", None),
            ("'http://www.w3.org/2000/svg'", None),
            ("'file://a.b.example'", None),
            ("// see https://a.example", None),
            ("'https://a'", None),
            ("'https://a.b1'", None),
            ("'https://-a.example'", None),
            ("'http://203.0.113.7/x'", Some("203.0.113.7")),
            ("'https://..a'", None),
        ] {
            assert_eq!(address(text).as_deref(), host, "{text}");
        }
        let script = "curl https://a.example/x";
        assert_eq!(of_address(script.as_bytes(), script.find("://").unwrap(), true).as_deref(), Some("a.example"));
    }

    #[test]
    fn hosts_of_keys() {
        let key = |text: &str| of_key(text.as_bytes(), text.find("host").unwrap(), text.find("host").unwrap() + 4);
        assert_eq!(key("{host: 'drop.example', port: 1}").as_deref(), Some("drop.example"));
        assert_eq!(key("{\"host\":\"drop.example:80\"}").as_deref(), Some("drop.example"));
        assert_eq!(key("host = 'a.example'").as_deref(), Some("a.example"));
        for text in [
            "host: options.host",
            "host: 'name'",
            "host('a.b')",
            "host: 'a.b/c'",
            "host",
            "hostname: 'a.example'",
            "POD_host = 'a.example'",
        ] {
            assert_eq!(key(text), None, "{text}");
        }
    }

    #[test]
    fn numbers_on_the_public_internet() {
        for public in ["51.51.51.51", "61.61.61.61"] {
            assert!(is_public_number(public), "{public}");
        }
        for other in [
            "10.0.0.1",
            "192.168.1.1",
            "172.16.0.1",
            "127.0.0.2",
            "169.254.169.254",
            "192.0.2.1",
            "8.8.8.8",
            "1.0.0.0",
            "100.64.0.1",
            "a.b",
        ] {
            assert!(!is_public_number(other), "{other}");
        }
    }
}
