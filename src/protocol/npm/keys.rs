//! The public keys that releases are signed with: Airlock's own beside upstream's.

use std::collections::HashSet;

use axum::response::Response;
use bytes::Bytes;
use http::StatusCode;
use serde_json::Value;
use serde_json::json;

use crate::catalog::passthrough::NotPassed;
use crate::http::problem::Problem;
use crate::protocol::npm::call::Call;
use crate::protocol::npm::call::told;
use crate::protocol::npm::explain::Failure;
use crate::protocol::npm::handlers::Registry;
use crate::protocol::npm::vouchers::KEYS;

/// Of one upstream.
const KEYS_MAX: usize = 100;
/// What npm and corepack verify with.
const SCHEME: &str = "ecdsa-sha2-nistp256";

impl From<NotPassed> for Failure {
    fn from(error: NotPassed) -> Failure {
        Problem::from(error).into()
    }
}

/// `GET /-/npm/v1/keys`
pub async fn keys(registry: &Registry, _call: Call<'_>) -> Result<Response, Failure> {
    let ours = registry.catalog.seal_keys().await?;
    let ours = ours.into_iter().map(|key| {
        let expires = key.expires_at;
        json!({"expires": expires, "keyid": key.id, "keytype": SCHEME, "scheme": SCHEME, "key": key.public_spki_base64})
    });
    let passed = registry.catalog.passed_through(KEYS).await?;
    told(StatusCode::OK, &json!({"keys": merged(ours.collect(), &passed)}))
}

/// Ours first: nobody's key takes the place of one of them.
fn merged(ours: Vec<Value>, upstreams: &[Bytes]) -> Vec<Value> {
    let mut keys = ours;
    let id = |key: &Value| key.get("keyid").and_then(Value::as_str).map(str::to_owned);
    let mut seen: HashSet<String> = keys.iter().filter_map(id).collect();
    for body in upstreams {
        let Ok(mut document) = serde_json::from_slice::<Value>(body) else {
            tracing::warn!("an upstream's signing keys cannot be read; they are left out");
            continue;
        };
        let theirs = document.get_mut("keys").and_then(Value::as_array_mut).map(std::mem::take).unwrap_or_default();
        keys.extend(theirs.into_iter().take(KEYS_MAX).filter(|key| id(key).is_some_and(|id| seen.insert(id))));
    }
    keys
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn upstreams_keys_stand_behind_ours() {
        let key = |id: &str, key: &str| json!({"keyid": id, "key": key});
        let body = |value: &Value| Bytes::from(value.to_string());
        let upstreams = [
            body(&json!({"keys": [key("a", "theirs"), key("b", "theirs"), {"key": "without an id"}, 7]})),
            Bytes::from_static(b"<html>"),
            body(&json!([])),
            body(&json!({"keys": [key("b", "another's"), key("c", "another's")]})),
        ];
        let told = merged(vec![key("a", "ours")], &upstreams);
        assert_eq!(told, [key("a", "ours"), key("b", "theirs"), key("c", "another's")]);
    }
}
