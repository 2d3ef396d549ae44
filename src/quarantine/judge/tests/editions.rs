//! What an older edition of the inspection saw counts for what had opened before the next one began.

use super::*;
use crate::quarantine::context::Editions;

const OLDER: u16 = inspection::EDITION - 1;

/// Inspected by `edition`; the present one began `began` ago, and others before it.
fn seen_by(given: Given, edition: u16, editions: &[(u16, Duration)]) -> Given {
    let editions = Editions(editions.iter().map(|(edition, began)| (*edition, ago(*began))).collect());
    given.inspected(Facts::default()).with(|given| {
        let inspections = &mut given.state.inspections;
        inspections.values_mut().for_each(|one| Arc::make_mut(one).edition = edition);
        given.context.editions = Arc::new(editions);
    })
}

#[test]
fn what_had_opened_goes_on_and_what_had_not_is_looked_at_first() {
    let now = [(inspection::EDITION, DAY)];
    seen_by(published(DAY * 99), OLDER, &now).stands(Standing::Approved);
    seen_by(published(DAY * 8), OLDER, &now).stands(Standing::Approved);
    seen_by(published(DAY * 7), OLDER, &now).stands(Standing::Admissible);
    seen_by(published(DAY * 6), OLDER, &now).stands(Standing::Held { until: Some(super::now().plus(DAY)) });
    seen_by(published(DAY * 99), OLDER, &[]).stands(Standing::Admissible);
    seen_by(published(DAY * 99), inspection::EDITION + 1, &now).stands(Standing::Admissible);
    let by_people = published(DAY * 2).decided(Verb::Approve, "ann");
    seen_by(by_people, OLDER, &now).stands(Standing::Admissible);
    let before = published(DAY * 5).decided(Verb::Approve, "ann").with(|given| given.state.decisions[0].at = ago(DAY * 2));
    seen_by(before, OLDER, &now).stands(Standing::Approved);
}

#[test]
fn what_the_next_edition_had_to_look_at_is_not_passed_by_the_one_after_it() {
    let editions = Editions([(1, ago(DAY * 9)), (2, ago(DAY * 5)), (3, ago(DAY))].into());
    // It opened two days ago, when the second edition had begun already.
    assert!(!editions.let_through(1, ago(DAY * 2)));
    assert!(editions.let_through(2, ago(DAY * 2)));
    assert!(editions.let_through(1, ago(DAY * 5)));
    assert!(!editions.let_through(3, ago(DAY * 5)), "no other began after it");
}

#[test]
fn what_it_found_counts_on() {
    let facts = Facts { unsafe_archive: Some("a link".into()), ..Facts::default() };
    let found = seen_by(published(DAY * 99), OLDER, &[(inspection::EDITION, DAY)]).with(|given| {
        given.state.inspections.values_mut().for_each(|one| Arc::make_mut(one).facts = facts.clone());
    });
    found.stands(Standing::Rejected);
}
