//! Where the server is, and who asks it: as flags say, else as the configuration does.

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::path::PathBuf;

use url::Host;
use url::Url;

use crate::cli::failure::Failure;
use crate::config::Config;

const TOKEN_BYTES_MAX: u64 = 4_096;

/// Where the token came from, for the words of a refusal.
pub enum TokenSource {
    Given,
    File(PathBuf),
    /// Why there is none.
    None(String),
}

pub fn parse_base(text: &str) -> Result<Url, Failure> {
    // Not echoed: it may hold a password.
    let wrong = |what: &str| {
        Failure::usage(format!("the address of the server {what}"), "write it in full, such as --server http://127.0.0.1:4873/")
    };
    let mut url = Url::parse(text).map_err(|_| wrong("is not a URL"))?;
    if url.scheme() != "http" && url.scheme() != "https" || url.host().is_none() {
        return Err(wrong("is neither http nor https"));
    }
    if !url.username().is_empty() || url.password().is_some() || url.query().is_some() || url.fragment().is_some() {
        return Err(wrong("holds credentials, a query or a fragment"));
    }
    if !url.path().ends_with('/') {
        url.set_path(&format!("{}/", url.path()));
    }
    Ok(url)
}

/// Where the server of this configuration is reached from this machine. With TLS by its public name, which is what its
/// certificate is for.
pub fn own_address(config: &Config) -> Result<Url, Failure> {
    let mut listen = config.server.listen;
    if listen.ip().is_unspecified() {
        listen.set_ip(if listen.is_ipv4() { std::net::Ipv4Addr::LOCALHOST.into() } else { std::net::Ipv6Addr::LOCALHOST.into() });
    }
    match (&config.server.tls, &config.server.public_url) {
        (Some(_), Some(public)) => parse_base(public),
        (Some(_), None) => parse_base(&format!("https://{listen}/")),
        (None, Some(_) | None) => parse_base(&format!("http://{listen}/")),
    }
}

/// A proxy of the environment is not asked for what is on this machine.
pub fn is_local(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

pub fn read_token(path: &Path) -> (Option<String>, TokenSource) {
    let mut text = String::new();
    match File::open(path).and_then(|file| file.take(TOKEN_BYTES_MAX).read_to_string(&mut text)) {
        Ok(_) if !text.trim().is_empty() => (Some(text.trim().to_owned()), TokenSource::File(path.to_path_buf())),
        Ok(_) => (None, TokenSource::None(format!("{} is empty", path.display()))),
        Err(error) => (None, TokenSource::None(format!("{} cannot be read ({error})", path.display()))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config;

    #[test]
    fn the_server_of_a_configuration_is_found() {
        let mut config = Config::default();
        let address = |config: &Config| own_address(config).unwrap().to_string();
        assert_eq!(address(&config), "http://127.0.0.1:4873/");
        config.server.listen = "0.0.0.0:80".parse().unwrap();
        config.server.public_url = Some("https://airlock.example/npm".to_owned());
        assert_eq!(address(&config), "http://127.0.0.1/");
        config.server.tls = Some(config::server::Tls { cert: PathBuf::new(), key: PathBuf::new() });
        assert_eq!(address(&config), "https://airlock.example/npm/");
    }

    #[test]
    fn a_token_is_read_from_the_data_dir() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("admin-token");
        assert!(matches!(read_token(&path), (None, TokenSource::None(why)) if why.contains("admin-token")));
        std::fs::write(&path, "airlock_1_2\n").unwrap();
        assert!(matches!(read_token(&path), (Some(token), TokenSource::File(_)) if token == "airlock_1_2"));
    }
}
