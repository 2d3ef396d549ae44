//! Where things are kept: the ledger, which is the truth; projections of it; documents and blobs. Knows no policy.

pub mod advisories;
pub mod blob;
#[cfg(test)]
mod conformance;
pub mod data_dir;
pub mod disk;
pub mod document;
mod hands;
pub mod jobs;
pub mod ledger;
pub mod local;
pub mod memory;
pub mod projection;
pub mod pulls;
pub mod record;
mod revisions;
pub mod shelf;
pub mod sled;
pub mod state;
pub mod summary;
pub mod users;
pub mod waivers;
