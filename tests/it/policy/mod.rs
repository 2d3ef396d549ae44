//! What policy makes of what is found: rules for some packages, observing, and which approvals are for which findings.

mod approvals;
mod observe;
mod rego;
mod rules;
mod trial;
