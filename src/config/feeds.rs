//! `[feeds]`: where advisories are heard of.

use std::time::Duration;

use url::Url;

#[derive(Clone, PartialEq, Debug, Default)]
pub struct Feeds {
    pub osv: Osv,
}

/// OSV's records of npm packages: `all.zip`, `modified_id.csv` and one JSON file for each, under one address.
#[derive(Clone, PartialEq, Debug)]
pub struct Osv {
    /// `None`: nothing is asked for; what an admin imports counts all the same.
    pub url: Option<Url>,
    pub refresh_every: Duration,
    /// How old what is known may be for a release to open by it.
    pub age_max: Duration,
    /// For so long after the newest thing that a feed says, its silence means that there is nothing new.
    pub quiet_max: Duration,
}

impl Default for Osv {
    fn default() -> Osv {
        const HOUR: Duration = Duration::from_secs(3_600);
        Osv { url: None, refresh_every: HOUR, age_max: HOUR * 6, quiet_max: HOUR * 24 * 3 }
    }
}
