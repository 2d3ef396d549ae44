//! What npm's clients ask and are answered, by URL, over a real socket.

mod base;
mod conditional;
mod explain;
mod packument;
mod path;
mod ready;
mod tags;
mod tarball;
mod version;

use std::collections::BTreeMap;

use serde_json::Value;
use serde_json::value::RawValue;

use crate::support::airlock::Airlock;
use crate::support::http::Reply;

/// What npm asks for when it installs.
const FULL: &str = "application/json";
/// What pnpm, yarn 1 and bun ask for.
const BRIEF: &str = "application/vnd.npm.install-v1+json; q=1.0, application/json; q=0.8, */*";

async fn get(airlock: &Airlock, path: &str, accept: &str) -> Reply {
    let reply = airlock.call("GET", path).header("accept", accept).send().await;
    assert!(reply.complete, "{path}");
    assert_eq!(reply.header("content-length").unwrap(), reply.body.len().to_string(), "{path}");
    reply
}

fn keys(object: &Value) -> Vec<&str> {
    object.as_object().unwrap_or_else(|| panic!("no object: {object}")).keys().map(String::as_str).collect()
}

/// The fields of an object, each as it stands in the text.
fn raw(text: &str) -> BTreeMap<String, Box<RawValue>> {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// One release's manifest as it stands in a packument.
fn manifest_in(packument: &Reply, version: &str) -> String {
    raw(raw(&packument.text())["versions"].get())[version].get().to_owned()
}
