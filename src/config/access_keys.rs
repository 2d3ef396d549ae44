//! The keys of `[access]` but for identity providers: how they are read and written.

use std::time::Duration;

use crate::config::Config;
use crate::config::access::Anonymous;
use crate::config::access::Group;
use crate::config::access::Registration;
use crate::config::draft::Draft;
use crate::config::fault::Fault;
use crate::config::fields::Fields;
use crate::config::issuer_keys;
use crate::config::key::Key;
use crate::config::key::Shape;
use crate::config::key::Shown;
use crate::config::key::quoted;
use crate::config::key::quoted_list;
use crate::config::quantity::write_duration;
use crate::config::value::Entry;
use crate::config::value::Value;
use crate::config::value::each;
use crate::model::pattern::PackagePattern;
use crate::model::token::Role;
use crate::model::user::User;

const PASSWORD_CHARS_MOST: u64 = 128;
pub(super) const SIGN_IN_LEAST: Duration = Duration::from_secs(60);
pub(super) const SIGN_IN_MOST: Duration = Duration::from_secs(3_650 * 24 * 3_600);
const NAME_BYTES_MAX: usize = 256;
const GROUP_KEYS: [&str; 4] = ["role", "members", "claims", "packages"];

pub(super) fn keys() -> Vec<Key> {
    let mut keys = vec![
        Key::new(
            "access.anonymous",
            "what callers without a token may do: \"reader\", or \"none\"",
            |config| {
                Some(quoted(match config.access.anonymous {
                    Anonymous::Reader => "reader",
                    Anonymous::None => "none",
                }))
            },
            |draft, value| {
                draft.config.access.anonymous = value.choice(&[("reader", Anonymous::Reader), ("none", Anonymous::None)])?;
                Ok(())
            },
        ),
        Key::new(
            "access.registration",
            "\"closed\": only an admin makes users; \"open\": npm login may create them",
            |config| {
                Some(quoted(match config.access.registration {
                    Registration::Closed => "closed",
                    Registration::Open => "open",
                }))
            },
            |draft, value| {
                draft.config.access.registration = value.choice(&[("closed", Registration::Closed), ("open", Registration::Open)])?;
                Ok(())
            },
        ),
        Key::new(
            "access.new_users",
            "the role of who registers by npm login: \"publisher\", or \"reader\"",
            |config| Some(quoted(config.access.new_users.as_str())),
            |draft, value| {
                draft.config.access.new_users = value.choice(&[("publisher", Role::Publisher), ("reader", Role::Reader)])?;
                Ok(())
            },
        ),
        Key::new(
            "access.password_chars_min",
            "the shortest password that a user may choose",
            |config| Some(config.access.password_chars_min.to_string()),
            |draft, value| {
                draft.config.access.password_chars_min = usize::try_from(value.number(1..=PASSWORD_CHARS_MOST)?).unwrap_or(usize::MAX);
                Ok(())
            },
        ),
        Key::new(
            "access.sign_in_for",
            "how long a token lives that npm login made",
            |config| Some(quoted(&write_duration(config.access.sign_in_for))),
            |draft, value| {
                draft.config.access.sign_in_for = value.duration(SIGN_IN_LEAST..=SIGN_IN_MOST)?;
                Ok(())
            },
        ),
        Key::new("access.groups", "people who have a role together, and may publish packages together", write_groups, read_groups)
            .shaped(Shape::Table)
            .shown(Shown::Sample(&[
                "[access.groups.web]",
                "role = \"publisher\"",
                "members = [\"maria\"]",
                "claims = [\"acme-web\"]  # members by the identity provider's groups claim",
                "packages = [\"@acme/*\"]  # what they may publish, whoever owns it",
            ])),
    ];
    keys.extend(issuer_keys::keys());
    keys
}

/// Text that is not empty and not too long to be meant.
pub(super) fn name(value: &Value) -> Result<String, Vec<Fault>> {
    match value.optional_text()? {
        Some(text) if text.len() <= NAME_BYTES_MAX => Ok(text.to_owned()),
        Some(_) => Err(value.fault("the text is too long", format!("keep it to {NAME_BYTES_MAX} bytes"))),
        None => Err(value.fault("the text is empty", "say what is meant, or leave the key away")),
    }
}

/// A list that is not empty.
pub(super) fn some_packages(value: &Value) -> Result<Vec<PackagePattern>, Vec<Fault>> {
    let packages = each(value, package)?;
    if packages.is_empty() {
        return Err(value.fault("the list is empty", "name packages: \"@acme/*\", \"left-pad\""));
    }
    Ok(packages)
}

fn package(value: &Value) -> Result<PackagePattern, Vec<Fault>> {
    let text = value.text()?;
    PackagePattern::parse(text)
        .map_err(|error| value.fault(format!("{text:?} is not a pattern: {error}"), "write a scope \"@acme/*\" or a package \"left-pad\""))
}

pub(super) fn write_packages(packages: &[PackagePattern]) -> String {
    let texts: Vec<String> = packages.iter().map(PackagePattern::to_string).collect();
    quoted_list(texts.iter().map(String::as_str))
}

fn read_groups(draft: &mut Draft, value: &Value) -> Result<(), Vec<Fault>> {
    let mut faults = Vec::new();
    draft.config.access.groups.clear();
    for entry in value.table()? {
        match read_group(entry) {
            Ok(group) => _ = draft.config.access.groups.insert(entry.name.clone(), group),
            Err(told) => faults.extend(told),
        }
    }
    if faults.is_empty() { Ok(()) } else { Err(faults) }
}

fn read_group(entry: &Entry) -> Result<Group, Vec<Fault>> {
    let mut fields = Fields::of(&entry.value, &GROUP_KEYS)?;
    let roles = Role::ALL.map(|role| (role.as_str(), role));
    let role = fields.required("role", "add role = \"publisher\", or another", |value| value.choice(&roles));
    let members = fields.read("members", |value| each(value, member)).unwrap_or_default();
    let claims = fields.read("claims", |value| each(value, name)).unwrap_or_default();
    let packages = fields.read("packages", |value| each(value, package)).unwrap_or_default();
    fields.finish(role.map(|role| Group { role, members, claims, packages }))
}

fn member(value: &Value) -> Result<String, Vec<Fault>> {
    let text = value.text()?;
    if User::is_name(text) {
        return Ok(text.to_owned());
    }
    Err(value.fault(format!("{text:?} is not the name of a user"), "write up to 64 letters, digits, dots, dashes and underscores"))
}

fn write_groups(config: &Config) -> Option<String> {
    if config.access.groups.is_empty() {
        return None;
    }
    let group = |(name, group): (&String, &Group)| {
        let members = quoted_list(group.members.iter().map(String::as_str));
        let claims = quoted_list(group.claims.iter().map(String::as_str));
        let (name, role, packages) = (quoted(name), quoted(group.role.as_str()), write_packages(&group.packages));
        format!("{name} = {{ role = {role}, members = {members}, claims = {claims}, packages = {packages} }}")
    };
    let groups: Vec<String> = config.access.groups.iter().map(group).collect();
    Some(format!("{{ {} }}", groups.join(", ")))
}
