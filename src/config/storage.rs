//! `[storage]`: where everything is kept.

use std::path::PathBuf;

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
