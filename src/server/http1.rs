//! HTTP/1.1 as registry clients speak it all day: GET and HEAD without a body on a connection that is kept. Read with the
//! parser that hyper uses and answered without a state machine in between. Whatever is not plainly that, a body, an
//! upgrade, a farewell, a head in pieces, HTTP/1.0 or 2, goes on in hyper with every byte that was read of it.

use std::future::poll_fn;
use std::io;
use std::io::IoSlice;
use std::pin::Pin;
use std::pin::pin;
use std::task::Context;
use std::task::Poll;
use std::task::ready;

use axum::BoxError;
use axum::body::Body;
use bytes::Buf;
use bytes::Bytes;
use bytes::BytesMut;
use http::Method;
use http::Request;
use http::Response;
use http::StatusCode;
use http::header;
use tokio::io::AsyncRead;
use tokio::io::AsyncReadExt;
use tokio::io::AsyncWrite;
use tokio::io::AsyncWriteExt;
use tokio::io::ReadBuf;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio::time::Sleep;

use crate::clock::Clock;
use crate::http::fields::Plain;
use crate::server::head;
use crate::server::head::Date;
use crate::server::head::Parsed;
use crate::server::head::Raw;
use crate::server::limits;
use crate::server::sending::InFile;
use crate::server::sending::SendsFiles;

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

/// Who answers what is asked on a connection.
pub trait Answers: Send + Sync {
    type Body: http_body::Body<Data = Bytes, Error: Into<BoxError>> + InFile + Send + Unpin + 'static;

    /// The body of an answer that lies ready, its head written into `head` up to what the connection says of itself, length
    /// included. `None` says nothing.
    fn at_once(&self, plain: &Plain<'_, Raw<'_>>, head: &mut Vec<u8>) -> Option<Self::Body>;

    fn answer(&self, request: Request<Body>) -> impl Future<Output = Response<Self::Body>> + Send + 'static;
}

/// Answers requests one after the other until the client goes, is idle for [`limits::IDLE`], `stop` turns true, or
/// something comes that is not for here.
pub async fn converse<S, A>(socket: &mut S, clock: &Clock, answers: &A, mut stop: watch::Receiver<bool>) -> End
where
    S: AsyncRead + AsyncWrite + SendsFiles + Unpin,
    A: Answers,
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
        let asked = poll_fn(|cx| match connection.poll_request(cx, answers, is_stopping) {
            Poll::Ready(asked) => Poll::Ready(asked),
            Poll::Pending if !is_stopping && stopped.as_mut().poll(cx).is_ready() => {
                is_stopping = true;
                connection.poll_request(cx, answers, is_stopping)
            }
            Poll::Pending => Poll::Pending,
        });
        let sent = match asked.await {
            Ok(Asked::Ready(body)) => {
                is_stopping = is_stopping || *asked_to_stop.borrow();
                connection.send_ready(body, is_stopping).await
            }
            Ok(Asked::Whole(request)) => {
                let is_head = request.method() == Method::HEAD;
                let mut answered = pin!(answers.answer(request));
                let response = poll_fn(|cx| match answered.as_mut().poll(cx) {
                    Poll::Ready(response) => Poll::Ready(Some(response)),
                    Poll::Pending => connection.poll_gone(cx).map(|()| None),
                });
                let Some(response) = response.await else { return End::Closed };
                is_stopping = is_stopping || *asked_to_stop.borrow();
                connection.send(response, is_head, is_stopping).await
            }
            Err(Cut::Closed) => return End::Closed,
            Err(Cut::Elsewhere) => return End::Elsewhere(connection.read),
        };
        match sent {
            Ok(true) => connection.busy_until = Instant::now(),
            Ok(false) | Err(_) => return End::Closed,
        }
    }
}

/// What came of what was read.
#[expect(clippy::large_enum_variant, reason = "it lives for a moment and is never stored; a box would be one more allocation a request")]
enum Asked<B> {
    Ready(B),
    Whole(Request<Body>),
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

impl<S: AsyncRead + AsyncWrite + SendsFiles + Unpin> Connection<'_, S> {
    fn poll_request<A: Answers>(&mut self, cx: &mut Context<'_>, answers: &A, is_stopping: bool) -> Poll<Result<Asked<A::Body>, Cut>> {
        let mut was_partial = false;
        loop {
            if !self.read.is_empty() {
                match head::parse(&mut self.read, |plain| answers.at_once(plain, &mut self.head)) {
                    Parsed::Ready(body) => return Poll::Ready(Ok(Asked::Ready(body))),
                    Parsed::Whole(request) => return Poll::Ready(Ok(Asked::Whole(request))),
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
        let (parts, body) = response.into_parts();
        let has_body = !is_head && parts.status != StatusCode::NOT_MODIFIED && parts.status != StatusCode::NO_CONTENT;
        let exact = body.size_hint().exact().filter(|_| has_body);
        let goes_on = !is_last && (!has_body || exact.is_some());
        let length = exact.filter(|_| !parts.headers.contains_key(header::CONTENT_LENGTH));
        // A body that says another length than its headers is a fault of ours.
        if let (Some(exact), Some(stated)) = (exact, parts.headers.get(header::CONTENT_LENGTH))
            && stated.as_bytes() != itoa::Buffer::new().format(exact).as_bytes()
        {
            return Err(io::Error::other("a body has another length than its headers say"));
        }
        head::write_head(&parts, length, &mut self.head);
        head::end_head(self.date.now(), goes_on, &mut self.head);
        self.put(has_body.then_some(body), exact).await?;
        Ok(goes_on)
    }

    /// The same for an answer whose head stands there, length included.
    async fn send_ready<B>(&mut self, mut body: B, is_last: bool) -> io::Result<bool>
    where
        B: http_body::Body<Data = Bytes> + InFile + Unpin,
    {
        head::end_head(self.date.now(), !is_last, &mut self.head);
        if self.socket.can_send_files() && body.rest().is_some() {
            self.put_file(&mut body).await?;
            return Ok(!is_last);
        }
        let length = body.size_hint().exact();
        self.put(Some(body), length).await?;
        Ok(!is_last)
    }

    /// Writes the head and lets the system send the body.
    async fn put_file<B: InFile>(&mut self, body: &mut B) -> io::Result<()> {
        let mut head = &self.head[..];
        while !head.is_empty() {
            match poll_fn(|cx| self.socket.poll_send_before_file(cx, head)).await? {
                0 => return Err(io::ErrorKind::WriteZero.into()),
                written => head = head.get(written..).unwrap_or_default(),
            }
        }
        while let Some(part) = body.rest() {
            match poll_fn(|cx| self.socket.poll_send_file(cx, part)).await? {
                0 => return Err(io::Error::other("a body is shorter than it was said to be")),
                sent => body.advance(sent as u64),
            }
        }
        Ok(())
    }

    /// Writes the head, and the body, of which `left` bytes were announced, if any were.
    async fn put<B>(&mut self, body: Option<B>, mut left: Option<u64>) -> io::Result<()>
    where
        B: http_body::Body<Data = Bytes> + Unpin,
    {
        let mut body = body.filter(|body| !body.is_end_stream());
        let mut block = Bytes::new();
        let mut head = &self.head[..];
        if let Some(body) = &mut body {
            block = next(body).await?.unwrap_or_default();
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
            let Some(body) = body.as_mut().filter(|body| !body.is_end_stream()) else { break };
            // Let go of first, so that its room can be read into again.
            drop(std::mem::take(&mut block));
            match next(body).await? {
                Some(more) => block = more,
                None => break,
            }
        }
        if left.is_some_and(|left| left > 0) {
            return Err(io::Error::other("a body is shorter than it was said to be"));
        }
        self.socket.flush().await
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
