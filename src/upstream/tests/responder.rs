//! A registry made of a function, on a port of its own; it keeps what it was asked.

use std::fmt::Write;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;

use flate2::Compression;
use flate2::write::GzEncoder;
use tokio::io::AsyncReadExt;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

/// A request.
#[derive(Clone, Debug)]
pub struct Asked {
    pub method: String,
    pub target: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    /// How many requests came before this one.
    pub before: usize,
}

impl Asked {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

#[derive(Clone, Debug, Default)]
pub struct Reply {
    bytes: Vec<u8>,
    /// Written only when this has a permit.
    gate: Option<Arc<Semaphore>>,
    then: Then,
}

#[derive(Clone, Copy, PartialEq, Debug, Default)]
enum Then {
    #[default]
    NextRequest,
    Close,
    /// Keep the connection open and say no more.
    Silence,
    /// A chunk of one byte, again and again.
    Drip,
}

impl Reply {
    pub fn new(status: u16, headers: &[(&str, &str)], body: impl AsRef<[u8]>) -> Reply {
        let body = body.as_ref();
        let length = body.len().to_string();
        let mut all = vec![("content-length", length.as_str())];
        all.extend_from_slice(headers);
        Reply::raw(status, &all, body)
    }

    /// No header of its own.
    pub fn raw(status: u16, headers: &[(&str, &str)], body: impl AsRef<[u8]>) -> Reply {
        let mut head = format!("HTTP/1.1 {status} Said\r\n");
        for (name, value) in headers {
            write!(head, "{name}: {value}\r\n").unwrap();
        }
        let mut bytes = format!("{head}\r\n").into_bytes();
        bytes.extend_from_slice(body.as_ref());
        Reply { bytes, ..Reply::default() }
    }

    pub fn ok(body: impl AsRef<[u8]>) -> Reply {
        Reply::new(200, &[], body)
    }

    pub fn status(status: u16) -> Reply {
        Reply::new(status, &[], "")
    }

    pub fn redirect(location: &str) -> Reply {
        Reply::new(302, &[("location", location)], "")
    }

    /// One chunk and the end of the body, unless that is cut off.
    pub fn chunked(body: &[u8], ended: bool) -> Reply {
        let mut chunks = format!("{:x}\r\n", body.len()).into_bytes();
        chunks.extend_from_slice(body);
        chunks.extend_from_slice(if ended { b"\r\n0\r\n\r\n" } else { b"\r\n" });
        let reply = Reply::raw(200, &[("transfer-encoding", "chunked")], chunks);
        if ended { reply } else { reply.then_close() }
    }

    pub fn hang_up() -> Reply {
        Reply::default().then_close()
    }

    pub fn then_close(self) -> Reply {
        Reply { then: Then::Close, ..self }
    }

    pub fn then_silence(self) -> Reply {
        Reply { then: Then::Silence, ..self }
    }

    pub fn dripping() -> Reply {
        Reply { then: Then::Drip, ..Reply::raw(200, &[("transfer-encoding", "chunked")], "") }
    }

    pub fn gated(self, gate: &Arc<Semaphore>) -> Reply {
        Reply { gate: Some(Arc::clone(gate)), ..self }
    }
}

pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    std::io::Write::write_all(&mut encoder, bytes).unwrap();
    encoder.finish().unwrap()
}

#[derive(Default)]
struct Log {
    asked: Mutex<Vec<Asked>>,
    connections: AtomicUsize,
}

pub struct Responder {
    port: u16,
    log: Arc<Log>,
    task: JoinHandle<()>,
}

impl Drop for Responder {
    fn drop(&mut self) {
        self.task.abort();
    }
}

type Answer = Arc<dyn Fn(&Asked) -> Reply + Send + Sync>;

impl Responder {
    pub async fn start(answer: impl Fn(&Asked) -> Reply + Send + Sync + 'static) -> Responder {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let log = Arc::new(Log::default());
        let answer: Answer = Arc::new(answer);
        let kept = Arc::clone(&log);
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                kept.connections.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(talk(stream, Arc::clone(&answer), Arc::clone(&kept)));
            }
        });
        Responder { port, log, task }
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}/{path}", self.port)
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    pub fn asked(&self) -> Vec<Asked> {
        self.log.asked.lock().unwrap().clone()
    }

    pub fn targets(&self) -> Vec<String> {
        self.asked().into_iter().map(|asked| asked.target).collect()
    }

    pub fn hits(&self) -> usize {
        self.asked().len()
    }

    pub fn connections(&self) -> usize {
        self.log.connections.load(Ordering::SeqCst)
    }
}

async fn talk(mut stream: TcpStream, answer: Answer, log: Arc<Log>) {
    while let Some(head) = head(&mut stream).await {
        let mut asked = parse(&head);
        let length = asked.header("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
        asked.body = vec![0; length];
        if stream.read_exact(&mut asked.body).await.is_err() {
            return;
        }
        let reply = {
            let mut all = log.asked.lock().unwrap();
            let asked = Asked { before: all.len(), ..asked };
            all.push(asked.clone());
            drop(all);
            answer(&asked)
        };
        if let Some(gate) = &reply.gate {
            gate.acquire().await.unwrap().forget();
        }
        if stream.write_all(&reply.bytes).await.is_err() {
            return;
        }
        match reply.then {
            Then::NextRequest => {}
            Then::Close => return,
            Then::Drip => {
                while stream.write_all(b"1\r\nx\r\n").await.is_ok() {
                    tokio::task::yield_now().await;
                }
                return;
            }
            Then::Silence => {
                // Ends when the other side hangs up.
                let _ = stream.read(&mut [0]).await;
                return;
            }
        }
    }
}

async fn head(stream: &mut TcpStream) -> Option<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    String::from_utf8(head).ok()
}

fn parse(head: &str) -> Asked {
    let mut lines = head.lines();
    let mut first = lines.next().unwrap().split(' ').map(str::to_owned);
    let (method, target) = (first.next().unwrap(), first.next().unwrap());
    let header = |line: &str| line.split_once(": ").map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()));
    Asked { method, target, headers: lines.filter_map(header).collect(), body: Vec::new(), before: 0 }
}
