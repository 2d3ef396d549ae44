//! A caller as it is judged: who it is, what it may do, what it may publish, and which people stand behind it.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::Deserialize;
use serde::Serialize;

use crate::model::package::PackageName;
use crate::model::pattern::PackagePattern;
use crate::model::token::Role;
use crate::model::token::TokenId;

/// Roles that one caller has. Each brings those it covers, so that two sets can be joined and narrowed as sets.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Roles(u8);

impl Roles {
    pub const NONE: Roles = Roles(0);

    pub const fn of(role: Role) -> Roles {
        let mut bits = 0;
        let mut at = 0;
        while at < Role::ALL.len() {
            if role.covers(Role::ALL[at]) {
                bits |= Roles::bit(Role::ALL[at]);
            }
            at += 1;
        }
        Roles(bits)
    }

    pub const fn with(self, role: Role) -> Roles {
        self.or(Roles::of(role))
    }

    /// What either may do.
    pub const fn or(self, other: Roles) -> Roles {
        Roles(self.0 | other.0)
    }

    /// What both may do.
    pub const fn and(self, other: Roles) -> Roles {
        Roles(self.0 & other.0)
    }

    pub const fn covers(self, needed: Role) -> bool {
        self.0 & Roles::bit(needed) != 0
    }

    /// Every role that is covered, the least first.
    pub fn iter(self) -> impl Iterator<Item = Role> {
        Role::ALL.into_iter().filter(move |role| self.covers(*role))
    }

    const fn bit(role: Role) -> u8 {
        match role {
            Role::Reader => 1,
            Role::Publisher => 2,
            Role::Approver => 4,
            Role::Admin => 8,
        }
    }
}

/// Which packages a caller may publish and change.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Reach {
    Nothing,
    /// Packages it owns, and names that nobody has yet.
    Own,
    /// The same, and these whoever owns them.
    OwnAnd(Vec<PackagePattern>),
    /// These whoever owns them, and no others.
    Packages(Vec<PackagePattern>),
    Everything,
}

/// The build that asks, as its identity provider vouches for it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Workflow {
    pub issuer: String,
    pub subject: String,
    /// Those that a trusted publisher is recognised by.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    pub claims: BTreeMap<String, String>,
}

/// `repository acme/web, workflow_ref …, as https://ci.acme.example says`: for people.
impl fmt::Display for Workflow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, value) in &self.claims {
            write!(f, "{name} {value}, ")?;
        }
        write!(f, "as {} says", self.issuer)
    }
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Principal {
    /// `None`: nobody said who it is.
    pub name: Option<String>,
    pub token: Option<TokenId>,
    pub roles: Roles,
    pub publishes: Reach,
    /// Its token publishes nothing but these, whatever `publishes` says; empty: all that `publishes` says.
    pub within: Vec<PackagePattern>,
    /// Its own name, then those of all who could do the same with what it presents: see [`crate::model::token::Token::behind`]
    /// and [`crate::model::user::User::behind`]. None of them may approve what it submits.
    pub behind: Vec<String>,
    pub workflow: Option<Arc<Workflow>>,
}

impl Principal {
    pub fn anonymous(roles: Roles) -> Principal {
        Principal { name: None, token: None, roles, publishes: Reach::Nothing, within: Vec::new(), behind: Vec::new(), workflow: None }
    }

    /// Whether it may do anything at all: whoever may do more may read.
    pub fn may_read(&self) -> bool {
        self.roles.covers(Role::Reader)
    }

    pub fn is_known(&self) -> bool {
        self.name.is_some()
    }

    /// Whether it may try to publish the package. Unless it [`Principal::oversteps`], it is the package's owners who decide.
    pub fn reaches(&self, package: &PackageName) -> bool {
        let reached = match &self.publishes {
            Reach::Nothing => false,
            Reach::Own | Reach::OwnAnd(_) | Reach::Everything => true,
            Reach::Packages(patterns) => any(patterns, package),
        };
        reached && self.is_for(package)
    }

    /// Whether what it presents is for this package too: for all, or for some of which it is one.
    pub fn is_for(&self, package: &PackageName) -> bool {
        self.within.is_empty() || any(&self.within, package)
    }

    /// Whether it publishes the package whoever owns it.
    pub fn oversteps(&self, package: &PackageName) -> bool {
        let beyond = match &self.publishes {
            Reach::Nothing | Reach::Own => false,
            Reach::Everything => true,
            Reach::OwnAnd(patterns) | Reach::Packages(patterns) => any(patterns, package),
        };
        beyond && self.reaches(package)
    }
}

fn any(patterns: &[PackagePattern], package: &PackageName) -> bool {
    patterns.iter().any(|pattern| pattern.matches(package))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_of_roles_covers_what_one_of_them_covers() {
        for given in Role::ALL {
            for needed in Role::ALL {
                assert_eq!(Roles::of(given).covers(needed), given.covers(needed), "{given:?} {needed:?}");
                assert!(!Roles::NONE.covers(needed));
            }
        }
        let both = Roles::of(Role::Publisher).with(Role::Approver);
        assert_eq!(both.iter().collect::<Vec<_>>(), [Role::Reader, Role::Publisher, Role::Approver]);
        assert!(!both.covers(Role::Admin), "two roles do not make an admin");
        assert_eq!(both.and(Roles::of(Role::Approver)), Roles::of(Role::Approver));
        assert_eq!(Roles::of(Role::Publisher).and(Roles::of(Role::Approver)), Roles::of(Role::Reader));
        assert_eq!(Roles::of(Role::Admin).and(both), both);
        assert_eq!(Roles::NONE.or(both), both);
    }

    #[test]
    fn who_is_unknown_publishes_nothing() {
        let web = PackageName::npm("@acme/web").unwrap();
        let nobody = Principal::anonymous(Roles::of(Role::Reader));
        assert!(!nobody.is_known() && !nobody.reaches(&web));
        let of = |publishes| Principal { publishes, ..nobody.clone() };
        assert!(of(Reach::Own).reaches(&web) && of(Reach::Everything).reaches(&web));
        let pattern = |text: &str| Reach::Packages(vec![PackagePattern::parse(text).unwrap()]);
        assert!(of(pattern("@acme/*")).reaches(&web));
        assert!(!of(pattern("@acme/app")).reaches(&web) && !of(Reach::Packages(Vec::new())).reaches(&web));
    }

    #[test]
    fn whose_package_it_is_counts_unless_it_is_said_otherwise() {
        let (web, other) = (PackageName::npm("@acme/web").unwrap(), PackageName::npm("left-pad").unwrap());
        let scope = vec![PackagePattern::parse("@acme/*").unwrap()];
        let of = |publishes| Principal { publishes, ..Principal::anonymous(Roles::of(Role::Publisher)) };
        assert!(!of(Reach::Own).oversteps(&web) && !of(Reach::Nothing).oversteps(&web));
        assert!(of(Reach::Everything).oversteps(&other));
        let own_and = of(Reach::OwnAnd(scope.clone()));
        assert!(own_and.oversteps(&web) && own_and.reaches(&other) && !own_and.oversteps(&other));
        let narrowed = Principal { within: scope, ..of(Reach::Everything) };
        assert!(narrowed.oversteps(&web) && !narrowed.reaches(&other) && !narrowed.oversteps(&other));
    }
}
