//! How many people it takes, and who counts as another.

use super::*;
use crate::quarantine::approval::is_vouched_for;

#[test]
fn a_package_is_vouched_for_by_enough_people_whose_word_counts() {
    let one = published(DAY * 99).decided(Verb::Approve, "ann");
    assert!(is_vouched_for(&one.state, 1, None, now()));
    assert!(!is_vouched_for(&one.state, 2, None, now()), "one of two");
    let two = one.decided(Verb::Approve, "bob");
    assert!(is_vouched_for(&two.state, 2, None, now()));
    let rejected = two.decided(Verb::Reject, "cy");
    assert!(!is_vouched_for(&rejected.state, 1, None, now()), "rejected since");
    let mut expired = published(DAY * 99).decided(Verb::Approve, "ann");
    expired.state.decisions[0].expires_at = Some(ago(HOUR));
    assert!(!is_vouched_for(&expired.state, 1, None, now()), "expired");
    let other_bytes = published(DAY * 99).decided(Verb::Approve, "ann").with(|given| {
        given.state.pins.insert("left-pad-1.0.0.tgz".into(), Digest::of(b"other"));
    });
    assert!(!is_vouched_for(&other_bytes.state, 1, None, now()), "other bytes");
}

#[test]
fn a_submission_takes_one_person_who_does_not_stand_behind_it() {
    let young = || published(HOUR).inspected(Facts::default()).submitted(false);
    let held = until(ago(HOUR).plus(DAY * 7));
    assert_eq!(young().stands(held).verdict().approvals_needed, 1);
    for behind in ["ann", "joe", "Ann"] {
        let own = young().decided(Verb::Approve, behind).stands(held);
        assert_eq!(own.verdict().approvals_given, 0, "{behind}");
    }
    let given = young().decided_with(Verb::Approve, "eve", &["root", "ANN"]).stands(held);
    assert_eq!(given.verdict().approvals_given, 0, "the submitter could be eve");
    young().decided_with(Verb::Approve, "bob", &["root"]).stands(Standing::Approved);
    // Whoever handed out both tokens does not make the two one.
    young().decided_with(Verb::Approve, "bob", &["joe"]).stands(Standing::Approved);
    let two = young().with(|given| given.policy.review.approvals = 2);
    two.decided(Verb::Approve, "ann").decided(Verb::Approve, "bob").stands(held).decided(Verb::Approve, "eve").stands(Standing::Approved);
    published(DAY * 7).inspected(Facts::default()).submitted(false).stands(Standing::Approved);
}

#[test]
fn below_the_floor_self_approval_opens_nothing_alone() {
    let alone = |given: &mut Given| given.policy.review.self_approval = true;
    let held = until(ago(HOUR).plus(DAY * 7));
    for staged in [false, true] {
        let young = || published(HOUR).inspected(Facts::default()).submitted(staged).with(alone);
        let own = young().decided(Verb::Approve, "ann").stands(held);
        assert_eq!((own.verdict().approvals_given, own.verdict().approvals_needed), (1, 2), "and it is said what is lacking");
        assert_eq!(own.verdict_at(ago(HOUR).plus(DAY)).standing, Standing::Approved, "from the floor on her word counts");
        // Nor with those who could be her, or whom she could be.
        own.decided(Verb::Approve, "joe").decided_with(Verb::Approve, "ann2", &["ann"]).stands(held);
        young().decided(Verb::Approve, "bob").stands(Standing::Approved);
        let two = || young().with(|given| given.policy.review.approvals = 2).decided_with(Verb::Approve, "ann", &["joe"]);
        assert_eq!(two().stands(if staged { Standing::InReview } else { held }).verdict().approvals_needed, 2);
        two().decided(Verb::Approve, "joe").stands(if staged { Standing::InReview } else { held });
        two().decided(Verb::Approve, "bob").stands(Standing::Approved);
    }
    let old = published(HOUR * 25).inspected(Facts::default()).submitted(true).with(alone).stands(Standing::InReview);
    old.decided(Verb::Approve, "ann").stands(Standing::Approved);
    let one = published(HOUR * 25).inspected(rejectable()).submitted(false).with(alone).decided(Verb::Approve, "ann");
    one.stands(Standing::Rejected).decided(Verb::Approve, "joe").stands(Standing::Approved);
}

#[test]
fn who_could_be_the_other_is_no_second_person() {
    let held = until(ago(HOUR * 9).plus(DAY * 7));
    for [first, second] in [
        [("ann", &[][..]), ("ANN", &[][..])],
        [("ann", &[][..]), ("second", &["Ann"][..])],
        [("second", &["x", "ann"][..]), ("ann", &[][..])],
        [("ann", &["bob"][..]), ("bob", &["ann"][..])],
    ] {
        let young = || published(HOUR * 9).decided_with(Verb::Approve, first.0, first.1).decided_with(Verb::Approve, second.0, second.1);
        assert_eq!(young().stands(held).verdict().approvals_given, 1, "{first:?} {second:?}");
        young().decided(Verb::Approve, "eve").stands(Standing::Admissible);
        let rejected = published(DAY * 99).inspected(rejectable());
        let rejected = rejected.decided_with(Verb::Approve, first.0, first.1).decided_with(Verb::Approve, second.0, second.1);
        rejected.stands(Standing::Rejected).decided(Verb::Approve, "eve").stands(Standing::Approved);
    }
    // Who has their token of the same admin is another; and nobody who comes later takes away what two have said.
    let two = published(HOUR * 9).decided_with(Verb::Approve, "bob", &["root"]).decided_with(Verb::Approve, "eve", &["root"]);
    assert_eq!(two.stands(Standing::Admissible).decided(Verb::Approve, "root").stands(Standing::Admissible).verdict().approvals_given, 2);
}

#[test]
fn what_policy_rejects_takes_two_who_do_not_stand_behind_it() {
    let one = published(HOUR).inspected(rejectable()).submitted(false).decided(Verb::Approve, "bob").stands(Standing::Rejected);
    assert_eq!(one.verdict().approvals_needed, 2);
    one.decided(Verb::Approve, "ann").stands(Standing::Rejected).decided(Verb::Approve, "eve").stands(Standing::Approved);
}

#[test]
fn what_was_staged_waits_for_people_at_any_age_and_under_any_trust() {
    let at_once = |given: &mut Given| given.policy.submissions = Submissions::Trusted;
    for age in [HOUR, DAY * 99] {
        let staged = || published(age).inspected(Facts::default()).submitted(true).trusted().with(at_once).stands(Standing::InReview);
        assert_eq!(staged().verdict().reason, Reason::Staged);
        staged().decided(Verb::Approve, "ann").stands(Standing::InReview);
        staged().decided(Verb::Approve, "bob").stands(Standing::Approved);
    }
}
