//! The real binary, started as its users start it, spoken to over its socket, and ended gently or not at all gently.

use std::io::BufRead;
use std::io::BufReader;
use std::io::Read;
use std::net::SocketAddr;
use std::net::TcpStream;
use std::path::Path;
use std::path::PathBuf;
use std::process::Child;
use std::process::Command;
use std::process::ExitStatus;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use tempfile::TempDir;
use tokio::sync::watch;
use url::Url;

use super::command;
use super::command::Outcome;
use super::upstream::Upstream;
use super::within;

/// How long a subcommand may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// How the binary is to be started. Nothing of the machine's environment reaches it but `PATH`.
#[derive(Clone, Debug)]
pub struct Launch {
    folder: Arc<TempDir>,
    upstream: String,
    config: Option<String>,
    arguments: Vec<String>,
    environment: Vec<(String, String)>,
}

/// A running server. Dropping it kills the process.
#[derive(Debug)]
pub struct Server {
    launch: Launch,
    child: Child,
    lines: watch::Receiver<Lines>,
    url: Url,
}

#[derive(Clone, Debug, Default)]
struct Lines {
    said: Vec<String>,
    /// Of the two streams, how many have ended.
    ended: usize,
}

impl Launch {
    pub fn at(upstream: &Upstream) -> Launch {
        Launch::at_url(upstream.url().as_str())
    }

    pub fn at_url(upstream: &str) -> Launch {
        Launch {
            folder: Arc::new(TempDir::new().unwrap()),
            upstream: upstream.to_owned(),
            config: None,
            arguments: Vec::new(),
            environment: Vec::new(),
        }
    }

    /// The text of its `airlock.toml`.
    pub fn config(mut self, toml: &str) -> Launch {
        self.config = Some(toml.to_owned());
        self
    }

    pub fn argument(mut self, argument: &str) -> Launch {
        self.arguments.push(argument.to_owned());
        self
    }

    pub fn environment(mut self, name: &str, value: &str) -> Launch {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    pub fn data_dir(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Any subcommand, with this launch's home and environment.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_airlock"));
        command.args(arguments).current_dir(self.folder.path()).env_clear();
        command.env("PATH", "/usr/bin:/bin").env("HOME", self.folder.path()).envs(self.environment.iter().cloned());
        command
    }

    fn serve(&self) -> Command {
        let mut command = self.command(&["serve", "--listen", "127.0.0.1:0", "--upstream", &self.upstream]);
        command.arg("--data-dir").arg(self.data_dir()).args(&self.arguments);
        if let Some(config) = &self.config {
            let path = self.folder.path().join("airlock.toml");
            std::fs::write(&path, config).unwrap();
            command.arg("--config").arg(path);
        }
        command
    }

    /// Runs a subcommand to its end.
    pub async fn run(&self, arguments: &[&str]) -> Outcome {
        let command = self.command(arguments);
        tokio::task::spawn_blocking(move || command::run(command, PATIENCE).unwrap()).await.unwrap()
    }

    /// Starts it and waits until it serves.
    pub async fn start(self) -> Server {
        let mut child = self.serve().stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let (sender, mut lines) = watch::channel(Lines::default());
        let sender = Arc::new(sender);
        listen(child.stdout.take().unwrap(), &sender);
        listen(child.stderr.take().unwrap(), &sender);
        drop(sender);
        let ready = lines.wait_for(|lines| lines.ended == 2 || lines.said.iter().any(|line| address_in(line).is_some()));
        let said = within("the server's address", ready).await.unwrap().said.clone();
        let Some(url) = said.iter().find_map(|line| address_in(line)) else {
            panic!("it ended before it served ({}):\n{}", child.wait().unwrap(), said.join("\n"));
        };
        Server { launch: self, child, lines, url }
    }

    /// Starts it where it is expected to give up by itself.
    pub async fn fails(self) -> Outcome {
        let command = self.serve();
        tokio::task::spawn_blocking(move || command::run(command, PATIENCE).unwrap()).await.unwrap()
    }
}

/// The address in the one line that a developer pastes: `npm config set registry http://127.0.0.1:4873/`.
fn address_in(line: &str) -> Option<Url> {
    let (_, rest) = line.split_once("npm config set registry ")?;
    Url::parse(rest.split_whitespace().next()?).ok()
}

fn listen(stream: impl Read + Send + 'static, lines: &Arc<watch::Sender<Lines>>) {
    let lines = Arc::clone(lines);
    std::thread::spawn(move || {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            lines.send_modify(|lines| lines.said.push(line));
        }
        lines.send_modify(|lines| lines.ended += 1);
    });
}

impl Server {
    /// With a slash at its end.
    pub fn url(&self) -> &Url {
        &self.url
    }

    pub fn address(&self) -> SocketAddr {
        self.url.socket_addrs(|| None).unwrap()[0]
    }

    pub fn process_id(&self) -> u32 {
        self.child.id()
    }

    pub fn data_dir(&self) -> PathBuf {
        self.launch.data_dir()
    }

    pub fn admin_token(&self) -> String {
        std::fs::read_to_string(self.data_dir().join("admin-token")).unwrap().trim().to_owned()
    }

    /// Everything it has said so far on either stream.
    pub fn said(&self) -> String {
        self.lines.borrow().said.join("\n")
    }

    /// Waits until a line of either stream holds `text`.
    pub async fn says(&self, text: &str) {
        let mut lines = self.lines.clone();
        within(&format!("the server to say {text:?}"), async {
            _ = lines.wait_for(|lines| lines.said.iter().any(|line| line.contains(text))).await.unwrap();
        })
        .await;
    }

    /// A subcommand that talks to this server as its admin.
    pub async fn run(&self, arguments: &[&str]) -> Outcome {
        let mut command = self.launch.command(arguments);
        command.env("AIRLOCK_SERVER", self.url.as_str()).env("AIRLOCK_TOKEN", self.admin_token());
        tokio::task::spawn_blocking(move || command::run(command, PATIENCE).unwrap()).await.unwrap()
    }

    /// The same by its words: `explain left-pad --json`.
    pub async fn run_line(&self, line: &str) -> Outcome {
        self.run(&line.split_whitespace().collect::<Vec<&str>>()).await
    }

    /// kill -9: nothing is finished, nothing is flushed. The data stays with the launch that comes back.
    pub fn kill(mut self) -> Launch {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self.launch.clone()
    }

    /// SIGTERM, and how it ended; the data stays with the launch that comes back.
    pub async fn stop(mut self) -> (ExitStatus, Launch) {
        assert!(command::signal("TERM", self.child.id()));
        within("an orderly stop", self.lines.wait_for(|lines| lines.ended == 2)).await.unwrap();
        (self.child.wait().unwrap(), self.launch.clone())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        _ = self.child.kill();
        _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("the server said:\n{}", self.said());
        }
    }
}

/// Whether somebody listens there.
pub fn is_open(address: SocketAddr) -> bool {
    TcpStream::connect(address).is_ok()
}

/// Every file below a folder, for tests that damage them.
pub fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { files.extend(files_below(&path)) } else { files.push(path) }
    }
    files.sort();
    files
}
