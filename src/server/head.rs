//! Heads of HTTP/1.1: requests without a body are read with the parser that hyper uses, answers' heads are written.

use std::mem::MaybeUninit;
use std::time::Duration;
use std::time::SystemTime;

use axum::body::Body;
use bytes::Bytes;
use bytes::BytesMut;
use http::HeaderMap;
use http::HeaderName;
use http::HeaderValue;
use http::Method;
use http::Request;
use http::Uri;
use http::header;
use hyper::ext::ReasonPhrase;

use crate::clock::Clock;
use crate::http::fields::Fields;
use crate::http::fields::Plain;
use crate::server::limits;

/// Fields as they stand in what was read.
pub struct Raw<'h>(&'h [httparse::Header<'h>]);

impl Fields for Raw<'_> {
    fn all<'f>(&'f self, name: &'f HeaderName) -> impl Iterator<Item = &'f [u8]> {
        let name = name.as_str();
        self.0.iter().filter(move |field| field.name.eq_ignore_ascii_case(name)).map(|field| field.value)
    }
}

#[expect(clippy::large_enum_variant, reason = "it lives for a moment and is never stored; a box would be one more allocation a request")]
pub enum Parsed<B> {
    /// It was answered from what lies ready, with this body; the answer's head is written.
    Ready(B),
    Whole(Request<Body>),
    /// Not all of its head is there.
    Partial,
    Elsewhere,
}

/// Takes one request off `read`, or leaves that as it is. `at_once` is asked first whether the answer lies ready.
pub fn parse<B>(read: &mut BytesMut, at_once: impl FnOnce(&Plain<'_, Raw<'_>>) -> Option<B>) -> Parsed<B> {
    let mut room = [const { MaybeUninit::uninit() }; limits::HEADERS_MAX];
    let mut head = httparse::Request::new(&mut []);
    let length = match head.parse_with_uninit_headers(read, &mut room) {
        // A head that ends in another way than clients end theirs is for a parser that knows them all.
        Ok(httparse::Status::Complete(length)) if read[..length].ends_with(b"\r\n\r\n") => length,
        Ok(httparse::Status::Partial) => return Parsed::Partial,
        Ok(httparse::Status::Complete(_)) | Err(_) => return Parsed::Elsewhere,
    };
    let Some(is_head) = is_for_here(&head) else { return Parsed::Elsewhere };
    let path = head.path.unwrap_or_default();
    let (path, query) = path.split_once('?').map_or((path, None), |(path, query)| (path, Some(query)));
    let plain = Plain { is_head, path, query, fields: &Raw(head.headers) };
    if let Some(body) = (is_everyday(path) && query.is_none_or(is_everyday)).then(|| at_once(&plain)).flatten() {
        drop(read.split_to(length));
        return Parsed::Ready(body);
    }
    let all = read.split_to(length).freeze();
    match request(&all) {
        Some(request) => Parsed::Whole(request),
        None => {
            // Nobody else holds it any more: it is put back in front of what follows.
            let mut back = BytesMut::from(all);
            back.unsplit(std::mem::take(read));
            *read = back;
            Parsed::Elsewhere
        }
    }
}

/// Whether a path or a query has only what clients write there, so that nobody reads it in two ways.
fn is_everyday(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/-._~@%+=&".contains(&byte))
}

/// Whether it is HEAD, for GET and HEAD without a body or anything else that a connection has to know of.
fn is_for_here(head: &httparse::Request<'_, '_>) -> Option<bool> {
    let is_head = match (head.method?, head.version?) {
        ("GET", 1) => false,
        ("HEAD", 1) => true,
        (_, _) => return None,
    };
    let of_connection = [header::CONTENT_LENGTH, header::TRANSFER_ENCODING, header::UPGRADE, header::EXPECT];
    let is_everyday = head.headers.iter().all(|field| match field.name.len() {
        // `Connection`, and the lengths of the four.
        10 if field.name.eq_ignore_ascii_case(header::CONNECTION.as_str()) => field.value.eq_ignore_ascii_case(b"keep-alive"),
        6 | 7 | 14 | 17 => !of_connection.iter().any(|name| field.name.eq_ignore_ascii_case(name.as_str())),
        _ => true,
    });
    is_everyday.then_some(is_head)
}

/// A head that is for here, which is all of `all`, taken apart.
fn request(all: &Bytes) -> Option<Request<Body>> {
    let mut room = [const { MaybeUninit::uninit() }; limits::HEADERS_MAX];
    let mut head = httparse::Request::new(&mut []);
    match head.parse_with_uninit_headers(all, &mut room) {
        Ok(httparse::Status::Complete(_)) => {}
        Ok(httparse::Status::Partial) | Err(_) => return None,
    }
    let mut headers = HeaderMap::with_capacity(head.headers.len());
    for field in &*head.headers {
        let name = HeaderName::from_bytes(field.name.as_bytes()).ok()?;
        headers.append(name, HeaderValue::from_maybe_shared(all.slice_ref(field.value)).ok()?);
    }
    let mut request = Request::new(Body::empty());
    *request.method_mut() = Method::from_bytes(head.method?.as_bytes()).ok()?;
    *request.uri_mut() = Uri::from_maybe_shared(all.slice_ref(head.path?.as_bytes())).ok()?;
    *request.headers_mut() = headers;
    Some(request)
}

/// `length` is the body's, where the headers do not say it.
pub fn write_head(parts: &http::response::Parts, length: Option<u64>, head: &mut Vec<u8>) {
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
}

/// What the connection says of itself, and the head's end.
pub fn end_head(date: &str, goes_on: bool, head: &mut Vec<u8>) {
    if !goes_on {
        head.extend_from_slice(b"connection: close\r\n");
    }
    for part in ["date: ", date, "\r\n\r\n"] {
        head.extend_from_slice(part.as_bytes());
    }
}

/// When the second passes, and no more often, a date is written.
pub struct Date {
    clock: Clock,
    second: i64,
    text: String,
}

impl Date {
    pub fn new(clock: &Clock) -> Date {
        Date { clock: clock.clone(), second: i64::MIN, text: String::new() }
    }

    /// As a header has it.
    pub fn now(&mut self) -> &str {
        let second = self.clock.now().millis().div_euclid(1_000);
        if self.second != second {
            self.second = second;
            let since = Duration::from_secs(u64::try_from(second).unwrap_or(0));
            self.text = httpdate::fmt_http_date(SystemTime::UNIX_EPOCH + since);
        }
        &self.text
    }
}
