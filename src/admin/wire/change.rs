//! The behaviour diff on the wire, and in words.

use serde::Deserialize;
use serde::Serialize;
use utoipa::ToSchema;

use crate::admin::schema;
use crate::model::time::Timestamp;

/// What a release does that the one it was compared with did not. Each list has at most 32 entries. Texts may be what an attacker wrote;
/// control and invisible characters are replaced.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct ChangeView {
    /// What it was compared with: a release that was served here then.
    #[schema(example = "1.2.3")]
    pub baseline: String,
    /// What installing runs now, and did not.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    #[schema(example = json!(["preinstall: node setup.js"]))]
    pub install_steps: Vec<String>,
    /// What its code reaches for now, and did not: network, processes, environment, files, eval.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    #[schema(example = json!(["network"]))]
    pub capabilities: Vec<String>,
    /// Hosts that its code names now.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    #[schema(example = json!(["drop.example"]))]
    pub hosts: Vec<String>,
    /// The youngest first, then those of which it is not known how old they are.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub dependencies: Vec<GainedView>,
    /// Compiled programs, where there was none.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub binaries: Vec<String>,
    /// Settings from which editors and coding agents run programs.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub hooks: Vec<String>,
    /// New files that only a step of installing uses.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub loose_scripts: Vec<String>,
    /// Techniques that the scan sees now and did not.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    #[schema(example = json!(["credential_files"]))]
    pub signals: Vec<String>,
    /// The file that is loaded first and grew, where of all code only such files changed.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[schema(example = "index.js")]
    pub entry_rewritten: Option<String>,
    /// By how many bytes the file of code grew that grew most, where it at least doubled.
    #[serde(default)]
    pub grown_bytes: u64,
    pub unpacked_bytes_before: u64,
    pub unpacked_bytes: u64,
    /// Of all code, in thousandths of a bit per byte.
    pub entropy_before: u32,
    pub entropy: u32,
    pub files_added: u32,
    pub files_changed: u32,
    pub files_removed: u32,
}

/// A dependency that the other release did not have.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct GainedView {
    #[schema(example = "left-pad")]
    pub name: String,
    /// As it is wanted.
    #[schema(example = "^1.3.0")]
    pub range: String,
    /// From when the oldest release of that name counts; absent where that is not known.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[schema(schema_with = schema::time)]
    pub first_published_at: Option<Timestamp>,
}

impl ChangeView {
    /// In words, a line for each thing, the gravest first.
    pub fn lines(&self) -> Vec<String> {
        let dependency = |one: &GainedView| match one.first_published_at {
            Some(at) => format!("{}@{} (there since {})", one.name, one.range, at.for_people()),
            None => format!("{}@{}", one.name, one.range),
        };
        let dependencies: Vec<String> = self.dependencies.iter().map(dependency).collect();
        let mut lines = Vec::new();
        for (what, all, between) in [
            ("installing runs", &self.install_steps, "; "),
            ("only installing uses", &self.loose_scripts, ", "),
            ("its code reaches for", &self.capabilities, ", "),
            ("its code names", &self.hosts, ", "),
            ("its code does", &self.signals, ", "),
            ("it needs", &dependencies, ", "),
            ("it brings programs", &self.binaries, ", "),
            ("it brings settings that run programs", &self.hooks, ", "),
        ] {
            if !all.is_empty() {
                lines.push(format!("{what}: {}", all.join(between)));
            }
        }
        if let Some(file) = &self.entry_rewritten {
            lines.push(format!("of all code only {file} changed, and grew"));
        }
        lines.push(format!(
            "{} files added, {} changed, {} removed; {} to {} bytes unpacked",
            self.files_added, self.files_changed, self.files_removed, self.unpacked_bytes_before, self.unpacked_bytes
        ));
        lines
    }

    /// The same with every text as `clean` makes it. Names each field, so that a new one cannot be forgotten.
    pub fn cleaned(&self, clean: impl Fn(&String) -> String) -> ChangeView {
        let all = |texts: &[String]| texts.iter().map(&clean).collect();
        let ChangeView { baseline, install_steps, capabilities, hosts, dependencies, binaries, hooks, loose_scripts, signals, .. } = self;
        let ChangeView { entry_rewritten, grown_bytes, unpacked_bytes_before, unpacked_bytes, entropy_before, entropy, .. } = self;
        let ChangeView { files_added, files_changed, files_removed, .. } = self;
        let gained = |GainedView { name, range, first_published_at }: &GainedView| GainedView {
            name: clean(name),
            range: clean(range),
            first_published_at: *first_published_at,
        };
        ChangeView {
            baseline: clean(baseline),
            install_steps: all(install_steps),
            capabilities: all(capabilities),
            hosts: all(hosts),
            dependencies: dependencies.iter().map(gained).collect(),
            binaries: all(binaries),
            hooks: all(hooks),
            loose_scripts: all(loose_scripts),
            signals: all(signals),
            entry_rewritten: entry_rewritten.as_ref().map(&clean),
            grown_bytes: *grown_bytes,
            unpacked_bytes_before: *unpacked_bytes_before,
            unpacked_bytes: *unpacked_bytes,
            entropy_before: *entropy_before,
            entropy: *entropy,
            files_added: *files_added,
            files_changed: *files_changed,
            files_removed: *files_removed,
        }
    }
}
