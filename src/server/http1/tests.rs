//! Conversations over a pipe, through `speak`, so that what is said here and what goes on in hyper are heard as one.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;

use futures_util::stream;
use http::header;
use http_body_util::BodyExt;
use hyper::ext::ReasonPhrase;
use tokio::io::DuplexStream;
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use super::*;
use crate::model::time::Timestamp;
use crate::server::listen;

const KIBIBYTE: usize = 1_024;

/// Nothing lies ready for a function.
impl<A, F, B> Answers for A
where
    A: Fn(Request<Body>) -> F + Send + Sync,
    F: Future<Output = Response<B>> + Send + 'static,
    B: http_body::Body<Data = Bytes, Error: Into<BoxError>> + InFile + Send + Unpin + 'static,
{
    type Body = B;

    fn at_once(&self, _: &Plain<'_, Raw<'_>>, _: &mut Vec<u8>) -> Option<B> {
        None
    }

    fn answer(&self, request: Request<Body>) -> impl Future<Output = Response<B>> + Send + 'static {
        self(request)
    }
}

/// Set when dropped.
struct Gone(Arc<AtomicBool>);

impl Drop for Gone {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

struct Stage {
    socket: DuplexStream,
    stop: watch::Sender<bool>,
    waits: Arc<Notify>,
    gone: Arc<AtomicBool>,
    speaking: JoinHandle<()>,
}

impl Stage {
    fn set() -> Stage {
        let (ours, theirs) = tokio::io::duplex(4 * KIBIBYTE);
        let (stop, stopped) = watch::channel(false);
        let (waits, gone) = (Arc::new(Notify::new()), Arc::new(AtomicBool::new(false)));
        let (waiting, dropped) = (Arc::clone(&waits), Arc::clone(&gone));
        let answer = move |request: Request<Body>| answer(request, Arc::clone(&waiting), Arc::clone(&dropped));
        let peer = SocketAddr::from(([192, 0, 2, 1], 1));
        let clock = Clock::test(Timestamp::parse("2026-11-27T14:05:00Z").unwrap());
        let speaking = tokio::spawn(async move { listen::speak(ours, peer, &clock, answer, &limits::protocols(), stopped).await });
        Stage { socket: theirs, stop, waits, gone, speaking }
    }

    async fn say(&mut self, text: &str) {
        self.socket.write_all(text.as_bytes()).await.unwrap();
    }

    /// Everything until the other side closes.
    async fn hear(mut self) -> String {
        let mut heard = Vec::new();
        self.socket.read_to_end(&mut heard).await.unwrap();
        self.speaking.await.unwrap();
        String::from_utf8(heard).unwrap()
    }

    /// Everything until `end` was heard.
    async fn hear_until(&mut self, end: &str) -> String {
        let mut heard = Vec::new();
        while !heard.ends_with(end.as_bytes()) {
            assert_ne!(self.socket.read_buf(&mut heard).await.unwrap(), 0, "{}", String::from_utf8_lossy(&heard));
        }
        String::from_utf8(heard).unwrap()
    }
}

async fn answer(request: Request<Body>, waits: Arc<Notify>, gone: Arc<AtomicBool>) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let said = body.collect().await.unwrap().to_bytes();
    let path = parts.uri.path().to_owned();
    let mut response = Response::new(Body::from(format!("<{} {path} {}>", parts.method, said.len())));
    match path.as_str() {
        "/large" => *response.body_mut() = Body::from(vec![b'x'; 100 * KIBIBYTE]),
        "/blocks" => {
            let blocks = (0..5).map(|_| Ok::<_, io::Error>(Bytes::from(vec![b'y'; 10 * KIBIBYTE])));
            *response.body_mut() = Body::from_stream(stream::iter(blocks));
        }
        "/broken" => {
            let blocks = [Ok(Bytes::from_static(b"half")), Err(io::Error::other("a disk"))];
            response.headers_mut().insert(header::CONTENT_LENGTH, 8.into());
            *response.body_mut() = Body::from_stream(stream::iter(blocks));
        }
        "/held" => {
            *response.status_mut() = StatusCode::FORBIDDEN;
            response.extensions_mut().insert(ReasonPhrase::from_static(b"left-pad is held"));
        }
        "/same" => *response.status_mut() = StatusCode::NOT_MODIFIED,
        "/waits" => {
            let _gone = Gone(gone);
            waits.notify_one();
            std::future::pending::<()>().await;
        }
        _ => {}
    }
    response
}

fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n")
}

#[tokio::test]
async fn requests_that_come_together_are_answered_in_order() {
    let mut stage = Stage::set();
    stage.say(&format!("{}{}{}", get("/1"), get("/2"), get("/3").replace("Host: a", "Host: a\r\nConnection: Keep-Alive"))).await;
    let heard = stage.hear_until("<GET /3 0>").await;
    let bodies: Vec<&str> = heard.matches("<GET /").collect();
    assert_eq!((bodies.len(), heard.matches("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n").count()), (3, 3), "{heard}");
    assert!(heard.find("/1") < heard.find("/2") && heard.find("/2") < heard.find("/3"), "{heard}");
    assert_eq!(heard.matches("date: Fri, 27 Nov 2026 14:05:00 GMT\r\n\r\n").count(), 3, "{heard}");
    stage.say(&get("/4")).await;
    stage.hear_until("<GET /4 0>").await;
}

#[tokio::test]
async fn what_is_not_everyday_goes_on_elsewhere_and_nothing_is_lost() {
    for (odd, expect) in [
        ("POST /p HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello", "<POST /p 5>"),
        ("POST /p HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", "<POST /p 5>"),
        ("GET /b HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc", "<GET /b 3>"),
        ("GET /b HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", "<GET /b 3>"),
        ("DELETE /d HTTP/1.1\r\nHost: a\r\n\r\n", "<DELETE /d 0>"),
    ] {
        let mut stage = Stage::set();
        stage.say(&format!("{}{odd}{}", get("/before"), get("/after"))).await;
        let heard = stage.hear_until("<GET /after 0>").await;
        assert!(heard.contains("<GET /before 0>") && heard.contains(expect), "{odd:?}: {heard}");
        assert_eq!(heard.matches("HTTP/1.1 200 OK").count(), 3, "{odd:?}: {heard}");
    }
}

#[tokio::test]
async fn a_head_in_pieces_is_answered() {
    for pieces in [1, 2, 3, 40] {
        let mut stage = Stage::set();
        let head = get("/pieces").replace("\r\n\r\n", "\r\nX-More: more than a few bytes\r\n\r\n");
        for piece in head.as_bytes().chunks(head.len().div_ceil(pieces)) {
            stage.socket.write_all(piece).await.unwrap();
            // So that each is read by itself.
            for _ in 0..10 {
                tokio::task::yield_now().await;
            }
        }
        stage.hear_until("<GET /pieces 0>").await;
        stage.say(&get("/again")).await;
        stage.hear_until("<GET /again 0>").await;
    }
}

#[tokio::test]
async fn who_says_goodbye_is_let_go() {
    for farewell in ["GET /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", "GET /x HTTP/1.0\r\nHost: a\r\n\r\n"] {
        let mut stage = Stage::set();
        stage.say(farewell).await;
        let heard = stage.hear().await;
        assert!(heard.ends_with("<GET /x 0>"), "{heard}");
    }
}

#[tokio::test]
async fn nonsense_is_refused() {
    for nonsense in [
        "GET /x HTTP/1.1\r\nHost : a\r\n\r\n",
        "GET /x HTTP/1.1\r\nHost: a\r\n folded\r\n\r\n",
        "GET /a b HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /x HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        "GET /x HTTP/1.1\r\nX: \u{1}\r\n\r\n",
        "\u{1}\r\n\r\n",
    ] {
        let mut stage = Stage::set();
        stage.say(nonsense).await;
        let heard = stage.hear().await;
        assert!(heard.starts_with("HTTP/1.1 400 "), "{nonsense:?}: {heard}");
    }
}

#[tokio::test]
async fn a_body_is_sent_whole_through_a_narrow_pipe() {
    let mut stage = Stage::set();
    stage.say(&get("/large")).await;
    let heard = stage.hear_until(&"x".repeat(100 * KIBIBYTE)).await;
    assert!(heard.contains("content-length: 102400\r\n"), "{}", &heard[..200]);
    stage.say(&get("/2")).await;
    stage.hear_until("<GET /2 0>").await;
}

#[tokio::test]
async fn a_body_of_unknown_length_ends_with_the_connection() {
    let mut stage = Stage::set();
    stage.say(&format!("{}{}", get("/blocks"), get("/never"))).await;
    let heard = stage.hear().await;
    assert!(heard.contains("connection: close\r\n") && !heard.contains("content-length"), "{}", &heard[..200]);
    assert!(heard.ends_with(&"y".repeat(50 * KIBIBYTE)), "nothing follows");
}

#[tokio::test]
async fn a_body_that_breaks_off_is_not_taken_for_whole() {
    let mut stage = Stage::set();
    stage.say(&format!("{}{}", get("/broken"), get("/never"))).await;
    let heard = stage.hear().await;
    assert!(heard.contains("content-length: 8\r\n") && heard.len() < heard.find("\r\n\r\n").unwrap() + 4 + 8, "{heard}");
    assert!(!heard.contains("/never"), "{heard}");
}

#[tokio::test]
async fn answers_without_a_body_have_none() {
    let mut stage = Stage::set();
    let head = "HEAD /large HTTP/1.1\r\nHost: a\r\n\r\n";
    stage.say(&format!("{head}{}{}", get("/same"), get("/end"))).await;
    let heard = stage.hear_until("<GET /end 0>").await;
    assert!(!heard.contains('x') && heard.matches("HTTP/1.1 ").count() == 3, "{heard}");
    assert!(heard.contains("HTTP/1.1 304 Not Modified\r\ndate:"), "{heard}");
}

#[tokio::test]
async fn a_refusal_says_why_in_its_first_line() {
    let mut stage = Stage::set();
    stage.say(&get("/held")).await;
    let heard = stage.hear_until("<GET /held 0>").await;
    assert!(heard.starts_with("HTTP/1.1 403 left-pad is held\r\n"), "{heard}");
}

#[tokio::test]
async fn who_leaves_while_waiting_is_waited_for_no_longer() {
    let mut stage = Stage::set();
    stage.say(&format!("{}{}", get("/waits"), get("/next"))).await;
    stage.waits.notified().await;
    assert!(!stage.gone.load(Ordering::SeqCst));
    drop(stage.socket);
    stage.speaking.await.unwrap();
    assert!(stage.gone.load(Ordering::SeqCst));
}

#[tokio::test]
async fn a_stop_closes_what_is_idle_and_lets_what_was_asked_end() {
    let mut idle = Stage::set();
    idle.say(&get("/1")).await;
    idle.hear_until("<GET /1 0>").await;
    idle.stop.send_replace(true);
    assert_eq!(idle.hear().await, "");

    let mut asked = Stage::set();
    asked.stop.send_replace(true);
    asked.say(&format!("{}{}", get("/1"), get("/2"))).await;
    let heard = asked.hear().await;
    assert!(heard.is_empty() || heard.contains("connection: close\r\n") && heard.ends_with("<GET /1 0>"), "{heard}");
}

#[tokio::test(start_paused = true)]
async fn a_connection_is_kept_while_it_is_used_and_no_longer() {
    let mut stage = Stage::set();
    for _ in 0..4 {
        stage.say(&get("/1")).await;
        stage.hear_until("<GET /1 0>").await;
        tokio::time::sleep(limits::IDLE * 3 / 4).await;
    }
    let began = Instant::now();
    assert_eq!(stage.hear().await, "");
    assert!(began.elapsed() <= limits::IDLE, "{:?}", began.elapsed());
}
