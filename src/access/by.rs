//! At whose word something is made or changed: the name that it is recorded under, and who else could have said it under that name.

use crate::access::AccessError;
use crate::model::actor::Actor;
use crate::model::actor::is_one_name;
use crate::model::actor::join;
use crate::model::principal::Principal;

/// People who stand behind one token or one password.
pub const BEHIND_MAX: usize = 100;

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct By {
    actor: Actor,
    /// Without the actor's own name.
    behind: Vec<String>,
}

impl By {
    pub const fn airlock() -> By {
        By { actor: Actor::Airlock, behind: Vec::new() }
    }

    /// Somebody behind whom nobody stands: who registers, or is vouched for from outside.
    pub fn themselves(name: &str) -> By {
        By { actor: Actor::Person(name.to_owned()), behind: Vec::new() }
    }

    /// # Errors
    /// `NotValid` for a caller without a name.
    pub fn caller(caller: &Principal) -> Result<By, AccessError> {
        let name = caller.name.as_deref().ok_or(AccessError::NotValid)?;
        let mut behind = Vec::new();
        join(&mut behind, &caller.behind, name);
        Ok(By { actor: Actor::Person(name.to_owned()), behind })
    }

    pub fn actor(&self) -> Actor {
        self.actor.clone()
    }

    /// Who that is, where it is another than `name`.
    pub fn another_than(&self, name: &str) -> Option<String> {
        match &self.actor {
            Actor::Person(person) if !is_one_name(person, name) => Some(person.clone()),
            Actor::Person(_) | Actor::Airlock => None,
        }
    }

    /// Who stands behind a token or a password that is made so for `name`: whoever makes it knows it.
    ///
    /// # Errors
    /// `TooManyBehind`: whom it left out would count as somebody else.
    pub fn hands_on(&self, name: &str) -> Result<Vec<String>, AccessError> {
        let mut people: Vec<String> = self.another_than(name).into_iter().collect();
        join(&mut people, &self.behind, name);
        if people.len() > BEHIND_MAX { Err(AccessError::TooManyBehind) } else { Ok(people) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::principal::Roles;

    #[test]
    fn whoever_stands_behind_the_maker_stands_behind_what_is_made() {
        let behind = ["ann", "root", "ROOT", "Build"].map(str::to_owned).to_vec();
        let ann = By::caller(&Principal { name: Some("ann".to_owned()), behind, ..Principal::anonymous(Roles::NONE) }).unwrap();
        assert_eq!(ann.hands_on("ci").unwrap(), ["ann", "root", "Build"]);
        assert_eq!(ann.hands_on("build").unwrap(), ["ann", "root"]);
        // Of what somebody makes for themselves, they know no more than they did.
        assert_eq!((ann.hands_on("Ann").unwrap(), ann.another_than("Ann")), (vec!["root".to_owned(), "Build".to_owned()], None));
        assert_eq!(ann.another_than("ci").as_deref(), Some("ann"));
        assert_eq!(By::airlock().hands_on("admin").unwrap(), Vec::<String>::new());
        assert_eq!(By::themselves("otto").hands_on("otto").unwrap(), Vec::<String>::new());
        assert!(matches!(By::caller(&Principal::anonymous(Roles::NONE)), Err(AccessError::NotValid)));
        let crowd = By { behind: (0..BEHIND_MAX).map(|n| format!("u{n}")).collect(), ..By::themselves("ann") };
        assert!(matches!(crowd.hands_on("ci"), Err(AccessError::TooManyBehind)));
        assert_eq!(crowd.hands_on("ann").unwrap().len(), BEHIND_MAX);
    }
}
