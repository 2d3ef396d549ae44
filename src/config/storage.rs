//! `[storage]`: where everything is kept.

use std::path::PathBuf;

use crate::config::fault::Fault;
use crate::config::key::Key;
use crate::config::key::quoted;
use crate::config::value::Value;

#[derive(Clone, PartialEq, Debug)]
pub struct Storage {
    pub data_dir: PathBuf,
    pub state: StateKind,
    pub artifacts: ArtifactKind,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum StateKind {
    /// The ledger, with sled for what is derived from it.
    Sled,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ArtifactKind {
    Disk,
}

impl Default for Storage {
    fn default() -> Storage {
        Storage { data_dir: PathBuf::from("airlock-data"), state: StateKind::Sled, artifacts: ArtifactKind::Disk }
    }
}

pub(super) fn keys() -> Vec<Key> {
    vec![
        Key::new(
            "storage.data_dir",
            "everything Airlock keeps; relative to the folder it is started in. Back it up",
            |config| Some(quoted(&config.storage.data_dir.to_string_lossy())),
            |draft, value| {
                let Some(folder) = value.optional_text()? else {
                    return Err(value.fault("the folder has no name", "name a folder that Airlock may write, such as \"airlock-data\""));
                };
                draft.config.storage.data_dir = PathBuf::from(folder);
                Ok(())
            },
        ),
        Key::new(
            "storage.state",
            "what is remembered: \"sled\" is a ledger on this disk with sled for what is derived from it",
            |config| {
                Some(quoted(match config.storage.state {
                    StateKind::Sled => "sled",
                }))
            },
            |draft, value| {
                reserved(value, "postgres", "sled")?;
                draft.config.storage.state = value.choice(&[("sled", StateKind::Sled)])?;
                Ok(())
            },
        ),
        Key::new(
            "storage.artifacts",
            "where package files lie: \"disk\" is the data dir",
            |config| {
                Some(quoted(match config.storage.artifacts {
                    ArtifactKind::Disk => "disk",
                }))
            },
            |draft, value| {
                reserved(value, "s3", "disk")?;
                draft.config.storage.artifacts = value.choice(&[("disk", ArtifactKind::Disk)])?;
                Ok(())
            },
        ),
    ]
}

fn reserved(value: &Value, name: &str, instead: &str) -> Result<(), Vec<Fault>> {
    if value.text()? == name {
        return Err(value.fault(format!("{name:?} is reserved, not built yet"), format!("use {instead:?}")));
    }
    Ok(())
}
