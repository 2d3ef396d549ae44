//! The client of Airlock's own API: finds the server and the token, asks, and says in words what went wrong.

use std::fs::File;
use std::io;
use std::io::Read;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

use percent_encoding::AsciiSet;
use percent_encoding::NON_ALPHANUMERIC;
use percent_encoding::utf8_percent_encode;
use reqwest::Method;
use reqwest::StatusCode;
use serde::Serialize;
use serde::de::DeserializeOwned;
use url::Host;
use url::Url;

use crate::admin::wire::ProblemView;
use crate::cli::failure::Failure;
use crate::cli::pieces::Pieces;
use crate::config;
use crate::config::Config;
use crate::model::finding::printable;

const CONNECT_WAIT: Duration = Duration::from_secs(10);
/// Proving a large ledger takes as long as reading it from disk.
const ANSWER_WAIT: Duration = Duration::from_secs(600);
const READY_WAIT: Duration = Duration::from_secs(4);
const ANSWER_BYTES_MAX: usize = 64_000_000;
const TOKEN_BYTES_MAX: u64 = 4_096;
const PROBLEM_BYTES_MAX: usize = 1_000;
/// Everything but what RFC 3986 leaves as it is.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'@');

/// Which server to ask, as whom, and in which form to answer.
#[derive(clap::Args, Clone, Debug, Default)]
pub struct RemoteFlags {
    /// The Airlock to talk to [default: the one that the configuration describes]
    #[arg(long, value_name = "URL", env = "AIRLOCK_SERVER")]
    pub server: Option<String>,
    /// Who you are [default: what stands in the data dir's admin-token]
    #[arg(long, env = "AIRLOCK_TOKEN", hide_env_values = true)]
    pub token: Option<String>,
    /// The configuration that says where the server and its data dir are [default: ./airlock.toml]
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Answer in JSON, for programs
    #[arg(long)]
    pub json: bool,
}

/// Where the token came from, for the words of a refusal.
enum TokenSource {
    Given,
    File(PathBuf),
    /// Why there is none.
    None(String),
}

pub struct Remote {
    base: Url,
    http: reqwest::Client,
    token: Option<String>,
    source: TokenSource,
    runtime: tokio::runtime::Runtime,
}

/// An answer as it was read, and as it came.
pub struct Answer<T> {
    pub read: T,
    pub text: String,
}

impl Remote {
    pub fn new(flags: &RemoteFlags) -> Result<Remote, Failure> {
        let given = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
        let (server, token) = (given(&flags.server), given(&flags.token));
        // Who says both needs no configuration, and a bad one does not stand in the way.
        let config = match (&server, &token) {
            (Some(_), Some(_)) => Config::default(),
            (Some(_) | None, None) | (None, Some(_)) => {
                Config::load_for_client(config::file(flags.config.clone()).as_deref(), config::environment::variables())?
            }
        };
        let base = match server {
            Some(text) => parse_base(&text)?,
            None => own_address(&config)?,
        };
        let (token, source) = match token {
            Some(token) => (Some(token), TokenSource::Given),
            None => read_token(&config.storage.data_dir.join("admin-token")),
        };
        if token.as_ref().is_some_and(|token| !token.bytes().all(|b| b.is_ascii_graphic())) {
            return Err(Failure::usage(
                "the token holds spaces or other than ASCII, so it is none",
                "copy it anew; it looks like airlock_<id>_<secret>",
            ));
        }
        // Another part of the process may have chosen already, and the same.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("airlock/", env!("CARGO_PKG_VERSION")))
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(CONNECT_WAIT)
            .timeout(ANSWER_WAIT);
        if is_local(&base) {
            builder = builder.no_proxy();
        }
        if base.scheme() == "http" {
            // A machine without certificates can still use a server without TLS.
            builder = builder.tls_certs_only([]);
        }
        let wrong =
            |what: String| Failure::failed(format!("the HTTP client could not be made: {what}"), "this is a fault of the machine's set-up");
        let http = builder.build().map_err(|error| wrong(error.to_string()))?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|error| wrong(error.to_string()))?;
        Ok(Remote { base, http, token, source, runtime })
    }

    pub fn get<T: DeserializeOwned>(&self, path: &[&str], query: &[(&str, String)]) -> Result<Answer<T>, Failure> {
        self.ask(Method::GET, path, query, None).and_then(|text| self.read(text))
    }

    pub fn post<T: DeserializeOwned>(&self, path: &[&str], body: &impl Serialize) -> Result<Answer<T>, Failure> {
        self.send(Method::POST, path, body)
    }

    /// Sends a file as it is.
    pub fn send_whole<T: DeserializeOwned>(&self, path: &[&str], query: &[(&str, String)], file: Vec<u8>) -> Result<Answer<T>, Failure> {
        self.ask(Method::POST, path, query, Some(("application/octet-stream", file))).and_then(|text| self.read(text))
    }

    /// Where the server is reached, with a slash at its end.
    pub fn base(&self) -> &Url {
        &self.base
    }

    pub fn patch<T: DeserializeOwned>(&self, path: &[&str], body: &impl Serialize) -> Result<Answer<T>, Failure> {
        self.send(Method::PATCH, path, body)
    }

    fn send<T: DeserializeOwned>(&self, method: Method, path: &[&str], body: &impl Serialize) -> Result<Answer<T>, Failure> {
        let body =
            serde_json::to_string(body).map_err(|error| Failure::failed(format!("the request could not be written: {error}"), ""))?;
        self.ask(method, path, &[], Some(("application/json", body.into_bytes()))).and_then(|text| self.read(text))
    }

    /// Posts what `write` writes, as it writes it.
    pub fn upload<T: DeserializeOwned>(
        &self,
        path: &[&str],
        query: &[(&str, String)],
        content_type: &'static str,
        write: impl FnOnce(&mut Pieces) -> io::Result<()> + Send + 'static,
    ) -> Result<Answer<T>, Failure> {
        let (writing, waiting) = Pieces::written_by(write);
        let pieces = futures_util::stream::unfold(waiting, |mut waiting| async { waiting.recv().await.map(|piece| (piece, waiting)) });
        let request = self.http.post(self.url(path, query)).header("content-type", content_type);
        let mut request = request.header("accept", "application/json, application/problem+json").body(reqwest::Body::wrap_stream(pieces));
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        let answered = self.runtime.block_on(fetch(request));
        match (writing.join(), answered) {
            (_, Ok((status, text))) if status.is_success() => self.read(text),
            (_, Ok((status, text))) => Err(self.refused(path, status, &text)),
            // That nobody listens any more is no fault of what was to be sent.
            (Ok(Err(error)), Err(_)) if error.kind() != io::ErrorKind::BrokenPipe => {
                Err(Failure::failed(format!("what was to be sent cannot be read: {error}"), "nothing was changed"))
            }
            (_, Err(error)) => Err(self.unanswered(&error)),
        }
    }

    /// The status of a file that is fetched from the registry, by its path there.
    pub fn fetch_file(&self, path: &str) -> Result<u16, Failure> {
        let mut url = self.base.clone();
        url.set_path(&format!("{}{path}", self.base.path()));
        let (status, _) = self.runtime.block_on(fetch(self.http.get(url))).map_err(|error| self.unanswered(&error))?;
        Ok(status.as_u16())
    }

    pub fn delete(&self, path: &[&str]) -> Result<(), Failure> {
        self.ask(Method::DELETE, path, &[], None).map(|_| ())
    }

    fn read<T: DeserializeOwned>(&self, text: String) -> Result<Answer<T>, Failure> {
        let read = serde_json::from_str(&text).map_err(|error| {
            let wrong = format!("what {} answered is not what this version of airlock knows: {error}", self.base);
            Failure::failed(wrong, "use the same version of airlock on both sides, or name another server with --server")
        })?;
        Ok(Answer { read, text })
    }

    fn url(&self, path: &[&str], query: &[(&str, String)]) -> Url {
        let mut url = self.base.clone();
        let segments: Vec<String> = path.iter().map(|segment| utf8_percent_encode(segment, SEGMENT).to_string()).collect();
        url.set_path(&format!("{}-/airlock/v1/{}", self.base.path(), segments.join("/")));
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        url
    }

    fn ask(&self, method: Method, path: &[&str], query: &[(&str, String)], body: Option<(&str, Vec<u8>)>) -> Result<String, Failure> {
        let mut request =
            self.http.request(method.clone(), self.url(path, query)).header("accept", "application/json, application/problem+json");
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        if method != Method::GET {
            request = request.header("idempotency-key", random_key()?);
        }
        if let Some((media_type, body)) = body {
            request = request.header("content-type", media_type).body(body);
        }
        let (status, text) = self.runtime.block_on(fetch(request)).map_err(|error| self.unanswered(&error))?;
        if status.is_success() { Ok(text) } else { Err(self.refused(path, status, &text)) }
    }

    fn unanswered(&self, error: &Unanswered) -> Failure {
        const ELSEWHERE: &str = "name another with --server URL or AIRLOCK_SERVER";
        match error {
            Unanswered::TooLong => {
                Failure::failed(format!("the answer of {} is longer than {ANSWER_BYTES_MAX} bytes", self.base), "ask for less with --limit")
            }
            Unanswered::Transport(error) if error.is_timeout() => {
                Failure::failed(format!("{} did not answer in time", self.base), format!("see its log and its load, or {ELSEWHERE}"))
            }
            Unanswered::Transport(error) if error.is_connect() => {
                let wrong = format!("no Airlock answers at {}: {}", self.base, root_cause(error));
                Failure::failed(wrong, format!("start one with `airlock serve` or {ELSEWHERE}"))
            }
            Unanswered::Transport(error) => Failure::failed(
                format!("the talk with {} broke off: {}", self.base, root_cause(error)),
                format!("try again, or {ELSEWHERE}"),
            ),
        }
    }

    fn refused(&self, path: &[&str], status: StatusCode, text: &str) -> Failure {
        let Ok(problem) = serde_json::from_str::<ProblemView>(text) else {
            let wrong = format!("what answers at {} is not Airlock, or stands before it: HTTP {status}", self.base);
            return Failure::failed(wrong, "name Airlock's own address with --server URL or AIRLOCK_SERVER");
        };
        let detail = printable(problem.detail.as_deref().unwrap_or(&problem.title), PROBLEM_BYTES_MAX);
        let remedy = match status {
            StatusCode::UNAUTHORIZED => self.about_token("is not accepted"),
            StatusCode::FORBIDDEN => self.about_token("does not allow it"),
            StatusCode::CONFLICT if path.last() == Some(&"decisions") => {
                "see where it stands now with `airlock explain`, and decide again".to_owned()
            }
            StatusCode::TOO_MANY_REQUESTS => "wait a moment and try again".to_owned(),
            other if other.is_server_error() => format!("see the log of the Airlock at {}", self.base),
            _ => String::new(),
        };
        match status {
            StatusCode::BAD_REQUEST | StatusCode::UNPROCESSABLE_ENTITY | StatusCode::PAYLOAD_TOO_LARGE => Failure::usage(detail, remedy),
            _ => Failure::failed(detail, remedy),
        }
    }

    fn about_token(&self, verdict: &str) -> String {
        const OTHER: &str = "give another with --token or AIRLOCK_TOKEN";
        match &self.source {
            TokenSource::Given => format!("the token that was given {verdict}; {OTHER}"),
            TokenSource::File(path) => format!("the token in {} {verdict}; {OTHER}", path.display()),
            TokenSource::None(why) => format!(
                "no token was sent, because {why}: run this where Airlock was started, name its configuration with --config, or give a token with --token or AIRLOCK_TOKEN"
            ),
        }
    }
}

/// Asks the server of `config`, on this machine, whether it can serve. Any certificate will do: nothing secret is sent, and the
/// certificate is for the public name.
pub fn ready(config: &Config) -> Result<String, Failure> {
    let here = Config { server: config::server::Server { public_url: None, ..config.server.clone() }, ..config.clone() };
    let base = own_address(&here)?;
    let _ = rustls::crypto::ring::default_provider().install_default();
    let wrong =
        |what: String| Failure::failed(format!("the HTTP client could not be made: {what}"), "this is a fault of the machine's set-up");
    let builder = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).timeout(READY_WAIT).no_proxy();
    let http = builder.tls_danger_accept_invalid_certs(true).build().map_err(|error| wrong(error.to_string()))?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|error| wrong(error.to_string()))?;
    let mut url = base.clone();
    url.set_path("/-/airlock/readyz");
    let (status, text) = runtime.block_on(fetch(http.get(url))).map_err(|error| match error {
        Unanswered::Transport(error) => Failure::failed(format!("no Airlock answers at {base}: {}", root_cause(&error)), "see its log"),
        Unanswered::TooLong => Failure::failed(format!("what answers at {base} is not Airlock"), ""),
    })?;
    let text = printable(text.trim(), PROBLEM_BYTES_MAX);
    if status.is_success() { Ok(text) } else { Err(Failure::failed(format!("{base} is not ready: HTTP {status}, {text}"), "see its log")) }
}

enum Unanswered {
    TooLong,
    Transport(reqwest::Error),
}

async fn fetch(request: reqwest::RequestBuilder) -> Result<(StatusCode, String), Unanswered> {
    let mut response = request.send().await.map_err(Unanswered::Transport)?;
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(Unanswered::Transport)? {
        if body.len() + chunk.len() > ANSWER_BYTES_MAX {
            return Err(Unanswered::TooLong);
        }
        body.extend_from_slice(&chunk);
    }
    Ok((response.status(), String::from_utf8_lossy(&body).into_owned()))
}

/// The innermost reason, `Connection refused (os error 111)`, without the layers around it.
fn root_cause(error: &reqwest::Error) -> String {
    const DEPTH_MAX: usize = 16;
    let mut cause: &dyn std::error::Error = error;
    for _ in 0..DEPTH_MAX {
        match cause.source() {
            Some(source) => cause = source,
            None => break,
        }
    }
    printable(&cause.to_string(), PROBLEM_BYTES_MAX)
}

fn random_key() -> Result<String, Failure> {
    let mut key = [0_u8; 16];
    getrandom::fill(&mut key).map_err(|error| Failure::failed(format!("the system gave no random bytes: {error}"), ""))?;
    Ok(data_encoding::HEXLOWER.encode(&key))
}

fn parse_base(text: &str) -> Result<Url, Failure> {
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
fn is_local(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

fn read_token(path: &Path) -> (Option<String>, TokenSource) {
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
    use crate::admin::wire::Tokens;
    use std::io::BufRead;
    use std::io::BufReader;
    use std::io::Write;
    use std::net::TcpListener;
    use std::thread::JoinHandle;

    /// A server that answers one request, and gives back the request's head.
    fn answering(status: &str, kind: &str, body: &str) -> (RemoteFlags, JoinHandle<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let server = format!("http://{}/", listener.local_addr().unwrap());
        let answer =
            format!("HTTP/1.1 {status}\r\ncontent-type: {kind}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}", body.len());
        let heard = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let lines = BufReader::new(stream.try_clone().unwrap()).lines().map(Result::unwrap).take_while(|line| !line.is_empty());
            let head = lines.collect::<Vec<_>>().join("\n");
            stream.write_all(answer.as_bytes()).unwrap();
            head
        });
        (RemoteFlags { server: Some(server), token: Some("s3cret".to_owned()), ..RemoteFlags::default() }, heard)
    }

    fn told(status: &str, body: &str) -> String {
        let (flags, heard) = answering(status, "application/problem+json", body);
        let failure = Remote::new(&flags).unwrap().get::<Tokens>(&["tokens"], &[]).map(|_| ()).unwrap_err();
        heard.join().unwrap();
        assert_eq!(failure.code(), 1);
        failure.to_string()
    }

    #[test]
    fn a_question_carries_the_token_and_an_encoded_name() {
        let (flags, heard) = answering("200 OK", "application/json", r#"{"tokens":[]}"#);
        let answer =
            Remote::new(&flags).unwrap().get::<Tokens>(&["releases", "@acme/web", "1.0.0+b"], &[("after", "a b".to_owned())]).unwrap();
        assert_eq!(answer.text, r#"{"tokens":[]}"#);
        let head = heard.join().unwrap();
        assert!(head.starts_with("GET /-/airlock/v1/releases/@acme%2Fweb/1.0.0%2Bb?after=a+b HTTP/1.1"), "{head}");
        assert!(head.contains("authorization: Bearer s3cret"), "{head}");
    }

    #[test]
    fn a_change_carries_a_key_of_its_own() {
        let (flags, heard) = answering("204 No Content", "text/plain", "");
        Remote::new(&flags).unwrap().delete(&["tokens", "x"]).unwrap();
        let head = heard.join().unwrap();
        assert!(head.starts_with("DELETE /-/airlock/v1/tokens/x ") && head.contains("idempotency-key: "), "{head}");
    }

    #[test]
    fn a_refusal_is_told_in_the_servers_words_with_what_to_do() {
        let problem = |status: u16, detail: &str| format!(r#"{{"type":"about:blank","title":"No","status":{status},"detail":"{detail}"}}"#);
        let forbidden = told("403 Forbidden", &problem(403, "this needs the role approver"));
        assert!(forbidden.starts_with("this needs the role approver\n") && forbidden.contains("--token"), "{forbidden}");
        assert_eq!(told("409 Conflict", &problem(409, "the name is taken \\u001b[31m")), "the name is taken \u{fffd}[31m");
        let (flags, _) = answering("409 Conflict", "application/problem+json", &problem(409, "the bytes moved"));
        let decided = Remote::new(&flags).unwrap().post::<Tokens>(&["releases", "x", "1.0.0", "decisions"], &()).map(|_| ());
        let decided = decided.unwrap_err().to_string();
        assert!(decided.starts_with("the bytes moved\n") && decided.contains("airlock explain"), "{decided}");
        assert_eq!(told("404 Not Found", &problem(404, "left-pad@9.9.9 was never seen")), "left-pad@9.9.9 was never seen");
        assert!(!told("401 Unauthorized", &problem(401, "no")).contains("s3cret"));
    }

    #[test]
    fn what_is_not_airlock_is_told() {
        for (status, body) in [("200 OK", "<html>"), ("404 Not Found", "<html>"), ("302 Found", ""), ("200 OK", r#"{"token":1}"#)] {
            let told = told(status, body);
            assert!(
                told.contains("--server") && (told.contains("not Airlock") || told.contains("not what this version")),
                "{status}: {told}"
            );
        }
    }

    #[test]
    fn nobody_there_is_told() {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let flags = RemoteFlags { server: Some(format!("http://127.0.0.1:{port}")), token: Some("x".to_owned()), ..RemoteFlags::default() };
        let told = Remote::new(&flags).unwrap().get::<Tokens>(&["tokens"], &[]).map(|_| ()).unwrap_err().to_string();
        assert!(told.starts_with(&format!("no Airlock answers at http://127.0.0.1:{port}/: ")) && told.contains("airlock serve"), "{told}");
    }

    #[test]
    fn a_server_and_a_token_are_checked_before_anything_is_sent() {
        let check = |server: &str, token: &str| {
            let flags = RemoteFlags { server: Some(server.to_owned()), token: Some(token.to_owned()), ..RemoteFlags::default() };
            Remote::new(&flags).map(|_| ()).map_err(|failure| (failure.code(), failure.to_string()))
        };
        for (server, token) in [
            ("airlock", "x"),
            ("ftp://a.example", "x"),
            ("http://me:hunter2@a.example/", "x"),
            ("http://a.example/?q", "x"),
            ("http://a.example/", "a b"),
        ] {
            let (code, text) = check(server, token).unwrap_err();
            assert!(code == 2 && !text.contains("hunter2"), "{server}: {text}");
        }
        assert_eq!(check("https://a.example/npm", "x"), Ok(()));
    }

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
