//! What a token or a password gives, worked out from its user, the groups of the configuration and the token itself.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::config::access::Group;
use crate::model::pattern::PackagePattern;
use crate::model::principal::Principal;
use crate::model::principal::Reach;
use crate::model::principal::Roles;
use crate::model::token::Role;
use crate::model::token::Token;
use crate::model::token::TokenKind;
use crate::model::user::User;

pub type Groups = BTreeMap<String, Group>;

/// What somebody with the password of `user` may do.
pub fn of_user(user: &User, groups: &Groups) -> Principal {
    let (roles, publishes) = powers(user, groups, &[]);
    Principal { name: Some(user.name.clone()), publishes, behind: vec![user.name.clone()], ..Principal::anonymous(roles) }
}

/// What somebody with the token may do. `user` is the one it names, if there is one.
///
/// A token of an admin's making gives the role that the admin said. One that a user made acts for that user, whose roles
/// of the moment count; made for reading it reads.
pub fn of_token(token: &Token, user: Option<&User>, groups: &Groups) -> Principal {
    let (roles, publishes) = match (token.kind, user) {
        (TokenKind::Named, _) => {
            let roles = Roles::of(token.role);
            let patterns = packages_of(groups.values().filter(|group| has_member(group, &token.name)));
            (roles, reach(roles, true, patterns))
        }
        (TokenKind::Session | TokenKind::Made, Some(user)) => {
            let (roles, publishes) = powers(user, groups, &token.groups);
            if token.kind == TokenKind::Made && token.role == Role::Reader {
                (roles.and(Roles::of(Role::Reader)), Reach::Nothing)
            } else {
                (roles, publishes)
            }
        }
        // Nobody stands behind it any more.
        (TokenKind::Session | TokenKind::Made, None) => (Roles::NONE, Reach::Nothing),
        (TokenKind::Exchanged, _) => (Roles::of(Role::Publisher), Reach::Packages(token.packages.clone())),
    };
    let mut behind = vec![token.name.clone()];
    behind.extend(token.made_by.iter().filter(|maker| **maker != token.name).cloned());
    Principal {
        name: Some(token.name.clone()),
        token: Some(token.id.clone()),
        publishes,
        within: token.packages.clone(),
        behind,
        workflow: token.workflow.clone().map(Arc::new),
        ..Principal::anonymous(roles)
    }
}

/// The user's own role and those of its groups. Who publishes for a group alone publishes what is that group's.
fn powers(user: &User, groups: &Groups, claimed: &[String]) -> (Roles, Reach) {
    let is_in = |name: &String, group: &Group| has_member(group, &user.name) || claimed.contains(name);
    let of_user: Vec<&Group> = groups.iter().filter(|(name, group)| is_in(name, group)).map(|(_, group)| group).collect();
    let roles = of_user.iter().fold(Roles::of(user.role), |roles, group| roles.with(group.role));
    let own =
        user.role.covers(Role::Publisher) || of_user.iter().any(|group| group.role.covers(Role::Publisher) && group.packages.is_empty());
    (roles, reach(roles, own, packages_of(of_user.into_iter())))
}

fn reach(roles: Roles, own: bool, patterns: Vec<PackagePattern>) -> Reach {
    match (own, patterns.is_empty()) {
        _ if roles.covers(Role::Admin) => Reach::Everything,
        _ if !roles.covers(Role::Publisher) => Reach::Nothing,
        (true, true) => Reach::Own,
        (true, false) => Reach::OwnAnd(patterns),
        (false, _) => Reach::Packages(patterns),
    }
}

fn has_member(group: &Group, name: &str) -> bool {
    group.members.iter().any(|member| member.eq_ignore_ascii_case(name))
}

fn packages_of<'g>(groups: impl Iterator<Item = &'g Group>) -> Vec<PackagePattern> {
    groups.flat_map(|group| group.packages.iter().cloned()).collect()
}
