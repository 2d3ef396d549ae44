//! Who presents an `Authorization`.

use std::net::IpAddr;
use std::sync::Arc;

use crate::access::Access;
use crate::access::AccessError;
use crate::access::alike::Alone;
use crate::access::token::Credentials;
use crate::model::principal::Principal;

impl Access {
    /// Who presents `authorization`, the value of that header, from `address`: `Bearer <token>`, `Basic` with the token
    /// as password and any user, or `Basic` with a user's name and password. What is presented must be valid, even where
    /// nothing is needed.
    ///
    /// # Errors
    /// `NotValid`, whatever the reason; `TooManyAttempts` with passwords; `Read` when the tokens cannot be read.
    pub async fn identify(&self, authorization: Option<&str>, address: IpAddr) -> Result<Arc<Principal>, AccessError> {
        let Some(authorization) = authorization else {
            return Ok(Arc::clone(&self.anonymous));
        };
        match Credentials::in_header(authorization).ok_or(AccessError::NotValid)? {
            Credentials::Token(presented) => {
                let known = self.known().await?.load();
                let pass = presented.of(&known).filter(|pass| pass.serves(self.clock.now(), address)).ok_or(AccessError::NotValid)?;
                Ok(Arc::clone(&pass.principal))
            }
            Credentials::Password { name, password } => Box::pin(self.by_password(&name, &password, address)).await,
        }
    }

    async fn by_password(&self, name: &str, password: &str, address: IpAddr) -> Result<Arc<Principal>, AccessError> {
        if let Some(principal) = self.right_a_moment_ago(name, password, address).await? {
            return Ok(principal);
        }
        // Where an answer is only given at once, nobody waits for this, and nothing is to be begun.
        tokio::task::yield_now().await;
        // Of many who say the same at once, one is looked at; the others wait, and then it was right a moment ago.
        let alone = match self.remembered.digest(name, password, address) {
            Some(digest) => Some(self.alike.alone(digest).await?),
            None => None,
        };
        if let Some(principal) = self.right_a_moment_ago(name, password, address).await? {
            return Ok(principal);
        }
        if alone.as_ref().is_some_and(|alone| alone.is_wrong) {
            return Err(AccessError::NotValid);
        }
        let person = match self.verified(name, password, address).await {
            Err(AccessError::WrongPassword) => {
                alone.inspect(Alone::was_wrong);
                return Err(AccessError::NotValid);
            }
            verified => verified?,
        };
        if let Some(hash) = &person.user.password {
            self.remembered.put(name, password, address, hash, self.clock.now());
        }
        Ok(Arc::clone(&person.principal))
    }

    async fn right_a_moment_ago(&self, name: &str, password: &str, address: IpAddr) -> Result<Option<Arc<Principal>>, AccessError> {
        let known = self.known().await?.load();
        let person = known.person(name).filter(|person| person.user.disabled_at.is_none());
        let is_right = |hash| self.remembered.has(name, password, address, hash, self.clock.now());
        Ok(person.filter(|person| person.user.password.as_ref().is_some_and(is_right)).map(|person| Arc::clone(&person.principal)))
    }
}
