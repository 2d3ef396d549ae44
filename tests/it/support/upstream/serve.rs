//! The socket side of a scenario upstream: connections, and the answers that faults spoil.

use std::convert::Infallible;
use std::io;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::Stream;
use futures_util::StreamExt;
use futures_util::TryStreamExt;
use futures_util::stream;
use http::Method;
use http::Request;
use http::Response;
use http_body_util::BodyExt;
use http_body_util::Full;
use http_body_util::StreamBody;
use http_body_util::combinators::BoxBody;
use hyper::body::Frame;
use hyper::body::Incoming;
use hyper::ext::ReasonPhrase;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use percent_encoding::percent_decode_str;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use super::Received;
use super::World;
use super::answer::Answer;
use super::fault::Fault;
use super::fault::Gate;
use super::fault::Kind;

type Body = BoxBody<Bytes, io::Error>;

/// Until aborted; every connection ends with it.
pub(super) async fn accept(listener: TcpListener, world: Arc<World>) {
    let mut connections = JoinSet::new();
    loop {
        let (socket, _) = listener.accept().await.unwrap();
        let world = Arc::clone(&world);
        connections.spawn(async move {
            let service = service_fn(move |request| answer(Arc::clone(&world), request));
            // A cut connection is what some faults are for.
            _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(socket), service).await;
        });
        while connections.try_join_next().is_some() {}
    }
}

async fn answer(world: Arc<World>, request: Request<Incoming>) -> Result<Response<Body>, io::Error> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
    let raw = parts.uri.path_and_query().map_or("/", |both| both.as_str()).to_owned();
    let decoded = percent_decode_str(parts.uri.path()).decode_utf8_lossy().into_owned();
    let (honest, fault) = {
        let mut inner = world.lock();
        let below = decoded.strip_prefix(inner.shape.prefix.trim_end_matches('/')).map(str::to_owned);
        let path = below.clone().unwrap_or(decoded);
        let fault = inner.faults.iter_mut().find_map(|planted| planted.strike(&path));
        let honest = match below {
            Some(below) => inner.answer(&world.base, &parts.method, &below, &parts.headers),
            None => Answer::json(404, &serde_json::json!({"error": "outside of the registry's prefix"})),
        };
        let answered = match fault.as_ref().map(|fault| &fault.kind) {
            Some(Kind::Status { code, .. }) => *code,
            Some(Kind::Reset) => 0,
            Some(_) | None => honest.status,
        };
        inner.log.push(Received { method: parts.method.clone(), raw, path, headers: parts.headers, body, answered });
        (honest, fault)
    };
    world.arrivals.send_modify(|count| *count += 1);
    match fault {
        None => Ok(respond(honest, parts.method == Method::HEAD)),
        Some(fault) => spoil(fault, honest, parts.method == Method::HEAD).await,
    }
}

fn respond(answer: Answer, head: bool) -> Response<Body> {
    let length = answer.body.len();
    let body = if head { Bytes::new() } else { answer.body };
    let mut response = Response::new(whole(body));
    *response.status_mut() = answer.status.try_into().unwrap();
    for (name, value) in answer.headers {
        response.headers_mut().insert(name, value.parse().unwrap());
    }
    if head {
        response.headers_mut().insert("content-length", length.into());
    }
    response
}

async fn spoil(fault: Fault, honest: Answer, head: bool) -> Result<Response<Body>, io::Error> {
    let length = honest.body.len();
    let cut = |after: usize| honest.body.slice(..after.min(length));
    let mut response = match fault.kind {
        Kind::Honest => respond(honest, head),
        Kind::Gzip => respond(honest.gzipped(), head),
        Kind::Body(body) => respond(Answer { body, ..honest }, head),
        Kind::Reset => return Err(io::Error::other("a planted reset")),
        Kind::Status { code, reason, body } => {
            let mut response = respond(Answer { status: code, headers: vec![("content-type", "application/json".into())], body }, head);
            if let Some(reason) = reason {
                response.extensions_mut().insert(ReasonPhrase::try_from(reason.into_bytes()).unwrap());
            }
            response
        }
        Kind::Truncate { after } => announced(length as u64, truncated(cut(after)), honest),
        Kind::Oversize { bytes, announced: true } => announced(bytes, zeros(bytes), honest),
        Kind::Oversize { bytes, announced: false } => {
            let mut response = respond(honest, head);
            *response.body_mut() = zeros(bytes);
            response
        }
        Kind::Wait { gate, after: None } => {
            gate.pass().await;
            respond(honest, head)
        }
        Kind::Wait { gate, after: Some(after) } => {
            announced(length as u64, stalled(cut(after), gate, honest.body.slice(after.min(length)..)), honest)
        }
    };
    for (name, value) in fault.headers {
        response.headers_mut().insert(http::HeaderName::from_bytes(name.as_bytes()).unwrap(), value.parse().unwrap());
    }
    Ok(response)
}

fn announced(length: u64, body: Body, honest: Answer) -> Response<Body> {
    let mut response = respond(Answer { body: Bytes::new(), ..honest }, false);
    response.headers_mut().insert("content-length", length.into());
    *response.body_mut() = body;
    response
}

fn whole(bytes: Bytes) -> Body {
    BodyExt::boxed(Full::new(bytes).map_err(|never: Infallible| match never {}))
}

/// Lets what was sent so far reach the socket before the next step.
async fn flushed() {
    tokio::task::yield_now().await;
}

fn streamed(frames: impl Stream<Item = Result<Bytes, io::Error>> + Send + Sync + 'static) -> Body {
    BodyExt::boxed(StreamBody::new(frames.map_ok(Frame::data)))
}

fn truncated(sent: Bytes) -> Body {
    let cut = stream::once(async {
        flushed().await;
        Err(io::Error::other("a planted truncation"))
    });
    streamed(stream::iter([Ok(sent)]).chain(cut))
}

fn stalled(sent: Bytes, gate: Gate, rest: Bytes) -> Body {
    let rest = stream::once(async move {
        gate.pass().await;
        Ok(rest)
    });
    streamed(stream::iter([Ok(sent)]).chain(rest))
}

fn zeros(bytes: u64) -> Body {
    const CHUNK: usize = 64 * 1_024;
    static ZEROS: [u8; CHUNK] = [0; CHUNK];
    let bytes = usize::try_from(bytes).unwrap();
    let lengths = (0..bytes.div_ceil(CHUNK)).map(move |index| (bytes - index * CHUNK).min(CHUNK));
    streamed(stream::iter(lengths.map(|length| Ok(Bytes::from_static(&ZEROS[..length])))))
}
