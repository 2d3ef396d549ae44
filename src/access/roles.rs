//! What a token or a password gives, worked out from its user, the groups of the configuration and the token itself.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::config::access::Group;
use crate::model::actor::is_one_name;
use crate::model::actor::join;
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
    let behind = hands(&user.name, user.behind.as_deref().unwrap_or_default());
    Principal { name: Some(user.name.clone()), publishes, behind, ..Principal::anonymous(roles) }
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
    // A token for some packages publishes them; it neither approves nor administers, whoever made it.
    let roles = if token.packages.is_empty() { roles } else { roles.and(Roles::of(Role::Publisher)) };
    let behind = hands(&token.name, token.behind.as_deref().unwrap_or_default());
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

/// The name, and who else could act under it.
fn hands(name: &str, behind: &[String]) -> Vec<String> {
    let mut people = vec![name.to_owned()];
    join(&mut people, behind, name);
    people
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
    group.members.iter().any(|member| is_one_name(member, name))
}

fn packages_of<'g>(groups: impl Iterator<Item = &'g Group>) -> Vec<PackagePattern> {
    groups.flat_map(|group| group.packages.iter().cloned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::digest::DocumentDigest;
    use crate::model::package::PackageName;
    use crate::model::time::Timestamp;

    fn at() -> Timestamp {
        Timestamp::parse("2026-11-20T12:00:00Z").unwrap()
    }

    fn user(role: Role) -> User {
        User { name: "Maria".into(), role, email: None, password: None, behind: None, oidc: None, made_at: at(), disabled_at: None }
    }

    fn token(kind: TokenKind, role: Role) -> Token {
        Token { kind, ..Token::named("0123456789ab".into(), "Maria".into(), role, DocumentDigest::from_raw([0; 32]), at()) }
    }

    fn patterns(texts: &[&str]) -> Vec<PackagePattern> {
        texts.iter().map(|text| PackagePattern::parse(text).unwrap()).collect()
    }

    #[test]
    fn what_a_token_gives_is_said_by_its_kind() {
        #[track_caller]
        fn check(kind: TokenKind, role: Role, user: Option<&User>, roles: Roles, publishes: Reach) {
            let given = of_token(&token(kind, role), user, &Groups::new());
            assert_eq!((given.roles, given.publishes), (roles, publishes));
        }
        let (approver, admin, publisher) = (user(Role::Approver), user(Role::Admin), user(Role::Publisher));
        // As the admin said, whatever the user's own role is.
        check(TokenKind::Named, Role::Publisher, Some(&approver), Roles::of(Role::Publisher), Reach::Own);
        check(TokenKind::Named, Role::Admin, None, Roles::of(Role::Admin), Reach::Everything);
        check(TokenKind::Named, Role::Approver, None, Roles::of(Role::Approver), Reach::Nothing);
        // As the user is now, whatever it was when the token was made.
        check(TokenKind::Session, Role::Admin, Some(&approver), Roles::of(Role::Approver), Reach::Nothing);
        check(TokenKind::Session, Role::Reader, Some(&publisher), Roles::of(Role::Publisher), Reach::Own);
        check(TokenKind::Session, Role::Admin, None, Roles::NONE, Reach::Nothing);
        check(TokenKind::Made, Role::Admin, Some(&admin), Roles::of(Role::Admin), Reach::Everything);
        check(TokenKind::Made, Role::Reader, Some(&admin), Roles::of(Role::Reader), Reach::Nothing);
        // A build publishes what it was given, and never approves.
        check(TokenKind::Exchanged, Role::Admin, Some(&admin), Roles::of(Role::Publisher), Reach::Packages(Vec::new()));
    }

    #[test]
    fn a_tokens_own_bound_narrows_what_its_user_reaches() {
        let (web, other) = (PackageName::npm("@acme/web").unwrap(), PackageName::npm("left-pad").unwrap());
        let bound = Token { packages: patterns(&["@acme/*"]), ..token(TokenKind::Made, Role::Publisher) };
        let given = of_token(&bound, Some(&user(Role::Publisher)), &Groups::new());
        assert!(given.reaches(&web) && !given.oversteps(&web) && !given.reaches(&other));
        let given = of_token(&bound, Some(&user(Role::Admin)), &Groups::new());
        assert!(given.oversteps(&web) && !given.reaches(&other));
    }

    #[test]
    fn groups_add_up_and_only_publishers_publish() {
        let group =
            |role, packages: &[&str]| Group { role, members: vec!["maria".into()], claims: Vec::new(), packages: patterns(packages) };
        let groups = Groups::from([("web".into(), group(Role::Publisher, &["@acme/*"])), ("eyes".into(), group(Role::Approver, &[]))]);
        let given = of_user(&user(Role::Reader), &groups);
        assert_eq!(
            (given.roles, given.publishes),
            (Roles::of(Role::Publisher).with(Role::Approver), Reach::Packages(patterns(&["@acme/*"])))
        );
        assert_eq!(of_user(&user(Role::Publisher), &groups).publishes, Reach::OwnAnd(patterns(&["@acme/*"])));
        let whole = Groups::from([("all".into(), group(Role::Publisher, &[]))]);
        assert_eq!(of_user(&user(Role::Reader), &whole).publishes, Reach::Own);
        let idle = Groups::from([("idle".into(), group(Role::Reader, &["@acme/*"]))]);
        assert_eq!(of_user(&user(Role::Reader), &idle).publishes, Reach::Nothing);
    }

    #[test]
    fn whoever_could_act_with_it_stands_behind_what_is_done_with_it() {
        let people = |of: &[&str]| Some(of.iter().map(|one| (*one).to_owned()).collect());
        let made = Token { behind: people(&["ann", "maria", "root"]), ..token(TokenKind::Named, Role::Publisher) };
        assert_eq!(of_token(&made, None, &Groups::new()).behind, ["Maria", "ann", "root"]);
        let own = Token { behind: people(&[]), ..made };
        assert_eq!(of_token(&own, None, &Groups::new()).behind, ["Maria"]);
        // A password that was given to its user and a session that was not are two things.
        let given = User { behind: people(&["root"]), ..user(Role::Publisher) };
        assert_eq!(of_user(&given, &Groups::new()).behind, ["Maria", "root"]);
        let session = Token { behind: people(&[]), ..token(TokenKind::Session, Role::Publisher) };
        assert_eq!(of_token(&session, Some(&given), &Groups::new()).behind, ["Maria"]);
    }
}
