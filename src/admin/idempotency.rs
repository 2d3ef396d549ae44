//! `Idempotency-Key`: the same call sent twice is done once, and answered twice. Kept in memory, so it holds within one
//! process and until it stops; what must never happen twice at all is refused by `quarantine::decide` itself.

use std::collections::HashMap;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::Duration;

use axum::extract::Request;
use axum::extract::State;
use axum::middleware::Next;
use axum::response::IntoResponse;
use axum::response::Response;
use bytes::Bytes;
use http::HeaderMap;
use http::HeaderName;
use http::HeaderValue;
use http::StatusCode;
use http::header;
use http_body_util::BodyExt;
use tracing::Instrument;

use crate::admin::request::whole;
use crate::clock::Clock;
use crate::http::caller::Caller;
use crate::http::problem::Kind;
use crate::http::problem::Problem;
use crate::model::digest::DocumentDigest;
use crate::model::time::Timestamp;

const KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// On an answer that is told again.
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");
const KEY_BYTES_MAX: usize = 255;
const KEEP: Duration = Duration::from_secs(24 * 3_600);
/// Calls that are remembered; past it the oldest answer is forgotten.
const CALLS_MAX: usize = 2_000;
/// An answer larger than this is not kept; the call may then be made again.
const ANSWER_BYTES_MAX: usize = 128 * 1_024;
/// Of all answers together.
const ANSWERS_BYTES_MAX: usize = 16 * 1_024 * 1_024;

/// Whose call, where to, under which key.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Call {
    caller: Option<String>,
    method: http::Method,
    path: String,
    key: String,
}

struct Kept {
    /// Of the body that the call was made with.
    body: DocumentDigest,
    at: Timestamp,
    /// `None` while the call is under way.
    answer: Option<Answer>,
}

#[derive(Clone)]
struct Answer {
    status: StatusCode,
    media_type: Option<HeaderValue>,
    body: Bytes,
}

/// The calls of the last day. Answers may hold a secret that was just made: no `Debug`, never written anywhere.
pub struct Calls {
    clock: Clock,
    kept: Mutex<Shelf>,
}

#[derive(Default)]
struct Shelf {
    calls: HashMap<Call, Kept>,
    /// Oldest first. A call that is gone from `calls` may still be named here.
    order: VecDeque<Call>,
    bytes: usize,
}

/// What is to be done with a call.
enum Turn {
    First,
    Again(Answer),
}

impl Calls {
    pub fn new(clock: Clock) -> Calls {
        Calls { clock, kept: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, Shelf> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins the call, unless it was made before.
    fn begin(&self, call: &Call, body: DocumentDigest) -> Result<Turn, Problem> {
        let now = self.clock.now();
        let mut shelf = self.lock();
        shelf.forget_old(now);
        if let Some(kept) = shelf.calls.get(call) {
            if kept.body != body {
                let text = "this Idempotency-Key was used with another body: a new call needs a new key";
                return Err(Problem::new(Kind::Unacceptable, text));
            }
            return match &kept.answer {
                Some(answer) => Ok(Turn::Again(answer.clone())),
                None => Err(Problem::new(Kind::Conflict, "the first call with this Idempotency-Key is still under way; ask again")
                    .retry_after(Duration::from_secs(1))),
            };
        }
        if shelf.calls.len() >= CALLS_MAX && !shelf.forget_one() {
            return Err(Problem::new(Kind::TooManyRequests, "too many calls are under way at once").retry_after(Duration::from_secs(1)));
        }
        shelf.calls.insert(call.clone(), Kept { body, at: now, answer: None });
        shelf.order.push_back(call.clone());
        Ok(Turn::First)
    }

    fn end(&self, call: &Call, answer: Answer) {
        let mut shelf = self.lock();
        let bytes = answer.body.len();
        if let Some(kept) = shelf.calls.get_mut(call) {
            kept.answer = Some(answer);
            shelf.bytes += bytes;
        }
        while shelf.bytes > ANSWERS_BYTES_MAX && shelf.forget_one() {}
    }

    /// The call changed nothing, or nobody can say: it may be made again under the same key.
    fn abandon(&self, call: &Call) {
        self.lock().remove(call);
    }
}

impl Shelf {
    fn remove(&mut self, call: &Call) {
        if let Some(kept) = self.calls.remove(call) {
            self.bytes -= kept.answer.map_or(0, |answer| answer.body.len());
            self.order.retain(|one| one != call);
        }
    }

    fn forget_old(&mut self, now: Timestamp) {
        while let Some(oldest) = self.order.front().cloned() {
            let is_old = self.calls.get(&oldest).is_none_or(|kept| kept.answer.is_some() && now.since(kept.at) >= KEEP);
            if !is_old {
                break;
            }
            self.remove(&oldest);
        }
    }

    /// Forgets the oldest call that is answered; false when none is.
    fn forget_one(&mut self) -> bool {
        let oldest = self.order.iter().find(|call| self.calls.get(call).is_some_and(|kept| kept.answer.is_some())).cloned();
        oldest.inspect(|call| self.remove(call)).is_some()
    }
}

/// Abandons a call that never came to an answer, for instance because its handler panicked.
struct UnderWay {
    calls: Arc<Calls>,
    call: Call,
    answered: bool,
}

impl UnderWay {
    fn end(mut self, answer: Answer) {
        if answer.body.len() <= ANSWER_BYTES_MAX {
            self.calls.end(&self.call, answer);
            self.answered = true;
        }
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        if !self.answered {
            self.calls.abandon(&self.call);
        }
    }
}

/// Layer of every route that changes something. A call with a key is carried through even when its client hangs up, so
/// that asking again finds the answer. Only successes are kept: a call that failed changed nothing and may be repaired.
pub async fn once(State(calls): State<Arc<Calls>>, caller: Caller, request: Request, next: Next) -> Response {
    match answer_once(calls, caller, request, next).await {
        Ok(response) => response,
        Err(problem) => problem.into_response(),
    }
}

async fn answer_once(calls: Arc<Calls>, caller: Caller, request: Request, next: Next) -> Result<Response, Problem> {
    let Some(key) = key(request.headers())? else { return Ok(next.run(request).await) };
    let (parts, body) = request.into_parts();
    let body = whole(body).await?;
    let call = Call { caller: caller.name, method: parts.method.clone(), path: parts.uri.path().to_owned(), key };
    if let Turn::Again(answer) = calls.begin(&call, DocumentDigest::of(&body))? {
        return Ok(answer.again());
    }
    let under_way = UnderWay { calls: Arc::clone(&calls), call, answered: false };
    let request = Request::from_parts(parts, axum::body::Body::from(body));
    let work = async move {
        let response = next.run(request).await;
        if !response.status().is_success() {
            return Ok(response);
        }
        let (parts, body) = response.into_parts();
        let body = body.collect().await.map_err(|error| Problem::internal(error.to_string()))?.to_bytes();
        let answer = Answer { status: parts.status, media_type: parts.headers.get(header::CONTENT_TYPE).cloned(), body: body.clone() };
        under_way.end(answer);
        Ok(Response::from_parts(parts, axum::body::Body::from(body)))
    };
    tokio::spawn(work.in_current_span())
        .await
        .map_err(|error| Problem::internal(format!("a call under an idempotency key failed: {error}")))?
}

impl Answer {
    fn again(self) -> Response {
        let mut response = (self.status, self.body).into_response();
        let headers = response.headers_mut();
        headers.remove(header::CONTENT_TYPE);
        if let Some(media_type) = self.media_type {
            headers.insert(header::CONTENT_TYPE, media_type);
        }
        headers.insert(REPLAYED, HeaderValue::from_static("true"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        response
    }
}

fn key(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let mut keys = headers.get_all(KEY).iter();
    let Some(key) = keys.next() else { return Ok(None) };
    let text = key.to_str().ok().filter(|text| !text.trim().is_empty() && text.len() <= KEY_BYTES_MAX);
    match (text, keys.next()) {
        (Some(text), None) => Ok(Some(text.trim().to_owned())),
        (_, _) => {
            let text = format!("Idempotency-Key is given once, with 1 to {KEY_BYTES_MAX} printable ASCII characters");
            Err(Problem::new(Kind::Malformed, text))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(key: &str) -> Call {
        Call { caller: Some("maria".to_owned()), method: http::Method::POST, path: "/x".to_owned(), key: key.to_owned() }
    }

    fn answer(bytes: usize) -> Answer {
        Answer { status: StatusCode::OK, media_type: None, body: Bytes::from(vec![b'x'; bytes]) }
    }

    fn calls() -> Calls {
        Calls::new(Clock::test(Timestamp::from_millis(0)))
    }

    fn body(text: &str) -> DocumentDigest {
        DocumentDigest::of(text.as_bytes())
    }

    fn is_first(turn: Result<Turn, Problem>) -> bool {
        matches!(turn, Ok(Turn::First))
    }

    #[test]
    fn a_call_is_answered_again_for_a_day_and_to_nobody_else() {
        let calls = calls();
        assert!(is_first(calls.begin(&call("1"), body("a"))));
        assert_eq!(calls.begin(&call("1"), body("a")).err().unwrap().kind, Kind::Conflict);
        calls.end(&call("1"), answer(3));
        assert!(matches!(calls.begin(&call("1"), body("a")), Ok(Turn::Again(kept)) if kept.body.len() == 3));
        assert_eq!(calls.begin(&call("1"), body("b")).err().unwrap().kind, Kind::Unacceptable);
        let others = [
            Call { caller: Some("otto".to_owned()), ..call("1") },
            Call { caller: None, ..call("1") },
            Call { path: "/y".to_owned(), ..call("1") },
            Call { method: http::Method::DELETE, ..call("1") },
        ];
        for other in others {
            assert!(is_first(calls.begin(&other, body("a"))));
        }
        calls.clock.advance(KEEP - Duration::from_millis(1));
        assert!(!is_first(calls.begin(&call("1"), body("a"))));
        calls.clock.advance(Duration::from_millis(1));
        assert!(is_first(calls.begin(&call("1"), body("b"))));
    }

    #[test]
    fn what_is_kept_is_bounded_and_what_is_under_way_is_not_forgotten() {
        let calls = calls();
        assert!(is_first(calls.begin(&call("under way"), body(""))));
        for at in 0..CALLS_MAX * 2 {
            assert!(is_first(calls.begin(&call(&at.to_string()), body(""))));
            calls.end(&call(&at.to_string()), answer(ANSWER_BYTES_MAX));
        }
        let shelf = calls.lock();
        assert!(shelf.calls.len() <= CALLS_MAX && shelf.order.len() == shelf.calls.len(), "{}", shelf.calls.len());
        let bytes: usize = shelf.calls.values().filter_map(|kept| kept.answer.as_ref()).map(|answer| answer.body.len()).sum();
        assert!(bytes <= ANSWERS_BYTES_MAX && bytes == shelf.bytes, "{bytes}");
        drop(shelf);
        assert_eq!(calls.begin(&call("under way"), body("")).err().unwrap().kind, Kind::Conflict);
    }

    #[test]
    fn a_full_house_under_way_is_told() {
        let calls = calls();
        for at in 0..CALLS_MAX {
            assert!(is_first(calls.begin(&call(&at.to_string()), body(""))));
        }
        assert_eq!(calls.begin(&call("one more"), body("")).err().unwrap().kind, Kind::TooManyRequests);
        calls.abandon(&call("0"));
        assert!(is_first(calls.begin(&call("one more"), body(""))));
    }

    #[test]
    fn a_key_is_one_line_of_ascii() {
        let of = |values: &[&str]| {
            let pairs = values.iter().map(|value| (KEY, HeaderValue::from_bytes(value.as_bytes()).unwrap()));
            let mut headers = HeaderMap::new();
            pairs.for_each(|(name, value)| _ = headers.append(name, value));
            key(&headers)
        };
        assert_eq!(of(&[]).unwrap(), None);
        assert_eq!(of(&["8e03978e-40d5"]).unwrap().as_deref(), Some("8e03978e-40d5"));
        for wrong in [&[""][..], &[" "], &["a", "b"], &["é"], &[&"x".repeat(KEY_BYTES_MAX + 1)]] {
            assert_eq!(of(wrong).unwrap_err().kind, Kind::Malformed, "{wrong:?}");
        }
    }
}
