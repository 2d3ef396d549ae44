//! An address outside that is told things: posted to, and only the first line of its answer counts. No redirect is followed, no
//! credentials go there, and where the operator does not say otherwise only public addresses are connected to.

use std::time::Duration;

use http::header;
use url::Url;

use crate::clock::Clock;
use crate::upstream::UpstreamError;
use crate::upstream::client::Client;
use crate::upstream::client::Reach;
use crate::upstream::guard::Guard;

/// For a connection, and for the head of the answer.
const TIMEOUT: Duration = Duration::from_secs(10);

#[derive(Debug)]
pub struct Hook {
    client: Client,
    url: Url,
    /// Asked of an address that is written as a number, which no resolver sees.
    guard: Option<Guard>,
}

impl Hook {
    pub(super) fn new(url: &Url, is_private: bool, instance: &str, clock: Clock) -> Result<Hook, UpstreamError> {
        let guard = (!is_private).then(Guard::system);
        let reach = match &guard {
            Some(guard) => Reach::Guarded(guard.clone()),
            None => Reach::Configured { base: url.clone() },
        };
        let client = Client::new(reach, instance, TIMEOUT, clock)
            .map_err(|why| UpstreamError::Setup { name: url.origin().ascii_serialization(), why })?;
        Ok(Hook { client, url: url.clone(), guard })
    }

    /// `https://hooks.example`, for people: the rest may be a secret.
    pub fn origin(&self) -> String {
        self.url.origin().ascii_serialization()
    }

    /// Posts JSON with these headers besides.
    pub async fn post(&self, headers: &[(&'static str, String)], body: Vec<u8>) -> Result<(), UpstreamError> {
        if let Some(guard) = &self.guard {
            guard
                .vet_literal(&self.url)
                .map_err(|forbidden| UpstreamError::ForbiddenAddress { host: forbidden.host, address: forbidden.address })?;
        }
        let mut request = http::Request::post(self.url.as_str()).header(header::CONTENT_TYPE, "application/json");
        for (name, value) in headers {
            request = request.header(*name, value);
        }
        let request = request.body(body).map_err(|_| UpstreamError::Garbled { why: "an address that is none" })?;
        self.client.tell(request).await
    }
}
