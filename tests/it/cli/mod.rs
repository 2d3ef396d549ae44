//! Every command against a running server: what it says, in words and in JSON, and how it ends.

mod decisions;
mod local;
mod policy;
