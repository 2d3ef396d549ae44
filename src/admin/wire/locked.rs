//! A lockfile's words on the wire.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::Serialize;
use utoipa::IntoParams;
use utoipa::ToSchema;

use crate::admin::schema;
use crate::admin::wire::Standing;
use crate::model::time::Timestamp;

/// `?name=`
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct LockfileQuery {
    /// What the file is called: a hint, where its text does not tell what it is.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[param(example = "package-lock.json", max_length = 255)]
    pub name: Option<String>,
}

/// What becomes of a lockfile.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct LockfileView {
    /// `package-lock`, `npm-shrinkwrap`, `pnpm-lock`, `yarn.lock`, `bun.lock`, `deno.lock`.
    #[schema(example = "package-lock")]
    pub format: String,
    /// The number by which the format counts its editions.
    #[schema(example = "3")]
    pub edition: String,
    /// Whether an install of it goes through: every release in it is open here, nothing is fetched from elsewhere, and nothing
    /// states other bytes than are served. Where policy only observes: whether it would, if policy were enforced.
    pub green: bool,
    /// Policy only observes (`policy.mode = "observe"`): every verdict is the one that enforcing would make, and what is
    /// `observed` among the entries is served all the same. Absent where policy is enforced.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub observing: bool,
    /// When it will be green by itself: when the last of what is held opens. Absent where it is green, and where that takes more
    /// than time.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[schema(schema_with = schema::time)]
    pub opens_at: Option<Timestamp>,
    /// How many entries have which verdict; a verdict without any is absent.
    #[schema(example = json!({ "allowed": 391, "held": 1 }))]
    pub counts: BTreeMap<String, u64>,
    /// In the lockfile's order.
    pub entries: Vec<LockedView>,
    pub plan: PlanView,
}

/// What becomes of one entry of a lockfile.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum LockedVerdict {
    /// It is served.
    Allowed,
    /// It waits for its time, for people, or for as long as something holds it.
    Held,
    /// People or policy rejected it, or took it back.
    Denied,
    /// Neither known here nor at the upstream registry, or that does not answer.
    Unknown,
    /// It is not fetched from this registry, so no gate sees it.
    Elsewhere,
    /// Of the project itself: a folder, a file, a part of its workspace.
    Local,
    /// Inside another package's own bytes, and inspected with them.
    Bundled,
}

impl LockedVerdict {
    pub const ALL: [LockedVerdict; 7] = [
        LockedVerdict::Allowed,
        LockedVerdict::Held,
        LockedVerdict::Denied,
        LockedVerdict::Unknown,
        LockedVerdict::Elsewhere,
        LockedVerdict::Local,
        LockedVerdict::Bundled,
    ];

    /// The text on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            LockedVerdict::Allowed => "allowed",
            LockedVerdict::Held => "held",
            LockedVerdict::Denied => "denied",
            LockedVerdict::Unknown => "unknown",
            LockedVerdict::Elsewhere => "elsewhere",
            LockedVerdict::Local => "local",
            LockedVerdict::Bundled => "bundled",
        }
    }
}

/// How the hash in the lockfile compares with what is served here.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum LockedIntegrity {
    Agrees,
    /// The client would refuse what is served here, or it was made with other bytes.
    Differs,
    Unstated,
    NotComparable,
}

/// One entry of a lockfile.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct LockedView {
    /// Its own name, not an alias.
    #[schema(example = "left-pad")]
    pub package: String,
    /// Empty where the lockfile has none.
    #[schema(example = "1.3.0")]
    pub version: String,
    /// The other name under which the project has it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub alias: Option<String>,
    /// Where it stands in the lockfile, counted from 1.
    #[schema(example = 47)]
    pub line: u32,
    pub verdict: LockedVerdict,
    /// Of the release, where it is known.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub standing: Option<Standing>,
    /// It would be kept back, and is served only because policy observes. Absent of every other.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub observed: bool,
    /// When it opens by itself, if it does.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[schema(schema_with = schema::time)]
    pub opens_at: Option<Timestamp>,
    /// Why it is not simply allowed, without a link.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub sentence: Option<String>,
    /// The page that says the same to people; only of a release that is known and not allowed.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub link: Option<String>,
    /// The address at which the client fetches it, whatever registry it is configured with.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub address: Option<String>,
    pub integrity: LockedIntegrity,
    /// Both hashes where they differ; why they cannot be compared.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub integrity_detail: Option<String>,
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub dev: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub optional: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub peer: bool,
}

/// The smallest set of version changes that was found to make the lockfile green, as far as versions do.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct PlanView {
    /// Whether it covers every release that is not open. True, without changes, where all are.
    pub complete: bool,
    /// By name.
    pub changes: Vec<PlannedView>,
    /// Releases that nothing can stand in for.
    pub stuck: Vec<StuckView>,
    /// What to do with the client that wrote the lockfile, a line each.
    #[schema(example = json!(["npm install --package-lock-only left-pad@1.2.0"]))]
    pub steps: Vec<String>,
}

/// One change of a version.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct PlannedView {
    #[schema(example = "left-pad")]
    pub package: String,
    /// Absent of what comes in only by other changes.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[schema(example = "1.3.0")]
    pub from: Option<String>,
    /// Absent of what nobody needs any more.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[schema(example = "1.2.0")]
    pub to: Option<String>,
    /// It comes with the others by itself.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub follows: bool,
}

/// A release that no plan helps.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct StuckView {
    #[schema(example = "left-pad")]
    pub package: String,
    #[schema(example = "1.3.0")]
    pub version: String,
    #[schema(example = "the project asks for 1.3.0, and no open release is that; 1.2.0 is open")]
    pub why: String,
}
