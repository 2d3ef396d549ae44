//! The table of `docs/judgement.md`, written by what was played.

use std::fmt::Write as _;
use std::time::Duration;

use airlock::model::finding::Action;

use super::played::Played;
use super::played::Told;

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/judgement.md");
const BEGIN: &str = "<!-- written by tests/it/incidents: begin -->\n";
const END: &str = "<!-- written by tests/it/incidents: end -->\n";

/// Whether what the page has between its marks is what was found now.
pub fn is_the_one_that_is_kept(played: &[Played<'_>]) {
    let page = std::fs::read_to_string(PAGE).unwrap();
    let (before, rest) = page.split_once(BEGIN).expect("the page has the mark at which the table begins");
    let (kept, after) = rest.split_once(END).expect("the page has the mark at which the table ends");
    let now = written(played);
    if may_write() {
        std::fs::write(PAGE, format!("{before}{BEGIN}{now}{END}{after}")).unwrap();
        return;
    }
    let differs = kept.lines().zip(now.lines()).find(|(kept, now)| kept != now);
    assert!(
        kept == now,
        "docs/judgement.md tells of incidents what is not so now (first difference: {differs:#?}): look whether it got worse, then run\n\
         AIRLOCK_UPDATE_SNAPSHOTS=1 cargo test --test it incidents"
    );
}

#[expect(clippy::disallowed_methods, reason = "whether a test may write is no setting of Airlock")]
fn may_write() -> bool {
    std::env::var_os("AIRLOCK_UPDATE_SNAPSHOTS").is_some()
}

fn written(played: &[Played<'_>]) -> String {
    let mut text = String::from("| incident | day | until it was taken down | age alone | findings besides age | without age |\n");
    text.push_str("|---|---|---|---|---|---|\n");
    for one in played {
        let each = |tell: &dyn Fn(&Told) -> String| one.releases.iter().map(tell).collect::<Vec<_>>().join("<br>");
        let end = one.incident.taken_down();
        let live = each(&|told| lasting(end.since(told.published)));
        let age = each(&|told| {
            let opens = lasting(told.opens_at.since(told.published));
            let outlasts = if told.opens_at >= end { "outlasts it" } else { "opens before" };
            format!("{opens}: {outlasts}{}", if told.served { ", **served**" } else { "" })
        });
        let findings = each(&findings);
        let stopped = each(&|told| if told.stopped { "stopped".to_owned() } else { "passes".to_owned() });
        let day = &one.begun.to_string()[..10];
        let releases = each(&|told| format!("`{}`", told.release));
        writeln!(text, "| {releases}: {} | {day} | {live} | {age} | {findings} | {stopped} |", one.incident.vector).unwrap();
    }
    text.push('\n');
    let count = |is: &dyn Fn(&Played<'_>) -> bool| played.iter().filter(|one| is(one)).count();
    writeln!(
        text,
        "Of {} incidents age alone outlasts {}, and the other checks alone stop {} at first sight; neither does {}.",
        played.len(),
        count(&|one| one.is_outlasted()),
        count(&|one| one.is_stopped_without_age()),
        count(&|one| !one.is_outlasted() && !one.is_stopped_without_age()),
    )
    .unwrap();
    let served: Vec<&Played<'_>> = played.iter().filter(|one| one.served().next().is_some()).collect();
    if served.is_empty() {
        text.push_str("Under the default policy none was served before it was taken down.\n");
    } else {
        text.push_str("Served under the default policy before it was taken down:\n\n");
        for one in served {
            let why = one.incident.slips.as_deref().unwrap_or("no reason is known");
            writeln!(text, "- {}: {why}", one.served().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")).unwrap();
        }
    }
    text.push_str("\nNot stopped without age:\n\n");
    for one in played.iter().filter(|one| !one.is_stopped_without_age()) {
        let found = one.releases.iter().map(|told| format!("`{}` ({})", told.release, plain(told)));
        writeln!(text, "- {}", found.collect::<Vec<_>>().join(", ")).unwrap();
    }
    text
}

/// What policy acts on in bold.
fn findings(told: &Told) -> String {
    let named = told.findings.iter().map(|(kind, action)| match action {
        Action::Note => kind.clone(),
        Action::Hold | Action::Review | Action::Reject => format!("**{kind}**"),
    });
    let named: Vec<String> = named.collect();
    if named.is_empty() { "none".to_owned() } else { named.join(", ") }
}

fn plain(told: &Told) -> String {
    findings(told).replace("**", "")
}

/// `45 min`, `4.2 h`, `78 d`.
fn lasting(duration: Duration) -> String {
    let minutes = duration.as_secs() / 60;
    match minutes {
        0..120 => format!("{minutes} min"),
        120..2_880 => format!("{}.{} h", minutes / 60, minutes % 60 / 6),
        _ => format!("{} d", minutes / 1_440),
    }
}

#[test]
fn durations_are_told_in_the_unit_that_fits() {
    for (minutes, text) in [(45, "45 min"), (120, "2.0 h"), (252, "4.2 h"), (2_880, "2 d"), (10_080, "7 d")] {
        assert_eq!(lasting(Duration::from_secs(minutes * 60)), text);
    }
}
