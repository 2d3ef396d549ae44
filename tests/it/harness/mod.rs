//! The scenario upstream itself, before anything is tested with it.

mod faults;
mod programs;
mod registry;
mod scenarios;
