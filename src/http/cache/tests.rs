//! One build for all who wait, and the budget.

use std::sync::atomic::AtomicUsize;

use super::*;
use crate::model::time::Timestamp;

const MANNER: Manner =
    Manner { content_type: "application/json", cache_control: "no-cache", last_modified: Some(Timestamp::from_millis(1_000_500)) };

fn key(form: &str) -> BodyKey<'_> {
    BodyKey { stamp: DocumentDigest::of(b"left-pad"), base: "http://localhost:4873", form, coding: Coding::Plain }
}

fn long() -> Bytes {
    Bytes::from("left-pad ".repeat(1_000))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_callers_share_one_build() {
    let cache = Arc::new(BodyCache::new(BODY_CACHE_BYTES));
    let builds = Arc::new(AtomicUsize::new(0));
    let (release, held) = std::sync::mpsc::channel::<()>();
    let held = Arc::new(Mutex::new(held));
    let callers = (0..100).map(|_| {
        let (cache, builds, held) = (Arc::clone(&cache), Arc::clone(&builds), Arc::clone(&held));
        tokio::spawn(async move {
            let build = move || {
                builds.fetch_add(1, Ordering::SeqCst);
                held.lock().unwrap().recv().unwrap();
                Ok(long())
            };
            cache.get_or_build(key("full"), MANNER, build).await.unwrap().length()
        })
    });
    let callers: Vec<_> = callers.collect();
    // Half of them go away; the build goes on for the rest.
    callers.iter().take(50).for_each(tokio::task::JoinHandle::abort);
    release.send(()).unwrap();
    for caller in callers.into_iter().skip(50) {
        assert_eq!(caller.await.unwrap(), 9_000);
    }
    assert_eq!(builds.load(Ordering::SeqCst), 1);
    let again = cache.get_or_build(key("full"), MANNER, || panic!("it is kept")).await.unwrap();
    assert_eq!(again.length(), 9_000);
    assert!(cache.flights.lock().unwrap().is_empty());
}

#[tokio::test]
async fn failures_are_told_and_not_kept() {
    let cache = Arc::new(BodyCache::new(BODY_CACHE_BYTES));
    let failed = cache.get_or_build(key("full"), MANNER, || Err(Problem::new(crate::http::problem::Kind::Upstream, "no"))).await;
    assert_eq!(failed.unwrap_err().status(), 502);
    let crashed = cache.get_or_build(key("full"), MANNER, || panic!("a bug")).await;
    assert_eq!(crashed.unwrap_err().status(), 500);
    assert!(cache.get_or_build(key("full"), MANNER, || Ok(long())).await.is_ok());
    assert!(cache.flights.lock().unwrap().is_empty());
}

#[tokio::test]
async fn the_budget_holds_and_one_large_body_fits() {
    const BUDGET: u64 = 1_000_000;
    let cache = Arc::new(BodyCache::new(BUDGET));
    for number in 0..100_u8 {
        let form = format!("version/{number}");
        cache.get_or_build(key(&form), MANNER, move || Ok(Bytes::from(vec![number; 100_000]))).await.unwrap();
        assert!(cache.condition().bytes <= BUDGET);
    }
    assert!(cache.condition().entries >= 5);
    cache.get_or_build(key("large"), MANNER, || Ok(Bytes::from(vec![0; 900_000]))).await.unwrap();
    cache.get_or_build(key("large"), MANNER, || panic!("it is kept")).await.unwrap();
    cache.get_or_build(key("larger"), MANNER, || Ok(Bytes::from(vec![0; 2_000_000]))).await.unwrap();
    assert!(cache.condition().bytes <= BUDGET);
}

#[tokio::test]
async fn a_coding_is_made_for_whoever_asks_for_it_and_kept() {
    let cache = Arc::new(BodyCache::new(BODY_CACHE_BYTES));
    let packed = BodyKey { coding: Coding::Gzip, ..key("full") };
    let made = cache.get_or_build(packed, MANNER, || Ok(long())).await.unwrap();
    assert!(made.length() < 1_000);
    assert!(cache.condition().bytes < 2_000, "the plain form is not kept with it");
    cache.get_or_build(key("full"), MANNER, || Ok(long())).await.unwrap();
    cache.get_or_build(packed, MANNER, || panic!("it is kept")).await.unwrap();
    cache.get_or_build(key("full"), MANNER, || panic!("it is kept")).await.unwrap();
    assert_eq!(cache.condition().builds, 2);
}
