//! The caller as the rooms below are told of it.

use crate::http::caller::Caller;
use crate::http::problem::Problem;
use crate::model::principal::Principal;
use crate::model::principal::Reach;
use crate::model::principal::Roles;
use crate::model::token::Role;

impl Caller {
    /// Who a decision or a submission is recorded under.
    ///
    /// # Errors
    /// 401 for a caller without a token.
    pub fn known(&self) -> Result<Principal, Problem> {
        let name = self.person()?;
        let roles = self.role.map_or(Roles::NONE, Roles::of);
        let publishes = if roles.covers(Role::Admin) { Reach::Everything } else { Reach::Own };
        let publishes = if roles.covers(Role::Publisher) { publishes } else { Reach::Nothing };
        Ok(Principal { publishes, name: Some(name.to_owned()), behind: vec![name.to_owned()], ..Principal::anonymous(roles) })
    }
}
