//! Nouns with their validity: no I/O, no clock, no HTTP. Every other room may use this one; it uses none.

// A new variant must be looked at wherever its enum is: unknown means held, and `_` would decide it silently.
#![warn(clippy::wildcard_enum_match_arm)]

pub mod actor;
pub mod advisory;
pub mod change;
pub mod decision;
pub mod digest;
pub mod evidence;
pub mod facts;
pub mod finding;
pub mod glob;
pub mod index;
pub mod job;
pub mod license;
pub mod local;
pub mod lockfile;
pub mod notice;
pub mod package;
pub mod pattern;
pub mod principal;
pub mod profile;
pub mod pull;
pub mod refusal;
pub mod release;
pub mod signal;
pub mod stage;
pub mod standing;
pub mod time;
pub mod token;
pub mod user;
pub mod waiver;
