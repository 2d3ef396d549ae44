//! All users ever made, oldest first, as the ledger's records leave them.

use serde::Deserialize;
use serde::Serialize;

use crate::model::actor::is_one_name;
use crate::model::time::Timestamp;
use crate::model::user::User;
use crate::model::user::UserChange;

#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Users(Vec<User>);

impl Users {
    /// A second user of a name is ignored, whatever its case: a name is who one is.
    pub fn add(&mut self, user: User) {
        if !self.has(&user.name) {
            self.0.push(user);
        }
    }

    /// `at` is when it changed.
    pub fn change(&mut self, name: &str, change: &UserChange, at: Timestamp) {
        if let Some(user) = self.0.iter_mut().find(|user| is_one_name(&user.name, name)) {
            user.apply(change, at);
        }
    }

    pub fn has(&self, name: &str) -> bool {
        self.of(name).is_some()
    }

    pub fn of(&self, name: &str) -> Option<&User> {
        self.0.iter().find(|user| is_one_name(&user.name, name))
    }

    pub fn all(&self) -> &[User] {
        &self.0
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
