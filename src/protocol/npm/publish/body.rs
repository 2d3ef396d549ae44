//! The body of a publish as it arrives: read piece by piece, its tarball on its way to the disk while the rest is gathered.

use axum::body::Body;
use bytes::Bytes;
use http::HeaderMap;
use http::header;
use http_body_util::BodyExt;

use crate::catalog::Catalog;
use crate::catalog::upload::Received;
use crate::catalog::upload::Upload;
use crate::http::incoming;
use crate::http::problem::Kind;
use crate::http::problem::Problem;
use crate::protocol::npm::publish::check::Fault;
use crate::protocol::npm::publish::scan::Scan;
use crate::protocol::npm::publish::scan::ScanFault;
use crate::protocol::npm::publish::scan::Scanned;

/// Decoded bytes that are handed on at once.
const PIECE_BYTES: usize = 64 * 1_024;

/// A body that is there.
pub struct Arrived {
    pub scanned: Scanned,
    /// `None` without a byte of a tarball.
    pub received: Option<Received>,
    pub bytes: u64,
}

impl From<ScanFault> for Problem {
    fn from(fault: ScanFault) -> Problem {
        let kind = match fault {
            ScanFault::TooLarge => Kind::TooLarge,
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

/// Reads the body to its end.
///
/// # Errors
/// 415 with a content coding, 413, 408 and 400 as for every body; 429 where too many come in at once, 507 where the disk is full.
pub async fn arrive(catalog: &Catalog, headers: &HeaderMap, mut body: Body, body_bytes_max: u64) -> Result<Arrived, Problem> {
    if headers.get(header::CONTENT_ENCODING).is_some_and(|coding| !coding.as_bytes().eq_ignore_ascii_case(b"identity")) {
        return Err(Problem::new(Kind::UnsupportedMediaType, "what is published is sent without a Content-Encoding"));
    }
    let mut scan = Scan::new();
    let mut decoded = Vec::new();
    let mut coming = Coming { upload: None, bytes: 0 };
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| incoming::failed(&error, body_bytes_max))?;
        let Ok(piece) = frame.into_data() else { continue };
        scan.feed(&piece, &mut decoded)?;
        if decoded.len() >= PIECE_BYTES {
            coming.hand_on(catalog, &mut decoded).await?;
        }
    }
    let scanned = scan.finish()?;
    if !decoded.is_empty() {
        coming.hand_on(catalog, &mut decoded).await?;
    }
    let Coming { upload, bytes } = coming;
    let received = match upload {
        Some(upload) => Some(upload.finish().await?),
        None => None,
    };
    Ok(Arrived { scanned, received, bytes })
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
        if upload.write(Bytes::from(std::mem::take(decoded))).await.is_ok() {
            return Ok(());
        }
        match self.upload.take() {
            Some(upload) => match upload.finish().await {
                Err(error) => Err(error.into()),
                Ok(_) => Err(Problem::internal("an upload ended before it was told to")),
            },
            None => Ok(()),
        }
    }
}
