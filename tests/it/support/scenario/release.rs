//! One release of a scenario: what the index says of it and which bytes it has. They agree unless a test makes them lie,
//! one field at a time.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::OnceLock;
use std::time::Duration;

use airlock::model::time::Timestamp;
use bytes::Bytes;
use serde_json::Map;
use serde_json::Value;
use serde_json::json;

use super::tarball::File;
use super::tarball::Tarball;

#[derive(Clone, Debug)]
pub struct Release {
    package: String,
    version: String,
    published: Published,
    /// In the index and in the bytes alike.
    fields: Map<String, Value>,
    /// Put into the index only; null takes the field out of it.
    listed: Map<String, Value>,
    /// Put into the package.json inside only; null takes the field out of it.
    shipped: Map<String, Value>,
    dist: Map<String, Value>,
    files: BTreeMap<String, File>,
    bytes: Option<Bytes>,
    file_name: Option<String>,
    tarball_url: Option<String>,
    manifest_text: Option<String>,
    built: OnceLock<Arc<Tarball>>,
}

#[derive(Clone, Debug)]
pub enum Published {
    Ago(Duration),
    /// Verbatim in `time`, whatever it is.
    At(String),
    /// No entry in `time`.
    Unknown,
}

impl Published {
    pub fn text(&self, now: Timestamp) -> Option<String> {
        match self {
            Published::Ago(age) => Some(now.minus(*age).to_string()),
            Published::At(text) => Some(text.clone()),
            Published::Unknown => None,
        }
    }
}

impl Release {
    /// Older than every minimum age unless a test says otherwise.
    const AGE: Duration = Duration::from_secs(400 * 24 * 3_600);

    pub fn new(package: &str, version: &str) -> Release {
        Release {
            package: package.to_owned(),
            version: version.to_owned(),
            published: Published::Ago(Release::AGE),
            fields: Map::new(),
            listed: Map::new(),
            shipped: Map::new(),
            dist: Map::new(),
            files: BTreeMap::from([(
                "index.js".to_owned(),
                File::text(&format!("module.exports = {:?};\n", format!("{package}@{version}"))),
            )]),
            bytes: None,
            file_name: None,
            tarball_url: None,
            manifest_text: None,
            built: OnceLock::new(),
        }
    }

    pub fn version(&self) -> &str {
        &self.version
    }

    pub fn published_at(&self) -> &Published {
        &self.published
    }

    /// What `time` says, verbatim: offsets and nonsense included.
    pub fn published(&mut self, time: &str) -> &mut Release {
        self.published = Published::At(time.to_owned());
        self
    }

    /// Published so long before the scenario's now: `9h`, `30d`.
    pub fn age(&mut self, age: &str) -> &mut Release {
        self.published = Published::Ago(humantime::parse_duration(age).unwrap());
        self
    }

    pub fn without_time(&mut self) -> &mut Release {
        self.published = Published::Unknown;
        self
    }

    /// A field of package.json, in the index and in the bytes.
    pub fn field(&mut self, key: &str, value: Value) -> &mut Release {
        self.fields.insert(key.to_owned(), value);
        self.changed()
    }

    fn entry(&mut self, field: &str, key: &str, value: &str) -> &mut Release {
        let object = self.fields.entry(field).or_insert_with(|| json!({}));
        object.as_object_mut().unwrap().insert(key.to_owned(), json!(value));
        self.changed()
    }

    pub fn dependency(&mut self, name: &str, range: &str) -> &mut Release {
        self.entry("dependencies", name, range)
    }

    pub fn optional_dependency(&mut self, name: &str, range: &str) -> &mut Release {
        self.entry("optionalDependencies", name, range)
    }

    pub fn peer_dependency(&mut self, name: &str, range: &str) -> &mut Release {
        self.entry("peerDependencies", name, range)
    }

    /// A command, with a program that prints `<package>@<version>`.
    pub fn bin(&mut self, command: &str) -> &mut Release {
        let program = format!("#!/usr/bin/env node\nconsole.log({:?});\n", format!("{}@{}", self.package, self.version));
        let path = format!("bin/{command}.js");
        self.files.insert(path.clone(), File { mode: 0o755, ..File::text(&program) });
        self.entry("bin", command, &path)
    }

    pub fn script(&mut self, event: &str, command: &str) -> &mut Release {
        self.entry("scripts", event, command)
    }

    pub fn deprecated(&mut self, why: &str) -> &mut Release {
        self.listed("deprecated", json!(why))
    }

    /// `path` is below the archive's root folder `package/`, which may be written too.
    pub fn file(&mut self, path: &str, text: &str) -> &mut Release {
        self.files.insert(path.strip_prefix("package/").unwrap_or(path).to_owned(), File::text(text));
        self.changed()
    }

    /// A field that only the index has; null takes it out.
    pub fn listed(&mut self, key: &str, value: Value) -> &mut Release {
        self.listed.insert(key.to_owned(), value);
        self
    }

    /// A field that only the package.json inside has; null takes it out.
    pub fn shipped(&mut self, key: &str, value: Value) -> &mut Release {
        self.shipped.insert(key.to_owned(), value);
        self.changed()
    }

    /// A field of `dist`, such as `signatures`; null takes it out.
    pub fn dist(&mut self, key: &str, value: Value) -> &mut Release {
        self.dist.insert(key.to_owned(), value);
        self
    }

    /// The index states the hashes of other bytes.
    pub fn wrong_integrity(&mut self) -> &mut Release {
        let other = Tarball::of(Bytes::from_static(b"other bytes"), 0, 0);
        self.dist("integrity", json!(other.integrity)).dist("shasum", json!(other.shasum))
    }

    pub fn only_sha1(&mut self) -> &mut Release {
        self.dist("integrity", Value::Null)
    }

    pub fn without_integrity(&mut self) -> &mut Release {
        self.dist("integrity", Value::Null).dist("shasum", Value::Null)
    }

    /// These very bytes instead of an archive built from the files.
    pub fn bytes(&mut self, bytes: impl Into<Bytes>) -> &mut Release {
        self.bytes = Some(bytes.into());
        self.changed()
    }

    /// Last part of the tarball's path, where it is not `<unscoped>-<version>.tgz`.
    pub fn file_name(&mut self, name: &str) -> &mut Release {
        self.file_name = Some(name.to_owned());
        self
    }

    /// `dist.tarball`, verbatim.
    pub fn tarball_url(&mut self, url: &str) -> &mut Release {
        self.tarball_url = Some(url.to_owned());
        self
    }

    /// The release's entry in the index, byte for byte, in place of all that the other methods say of it.
    pub fn manifest_text(&mut self, json: &str) -> &mut Release {
        self.manifest_text = Some(json.to_owned());
        self
    }

    pub fn manifest_text_if_any(&self) -> Option<&str> {
        self.manifest_text.as_deref()
    }

    fn changed(&mut self) -> &mut Release {
        self.built = OnceLock::new();
        self
    }

    /// The name of its file in the conventional shape: without scope, without `+build`. Source: npm's own registry.
    pub fn tarball_file(&self) -> String {
        let unscoped = self.package.rsplit('/').next().unwrap();
        let version = self.version.split('+').next().unwrap();
        self.file_name.clone().unwrap_or_else(|| format!("{unscoped}-{version}.tgz"))
    }

    pub fn tarball(&self) -> Arc<Tarball> {
        let build = || match &self.bytes {
            Some(bytes) => Tarball::of(bytes.clone(), self.files.len() + 1, bytes.len()),
            None => Tarball::build(&self.package_json(), &self.files),
        };
        Arc::clone(self.built.get_or_init(|| Arc::new(build())))
    }

    fn package_json(&self) -> Value {
        let mut inside = self.own_fields();
        lay_over(&mut inside, &self.shipped);
        Value::Object(inside)
    }

    fn own_fields(&self) -> Map<String, Value> {
        let mut own = Map::new();
        own.insert("name".into(), json!(self.package));
        own.insert("version".into(), json!(self.version));
        own.insert("main".into(), json!("index.js"));
        own.extend(self.fields.clone());
        own
    }

    /// The entry in the full form. `base` ends with a slash: `http://127.0.0.1:1234/`.
    pub fn manifest(&self, base: &str) -> Map<String, Value> {
        let tarball = self.tarball();
        let url = format!("{base}{}/-/{}", self.package, self.tarball_file());
        let mut dist = Map::new();
        dist.insert("tarball".into(), json!(self.tarball_url.clone().unwrap_or(url)));
        dist.insert("integrity".into(), json!(tarball.integrity));
        dist.insert("shasum".into(), json!(tarball.shasum));
        dist.insert("fileCount".into(), json!(tarball.files));
        dist.insert("unpackedSize".into(), json!(tarball.unpacked_bytes));
        lay_over(&mut dist, &self.dist);
        let mut manifest = self.own_fields();
        manifest.insert("_id".into(), json!(format!("{}@{}", self.package, self.version)));
        manifest.insert("_npmUser".into(), json!({"name": "someone", "email": "someone@mail.example"}));
        manifest.insert("dist".into(), Value::Object(dist));
        lay_over(&mut manifest, &self.listed);
        manifest
    }
}

fn lay_over(under: &mut Map<String, Value>, over: &Map<String, Value>) {
    for (key, value) in over {
        if value.is_null() {
            under.remove(key);
        } else {
            under.insert(key.clone(), value.clone());
        }
    }
}
