//! A feed of advisories: documents under one base address that the operator configured. No credentials of a registry go there, and no
//! redirect is followed.

use std::time::Duration;

use bytes::Bytes;
use tokio::sync::mpsc;
use tokio::time::Instant;
use url::Url;

use crate::clock::Clock;
use crate::upstream::UpstreamError;
use crate::upstream::client::Client;
use crate::upstream::client::Reach;

/// Nothing comes for so long: it is given up.
const SILENCE: Duration = Duration::from_secs(30);
/// Of one record, or of a list of them, whole.
const DOCUMENT_WITHIN: Duration = Duration::from_secs(120);
/// Of everything that there is.
const WHOLE_WITHIN: Duration = Duration::from_secs(1_800);

#[derive(Debug)]
pub struct FeedHost {
    client: Client,
    base: Url,
}

impl FeedHost {
    pub(super) fn new(base: &Url, instance: &str, clock: Clock) -> Result<FeedHost, UpstreamError> {
        let client = Client::new(Reach::Configured { base: base.clone() }, instance, SILENCE, clock)
            .map_err(|why| UpstreamError::Setup { name: base.origin().ascii_serialization(), why })?;
        Ok(FeedHost { client, base: base.clone() })
    }

    /// `https://feeds.example`, for the log.
    pub fn origin(&self) -> String {
        self.base.origin().ascii_serialization()
    }

    /// The document, piece by piece, as it comes. It ends well where the receiver has heard enough and is gone.
    pub async fn pieces(&self, path: &str, bytes_max: u64, to: &mpsc::Sender<Bytes>) -> Result<(), UpstreamError> {
        self.client.pieces(&self.url(path)?, bytes_max, Instant::now() + WHOLE_WITHIN, to).await
    }

    /// The document, whole.
    pub async fn document(&self, path: &str, bytes_max: u64) -> Result<Bytes, UpstreamError> {
        let (pieces, mut waiting) = mpsc::channel(1);
        let url = self.url(path)?;
        let asked = async {
            let pieces = pieces;
            self.client.pieces(&url, bytes_max, Instant::now() + DOCUMENT_WITHIN, &pieces).await
        };
        let gathered = async {
            let mut body = Vec::new();
            while let Some(piece) = waiting.recv().await {
                body.extend_from_slice(&piece);
            }
            Bytes::from(body)
        };
        let (asked, body) = tokio::join!(asked, gathered);
        asked.map(|()| body)
    }

    /// `path` is one segment, `all.zip`: letters, digits and `-._:`.
    fn url(&self, path: &str) -> Result<Url, UpstreamError> {
        let is_segment = !path.starts_with('.') && path.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._:".contains(&b));
        let not_a_path = || UpstreamError::NotAPath { path: path.to_owned() };
        if !is_segment {
            return Err(not_a_path());
        }
        // A colon would make a scheme of what stands before it.
        self.base.join(&format!("./{path}")).map_err(|_| not_a_path())
    }
}
