//! The configuration: `airlock.toml`, then the environment, then flags. One section a file; all defaults here.
//! Only this room reads the environment.

pub mod access;
mod access_keys;
pub mod cases;
pub mod difference;
mod draft;
pub mod environment;
mod example;
mod fault;
pub mod feeds;
mod feeds_keys;
mod fields;
mod issuer_keys;
mod key;
mod layers;
pub mod notify;
mod npm;
pub mod policy;
mod policy_keys;
mod quantity;
pub mod rego;
pub mod rules;
mod rules_keys;
pub mod server;
pub mod storage;
pub mod upstream;
mod upstream_keys;
mod value;

use std::collections::BTreeMap;
use std::path::Path;
use std::path::PathBuf;

pub use example::effective;
pub use example::example;
pub use example::warnings;
pub use fault::Fault;
pub use fault::Faults;
pub use fault::Place;
pub use npm::NpmError;
pub use npm::npm_registry;
pub use quantity::read_duration;
pub use quantity::write_duration;

#[derive(Clone, PartialEq, Debug, Default)]
pub struct Config {
    pub server: server::Server,
    pub upstream: upstream::Upstream,
    pub storage: storage::Storage,
    pub access: access::Access,
    pub feeds: feeds::Feeds,
    pub notify: notify::Notify,
    pub policy: policy::Policy,
}

/// What the command line says; each beats the environment and the file.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Flags {
    pub listen: Option<String>,
    pub upstream: Option<String>,
    pub data_dir: Option<String>,
    pub public_url: Option<String>,
}

/// The file that is read when it exists and no other is named.
pub const FILE: &str = "airlock.toml";

/// The file to read: the one named, else `AIRLOCK_CONFIG`'s, else `./airlock.toml` if it exists.
pub fn file(named: Option<PathBuf>) -> Option<PathBuf> {
    named.or_else(environment::config_file).or_else(|| Some(PathBuf::from(FILE)).filter(|file| file.exists()))
}

impl Config {
    /// Reads `file`, lays the environment over it and the flags over that; secrets are resolved. Tells every fault at once.
    pub fn load(file: Option<&Path>, environment: impl Iterator<Item = (String, String)>, flags: &Flags) -> Result<Config, Faults> {
        let (config, faults) = read(file, environment, flags);
        if faults.is_empty() { Ok(config) } else { Err(Faults(faults)) }
    }

    /// For those who only talk to the server that this configuration describes: a fault counts only if it leaves unclear
    /// where the server is or where its data dir lies. The server's secrets and certificates are often not theirs to read.
    pub fn load_for_client(file: Option<&Path>, environment: impl Iterator<Item = (String, String)>) -> Result<Config, Faults> {
        const KEYS: [&str; 4] = ["", "server.listen", "server.public_url", "storage.data_dir"];
        let (config, mut faults) = read(file, environment, &Flags::default());
        faults.retain(|fault| KEYS.contains(&fault.key.as_str()));
        if faults.is_empty() { Ok(config) } else { Err(Faults(faults)) }
    }
}

/// The most of a policy's text that is read.
pub const POLICY_BYTES_MAX: usize = 60_000;

/// A policy that is to be tried, from the text of a configuration: what stands in `[policy]`, and the groups that its rules name.
/// Whatever else stands there is for the server whose configuration it is. `name` is what faults are told under.
pub fn read_policy(name: &str, text: &str) -> Result<policy::Policy, Faults> {
    let mut draft = draft::Draft::default();
    draft.read_toml(std::sync::Arc::from(name), text);
    let (config, mut faults) = draft.finish(&BTreeMap::new());
    faults.retain(|fault| fault.key.is_empty() || fault.key.starts_with("policy") || fault.key.starts_with("access.groups"));
    faults.sort();
    faults.dedup();
    if faults.is_empty() { Ok(config.policy) } else { Err(Faults(faults)) }
}

fn read(file: Option<&Path>, environment: impl Iterator<Item = (String, String)>, flags: &Flags) -> (Config, Vec<Fault>) {
    let environment: BTreeMap<String, String> = environment.collect();
    let mut draft = draft::Draft::default();
    if let Some(file) = file {
        draft.read_file(file);
    }
    draft.read_environment(&environment);
    draft.read_flags(flags);
    let (config, mut faults) = draft.finish(&environment);
    faults.sort();
    faults.dedup();
    (config, faults)
}
