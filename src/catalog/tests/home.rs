//! A package that is at home here, before an upstream that has one of the same name.

use futures_util::FutureExt;

use super::*;
use crate::model::digest::Digest;
use crate::model::finding::FindingKind;
use crate::model::local::NameOwner;
use crate::model::pattern::PackagePattern;
use crate::model::principal::Principal;
use crate::model::principal::Roles;
use crate::model::stage::StageId;
use crate::model::token::Role;
use crate::quarantine::waivers::WaiverOrder;
use crate::storage::record::Amendment;
use crate::storage::record::Rejudged;
use crate::storage::record::Submission;

fn v(text: &str) -> Version {
    Version::parse(text).unwrap()
}

impl World {
    fn submission(&self, version: &str, tags: &[&str]) -> Command {
        let release = ReleaseId { package: package(), version: v(version) };
        let digest = Digest::of(version.as_bytes());
        let manifest = serde_json::json!({
            "name": "x", "version": version, "dist": {"tarball": format!("x-{version}.tgz"), "integrity": digest.to_string()},
        });
        let submission = Submission {
            id: StageId::of(&release),
            at: self.clock.now(),
            by: "maria".into(),
            behind: vec!["maria".into()],
            staged: false,
            digest,
            sha1: "da39a3ee5e6b4b0d3255bfef95601890afd80709".into(),
            size: 1,
            manifest: manifest.to_string(),
            tags: tags.iter().map(|tag| (*tag).to_owned()).collect(),
            workflow: None,
            provenance: None,
            asked_restricted: false,
        };
        Command::Submitted { release, submission }
    }

    async fn commit(&self, commands: Vec<Command>) {
        let batch = Batch { at: self.clock.now(), actor: Actor::Airlock, conditions: Vec::new(), commands };
        self.state.commit(batch).await.unwrap();
    }

    async fn versions(&self) -> Vec<String> {
        let shelf = self.catalog.shelf(&package()).await.unwrap();
        shelf.index.rows.iter().map(|row| row.version.to_string()).collect()
    }
}

#[tokio::test]
async fn what_was_submitted_is_seen_and_upstream_is_not_asked() {
    // It never answers: whoever asked it would wait for ever.
    let world = world().await;
    world.commit(vec![world.submission("1.0.0", &["latest"])]).await;
    assert_eq!(world.versions().await, ["1.0.0"]);
    let first = world.document().await;
    world.clock.advance(FRESH_FOR);
    assert_eq!(world.versions().await, ["1.0.0"]);
    assert_eq!(world.document().await, first, "nothing moved, so nothing was recorded");
    world.commit(vec![world.submission("1.1.0", &["latest"])]).await;
    world.clock.advance(FRESH_FOR);
    assert_eq!(world.versions().await, ["1.0.0", "1.1.0"]);
    let index = Arc::clone(&world.catalog.shelf(&package()).await.unwrap().index);
    assert_eq!(index.pointers, [("latest".to_owned(), v("1.1.0"))]);
    assert_eq!(index.earlier, [("latest".to_owned(), vec![v("1.0.0")])]);
    assert_eq!(world.disk.get(&first).await.unwrap(), None, "the document before is removed");
}

#[tokio::test]
async fn a_lost_document_is_composed_from_the_ledger_again() {
    let world = world().await;
    world.commit(vec![world.submission("1.0.0", &["latest"])]).await;
    world.commit(vec![world.submission("1.1.0", &["next"])]).await;
    let first = Arc::clone(&world.catalog.shelf(&package()).await.unwrap().index);
    world.disk.remove(&world.document().await).await.unwrap();
    world.catalog.shelves.clear();
    let again = Arc::clone(&world.catalog.shelf(&package()).await.unwrap().index);
    assert_eq!(*again, *first);
    assert!(world.disk.get(&world.document().await).await.unwrap().is_some());
}

#[tokio::test]
async fn a_change_is_in_force_when_it_is_committed() {
    let world = world().await;
    let catalog = &world.catalog;
    let unknown = world.state.package(&package()).await.unwrap();
    let change = catalog.change(&package(), &unknown, vec![world.submission("1.0.0", &["latest"])]).await.unwrap();
    assert_eq!(change.index.rows.len(), 1);
    assert_eq!(catalog.state.revision(&package()).await.unwrap().0, 0, "nothing is written before it is committed");
    catalog.commit_change(change, Actor::Airlock).await.unwrap();
    assert_eq!(world.versions().await, ["1.0.0"]);
    let stale = catalog.change(&package(), &unknown, vec![world.submission("2.0.0", &[])]).await.unwrap();
    assert!(catalog.commit_change(stale, Actor::Airlock).await.unwrap_err().is_conflict());
    let state = world.state.package(&package()).await.unwrap();
    let changes = vec![Amendment::Withdrawn { version: v("1.0.0") }];
    let amended = vec![Command::Amended { package: package(), by: "maria".into(), changes }];
    let change = catalog.change(&package(), &state, amended).await.unwrap();
    catalog.commit_change(change, Actor::Airlock).await.unwrap();
    let gone = catalog.shelf(&package()).await.map(drop);
    assert!(matches!(gone, Err(CatalogError::UnknownPackage(_))), "{gone:?}");
}

#[tokio::test]
async fn a_change_goes_on_when_nobody_waits_for_it_any_more() {
    let world = world().await;
    let catalog = &world.catalog;
    let unknown = world.state.package(&package()).await.unwrap();
    let restricted = Command::Amended { package: package(), by: "maria".into(), changes: vec![Amendment::Restricted { on: true }] };
    let commands = vec![world.submission("1.0.0", &["latest"]), restricted];
    let change = catalog.change(&package(), &unknown, commands).await.unwrap();
    let mut commit = Box::pin(catalog.commit_change(change, Actor::Airlock));
    assert!(commit.as_mut().now_or_never().is_none());
    drop(commit);
    catalog.finish().await;
    assert!(catalog.is_restricted(&package()));
    assert_eq!(world.versions().await, ["1.0.0"]);
}

/// What the ledger has is so, whatever can be read of it afterwards.
#[tokio::test]
async fn a_change_that_is_recorded_is_no_failure() {
    let world = world().await;
    let catalog = &world.catalog;
    let unknown = world.state.package(&package()).await.unwrap();
    let restricted = Command::Amended { package: package(), by: "maria".into(), changes: vec![Amendment::Restricted { on: true }] };
    let change = catalog.change(&package(), &unknown, vec![world.submission("1.0.0", &["latest"]), restricted]).await.unwrap();
    world.state.blind_after_next();
    let after = catalog.commit_change(change, Actor::Airlock).await.unwrap();
    assert!(after.submission(&v("1.0.0")).is_some());
    assert!(catalog.is_restricted(&package()), "what could not be read back holds as it was recorded");
    world.state.see_again();
    assert_eq!(world.versions().await, ["1.0.0"]);
    // One that was not recorded is.
    let before = world.state.package(&package()).await.unwrap();
    let change = catalog.change(&package(), &before, vec![world.submission("1.1.0", &["latest"])]).await.unwrap();
    world.state.fail_next(CommitError::Closed);
    assert!(catalog.commit_change(change, Actor::Airlock).await.is_err());
    assert_eq!(world.versions().await, ["1.0.0"]);
}

#[tokio::test]
async fn a_request_that_is_recorded_is_no_failure() {
    let world = world().await;
    world.says(&["1.0.0"]);
    let release = ReleaseId { package: package(), version: v("1.0.0") };
    world.catalog.shelf(&package()).await.unwrap();
    let person = Principal { name: Some("maria".into()), ..Principal::anonymous(Roles::of(Role::Reader)) };
    world.state.blind_after_next();
    let told = world.catalog.request(&release, "we need it", &person).await.unwrap();
    assert!(told.sentence.starts_with("This is recorded; where x@1.0.0 stands now could not be read"), "{}", told.sentence);
    world.state.see_again();
    assert_eq!(world.state.package(&package()).await.unwrap().releases[&v("1.0.0")].requests.len(), 1);
}

#[tokio::test]
async fn a_waiver_that_is_recorded_is_no_failure() {
    let world = world().await;
    let gate = &world.catalog.quarantine;
    let order = WaiverOrder {
        packages: vec![PackagePattern::Package(package().name)],
        version: None,
        findings: vec![FindingKind::InstallScript],
        reason: "we read it".into(),
        expires_at: world.clock.now().plus(Duration::from_secs(24 * 3_600)),
    };
    let person = Principal { name: Some("maria".into()), ..Principal::anonymous(Roles::of(Role::Admin)) };
    world.state.blind_after_next();
    let waiver = gate.waive(&order, &person).await.unwrap();
    assert_eq!(gate.waivers().len(), 1, "what could not be read back holds as it was recorded");
    world.state.see_again();
    world.state.blind_after_next();
    let ended = gate.end_waiver(&waiver.id, "it is gone", &person).await.unwrap();
    assert!(ended.ended_at.is_some() && !gate.waivers()[0].counts_at(world.clock.now()));
    world.state.see_again();
    assert_eq!(world.state.waivers().await.unwrap().len(), 1);
}

/// A crash between that a policy takes over and that what it changed is recorded loses nothing.
#[tokio::test]
async fn what_a_policy_changes_is_looked_for_until_it_is_recorded() {
    let world = world().await;
    let upstreams = Arc::clone(&world.catalog.upstreams);
    let started = async |approvals: u32| {
        let mut policy = Policy::default();
        policy.review.approvals = approvals;
        let folder = tempfile::tempdir().unwrap();
        let gate = gate(&world.state, policy, folder.path(), &upstreams, &world.clock);
        gate.begin().await.unwrap();
        gate
    };
    assert_eq!(started(1).await.policy_before(), None, "the first");
    let first = world.state.policy().await.unwrap();
    assert_eq!(started(2).await.policy_before(), first);
    let second = started(2).await;
    assert_eq!(second.policy_before(), first, "the start before did not come to it");
    let third = started(3).await;
    assert_eq!(third.policy_before(), first, "nor did any");
    third.record_rejudged(Rejudged::since(first.unwrap())).await.unwrap();
    assert_eq!(started(3).await.policy_before(), None);
}

/// The releases that come back were not there when upstream said so: that they claim to be older counts for nothing.
#[tokio::test]
async fn upstream_having_nothing_any_more_is_not_what_was_composed_of_nothing() {
    let world = world().await;
    world.says(&["1.0.0"]);
    assert_eq!(world.versions().await, ["1.0.0"]);
    world.clock.advance(FRESH_FOR);
    world.has_nothing();
    // What it had is not known any more, so that nothing is left of it to be listed as removed.
    world.disk.remove(&world.document().await).await.unwrap();
    world.catalog.shelves.clear();
    assert_eq!(world.versions().await, [""; 0]);
    world.catalog.shelves.clear();
    let gone_at = world.clock.now();
    world.clock.advance(FRESH_FOR);
    world.says(&["1.0.0", "1.0.1"]);
    assert_eq!(world.versions().await, ["1.0.0", "1.0.1"]);
    let state = world.state.package(&package()).await.unwrap();
    assert!(state.releases[&v("1.0.1")].absent_at.is_some_and(|at| at >= gone_at), "{:?}", state.releases[&v("1.0.1")]);
}

#[tokio::test]
async fn a_name_is_ours_or_upstreams_and_never_both() {
    let world = world().await;
    let catalog = &world.catalog;
    world.says(&["1.0.0", "3.0.0"]);
    assert!(matches!(catalog.whose(&package()).await, Ok(names::Whose::Upstreams)));
    assert_eq!(world.versions().await, ["1.0.0", "3.0.0"]);
    catalog.assign(&package(), NameOwner::Local, Actor::Airlock).await.unwrap();
    let nothing = catalog.shelf(&package()).await.map(drop);
    assert!(matches!(nothing, Err(CatalogError::UnknownPackage(_))), "{nothing:?}");
    world.commit(vec![world.submission("2.0.0", &["latest"])]).await;
    assert_eq!(world.versions().await, ["2.0.0"]);
    assert!(matches!(catalog.whose(&package()).await, Ok(names::Whose::Ours(_))));
    let twin = PackageId::npm("X").unwrap();
    assert!(matches!(catalog.whose(&twin).await, Ok(names::Whose::Twin(ours)) if ours == package()));
    catalog.assign(&package(), NameOwner::Upstream, Actor::Airlock).await.unwrap();
    assert_eq!(world.versions().await, ["1.0.0", "3.0.0"], "upstream is asked at once");
    assert!(matches!(catalog.whose(&package()).await, Ok(names::Whose::Upstreams)));
    catalog.assign(&package(), NameOwner::Local, Actor::Airlock).await.unwrap();
    assert_eq!(world.versions().await, ["2.0.0"], "what was published comes back with the name");
}

#[tokio::test]
async fn an_upstream_that_does_not_answer_gives_no_name_away() {
    let world = world().await;
    *world.answer.lock().unwrap() = Some("no packument".to_owned());
    let whose = world.catalog.whose(&package()).await;
    assert!(matches!(whose, Err(CatalogError::Upstream { .. })), "{whose:?}");
}
