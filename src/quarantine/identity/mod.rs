//! Who published a release, and as what. Findings that the index of a package leads to, and what is known of the world besides;
//! values in, values out.

pub mod burst;
pub mod evidence;
pub mod familiar;
mod gather;
pub mod keyring;
pub mod publisher;

use std::collections::BTreeMap;

use crate::model::finding::Finding;
use crate::model::package::Version;

/// What is found of who published the releases of one package.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Identity {
    /// By version; only releases of which there is something to say.
    pub findings: BTreeMap<Version, Vec<Finding>>,
    /// Of its name, and so of all; counts until people approved one of them.
    pub typosquat: Option<Finding>,
}

impl Identity {
    pub fn of(&self, version: &Version) -> &[Finding] {
        self.findings.get(version).map_or(&[], Vec::as_slice)
    }
}
