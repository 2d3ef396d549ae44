//! The scenario upstream itself, before anything is tested with it.

mod faults;
mod registry;
mod scenarios;
