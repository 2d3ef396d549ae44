//! Sockets, TLS, signals, and which URL goes where.

pub mod limits;
pub mod origin;
pub mod stream;
pub mod tls;
