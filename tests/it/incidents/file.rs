//! An incident as a file: `tests/fixtures/incidents/<date>-<package>.toml`. An unknown key is an error. Each opens with a comment
//! that says what happened, and what of it is kept.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use airlock::model::time::Timestamp;
use serde::Deserialize;
use serde_json::Value;
use serde_json::json;

use super::bulk::Bulk;
use crate::support::scenario;

/// Who publishes where a file says nobody else.
const PUBLISHER: &str = "maintainer-1";

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Incident {
    /// The file's, without its ending.
    #[serde(skip)]
    pub name: String,
    /// How it came to be, in a few words.
    pub vector: String,
    /// What is told here that no source gives.
    pub assumed: Option<String>,
    /// By name, never by address.
    pub sources: Vec<String>,
    pub taken_down: String,
    /// When an advisory first named it, where that is known.
    pub advisory: Option<String>,
    /// Why the default policy serves a release of it before it is taken down, where it does.
    pub slips: Option<String>,
    /// Other packages of the same scope or publisher that had releases at the same time.
    #[serde(default)]
    pub companions: usize,
    #[serde(rename = "package")]
    pub packages: Vec<Package>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Package {
    pub name: String,
    #[serde(rename = "release")]
    pub releases: Vec<Release>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Release {
    pub version: String,
    pub published: String,
    /// Part of the attack: it comes when its time has come. All of an incident are one chain, so that it fails without any of them.
    #[serde(default)]
    pub malicious: bool,
    /// The release whose content this one begins with.
    like: Option<String>,
    publisher: Option<String>,
    /// The configuration of a trusted publisher that published it.
    workflow: Option<String>,
    #[serde(default)]
    provenance: bool,
    #[serde(default)]
    dependencies: BTreeMap<String, String>,
    #[serde(default)]
    optional_dependencies: BTreeMap<String, String>,
    #[serde(default)]
    scripts: BTreeMap<String, String>,
    /// Other fields of its manifest.
    #[serde(default)]
    fields: BTreeMap<String, Value>,
    #[serde(default)]
    files: BTreeMap<String, Content>,
    /// What stands behind the end of files that are there already.
    #[serde(default)]
    append: BTreeMap<String, Content>,
}

/// A text, or several pieces.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
enum Content {
    Text(String),
    Pieces(Vec<Piece>),
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Piece {
    #[serde(default)]
    text: String,
    /// So many spaces before the text.
    #[serde(default)]
    blanks: usize,
    bulk: Option<Bulk>,
    #[serde(default)]
    bytes: usize,
}

impl Content {
    fn text(&self) -> String {
        match self {
            Content::Text(text) => text.clone(),
            Content::Pieces(pieces) => pieces.iter().map(Piece::text).collect(),
        }
    }
}

impl Piece {
    fn text(&self) -> String {
        assert_eq!(self.bulk.is_some(), self.bytes > 0, "bulk has bytes");
        let bulk = self.bulk.map(|bulk| bulk.text(self.bytes)).unwrap_or_default();
        format!("{}{}{bulk}", " ".repeat(self.blanks), self.text)
    }
}

impl Incident {
    pub fn all() -> Vec<Incident> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/incidents");
        let mut all: Vec<Incident> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| {
                let path = entry.unwrap().path();
                let text = std::fs::read_to_string(&path).unwrap();
                assert!(text.starts_with("# "), "{} says what happened", path.display());
                let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
                let incident: Incident = toml::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
                let incident = Incident { name, ..incident };
                incident.check();
                incident
            })
            .collect();
        all.sort_by(|one, other| one.name.cmp(&other.name));
        all
    }

    fn check(&self) {
        let name = &self.name;
        assert!(!self.sources.is_empty(), "{name} has no source");
        assert!(self.malicious().count() > 0, "{name} has no malicious release");
        assert!(self.releases().any(|(_, release)| !release.malicious), "{name} has no honest release");
        for (package, release) in self.malicious() {
            let at = release.published();
            assert!(at < self.taken_down(), "{name}: {} is published after it was taken down", release.version);
            assert!(
                self.advisory.as_deref().is_none_or(|advised| at < time(advised)),
                "{name}: an advisory is older than {}",
                package.name
            );
        }
    }

    pub fn taken_down(&self) -> Timestamp {
        time(&self.taken_down)
    }

    pub fn releases(&self) -> impl Iterator<Item = (&Package, &Release)> {
        self.packages.iter().flat_map(|package| package.releases.iter().map(move |release| (package, release)))
    }

    /// In the order of the file.
    pub fn malicious(&self) -> impl Iterator<Item = (&Package, &Release)> {
        self.releases().filter(|(_, release)| release.malicious)
    }

    /// When the first of the malicious releases came.
    pub fn begun(&self) -> Timestamp {
        self.malicious().map(|(_, release)| release.published()).min().unwrap()
    }

    /// Names of the companions: of the same scope, where there is one.
    pub fn companions(&self) -> Vec<String> {
        let (package, _) = self.malicious().next().unwrap();
        let beside = |number| match package.name.split_once('/') {
            Some((scope, _)) => format!("{scope}/companion-{number}"),
            None => format!("{}-companion-{number}", package.name),
        };
        (1..=self.companions).map(beside).collect()
    }
}

impl Package {
    /// Its honest releases of before `now`.
    pub fn there(&self, now: Timestamp) -> impl Iterator<Item = &Release> {
        self.releases.iter().filter(move |release| !release.malicious && release.published() <= now)
    }

    /// Puts a release of the file into the registry's package.
    pub fn publish(&self, release: &Release, into: &mut scenario::Package) {
        release.write(&self.releases, into.release(&release.version));
    }
}

impl Release {
    /// Whether it was old enough at `now` for the default policy, of a new package as well.
    pub fn is_settled(&self, now: Timestamp) -> bool {
        const SETTLED: Duration = Duration::from_secs(15 * 24 * 3_600);
        self.published() < now.minus(SETTLED)
    }

    pub fn published(&self) -> Timestamp {
        time(&self.published)
    }

    fn write(&self, all: &[Release], r: &mut scenario::Release) {
        let files = self.whole(all, r);
        assert!(files.contains_key("index.js"), "{}: what it has instead of the made-up index.js is told", self.version);
        for (path, text) in &files {
            r.file(path, text);
        }
        r.published(&self.published).listed("_npmUser", self.hand());
        r.listed("maintainers", json!([{"name": PUBLISHER, "email": format!("{PUBLISHER}@mail.example")}]));
        if self.provenance {
            let provenance = json!({"predicateType": "https://slsa.dev/provenance/v1"});
            r.dist("attestations", json!({"url": "https://registry.example/-/npm/v1/attestations/x", "provenance": provenance}));
        }
    }

    pub fn hand(&self) -> Value {
        let name = self.publisher.as_deref().unwrap_or(PUBLISHER);
        match &self.workflow {
            Some(workflow) => json!({
                "name": "GitHub Actions", "email": "actions@mail.example", "trustedPublisher": {"id": "github", "oidcConfigId": workflow},
            }),
            None => json!({"name": name, "email": format!("{name}@mail.example")}),
        }
    }

    /// Its files, those of the release that it is like included; what its manifest says goes to `r`.
    fn whole(&self, all: &[Release], r: &mut scenario::Release) -> BTreeMap<String, String> {
        let mut files = match &self.like {
            Some(other) => all.iter().find(|release| release.version == *other).unwrap().whole(all, r),
            None => BTreeMap::new(),
        };
        for (name, range) in &self.dependencies {
            r.dependency(name, range);
        }
        for (name, range) in &self.optional_dependencies {
            r.optional_dependency(name, range);
        }
        for (event, command) in &self.scripts {
            r.script(event, command);
        }
        for (field, value) in &self.fields {
            r.field(field, value.clone());
        }
        files.extend(self.files.iter().map(|(path, content)| (path.clone(), content.text())));
        for (path, content) in &self.append {
            files.get_mut(path).unwrap_or_else(|| panic!("{} has no {path}", self.version)).push_str(&content.text());
        }
        files
    }
}

fn time(text: &str) -> Timestamp {
    Timestamp::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}
