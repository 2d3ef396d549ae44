//! The client of Airlock's own API: finds the server and the token, asks, and says in words what went wrong.

pub mod place;

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use percent_encoding::AsciiSet;
use percent_encoding::NON_ALPHANUMERIC;
use percent_encoding::utf8_percent_encode;
use reqwest::Method;
use reqwest::StatusCode;
use serde::Serialize;
use serde::de::DeserializeOwned;
use url::Url;

use crate::admin::wire::ProblemView;
use crate::cli::failure::Failure;
use crate::cli::pieces::Pieces;
use crate::cli::remote::place::TokenSource;
use crate::cli::remote::place::is_local;
use crate::cli::remote::place::own_address;
use crate::cli::remote::place::parse_base;
use crate::cli::remote::place::read_token;
use crate::config;
use crate::config::Config;
use crate::model::finding::printable;

const CONNECT_WAIT: Duration = Duration::from_secs(10);
/// Proving a large ledger takes as long as reading it from disk.
const ANSWER_WAIT: Duration = Duration::from_secs(600);
const READY_WAIT: Duration = Duration::from_secs(4);
const ANSWER_BYTES_MAX: usize = 64_000_000;
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
        let request = self.request(&Method::POST, path, query)?.header("content-type", content_type);
        let request = request.body(reqwest::Body::wrap_stream(pieces));
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

    /// A question with the token; what may change something has a key of its own, so that sent twice it is done once.
    fn request(&self, method: &Method, path: &[&str], query: &[(&str, String)]) -> Result<reqwest::RequestBuilder, Failure> {
        let mut request = self.http.request(method.clone(), self.url(path, query));
        request = request.header("accept", "application/json, application/problem+json");
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        if *method != Method::GET {
            request = request.header("idempotency-key", random_key()?);
        }
        Ok(request)
    }

    fn ask(&self, method: Method, path: &[&str], query: &[(&str, String)], body: Option<(&str, Vec<u8>)>) -> Result<String, Failure> {
        let mut request = self.request(&method, path, query)?;
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

#[cfg(test)]
mod tests;
