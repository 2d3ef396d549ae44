//! The fold of what is published here: submissions, and what their owners changed since.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use crate::model::local::NameOwner;
use crate::model::package::Version;
use crate::model::time::Timestamp;
use crate::storage::record::Amendment;
use crate::storage::record::Local;
use crate::storage::record::LocalRelease;
use crate::storage::record::PackageState;
use crate::storage::record::Sequence;
use crate::storage::record::Submission;

/// Wishes that are remembered of one tag: the newest may wait in quarantine, an older one stands in for it.
pub const TAG_WISHES_MAX: usize = 16;

/// Who gives a name to upstream and takes it back finds what was published, so that no version is ever published twice.
pub fn assigned(state: &mut PackageState, to: NameOwner, at: Timestamp) {
    match to {
        NameOwner::Local => {
            let earlier = state.given_up.take();
            state.local.get_or_insert_with(|| earlier.unwrap_or_else(|| empty(at)));
        }
        NameOwner::Upstream => {
            if let Some(local) = state.local.take() {
                state.given_up = Some(local);
            }
        }
    }
}

/// A version is published once: another submission of it changes nothing.
pub fn submitted(state: &mut PackageState, version: &Version, submission: &Submission, sequence: Sequence) {
    let local = state.local.get_or_insert_with(|| empty(submission.at));
    if local.releases.contains_key(version) {
        return;
    }
    if local.owners.is_empty() {
        local.owners.insert(submission.by.clone());
    }
    let release = LocalRelease {
        id: submission.id.clone(),
        at: submission.at,
        by: submission.by.clone(),
        behind: submission.behind.clone(),
        staged: submission.staged,
        sequence,
        digest: submission.digest,
        sha1: submission.sha1.clone(),
        size: submission.size,
        workflow: submission.workflow.clone(),
        deprecated: None,
        withdrawn_at: None,
    };
    local.releases.insert(version.clone(), release);
    for tag in &submission.tags {
        wish(&mut local.tags, tag, version);
    }
}

/// Of a package that is not ours only stars are taken, and those are counted elsewhere.
pub fn amended(state: &mut PackageState, changes: &[Amendment], at: Timestamp) {
    let Some(local) = &mut state.local else { return };
    for change in changes {
        match change {
            Amendment::Tagged { tag, version } => wish(&mut local.tags, tag, version),
            Amendment::Untagged { tag } => _ = local.tags.remove(tag),
            Amendment::Deprecated { version, text } => {
                if let Some(release) = local.releases.get_mut(version) {
                    release.deprecated.clone_from(text);
                }
            }
            Amendment::Withdrawn { version } => withdrawn(local, version, at),
            // Without an owner nobody could change it again.
            Amendment::Owners { names } if names.is_empty() => {}
            Amendment::Owners { names } => local.owners.clone_from(names),
            Amendment::Starred { by, on: true } => _ = local.stars.insert(by.clone()),
            Amendment::Starred { by, on: false } => _ = local.stars.remove(by),
            Amendment::Restricted { on } => local.restricted = *on,
        }
    }
}

fn withdrawn(local: &mut Local, version: &Version, at: Timestamp) {
    if let Some(release) = local.releases.get_mut(version) {
        release.withdrawn_at.get_or_insert(at);
    }
    for wishes in local.tags.values_mut() {
        wishes.retain(|wished| wished != version);
    }
    local.tags.retain(|_, wishes| !wishes.is_empty());
}

fn wish(tags: &mut BTreeMap<String, Vec<Version>>, tag: &str, version: &Version) {
    let wishes = tags.entry(tag.to_owned()).or_default();
    wishes.retain(|wished| wished != version);
    wishes.insert(0, version.clone());
    wishes.truncate(TAG_WISHES_MAX);
}

fn empty(at: Timestamp) -> Local {
    Local {
        assigned_at: at,
        owners: BTreeSet::new(),
        restricted: false,
        tags: BTreeMap::new(),
        stars: BTreeSet::new(),
        releases: BTreeMap::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::digest::Digest;
    use crate::model::package::PackageId;
    use crate::model::release::ReleaseId;
    use crate::model::stage::StageId;

    fn v(text: &str) -> Version {
        Version::parse(text).unwrap()
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(seconds * 1_000)
    }

    fn submit(state: &mut PackageState, version: &str, by: &str, tags: &[&str]) {
        let release = ReleaseId { package: PackageId::npm("web").unwrap(), version: v(version) };
        let submission = Submission {
            id: StageId::of(&release),
            at: at(1),
            by: by.to_owned(),
            behind: vec![by.to_owned()],
            staged: false,
            digest: Digest::of(version.as_bytes()),
            sha1: "0".repeat(40),
            size: 1,
            manifest: "{}".to_owned(),
            tags: tags.iter().map(|tag| (*tag).to_owned()).collect(),
            workflow: None,
            provenance: None,
            asked_restricted: false,
        };
        submitted(state, &release.version, &submission, Sequence(1));
    }

    #[test]
    fn the_first_publisher_owns_it_and_a_version_is_published_once() {
        let mut state = PackageState::default();
        submit(&mut state, "1.0.0", "maria", &["latest"]);
        submit(&mut state, "1.1.0", "eve", &["next"]);
        let before = state.clone();
        submit(&mut state, "1.0.0", "eve", &["evil"]);
        assert_eq!(state, before);
        let local = state.local.unwrap();
        assert_eq!(local.owners.iter().collect::<Vec<_>>(), ["maria"]);
        assert_eq!(local.releases[&v("1.0.0")].by, "maria");
        assert_eq!(local.tags["next"], [v("1.1.0")]);
    }

    #[test]
    fn a_tag_remembers_its_last_wishes() {
        let mut state = PackageState::default();
        for minor in 0..20 {
            submit(&mut state, &format!("1.{minor}.0"), "maria", &["latest"]);
        }
        let latest = |state: &PackageState| state.local.as_ref().unwrap().tags.get("latest").cloned();
        assert_eq!(latest(&state).unwrap().len(), TAG_WISHES_MAX);
        amended(&mut state, &[Amendment::Tagged { tag: "latest".into(), version: v("1.18.0") }], at(2));
        assert_eq!(latest(&state).unwrap()[..3], [v("1.18.0"), v("1.19.0"), v("1.17.0")]);
        amended(&mut state, &[Amendment::Withdrawn { version: v("1.18.0") }], at(3));
        amended(&mut state, &[Amendment::Withdrawn { version: v("1.18.0") }], at(9));
        assert_eq!(latest(&state).unwrap()[0], v("1.19.0"));
        assert_eq!(state.local.as_ref().unwrap().releases[&v("1.18.0")].withdrawn_at, Some(at(3)));
        let all = (0..20).map(|minor| Amendment::Withdrawn { version: v(&format!("1.{minor}.0")) }).collect::<Vec<_>>();
        amended(&mut state, &all, at(4));
        assert_eq!(latest(&state), None);
        assert_eq!(state.local.unwrap().releases.len(), 20, "a version that was withdrawn is never free again");
    }

    #[test]
    fn what_its_owners_change() {
        let mut state = PackageState::default();
        amended(&mut state, &[Amendment::Starred { by: "ann".into(), on: true }], at(1));
        assert_eq!(state, PackageState::default(), "it is not ours");
        submit(&mut state, "1.0.0", "maria", &["latest"]);
        let changes = [
            Amendment::Deprecated { version: v("1.0.0"), text: Some("old".into()) },
            Amendment::Deprecated { version: v("9.0.0"), text: Some("old".into()) },
            Amendment::Owners { names: BTreeSet::from(["ann".to_owned(), "maria".to_owned()]) },
            Amendment::Owners { names: BTreeSet::new() },
            Amendment::Starred { by: "ann".into(), on: true },
            Amendment::Starred { by: "ben".into(), on: true },
            Amendment::Starred { by: "ben".into(), on: false },
            Amendment::Restricted { on: true },
            Amendment::Untagged { tag: "latest".into() },
        ];
        amended(&mut state, &changes, at(2));
        let local = state.local.as_ref().unwrap();
        assert_eq!(local.releases[&v("1.0.0")].deprecated.as_deref(), Some("old"));
        assert_eq!((local.owners.len(), local.stars.len(), local.restricted, local.tags.len()), (2, 1, true, 0));
        amended(&mut state, &[Amendment::Deprecated { version: v("1.0.0"), text: None }], at(3));
        assert_eq!(state.local.unwrap().releases[&v("1.0.0")].deprecated, None);
    }

    #[test]
    fn a_name_given_up_and_taken_back_has_its_versions() {
        let mut state = PackageState::default();
        assigned(&mut state, NameOwner::Upstream, at(0));
        assert_eq!(state, PackageState::default());
        assigned(&mut state, NameOwner::Local, at(1));
        submit(&mut state, "1.0.0", "maria", &["latest"]);
        let before = state.clone();
        assigned(&mut state, NameOwner::Local, at(2));
        assert_eq!(state, before, "it was ours");
        assigned(&mut state, NameOwner::Upstream, at(3));
        assigned(&mut state, NameOwner::Upstream, at(4));
        assert!(state.local.is_none());
        assigned(&mut state, NameOwner::Local, at(5));
        assert_eq!(state, before);
    }
}
