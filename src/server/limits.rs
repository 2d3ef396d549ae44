//! What one client, and all of them together, may take: headers, time, connections, open files.

use std::collections::HashMap;
use std::net::IpAddr;
use std::net::Ipv6Addr;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use hyper_util::rt::TokioExecutor;
use hyper_util::rt::TokioTimer;
use hyper_util::server::conn::auto::Builder;

use crate::http::incoming::BODY_TIMEOUT;

/// A request's head, in bytes.
pub const HEAD_BYTES_MAX: usize = 64 * 1024;
/// A request's fields. It is hyper's own maximum: another would make it ready a table of that size for each request.
pub const HEADERS_MAX: usize = 100;

/// How long a connection may stay without a request, a half-sent head included: a connection with half a head costs no
/// more than one without. Clients keep theirs for a minute, so it is longer.
pub const IDLE: Duration = Duration::from_secs(75);

pub const TLS_HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a client may leave what is sent to it unread.
pub const WRITE_TIMEOUT: Duration = Duration::from_secs(60);

/// How long a handler may take until its answer begins: longer than any upstream timeout or wait for a verdict.
pub const HANDLER_TIMEOUT: Duration = Duration::from_secs(300);

/// The same where the handler first has a body to hear.
pub const UPLOAD_TIMEOUT: Duration = HANDLER_TIMEOUT.saturating_add(BODY_TIMEOUT);

/// Open connections: of all clients, and of one. One `deno install` opens more than a hundred.
pub const CONNECTIONS_MAX: usize = 4_096;
pub const CONNECTIONS_PER_ADDRESS_MAX: usize = 512;

/// Requests being answered; more are asked to come again.
pub const REQUESTS_MAX: i64 = 8_192;

/// HTTP/2: requests at once on one connection, resets that wait to be accepted, and what is buffered of an answer.
const STREAMS_MAX: u32 = 200;
const RESETS_MAX: usize = 20;
const SEND_BUFFER_BYTES: usize = 256 * 1024;
const PING_AFTER: Duration = Duration::from_secs(30);

/// How long requests may go on once a stop was asked for.
pub const STOP_TIMEOUT: Duration = Duration::from_secs(30);

/// How a connection is spoken to: HTTP/1.1 or HTTP/2, as the client begins.
pub fn protocols() -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(IDLE).max_buf_size(HEAD_BYTES_MAX);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS_MAX)
        .max_pending_accept_reset_streams(RESETS_MAX)
        .max_header_list_size(u32::try_from(HEAD_BYTES_MAX).unwrap_or(u32::MAX))
        .max_send_buf_size(SEND_BUFFER_BYTES)
        .keep_alive_interval(PING_AFTER)
        .keep_alive_timeout(PING_AFTER);
    builder
}

/// Open connections by client address; an IPv6 client counts by its /64.
#[derive(Clone, Default)]
pub struct Connections(Arc<Mutex<HashMap<IpAddr, usize>>>);

/// One open connection; gone when dropped.
pub struct Connection {
    of: Connections,
    client: IpAddr,
}

impl Connections {
    /// `None` when `address` has `max` open already.
    pub fn admit(&self, address: IpAddr, max: usize) -> Option<Connection> {
        let client = match address {
            IpAddr::V4(_) => address,
            IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << 64))),
        };
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = open.entry(client).or_default();
        if *count >= max {
            return None;
        }
        *count += 1;
        Some(Connection { of: self.clone(), client })
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        let mut open = self.of.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = open.get_mut(&self.client) {
            *count -= 1;
            if *count == 0 {
                open.remove(&self.client);
            }
        }
    }
}

/// Raises the soft limit of open files to the hard one, and says how many connections that leaves room for: a
/// connection needs one file, and at times another for what is sent on it.
pub fn connections_that_fit() -> usize {
    use rustix::process::Resource;
    use rustix::process::Rlimit;
    let limit = rustix::process::getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    let current = match rustix::process::setrlimit(Resource::Nofile, raised) {
        Ok(()) => limit.maximum,
        Err(_) => limit.current,
    };
    let files = current.map_or(usize::MAX, |files| usize::try_from(files).unwrap_or(usize::MAX));
    (files / 2).clamp(16, CONNECTIONS_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_are_counted_by_client() {
        let connections = Connections::default();
        let four: IpAddr = "192.0.2.1".parse().unwrap();
        let first = connections.admit(four, 2).unwrap();
        let _second = connections.admit(four, 2).unwrap();
        assert!(connections.admit(four, 2).is_none());
        assert!(connections.admit("192.0.2.2".parse().unwrap(), 2).is_some());
        drop(first);
        assert!(connections.admit(four, 2).is_some());
        let _six = connections.admit("2001:db8::1".parse().unwrap(), 1).unwrap();
        assert!(connections.admit("2001:db8::ffff:1".parse().unwrap(), 1).is_none(), "the same /64");
        assert!(connections.admit("2001:db8:0:1::1".parse().unwrap(), 1).is_some());
    }

    #[test]
    fn a_client_that_is_gone_is_forgotten() {
        let connections = Connections::default();
        drop(connections.admit("192.0.2.1".parse().unwrap(), 1));
        assert!(connections.0.lock().unwrap().is_empty());
    }
}
