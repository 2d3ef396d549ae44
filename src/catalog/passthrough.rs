//! Documents of the upstream registries that are about no package: asked for rarely, kept in memory, and kept on while
//! upstream is out.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;

use crate::catalog::Catalog;
use crate::model::time::Timestamp;
use crate::upstream::Document;
use crate::upstream::UpstreamError;

/// How long what upstream said serves without asking again.
const FRESH_FOR: Duration = Duration::from_secs(3_600);
/// An upstream that failed is asked again after this.
const AGAIN_AFTER: Duration = Duration::from_secs(60);
/// Longer ones are left out.
const BYTES_MAX: usize = 1_024 * 1_024;

/// By scope, none for the default upstream, and path. The paths are the dialect's own few, so that it does not grow.
#[derive(Debug, Default)]
pub struct Passthrough(tokio::sync::Mutex<BTreeMap<(Option<String>, &'static str), Passed>>);

#[derive(Clone, Debug)]
struct Passed {
    /// `None`: that upstream has nothing there.
    body: Option<Bytes>,
    again_at: Timestamp,
}

/// An upstream does not answer, and never did.
#[derive(Debug, thiserror::Error)]
#[error("the upstream registry does not answer: {why}")]
pub struct NotPassed {
    why: String,
    pub retry_after: Duration,
}

impl Catalog {
    /// What each upstream has at `path`, the default one first. Those that have nothing there are left out.
    ///
    /// # Errors
    /// One of them does not answer and never did: the rest alone would be taken for all.
    pub async fn passed_through(&self, path: &'static str) -> Result<Vec<Bytes>, NotPassed> {
        let scopes = std::iter::once(None).chain(self.upstreams.scopes().map(Some));
        let mut bodies = Vec::new();
        // Held while upstream is asked: whoever comes meanwhile has the same question.
        let mut passed = self.passed.0.lock().await;
        for scope in scopes {
            let key = (scope.map(str::to_owned), path);
            let now = self.clock.now();
            let known = passed.get(&key).cloned();
            let one = match known {
                Some(known) if now < known.again_at => known,
                known => self.pass(scope, path, known).await?,
            };
            bodies.extend(one.body.clone());
            passed.insert(key, one);
        }
        Ok(bodies)
    }

    async fn pass(&self, scope: Option<&str>, path: &str, known: Option<Passed>) -> Result<Passed, NotPassed> {
        let heard = self.upstreams.about_nothing(scope, path).await;
        let now = self.clock.now();
        match heard {
            Ok(Document::Fresh { body, .. }) => {
                Ok(Passed { body: Some(body).filter(|body| body.len() <= BYTES_MAX), again_at: now.plus(FRESH_FOR) })
            }
            Ok(Document::Missing | Document::Unchanged) => Ok(Passed { body: None, again_at: now.plus(FRESH_FOR) }),
            Err(error) => match known {
                Some(known) => Ok(Passed { again_at: now.plus(AGAIN_AFTER), ..known }),
                // A definite answer that is not one: whatever it is, it is not there.
                None if !error.is_outage() && !matches!(error, UpstreamError::Loop) => {
                    tracing::warn!(scope, path, %error, "an upstream registry does not answer a question that is about no package");
                    Ok(Passed { body: None, again_at: now.plus(AGAIN_AFTER) })
                }
                None => Err(NotPassed { why: error.to_string(), retry_after: error.retry_after().unwrap_or(AGAIN_AFTER) }),
            },
        }
    }
}
