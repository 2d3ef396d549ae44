//! What matters in a manifest: everything but what a registry adds to it later without changing what installs.

use crate::ecosystem::json::entries;
use crate::model::digest::DocumentDigest;

/// Words, signatures, addresses and people. The integrity in `dist` is pinned on its own.
const LATER: &[&str] = &["deprecated", "dist", "maintainers", "_npmUser", "_npmOperationalInternal", "readme", "readmeFilename"];

/// The digest of the other pairs, in order of their keys; of the whole text when it cannot be split.
pub fn substance(manifest: &[u8]) -> DocumentDigest {
    let Ok(mut pairs) = entries(manifest) else { return DocumentDigest::of(manifest) };
    pairs.retain(|(key, _)| !LATER.contains(&&**key));
    pairs.sort_by(|(left, _), (right, _)| left.cmp(right));
    let mut text = Vec::with_capacity(manifest.len());
    for (key, value) in pairs {
        // A key has no NUL of its own: it would be escaped in JSON, and its length is told by the text that follows.
        text.extend_from_slice(&(key.len() as u64).to_le_bytes());
        text.extend_from_slice(key.as_bytes());
        text.extend_from_slice(value.get().as_bytes());
        text.push(0);
    }
    DocumentDigest::of(&text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_registry_adds_later_does_not_matter_and_everything_else_does() {
        let of = |text: &str| substance(text.as_bytes());
        let plain = of(r#"{"name":"x","version":"1.0.0","dependencies":{"a":"1"},"dist":{"tarball":"t"}}"#);
        let later =
            r#"{"version":"1.0.0","name":"x","dependencies":{"a":"1"},"dist":{"signatures":[]},"deprecated":"no","maintainers":[]}"#;
        assert_eq!(of(later), plain);
        for other in [
            r#"{"name":"x","version":"1.0.0","dependencies":{"a":"2"},"dist":{"tarball":"t"}}"#,
            r#"{"name":"x","version":"1.0.0","dependencies":{"a":"1"},"scripts":{"install":"y"}}"#,
            r#"{"name":"x","version":"1.0.0"}"#,
        ] {
            assert_ne!(of(other), plain, "{other}");
        }
    }
}
