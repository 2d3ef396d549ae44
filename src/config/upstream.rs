//! `[upstream]`: the registry that is gated, and others for scopes.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use url::Url;

#[derive(Clone, PartialEq, Debug)]
pub struct Upstream {
    /// `None`: the registry that npm on this machine is configured with.
    pub url: Option<Url>,
    /// Resolved from `token_env` when the configuration was read.
    pub token: Option<Secret>,
    /// Whoever runs Airlock runs this registry as well: what comes from it may be trusted.
    pub own: bool,
    /// How long an index is served without asking upstream.
    pub fresh_for: Duration,
    /// Packages that are asked for ahead, of those that one which was asked for needs.
    pub ask_ahead: usize,
    pub timeout: Duration,
    pub retries: u32,
    pub index_bytes_max: u64,
    pub artifact_bytes_max: u64,
    /// Other origins, such as `https://files.registry.example`, from which tarballs may be fetched.
    pub tarball_origins: Vec<Url>,
    /// Whose word on provenance counts; `None`: Sigstore's for the public.
    pub trust_root: Option<PathBuf>,
    /// Another upstream for a scope, by `@scope`.
    pub scopes: BTreeMap<String, Scope>,
}

#[derive(Clone, PartialEq, Debug)]
pub struct Scope {
    pub url: Url,
    pub token: Option<Secret>,
}

/// A credential. Printing it shows nothing.
#[derive(Clone, PartialEq)]
pub struct Secret(String);

impl Secret {
    pub fn new(secret: String) -> Secret {
        Secret(secret)
    }

    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl Upstream {
    /// The upstream that packages of a scope have to themselves, in whatever case the scope is written.
    pub fn of_scope(&self, scope: &str) -> Option<&Scope> {
        self.scopes.iter().find(|(own, _)| own.eq_ignore_ascii_case(scope)).map(|(_, upstream)| upstream)
    }
}

impl Default for Upstream {
    fn default() -> Upstream {
        Upstream {
            url: None,
            token: None,
            own: false,
            fresh_for: Duration::from_secs(5 * 60),
            ask_ahead: 64,
            timeout: Duration::from_secs(30),
            retries: 2,
            index_bytes_max: 256_000_000,
            artifact_bytes_max: 512_000_000,
            tarball_origins: Vec::new(),
            trust_root: None,
            scopes: BTreeMap::new(),
        }
    }
}
