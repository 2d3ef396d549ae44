//! The dialects that clients speak. Each folder knows one wire format, renders what `catalog` exposes, and uses no other.

pub mod npm;
pub mod nuget;
pub mod oci;
pub mod pypi;
#[cfg(test)]
mod sketch;

use std::sync::Arc;

use crate::ecosystem::Ecosystem;
use crate::ecosystem::Unreadable;
use crate::model::package::EcosystemId;

/// The dialect's answers to what the core asks of a package format.
///
/// Errors: [`Unreadable::Reserved`] for a format that is named and not built yet.
pub fn ecosystem(id: EcosystemId) -> Result<Arc<dyn Ecosystem>, Unreadable> {
    match id {
        EcosystemId::Npm => Ok(Arc::new(npm::Npm)),
        EcosystemId::Nuget | EcosystemId::Pypi | EcosystemId::Oci => Err(Unreadable::Reserved(id)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn asking_for_a_reserved_ecosystem_says_so() {
        for id in [EcosystemId::Nuget, EcosystemId::Pypi, EcosystemId::Oci] {
            let said = ecosystem(id).err().map(|err| err.to_string());
            assert_eq!(said, Some(format!("{id} is reserved, not built yet")));
        }
        assert_eq!(ecosystem(EcosystemId::Npm).unwrap().id(), EcosystemId::Npm);
    }
}
