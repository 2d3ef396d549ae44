//! What lies ready is answered on a kept connection without further ado: the same answers, and no other, as everything gets.

use tokio::io::AsyncReadExt;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use super::BRIEF;
use crate::support::airlock::Airlock;
use crate::support::scenario::Scenario;
use crate::support::within;

const FILE: &str = "/@acme%2fweb/-/web-1.0.0.tgz";

/// An answer without what no two have in common.
#[derive(PartialEq, Eq, Debug)]
struct Answer {
    status: String,
    fields: Vec<String>,
    body: Vec<u8>,
}

impl Answer {
    fn parse(bytes: &[u8]) -> Answer {
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n").unwrap();
        let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
        let mut lines = head.split("\r\n");
        let status = lines.next().unwrap().to_owned();
        let own = ["date:", "airlock-request-id:", "connection:"];
        let mut fields: Vec<String> = lines.filter(|line| !own.iter().any(|name| line.starts_with(name))).map(str::to_owned).collect();
        fields.sort();
        Answer { status, fields, body: bytes[end + 4..].to_vec() }
    }
}

async fn exchange(airlock: &Airlock, said: &str) -> Vec<u8> {
    let mut socket = TcpStream::connect(airlock.address()).await.unwrap();
    socket.write_all(said.as_bytes()).await.unwrap();
    let mut heard = Vec::new();
    within("an answer", socket.read_to_end(&mut heard)).await.unwrap();
    heard
}

/// The answer on a connection that goes on, and the one on a connection that ends, which hyper serves.
async fn both(airlock: &Airlock, request: &str, fields: &[(&str, &str)]) -> (Answer, Answer) {
    let given: String = fields.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let host = airlock.address();
    let ask = |more: &str| format!("{request} HTTP/1.1\r\nhost: {host}\r\n{given}{more}\r\n");
    let last = format!("GET /-/ping HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n");
    let kept = exchange(airlock, &(ask("") + &last)).await;
    // Where the request was none, nothing is answered after it.
    let ping = kept.windows(15).rposition(|bytes| bytes == b"HTTP/1.1 200 OK").filter(|at| *at > 0).unwrap_or(kept.len());
    (Answer::parse(&kept[..ping]), Answer::parse(&exchange(airlock, &ask("connection: close\r\n")).await))
}

async fn web() -> Airlock {
    // Large enough, packed and plain, to be sent by the system from a file.
    let files: serde_json::Map<String, serde_json::Value> = (0..2_000_u64)
        .map(|number| (format!("./{number}"), format!("./{:016x}", number.wrapping_mul(0x9e37_79b9_7f4a_7c15)).into()))
        .collect();
    let scenario = Scenario::new().package("@acme/web", |p| {
        p.release("1.0.0").field("bin", serde_json::Value::Object(files));
        p.release("1.1.0").age("9h");
    });
    let airlock = scenario.gated().await;
    assert_eq!(airlock.tarball("@acme/web", "1.0.0").await.status, 200);
    airlock
}

#[tokio::test]
async fn what_lies_ready_is_answered_as_everything_is() {
    let airlock = web().await;
    let reader = airlock.as_admin("POST", "/-/airlock/v1/tokens").json(&serde_json::json!({"name": "ci", "role": "reader"})).send().await;
    let bearer = format!("Bearer {}", reader.json()["token"].as_str().unwrap());
    let fields: [&[(&str, &str)]; 9] = [
        &[],
        &[("accept-encoding", "gzip"), ("user-agent", "npm/11")],
        &[("Accept", BRIEF), ("ACCEPT-ENCODING", "br, gzip;q=0.9")],
        &[("if-none-match", "*")],
        &[("if-modified-since", "Fri, 31 Dec 2100 00:00:00 GMT")],
        &[("authorization", &bearer)],
        &[("authorization", "Bearer airlock_no_token")],
        &[("host", "twice.example")],
        &[("x-forwarded-host", "evil.example"), ("range", "bytes=0-3")],
    ];
    let paths = [
        "/@acme%2fweb",
        "/@acme/web?write=true",
        "/@acme%2fweb?x",
        "/@acme%2fweb?write=true#y",
        "/@acme%2fweb?a#&write=true",
        "/@acme%2fweb?a<b",
        FILE,
        "/@acme%2fweb/latest",
        "/@acme%2fnobody",
        "/%zz",
    ];
    for path in paths {
        for given in fields {
            for method in ["GET", "HEAD"] {
                let request = format!("{method} {path}");
                // Twice, since the first may be what makes it ready.
                both(&airlock, &request, given).await;
                let (kept, closed) = both(&airlock, &request, given).await;
                assert_eq!(kept, closed, "{request} {given:?}");
            }
        }
    }
    let (kept, _) = both(&airlock, "GET /@acme%2fweb", &[("accept-encoding", "gzip")]).await;
    assert!((16_384..160_000).contains(&kept.body.len()), "{}", kept.body.len());
    let numbers = airlock.get("/-/airlock/metrics").await.text();
    let at_once = numbers.lines().find_map(|line| line.strip_prefix("airlock_http_answered_at_once_total ")).unwrap();
    assert!(at_once.parse::<u32>().unwrap() > 20, "{at_once}: little of it lay ready");
}

#[tokio::test]
async fn what_lies_ready_is_not_answered_once_it_is_not_good() {
    let airlock = web().await;
    both(&airlock, "GET /@acme%2fweb", &[]).await;
    let (before, _) = both(&airlock, &format!("GET {FILE}"), &[]).await;
    assert_eq!(before.status, "HTTP/1.1 200 OK");
    assert_eq!(airlock.decide("@acme/web", "1.0.0", "reject", "it phones home").await.status, 200);
    let (kept, closed) = both(&airlock, &format!("GET {FILE}"), &[]).await;
    assert!(kept.status.starts_with("HTTP/1.1 403"), "{kept:?}");
    assert_eq!(kept.status, closed.status);
    let (kept, _) = both(&airlock, "GET /@acme%2fweb", &[]).await;
    assert!(!String::from_utf8_lossy(&kept.body).contains("web-1.0.0.tgz"), "{kept:?}");
}
