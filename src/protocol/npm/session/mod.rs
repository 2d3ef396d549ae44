//! Signing in and out, and what people see and change of themselves.

pub mod exchange;
pub mod login;
pub mod profile;
pub mod tokens;
pub mod web;
