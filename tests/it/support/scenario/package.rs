//! One package of a scenario: its releases in order of publication, its tags, and how its index lies.

use std::collections::BTreeMap;

use indexmap::IndexMap;
use semver::Version;

use super::release::Published;
use super::release::Release;

#[derive(Clone, Debug)]
pub struct Package {
    name: String,
    pub(super) releases: IndexMap<String, Release>,
    /// Times that stay in the index after their release is gone, as in npm's own registry.
    pub(super) left_times: BTreeMap<String, Published>,
    tags: BTreeMap<String, String>,
    latest_by_itself: bool,
    pub(super) fields: BTreeMap<String, serde_json::Value>,
    pub(super) document_text: Option<String>,
}

impl Package {
    pub fn new(name: &str) -> Package {
        Package {
            name: name.to_owned(),
            releases: IndexMap::new(),
            left_times: BTreeMap::new(),
            tags: BTreeMap::new(),
            latest_by_itself: true,
            fields: BTreeMap::new(),
            document_text: None,
        }
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// The release to change; a new one if there is none of this version.
    pub fn release(&mut self, version: &str) -> &mut Release {
        self.releases.entry(version.to_owned()).or_insert_with(|| Release::new(&self.name, version))
    }

    pub fn find(&self, version: &str) -> Option<&Release> {
        self.releases.get(version)
    }

    /// In order of publication.
    pub fn releases(&self) -> impl Iterator<Item = &Release> {
        self.releases.values()
    }

    /// Takes a release out of the index and its bytes away; its time stays, and its tags dangle unless they are moved.
    pub fn remove(&mut self, version: &str) -> &mut Package {
        let gone = self.releases.shift_remove(version).unwrap();
        self.left_times.insert(version.to_owned(), gone.published_at().clone());
        self
    }

    pub fn tag(&mut self, tag: &str, version: &str) -> &mut Package {
        self.tags.insert(tag.to_owned(), version.to_owned());
        self
    }

    pub fn untag(&mut self, tag: &str) -> &mut Package {
        self.tags.remove(tag);
        self.latest_by_itself &= tag != "latest";
        self
    }

    /// A field beside `versions`, such as `readme`.
    pub fn field(&mut self, key: &str, value: serde_json::Value) -> &mut Package {
        self.fields.insert(key.to_owned(), value);
        self
    }

    /// The whole document, byte for byte, in every form.
    pub fn document_text(&mut self, json: &str) -> &mut Package {
        self.document_text = Some(json.to_owned());
        self
    }

    /// Tags as served: `latest` is the newest stable release, else the newest, unless a test set it.
    pub fn tags(&self) -> BTreeMap<String, String> {
        let mut tags = self.tags.clone();
        if self.latest_by_itself && !tags.contains_key("latest") {
            let readable = self.releases.keys().filter_map(|text| Some((Version::parse(text).ok()?, text)));
            let newest = readable.max_by_key(|(version, _)| (version.pre.is_empty(), version.clone()));
            tags.extend(newest.map(|(_, text)| ("latest".to_owned(), text.clone())));
        }
        tags
    }
}
