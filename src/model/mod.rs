//! Nouns with their validity: no I/O, no clock, no HTTP. Every other room may use this one; it uses none.

pub mod actor;
pub mod decision;
pub mod digest;
pub mod facts;
pub mod finding;
pub mod index;
pub mod job;
pub mod package;
pub mod pull;
pub mod refusal;
pub mod release;
pub mod standing;
pub mod time;
pub mod token;
