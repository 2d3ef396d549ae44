//! Where things are kept: the ledger, which is the truth; projections of it; documents and blobs. Knows no policy.

pub mod blob;
pub mod document;
pub mod pulls;
pub mod record;
pub mod state;
