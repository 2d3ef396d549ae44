//! Age: from when a release counts as published, and when its age lets it pass.

use std::time::Duration;

use crate::config::policy::Pattern;
use crate::config::policy::Policy;
use crate::model::index::Row;
use crate::model::package::PackageId;
use crate::model::package::Version;
use crate::model::time::Timestamp;
use crate::storage::record::ReleaseState;

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum AgeRule {
    Minimum(Duration),
    NewPackage(Duration),
    Floor(Duration),
    /// The security lane: at the floor, because an independent advisory names it as the fix of what is in use here.
    SecurityFix {
        floor: Duration,
        of: Box<str>,
    },
}

/// From when a release counts as published, and why not from the time it claims.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Age {
    pub counts_from: Timestamp,
    /// The last time at which it was known not to be there.
    pub absent_at: Option<Timestamp>,
}

impl Age {
    pub fn of(row: &Row, state: Option<&ReleaseState>, first_seen_at: Timestamp) -> Age {
        let absent_at = state.and_then(|state| state.absent_at);
        let seen_at = state.and_then(|state| state.seen_at);
        let counts_from = match (row.published_at, absent_at) {
            (Some(claimed), Some(absent_at)) => claimed.max(absent_at),
            (Some(claimed), None) => claimed,
            (None, _) => seen_at.unwrap_or(first_seen_at),
        };
        Age { counts_from, absent_at }
    }
}

/// Who stands by a release, as its age minds them.
#[derive(Clone, Copy)]
pub struct People {
    pub given: u32,
    pub needed: u32,
    /// They are at least two, whoever submitted it among them.
    pub are_two: bool,
}

/// When age lets a release pass.
pub struct Window {
    pub opens_at: Timestamp,
    pub rule: AgeRule,
    /// Below it, one person's approval does not count, unless another submitted it.
    pub floor_at: Timestamp,
    /// From when on it is no earlier than it would be anyway.
    pub exemption_ends: Option<Timestamp>,
    /// When an exemption that was for it ended last.
    pub exemption_ended: Option<Timestamp>,
}

impl Window {
    /// `name_counts_from` is from when the package's oldest release counts; `fix_of` the advisory that names it as the fix of what is
    /// in use here. Nothing that the package's owner controls may say so.
    pub fn of(
        policy: &Policy,
        package: &PackageId,
        version: &Version,
        counts_from: Timestamp,
        name_counts_from: Timestamp,
        fix_of: Option<&str>,
        now: Timestamp,
    ) -> Window {
        let rules = &policy.release_age;
        let floor_at = counts_from.plus(rules.floor);
        let mine = || rules.exempt.iter().filter(|one| matches(&one.pattern, package, version));
        let exemption_ended = mine().filter_map(|one| one.expires).filter(|expires| *expires <= now).max();
        let exempt = mine().find(|one| one.expires.is_none_or(|expires| now < expires));
        if let Some(exemption) = exempt {
            return Window {
                opens_at: floor_at,
                rule: AgeRule::Floor(rules.floor),
                floor_at,
                exemption_ends: exemption.expires,
                exemption_ended,
            };
        }
        let by_minimum = counts_from.plus(rules.minimum.max(rules.floor));
        let by_name = name_counts_from.plus(rules.new_package);
        let (opens_at, rule) = if by_name > by_minimum {
            (by_name, AgeRule::NewPackage(rules.new_package))
        } else {
            (by_minimum, AgeRule::Minimum(rules.minimum.max(rules.floor)))
        };
        if let Some(of) = fix_of.filter(|_| rules.security_lane && floor_at < opens_at) {
            let rule = AgeRule::SecurityFix { floor: rules.floor, of: of.into() };
            return Window { opens_at: floor_at, rule, floor_at, exemption_ends: Some(opens_at), exemption_ended };
        }
        Window { opens_at, rule, floor_at, exemption_ends: None, exemption_ended }
    }

    /// Whether its age or these people let it pass. Below the floor no one person does, whatever policy says.
    pub fn lets_pass(&self, now: Timestamp, people: People) -> bool {
        now >= self.opens_at || self.is_passed_by(people, now)
    }

    /// Whether it is these people who let it pass, and not its age.
    pub fn is_passed_by(&self, people: People, now: Timestamp) -> bool {
        people.given >= people.needed && (people.are_two || now >= self.floor_at)
    }

    /// When the word of these people, the last of it said at `last_at`, was enough, if it is or will be.
    pub fn opened_by_people(&self, last_at: Option<Timestamp>, people: People) -> Option<Timestamp> {
        let last_at = last_at.filter(|_| people.given >= people.needed)?;
        Some(if people.are_two { last_at } else { last_at.max(self.floor_at) })
    }

    /// Whether the security lane is why it opens earlier than others of its age.
    pub fn is_security_fix(&self, now: Timestamp) -> bool {
        match self.rule {
            AgeRule::SecurityFix { .. } => self.exemption_ends.is_some_and(|ends| now < ends),
            AgeRule::Minimum(_) | AgeRule::NewPackage(_) | AgeRule::Floor(_) => false,
        }
    }
}

/// Whether an exemption speaks of this release.
pub fn matches(pattern: &Pattern, package: &PackageId, version: &Version) -> bool {
    match pattern {
        Pattern::Package(name) => package.name.as_str() == name,
        Pattern::Release(name, of) => package.name.as_str() == name && version.as_str() == of,
        Pattern::Scope(scope) => package.name.scope() == Some(scope),
    }
}
