//! HTTP/1.1 as registry clients speak it all day: GET and HEAD without a body on a connection that is kept. Read with the
//! parser that hyper uses and answered without a state machine in between. Whatever is not plainly that, a body, an
//! upgrade, a farewell, a head in pieces, HTTP/1.0 or 2, goes on in hyper with every byte that was read of it.

use std::future::poll_fn;
use std::io;
use std::io::IoSlice;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::pin::pin;
use std::task::Context;
use std::task::Poll;
use std::task::ready;
use std::time::Duration;
use std::time::SystemTime;

use axum::body::Body;
use bytes::Buf;
use bytes::Bytes;
use bytes::BytesMut;
use http::HeaderMap;
use http::HeaderName;
use http::HeaderValue;
use http::Method;
use http::Request;
use http::Response;
use http::StatusCode;
use http::Uri;
use http::header;
use hyper::ext::ReasonPhrase;
use tokio::io::AsyncRead;
use tokio::io::AsyncReadExt;
use tokio::io::AsyncWrite;
use tokio::io::AsyncWriteExt;
use tokio::io::ReadBuf;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio::time::Sleep;

use crate::clock::Clock;
use crate::server::limits;

/// What is read at once: more than any client's head has.
const READ_BYTES: usize = 8 * 1024;
/// What the next head should find room in.
const ROOM_BYTES_MIN: usize = 1_024;
/// Of heads that follow each other without waiting for an answer.
const AHEAD_BYTES_MAX: usize = limits::HEAD_BYTES_MAX;

/// How a conversation came to its end here.
pub enum End {
    /// There is nothing more to say.
    Closed,
    /// It goes on elsewhere, after these bytes that were read and not answered.
    Elsewhere(BytesMut),
}

/// Why it ends before that.
enum Cut {
    Closed,
    Elsewhere,
}

impl From<io::Error> for Cut {
    fn from(error: io::Error) -> Cut {
        tracing::debug!(%error, "a connection ended badly");
        Cut::Closed
    }
}

/// Answers requests one after the other until the client goes, is idle for [`limits::IDLE`], `stop` turns true, or
/// something comes that is not for here.
pub async fn converse<S, A, F, B>(socket: &mut S, clock: &Clock, answer: &A, mut stop: watch::Receiver<bool>) -> End
where
    S: AsyncRead + AsyncWrite + Unpin,
    A: Fn(Request<Body>) -> F,
    F: Future<Output = Response<B>>,
    B: http_body::Body<Data = Bytes> + Unpin,
{
    let mut connection = Connection {
        socket,
        read: BytesMut::with_capacity(READ_BYTES),
        head: Vec::with_capacity(1_024),
        date: Date::new(clock),
        idle: Box::pin(tokio::time::sleep(limits::IDLE)),
        busy_until: Instant::now(),
    };
    let asked_to_stop = stop.clone();
    let mut stopped = pin!(async move {
        // A closed channel means that whoever could stop us is gone.
        let _ = stop.wait_for(|stop| *stop).await;
    });
    let mut is_stopping = false;
    loop {
        // What was asked before a stop is answered, so that a stop matters only where nothing is there.
        let request = poll_fn(|cx| match connection.poll_request(cx, is_stopping) {
            Poll::Ready(request) => Poll::Ready(request),
            Poll::Pending if !is_stopping && stopped.as_mut().poll(cx).is_ready() => {
                is_stopping = true;
                connection.poll_request(cx, is_stopping)
            }
            Poll::Pending => Poll::Pending,
        });
        let request = match request.await {
            Ok(request) => request,
            Err(Cut::Closed) => return End::Closed,
            Err(Cut::Elsewhere) => return End::Elsewhere(connection.read),
        };
        let is_head = request.method() == Method::HEAD;
        let mut answered = pin!(answer(request));
        let response = poll_fn(|cx| match answered.as_mut().poll(cx) {
            Poll::Ready(response) => Poll::Ready(Some(response)),
            Poll::Pending => connection.poll_gone(cx).map(|()| None),
        });
        let Some(response) = response.await else { return End::Closed };
        is_stopping = is_stopping || *asked_to_stop.borrow();
        match connection.send(response, is_head, is_stopping).await {
            Ok(true) => connection.busy_until = Instant::now(),
            Ok(false) | Err(_) => return End::Closed,
        }
    }
}

struct Connection<'s, S> {
    socket: &'s mut S,
    /// Read and not answered yet.
    read: BytesMut,
    /// Of the answer that is being written; kept for its room.
    head: Vec<u8>,
    date: Date,
    /// Set anew only when it has passed: most requests come long before.
    idle: Pin<Box<Sleep>>,
    /// When the last answer was sent.
    busy_until: Instant,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Connection<'_, S> {
    fn poll_request(&mut self, cx: &mut Context<'_>, is_stopping: bool) -> Poll<Result<Request<Body>, Cut>> {
        let mut was_partial = false;
        loop {
            if !self.read.is_empty() {
                match parse(&mut self.read) {
                    Parsed::Whole(request) => return Poll::Ready(Ok(request)),
                    Parsed::Elsewhere => return Poll::Ready(Err(Cut::Elsewhere)),
                    // Heads come in one piece; whoever sends them otherwise can wait for a parser that remembers.
                    Parsed::Partial if was_partial => return Poll::Ready(Err(Cut::Elsewhere)),
                    Parsed::Partial => was_partial = true,
                }
            } else if is_stopping {
                return Poll::Ready(Err(Cut::Closed));
            }
            match self.poll_read(cx) {
                Poll::Ready(Ok(1..)) => {}
                Poll::Ready(Ok(0)) => return Poll::Ready(Err(Cut::Closed)),
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error.into())),
                // Whoever has not said it all by now is not waited for.
                Poll::Pending if is_stopping => return Poll::Ready(Err(Cut::Closed)),
                Poll::Pending => {
                    ready!(self.poll_idle(cx));
                    return Poll::Ready(Err(Cut::Closed));
                }
            }
        }
    }

    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        if self.read.capacity() - self.read.len() < ROOM_BYTES_MIN {
            self.read.reserve(READ_BYTES);
        }
        pin!(self.socket.read_buf(&mut self.read)).poll(cx)
    }

    fn poll_idle(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            ready!(self.idle.as_mut().poll(cx));
            let until = self.busy_until + limits::IDLE;
            if until <= Instant::now() {
                return Poll::Ready(());
            }
            self.idle.as_mut().reset(until);
        }
    }

    /// Ready when the client went away, or says more than any client does before it has its answer. What it says meanwhile waits.
    fn poll_gone(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            if self.read.len() >= AHEAD_BYTES_MAX {
                return Poll::Ready(());
            }
            match ready!(self.poll_read(cx)) {
                Ok(1..) => {}
                Ok(0) | Err(_) => return Poll::Ready(()),
            }
        }
    }

    /// Whether the connection goes on after it.
    async fn send<B>(&mut self, response: Response<B>, is_head: bool, is_last: bool) -> io::Result<bool>
    where
        B: http_body::Body<Data = Bytes> + Unpin,
    {
        let (parts, mut body) = response.into_parts();
        let has_body = !is_head && parts.status != StatusCode::NOT_MODIFIED && parts.status != StatusCode::NO_CONTENT;
        let exact = body.size_hint().exact().filter(|_| has_body);
        let goes_on = !is_last && (!has_body || exact.is_some());
        let length = exact.filter(|_| !parts.headers.contains_key(header::CONTENT_LENGTH));
        // What was announced and not sent yet. A body that says another length than its headers is a fault of ours.
        let mut left = exact;
        if let (Some(exact), Some(stated)) = (exact, parts.headers.get(header::CONTENT_LENGTH))
            && stated.as_bytes() != itoa::Buffer::new().format(exact).as_bytes()
        {
            return Err(io::Error::other("a body has another length than its headers say"));
        }
        self.date.now();
        write_head(&parts, length, &self.date.text, goes_on, &mut self.head);
        let mut block = Bytes::new();
        let mut head = &self.head[..];
        if has_body && !body.is_end_stream() {
            block = next(&mut body).await?.unwrap_or_default();
        }
        loop {
            if let Some(left) = &mut left {
                let rest = left.checked_sub(block.len() as u64);
                *left = rest.ok_or_else(|| io::Error::other("a body is longer than it was said to be"))?;
            }
            while !head.is_empty() || !block.is_empty() {
                let parts = [IoSlice::new(head), IoSlice::new(&block)];
                let mut written =
                    if head.is_empty() { self.socket.write(&block).await? } else { self.socket.write_vectored(&parts).await? };
                if written == 0 {
                    return Err(io::ErrorKind::WriteZero.into());
                }
                let of_head = written.min(head.len());
                head = &head[of_head..];
                written -= of_head;
                block.advance(written);
            }
            if !has_body || body.is_end_stream() {
                break;
            }
            // Let go of first, so that its room can be read into again.
            drop(std::mem::take(&mut block));
            match next(&mut body).await? {
                Some(more) => block = more,
                None => break,
            }
        }
        if left.is_some_and(|left| left > 0) {
            return Err(io::Error::other("a body is shorter than it was said to be"));
        }
        self.socket.flush().await?;
        Ok(goes_on)
    }
}

/// The next bytes of a body; trailers have no place here.
async fn next<B>(body: &mut B) -> io::Result<Option<Bytes>>
where
    B: http_body::Body<Data = Bytes> + Unpin,
{
    let frame = poll_fn(|cx| Pin::new(&mut *body).poll_frame(cx)).await.transpose();
    let frame = frame.map_err(|_| io::Error::other("a body broke off"))?;
    Ok(frame.map(|frame| frame.into_data().unwrap_or_default()))
}

/// `length` is the body's, where the headers do not say it.
fn write_head(parts: &http::response::Parts, length: Option<u64>, date: &str, goes_on: bool, head: &mut Vec<u8>) {
    head.clear();
    let mut add = |parts: &[&[u8]]| parts.iter().for_each(|part| head.extend_from_slice(part));
    let reason = parts.extensions.get::<ReasonPhrase>().map(ReasonPhrase::as_bytes);
    let reason = reason.unwrap_or_else(|| parts.status.canonical_reason().unwrap_or_default().as_bytes());
    add(&[b"HTTP/1.1 ", parts.status.as_str().as_bytes(), b" ", reason, b"\r\n"]);
    for (name, value) in &parts.headers {
        add(&[name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"]);
    }
    if let Some(length) = length {
        add(&[b"content-length: ", itoa::Buffer::new().format(length).as_bytes(), b"\r\n"]);
    }
    if !goes_on {
        add(&[b"connection: close\r\n"]);
    }
    add(&[b"date: ", date.as_bytes(), b"\r\n\r\n"]);
}

#[expect(clippy::large_enum_variant, reason = "it lives for a moment and is never stored; a box would be one more allocation a request")]
enum Parsed {
    Whole(Request<Body>),
    /// Not all of its head is there.
    Partial,
    Elsewhere,
}

/// Takes one request off `read`, or leaves that as it is.
fn parse(read: &mut BytesMut) -> Parsed {
    let Some(length) = memchr::memmem::find(read, b"\r\n\r\n").map(|at| at + 4) else {
        // A head that ends in another way than clients end theirs is for a parser that knows them all.
        let ends_oddly = [&b"\n\n"[..], b"\n\r\n"].into_iter().any(|end| memchr::memmem::find(read, end).is_some());
        return if ends_oddly { Parsed::Elsewhere } else { Parsed::Partial };
    };
    let head = read.split_to(length).freeze();
    match parse_head(&head) {
        Some(request) => Parsed::Whole(request),
        None => {
            // Nobody else holds it any more: it is put back in front of what follows.
            let mut back = BytesMut::from(head);
            back.unsplit(std::mem::take(read));
            *read = back;
            Parsed::Elsewhere
        }
    }
}

/// `all` is one whole head and nothing more. `None` for what is not for here.
fn parse_head(all: &Bytes) -> Option<Request<Body>> {
    let mut room = [const { MaybeUninit::uninit() }; limits::HEADERS_MAX];
    let mut head = httparse::Request::new(&mut []);
    match head.parse_with_uninit_headers(all, &mut room) {
        Ok(httparse::Status::Complete(length)) if length == all.len() => request(&head, all),
        Ok(_) | Err(_) => None,
    }
}

/// `None` for what is not for here. `all` is what `head` was parsed from.
fn request(head: &httparse::Request<'_, '_>, all: &Bytes) -> Option<Request<Body>> {
    let method = match (head.method?, head.version?) {
        ("GET", 1) => Method::GET,
        ("HEAD", 1) => Method::HEAD,
        (_, _) => return None,
    };
    let mut headers = HeaderMap::with_capacity(head.headers.len());
    for field in &*head.headers {
        let name = HeaderName::from_bytes(field.name.as_bytes()).ok()?;
        let is_everyday = match name {
            header::CONTENT_LENGTH | header::TRANSFER_ENCODING | header::UPGRADE | header::EXPECT => false,
            header::CONNECTION => field.value.eq_ignore_ascii_case(b"keep-alive"),
            _ => true,
        };
        if !is_everyday {
            return None;
        }
        headers.append(name, HeaderValue::from_maybe_shared(all.slice_ref(field.value)).ok()?);
    }
    let mut request = Request::new(Body::empty());
    *request.method_mut() = method;
    *request.uri_mut() = Uri::from_maybe_shared(all.slice_ref(head.path?.as_bytes())).ok()?;
    *request.headers_mut() = headers;
    Some(request)
}

/// When the second passes, and no more often, a date is written.
struct Date {
    clock: Clock,
    second: i64,
    text: String,
}

impl Date {
    fn new(clock: &Clock) -> Date {
        Date { clock: clock.clone(), second: i64::MIN, text: String::new() }
    }

    fn now(&mut self) {
        let second = self.clock.now().millis().div_euclid(1_000);
        if self.second != second {
            self.second = second;
            let since = Duration::from_secs(u64::try_from(second).unwrap_or(0));
            self.text = httpdate::fmt_http_date(SystemTime::UNIX_EPOCH + since);
        }
    }
}

/// Says again what was read before, then what the socket says.
pub struct Again<S> {
    pub read: BytesMut,
    pub socket: S,
}

impl<S: AsyncRead + Unpin> AsyncRead for Again<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.read.is_empty() {
            return Pin::new(&mut self.socket).poll_read(cx, buf);
        }
        let length = self.read.len().min(buf.remaining());
        buf.put_slice(&self.read.split_to(length));
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Again<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write(cx, bytes)
    }

    fn poll_write_vectored(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write_vectored(cx, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests;
