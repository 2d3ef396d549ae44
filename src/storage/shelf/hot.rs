//! States of packages that are asked for, in memory within a budget of bytes.

use std::sync::Arc;

use quick_cache::DefaultHashBuilder;
use quick_cache::OptionsBuilder;
use quick_cache::Weighter;
use quick_cache::sync::Cache;
use quick_cache::sync::DefaultLifecycle;

use crate::model::package::PackageId;
use crate::storage::record::PackageState;

const HOT_BYTES_MAX: u64 = 24 * 1024 * 1024;
const HOT_PACKAGES: usize = 20_000;

pub type Hot = Cache<PackageId, Arc<PackageState>, Weight>;

/// One shard, so that a single large package may take most of the budget: none is ever kept that does not fit into one.
pub fn hot() -> Hot {
    #[expect(clippy::expect_used, reason = "build fails only when a capacity is missing, and both are set here")]
    let options = OptionsBuilder::new()
        .shards(1)
        .estimated_items_capacity(HOT_PACKAGES)
        .weight_capacity(HOT_BYTES_MAX)
        .build()
        .expect("both capacities are set");
    Cache::with_options(options, Weight, DefaultHashBuilder::default(), DefaultLifecycle::default())
}

#[derive(Clone)]
pub struct Weight;

impl Weighter<PackageId, Arc<PackageState>> for Weight {
    /// Memory in bytes, about. Counts entries only, because it is asked often.
    fn weight(&self, _: &PackageId, state: &Arc<PackageState>) -> u64 {
        const PACKAGE_BYTES: u64 = 300;
        // With an inspection of 352 bytes; its map, and the one of releases, have room for more than they hold.
        const RELEASE_BYTES: u64 = 1_200;
        PACKAGE_BYTES + RELEASE_BYTES * state.releases.len() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::package::Version;
    use crate::storage::record::ReleaseState;

    #[test]
    fn a_package_of_half_the_budget_stays_in_memory() {
        const LARGE_BYTES: u64 = HOT_BYTES_MAX / 2;
        let package = PackageId::npm("large").unwrap();
        let mut state = PackageState::default();
        for number in 0..12_000 {
            state.releases.insert(Version::parse(&format!("1.0.{number}")).unwrap(), ReleaseState::default());
        }
        let state = Arc::new(state);
        assert!(Weight.weight(&package, &state) > LARGE_BYTES);
        let hot = hot();
        hot.insert(package.clone(), state);
        assert!(hot.get(&package).is_some());
    }
}
