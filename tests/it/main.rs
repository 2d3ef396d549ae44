//! Tests through the front door: by URL, against a scenario upstream over a real socket. One folder an area, one file a verb.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr, reason = "a test says what is wrong by failing")]
#![allow(dead_code, reason = "the support is one vocabulary; not every area speaks all of it")]

mod advisories;
mod cli;
mod clients;
mod crash;
mod gate;
mod harness;
mod identity;
mod incidents;
mod index;
mod lockfile;
mod npm;
mod people;
mod policy;
mod rest;
mod running;
mod submission;
mod support;
mod upstream;
mod workflow;
