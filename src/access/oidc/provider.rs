//! One provider: its own document and its keys, asked for when they are needed, and the proof that it said what a token
//! says.

use std::pin::Pin;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;
use std::time::SystemTime;

use openidconnect::AsyncHttpClient;
use openidconnect::ClaimsVerificationError;
use openidconnect::ClientId;
use openidconnect::HttpRequest;
use openidconnect::HttpResponse;
use openidconnect::IssuerUrl;
use openidconnect::Nonce;
use openidconnect::SignatureVerificationError;
use openidconnect::core::CoreIdToken;
use openidconnect::core::CoreIdTokenVerifier;
use openidconnect::core::CoreJwsSigningAlgorithm;
use openidconnect::core::CoreProviderMetadata;
use tokio::sync::Mutex;

use crate::access::oidc::OidcError;
use crate::access::oidc::claims::Claims;
use crate::access::oidc::claims::LEEWAY;
use crate::clock::Clock;
use crate::config;
use crate::model::finding::printable;
use crate::model::time::Timestamp;
use crate::upstream::Provider;
use crate::upstream::UpstreamError;

/// How long a provider's document and keys are used: a key that it withdraws counts no longer than that.
const KNOWN_FOR: Duration = Duration::from_secs(3_600);
/// A token that names an unknown key has them asked for again, but not more often: anyone can make up such tokens.
const AGAIN_AFTER: Duration = Duration::from_secs(60);
/// One that fails is left alone for so long, whoever asks.
const ALONE_FOR: Duration = Duration::from_secs(5);
/// The longest error of a provider in the log, in bytes.
const WHY_BYTES_MAX: usize = 300;

/// Signatures of a key pair only: with a shared secret, whoever can verify can also sign.
const ALGORITHMS: [CoreJwsSigningAlgorithm; 5] = [
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256,
    CoreJwsSigningAlgorithm::RsaSsaPssSha256,
    CoreJwsSigningAlgorithm::EcdsaP256Sha256,
    CoreJwsSigningAlgorithm::EcdsaP384Sha384,
    CoreJwsSigningAlgorithm::EdDsa,
];

pub struct Issuer {
    text: String,
    provider: Provider,
    clock: Clock,
    /// Locked while the provider is asked, so that it is asked once.
    known: Mutex<Knowledge>,
}

#[derive(Default)]
struct Knowledge {
    known: Option<Arc<CoreProviderMetadata>>,
    asked_at: Option<Timestamp>,
    failed_at: Option<Timestamp>,
}

impl Issuer {
    pub fn new(issuer: &config::access::Issuer, provider: Provider, clock: Clock) -> Issuer {
        Issuer { text: issuer.text.clone(), provider, clock, known: Mutex::default() }
    }

    /// The provider's own document with its keys in it.
    pub async fn document(&self) -> Result<Arc<CoreProviderMetadata>, OidcError> {
        self.known(KNOWN_FOR).await
    }

    /// Asks the provider anything.
    pub async fn send(&self, request: HttpRequest) -> Result<HttpResponse, UpstreamError> {
        self.provider.send(request).await
    }

    /// What the token says, once it is proven: signed by a key of this provider, for `audience` alone, in its time, and
    /// with the nonce where one was sent.
    ///
    /// # Errors
    /// `Untrusted` names the check that failed; `Silent` when the provider's keys cannot be had.
    pub async fn proven(&self, token: &str, audience: &str, nonce: Option<&Nonce>) -> Result<Claims, OidcError> {
        let claims = Claims::said_in(token).ok_or_else(|| OidcError::untrusted("it is no identity token"))?;
        if claims.issuer() != Some(self.text.as_str()) {
            return Err(OidcError::untrusted("it is of another issuer"));
        }
        let token = CoreIdToken::from_str(token).map_err(|_| OidcError::untrusted("it is no identity token"))?;
        let mut verified = self.verify(&*self.known(KNOWN_FOR).await?, &token, audience, nonce);
        if let Err(ClaimsVerificationError::SignatureVerification(SignatureVerificationError::NoMatchingKey)) = verified {
            verified = self.verify(&*self.known(AGAIN_AFTER).await?, &token, audience, nonce);
        }
        verified.map_err(|error| OidcError::untrusted(printable(&error.to_string(), WHY_BYTES_MAX)))?;
        if let Some(why) = claims.untimely(self.clock.now()) {
            return Err(OidcError::untrusted(why));
        }
        Ok(claims)
    }

    fn verify(
        &self,
        known: &CoreProviderMetadata,
        token: &CoreIdToken,
        audience: &str,
        nonce: Option<&Nonce>,
    ) -> Result<(), ClaimsVerificationError> {
        let before = self.clock.now().minus(LEEWAY);
        let verifier =
            CoreIdTokenVerifier::new_public_client(ClientId::new(audience.to_owned()), known.issuer().clone(), known.jwks().clone());
        let verifier = verifier.set_allowed_algs(ALGORITHMS).set_time_fn(move || system(before).into());
        let told = match nonce {
            Some(nonce) => token.claims(&verifier, nonce),
            None => token.claims(&verifier, |_: Option<&Nonce>| Ok(())),
        };
        told.map(|_| ())
    }

    /// What is known, if it is younger than `age`, else what the provider says now.
    async fn known(&self, age: Duration) -> Result<Arc<CoreProviderMetadata>, OidcError> {
        let mut knowledge = self.known.lock().await;
        let now = self.clock.now();
        if let (Some(known), Some(asked_at)) = (&knowledge.known, knowledge.asked_at)
            && now.since(asked_at) < age
        {
            return Ok(Arc::clone(known));
        }
        if knowledge.failed_at.is_some_and(|failed_at| now.since(failed_at) < ALONE_FOR) {
            return Err(self.silent("it failed a moment ago"));
        }
        match self.ask().await {
            Ok(known) => {
                let known = Arc::new(known);
                *knowledge = Knowledge { known: Some(Arc::clone(&known)), asked_at: Some(now), failed_at: None };
                Ok(known)
            }
            Err(error) => {
                knowledge.failed_at = Some(now);
                Err(error)
            }
        }
    }

    /// Its document must say that it is of this issuer, byte by byte.
    async fn ask(&self) -> Result<CoreProviderMetadata, OidcError> {
        let issuer = IssuerUrl::new(self.text.clone()).map_err(|error| self.silent(&error.to_string()))?;
        CoreProviderMetadata::discover_async(issuer, self).await.map_err(|error| self.silent(&causes(&error)))
    }

    pub fn silent(&self, why: &str) -> OidcError {
        OidcError::Silent { issuer: self.text.clone(), why: printable(why, WHY_BYTES_MAX) }
    }
}

impl<'c> AsyncHttpClient<'c> for Issuer {
    type Error = UpstreamError;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, UpstreamError>> + Send + 'c>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(self.provider.send(request))
    }
}

/// An error with its causes, as the log has it.
pub fn causes(error: &dyn std::error::Error) -> String {
    const CAUSES_MAX: usize = 8;
    let chain = std::iter::successors(error.source(), |cause| cause.source()).take(CAUSES_MAX);
    chain.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

fn system(at: Timestamp) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_millis(u64::try_from(at.millis()).unwrap_or(0))
}
