//! The plan: the versions that are open, what stands in whose stead, and what nothing stands in for.

use serde_json::json;

use super::checked;
use super::left;
use super::package_lock;
use crate::support::scenario::Scenario;

#[tokio::test]
async fn what_is_held_gives_way_to_what_is_open() {
    let airlock = left().gated().await;
    let text = package_lock(&json!({"left": "^1"}), &[("left", json!({"version": "1.2.0"}))]);
    let told = checked(&airlock, &text).await;
    let changes = json!([{"package": "left", "from": "1.2.0", "to": "1.1.0"}]);
    assert_eq!((&told["plan"]["complete"], &told["plan"]["changes"]), (&json!(true), &changes));
    assert_eq!(told["plan"]["steps"], json!(["npm install --package-lock-only left@1.1.0"]));
    let text = package_lock(&json!({"left": "1.2.0"}), &[("left", json!({"version": "1.2.0"}))]);
    let told = checked(&airlock, &text).await;
    let why = "the project asks for 1.2.0, and no open release is that; 1.1.0 is open";
    assert_eq!(
        told["plan"],
        json!({"complete": false, "changes": [], "steps": [], "stuck": [{"package": "left", "version": "1.2.0", "why": why}]})
    );
}

/// A bundler, its programs for each platform, all of one day and pinned to each other; and what is pulled in besides.
fn bundler() -> Scenario {
    let of = |version: &'static str, age: &'static str| {
        move |p: &mut crate::support::scenario::Package| {
            let release = p.release(version).age(age);
            release.optional_dependency("bundler-linux", version).optional_dependency("bundler-other", version).dependency("left", "^1");
        }
    };
    left()
        .package("bundler", of("2.0.0", "30d"))
        .package("bundler-linux", |p| {
            p.release("2.0.0").age("30d");
            p.release("2.1.0").age("1d");
        })
        .package("bundler-other", |p| {
            p.release("2.0.0").age("30d");
            p.release("2.1.0").age("1d");
        })
}

#[tokio::test]
async fn what_is_pinned_to_it_follows() {
    let airlock = bundler().gated().await;
    airlock.upstream.package("bundler", |p| {
        let release = p.release("2.1.0").age("1d");
        release.optional_dependency("bundler-linux", "2.1.0").optional_dependency("bundler-other", "2.1.0").dependency("left", "^1");
    });
    let needs = json!({"bundler-linux": "2.1.0", "bundler-other": "2.1.0"});
    let text = package_lock(
        &json!({"bundler": "^2.0.0"}),
        &[
            ("bundler", json!({"version": "2.1.0", "dependencies": {"left": "^1"}, "optionalDependencies": needs})),
            ("bundler-linux", json!({"version": "2.1.0", "optional": true})),
            ("bundler-other", json!({"version": "2.1.0", "optional": true})),
            ("left", json!({"version": "1.1.0"})),
        ],
    );
    let told = checked(&airlock, &text).await;
    let changes = json!([
        {"package": "bundler", "from": "2.1.0", "to": "2.0.0"},
        {"package": "bundler-linux", "from": "2.1.0", "to": "2.0.0", "follows": true},
        {"package": "bundler-other", "from": "2.1.0", "to": "2.0.0", "follows": true},
    ]);
    assert_eq!((&told["plan"]["complete"], &told["plan"]["changes"]), (&json!(true), &changes), "{told:#}");
    assert_eq!(told["plan"]["steps"], json!(["npm install --package-lock-only bundler@2.0.0"]));
}

/// pnpm does not write which range another package asks for: that is read of the manifest.
#[tokio::test]
async fn ranges_that_a_lockfile_does_not_tell_are_looked_up() {
    let scenario = left().package("right", |p| _ = p.release("1.0.0").dependency("left", "<1.1 || 1.2.0"));
    let airlock = scenario.gated().await;
    let text = "lockfileVersion: '9.0'\nimporters:\n  .:\n    dependencies:\n      right:\n        specifier: ^1.0.0\n        version: 1.0.0\npackages:\n  left@1.2.0:\n    resolution: {integrity: sha512-x}\n  right@1.0.0:\n    resolution: {integrity: sha512-y}\nsnapshots:\n  left@1.2.0: {}\n  right@1.0.0:\n    dependencies:\n      left: 1.2.0\n";
    let told = checked(&airlock, text).await;
    assert_eq!(told["plan"]["changes"], json!([{"package": "left", "from": "1.2.0", "to": "1.0.0"}]), "{told:#}");
    assert_eq!(told["plan"]["steps"], json!(["pnpm update --lockfile-only left"]));
    assert_eq!(told["entries"][0]["integrity"], "not_comparable", "it cannot be read");
}
