//! The registry that npm on this machine is configured with: the upstream when nothing else is said.

use std::io::Read;
use std::net::IpAddr;
use std::net::SocketAddr;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use url::Host;
use url::Url;

use crate::config::Config;
use crate::model::finding::printable;

const WAIT: Duration = Duration::from_secs(10);
const ANSWER_BYTES_MAX: u64 = 64 * 1_024;
const REMEDY: &str = "say which registry to gate with --upstream URL, or upstream.url in airlock.toml";

#[derive(Debug, thiserror::Error)]
pub enum NpmError {
    #[error("npm could not be asked for the registry it uses: {0}\n    {REMEDY}")]
    Unasked(String),
    #[error("npm did not say within {} seconds which registry it uses\n    {REMEDY}", WAIT.as_secs())]
    TooSlow,
    #[error("npm failed to say which registry it uses: {0}\n    {REMEDY}")]
    Failed(String),
    #[error("npm says that its registry is {0:?}, which is not a plain http or https URL\n    {REMEDY}")]
    NotAUrl(String),
    #[error("npm on this machine is configured with {0}, which is Airlock itself\n    {REMEDY}")]
    Itself(Url),
}

/// Asks `npm config get registry`, which takes up to 10 seconds. The path of the answer ends with a slash.
pub fn npm_registry(config: &Config) -> Result<Url, NpmError> {
    let answer = ask(Command::new("npm"), WAIT)?;
    let url = read_answer(&answer)?;
    if is_self(&url, config.server.listen, config.server.public_url.as_deref()) { Err(NpmError::Itself(url)) } else { Ok(url) }
}

fn ask(mut command: Command, wait: Duration) -> Result<String, NpmError> {
    let unasked = |error: std::io::Error| NpmError::Unasked(error.to_string());
    command.args(["config", "get", "registry"]).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let missing = || NpmError::Unasked("npm is not installed, or not in the PATH".to_owned());
    let is_missing = |error: &std::io::Error| error.kind() == std::io::ErrorKind::NotFound;
    let mut child = command.spawn().map_err(|error| if is_missing(&error) { missing() } else { unasked(error) })?;
    let (send, receive) = mpsc::channel();
    let pipes = (child.stdout.take(), child.stderr.take());
    thread::spawn(move || {
        let (mut out, mut err) = (String::new(), String::new());
        let read = |pipe: Option<&mut dyn Read>, into: &mut String| pipe.map(|pipe| pipe.take(ANSWER_BYTES_MAX).read_to_string(into));
        let (mut stdout, mut stderr) = pipes;
        // A pipe that cannot be read leaves an empty answer, which is told as such.
        let _ = read(stdout.as_mut().map(|pipe| pipe as &mut dyn Read), &mut out);
        let _ = read(stderr.as_mut().map(|pipe| pipe as &mut dyn Read), &mut err);
        let _ = send.send((out, err));
    });
    let Ok((out, err)) = receive.recv_timeout(wait) else {
        end(&mut child);
        return Err(NpmError::TooSlow);
    };
    let status = child.wait().map_err(unasked)?;
    if status.success() { Ok(out) } else { Err(NpmError::Failed(format!("{status}, {}", printable(err.trim(), 300)))) }
}

/// Ends a child that no longer matters; it may have ended already.
fn end(child: &mut Child) {
    let _ = child.kill();
    let _ = child.wait();
}

fn read_answer(answer: &str) -> Result<Url, NpmError> {
    // A wrapper around npm may print notices first; npm's own answer is the last line.
    let line = answer.lines().map(str::trim).rfind(|line| !line.is_empty()).unwrap_or_default();
    let wrong = || NpmError::NotAUrl(printable(line, 200));
    let mut url = Url::parse(line).map_err(|_| wrong())?;
    let http = url.scheme() == "http" || url.scheme() == "https";
    if !url.username().is_empty() || url.password().is_some() {
        return Err(NpmError::NotAUrl(format!("{}://…@…", printable(url.scheme(), 20))));
    }
    if !http || url.host().is_none() || url.query().is_some() || url.fragment().is_some() {
        return Err(wrong());
    }
    if !url.path().ends_with('/') {
        url.set_path(&format!("{}/", url.path()));
    }
    Ok(url)
}

/// Whether `url` leads back to an Airlock that listens at `listen` and is reached as `public_url`.
pub(super) fn is_self(url: &Url, listen: SocketAddr, public_url: Option<&str>) -> bool {
    let port = url.port_or_known_default();
    let is_public = |public: Url| public.host() == url.host() && public.port_or_known_default() == port;
    if public_url.and_then(|public| Url::parse(public).ok()).is_some_and(is_public) {
        return true;
    }
    if port != Some(listen.port()) {
        return false;
    }
    let address = match url.host() {
        Some(Host::Ipv4(address)) => IpAddr::V4(address),
        Some(Host::Ipv6(address)) => IpAddr::V6(address).to_canonical(),
        Some(Host::Domain(name)) => return name.trim_end_matches('.') == "localhost" && is_here(listen.ip()),
        None => return false,
    };
    address == listen.ip() || address.is_unspecified() && is_here(listen.ip()) || address.is_loopback() && is_here(listen.ip())
}

/// Whether this machine reaches the address as localhost.
fn is_here(address: IpAddr) -> bool {
    address.is_loopback() || address.is_unspecified()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_of_npm_is_its_answer() {
        assert_eq!(read_answer("https://registry.example\n").unwrap().as_str(), "https://registry.example/");
        assert_eq!(read_answer("notice: new version\nhttps://mirror.example/npm\n\n").unwrap().as_str(), "https://mirror.example/npm/");
        for bad in ["", "undefined", "null", "ftp://registry.example/", "https://registry.example/?a", "file:///etc"] {
            assert!(matches!(read_answer(bad), Err(NpmError::NotAUrl(_))), "{bad}");
        }
        let told = read_answer("https://me:hunter2@registry.example/").unwrap_err().to_string();
        assert!(!told.contains("hunter2") && told.contains("--upstream"), "{told}");
    }

    #[test]
    fn npm_missing_names_the_flag() {
        let told = ask(Command::new("/nowhere/npm"), WAIT).unwrap_err().to_string();
        assert!(told.contains("npm is not installed") && told.contains("--upstream"), "{told}");
    }

    #[test]
    fn npm_is_asked_and_its_failures_are_told() {
        let shell = |script: &str| {
            let mut command = Command::new("sh");
            command.args(["-c", script, "npm"]);
            command
        };
        assert_eq!(ask(shell("echo \"$@\""), WAIT).unwrap(), "config get registry\n");
        let failed = ask(shell("echo broken >&2; exit 3"), WAIT).unwrap_err().to_string();
        assert!(failed.contains("exit status: 3, broken") && failed.contains("--upstream"), "{failed}");
        let endless = ask(shell("exec tail -f /dev/null"), Duration::from_millis(20)).unwrap_err();
        assert!(matches!(endless, NpmError::TooSlow));
    }

    #[test]
    fn airlock_is_known_under_each_of_its_names() {
        let check = |url: &str, listen: &str, public: Option<&str>| is_self(&Url::parse(url).unwrap(), listen.parse().unwrap(), public);
        for url in
            ["http://127.0.0.1:4873/", "http://localhost:4873/", "http://LOCALHOST.:4873/x/", "http://[::1]:4873/", "http://0.0.0.0:4873/"]
        {
            assert!(check(url, "127.0.0.1:4873", None), "{url}");
        }
        assert!(check("http://10.0.0.5:80/", "10.0.0.5:80", None));
        assert!(check("http://localhost:4873/", "0.0.0.0:4873", None));
        assert!(check("https://airlock.example/", "127.0.0.1:4873", Some("https://airlock.example")));
        assert!(!check("http://127.0.0.1:4874/", "127.0.0.1:4873", None));
        assert!(!check("https://registry.example/", "0.0.0.0:443", Some("https://airlock.example")));
    }
}
