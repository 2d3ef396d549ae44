//! Signing in with the identity provider: the code flow with PKCE, a state and a nonce. A browser is sent there, comes back
//! with a code, and the code is worth an identity once, to the browser that was sent.

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use http::HeaderValue;
use http::header;
use openidconnect::AuthType;
use openidconnect::AuthorizationCode;
use openidconnect::ClientId;
use openidconnect::ClientSecret;
use openidconnect::CsrfToken;
use openidconnect::EndpointMaybeSet;
use openidconnect::EndpointNotSet;
use openidconnect::EndpointSet;
use openidconnect::Nonce;
use openidconnect::OAuth2TokenResponse;
use openidconnect::PkceCodeChallenge;
use openidconnect::PkceCodeVerifier;
use openidconnect::RedirectUrl;
use openidconnect::RequestTokenError;
use openidconnect::Scope;
use openidconnect::TokenResponse;
use openidconnect::core::CoreAuthenticationFlow;
use openidconnect::core::CoreClient;
use openidconnect::core::CoreClientAuthMethod;
use openidconnect::core::CoreProviderMetadata;
use serde::Deserialize;
use subtle::ConstantTimeEq;

use crate::access::oidc::Identities;
use crate::access::oidc::OidcError;
use crate::access::oidc::claims::Claims;
use crate::access::oidc::provider::Issuer;
use crate::access::oidc::provider::causes;
use crate::config::access::Oidc;
use crate::model::digest::DocumentDigest;
use crate::model::finding::printable;
use crate::model::time::Timestamp;
use crate::model::user::Subject;
use crate::model::user::User;

/// Where the provider sends the browser back to, below the base.
pub const CALLBACK: &str = "/-/airlock/oidc/callback";
/// How long somebody may take at the provider.
pub const UNDER_WAY_FOR: Duration = Duration::from_secs(600);
const UNDER_WAY_MAX: usize = 1_000;
/// What is repeated of the provider's words, in bytes.
const ECHO_BYTES_MAX: usize = 200;
/// Source: RFC 5321, 4.5.3.1.3, without its brackets.
const EMAIL_BYTES_MAX: usize = 254;

/// With its provider's addresses: where to send browsers, and perhaps where codes are worth something.
type Client = CoreClient<EndpointSet, EndpointNotSet, EndpointNotSet, EndpointNotSet, EndpointMaybeSet, EndpointMaybeSet>;

/// Who signed in, as the provider says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Person {
    pub subject: Subject,
    /// What the provider calls them; a user's name by its form.
    pub name: String,
    pub email: Option<String>,
    /// Groups of the configuration that the provider puts them in.
    pub groups: Vec<String>,
}

/// The query that a browser brings back. Source: RFC 6749, 4.1.2; RFC 9207.
#[derive(Debug, Deserialize)]
pub struct Answer {
    code: Option<String>,
    state: Option<String>,
    error: Option<String>,
    iss: Option<String>,
}

/// Browsers that are at the provider, by the state that they bring back.
#[derive(Default)]
pub struct Pending(Mutex<HashMap<String, UnderWay>>);

struct UnderWay {
    /// What waits for the outcome.
    session: String,
    browser: DocumentDigest,
    nonce: Nonce,
    verifier: PkceCodeVerifier,
    base: String,
    until: Timestamp,
}

impl Pending {
    /// One for a session: who begins again has given up before.
    fn begin(&self, state: String, under_way: UnderWay, now: Timestamp) -> Result<(), OidcError> {
        let mut pending = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        pending.retain(|_, other| now < other.until && other.session != under_way.session);
        if pending.len() >= UNDER_WAY_MAX {
            return Err(OidcError::TooMany);
        }
        pending.insert(state, under_way);
        Ok(())
    }

    /// Once, whatever comes of it.
    fn end(&self, state: &str, now: Timestamp) -> Option<UnderWay> {
        let mut pending = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        pending.remove(state).filter(|under_way| now < under_way.until)
    }
}

impl Identities {
    /// The provider that people sign in with, as it calls itself.
    pub fn signs_in(&self) -> Option<&str> {
        self.oidc.as_ref().map(|oidc| oidc.issuer.text.as_str())
    }

    /// Where to send the browser that keeps the secret `browser`, to sign in for `session`.
    pub async fn leave(&self, session: &str, browser: &str, base: &str) -> Result<String, OidcError> {
        let (oidc, issuer) = self.signing_in()?;
        let document = issuer.document().await?;
        let client = client(oidc, &document, base).map_err(|why| issuer.silent(&why))?;
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let flow = CoreAuthenticationFlow::AuthorizationCode;
        let request = client.authorize_url(flow, CsrfToken::new_random, Nonce::new_random).set_pkce_challenge(challenge);
        let others = oidc.scopes.iter().filter(|scope| *scope != "openid");
        let (url, state, nonce) = request.add_scopes(others.cloned().map(Scope::new)).url();
        let now = self.clock.now();
        let under_way = UnderWay {
            session: session.to_owned(),
            browser: DocumentDigest::of(browser.as_bytes()),
            nonce,
            verifier,
            base: base.to_owned(),
            until: now.plus(UNDER_WAY_FOR),
        };
        self.pending.begin(state.into_secret(), under_way, now)?;
        Ok(url.into())
    }

    /// Who came back, with the session that they signed in for.
    ///
    /// # Errors
    /// `Untrusted` names the check that failed; `NotAdmitted` is for the person.
    pub async fn back(&self, browser: Option<&str>, answer: Answer) -> Result<(String, Person), OidcError> {
        let (oidc, issuer) = self.signing_in()?;
        let state = answer.state.unwrap_or_default();
        let under_way = self.pending.end(&state, self.clock.now()).ok_or_else(|| OidcError::untrusted("its state is not known"))?;
        let browser = DocumentDigest::of(browser.unwrap_or_default().as_bytes());
        if !bool::from(browser.raw().ct_eq(under_way.browser.raw())) {
            return Err(OidcError::untrusted("it comes from another browser than the one that was sent"));
        }
        if answer.iss.is_some_and(|iss| iss != oidc.issuer.text) {
            return Err(OidcError::untrusted("it is of another issuer"));
        }
        if let Some(error) = answer.error {
            let why = format!("the identity provider did not sign you in: {}", printable(&error, ECHO_BYTES_MAX));
            return Err(OidcError::NotAdmitted { why });
        }
        let code = answer.code.ok_or_else(|| OidcError::untrusted("it brings no code"))?;
        let document = issuer.document().await?;
        let client = client(oidc, &document, &under_way.base).map_err(|why| issuer.silent(&why))?;
        let asking = client.exchange_code(AuthorizationCode::new(code)).map_err(|error| issuer.silent(&error.to_string()))?;
        let told = asking.set_pkce_verifier(under_way.verifier).request_async(issuer).await.map_err(|error| match error {
            RequestTokenError::Request(error) => issuer.silent(&causes(&error)),
            RequestTokenError::ServerResponse(response) => {
                OidcError::untrusted(format!("the code is worth nothing: {}", printable(&response.to_string(), ECHO_BYTES_MAX)))
            }
            RequestTokenError::Parse(..) | RequestTokenError::Other(_) => OidcError::untrusted("the answer to the code is no token"),
        })?;
        let token = told.id_token().ok_or_else(|| OidcError::untrusted("there is no identity token for the code"))?.to_string();
        let claims = issuer.proven(&token, &oidc.client_id, Some(&under_way.nonce)).await?;
        if claims.text("azp").is_some_and(|party| party != oidc.client_id) {
            return Err(OidcError::untrusted("it was issued to another client"));
        }
        let more = match document.userinfo_endpoint() {
            Some(at) if !(claims.has(&oidc.name_claim) && claims.has(&oidc.groups_claim)) => {
                Some(asked_about(issuer, at.as_str(), told.access_token().secret(), &claims).await?)
            }
            Some(_) | None => None,
        };
        Ok((under_way.session, self.person(oidc, &claims, more.as_ref())?))
    }

    fn signing_in(&self) -> Result<(&Oidc, &Issuer), OidcError> {
        let oidc = self.oidc.as_ref().ok_or(OidcError::NotConfigured)?;
        Ok((oidc, self.issuers.get(&oidc.issuer.text).ok_or(OidcError::NotConfigured)?))
    }

    /// `more` is what the provider says besides the token; it does not overrule the token.
    fn person(&self, oidc: &Oidc, claims: &Claims, more: Option<&Claims>) -> Result<Person, OidcError> {
        let either = |name: &str| [Some(claims), more].into_iter().flatten().find(|claims| claims.has(name));
        let subject = claims.subject().ok_or_else(|| OidcError::untrusted("it has no subject"))?.to_owned();
        let name = either(&oidc.name_claim).and_then(|claims| claims.text(&oidc.name_claim)).unwrap_or_default();
        if !User::is_name(name) || User::is_reserved(name) {
            let shown = printable(name, ECHO_BYTES_MAX);
            let why = format!("the identity provider calls you {shown:?} ({}), which cannot be the name of a user here", oidc.name_claim);
            return Err(OidcError::NotAdmitted { why });
        }
        let email = either("email").and_then(|claims| claims.text("email"));
        let email = email.filter(|email| email.len() <= EMAIL_BYTES_MAX && email.bytes().all(|b| b.is_ascii_graphic()));
        let said = either(&oidc.groups_claim).map(|claims| claims.texts(&oidc.groups_claim)).unwrap_or_default();
        let counts = |claim: &String| said.contains(&claim.as_str());
        let groups = self.groups.iter().filter(|(_, group)| group.claims.iter().any(counts)).map(|(name, _)| name.clone());
        let subject = Subject { issuer: oidc.issuer.text.clone(), subject };
        Ok(Person { subject, name: name.to_owned(), email: email.map(str::to_owned), groups: groups.collect() })
    }
}

fn client(oidc: &Oidc, document: &CoreProviderMetadata, base: &str) -> Result<Client, String> {
    let secret = oidc.client_secret.as_ref().map(|secret| ClientSecret::new(secret.reveal().to_owned()));
    let back = RedirectUrl::new(format!("{base}{CALLBACK}")).map_err(|error| error.to_string())?;
    let client = CoreClient::from_provider_metadata(document.clone(), ClientId::new(oidc.client_id.clone()), secret);
    let methods = document.token_endpoint_auth_methods_supported();
    let takes = |method| methods.is_none_or(|methods| methods.contains(&method));
    let by = if takes(CoreClientAuthMethod::ClientSecretBasic) { AuthType::BasicAuth } else { AuthType::RequestBody };
    Ok(client.set_redirect_uri(back).set_auth_type(by))
}

/// What the provider says of the person besides the token. Source: OpenID Connect Core, 5.3.
async fn asked_about(issuer: &Issuer, at: &str, access_token: &str, claims: &Claims) -> Result<Claims, OidcError> {
    let mut bearer =
        HeaderValue::try_from(format!("Bearer {access_token}")).map_err(|_| OidcError::untrusted("its access token is none"))?;
    bearer.set_sensitive(true);
    let request = http::Request::get(at).header(header::ACCEPT, "application/json").header(header::AUTHORIZATION, bearer);
    let request = request.body(Vec::new()).map_err(|error| issuer.silent(&error.to_string()))?;
    let answer = issuer.send(request).await.map_err(|error| issuer.silent(&causes(&error)))?;
    if !answer.status().is_success() {
        return Err(issuer.silent(&format!("asked about who signs in, it answers {}", answer.status())));
    }
    let said = Claims::read(answer.body()).ok_or_else(|| issuer.silent("what it says of who signs in is no JSON object"))?;
    // Of another person it would be worth nothing. Source: the same.
    if said.subject() != claims.subject() {
        return Err(OidcError::untrusted("asked about who signs in, the provider speaks of another"));
    }
    Ok(said)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn under_way(session: &str, until: i64) -> UnderWay {
        UnderWay {
            session: session.to_owned(),
            browser: DocumentDigest::of(b"b"),
            nonce: Nonce::new("n".to_owned()),
            verifier: PkceCodeVerifier::new("v".repeat(43)),
            base: String::new(),
            until: Timestamp::from_millis(until),
        }
    }

    #[test]
    fn a_state_is_good_once_and_for_a_time() {
        let pending = Pending::default();
        let at = Timestamp::from_millis;
        pending.begin("one".into(), under_way("a", 10), at(0)).unwrap();
        assert!(pending.end("one", at(10)).is_none(), "it is too late");
        pending.begin("one".into(), under_way("a", 10), at(0)).unwrap();
        pending.begin("two".into(), under_way("b", 10), at(0)).unwrap();
        assert_eq!(pending.end("one", at(9)).map(|under_way| under_way.session).as_deref(), Some("a"));
        assert!(pending.end("one", at(9)).is_none());
        pending.begin("again".into(), under_way("b", 20), at(9)).unwrap();
        assert!(pending.end("two", at(9)).is_none(), "who begins again has given up before");
        for number in 1..UNDER_WAY_MAX {
            pending.begin(number.to_string(), under_way(&number.to_string(), 30), at(9)).unwrap();
        }
        assert!(matches!(pending.begin("more".into(), under_way("more", 30), at(19)), Err(OidcError::TooMany)));
        assert!(pending.begin("more".into(), under_way("more", 30), at(20)).is_ok(), "what has ended makes room");
    }
}
