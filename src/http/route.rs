//! The URL space as data: each room lists its routes, the server joins them on one screen, a test tries every one.

use crate::model::token::Role;

/// One method on one URL template, `/-/airlock/v1/releases/{package}/{version}`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Route {
    pub method: &'static str,
    pub template: &'static str,
    pub needs: Needs,
}

/// Whom a route answers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Needs {
    /// Everyone, even where callers without a token are refused.
    Nothing,
    /// A caller with a name, whatever the role.
    Person,
    Role(Role),
    /// One of these roles is enough.
    AnyOf(&'static [Role]),
}

impl Route {
    pub const fn open(method: &'static str, template: &'static str) -> Route {
        Route { method, template, needs: Needs::Nothing }
    }

    pub const fn person(method: &'static str, template: &'static str) -> Route {
        Route { method, template, needs: Needs::Person }
    }

    /// For everyone who may read.
    pub const fn reader(method: &'static str, template: &'static str) -> Route {
        Route::new(method, template, Role::Reader)
    }

    pub const fn new(method: &'static str, template: &'static str, role: Role) -> Route {
        Route { method, template, needs: Needs::Role(role) }
    }

    pub const fn any_of(method: &'static str, template: &'static str, roles: &'static [Role]) -> Route {
        Route { method, template, needs: Needs::AnyOf(roles) }
    }
}

/// Put into the *response's* extensions by a handler that finds its route itself, so that logs and metrics name the
/// template and not the path. Handlers mounted by template need not.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Matched(pub &'static str);
