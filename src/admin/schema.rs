//! How the model's nouns look in the OpenAPI document: built from the nouns' own lists, so that they cannot drift.

use utoipa::openapi::Array;
use utoipa::openapi::KnownFormat;
use utoipa::openapi::Object;
use utoipa::openapi::ObjectBuilder;
use utoipa::openapi::SchemaFormat;
use utoipa::openapi::schema::Type;

use crate::model::decision::Verb;
use crate::model::finding::Action;
use crate::model::finding::FindingKind;
use crate::model::local::NameOwner;
use crate::model::package::EcosystemId;
use crate::model::token::Role;

fn one_of(words: impl IntoIterator<Item = &'static str>) -> Object {
    ObjectBuilder::new().schema_type(Type::String).enum_values(Some(words)).build()
}

pub fn ecosystem() -> Object {
    one_of(EcosystemId::ALL.map(EcosystemId::as_str))
}

pub fn finding_kind() -> Object {
    one_of(FindingKind::ALL.iter().map(|kind| kind.as_str()))
}

pub fn finding_kinds() -> Array {
    Array::new(finding_kind())
}

pub fn action() -> Object {
    one_of(Action::ALL.map(Action::as_str))
}

pub fn verb() -> Object {
    one_of(Verb::ALL.map(Verb::as_str))
}

pub fn role() -> Object {
    one_of(Role::ALL.map(Role::as_str))
}

pub fn name_owner() -> Object {
    one_of(NameOwner::ALL.map(NameOwner::as_str))
}

/// RFC 3339.
pub fn time() -> Object {
    let example = serde_json::Value::from("2026-11-27T14:05:00.000Z");
    ObjectBuilder::new()
        .schema_type(Type::String)
        .format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime)))
        .examples([example])
        .build()
}

pub fn digest() -> Object {
    ObjectBuilder::new().schema_type(Type::String).pattern(Some("^sha512-[A-Za-z0-9+/]{86}==$")).build()
}
