//! Airlock: the gate between a company and the public package registries.

pub mod access;
pub mod admin;
pub mod app;
pub mod catalog;
pub mod cli;
pub mod clock;
pub mod config;
pub mod ecosystem;
pub mod events;
pub mod http;
pub mod model;
pub mod protocol;
pub mod quarantine;
pub mod server;
pub mod storage;
pub mod telemetry;
pub mod upstream;
