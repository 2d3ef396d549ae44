//! A body as it arrives: read piece by piece, its tarball on its way to the disk while the rest is gathered.

use axum::body::Body;
use bytes::Bytes;
use http::HeaderMap;
use http::header;
use http_body_util::BodyExt;

use crate::catalog::Catalog;
use crate::catalog::upload::Received;
use crate::catalog::upload::Sender;
use crate::catalog::upload::Turn;
use crate::catalog::upload::Upload;
use crate::http::incoming;
use crate::http::problem::Kind;
use crate::http::problem::Problem;
use crate::protocol::npm::publish::check::Fault;
use crate::protocol::npm::publish::scan::PACKUMENT_BYTES_MAX;
use crate::protocol::npm::publish::scan::Scan;
use crate::protocol::npm::publish::scan::ScanFault;
use crate::protocol::npm::publish::scan::Scanned;

/// Decoded bytes that are handed on at once.
const PIECE_BYTES: usize = 64 * 1_024;
/// What is heard of who may not change the package, in bytes: npm stars with the names of all who did.
const OF_A_STRANGER_BYTES_MAX: usize = 1_024 * 1_024;

/// What is heard of a body, and what is said where it goes beyond.
pub enum Hearing {
    Everything,
    NoTarball(Problem),
    /// Of who may not change the package: what it takes to say that one likes it.
    OfAStranger(Problem),
}

impl Hearing {
    fn bytes_max(&self) -> usize {
        match self {
            Hearing::Everything | Hearing::NoTarball(_) => PACKUMENT_BYTES_MAX,
            Hearing::OfAStranger(_) => OF_A_STRANGER_BYTES_MAX,
        }
    }

    const fn sender(&self) -> Sender {
        match self {
            Hearing::Everything | Hearing::NoTarball(_) => Sender::Publisher,
            Hearing::OfAStranger(_) => Sender::Stranger,
        }
    }

    /// What is to be said now.
    fn beyond(&self, scan: &Scan, scanned: Result<(), ScanFault>) -> Result<(), Problem> {
        match (self, scanned) {
            (Hearing::NoTarball(problem) | Hearing::OfAStranger(problem), _) if scan.has_tarball() => Err(problem.clone()),
            (Hearing::OfAStranger(problem), Err(ScanFault::TooLarge(_))) => Err(problem.clone()),
            (Hearing::Everything | Hearing::NoTarball(_) | Hearing::OfAStranger(_), scanned) => Ok(scanned?),
        }
    }
}

/// A body that is there.
pub struct Arrived {
    pub scanned: Scanned,
    /// `None` without a byte of a tarball.
    pub received: Option<Received>,
    /// Bytes of the tarball.
    pub bytes: u64,
    /// To be kept until what is made of the body is recorded.
    pub turn: Turn,
}

impl From<ScanFault> for Problem {
    fn from(fault: ScanFault) -> Problem {
        let kind = match fault {
            ScanFault::TooLarge(_) => Kind::TooLarge,
            ScanFault::TooManyValues
            | ScanFault::TooDeep
            | ScanFault::KeyTooLong
            | ScanFault::EscapedKey
            | ScanFault::SecondTarball
            | ScanFault::NotBase64(_)
            | ScanFault::CutShort => Kind::Malformed,
        };
        Problem::new(kind, fault.to_string())
    }
}

impl From<Fault> for Problem {
    fn from(fault: Fault) -> Problem {
        match fault {
            Fault::Scan(fault) => fault.into(),
            Fault::Json(_) | Fault::Said(_) => Problem::new(Kind::Malformed, fault.to_string()),
        }
    }
}

/// Waits for the caller's turn and reads the body to its end.
///
/// # Errors
/// 415 with a content coding, 413, 408 and 400 as for every body; 429 where too many come in at once, 507 where the disk is full.
pub async fn arrive(
    catalog: &Catalog,
    by: &str,
    headers: &HeaderMap,
    mut body: Body,
    body_bytes_max: u64,
    hearing: &Hearing,
) -> Result<Arrived, Problem> {
    if headers.get(header::CONTENT_ENCODING).is_some_and(|coding| !coding.as_bytes().eq_ignore_ascii_case(b"identity")) {
        return Err(Problem::new(Kind::UnsupportedMediaType, "what is published is sent without a Content-Encoding"));
    }
    let mut turn = catalog.turn(by, hearing.sender()).await?;
    let mut scan = Scan::new(hearing.bytes_max());
    let mut decoded = Vec::new();
    let mut coming = Coming { upload: None, bytes: 0 };
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| incoming::failed(&error, body_bytes_max))?;
        let Ok(piece) = frame.into_data() else { continue };
        let scanned = scan.feed(&piece, &mut decoded);
        hearing.beyond(&scan, scanned)?;
        turn.make_room(scan.gathered())?;
        if decoded.len() >= PIECE_BYTES {
            coming.hand_on(catalog, &mut decoded).await?;
        }
    }
    let scanned = scan.finish()?;
    if !decoded.is_empty() {
        coming.hand_on(catalog, &mut decoded).await?;
    }
    let Coming { upload, bytes } = coming;
    let received = upload.map(Upload::finish).transpose()?;
    Ok(Arrived { scanned, received, bytes, turn })
}

/// A tarball on its way.
struct Coming {
    upload: Option<Upload>,
    bytes: u64,
}

impl Coming {
    async fn hand_on(&mut self, catalog: &Catalog, decoded: &mut Vec<u8>) -> Result<(), Problem> {
        let upload = match &mut self.upload {
            Some(upload) => upload,
            None => self.upload.insert(catalog.upload().await?),
        };
        self.bytes += decoded.len() as u64;
        Ok(upload.write(Bytes::from(std::mem::take(decoded))).await?)
    }
}
