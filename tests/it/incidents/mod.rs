//! Incidents of the past as inert scenarios: their shapes and techniques in words of our own, and no code that works. Each is
//! played on a registry of its own, at the time at which it happened: what was honest is in use, then the malicious releases come.

mod bulk;
mod file;
mod played;
mod table;

use std::collections::BTreeSet;

use futures_util::StreamExt;
use futures_util::stream;

use file::Incident;
use played::Played;

/// Incidents that are played at the same time.
const AT_ONCE: usize = 4;
/// So many have to be stopped at first sight by checks that know nothing of age.
const STOPPED_WITHOUT_AGE_MIN: usize = 27;
const INCIDENTS_MIN: usize = 20;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_incident_is_served_in_its_live_window_and_the_table_says_what_stopped_it() {
    let incidents = Incident::all();
    assert!(incidents.len() >= INCIDENTS_MIN, "{}", incidents.len());
    let names: BTreeSet<&str> = incidents.iter().map(|incident| incident.name.as_str()).collect();
    assert_eq!(names.len(), incidents.len());
    let mut played: Vec<Played> = stream::iter(&incidents).map(played::play).buffer_unordered(AT_ONCE).collect().await;
    played.sort_by_key(|one| (one.begun, one.incident.name.clone()));

    let served: Vec<String> = played.iter().filter(|one| one.incident.slips.is_none()).flat_map(Played::served).collect();
    assert_eq!(served, [""; 0], "served in the live window under the default policy");
    let stopped = played.iter().filter(|one| one.is_stopped_without_age()).count();
    let missed: Vec<&str> = played.iter().filter(|one| !one.is_stopped_without_age()).map(|one| one.incident.name.as_str()).collect();
    assert!(stopped >= STOPPED_WITHOUT_AGE_MIN, "only {stopped} are stopped without age; not: {missed:?}");
    table::is_the_one_that_is_kept(&played);
}
