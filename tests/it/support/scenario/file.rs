//! Scenario files: `tests/fixtures/scenarios/<name>.toml`. An unknown key is an error. Each file opens with a comment
//! that says what the scenario is for.

use std::collections::BTreeMap;
use std::path::Path;

use airlock::clock::Clock;
use serde::Deserialize;
use serde_json::Value;

use super::Scenario;
use super::release::Release;

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct ScenarioFile {
    #[serde(default)]
    mirror: bool,
    package: Vec<PackageFile>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct PackageFile {
    name: String,
    #[serde(default)]
    tags: BTreeMap<String, String>,
    release: Vec<ReleaseFile>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct ReleaseFile {
    version: String,
    /// `9h` before the scenario's now. Neither this nor `published`: long ago.
    age: Option<String>,
    /// Verbatim; empty: no time at all.
    published: Option<String>,
    deprecated: Option<String>,
    #[serde(default)]
    bin: Vec<String>,
    #[serde(default)]
    dependencies: BTreeMap<String, String>,
    #[serde(default)]
    optional_dependencies: BTreeMap<String, String>,
    #[serde(default)]
    peer_dependencies: BTreeMap<String, String>,
    #[serde(default)]
    scripts: BTreeMap<String, String>,
    #[serde(default)]
    files: BTreeMap<String, String>,
    #[serde(default)]
    listed: BTreeMap<String, Value>,
    #[serde(default)]
    shipped: BTreeMap<String, Value>,
    #[serde(default)]
    wrong_integrity: bool,
    #[serde(default)]
    without_integrity: bool,
    #[serde(default)]
    only_sha1: bool,
    file_name: Option<String>,
    tarball_url: Option<String>,
}

impl Scenario {
    /// Reads a scenario file; its ages are counted from [`Scenario::NOW`].
    pub fn file(name: &str) -> Scenario {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/scenarios").join(format!("{name}.toml"));
        let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        Scenario::parse(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    /// The same scenario with ages counted from the real time.
    pub fn aged_from_now(mut self) -> Scenario {
        self.now = Clock::system().now();
        self
    }

    pub fn parse(text: &str) -> Result<Scenario, toml::de::Error> {
        let file: ScenarioFile = toml::from_str(text)?;
        let mut scenario = if file.mirror { Scenario::new().like_a_mirror() } else { Scenario::new() };
        for package in file.package {
            scenario = scenario.package(&package.name, |p| {
                for (tag, version) in &package.tags {
                    p.tag(tag, version);
                }
                for release in package.release {
                    let r = p.release(&release.version);
                    release.write_to(r);
                }
            });
        }
        Ok(scenario)
    }
}

impl ReleaseFile {
    fn write_to(self, r: &mut Release) {
        match (self.age, self.published.as_deref()) {
            (Some(age), _) => r.age(&age),
            (None, Some("")) => r.without_time(),
            (None, Some(time)) => r.published(time),
            (None, None) => r,
        };
        let texts = [
            ("dependencies", self.dependencies),
            ("optionalDependencies", self.optional_dependencies),
            ("peerDependencies", self.peer_dependencies),
            ("scripts", self.scripts),
        ];
        for (field, entries) in texts {
            if !entries.is_empty() {
                r.field(field, serde_json::json!(entries));
            }
        }
        for command in &self.bin {
            r.bin(command);
        }
        for (path, text) in &self.files {
            r.file(path, text);
        }
        for (key, value) in self.listed {
            r.listed(&key, value);
        }
        for (key, value) in self.shipped {
            r.shipped(&key, value);
        }
        for (set, act) in [
            (self.wrong_integrity, Release::wrong_integrity as fn(&mut Release) -> &mut Release),
            (self.without_integrity, Release::without_integrity),
            (self.only_sha1, Release::only_sha1),
        ] {
            if set {
                act(r);
            }
        }
        if let Some(why) = &self.deprecated {
            r.deprecated(why);
        }
        if let Some(name) = &self.file_name {
            r.file_name(name);
        }
        if let Some(url) = &self.tarball_url {
            r.tarball_url(url);
        }
    }
}
