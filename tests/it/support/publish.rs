//! What a client sends when it publishes: the body of its PUT, made of a package as a scenario has it, and sent.

use std::collections::BTreeMap;

use bytes::Bytes;
use data_encoding::BASE64;
use serde_json::Value;
use serde_json::json;

use super::airlock::Airlock;
use super::http::Call;
use super::http::Reply;
use super::scenario::File;
use super::scenario::Tarball;

/// A release to be published, as npm does it unless it is changed.
#[derive(Clone, Debug)]
pub struct Publish {
    pub name: String,
    pub version: String,
    pub tag: String,
    /// What `package.json` holds besides name and version; the manifest in the body holds the same.
    pub manifest: Value,
    pub files: BTreeMap<String, File>,
    /// Bytes of its own instead of those that are packed.
    pub tarball: Option<Bytes>,
}

impl Publish {
    pub fn new(name: &str, version: &str) -> Publish {
        let files = BTreeMap::from([("index.js".to_owned(), File::text("module.exports = 1;\n"))]);
        let (name, version) = (name.to_owned(), version.to_owned());
        Publish { name, version, tag: "latest".to_owned(), manifest: json!({}), files, tarball: None }
    }

    pub fn tag(mut self, tag: &str) -> Publish {
        tag.clone_into(&mut self.tag);
        self
    }

    /// A field of the manifest and of `package.json`.
    pub fn field(mut self, name: &str, value: Value) -> Publish {
        self.manifest[name] = value;
        self
    }

    pub fn file(mut self, path: &str, text: &str) -> Publish {
        self.files.insert(path.to_owned(), File::text(text));
        self
    }

    pub fn package_json(&self) -> Value {
        let mut manifest = self.manifest.clone();
        manifest["name"] = json!(self.name);
        manifest["version"] = json!(self.version);
        manifest
    }

    /// The same bytes each time it is asked.
    pub fn packed(&self) -> Tarball {
        match &self.tarball {
            Some(bytes) => Tarball::of(bytes.clone(), self.files.len() + 1, 0),
            None => Tarball::build(&self.package_json(), &self.files),
        }
    }

    /// The key of the tarball among the attachments: with the scope, as npm has it.
    pub fn key(&self) -> String {
        format!("{}-{}.tgz", self.name, self.version)
    }

    /// The body as npm writes it: everything before the attachment.
    pub fn body(&self) -> Value {
        let tarball = self.packed();
        let unscoped = self.name.rsplit('/').next().unwrap();
        let url = format!("https://registry.example/{}/-/{unscoped}-{}.tgz", self.name, self.version);
        let mut manifest = self.package_json();
        manifest["_id"] = json!(format!("{}@{}", self.name, self.version));
        manifest["dist"] = json!({"integrity": tarball.integrity, "shasum": tarball.shasum, "tarball": url});
        json!({
            "_id": self.name,
            "name": self.name,
            "dist-tags": {&self.tag: self.version},
            "versions": {&self.version: manifest},
            "access": null,
            "_attachments": {
                self.key(): {
                    "content_type": "application/octet-stream",
                    "data": BASE64.encode(&tarball.bytes),
                    "length": tarball.bytes.len(),
                }
            },
        })
    }

    /// `@acme%2fweb`, as clients write a name into a path.
    pub fn segment(&self) -> String {
        self.name.replace('/', "%2f")
    }

    /// The request of `npm publish`, to be sent.
    pub fn call(&self, airlock: &Airlock, token: &str) -> Call {
        airlock.call("PUT", &format!("/{}", self.segment())).bearer(token).json(&self.body())
    }

    /// The request of `npm stage publish`.
    pub fn staged(&self, airlock: &Airlock, token: &str) -> Call {
        airlock.call("POST", &format!("/-/stage/package/{}", self.segment())).bearer(token).json(&self.body())
    }
}

impl Airlock {
    /// A new token of a person with this role.
    pub async fn user(&self, name: &str, role: &str) -> String {
        let made = self.as_admin("POST", "/-/airlock/v1/tokens").json(&json!({"name": name, "role": role})).send().await;
        assert_eq!(made.status, 201, "{}", made.text());
        made.json()["token"].as_str().unwrap().to_owned()
    }

    /// Publishes a small release as npm does.
    pub async fn publish(&self, token: &str, name: &str, version: &str) -> Reply {
        Publish::new(name, version).call(self, token).send().await
    }
}
