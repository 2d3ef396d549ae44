//! The scenario upstream itself, before anything is tested with it.

mod faults;
mod gated;
mod programs;
mod registry;
mod scenarios;
