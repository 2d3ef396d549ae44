//! A configuration that is being read: values as far as they are known, and what only the whole can tell.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::path::PathBuf;

use url::Url;

use crate::config::Config;
use crate::config::fault::Fault;
use crate::config::fault::Place;
use crate::config::notify::Notify;
use crate::config::notify::is_private;
use crate::config::npm::is_self;
use crate::config::rules_keys::resolve_groups;
use crate::config::server::Tls;
use crate::config::upstream::Scope;
use crate::config::upstream::Secret;
use crate::config::value::Value;

/// A secret is one line. More than this is some other file.
const SECRET_BYTES_MAX: u64 = 16 * 1_024;

/// What a key that would hold a secret is told.
pub(super) const INLINE_SECRET: (&str, &str) = (
    "a secret never stands in the configuration",
    "use token_env (the name of an environment variable) or token_file, and change the secret: it was written down",
);

/// Whether a key by this name would hold a secret.
pub(super) fn is_inline_secret(name: &str) -> bool {
    ["token", "auth_token", "_authtoken", "password", "secret", "client_secret", "auth", "_auth"]
        .contains(&name.to_ascii_lowercase().as_str())
}

/// Where a secret is to be found, with the value that says so.
#[derive(Default)]
pub(super) struct SecretDraft {
    pub env: Option<(String, Value)>,
    pub file: Option<(PathBuf, Value)>,
}

pub(super) struct ScopeDraft {
    pub name: String,
    pub url: Url,
    pub token: SecretDraft,
    pub place: Place,
}

#[derive(Default)]
pub(super) struct Draft {
    pub config: Config,
    pub token: SecretDraft,
    pub oidc_secret: SecretDraft,
    pub notify_secret: SecretDraft,
    pub tls_cert: Option<PathBuf>,
    pub tls_key: Option<PathBuf>,
    pub scopes: Vec<ScopeDraft>,
    /// Which of `policy.rules` names groups, and where.
    pub rule_groups: Vec<(usize, Value)>,
    /// Where each key that was given was given last.
    pub places: BTreeMap<String, Place>,
    pub faults: Vec<Fault>,
}

impl Draft {
    /// Names of variables that hold secrets, so that one of them may begin with `AIRLOCK_`.
    pub fn secret_variables(&self) -> impl Iterator<Item = &str> {
        let of_scopes = self.scopes.iter().filter_map(|scope| scope.token.env.as_ref());
        self.token.env.iter().chain(&self.oidc_secret.env).chain(&self.notify_secret.env).chain(of_scopes).map(|(name, _)| name.as_str())
    }

    /// Resolves secrets and checks what spans several keys.
    pub fn finish(mut self, environment: &BTreeMap<String, String>) -> (Config, Vec<Fault>) {
        match secret(&self.token, "token", environment) {
            Ok(token) => self.config.upstream.token = token,
            Err(faults) => self.faults.extend(faults),
        }
        if let Some(oidc) = &mut self.config.access.oidc {
            match secret(&self.oidc_secret, "client_secret", environment) {
                Ok(client_secret) => oidc.client_secret = client_secret,
                Err(faults) => self.faults.extend(faults),
            }
        }
        match secret(&self.notify_secret, "secret", environment) {
            Ok(secret) => self.config.notify.secret = secret,
            Err(faults) => self.faults.extend(faults),
        }
        for scope in std::mem::take(&mut self.scopes) {
            match secret(&scope.token, "token", environment) {
                Ok(token) => {
                    self.config.upstream.scopes.insert(scope.name.clone(), Scope { url: scope.url.clone(), token });
                }
                Err(faults) => self.faults.extend(faults),
            }
            if self.config.policy.private_scopes.contains(&scope.name) {
                let wrong = format!("{} is private, thus never asked of upstream, and has an upstream", scope.name);
                let remedy = format!("take it out of policy.private_scopes, or remove [upstream.scopes.{:?}]", scope.name);
                self.faults.push(Fault::new(scope.place, format!("upstream.scopes.{:?}", scope.name), wrong, remedy));
            }
        }
        self.finish_tls();
        self.check_ages();
        self.resolve_rules();
        self.check_feed();
        self.check_notify();
        self.check_upstream_is_another();
        (self.config, self.faults)
    }

    /// A fault of several keys, told at the first of them that was given. Nothing is told while one of them is itself at
    /// fault, because then what is compared is not what was meant.
    fn across(&mut self, keys: &[&str], wrong: impl AsRef<str>, remedy: impl AsRef<str>) {
        if self.faults.iter().any(|fault| keys.contains(&fault.key.as_str())) {
            return;
        }
        if let Some((key, place)) = keys.iter().find_map(|key| self.places.get(*key).map(|place| (*key, place.clone()))) {
            self.faults.push(Fault::new(place, key, wrong, remedy));
        }
    }

    fn finish_tls(&mut self) {
        const KEYS: [&str; 2] = ["server.tls.cert", "server.tls.key"];
        match (self.tls_cert.take(), self.tls_key.take()) {
            (Some(cert), Some(key)) => {
                for (at, path) in [(KEYS[0], &cert), (KEYS[1], &key)] {
                    if let Err(error) = File::open(path) {
                        self.across(&[at], format!("{} cannot be read: {error}", path.display()), "name a PEM file that Airlock may read");
                    }
                }
                self.config.server.tls = Some(Tls { cert, key });
            }
            (None, None) => {}
            (Some(_), None) | (None, Some(_)) => {
                self.across(&KEYS, "TLS needs both a certificate and its key", "give both server.tls.cert and server.tls.key, or neither");
            }
        }
    }

    /// Nothing is told while the rules or the groups are themselves at fault.
    fn resolve_rules(&mut self) {
        if self.faults.iter().any(|fault| fault.key.starts_with("policy.rules") || fault.key.starts_with("access.groups")) {
            return;
        }
        let Config { policy, access, .. } = &mut self.config;
        self.faults.extend(resolve_groups(&mut policy.rules, &self.rule_groups, access));
    }

    fn check_ages(&mut self) {
        let age = &self.config.policy.release_age;
        if age.floor > age.minimum {
            let remedy = "the floor is what nothing goes below, so lower it or raise the minimum";
            self.across(&["policy.release_age.floor", "policy.release_age.minimum"], "the floor is above the minimum age", remedy);
        }
    }

    fn check_feed(&mut self) {
        let osv = &self.config.feeds.osv;
        if osv.url.is_some() && osv.age_max <= osv.refresh_every {
            let wrong = "what is known is always too old before it is asked for again";
            let keys = ["feeds.osv.age_max", "feeds.osv.refresh_every", "feeds.osv.url"];
            self.across(&keys, wrong, "make age_max several times refresh_every");
        }
    }

    fn check_notify(&mut self) {
        const KEYS: [&str; 4] = ["notify.urls", "notify.secret_env", "notify.secret_file", "notify.private_addresses"];
        let Notify { urls, secret, private_addresses } = &self.config.notify;
        let length = secret.as_ref().map(|secret| secret.reveal().len());
        let needs_private = !private_addresses && urls.iter().any(is_private);
        if !urls.is_empty() && length.is_none() {
            self.across(&KEYS, "nobody could tell that a notice is yours", "give a secret by notify.secret_env or notify.secret_file");
        } else if length.is_some_and(|length| length < Notify::SECRET_BYTES_MIN) {
            let wrong = format!("the secret is shorter than {} bytes", Notify::SECRET_BYTES_MIN);
            self.across(&KEYS[1..], wrong, "make one with `openssl rand -hex 32`");
        }
        if needs_private {
            let wrong = "an address is plain http or of this machine, and only public ones are told, by https";
            self.across(&[KEYS[0], KEYS[3]], wrong, "write https://, or set notify.private_addresses = true");
        }
    }

    fn check_upstream_is_another(&mut self) {
        let server = &self.config.server;
        let of_self = |url: &Url| is_self(url, server.listen, server.public_url.as_deref());
        let wrong = "upstream is Airlock itself";
        let remedy = "name the registry that Airlock stands in front of";
        let scope = self.config.upstream.scopes.values().any(|scope| of_self(&scope.url));
        if self.config.upstream.url.as_ref().is_some_and(of_self) {
            self.across(&["upstream.url", "server.listen", "server.public_url"], wrong, remedy);
        }
        if scope {
            self.across(&["upstream.scopes"], wrong, remedy);
        }
    }
}

/// `what` is how its keys are called, without `_env` and `_file`.
fn secret(draft: &SecretDraft, what: &str, environment: &BTreeMap<String, String>) -> Result<Option<Secret>, Vec<Fault>> {
    let (text, value) = match (&draft.env, &draft.file) {
        (None, None) => return Ok(None),
        (Some((_, value)), Some(_)) => {
            return Err(
                value.fault(format!("the {what} is given twice, by {what}_env and by {what}_file"), "keep one; set the other to \"\"")
            );
        }
        (Some((name, value)), None) => match environment.get(name) {
            Some(text) => (text.clone(), value),
            None => {
                return Err(value
                    .fault(format!("the environment variable {name} is not set"), format!("set it to the {what} before Airlock starts")));
            }
        },
        (None, Some((path, value))) => match read_secret(path) {
            Ok(text) => (text, value),
            Err(why) => {
                return Err(value.fault(
                    format!("{} cannot be read: {why}", path.display()),
                    format!("name a file that holds the {what} and nothing else"),
                ));
            }
        },
    };
    let text = text.trim();
    if text.is_empty() || !text.bytes().all(|b| b.is_ascii_graphic()) {
        return Err(value.fault(
            format!("what is there is not a {what}: it is empty, or has spaces or other than ASCII"),
            format!("put the {what} there, and nothing else"),
        ));
    }
    Ok(Some(Secret::new(text.to_owned())))
}

fn read_secret(path: &Path) -> Result<String, String> {
    let mut text = String::new();
    let file = File::open(path).map_err(|error| error.to_string())?;
    file.take(SECRET_BYTES_MAX + 1).read_to_string(&mut text).map_err(|error| error.to_string())?;
    if u64::try_from(text.len()).is_ok_and(|length| length > SECRET_BYTES_MAX) {
        return Err(format!("it is longer than {SECRET_BYTES_MAX} bytes"));
    }
    Ok(text)
}
