//! `airlock init`: writes a commented airlock.toml.

use std::fs::OpenOptions;
use std::io;
use std::io::Write;
use std::path::Path;
use std::path::PathBuf;

use crate::cli::failure::Failure;
use crate::cli::failure::Outcome;
use crate::cli::page;
use crate::config;

#[derive(clap::Args, Debug)]
pub struct InitFlags {
    /// Where to write it
    #[arg(long, value_name = "FILE", default_value = config::FILE)]
    pub config: PathBuf,
}

pub fn run(flags: &InitFlags) -> Result<Outcome, Failure> {
    write(&flags.config)?;
    page::write(&format!(
        "Wrote {}, with every key at its default. Change what you need, then: airlock check-config\n",
        flags.config.display()
    ))?;
    Ok(Outcome::Green)
}

/// Never over a file that is there.
fn write(path: &Path) -> Result<(), Failure> {
    let written =
        OpenOptions::new().write(true).create_new(true).open(path).and_then(|mut file| file.write_all(config::example().as_bytes()));
    written.map_err(|error| {
        if error.kind() == io::ErrorKind::AlreadyExists {
            Failure::failed(
                format!("{} is there already, and was left as it is", path.display()),
                "name another file with --config, or move it away",
            )
        } else {
            Failure::failed(
                format!("{} could not be written: {error}", path.display()),
                "name a file in a folder that you may write, with --config",
            )
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_there_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("airlock.toml");
        write(&path).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), config::example());
        std::fs::write(&path, "mine").unwrap();
        let failure = write(&path).unwrap_err();
        assert!(failure.code() == 1 && failure.to_string().contains("is there already"), "{failure}");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "mine");
        assert!(write(&dir.path().join("none/airlock.toml")).unwrap_err().to_string().contains("could not be written"));
    }
}
