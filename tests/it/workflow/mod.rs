//! From the first sight of a release to its standing: what is listed, what is served, what is explained.

mod age;
mod ahead;
mod archives;
mod behaviour;
mod changes;
mod cohorts;
mod editions;
mod findings;
mod identity;
mod jobs;
mod listing;

pub use jobs::too_much_to_compare;
pub use jobs::until_given_up;
