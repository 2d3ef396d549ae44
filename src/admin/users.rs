//! Users: who signs in with a password, and what they may do.

use axum::Json;
use axum::extract::Path;
use axum::extract::State;
use http::StatusCode;

use crate::access::by::By;
use crate::access::users::NewUser;
use crate::access::users::email;
use crate::admin::Api;
use crate::admin::request::Told;
use crate::admin::view;
use crate::admin::wire::UserEdit;
use crate::admin::wire::UserOrder;
use crate::admin::wire::UserView;
use crate::admin::wire::Users;
use crate::http::caller::Caller;
use crate::http::problem::Kind;
use crate::http::problem::Problem;
use crate::model::user::UserChange;

/// All users, disabled ones too, by name
#[utoipa::path(get, path = "/-/airlock/v1/users", operation_id = "listUsers", tag = "users", responses((status = 200, body = Users)))]
pub async fn list(State(api): State<Api>) -> Result<Json<Users>, Problem> {
    let users = api.access.users().await?;
    Ok(Json(Users { users: users.iter().map(view::user).collect() }))
}

/// Make a user
///
/// Of the password only a hash is kept. Without one the user signs in elsewhere, or an admin gives one later.
#[utoipa::path(
    post,
    path = "/-/airlock/v1/users", operation_id = "createUser",
    tag = "users",
    request_body = UserOrder,
    responses((status = 201, description = "Made", body = UserView))
)]
pub async fn create(State(api): State<Api>, caller: Caller, Told(told): Told<UserOrder>) -> Result<(StatusCode, Json<UserView>), Problem> {
    caller.person()?;
    let by = By::caller(&caller.principal)?;
    let new = NewUser { name: told.name, role: told.role, email: told.email, password: told.password, oidc: None };
    let made = api.access.make_user(new, &by).await?;
    Ok((StatusCode::CREATED, Json(view::user(&made))))
}

/// Change a user
///
/// What is not given stays. Who is disabled is let in nowhere from that moment, whatever the token.
#[utoipa::path(
    patch,
    path = "/-/airlock/v1/users/{name}", operation_id = "changeUser",
    tag = "users",
    params(("name" = String, Path, example = "maria")),
    request_body = UserEdit,
    responses((status = 200, description = "Changed", body = UserView), (status = 404, description = "No such user"))
)]
pub async fn change(
    State(api): State<Api>,
    caller: Caller,
    Path(name): Path<String>,
    Told(told): Told<UserEdit>,
) -> Result<Json<UserView>, Problem> {
    caller.person()?;
    let by = By::caller(&caller.principal)?;
    let mut changes = Vec::new();
    if let Some(role) = told.role {
        changes.push(UserChange::Role(role));
    }
    if let Some(given) = told.email {
        changes.push(UserChange::Email(email(Some(given))?));
    }
    if let Some(password) = &told.password {
        changes.push(UserChange::Password(api.access.hashed(password).await?));
    }
    if let Some(is_disabled) = told.disabled {
        changes.push(UserChange::Disabled(is_disabled));
    }
    if changes.is_empty() {
        return Err(Problem::new(Kind::Unacceptable, "nothing is to be changed: give role, email, password or disabled"));
    }
    Ok(Json(view::user(&api.access.change_user(&name, changes, &by).await?)))
}
