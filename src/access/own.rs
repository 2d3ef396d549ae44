//! The tokens of one person, made, shown and ended by themselves.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::access::Access;
use crate::access::AccessError;
use crate::access::Created;
use crate::access::NAME_BYTES_MAX;
use crate::access::known::Pass;
use crate::access::known::network;
use crate::access::token::Presented;
use crate::access::users::foremost;
use crate::model::actor::Actor;
use crate::model::actor::is_one_name;
use crate::model::pattern::PackagePattern;
use crate::model::principal::Principal;
use crate::model::token::Role;
use crate::model::token::Token;
use crate::model::token::TokenKind;

/// Networks and packages that one token may be bound to, each.
pub const BOUNDS_MAX: usize = 100;
/// The longest life that is given in days: 100 years.
const DAYS_MAX: u64 = 36_500;

/// A token that somebody makes for themselves.
#[derive(Default)]
pub struct Making {
    pub is_readonly: bool,
    pub label: Option<String>,
    pub lives_for_days: Option<u64>,
    pub cidr: Vec<String>,
    pub packages: Vec<PackagePattern>,
}

impl Access {
    /// The tokens that name this person and count, oldest first.
    pub async fn tokens_of(&self, name: &str) -> Result<Vec<Token>, AccessError> {
        let now = self.clock.now();
        let known = self.known().await?.load();
        let of_name = known.passes().filter(|pass| is_one_name(&pass.token.name, name) && pass.counts_at(now));
        let mut all: Vec<Token> = of_name.map(|pass| pass.token.clone()).collect();
        all.sort_by(|left, right| left.created_at.cmp(&right.created_at).then_with(|| left.id.cmp(&right.id)));
        Ok(all)
    }

    /// A token for a user who says the password once more: a stolen token makes no others.
    ///
    /// # Errors
    /// `NoPassword` for who has none; else as [`Access::sign_in`], and for a bound that is none.
    pub async fn make_own(&self, by: &Principal, password: &str, making: Making, address: IpAddr) -> Result<Created, AccessError> {
        let name = by.name.as_deref().ok_or(AccessError::NotValid)?;
        if self.user(name).await?.is_none_or(|user| user.password.is_none()) {
            return Err(AccessError::NoPassword);
        }
        if let Some(wrong) = making.cidr.iter().find(|text| network(text).is_none()) {
            return Err(AccessError::NotANetwork(wrong.chars().take(NAME_BYTES_MAX).collect()));
        }
        let is_label = |label: &String| label.len() <= NAME_BYTES_MAX * 4 && !label.chars().any(char::is_control);
        if making.cidr.len() > BOUNDS_MAX || making.packages.len() > BOUNDS_MAX || !making.label.iter().all(is_label) {
            return Err(AccessError::TooMuchOfAToken);
        }
        let person = self.verified(name, password, address).await?;
        let role = if making.is_readonly { Role::Reader } else { foremost(person.principal.roles) };
        let life = making.lives_for_days.map(|days| Duration::from_secs(days.clamp(1, DAYS_MAX) * 24 * 3_600));
        let asked = life.map(|life| self.clock.now().plus(life));
        // Groups that count for a sign-in count for as long as that does.
        let maker = by.token.as_deref().and_then(|id| self.known.get()?.load().pass(id).cloned());
        let maker = maker.filter(|pass| is_one_name(&pass.token.name, &person.user.name) && !pass.token.groups.is_empty());
        let groups = maker.as_ref().map(|pass| pass.token.groups.clone()).unwrap_or_default();
        let expires_at = asked.into_iter().chain(maker.and_then(|pass| pass.token.expires_at)).min();
        self.issue(&person.user.name, role, expires_at, |token| {
            token.kind = TokenKind::Made;
            token.label = making.label;
            token.cidr = making.cidr;
            token.packages = making.packages;
            token.groups = groups;
            // Whoever knows the password could have signed in and made it.
            token.behind.clone_from(&person.user.behind);
        })
        .await
    }

    /// Ends a token: `which` is its id, or the token itself. One's own, or any for an admin.
    ///
    /// # Errors
    /// `UnknownToken` for one that is not there or not the caller's; `LastAdmin`.
    pub async fn revoke_own(&self, by: &Principal, which: &str) -> Result<(), AccessError> {
        let name = by.name.as_deref().ok_or(AccessError::NotValid)?;
        let unknown = || AccessError::UnknownToken(which.chars().take(crate::access::token::ID_CHARS).collect());
        let pass = {
            let known = self.known().await?.load();
            let found: Option<Arc<Pass>> = match Presented::parse(which) {
                Some(presented) => presented.of(&known).cloned(),
                None => known.pass(which).cloned(),
            };
            found.ok_or_else(unknown)?
        };
        let is_itself = by.token.as_ref() == Some(&pass.token.id);
        let is_its = is_one_name(&pass.token.name, name) && !self.is_narrow(by).await?;
        if !is_itself && !is_its && !by.roles.covers(Role::Admin) {
            return Err(unknown());
        }
        self.revoke(&pass.token.id, Actor::Person(name.to_owned())).await
    }

    /// Whether the caller's token was made for less than its user may: then it changes nothing of its user.
    pub async fn is_narrow(&self, by: &Principal) -> Result<bool, AccessError> {
        let Some(id) = &by.token else { return Ok(false) };
        let known = self.known().await?.load();
        Ok(known.pass(id).is_none_or(|pass| match pass.token.kind {
            TokenKind::Named | TokenKind::Session => false,
            TokenKind::Made => pass.token.role == Role::Reader || !pass.token.packages.is_empty(),
            TokenKind::Exchanged => true,
        }))
    }
}
