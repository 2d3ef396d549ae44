//! An identity provider: asked as it is, with no credentials of an upstream, no redirects followed, and little patience.

use std::time::Duration;

use url::Url;

use crate::clock::Clock;
use crate::upstream::UpstreamError;
use crate::upstream::client::Client;
use crate::upstream::client::Reach;

/// Key sets and discovery documents are some kilobytes.
const ANSWER_BYTES_MAX: u64 = 1_024 * 1_024;
/// Somebody waits in a browser.
const TIMEOUT: Duration = Duration::from_secs(10);

#[derive(Debug)]
pub struct Provider {
    client: Client,
    issuer: Url,
}

impl Provider {
    pub(super) fn new(issuer: &Url, instance: &str, clock: Clock) -> Result<Provider, UpstreamError> {
        let client = Client::new(Reach::Configured { base: issuer.clone() }, instance, TIMEOUT, clock)
            .map_err(|why| UpstreamError::Setup { name: issuer.origin().ascii_serialization(), why })?;
        Ok(Provider { client, issuer: issuer.clone() })
    }

    /// Any status is an answer. The provider's own document names the other addresses, which may be of other hosts, but
    /// only of https ones, unless they are of the issuer's own origin.
    pub async fn send(&self, request: http::Request<Vec<u8>>) -> Result<http::Response<Vec<u8>>, UpstreamError> {
        let origin = Url::parse(&request.uri().to_string()).map(|url| (url.scheme() == "https", url.origin()));
        match origin {
            Ok((is_https, origin)) if is_https || origin == self.issuer.origin() => self.client.send(request, ANSWER_BYTES_MAX).await,
            Ok((_, origin)) => Err(UpstreamError::ForeignOrigin { origin: origin.ascii_serialization() }),
            Err(_) => Err(UpstreamError::Garbled { why: "an address that is none" }),
        }
    }
}
