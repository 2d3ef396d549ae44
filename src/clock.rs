//! The time. Only this file reads the system clock; tests own theirs.

use std::sync::Arc;
use std::sync::atomic::AtomicI64;
use std::sync::atomic::Ordering;
use std::time::Duration;
use std::time::SystemTime;

use crate::model::time::Timestamp;

/// Where the current time comes from. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Clock(Source);

#[derive(Clone, Debug)]
enum Source {
    System,
    Test(Arc<AtomicI64>),
}

impl Clock {
    pub const fn system() -> Clock {
        Clock(Source::System)
    }

    /// A clock that stands still until it is moved, through any of its clones.
    pub fn test(start: Timestamp) -> Clock {
        Clock(Source::Test(Arc::new(AtomicI64::new(start.millis()))))
    }

    pub fn now(&self) -> Timestamp {
        match &self.0 {
            Source::System => {
                #[expect(clippy::disallowed_methods, reason = "this is the one place that reads it")]
                let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO);
                Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
            }
            Source::Test(millis) => Timestamp::from_millis(millis.load(Ordering::SeqCst)),
        }
    }

    /// Moves a test clock forward; does nothing to the system's.
    pub fn advance(&self, by: Duration) {
        match &self.0 {
            Source::System => {}
            Source::Test(millis) => {
                millis.fetch_add(i64::try_from(by.as_millis()).unwrap_or(i64::MAX), Ordering::SeqCst);
            }
        }
    }
}
