//! A request whose body does not come, or comes piece by piece as a test says.

use tokio::io::AsyncReadExt;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use super::airlock::Airlock;
use super::within;

/// The length that is announced: more than any test sends.
const LENGTH: u64 = 50_000_000;

pub struct Slow(TcpStream);

impl Slow {
    /// Sends the head.
    pub async fn begin(airlock: &Airlock, method: &str, path: &str, token: &str) -> Slow {
        let mut socket = TcpStream::connect(airlock.address()).await.unwrap();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json\r\n\
             Content-Length: {LENGTH}\r\n\r\n",
            airlock.address()
        );
        socket.write_all(head.as_bytes()).await.unwrap();
        Slow(socket)
    }

    /// Sends the next piece of the body. A server may have hung up by now; its answer still counts.
    pub async fn send(&mut self, piece: &str) {
        _ = self.0.write_all(piece.as_bytes()).await;
    }

    /// A publish whose tarball has begun, and goes on.
    pub async fn publish(airlock: &Airlock, name: &str, token: &str) -> Slow {
        let mut slow = Slow::begin(airlock, "PUT", &format!("/{}", name.replace('/', "%2f")), token).await;
        slow.send(&format!(r#"{{"_attachments":{{"{name}-1.0.0.tgz":{{"data":"{}"#, "A".repeat(400_000))).await;
        slow
    }

    /// What is answered while nothing more is sent, head and all.
    pub async fn answer(mut self) -> String {
        let mut answer = Vec::new();
        within("an answer to half a body", async { while self.0.read_buf(&mut answer).await.unwrap_or(0) > 0 {} }).await;
        String::from_utf8_lossy(&answer).into_owned()
    }
}
