//! Advisories that somebody brings, and the sweep that follows.

use super::*;
use crate::storage::advisories::Feed;
use crate::storage::advisories::incoming::Incoming;

const RECORD: &str = concat!(
    r#"{"id":"MAL-2099-0001","modified":"2026-11-20T10:00:00Z","#,
    r#""affected":[{"package":{"ecosystem":"npm","name":"evil"},"versions":["1.0.0"]}]}"#,
);

async fn brought(world: &World) -> Incoming {
    let incoming = world.catalog.receive_advisories();
    incoming.pieces().unwrap().send(Bytes::from_static(RECORD.as_bytes())).await.unwrap();
    incoming
}

#[tokio::test]
async fn an_import_goes_on_though_nobody_waits_for_it() {
    let world = world().await;
    let mut incoming = brought(&world).await;
    incoming.finish().await.unwrap();
    // Its client hangs up as soon as it has begun.
    let import = tokio::time::timeout(Duration::ZERO, world.catalog.import_advisories(incoming, false, "ann")).await;
    assert!(import.is_err());
    world.catalog.finish().await;
    let feeds = world.catalog.quarantine.feeds();
    assert!(feeds.advisories().table(Feed::Own).is_some());
    assert_eq!(feeds.condition().feeds[0].heard.as_ref().map(|heard| heard.advisories), Some(1));
}

#[tokio::test]
async fn nothing_is_swept_where_nothing_is_new_and_what_broke_off_is() {
    let world = world().await;
    let heard = world.catalog.import_advisories(brought(&world).await, false, "ann").await.unwrap();
    assert!(world.catalog.sweep(&heard).await, "it is new");
    let again = world.catalog.import_advisories(brought(&world).await, false, "ann").await.unwrap();
    assert_eq!(again.advisories, 1);
    assert!(!world.catalog.sweep(&again).await, "it says what it said");
    world.catalog.unswept.lock().unwrap().insert(Feed::Own.as_str(), None);
    assert!(world.catalog.sweep(&again).await, "a sweep before broke off");
    assert!(!world.catalog.sweep(&again).await);
}
