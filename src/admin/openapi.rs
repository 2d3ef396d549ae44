//! The OpenAPI 3.1 document of the admin API. Who may call what comes from `ROUTES`, what a call looks like from the
//! handlers and `wire`; `docs/openapi.json` is its snapshot.

use std::sync::LazyLock;

use axum::response::IntoResponse;
use axum::response::Response;
use http::HeaderValue;
use http::header;
use utoipa::OpenApi;
use utoipa::openapi::ContentBuilder;
use utoipa::openapi::Ref;
use utoipa::openapi::RefOr;
use utoipa::openapi::ResponseBuilder;
use utoipa::openapi::path::Operation;
use utoipa::openapi::path::ParameterBuilder;
use utoipa::openapi::path::ParameterIn;
use utoipa::openapi::path::PathItem;
use utoipa::openapi::schema::ObjectBuilder;
use utoipa::openapi::schema::Type;
use utoipa::openapi::security::HttpAuthScheme;
use utoipa::openapi::security::HttpBuilder;
use utoipa::openapi::security::SecurityRequirement;
use utoipa::openapi::security::SecurityScheme;

use crate::admin::ROUTES;
use crate::admin::advisories;
use crate::admin::audit;
use crate::admin::decisions;
use crate::admin::explain;
use crate::admin::lockfile;
use crate::admin::oidc;
use crate::admin::ownership;
use crate::admin::policy;
use crate::admin::recall;
use crate::admin::releases;
use crate::admin::requests;
use crate::admin::sign_in;
use crate::admin::tokens;
use crate::admin::users;
use crate::admin::waivers;
use crate::admin::wire;
use crate::http::problem::MEDIA_TYPE;
use crate::http::route::Needs;
use crate::http::route::Route;
use crate::model::token::Role;

const TOKEN: &str = "token";
const PROBLEM: &str = "ProblemView";

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Airlock",
        description = "What operators and developers ask of a registry with a quarantine gate. Times are RFC 3339 with `Z`; \
                       failures are RFC 9457 problem documents; unknown parameters and fields are refused.",
        license(name = "Apache-2.0 OR MIT", identifier = "Apache-2.0 OR MIT")
    ),
    servers((url = "/", description = "This server")),
    paths(
        explain::home,
        explain::subject_page,
        oidc::start,
        oidc::callback,
        document,
        sign_in::form,
        sign_in::submit,
        releases::list,
        releases::queue,
        releases::one,
        releases::package,
        lockfile::check,
        requests::request,
        decisions::decide,
        waivers::list,
        waivers::make,
        waivers::end,
        recall::pulls,
        recall::acknowledge,
        advisories::list,
        advisories::import,
        audit::list,
        audit::verify,
        ownership::assign,
        policy::replay,
        tokens::list,
        tokens::create,
        tokens::revoke,
        users::list,
        users::create,
        users::change
    ),
    components(schemas(wire::ProblemView)),
    tags(
        (name = "releases", description = "Where releases stand, and why"),
        (name = "decisions", description = "What people decide"),
        (name = "advisories", description = "What others found out about releases"),
        (name = "audit", description = "The ledger: every record, chained by hash"),
        (name = "policy", description = "What a policy would do"),
        (name = "names", description = "Which names are this registry's own"),
        (name = "tokens", description = "Who may do what"),
        (name = "users", description = "Who signs in with a password"),
        (name = "pages", description = "For people")
    )
)]
struct Described;

static JSON: LazyLock<bytes::Bytes> = LazyLock::new(|| written().into());

/// This document
#[utoipa::path(get, path = "/-/airlock/v1/openapi.json", operation_id = "openapi", tag = "pages", responses((status = 200, description = "OpenAPI 3.1", body = Object)))]
pub async fn document() -> Response {
    let mut response = JSON.clone().into_response();
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// As served, and as kept in `docs/openapi.json`.
fn written() -> String {
    let mut text = serde_json::to_string_pretty(&described()).unwrap_or_default();
    text.push('\n');
    text
}

fn described() -> utoipa::openapi::OpenApi {
    let mut document = Described::openapi();
    let scheme = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some("A token made by `airlock token create`"));
    if let Some(components) = document.components.as_mut() {
        components.add_security_scheme(TOKEN, SecurityScheme::Http(scheme.build()));
    }
    for route in ROUTES.iter().filter(|route| !is_other_spelling(route)) {
        let item = document.paths.paths.get_mut(&path(route));
        if let Some(operation) = item.and_then(|item| operation(item, route)) {
            complete(operation, route);
        }
    }
    document
}

/// The path under which a route is described: spellings of one resource are described once.
fn path(route: &Route) -> String {
    let template = if matches!(route.template, "/" | "/-/airlock") { "/-/airlock/" } else { route.template };
    template.replace("{scope}/{name}", "{package}").replace("{*", "{")
}

fn is_other_spelling(route: &Route) -> bool {
    route.template.contains("{scope}") || route.template == "/-/airlock"
}

fn operation<'p>(item: &'p mut PathItem, route: &Route) -> Option<&'p mut Operation> {
    match route.method {
        "GET" => item.get.as_mut(),
        "POST" => item.post.as_mut(),
        "PUT" => item.put.as_mut(),
        "PATCH" => item.patch.as_mut(),
        "DELETE" => item.delete.as_mut(),
        _ => None,
    }
}

/// Adds what every operation of its kind has: who may call it, and how it fails.
fn complete(operation: &mut Operation, route: &Route) {
    let needed: &[Role] = match &route.needs {
        Needs::Nothing => return,
        Needs::Person => &[],
        Needs::Role(role) => std::slice::from_ref(role),
        Needs::AnyOf(roles) => roles,
    };
    // A reader's call may need no token, where `access.anonymous` is "reader".
    let anonymous = needed.contains(&Role::Reader).then(SecurityRequirement::default);
    // Each of these is enough. Of a person's call no role is asked.
    let with_token = needed.iter().map(|role| SecurityRequirement::new(TOKEN, [role.as_str()]));
    let of_a_person = needed.is_empty().then(|| SecurityRequirement::new(TOKEN, [""; 0]));
    operation.security = Some(with_token.chain(of_a_person).chain(anonymous).collect());
    let mut fails = vec![("400", "It cannot be understood"), ("401", "It needs a token"), ("403", "The token's role does not allow it")];
    let asks_for_a_package = route.template.contains("{package}") || route.template.contains("{*");
    if asks_for_a_package && !route.template.contains("/recalls/") {
        fails.push(("404", "Neither known here nor at the upstream registry"));
        fails.push(("502", "The upstream registry does not answer as it should"));
        fails.push(("503", "Not now; ask again after `Retry-After`"));
    }
    if route.method == "DELETE" {
        fails.push(("404", "No such token"));
    }
    let brings_a_file = route.template == lockfile::PATH;
    if brings_a_file {
        fails.push(("413", "The lockfile is larger than 64 MB"));
        fails.push(("415", "The body's content coding is not read"));
        fails.push(("422", "The lockfile cannot be read; the text names the line"));
        fails.push(("503", "Others are being looked at; ask again after `Retry-After`"));
    }
    // An import streams its body and is the same however often it is done.
    let is_import = route.template.ends_with("/advisories");
    if is_import && route.method == "POST" {
        fails.push(("413", "The body is larger than 1 GiB"));
        fails.push(("422", "Understood, but nothing in it counts; the text says why"));
        fails.push(("507", "The disk is full; nothing was changed"));
    } else if route.method != "GET" && !brings_a_file {
        fails.push(("409", "It is not as it was, or nothing is left to do"));
        fails.push(("422", "Understood, but not acceptable; the text names the field"));
        fails.push(("507", "The disk is full; nothing was changed"));
        operation.parameters.get_or_insert_default().push(RefOr::T(idempotency_key()));
    }
    if matches!(route.method, "POST" | "PUT") && !brings_a_file && !is_import {
        fails.push(("413", "The body is larger than 64 KiB"));
        fails.push(("415", "The body is not JSON"));
    }
    for (status, description) in fails {
        let content = ContentBuilder::new().schema(Some(Ref::from_schema_name(PROBLEM))).build();
        let response = ResponseBuilder::new().description(description).content(MEDIA_TYPE, content).build();
        operation.responses.responses.insert(status.to_owned(), RefOr::T(response));
    }
}

fn idempotency_key() -> utoipa::openapi::path::Parameter {
    let text = "The same call sent twice under one key within 24 hours is done once; with another body it is refused. \
                Remembered per caller and address, in the memory of one server process.";
    ParameterBuilder::new()
        .name("Idempotency-Key")
        .parameter_in(ParameterIn::Header)
        .required(utoipa::openapi::Required::False)
        .description(Some(text))
        .schema(Some(ObjectBuilder::new().schema_type(Type::String).max_length(Some(255)).build()))
        .build()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    const SNAPSHOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/openapi.json");

    #[test]
    #[expect(clippy::disallowed_methods, reason = "whether a test may write is no setting of Airlock")]
    fn the_document_is_the_one_that_is_kept() {
        if std::env::var_os("AIRLOCK_UPDATE_SNAPSHOTS").is_some() {
            std::fs::write(SNAPSHOT, written()).unwrap();
        }
        let kept = std::fs::read_to_string(SNAPSHOT).unwrap_or_default();
        let differs = kept.lines().zip(written().lines().map(str::to_owned)).position(|(kept, now)| kept != now);
        assert!(
            kept == written(),
            "docs/openapi.json is not what the code says (first difference at line {}): look whether clients still work, then run\n\
             AIRLOCK_UPDATE_SNAPSHOTS=1 cargo test --lib admin::openapi",
            differs.map_or_else(|| "its end".to_owned(), |line| (line + 1).to_string()),
        );
    }

    #[test]
    fn every_route_is_described_and_every_description_is_a_route() {
        let routes: BTreeSet<(String, String)> = ROUTES.iter().map(|route| (route.method.to_owned(), path(route))).collect();
        let document = serde_json::to_value(described()).unwrap();
        let described: BTreeSet<(String, String)> = document["paths"]
            .as_object()
            .unwrap()
            .iter()
            .flat_map(|(path, item)| item.as_object().unwrap().keys().map(|method| (method.to_uppercase(), path.clone())))
            .collect();
        assert_eq!(routes, described);
        assert_eq!(document["openapi"], "3.1.0");
    }

    #[test]
    fn every_closed_route_says_how_it_is_opened_and_how_it_fails() {
        let document = serde_json::to_value(described()).unwrap();
        for route in ROUTES {
            let operation = &document["paths"][path(route)][route.method.to_lowercase()];
            assert!(operation["summary"].as_str().is_some_and(|text| !text.is_empty()), "{route:?}");
            match route.needs {
                Needs::Nothing => assert!(operation.get("security").is_none(), "{route:?}"),
                Needs::Person | Needs::Role(_) | Needs::AnyOf(_) => {
                    if let Needs::Role(role) = route.needs {
                        assert_eq!(operation["security"][0][TOKEN][0], role.as_str(), "{route:?}");
                    }
                    assert!(operation["security"][0][TOKEN].is_array(), "{route:?}");
                    for status in ["400", "401", "403"] {
                        let schema = &operation["responses"][status]["content"][MEDIA_TYPE]["schema"]["$ref"];
                        assert_eq!(schema, "#/components/schemas/ProblemView", "{route:?} {status}");
                    }
                }
            }
        }
    }
}
