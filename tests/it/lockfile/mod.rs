//! Whole lockfiles: the verdict of each entry, the plan, what clients make of it, and the commands.

mod check;
mod clients;
mod command;
mod plan;

use serde_json::Value;
use serde_json::json;

use crate::support::airlock::Airlock;
use crate::support::http::Reply;
use crate::support::scenario::Scenario;

pub const LOCKFILE: &str = "/-/airlock/v1/lockfile";

/// A package-lock.json of these entries: each a path below `node_modules` and what stands there.
pub fn package_lock(dependencies: &Value, entries: &[(&str, Value)]) -> String {
    let mut packages = serde_json::Map::new();
    packages.insert(String::new(), json!({"name": "app", "version": "1.0.0", "dependencies": dependencies}));
    packages.extend(entries.iter().map(|(path, entry)| (format!("node_modules/{path}"), entry.clone())));
    serde_json::to_string_pretty(&json!({"name": "app", "version": "1.0.0", "lockfileVersion": 3, "packages": packages})).unwrap()
}

pub async fn post(airlock: &Airlock, text: &str) -> Reply {
    airlock.call("POST", LOCKFILE).body(text.as_bytes()).send().await
}

pub async fn checked(airlock: &Airlock, text: &str) -> Value {
    let reply = post(airlock, text).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    reply.json()
}

/// `left@1.0.0 allowed`, an entry a line.
pub fn verdicts(checked: &Value) -> Vec<String> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let one = |entry: &Value| format!("{}@{} {}", text(&entry["package"]), text(&entry["version"]), text(&entry["verdict"]));
    checked["entries"].as_array().unwrap().iter().map(one).collect()
}

pub fn left() -> Scenario {
    Scenario::new().package("left", |p| {
        p.release("1.0.0");
        p.release("1.1.0");
        p.release("1.2.0").age("9h");
        p.release("1.3.0").age("2d");
    })
}
