//! `airlock check-config`: says every fault at once; with `--show` also what is in effect.

use std::path::Path;

use serde_json::Value;
use serde_json::json;

use crate::cli::failure::Failure;
use crate::cli::failure::Outcome;
use crate::cli::page;
use crate::cli::serve::ServeFlags;
use crate::clock::Clock;
use crate::config;
use crate::config::Config;
use crate::config::Fault;
use crate::config::Place;

#[derive(clap::Args, Debug)]
pub struct CheckFlags {
    #[command(flatten)]
    pub serve: ServeFlags,
    /// Print the configuration in effect: file, environment and flags together, secrets left out
    #[arg(long)]
    pub show: bool,
    /// Answer in JSON, for programs
    #[arg(long)]
    pub json: bool,
}

pub fn run(flags: &CheckFlags, clock: &Clock) -> Result<Outcome, Failure> {
    let file = config::file(flags.serve.config.clone());
    let read = Config::load(file.as_deref(), config::environment::variables(), &flags.serve.flags());
    let config = match read {
        Ok(config) => config,
        Err(faults) if flags.json => {
            let faults: Vec<Value> = faults.0.iter().map(fault).collect();
            page::write_json(&json!({ "good": false, "faults": faults, "warnings": [] }))?;
            return Err(Failure::ToldFaults);
        }
        Err(faults) => return Err(faults.into()),
    };
    let warnings = config::warnings(&config, clock.now());
    if flags.json {
        let effective = flags.show.then(|| config::effective(&config));
        page::write_json(&json!({ "good": true, "faults": [], "warnings": warnings, "effective": effective }))?;
    } else {
        let shown = if flags.show { config::effective(&config) + "\n" } else { String::new() };
        page::write(&(shown + &show(file.as_deref(), &warnings)))?;
    }
    Ok(Outcome::Green)
}

fn show(file: Option<&Path>, warnings: &[String]) -> String {
    let what = file.map_or_else(|| "There is no file; the defaults and the environment".to_owned(), |file| file.display().to_string());
    let verb = if file.is_some() { "is" } else { "are" };
    let mut out = String::new();
    for warning in warnings {
        out.push_str(&format!("warning: {warning}\n"));
    }
    out.push_str(&format!("{what} {verb} good.\n"));
    out
}

fn fault(fault: &Fault) -> Value {
    let (file, line, column) = match &fault.place {
        Place::File { file, line, column } => (Some(file.to_string()), Some(*line), Some(*column)),
        Place::Variable(_) | Place::Flag(_) => (None, None, None),
    };
    json!({
        "place": fault.place.to_string(), "file": file, "line": line, "column": column,
        "key": fault.key, "wrong": fault.wrong, "remedy": fault.remedy,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_good_file_is_said_to_be_good() {
        assert_eq!(show(Some(Path::new("airlock.toml")), &[]), "airlock.toml is good.\n");
        assert_eq!(show(None, &["x".to_owned()]), "warning: x\nThere is no file; the defaults and the environment are good.\n");
    }

    #[test]
    fn a_fault_for_programs_has_its_place() {
        let place = Place::File { file: "airlock.toml".into(), line: 3, column: 10 };
        let told = fault(&Fault::new(place, "server.listen", "wrong", "do this"));
        assert_eq!(told["line"], 3);
        assert_eq!(told["key"], "server.listen");
        assert_eq!(told["place"], "airlock.toml:3:10");
    }
}
