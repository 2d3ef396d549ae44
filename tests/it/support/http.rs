//! A small HTTP/1.1 client that sends a path exactly as given and shows the reason phrase: both matter here, and
//! well-behaved clients hide them. One connection a request.

use std::io;
use std::net::SocketAddr;

use bytes::Bytes;
use tokio::io::AsyncReadExt;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use super::within;

/// A request to be sent as it stands.
#[derive(Clone, Debug)]
pub struct Call {
    address: SocketAddr,
    method: String,
    path: String,
    headers: Vec<(String, String)>,
    body: Option<Vec<u8>>,
}

#[derive(Clone, Debug)]
pub struct Reply {
    pub status: u16,
    /// The words after the status code on the first line.
    pub reason: String,
    /// In order, as spelt by the server.
    pub headers: Vec<(String, String)>,
    pub body: Bytes,
    /// Whether as many bytes came as were announced.
    pub complete: bool,
}

impl Call {
    /// `path` goes onto the wire byte for byte.
    pub fn new(address: SocketAddr, method: &str, path: &str) -> Call {
        Call { address, method: method.to_owned(), path: path.to_owned(), headers: Vec::new(), body: None }
    }

    pub fn get(address: SocketAddr, path: &str) -> Call {
        Call::new(address, "GET", path)
    }

    pub fn header(mut self, name: &str, value: &str) -> Call {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub fn bearer(self, token: &str) -> Call {
        self.header("authorization", &format!("Bearer {token}"))
    }

    pub fn json(mut self, value: &serde_json::Value) -> Call {
        self.body = Some(value.to_string().into_bytes());
        self.header("content-type", "application/json")
    }

    pub fn body(mut self, bytes: &[u8]) -> Call {
        self.body = Some(bytes.to_vec());
        self
    }

    /// Sends it and reads the answer to its end.
    pub async fn send(self) -> Reply {
        let what = format!("the answer to {} {}", self.method, self.path);
        self.try_send(|| ()).await.unwrap_or_else(|error| panic!("{what}: {error}"))
    }

    /// The same where the server may be gone: an error when there is no whole head. `step` is called when the request is
    /// sent, and whenever something of the answer came.
    pub async fn try_send(self, step: impl Fn()) -> io::Result<Reply> {
        let what = format!("the answer to {} {}", self.method, self.path);
        within(&what, async {
            let mut socket = TcpStream::connect(self.address).await?;
            // A server may refuse a body before it has read all of it; its answer still counts.
            _ = socket.write_all(&self.bytes()).await;
            step();
            let mut answer = Vec::new();
            while let Ok(count) = socket.read_buf(&mut answer).await
                && count > 0
            {
                step();
            }
            let no_head = || io::Error::other(format!("no HTTP: {:?}", String::from_utf8_lossy(&answer)));
            Reply::parse(&answer, self.method == "HEAD").ok_or_else(no_head)
        })
        .await
    }

    fn bytes(&self) -> Vec<u8> {
        let given = |name: &str| self.headers.iter().any(|(given, _)| given.eq_ignore_ascii_case(name));
        let mut head = format!("{} {} HTTP/1.1\r\n", self.method, self.path);
        if !given("host") {
            head += &format!("Host: {}\r\n", self.address);
        }
        if !given("connection") {
            head += "Connection: close\r\n";
        }
        for (name, value) in &self.headers {
            head += &format!("{name}: {value}\r\n");
        }
        let body = self.body.clone().unwrap_or_default();
        if self.body.is_some() && !given("content-length") && !given("transfer-encoding") {
            head += &format!("Content-Length: {}\r\n", body.len());
        }
        [head.as_bytes(), b"\r\n", &body].concat()
    }
}

impl Reply {
    /// `None` when there is no whole head.
    fn parse(bytes: &[u8], to_head: bool) -> Option<Reply> {
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n")?;
        let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
        let mut lines = head.split("\r\n");
        let mut first = lines.next()?.splitn(3, ' ').skip(1);
        let status = first.next()?.parse().ok()?;
        let reason = first.next().unwrap_or("").to_owned();
        let headers =
            lines.filter_map(|line| line.split_once(':')).map(|(name, value)| (name.to_owned(), value.trim().to_owned())).collect();
        let mut reply = Reply { status, reason, headers, body: Bytes::copy_from_slice(&bytes[end + 4..]), complete: true };
        if (100..200).contains(&status) {
            return Reply::parse(&bytes[end + 4..], to_head);
        }
        if reply.header("transfer-encoding").is_some_and(|coding| coding.eq_ignore_ascii_case("chunked")) {
            (reply.body, reply.complete) = unchunked(&reply.body);
        } else if let Some(length) = reply.header("content-length") {
            reply.complete = to_head || status == 304 || length.parse() == Ok(reply.body.len());
        }
        Some(reply)
    }

    /// The first header of this name, compared without case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(given, _)| given.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }
}

/// The body without its chunk frames, and whether its last chunk came.
fn unchunked(mut framed: &[u8]) -> (Bytes, bool) {
    let mut body = Vec::new();
    loop {
        let line_end = framed.windows(2).position(|two| two == b"\r\n");
        let size =
            line_end.and_then(|end| usize::from_str_radix(std::str::from_utf8(&framed[..end]).ok()?.split(';').next()?.trim(), 16).ok());
        let (Some(end), Some(size)) = (line_end, size) else { return (body.into(), false) };
        framed = &framed[end + 2..];
        if size == 0 {
            return (body.into(), true);
        }
        body.extend_from_slice(&framed[..size.min(framed.len())]);
        if framed.len() < size + 2 {
            return (body.into(), false);
        }
        framed = &framed[size + 2..];
    }
}
