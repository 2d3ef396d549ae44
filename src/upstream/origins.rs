//! Where a request may go: under the base, to an artifact as a document names it, or after a redirect. Pure.
//!
//! Trust is only ever lost on the way: from home (credentials are sent) to a listed origin (may be private, no
//! credentials) to a foreign one (public addresses only), and a foreign host that points back home gains nothing.

use url::Origin;
use url::Url;

use crate::upstream::error::UpstreamError;

pub const REDIRECTS_MAX: usize = 3;
/// The longest location that is followed.
const LOCATION_BYTES_MAX: usize = 8_192;

/// Ordered: less is less.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Trust {
    Foreign,
    Listed,
    Home,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Wanted {
    Document,
    /// A document that is small whatever it is about.
    Note,
    Artifact,
}

#[derive(Debug)]
pub struct Origins {
    base: Url,
    listed: Vec<Origin>,
}

impl Origins {
    /// Errs with why `base` or one of `listed` cannot be used.
    pub fn new(base: &Url, listed: &[Url]) -> Result<Origins, String> {
        let mut base = base.clone();
        if !is_plain_http(&base) {
            return Err("its url is not a plain http or https address without user name and password".to_owned());
        }
        if base.query().is_some() || base.fragment().is_some() {
            return Err("its url has a query or a fragment".to_owned());
        }
        if !base.path().ends_with('/') {
            let path = format!("{}/", base.path());
            base.set_path(&path);
        }
        for origin in listed {
            if !is_plain_http(origin) {
                return Err(format!("the tarball origin {:?} is not plain http or https", origin.host_str().unwrap_or_default()));
            }
        }
        Ok(Origins { base, listed: listed.iter().map(Url::origin).collect() })
    }

    pub fn base(&self) -> &Url {
        &self.base
    }

    /// `path` is percent-encoded, without a leading slash.
    pub fn under_base(&self, path: &str) -> Result<Url, UpstreamError> {
        let refuse = || UpstreamError::NotAPath { path: path.chars().take(256).collect() };
        let percent_encoded = path.bytes().all(|b| b.is_ascii_graphic() && !b"#\\".contains(&b));
        if path.is_empty() || path.starts_with('/') || path.len() > LOCATION_BYTES_MAX || !percent_encoded {
            return Err(refuse());
        }
        let url = Url::parse(&format!("{}{path}", self.base)).map_err(|_| refuse())?;
        // Dot segments, however they are spelled, change the number of slashes.
        let asked = path.split('?').next().unwrap_or(path).matches('/').count() + self.base.path().matches('/').count();
        let kept =
            url.origin() == self.base.origin() && url.path().starts_with(self.base.path()) && url.path().matches('/').count() == asked;
        if kept { Ok(url) } else { Err(refuse()) }
    }

    /// An artifact's location as its document says it, when that lies on the upstream's own or a listed origin; else
    /// `fallback_path` under the base, because mirrors publish foreign hosts. So no host that only a document names is
    /// ever asked.
    pub fn artifact(&self, location: &str, fallback_path: &str) -> Result<(Url, Trust), UpstreamError> {
        if !location.is_empty()
            && let Some(url) = self.resolve(&self.base, location)
        {
            match self.trust(&url) {
                trust @ (Trust::Home | Trust::Listed) => return Ok((url, trust)),
                Trust::Foreign => {}
            }
        }
        Ok((self.under_base(fallback_path)?, Trust::Home))
    }

    /// Where a redirect leads. The same and listed origins are always fine. Another one is followed for artifacts only
    /// (mirrors hand their downloads to object storage), never from https to http; its addresses are the guard's
    /// question and it gets no credentials. Documents decide what is judged, so they come from where the operator said.
    pub fn next_hop(&self, wanted: Wanted, from: &Url, trust: Trust, location: &str) -> Result<(Url, Trust), UpstreamError> {
        let url = self.resolve(from, location).ok_or(UpstreamError::Garbled { why: "a redirect to what is no http address" })?;
        let trust = trust.min(self.trust(&url));
        let allowed = match (trust, wanted) {
            (Trust::Home | Trust::Listed, _) => true,
            (Trust::Foreign, Wanted::Document | Wanted::Note) => false,
            (Trust::Foreign, Wanted::Artifact) => {
                url.scheme() == "https" || (url.scheme() == self.base.scheme() && from.scheme() == "http")
            }
        };
        if allowed { Ok((url, trust)) } else { Err(UpstreamError::ForeignOrigin { origin: url.origin().ascii_serialization() }) }
    }

    fn trust(&self, url: &Url) -> Trust {
        let origin = url.origin();
        if origin == self.base.origin() {
            Trust::Home
        } else if self.listed.contains(&origin) {
            Trust::Listed
        } else {
            Trust::Foreign
        }
    }

    fn resolve(&self, from: &Url, location: &str) -> Option<Url> {
        if location.len() > LOCATION_BYTES_MAX {
            return None;
        }
        let mut url = from.join(location).ok()?;
        url.set_fragment(None);
        is_plain_http(&url).then_some(url)
    }
}

fn is_plain_http(url: &Url) -> bool {
    matches!(url.scheme(), "http" | "https") && url.has_host() && url.username().is_empty() && url.password().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origins() -> Origins {
        let base = Url::parse("https://registry.example:8443/npm").unwrap();
        Origins::new(&base, &[Url::parse("https://files.registry.example/").unwrap()]).unwrap()
    }

    #[test]
    fn a_path_stays_under_the_base() {
        for (path, url) in [
            ("left-pad", "https://registry.example:8443/npm/left-pad"),
            ("@acme%2fweb", "https://registry.example:8443/npm/@acme%2fweb"),
            ("a/-/a-1.0.0.tgz", "https://registry.example:8443/npm/a/-/a-1.0.0.tgz"),
            ("-/search?text=a/../b", "https://registry.example:8443/npm/-/search?text=a/../b"),
            ("https://evil.example/x", "https://registry.example:8443/npm/https://evil.example/x"),
            ("/left-pad", ""),
            ("//evil.example/x", ""),
            ("", ""),
            ("..", ""),
            ("../x", ""),
            ("a/../b", ""),
            ("a/%2e%2e/b", ""),
            ("a/.%2E/%2e./../../b", ""),
            ("a/./b", ""),
            ("a\\..\\b", ""),
            ("a#b", ""),
            ("a\t", ""),
            ("a b", ""),
        ] {
            match origins().under_base(path) {
                Ok(found) => assert_eq!(found.as_str(), url, "{path}"),
                Err(error) => assert!(url.is_empty() && matches!(error, UpstreamError::NotAPath { .. }), "{path} {error}"),
            }
        }
        let root = Origins::new(&Url::parse("http://registry.example").unwrap(), &[]).unwrap();
        assert_eq!(root.under_base("x").unwrap().as_str(), "http://registry.example/x");
        assert!(root.under_base("../x").is_err());
    }

    #[test]
    fn a_base_that_cannot_be_used_is_refused() {
        for base in ["ftp://registry.example/", "https://user@registry.example/", "https://registry.example/?a=b", "file:///srv/npm/"] {
            assert!(Origins::new(&Url::parse(base).unwrap(), &[]).is_err(), "{base}");
        }
        let base = Url::parse("https://registry.example/").unwrap();
        assert!(Origins::new(&base, &[Url::parse("file:///srv/").unwrap()]).is_err());
    }

    #[test]
    fn an_artifact_is_fetched_from_own_or_listed_origins_else_from_under_the_base() {
        const OWN: &str = "https://registry.example:8443/npm/";
        for (location, url) in [
            ("https://registry.example:8443/npm/a/-/a-1.0.0.tgz", "https://registry.example:8443/npm/a/-/a-1.0.0.tgz"),
            ("https://REGISTRY.example:8443/other/a.tgz?sig=1#f", "https://registry.example:8443/other/a.tgz?sig=1"),
            ("https://files.registry.example/a.tgz", "https://files.registry.example/a.tgz"),
            ("https://files.registry.example:443/a.tgz", "https://files.registry.example/a.tgz"),
            ("a/-/a-1.0.0.tgz", "https://registry.example:8443/npm/a/-/a-1.0.0.tgz"),
            ("/a.tgz", "https://registry.example:8443/a.tgz"),
            // other origins: host, port, scheme
            ("https://cdn.example/a.tgz", ""),
            ("https://registry.example/npm/a.tgz", ""),
            ("http://registry.example:8443/npm/a.tgz", ""),
            ("http://files.registry.example/a.tgz", ""),
            ("https://registry.example.:8443/npm/a.tgz", ""),
            ("https://registry.example:8443.evil.example/a.tgz", ""),
            ("//evil.example/a.tgz", ""),
            ("\\\\evil.example/a.tgz", ""),
            ("https://169.254.169.254/latest/meta-data", ""),
            ("https://[::ffff:127.0.0.1]/a.tgz", ""),
            // what is no plain http address
            ("https://me:secret@registry.example:8443/npm/a.tgz", ""),
            ("https://registry.example:8443@evil.example/a.tgz", ""),
            ("file:///etc/passwd", ""),
            ("ftp://registry.example:8443/a.tgz", ""),
            ("javascript:alert(1)", ""),
            ("https://", ""),
            ("", ""),
        ] {
            let (found, trust) = origins().artifact(location, "fall/back.tgz").unwrap();
            let expected = if url.is_empty() { format!("{OWN}fall/back.tgz") } else { url.to_owned() };
            assert_eq!(found.as_str(), expected, "{location}");
            assert_eq!(trust == Trust::Listed, expected.starts_with("https://files."), "{location}");
        }
        assert!(origins().artifact("https://cdn.example/a.tgz", "../x").is_err());
    }

    #[test]
    fn redirects_lose_trust_and_never_gain_it() {
        use Trust::Foreign;
        use Trust::Home;
        use Trust::Listed;
        use Wanted::Artifact;
        use Wanted::Document;
        let own = Url::parse("https://registry.example:8443/npm/a").unwrap();
        let table: [(Wanted, Trust, &str, Option<Trust>); 17] = [
            (Document, Home, "b", Some(Home)),
            (Document, Home, "/x", Some(Home)),
            (Document, Home, "https://files.registry.example/b", Some(Listed)),
            (Document, Listed, "https://registry.example:8443/b", Some(Listed)),
            (Document, Home, "https://cdn.example/b", None),
            (Document, Home, "https://registry.example/b", None),
            (Document, Home, "http://registry.example:8443/b", None),
            (Artifact, Home, "b", Some(Home)),
            (Artifact, Home, "https://cdn.example/b", Some(Foreign)),
            (Artifact, Foreign, "https://registry.example:8443/b", Some(Foreign)),
            (Artifact, Foreign, "https://files.registry.example/b", Some(Foreign)),
            (Artifact, Listed, "https://registry.example:8443/b", Some(Listed)),
            (Artifact, Home, "http://cdn.example/b", None),
            (Artifact, Home, "file:///etc/passwd", None),
            (Artifact, Home, "https://me:secret@cdn.example/b", None),
            (Artifact, Home, "data:text/plain,x", None),
            (Artifact, Home, "gopher://registry.example:8443/x", None),
        ];
        for (wanted, trust, location, expected) in table {
            let hop = origins().next_hop(wanted, &own, trust, location);
            assert_eq!(hop.ok().map(|(_, trust)| trust), expected, "{wanted:?} {trust:?} {location}");
        }
        let http = Origins::new(&Url::parse("http://registry.example/").unwrap(), &[]).unwrap();
        for (from, to, allowed) in [
            ("http://registry.example/a", "http://cdn.example/b", true),
            ("http://registry.example/a", "https://cdn.example/b", true),
            ("https://cdn.example/b", "http://cdn.example/b", false),
        ] {
            let hop = http.next_hop(Artifact, &Url::parse(from).unwrap(), Home, to);
            assert_eq!(hop.is_ok(), allowed, "{from} {to}");
        }
    }
}
