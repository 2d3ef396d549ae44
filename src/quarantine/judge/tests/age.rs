//! Ages: from when one counts, what it holds, and what is exempt.

use super::*;
use crate::config::policy::Exemption;
use crate::config::policy::Pattern;

#[test]
fn age_holds_until_the_minimum_and_opens_by_itself() {
    let given = published(HOUR * 9).stands(until(ago(HOUR * 9).plus(DAY * 7)));
    assert_eq!(given.verdict().changes_at, Some(ago(HOUR * 9).plus(DAY)), "the floor comes first");
    assert_eq!(given.verdict_at(ago(HOUR * 9).plus(DAY * 7)).standing, Standing::Admissible);
    published(DAY * 7).stands(Standing::Admissible);
    published(DAY * 7).inspected(Facts::default()).stands(Standing::Approved);
}

#[test]
fn older_is_never_more_blocked() {
    let rank = |standing: Standing| matches!(standing, Standing::Admissible | Standing::Approved);
    let mut opened = false;
    for hours in 0..24 * 20 {
        let open = rank(published(HOUR * hours).verdict().standing);
        assert!(open || !opened, "{hours} hours");
        opened = open;
    }
    assert!(opened);
}

#[test]
fn an_index_that_lacked_it_beats_the_time_it_claims() {
    let forged = published(DAY * 400).with(|given| {
        given.state.absent_at = Some(ago(HOUR * 3));
        given.state.seen_at = Some(ago(HOUR * 2));
    });
    let verdict = forged.stands(until(ago(HOUR * 3).plus(DAY * 7))).verdict();
    assert_eq!(verdict.findings[0].finding.kind, FindingKind::ClaimedAge);
}

#[test]
fn without_a_time_the_first_sight_counts() {
    published(HOUR).with(|given| given.row.published_at = None).stands(until(ago(DAY * 2).plus(DAY * 7)));
    let later = published(HOUR).with(|given| {
        given.row.published_at = None;
        given.state.absent_at = Some(ago(HOUR * 3));
        given.state.seen_at = Some(ago(HOUR * 2));
    });
    later.stands(until(ago(HOUR * 2).plus(DAY * 7)));
}

#[test]
fn a_time_in_the_future_holds_for_longer() {
    let tomorrow = now().plus(DAY);
    published(HOUR).with(|given| given.row.published_at = Some(tomorrow)).stands(until(tomorrow.plus(DAY * 7)));
}

#[test]
fn a_new_name_waits_longer() {
    let given = published(DAY * 8).with(|given| given.name_age = DAY * 8).stands(until(ago(DAY * 8).plus(DAY * 14)));
    assert_eq!(given.verdict().reason, Reason::Age { opens_at: ago(DAY * 8).plus(DAY * 14), rule: AgeRule::NewPackage(DAY * 14) });
}

#[test]
fn an_exemption_ends_at_the_floor_and_expires() {
    let exempt = |expires| {
        move |given: &mut Given| {
            let pattern = Pattern::Release("left-pad".into(), "1.0.0".into());
            given.policy.release_age.exempt = vec![Exemption { pattern, reason: None, expires }];
        }
    };
    published(HOUR * 30).with(exempt(None)).stands(Standing::Admissible);
    published(HOUR * 9).with(exempt(None)).stands(until(ago(HOUR * 9).plus(DAY)));
    published(HOUR * 30).with(exempt(Some(ago(HOUR)))).stands(until(ago(HOUR * 30).plus(DAY * 7)));
    let ends = now().plus(HOUR);
    assert_eq!(published(HOUR * 30).with(exempt(Some(ends))).verdict().changes_at, Some(ends));
}
