//! Tokens and users as they stand, with what each may do worked out: so that a request of every day clones a pointer.

use std::collections::BTreeSet;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;

use crate::access::roles;
use crate::access::roles::Groups;
use crate::model::actor::is_one_name;
use crate::model::principal::Principal;
use crate::model::time::Timestamp;
use crate::model::token::Role;
use crate::model::token::Token;
use crate::model::token::TokenId;
use crate::model::token::TokenKind;
use crate::model::user::User;

/// A token and what it gives.
pub struct Pass {
    pub token: Token,
    pub principal: Arc<Principal>,
    /// Whether its user is let in.
    is_enabled: bool,
    /// Where it is used from; empty: everywhere. What cannot be read as a network is nowhere.
    networks: Vec<Option<IpNet>>,
}

impl Pass {
    pub fn serves(&self, now: Timestamp, address: IpAddr) -> bool {
        let is_near = |network: &Option<IpNet>| network.is_some_and(|network| network.contains(&address));
        self.counts_at(now) && (self.networks.is_empty() || self.networks.iter().any(is_near))
    }

    pub fn counts_at(&self, now: Timestamp) -> bool {
        self.token.counts_at(now) && self.is_enabled
    }

    /// One that an admin made, for an admin, without end.
    pub fn is_lasting_admin(&self) -> bool {
        let lasts = self.token.revoked_at.is_none() && self.token.expires_at.is_none();
        self.token.kind == TokenKind::Named && self.token.role == Role::Admin && lasts && self.is_enabled
    }
}

/// A user and what its password gives.
pub struct Person {
    pub user: User,
    pub principal: Arc<Principal>,
}

impl Person {
    fn is_lasting_admin(&self) -> bool {
        let signs_in = self.user.password.is_some() || self.user.oidc.is_some();
        self.user.role == Role::Admin && self.user.disabled_at.is_none() && signs_in
    }
}

#[derive(Clone, Default)]
pub struct Known {
    tokens: HashMap<TokenId, Arc<Pass>>,
    /// By name in lower case.
    users: HashMap<String, Arc<Person>>,
}

impl Known {
    pub fn of(tokens: Vec<Token>, users: Vec<User>, groups: &Groups) -> Known {
        let mut known = Known::default();
        for user in users {
            known.put_person(user, groups);
        }
        for token in tokens {
            known.put_pass(token, groups);
        }
        known
    }

    pub fn pass(&self, id: &str) -> Option<&Arc<Pass>> {
        self.tokens.get(id)
    }

    /// In whatever case.
    pub fn person(&self, name: &str) -> Option<&Arc<Person>> {
        self.users.get(&name.to_ascii_lowercase())
    }

    pub fn passes(&self) -> impl Iterator<Item = &Arc<Pass>> {
        self.tokens.values()
    }

    pub fn people(&self) -> impl Iterator<Item = &Arc<Person>> {
        self.users.values()
    }

    pub fn has_tokens(&self) -> bool {
        !self.tokens.is_empty()
    }

    /// How many ways in there are for an admin that do not end by themselves.
    pub fn lasting_admins(&self) -> usize {
        let passes = self.tokens.values().filter(|pass| pass.is_lasting_admin()).count();
        passes + self.users.values().filter(|person| person.is_lasting_admin()).count()
    }

    pub fn with_token(&self, token: Token, groups: &Groups) -> Known {
        let mut after = self.clone();
        after.put_pass(token, groups);
        after
    }

    /// What makes room for it is forgotten, but for those that somebody has still to speak of.
    pub fn with_new_token(&self, token: Token, but: &BTreeSet<TokenId>, groups: &Groups) -> Known {
        let mut after = self.clone();
        after.tokens.retain(|id, pass| but.contains(id) || !pass.token.makes_room_for(&token));
        after.put_pass(token, groups);
        after
    }

    /// What tokens of that name give is worked out again.
    pub fn with_user(&self, user: User, groups: &Groups) -> Known {
        let mut after = self.clone();
        let name = user.name.clone();
        after.put_person(user, groups);
        let of_name: Vec<Token> =
            self.tokens.values().filter(|pass| is_one_name(&pass.token.name, &name)).map(|pass| pass.token.clone()).collect();
        for token in of_name {
            after.put_pass(token, groups);
        }
        after
    }

    fn put_person(&mut self, user: User, groups: &Groups) {
        let principal = Arc::new(roles::of_user(&user, groups));
        self.users.insert(user.name.to_ascii_lowercase(), Arc::new(Person { user, principal }));
    }

    fn put_pass(&mut self, token: Token, groups: &Groups) {
        let user = self.person(&token.name).map(|person| &person.user);
        let is_enabled = user.is_none_or(|user| user.disabled_at.is_none());
        let principal = Arc::new(roles::of_token(&token, user, groups));
        let networks = token.cidr.iter().map(|text| network(text)).collect();
        self.tokens.insert(token.id.clone(), Arc::new(Pass { token, principal, is_enabled, networks }));
    }
}

/// `10.0.0.0/8`, or one address.
pub fn network(text: &str) -> Option<IpNet> {
    text.parse().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from))
}
