//! `airlock health`: whether the server on this machine can serve, for health checks of containers that hold no other client.

use std::path::PathBuf;

use crate::cli::failure::Failure;
use crate::cli::failure::Outcome;
use crate::cli::page;
use crate::cli::remote;
use crate::config;
use crate::config::Config;

#[derive(clap::Args, Debug)]
pub struct HealthFlags {
    /// The configuration that the server was started with [default: ./airlock.toml]
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
}

pub fn run(flags: &HealthFlags) -> Result<Outcome, Failure> {
    let config = Config::load_for_client(config::file(flags.config.clone()).as_deref(), config::environment::variables())?;
    let answer = remote::ready(&config)?;
    page::write(&format!("ready{}{answer}\n", if answer.is_empty() { "" } else { ": " }))?;
    Ok(Outcome::Green)
}
