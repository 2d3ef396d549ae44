//! The configuration: `airlock.toml`, then the environment, then flags. One section a file; all defaults here.
//! Only this room reads the environment.

pub mod access;
pub mod policy;
pub mod server;
pub mod storage;
pub mod upstream;

#[derive(Clone, PartialEq, Debug, Default)]
pub struct Config {
    pub server: server::Server,
    pub upstream: upstream::Upstream,
    pub storage: storage::Storage,
    pub access: access::Access,
    pub policy: policy::Policy,
}
