//! Sends proven bytes: from memory, or from their file by blocks. What the system has in memory is read where it is asked
//! for; only what is really on the disk is read by another thread, one block ahead of the client.

use std::fs::File;
use std::io;
use std::io::IoSliceMut;
use std::os::unix::fs::FileExt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Context;
use std::task::Poll;

use bytes::Bytes;
use data_encoding::HEXLOWER;
use http::StatusCode;
use http::header;
use http_body::Frame;
use http_body::SizeHint;
use rustix::io::ReadWriteFlags;
use rustix::io::preadv2;
use tokio::task::JoinHandle;

use crate::http::arena::Region;
use crate::http::fields::Fields;
use crate::http::ready::Content;
use crate::http::ready::Ready;
use crate::http::ready::fields;
use crate::http::rendered::holds;
use crate::model::digest::Reading;
use crate::model::digest::Verified;

/// What one read takes from the file. A slow client costs two of them.
pub const BLOCK_BYTES: u64 = 64 * 1024;

/// Of sixteen bytes in hexadecimal, in quotes.
const ETAG_BYTES: usize = 34;

/// The answer to GET or HEAD for an artifact: its bytes as they are, never encoded again, whole (a `Range` is ignored,
/// which HTTP allows), with its length; 304 when the client still holds them.
pub fn ready<F: Fields>(content: &Verified, is_head: bool, request: &F, content_type: &'static str, cache_control: &'static str) -> Ready {
    let mut etag = String::with_capacity(ETAG_BYTES);
    etag.push('"');
    HEXLOWER.encode_append(&content.digest().raw()[..16], &mut etag);
    etag.push('"');
    let known = [(header::ETAG, &*etag), (header::ACCEPT_RANGES, "none")];
    if holds(request, &etag) {
        return Ready { status: StatusCode::NOT_MODIFIED, fields: fields(&known), cache_control, content: Content::NONE };
    }
    let mut length = itoa::Buffer::new();
    let [etag, ranges] = known;
    let sent_with = [etag, ranges, (header::CONTENT_TYPE, content_type), (header::CONTENT_LENGTH, length.format(content.size()))];
    let content = if is_head { Content::NONE } else { body(content) };
    Ready { status: StatusCode::OK, fields: fields(&sent_with), cache_control, content }
}

/// The bytes as a body of known length.
pub fn body(content: &Verified) -> Content {
    match content.reading() {
        Reading::Memory(bytes) => Content::Memory(bytes.clone()),
        Reading::File(file) => Content::File(FileBody::new(Arc::clone(file), content.size())),
    }
}

/// `size` bytes of a file. A file that turns out shorter is an error, which cuts the connection: a client never takes a
/// part for the whole.
#[derive(Debug)]
pub struct FileBody {
    file: Arc<File>,
    /// Where they begin.
    from: u64,
    size: u64,
    /// Kept where they are until they are sent; then they are in memory and nothing is to be waited for.
    region: Option<Arc<Region>>,
    /// Handed out so far.
    sent: u64,
    /// The block at `sent`, being read from the disk.
    ahead: Option<JoinHandle<io::Result<Bytes>>>,
    /// The block that was handed out last: its room is read into again once nobody else holds it.
    last: Bytes,
}

impl FileBody {
    fn new(file: Arc<File>, size: u64) -> FileBody {
        FileBody { file, from: 0, size, region: None, sent: 0, ahead: None, last: Bytes::new() }
    }

    pub fn of_region(region: Arc<Region>) -> FileBody {
        let (file, from, size) = (Arc::clone(region.file()), region.offset(), region.length());
        FileBody { file, from, size, region: Some(region), sent: 0, ahead: None, last: Bytes::new() }
    }

    /// The file, an offset in it and a length, of what is not sent yet, where the system may send that by itself.
    pub fn rest(&self) -> Option<(&File, u64, u64)> {
        (self.region.is_some() && self.sent < self.size).then(|| (&*self.file, self.from + self.sent, self.size - self.sent))
    }

    /// So much of [`FileBody::rest`] went.
    pub fn advance(&mut self, bytes: u64) {
        self.sent = (self.sent + bytes).min(self.size);
    }

    fn block_bytes(&self) -> usize {
        usize::try_from((self.size - self.sent).min(BLOCK_BYTES)).unwrap_or(usize::MAX)
    }

    /// As much of the next block as the system has in memory; `None` when that is nothing, or when it cannot tell.
    fn read_from_memory(&mut self) -> Option<Bytes> {
        let mut block = std::mem::take(&mut self.last).try_into_mut().unwrap_or_default();
        block.resize(self.block_bytes(), 0);
        let flags = if self.region.is_some() { ReadWriteFlags::empty() } else { ReadWriteFlags::NOWAIT };
        let read = preadv2(&*self.file, &mut [IoSliceMut::new(&mut block)], self.from + self.sent, flags).unwrap_or(0);
        block.truncate(read);
        let block = block.freeze();
        self.last = block.clone();
        (read > 0).then_some(block)
    }

    fn read_block(&self) -> JoinHandle<io::Result<Bytes>> {
        let (file, offset, length) = (Arc::clone(&self.file), self.from + self.sent, self.block_bytes());
        tokio::task::spawn_blocking(move || {
            let mut block = vec![0_u8; length];
            file.read_exact_at(&mut block, offset)?;
            Ok(Bytes::from(block))
        })
    }
}

impl http_body::Body for FileBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        if self.sent == self.size {
            return Poll::Ready(None);
        }
        let mut reading = match self.ahead.take() {
            Some(reading) => reading,
            None => match self.read_from_memory() {
                Some(block) => {
                    self.sent += block.len() as u64;
                    return Poll::Ready(Some(Ok(Frame::data(block))));
                }
                None => self.read_block(),
            },
        };
        let Poll::Ready(read) = Pin::new(&mut reading).poll(cx) else {
            self.ahead = Some(reading);
            return Poll::Pending;
        };
        let block = match read.map_err(io::Error::other).flatten() {
            Ok(block) => block,
            Err(error) => {
                tracing::error!(%error, "a blob could not be read while it was sent");
                return Poll::Ready(Some(Err(error)));
            }
        };
        self.sent += block.len() as u64;
        if self.sent < self.size {
            self.ahead = Some(self.read_block());
        }
        Poll::Ready(Some(Ok(Frame::data(block))))
    }

    fn is_end_stream(&self) -> bool {
        self.sent == self.size
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.size - self.sent)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Seek;
    use std::io::Write;

    use http::HeaderMap;
    use http::HeaderValue;
    use http_body_util::BodyExt;

    use super::*;
    use crate::model::digest::Digest;

    fn in_file(bytes: &[u8]) -> (File, Verified) {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        file.rewind().unwrap();
        let handle = file.try_clone().unwrap();
        (handle, Verified::file(Digest::of(bytes), file).unwrap())
    }

    fn bytes() -> Vec<u8> {
        (0..BLOCK_BYTES * 2 + 17).map(|number| u8::try_from(number % 251).unwrap()).collect()
    }

    #[tokio::test]
    async fn a_file_is_sent_whole_in_blocks() {
        let (_file, content) = in_file(&bytes());
        let request: HeaderMap = [(header::RANGE, HeaderValue::from_static("bytes=0-9"))].into_iter().collect();
        let mut response = ready(&content, false, &request, "application/octet-stream", "public, immutable").into_response();
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-length"], bytes().len().to_string().as_str());
        assert_eq!(response.headers()["accept-ranges"], "none");
        let first = response.body_mut().frame().await.unwrap().unwrap().into_data().unwrap();
        assert_eq!(first.len() as u64, BLOCK_BYTES);
        let rest = response.into_body().collect().await.unwrap().to_bytes();
        assert_eq!([first, rest].concat(), bytes());
    }

    #[tokio::test]
    async fn head_and_what_the_client_holds_send_no_body() {
        let (_file, content) = in_file(&bytes());
        let head = ready(&content, true, &HeaderMap::new(), "application/octet-stream", "public, immutable").into_response();
        assert_eq!(head.headers()["content-length"], bytes().len().to_string().as_str());
        let etag = head.headers()["etag"].clone();
        assert!(head.into_body().collect().await.unwrap().to_bytes().is_empty());
        let request: HeaderMap = [(header::IF_NONE_MATCH, etag)].into_iter().collect();
        let held = ready(&content, false, &request, "application/octet-stream", "public, immutable").into_response();
        assert_eq!(held.status(), 304);
        let memory =
            ready(&Verified::measure(Bytes::from(bytes())), false, &request, "application/octet-stream", "no-cache").into_response();
        assert_eq!(memory.status(), 304, "the same bytes have the same tag wherever they lie");
    }

    #[tokio::test]
    async fn a_file_that_shrank_is_an_error_and_not_an_end() {
        let (file, content) = in_file(&bytes());
        file.set_len(BLOCK_BYTES + 5).unwrap();
        assert!(body(&content).collect().await.is_err());
    }

    #[tokio::test]
    async fn nothing_is_a_body_too() {
        let (_file, content) = in_file(b"");
        assert!(body(&content).collect().await.unwrap().to_bytes().is_empty());
    }
}
