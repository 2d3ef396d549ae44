//! Connections on which the system sends from a file by itself: what it sends is not copied through this process.

use std::fs::File;
use std::io;
use std::task::Context;
use std::task::Poll;
use std::task::ready;

use rustix::fs::sendfile;
use rustix::net::SendFlags;
use rustix::net::send;
use tokio::io::Interest;
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

/// A part of a file.
#[derive(Clone, Copy, Debug)]
pub struct Part<'f> {
    pub file: &'f File,
    pub offset: u64,
    pub length: u64,
}

/// A body that may lie in a file.
pub trait InFile {
    /// What is not sent yet, where the system may send that by itself.
    fn rest(&self) -> Option<Part<'_>>;

    /// So many bytes of it went.
    fn advance(&mut self, bytes: u64);
}

/// A connection that may be able to send from files. One that is encrypted here cannot.
pub trait SendsFiles {
    fn can_send_files(&self) -> bool;

    /// Sends what goes before a file, in one packet with the beginning of that. Returns how much went.
    fn poll_send_before_file(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>>;

    /// Returns how much went; nothing where the file is shorter than it was said to be.
    fn poll_send_file(&mut self, cx: &mut Context<'_>, part: Part<'_>) -> Poll<io::Result<usize>>;
}

impl SendsFiles for TcpStream {
    fn can_send_files(&self) -> bool {
        true
    }

    fn poll_send_before_file(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        poll_write(self, cx, |socket| Ok(send(socket, bytes, SendFlags::MORE | SendFlags::NOSIGNAL)?))
    }

    fn poll_send_file(&mut self, cx: &mut Context<'_>, part: Part<'_>) -> Poll<io::Result<usize>> {
        let length = usize::try_from(part.length).unwrap_or(usize::MAX);
        poll_write(self, cx, |socket| Ok(sendfile(socket, part.file, Some(&mut { part.offset }), length)?))
    }
}

fn poll_write(socket: &TcpStream, cx: &mut Context<'_>, write: impl Fn(&TcpStream) -> io::Result<usize>) -> Poll<io::Result<usize>> {
    loop {
        ready!(socket.poll_write_ready(cx))?;
        match socket.try_io(Interest::WRITABLE, || write(socket)) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock || error.kind() == io::ErrorKind::Interrupted => {}
            written => return Poll::Ready(written),
        }
    }
}

/// What can be said of connections that cannot.
fn never<T>() -> Poll<io::Result<T>> {
    Poll::Ready(Err(io::ErrorKind::Unsupported.into()))
}

impl<S> SendsFiles for TlsStream<S> {
    fn can_send_files(&self) -> bool {
        false
    }

    fn poll_send_before_file(&mut self, _: &mut Context<'_>, _: &[u8]) -> Poll<io::Result<usize>> {
        never()
    }

    fn poll_send_file(&mut self, _: &mut Context<'_>, _: Part<'_>) -> Poll<io::Result<usize>> {
        never()
    }
}

#[cfg(test)]
impl InFile for axum::body::Body {
    fn rest(&self) -> Option<Part<'_>> {
        None
    }

    fn advance(&mut self, _: u64) {}
}

#[cfg(test)]
impl SendsFiles for tokio::io::DuplexStream {
    fn can_send_files(&self) -> bool {
        false
    }

    fn poll_send_before_file(&mut self, _: &mut Context<'_>, _: &[u8]) -> Poll<io::Result<usize>> {
        never()
    }

    fn poll_send_file(&mut self, _: &mut Context<'_>, _: Part<'_>) -> Poll<io::Result<usize>> {
        never()
    }
}
