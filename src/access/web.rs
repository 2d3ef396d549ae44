//! Signing in with a browser: the program asks and waits, the person signs in on a page, the program gets the token, once.
//! Kept in memory: who signs in while Airlock restarts begins anew.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::Duration;

use data_encoding::HEXLOWER;

use crate::access::Access;
use crate::access::AccessError;
use crate::access::Created;
use crate::access::attempts::subscriber;
use crate::access::users::SignedIn;
use crate::model::digest::DocumentDigest;
use crate::model::time::Timestamp;

/// How long a sign-in may take.
pub const OPEN_FOR: Duration = Duration::from_secs(10 * 60);
const OPEN_MAX: usize = 1_000;
const OPEN_OF_ADDRESS_MAX: usize = 10;
const SECRET_BYTES: usize = 16;

/// The two secrets of a sign-in: who has one cannot know the other. Each 32 lower-case hexadecimal digits.
pub struct Begun {
    /// For the page.
    pub code: String,
    /// For the program that waits.
    pub done: String,
}

/// What the page tells the person of the program that waits.
#[derive(Clone, Debug)]
pub struct Asking {
    pub address: IpAddr,
    pub user_agent: Option<String>,
    pub since: Timestamp,
    /// Comes back with the form, so that it was this page that was filled in.
    pub nonce: String,
}

struct Session {
    asking: Asking,
    done: DocumentDigest,
    signed_in: Option<SignedIn>,
}

/// By the digest of the code: comparing a guess tells nothing of what is looked for.
#[derive(Default)]
pub struct Sessions(Mutex<HashMap<DocumentDigest, Session>>);

impl Sessions {
    fn at(&self, now: Timestamp) -> MutexGuard<'_, HashMap<DocumentDigest, Session>> {
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        open.retain(|_, session| now < session.asking.since.plus(OPEN_FOR));
        open
    }
}

impl Access {
    /// # Errors
    /// `TooManySessions`; `NoRandomness`.
    pub fn begin_web(&self, address: IpAddr, user_agent: Option<String>) -> Result<Begun, AccessError> {
        let now = self.clock.now();
        let (code, done, nonce) = (secret()?, secret()?, secret()?);
        let mut open = self.sessions.at(now);
        let of_address = open.values().filter(|session| subscriber(session.asking.address) == subscriber(address)).count();
        if open.len() >= OPEN_MAX || of_address >= OPEN_OF_ADDRESS_MAX {
            return Err(AccessError::TooManySessions);
        }
        let asking = Asking { address, user_agent, since: now, nonce };
        let session = Session { asking, done: DocumentDigest::of(done.as_bytes()), signed_in: None };
        open.insert(DocumentDigest::of(code.as_bytes()), session);
        drop(open);
        Ok(Begun { code, done })
    }

    /// Who waits for this sign-in; `None` when it is over, or never began.
    pub fn asking(&self, code: &str) -> Option<Asking> {
        let open = self.sessions.at(self.clock.now());
        open.get(&DocumentDigest::of(code.as_bytes())).filter(|session| session.signed_in.is_none()).map(|session| session.asking.clone())
    }

    /// Gives the sign-in to who was found to be `signed_in`. The token is made when the program asks for it.
    ///
    /// # Errors
    /// `NoSession`: it is over, or somebody signed in before.
    pub fn end_web(&self, code: &str, signed_in: SignedIn) -> Result<(), AccessError> {
        let mut open = self.sessions.at(self.clock.now());
        match open.get_mut(&DocumentDigest::of(code.as_bytes())) {
            Some(session) if session.signed_in.is_none() => {
                session.signed_in = Some(signed_in);
                Ok(())
            }
            Some(_) | None => Err(AccessError::NoSession),
        }
    }

    /// The token, once; `None` while the person has not signed in.
    ///
    /// # Errors
    /// `NoSession`: it is over, or the token was given; and why a token cannot be made.
    pub async fn poll_web(&self, done: &str) -> Result<Option<Created>, AccessError> {
        let done = DocumentDigest::of(done.as_bytes());
        let (code, session) = {
            let mut open = self.sessions.at(self.clock.now());
            let found = open.iter().find(|(_, session)| session.done == done).map(|(code, session)| (*code, session.signed_in.is_some()));
            match found {
                None => return Err(AccessError::NoSession),
                Some((_, false)) => return Ok(None),
                Some((code, true)) => match open.remove(&code) {
                    Some(session) => (code, session),
                    None => return Err(AccessError::NoSession),
                },
            }
        };
        let Some(signed_in) = &session.signed_in else { return Err(AccessError::NoSession) };
        match self.session_token(signed_in).await {
            Ok(created) => Ok(Some(created)),
            // Nothing was given, so it may be asked for again.
            Err(error) => {
                self.sessions.at(self.clock.now()).insert(code, session);
                Err(error)
            }
        }
    }
}

fn secret() -> Result<String, AccessError> {
    let mut bytes = [0_u8; SECRET_BYTES];
    getrandom::fill(&mut bytes).map_err(|error| AccessError::NoRandomness(error.to_string()))?;
    Ok(HEXLOWER.encode(&bytes))
}
