//! One immutable version of a package, as people and programs name it.

use std::fmt;

use serde::Deserialize;
use serde::Serialize;

use crate::model::package::PackageId;
use crate::model::package::Version;

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct ReleaseId {
    pub package: PackageId,
    pub version: Version,
}

/// `left-pad@1.3.0`, as npm's users write it.
impl fmt::Display for ReleaseId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.package.name, self.version)
    }
}
