//! Checks: what is known of a release in, findings out. Pure; what a finding does is policy's business.

pub mod advisories;
pub mod change;
pub mod inspection;
pub mod license;
pub mod rego;
pub mod screening;
