//! Faults of an upstream: planted on a path, for the first few requests or for good.

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::watch;

use crate::support::within;

/// What goes wrong, and for how many requests; for all of them unless [`Fault::times`] says otherwise.
#[derive(Clone, Debug)]
pub struct Fault {
    pub(super) kind: Kind,
    pub(super) headers: Vec<(String, String)>,
    pub(super) left: Option<u32>,
}

#[derive(Clone, Debug)]
pub(super) enum Kind {
    Status {
        code: u16,
        reason: Option<String>,
        body: Bytes,
    },
    /// The honest answer, cut after so many bytes of its body, with the whole length announced.
    Truncate {
        after: usize,
    },
    /// Other bytes, with their true length.
    Body(Bytes),
    /// So many zero bytes, made as they are sent; without a length announced unless `announced`.
    Oversize {
        bytes: u64,
        announced: bool,
    },
    /// The honest body, gzip-coded whether or not anybody accepts that.
    Gzip,
    /// The connection is closed without a word.
    Reset,
    /// The honest answer, once the gate is open: nothing before (`None`), or its head and so many bytes of its body.
    Wait {
        gate: Gate,
        after: Option<usize>,
    },
    /// The honest answer, with more headers.
    Honest,
}

impl Fault {
    fn of(kind: Kind) -> Fault {
        Fault { kind, headers: Vec::new(), left: None }
    }

    pub fn status(code: u16) -> Fault {
        Fault::of(Kind::Status { code, reason: None, body: Bytes::from_static(br#"{"error":"a planted fault"}"#) })
    }

    /// A status with the reason phrase and the JSON `error` of a gate, as real clients print them.
    pub fn refusal(code: u16, sentence: &str) -> Fault {
        let body = serde_json::json!({"error": sentence, "message": sentence, "reason": sentence}).to_string();
        Fault::of(Kind::Status { code, reason: Some(sentence.to_owned()), body: Bytes::from(body) })
    }

    pub fn redirect(to: &str) -> Fault {
        Fault::of(Kind::Status { code: 302, reason: None, body: Bytes::new() }).header("location", to)
    }

    pub fn truncated(after: usize) -> Fault {
        Fault::of(Kind::Truncate { after })
    }

    pub fn body(bytes: impl Into<Bytes>) -> Fault {
        Fault::of(Kind::Body(bytes.into()))
    }

    /// More bytes than anyone should read, with their number announced.
    pub fn oversize(bytes: u64) -> Fault {
        Fault::of(Kind::Oversize { bytes, announced: true })
    }

    /// The same without an announced length.
    pub fn oversize_unannounced(bytes: u64) -> Fault {
        Fault::of(Kind::Oversize { bytes, announced: false })
    }

    pub fn gzip() -> Fault {
        Fault::of(Kind::Gzip)
    }

    pub fn reset() -> Fault {
        Fault::of(Kind::Reset)
    }

    /// No byte of the answer before the gate is open.
    pub fn wait_for(gate: &Gate) -> Fault {
        Fault::of(Kind::Wait { gate: gate.clone(), after: None })
    }

    /// The head and `after` bytes of the body, the rest when the gate is open.
    pub fn stall(gate: &Gate, after: usize) -> Fault {
        Fault::of(Kind::Wait { gate: gate.clone(), after: Some(after) })
    }

    pub fn extra_header(name: &str, value: &str) -> Fault {
        Fault::of(Kind::Honest).header(name, value)
    }

    pub fn header(mut self, name: &str, value: &str) -> Fault {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub fn retry_after(self, value: &str) -> Fault {
        self.header("retry-after", value)
    }

    pub fn times(mut self, count: u32) -> Fault {
        self.left = Some(count);
        self
    }
}

/// Held shut until a test opens it, then open for good.
#[derive(Clone, Debug)]
pub struct Gate(Arc<GateState>);

#[derive(Debug)]
struct GateState {
    open: watch::Sender<bool>,
    waiting: watch::Sender<usize>,
}

impl Gate {
    pub fn new() -> Gate {
        Gate(Arc::new(GateState { open: watch::Sender::new(false), waiting: watch::Sender::new(0) }))
    }

    pub fn open(&self) {
        self.0.open.send_replace(true);
    }

    /// Waits until so many requests have come to the gate, since it was made.
    pub async fn reached(&self, count: usize) {
        let mut waiting = self.0.waiting.subscribe();
        within(&format!("{count} requests at a gate"), async { _ = waiting.wait_for(|now| *now >= count).await.unwrap() }).await;
    }

    pub(super) async fn pass(&self) {
        let mut open = self.0.open.subscribe();
        self.0.waiting.send_modify(|count| *count += 1);
        _ = open.wait_for(|open| *open).await;
    }
}

#[derive(Debug)]
pub(super) struct Planted {
    path: String,
    fault: Fault,
}

impl Planted {
    pub(super) fn new(path: &str, fault: Fault) -> Planted {
        Planted { path: path.to_owned(), fault }
    }

    pub(super) fn path(&self) -> &str {
        &self.path
    }

    /// The fault, if it acts on a request to `path`; counted as used once.
    pub(super) fn strike(&mut self, path: &str) -> Option<Fault> {
        let hit = match self.path.strip_suffix('*') {
            Some(start) => path.starts_with(start),
            None => path == self.path,
        };
        if !hit || self.fault.left == Some(0) {
            return None;
        }
        if let Some(left) = &mut self.fault.left {
            *left -= 1;
        }
        Some(self.fault.clone())
    }
}
