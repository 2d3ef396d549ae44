//! What a client will ask for next is asked of upstream, and inspected, while it reads what it asked for first.

use crate::support::scenario::Scenario;

/// `a` needs `b` 1, of which 2 is the latest; `b` 1.1 needs `c`.
fn chain() -> Scenario {
    Scenario::new()
        .package("a", |p| _ = p.release("1.0.0").dependency("b", "^1.0.0"))
        .package("b", |p| {
            p.release("1.0.0");
            p.release("1.1.0").dependency("c", "*");
            p.release("2.0.0");
            p.tag("latest", "2.0.0");
        })
        .package("c", |p| _ = p.release("1.0.0").dependency("d", "*"))
        .package("d", |p| _ = p.release("1.0.0"))
}

#[tokio::test]
async fn what_a_package_needs_is_asked_for_and_inspected_one_step_ahead() {
    let airlock = chain().gated().await;
    airlock.listed("a").await;
    airlock.upstream.reached("/b", 1).await;
    assert_eq!(airlock.upstream.count("/c"), 0, "not further than a step");
    airlock.listed("b").await;
    airlock.upstream.reached("/c", 1).await;
    airlock.upstream.reached("/b/-/b-1.1.0.tgz", 1).await;
    assert_eq!(airlock.tarball("b", "1.1.0").await.status, 200);
    let upstream = airlock.shutdown().await;
    let asked = |path: &str| upstream.count(path);
    assert_eq!((asked("/a"), asked("/b"), asked("/c"), asked("/d")), (1, 1, 1, 0), "each once");
    assert_eq!(asked("/b/-/b-1.1.0.tgz"), 1, "the inspection ahead was the one that its client waited for");
    assert_eq!(asked("/b/-/b-1.0.0.tgz") + asked("/b/-/b-2.0.0.tgz"), 0, "only the release that is wanted");
    assert_eq!(asked("/a/-/a-1.0.0.tgz"), 0, "nobody is known to want it");
}

#[tokio::test]
async fn where_several_releases_may_be_wanted_none_is_inspected_ahead() {
    let scenario = Scenario::new()
        .package("a", |p| {
            p.release("1.0.0").dependency("b", "^1.0.0");
            p.release("2.0.0").dependency("b", "^2.0.0");
        })
        .package("b", |p| {
            p.release("1.0.0").dependency("c", "*");
            p.release("2.0.0").dependency("d", "*");
        });
    let airlock = scenario.gated().await;
    airlock.listed("a").await;
    airlock.upstream.reached("/b", 1).await;
    airlock.listed("b").await;
    airlock.upstream.reached("/c", 1).await;
    airlock.upstream.reached("/d", 1).await;
    let upstream = airlock.shutdown().await;
    assert_eq!(upstream.count("/b/-/b-1.0.0.tgz") + upstream.count("/b/-/b-2.0.0.tgz"), 0);
}

#[tokio::test]
async fn what_lies_ready_is_not_asked_for_again_at_each_reading() {
    let airlock = chain().gated().await;
    airlock.listed("a").await;
    airlock.upstream.reached("/b", 1).await;
    airlock.advance("4m");
    airlock.listed("a").await;
    airlock.listed("b").await;
    airlock.upstream.reached("/c", 1).await;
    assert_eq!(airlock.upstream.count("/b"), 1);
    // No longer fresh: both are asked about again, the second before its client does.
    airlock.advance("5m");
    airlock.listed("a").await;
    airlock.upstream.reached("/b", 2).await;
}

#[tokio::test]
async fn nothing_is_asked_for_ahead_where_the_configuration_says_so() {
    let airlock = chain().gated_by(|config| config.upstream.ask_ahead = 0).await;
    airlock.listed("a").await;
    airlock.listed("b").await;
    let upstream = airlock.shutdown().await;
    let asked: Vec<String> = upstream.log().into_iter().map(|received| received.path).collect();
    assert_eq!(asked, ["/a", "/b"]);
}

#[tokio::test]
async fn a_package_with_many_needs_makes_few_requests_and_none_for_a_private_scope() {
    let scenario = Scenario::new().package("a", |p| {
        let release = p.release("1.0.0").dependency("@mine/secret", "*");
        for number in 0..50 {
            release.dependency(&format!("n{number}"), "*");
        }
    });
    let edit = |config: &mut airlock::config::Config| {
        config.upstream.ask_ahead = 3;
        config.policy.private_scopes = vec!["@mine".to_owned()];
    };
    let airlock = scenario.gated_by(edit).await;
    airlock.listed("a").await;
    airlock.upstream.reached("/n1", 1).await;
    let upstream = airlock.shutdown().await;
    assert!(upstream.log().len() <= 1 + 3, "{:?}", upstream.log());
    upstream.assert_never_told("secret");
}
