//! Request bodies: never more than is allowed, never slower than is allowed, gzip undone within the same bound.

use std::error::Error;
use std::fmt;
use std::io::Read;
use std::pin::Pin;
use std::task::Context;
use std::task::Poll;
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use flate2::read::MultiGzDecoder;
use http::HeaderMap;
use http::header;
use http_body::Frame;
use http_body::SizeHint;
use http_body_util::BodyExt;
use http_body_util::LengthLimitError;
use http_body_util::Limited;
use tokio::time::Instant;
use tokio::time::Sleep;

use crate::http::fields::Fields;
use crate::http::problem::CAUSES_MAX;
use crate::http::problem::Kind;
use crate::http::problem::Problem;

/// How long a request body may be waited for that does not come, or comes too slowly.
pub const PATIENCE: Duration = Duration::from_secs(30);
/// What arrives in time gives patience back, up to all of it: so many bytes earn a second. Whoever is never slower for long
/// is never cut off, and a body that trickles ends soon.
pub const BYTES_A_SECOND_MIN: u64 = 8 * 1_024;

/// How long a whole request body may be waited for.
pub const BODY_TIMEOUT: Duration = Duration::from_secs(600);

/// The body did not arrive in time.
#[derive(Clone, Copy, Debug)]
pub struct TooSlow;

impl fmt::Display for TooSlow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the request body took too long to arrive")
    }
}

impl Error for TooSlow {}

/// A request body that fails with [`LengthLimitError`] or [`TooSlow`] instead of going on. Only the time counts in which
/// somebody waits for the client: what a handler does in between is not the client's.
pub struct Bounded<B> {
    inner: Limited<B>,
    /// What is left of [`PATIENCE`], and of [`BODY_TIMEOUT`].
    patience: Duration,
    whole: Duration,
    /// Since when the client is waited for, and until when it is.
    waiting: Option<(Instant, Pin<Box<Sleep>>)>,
}

impl<B> Bounded<B> {
    pub fn new(inner: B, bytes_max: u64) -> Bounded<B> {
        let inner = Limited::new(inner, usize::try_from(bytes_max).unwrap_or(usize::MAX));
        Bounded { inner, patience: PATIENCE, whole: BODY_TIMEOUT, waiting: None }
    }

    /// The client was waited for, and so many bytes came.
    fn arrived(&mut self, bytes: usize) {
        if let Some((since, _)) = self.waiting.take() {
            let waited = since.elapsed();
            self.patience = self.patience.saturating_sub(waited);
            self.whole = self.whole.saturating_sub(waited);
        }
        let earned = Duration::from_millis((bytes as u64).saturating_mul(1_000) / BYTES_A_SECOND_MIN);
        self.patience = self.patience.saturating_add(earned).min(PATIENCE);
    }

    fn is_too_slow(&mut self, cx: &mut Context<'_>) -> bool {
        let left = self.patience.min(self.whole);
        let (_, until) = self.waiting.get_or_insert_with(|| (Instant::now(), Box::pin(tokio::time::sleep(left))));
        until.as_mut().poll(cx).is_ready()
    }
}

impl<B> http_body::Body for Bounded<B>
where
    B: http_body::Body<Data = Bytes> + Unpin,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    type Data = Bytes;
    type Error = Box<dyn Error + Send + Sync>;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let this = &mut *self;
        match Pin::new(&mut this.inner).poll_frame(cx) {
            Poll::Ready(Some(Ok(frame))) => {
                this.arrived(frame.data_ref().map_or(0, Bytes::len));
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(Some(Err(error))) => Poll::Ready(Some(Err(error))),
            Poll::Ready(None) => Poll::Ready(None),
            Poll::Pending if this.is_too_slow(cx) => Poll::Ready(Some(Err(Box::new(TooSlow)))),
            Poll::Pending => Poll::Pending,
        }
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

/// What `Content-Length` says, when it says a number.
pub fn stated_length<F: Fields>(fields: &F) -> Option<u64> {
    fields.texts(&header::CONTENT_LENGTH).next()?.parse().ok()
}

/// 413, with the limit and where it is set.
pub fn too_large(bytes_max: u64) -> Problem {
    Problem::new(Kind::TooLarge, format!("the request body is larger than {bytes_max} bytes ([server] body_bytes_max)"))
}

/// Why a body could not be read.
pub fn failed(error: &(dyn Error + 'static), bytes_max: u64) -> Problem {
    let causes = std::iter::successors(Some(error), |error: &&(dyn Error + 'static)| (*error).source());
    for error in causes.take(CAUSES_MAX) {
        if error.is::<LengthLimitError>() {
            return too_large(bytes_max);
        }
        if error.is::<TooSlow>() {
            return Problem::new(Kind::TooSlow, TooSlow.to_string());
        }
    }
    Problem::new(Kind::Malformed, "the request body ended before it was whole")
}

/// A body that is there whole, as it was sent.
pub struct Sent {
    bytes: Bytes,
    is_gzip: bool,
    bytes_max: u64,
}

impl Sent {
    /// The whole body. `bytes_max` bounds it as sent and as decoded.
    ///
    /// # Errors
    /// 413 too large, 408 too slow, 415 another coding, 400 cut short.
    pub async fn gather(headers: &HeaderMap, body: Body, bytes_max: u64) -> Result<Sent, Problem> {
        let coding = headers.get(header::CONTENT_ENCODING).map_or(Ok("identity"), |value| value.to_str()).unwrap_or("?").trim();
        let is_gzip = match coding {
            coding if coding.eq_ignore_ascii_case("identity") => false,
            coding if coding.eq_ignore_ascii_case("gzip") || coding.eq_ignore_ascii_case("x-gzip") => true,
            _ => return Err(Problem::new(Kind::UnsupportedMediaType, "a request body is sent plain or with gzip")),
        };
        let limit = usize::try_from(bytes_max).unwrap_or(usize::MAX);
        let bytes = Limited::new(body, limit).collect().await.map_err(|error| failed(&*error, bytes_max))?.to_bytes();
        Ok(Sent { bytes, is_gzip, bytes_max })
    }

    /// How long it may be once it is decoded, about.
    pub fn length_at_most(&self) -> u64 {
        /// What gzip makes of the most tedious text.
        const RATIO: u64 = 1_032;
        let length = self.bytes.len() as u64;
        if self.is_gzip { length.saturating_mul(RATIO).min(self.bytes_max) } else { length }
    }

    /// # Errors
    /// 413 too large, 400 not gzip.
    pub async fn decoded(self) -> Result<Bytes, Problem> {
        if !self.is_gzip {
            return Ok(self.bytes);
        }
        tokio::task::spawn_blocking(move || self.decode()).await.map_err(|error| Problem::internal(error.to_string()))?
    }

    /// As [`Sent::decoded`], on the thread that asks.
    pub fn decode(self) -> Result<Bytes, Problem> {
        let Sent { bytes, is_gzip, bytes_max } = self;
        if !is_gzip {
            return Ok(bytes);
        }
        let mut plain = Vec::new();
        let read = MultiGzDecoder::new(&*bytes).take(bytes_max.saturating_add(1)).read_to_end(&mut plain);
        read.map_err(|_| Problem::new(Kind::Malformed, "the request body is not gzip, as its Content-Encoding says"))?;
        if plain.len() as u64 > bytes_max { Err(too_large(bytes_max)) } else { Ok(Bytes::from(plain)) }
    }
}

/// The whole body, decoded.
///
/// # Errors
/// As [`Sent::gather`] and [`Sent::decoded`].
pub async fn read(headers: &HeaderMap, body: Body, bytes_max: u64) -> Result<Bytes, Problem> {
    Sent::gather(headers, body, bytes_max).await?.decoded().await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        use std::io::Write;
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    async fn status(coding: Option<&str>, body: Vec<u8>, bytes_max: u64) -> u16 {
        let mut headers = HeaderMap::new();
        if let Some(coding) = coding {
            headers.insert(header::CONTENT_ENCODING, coding.parse().unwrap());
        }
        read(&headers, Body::from(body), bytes_max).await.map_or_else(|problem| problem.status().as_u16(), |_| 200)
    }

    #[tokio::test]
    async fn bodies_are_bounded_as_sent_and_as_decoded() {
        assert_eq!(status(None, b"12345".to_vec(), 5).await, 200);
        assert_eq!(status(None, b"123456".to_vec(), 5).await, 413);
        assert_eq!(status(Some("gzip"), gzip(b"12345"), 1_000).await, 200);
        assert_eq!(status(Some("gzip"), gzip(&vec![0; 1_000_000]), 10_000).await, 413);
        assert_eq!(status(Some("gzip"), b"not gzip".to_vec(), 1_000).await, 400);
        assert_eq!(status(Some("br"), b"x".to_vec(), 1_000).await, 415);
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_stops_coming_is_given_up() {
        let stuck = Body::from_stream(futures_util::stream::pending::<Result<Bytes, std::io::Error>>());
        let problem = read(&HeaderMap::new(), Body::new(Bounded::new(stuck, 10)), 10).await.unwrap_err();
        assert_eq!(problem.status().as_u16(), 408);
    }

    #[tokio::test(start_paused = true)]
    async fn what_a_handler_does_first_is_not_the_clients_time() {
        let (sender, receiver) = tokio::sync::oneshot::channel();
        let late = futures_util::stream::once(async { receiver.await.map_err(std::io::Error::other) });
        let body = Body::new(Bounded::new(Body::from_stream(late), 10));
        tokio::time::advance(PATIENCE * 2).await;
        let reading = tokio::spawn(async move { read(&HeaderMap::new(), body, 10).await.map_err(|problem| problem.detail) });
        tokio::time::advance(PATIENCE / 2).await;
        sender.send(Bytes::from_static(b"here")).unwrap();
        assert_eq!(reading.await.unwrap(), Ok(Bytes::from_static(b"here")));
    }

    /// A body of `pieces` of so many bytes, one every so often, read at once or with pauses. How many pieces came.
    async fn paced(pieces: usize, bytes: usize, every: Duration, pause: Duration) -> usize {
        let send = move |sent: usize| async move {
            if sent == pieces {
                return None;
            }
            tokio::time::sleep(every).await;
            Some((Ok::<_, std::io::Error>(Bytes::from(vec![0; bytes])), sent + 1))
        };
        let stream = futures_util::stream::unfold(0, send);
        let mut body = Bounded::new(Body::from_stream(stream), u64::MAX);
        let mut came = 0;
        while let Some(frame) = body.frame().await {
            if frame.is_err() {
                return came;
            }
            came += 1;
            tokio::time::sleep(pause).await;
        }
        came
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_trickles_is_given_up_and_a_steady_one_is_not() {
        let second = Duration::from_secs(1);
        let rate = usize::try_from(BYTES_A_SECOND_MIN).unwrap();
        assert_eq!(paced(500, rate, second, Duration::ZERO).await, 500, "just as fast as it must be");
        assert_eq!(paced(10, 20 * rate, second * 20, Duration::ZERO).await, 10, "in pieces that are far apart");
        let trickle = paced(10_000, 1, second, Duration::ZERO).await;
        assert!((29..=31).contains(&trickle), "{trickle}");
        let half = paced(10_000, rate / 2, second, Duration::ZERO).await;
        assert!((58..=62).contains(&half), "{half}");
        // What is read late came in time all the same.
        assert_eq!(paced(20, rate, second, PATIENCE * 4).await, 20);
        let endless = paced(100_000, rate * 2, second, Duration::ZERO).await;
        assert!((598..=601).contains(&endless), "{endless}");
    }
}
