//! What is taken away stays away, and what has ended is forgotten.

use futures_util::FutureExt;

use super::*;
use crate::model::user::UserChange;

fn broken() -> CommitError {
    CommitError::Broken("the disk is gone".into())
}

#[tokio::test]
async fn a_revocation_that_may_not_be_durable_is_tried_again_until_it_is() {
    let state = Arc::new(MemoryState::new());
    let (access, _) = access_to(&state, Anonymous::Reader);
    let created = access.create("alice", Role::Approver, None, &root()).await.unwrap();
    let revoke = || access.revoke(&created.token.id, root().actor());
    for fault in [broken(), broken(), CommitError::DiskFull { path: "/".into() }] {
        state.fail_next(fault);
        assert!(matches!(revoke().await, Err(AccessError::Commit(_))));
        let refused = access.identify(Some(&format!("Bearer {}", created.text)), HERE).await;
        assert!(matches!(refused, Err(AccessError::NotValid)), "in force from the first time on");
    }
    let is_durable = async || state.tokens().await.unwrap()[0].revoked_at.is_some();
    assert!(!is_durable().await);
    revoke().await.unwrap();
    assert!(is_durable().await);
    // Now it is over, and nothing more is written.
    state.fail_next(broken());
    revoke().await.unwrap();
    assert!(access.create("bob", Role::Reader, None, &root()).await.is_err());
    // What was refused before it was in doubt changes nothing, and is no revocation.
    let other = access.create("carol", Role::Reader, None, &root()).await.unwrap();
    state.fail_next(CommitError::DiskFull { path: "/".into() });
    assert!(access.revoke(&other.token.id, root().actor()).await.is_err());
    assert!(access.identify(Some(&format!("Bearer {}", other.text)), HERE).await.is_ok());
}

#[tokio::test]
async fn who_hangs_up_in_the_middle_of_a_revocation_leaves_it_to_be_tried_again() {
    let state = Arc::new(MemoryState::new());
    let (access, _) = access_to(&state, Anonymous::Reader);
    let created = access.create("alice", Role::Approver, None, &root()).await.unwrap();
    state.stall_next();
    assert!(Box::pin(access.revoke(&created.token.id, root().actor())).now_or_never().is_none());
    assert!(access.identify(Some(&format!("Bearer {}", created.text)), HERE).await.is_err());
    let is_durable = async || state.tokens().await.unwrap()[0].revoked_at.is_some();
    assert!(!is_durable().await);
    access.revoke(&created.token.id, root().actor()).await.unwrap();
    assert!(is_durable().await);
}

#[tokio::test]
async fn what_may_not_be_durable_of_a_user_is_written_when_it_is_asked_again() {
    let state = Arc::new(MemoryState::new());
    let (access, _) = access_to(&state, Anonymous::Reader);
    access.create("admin", Role::Admin, None, &By::airlock()).await.unwrap();
    access.make_user(otto(Role::Admin, "a good password"), &root()).await.unwrap();
    let hash = access.hashed("another password").await.unwrap();
    for change in [UserChange::Password(hash), UserChange::Role(Role::Reader), UserChange::Disabled(true)] {
        let by = root();
        let ask = || access.change_user("otto", vec![change.clone()], &by);
        for _ in 0..2 {
            state.fail_next(broken());
            assert!(matches!(ask().await, Err(AccessError::Commit(_))), "{change:?}");
        }
        let wanted = ask().await.unwrap();
        assert_eq!(state.users().await.unwrap(), [wanted], "{change:?}");
    }
}

#[tokio::test]
async fn sessions_that_ended_are_forgotten_and_the_ledger_names_them() {
    let state = Arc::new(MemoryState::new());
    let (access, clock) = access_to(&state, Anonymous::Reader);
    access.make_user(otto(Role::Publisher, "a good password"), &root()).await.unwrap();
    let signed_in = access.sign_in("otto", "a good password", HERE).await.unwrap();
    let named = access.create("ann", Role::Reader, Some(clock.now().plus(Duration::from_secs(1))), &root()).await.unwrap();
    let ids = async |access: &Access| access.list().await.unwrap().into_iter().map(|token| token.id).collect::<Vec<_>>();
    for _ in 0..3 {
        let first = access.session_token(&signed_in).await.unwrap();
        let second = access.session_token(&signed_in).await.unwrap();
        access.revoke(&first.token.id, root().actor()).await.unwrap();
        assert_eq!(access.tokens_of("otto").await.unwrap(), std::slice::from_ref(&second.token));
        clock.advance(signed_in.lives_for);
        assert_eq!(access.tokens_of("otto").await.unwrap(), []);
    }
    let last = access.session_token(&signed_in).await.unwrap();
    assert_eq!(ids(&access).await, [named.token.id, last.token.id.clone()], "and a name that an admin gave stays");
    let (again, _) = access_to(&state, Anonymous::Reader);
    assert_eq!(ids(&again).await, ids(&access).await);
    let told = state.entries(crate::storage::record::Sequence(0), 100).await.unwrap();
    let made = told.iter().flat_map(|entry| &entry.record.commands).filter(|one| matches!(one, Command::TokenCreated { .. }));
    assert_eq!(made.count(), 8);
    // One whose end is still in doubt can still be spoken of.
    state.fail_next(broken());
    assert!(access.revoke(&last.token.id, root().actor()).await.is_err());
    access.create("bob", Role::Reader, None, &root()).await.unwrap();
    access.revoke(&last.token.id, root().actor()).await.unwrap();
    assert!(matches!(state.tokens().await.unwrap().iter().find(|one| one.id == last.token.id), Some(one) if one.revoked_at.is_some()));
}
