//! Answers that lie ready: their fields are text already and their bytes are there, so that sending one is copying it.

use std::pin::Pin;
use std::task::Context;
use std::task::Poll;

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use http::HeaderName;
use http::HeaderValue;
use http::StatusCode;
use http::header;
use http_body::Frame;
use http_body::SizeHint;

use crate::http::body::FileBody;

/// One answer.
#[derive(Debug)]
pub struct Ready {
    pub status: StatusCode,
    /// `name: value` and a line end for each field but `Cache-Control`; the length is among them where there is one to tell.
    pub fields: Bytes,
    pub cache_control: &'static str,
    pub content: Content,
}

/// What is sent after the head; nothing for HEAD and for what the client holds.
#[derive(Debug)]
pub enum Content {
    Memory(Bytes),
    File(FileBody),
}

impl Content {
    pub const NONE: Content = Content::Memory(Bytes::new());
}

impl Ready {
    /// Appends the fields as they are sent.
    pub fn write(&self, head: &mut Vec<u8>) {
        head.extend_from_slice(&self.fields);
        head.extend_from_slice(b"cache-control: ");
        head.extend_from_slice(self.cache_control.as_bytes());
        head.extend_from_slice(b"\r\n");
    }

    /// The same answer for who does not write heads.
    pub fn into_response(self) -> Response {
        let body = match self.content {
            Content::Memory(bytes) if bytes.is_empty() => Body::empty(),
            Content::Memory(bytes) => Body::from(bytes),
            Content::File(file) => Body::new(file),
        };
        let mut response = Response::new(body);
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        // Of here and of the door, so that the map does not grow.
        headers.reserve(12);
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(self.cache_control));
        for line in self.fields.split(|byte| *byte == b'\n') {
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            let Some(colon) = memchr::memchr(b':', line) else { continue };
            let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii_start());
            if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name), HeaderValue::from_maybe_shared(self.fields.slice_ref(value))) {
                headers.append(name, value);
            }
        }
        response
    }
}

/// Fields as [`Ready`] has them.
pub fn fields(of: &[(HeaderName, &str)]) -> Bytes {
    let mut text = Vec::with_capacity(of.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum());
    for (name, value) in of {
        for part in [name.as_str(), ": ", value, "\r\n"] {
            text.extend_from_slice(part.as_bytes());
        }
    }
    Bytes::from(text)
}

impl http_body::Body for Content {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        match &mut *self {
            Content::Memory(bytes) if bytes.is_empty() => Poll::Ready(None),
            Content::Memory(bytes) => Poll::Ready(Some(Ok(Frame::data(std::mem::take(bytes))))),
            Content::File(file) => Pin::new(file).poll_frame(cx).map_err(axum::Error::new),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Content::Memory(bytes) => bytes.is_empty(),
            Content::File(file) => file.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Content::Memory(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Content::File(file) => file.size_hint(),
        }
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;

    use super::*;

    #[tokio::test]
    async fn both_ways_to_send_an_answer_say_the_same() {
        let ready = Ready {
            status: StatusCode::OK,
            fields: fields(&[(header::ETAG, "\"a:b\""), (header::VARY, "accept, accept-encoding"), (header::CONTENT_LENGTH, "5")]),
            cache_control: "no-cache",
            content: Content::Memory(Bytes::from_static(b"twice")),
        };
        let mut head = Vec::new();
        ready.write(&mut head);
        let response = ready.into_response();
        let mut said: Vec<String> = response.headers().iter().map(|(name, value)| format!("{name}: {}", value.to_str().unwrap())).collect();
        said.sort();
        let mut written: Vec<&str> = std::str::from_utf8(&head).unwrap().lines().collect();
        written.sort_unstable();
        assert_eq!(written, said);
        assert_eq!(written.len(), 4);
        assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "twice");
    }
}
