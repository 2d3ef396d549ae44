//! What comes in to be published and is not, before a disk that is full and others who hold the same bytes; and what is
//! asked of the queue while it is being filled.

use super::*;
use crate::catalog::queue::Walk;
use crate::catalog::review::ReviewError;
use crate::catalog::submit::Offer;
use crate::catalog::submit::SubmitError;
use crate::catalog::submit::Submitted;
use crate::catalog::upload::Sender;
use crate::model::digest::Digest;
use crate::model::digest::Integrity;
use crate::model::local::NameOwner;
use crate::model::principal::Principal;
use crate::model::principal::Reach;
use crate::model::principal::Roles;
use crate::model::stage::StageId;
use crate::model::token::Role;

fn publisher() -> Principal {
    let name = Some("maria".to_owned());
    Principal { name, publishes: Reach::Own, ..Principal::anonymous(Roles::of(Role::Publisher)) }
}

fn v(text: &str) -> Version {
    Version::parse(text).unwrap()
}

fn manifest(version: &str) -> String {
    format!(r#"{{"name":"x","version":"{version}"}}"#)
}

fn tarball(version: &str) -> Vec<u8> {
    let manifest = manifest(version);
    let mut archive = tar::Builder::new(flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast()));
    let mut header = tar::Header::new_ustar();
    header.set_size(manifest.len() as u64);
    header.set_mode(0o644);
    header.set_cksum();
    archive.append_data(&mut header, "package/package.json", manifest.as_bytes()).unwrap();
    archive.into_inner().unwrap().finish().unwrap()
}

impl World {
    async fn publish(&self, version: &str) -> Result<Submitted, SubmitError> {
        let mut upload = self.catalog.upload().await.unwrap();
        upload.write(Bytes::from(tarball(version))).await.unwrap();
        let offer = Offer {
            package: package(),
            version: v(version),
            manifest: Bytes::from(manifest(version)),
            stated: Integrity::default(),
            tags: vec!["latest".to_owned()],
            provenance: None,
            asks_restricted: false,
            means_restricted: false,
            staged: false,
            name_fault: None,
        };
        let turn = self.catalog.turn("maria", Sender::Publisher).await.unwrap();
        self.catalog.submit(offer, upload.finish().unwrap(), &publisher(), turn).await
    }

    /// Whether quarantine has the bytes of this version.
    fn has_bytes(&self, version: &str) -> bool {
        let hex = Digest::of(&tarball(version)).hex();
        self.folder.path().join("quarantine").join(&hex[..2]).join(hex).exists()
    }
}

#[tokio::test]
async fn what_is_not_recorded_leaves_no_bytes_and_takes_none_away() {
    let world = world().await;
    world.catalog.assign(&package(), NameOwner::Local, Actor::Airlock).await.unwrap();
    world.disk.is_full.store(true, Ordering::SeqCst);
    let full = world.publish("1.0.0").await.map(drop);
    assert!(matches!(full, Err(SubmitError::Unrecorded(CatalogError::StorageFull(_)))), "{full:?}");
    assert!(!world.has_bytes("1.0.0"));
    world.disk.is_full.store(false, Ordering::SeqCst);
    world.publish("1.0.0").await.unwrap();
    assert!(world.has_bytes("1.0.0"));
    // The same bytes once more: what is refused does not take away what was there.
    for is_full in [true, false] {
        world.disk.is_full.store(is_full, Ordering::SeqCst);
        let again = world.publish("1.0.0").await.map(drop);
        assert!(matches!(again, Err(SubmitError::Exists { .. })), "{again:?}");
        assert!(world.has_bytes("1.0.0"));
    }
}

#[tokio::test]
async fn of_two_who_publish_the_same_version_one_leaves_its_bytes() {
    let world = world().await;
    world.catalog.assign(&package(), NameOwner::Local, Actor::Airlock).await.unwrap();
    let (one, other) = tokio::join!(world.publish("1.0.0"), world.publish("1.0.0"));
    assert_eq!([one.is_ok(), other.is_ok()].into_iter().filter(|is_ok| *is_ok).count(), 1);
    assert!(world.has_bytes("1.0.0"), "whoever came second has the same bytes, and they are the first one's");
}

#[tokio::test]
async fn an_id_is_unknown_once_the_queue_was_filled_and_not_yet_known_before() {
    let world = world().await;
    let release = ReleaseId { package: package(), version: v("1.0.0") };
    let id = StageId::of(&release);
    let asked = async || world.catalog.in_review(&id, &publisher()).await.map(drop);
    assert!(matches!(asked().await, Err(ReviewError::NotYet { retry_after }) if !retry_after.is_zero()));
    // However the walk ended, nobody is told to come again for ever.
    for walk in [Walk::Incomplete, Walk::Over] {
        world.catalog.walked(walk);
        assert!(matches!(asked().await, Err(ReviewError::Unknown(_))));
        assert_eq!(world.catalog.queue(10).await.unwrap().complete, walk == Walk::Over);
    }
    world.catalog.walked(Walk::UnderWay);
    world.catalog.assign(&package(), NameOwner::Local, Actor::Airlock).await.unwrap();
    world.publish("1.0.0").await.unwrap();
    assert!(asked().await.is_ok(), "what came since is known");
}
