//! What every `State` must do with what is published here, and with the people who do it.

use std::sync::Arc;

use crate::model::decision::Decision;
use crate::model::decision::Verb;
use crate::model::digest::Digest;
use crate::model::local::NameOwner;
use crate::model::package::Version;
use crate::model::release::ReleaseId;
use crate::model::stage::StageId;
use crate::model::token::Role;
use crate::model::token::Token;
use crate::model::token::TokenKind;
use crate::model::user::PasswordHash;
use crate::model::user::User;
use crate::model::user::UserChange;
use crate::storage::conformance::Bench;
use crate::storage::conformance::at;
use crate::storage::conformance::batch;
use crate::storage::conformance::commit;
use crate::storage::conformance::decided;
use crate::storage::conformance::package;
use crate::storage::conformance::token;
use crate::storage::record::Amendment;
use crate::storage::record::Command;
use crate::storage::record::SealKey;
use crate::storage::record::Sequence;
use crate::storage::record::Submission;
use crate::storage::state::CommitError;
use crate::storage::state::Condition;

pub fn user(name: &str) -> User {
    let behind = Some(Vec::new());
    User { name: name.into(), role: Role::Publisher, email: None, password: None, behind, oidc: None, made_at: at(0), disabled_at: None }
}

pub fn submitted(name: &str, version: &str) -> Command {
    let release = ReleaseId { package: package(name), version: Version::parse(version).unwrap() };
    let submission = Submission {
        id: StageId::of(&release),
        at: at(1),
        by: "ann".into(),
        behind: vec!["ann".into()],
        staged: false,
        digest: Digest::of(version.as_bytes()),
        sha1: "0".repeat(40),
        size: 1,
        manifest: format!("{{\"version\":\"{version}\"}}"),
        tags: vec!["latest".into()],
        workflow: None,
        provenance: None,
        asked_restricted: false,
    };
    Command::Submitted { release, submission }
}

pub fn starred(name: &str, by: &str, on: bool) -> Command {
    Command::Amended { package: package(name), by: by.into(), changes: vec![Amendment::Starred { by: by.into(), on }] }
}

pub fn key(id: &str) -> SealKey {
    SealKey { id: id.into(), public_spki_base64: "MFkw".into(), made_at: at(1), expires_at: None }
}

pub async fn only_named_tokens_take_a_name(bench: &Bench) {
    let state = bench.open();
    let free = || vec![Condition::TokenNameFree { name: "ann".into() }];
    for (id, kind) in [("1", TokenKind::Session), ("2", TokenKind::Made), ("3", TokenKind::Exchanged)] {
        let made = Token { kind, ..token(id, "ann") };
        state.commit(batch(free(), vec![Command::TokenCreated { token: made }])).await.unwrap();
    }
    state.commit(batch(free(), vec![Command::TokenCreated { token: token("4", "ann") }])).await.unwrap();
    assert!(state.commit(batch(free(), vec![decided("a")])).await.is_err());
    assert_eq!(state.tokens().await.unwrap()[1].kind, TokenKind::Made);
}

pub async fn tokens_that_their_users_got_are_forgotten_once_they_ended(bench: &Bench) {
    let state = bench.open();
    let until = |id: &str, kind, expires_at: i64| Token { kind, expires_at: Some(at(expires_at)), ..token(id, "ben") };
    let made = |token: Token| vec![Command::TokenCreated { token }];
    for (id, kind) in [("1", TokenKind::Exchanged), ("2", TokenKind::Session), ("3", TokenKind::Made), ("4", TokenKind::Named)] {
        commit(&*state, made(until(id, kind, 50))).await;
    }
    let at_last = |id: &str, now: i64| Token { created_at: at(now), ..until(id, TokenKind::Session, 90) };
    commit(&*state, made(at_last("5", 49))).await;
    assert_eq!(state.tokens().await.unwrap().len(), 5, "none has ended");
    commit(&*state, vec![Command::TokenRevoked { id: "2".into() }]).await;
    assert_eq!(state.tokens().await.unwrap().len(), 5, "no other was made since");
    commit(&*state, made(at_last("6", 49))).await;
    commit(&*state, made(at_last("7", 50))).await;
    let left: Vec<String> = state.tokens().await.unwrap().into_iter().map(|token| token.id).collect();
    assert_eq!(left, ["4", "5", "6", "7"], "a name that an admin gave stays somebody's");
    assert!(state.commit(batch(vec![Condition::NoTokens], vec![decided("a")])).await.is_err());
    let told = state.entries(Sequence(0), 100).await.unwrap();
    let ids = told.iter().flat_map(|entry| &entry.record.commands).filter(|one| matches!(one, Command::TokenCreated { .. }));
    assert_eq!(ids.count(), 7, "the ledger forgets nothing");
}

pub async fn a_user_name_is_taken_for_good_whatever_its_case(bench: &Bench) {
    let state = bench.open();
    let free = |name: &str| vec![Condition::UserNameFree { name: name.into() }];
    let make = |name: &str| batch(free(name), vec![Command::UserMade { user: user(name) }]);
    // At once, so that one is held against another that is not durable yet.
    let tries = ["ben", "BEN", "Ben"].map(|name| {
        let (state, make) = (Arc::clone(&state), make(name));
        tokio::spawn(async move { state.commit(make).await.is_ok() })
    });
    assert_eq!(futures_util::future::join_all(tries).await.into_iter().filter(|made| *made.as_ref().unwrap()).count(), 1);
    commit(&*state, vec![Command::UserChanged { name: "ben".into(), change: UserChange::Disabled(true) }]).await;
    assert!(state.commit(make("ben")).await.is_err(), "a disabled user is still that person");
    for reserved in ["admin", "Airlock", "ANONYMOUS"] {
        assert!(state.commit(make(reserved)).await.is_err(), "{reserved}");
    }
    commit(&*state, vec![Command::TokenCreated { token: token("1", "Maria") }]).await;
    assert!(matches!(state.commit(make("maria")).await, Err(CommitError::Conflict(Condition::UserNameFree { .. }))));
    commit(&*state, vec![Command::TokenRevoked { id: "1".into() }]).await;
    commit(&*state, vec![Command::TokenCreated { token: Token { kind: TokenKind::Session, ..token("2", "maria") } }]).await;
    state.commit(make("maria")).await.unwrap();
    commit(&*state, vec![Command::UserMade { user: user("MARIA") }]).await;
    assert_eq!(state.users().await.unwrap().len(), 2, "what no condition held back is no second user of that name");
}

pub async fn users_are_as_their_last_change_left_them(bench: &Bench) {
    let state = bench.open();
    assert!(state.users().await.unwrap().is_empty());
    commit(&*state, vec![Command::UserMade { user: user("ann") }, Command::UserMade { user: user("ben") }]).await;
    let change = |change| Command::UserChanged { name: "Ann".into(), change };
    let hash = PasswordHash::new("$argon2id$x".into());
    let changes = vec![
        change(UserChange::Password(hash.clone())),
        change(UserChange::Role(Role::Approver)),
        change(UserChange::Email(Some("a@acme.example".into()))),
        change(UserChange::Disabled(true)),
        Command::UserChanged { name: "nobody".into(), change: UserChange::Disabled(true) },
    ];
    commit(&*state, changes).await;
    let users = state.users().await.unwrap();
    let email = Some("a@acme.example".to_owned());
    let ann = User { role: Role::Approver, password: Some(hash.clone()), email, disabled_at: Some(at(10)), ..user("ann") };
    assert_eq!(users[0], ann);
    assert_eq!(users[1..], [user("ben")]);
    commit(&*state, vec![change(UserChange::Disabled(false)), change(UserChange::Email(None))]).await;
    let ann = &state.users().await.unwrap()[0];
    assert_eq!((ann.disabled_at, &ann.email), (None, &None));
    // The records are ann's: the password of another is known to her, and to whom it is said.
    let given = |name: &str, change| Command::UserChanged { name: name.into(), change };
    commit(&*state, vec![given("ben", UserChange::Password(hash.clone()))]).await;
    assert_eq!(state.users().await.unwrap()[1].behind, Some(vec!["ann".to_owned()]));
    let said = UserChange::Behind(vec!["ann".to_owned(), "root".to_owned()]);
    commit(&*state, vec![given("ben", UserChange::Password(hash)), given("ben", said)]).await;
    assert_eq!(state.users().await.unwrap()[1].behind, Some(vec!["ann".to_owned(), "root".to_owned()]));
    assert_eq!(state.packages(None, 10).await.unwrap(), [], "a user is no package");
}

pub async fn what_is_published_here_is_known_as_ours(bench: &Bench) {
    let state = bench.open();
    assert!(state.locals().await.unwrap().is_empty());
    let unknown = vec![Condition::Revision { package: package("web"), is: Sequence(0) }];
    let first = || vec![Command::Assigned { package: package("web"), to: NameOwner::Local }, submitted("web", "1.0.0")];
    let sequence = state.commit(batch(unknown.clone(), first())).await.unwrap();
    assert!(state.commit(batch(unknown, first())).await.is_err(), "the name has an owner");
    commit(&*state, vec![Command::Assigned { package: package("app"), to: NameOwner::Local }]).await;
    assert_eq!(state.locals().await.unwrap(), [package("app"), package("web")]);
    let local = state.package(&package("web")).await.unwrap().local.clone().unwrap();
    let release = &local.releases[&Version::parse("1.0.0").unwrap()];
    assert_eq!((release.sequence, release.by.as_str(), local.owners.len()), (sequence, "ann", 1));
    let record = state.entries(Sequence(sequence.0 - 1), 1).await.unwrap().remove(0).record;
    let text = record.commands.iter().find_map(|command| match command {
        Command::Submitted { submission, .. } => Some(submission.manifest.clone()),
        _ => None,
    });
    assert_eq!(text.as_deref(), Some("{\"version\":\"1.0.0\"}"), "the sequence leads to the manifest");
    let withdrawn = Amendment::Withdrawn { version: Version::parse("1.0.0").unwrap() };
    commit(&*state, vec![Command::Amended { package: package("web"), by: "ann".into(), changes: vec![withdrawn] }]).await;
    assert_eq!(state.locals().await.unwrap().len(), 2, "a name stays ours without a release");
    commit(&*state, vec![Command::Assigned { package: package("web"), to: NameOwner::Upstream }]).await;
    assert_eq!(state.locals().await.unwrap(), [package("app")]);
    assert_eq!(state.package(&package("web")).await.unwrap().local, None);
}

pub async fn what_people_approved_once_is_let_in(bench: &Bench) {
    let state = bench.open();
    commit(&*state, vec![decided("web")]).await;
    assert_eq!(state.let_in().await.unwrap(), [], "it was rejected");
    for name in ["web", "app", "web"] {
        let approved = match decided(name) {
            Command::Decided { release, decision } => Command::Decided { release, decision: Decision { verb: Verb::Approve, ..decision } },
            other => other,
        };
        commit(&*state, vec![approved]).await;
    }
    let reopened = match decided("app") {
        Command::Decided { release, decision } => Command::Decided { release, decision: Decision { verb: Verb::Reopen, ..decision } },
        other => other,
    };
    commit(&*state, vec![reopened]).await;
    assert_eq!(state.let_in().await.unwrap(), [package("app"), package("web")]);
}

pub async fn a_star_is_remembered_of_any_package(bench: &Bench) {
    let state = bench.open();
    commit(&*state, vec![submitted("web", "1.0.0")]).await;
    commit(&*state, vec![starred("web", "ann", true), starred("left-pad", "ann", true), starred("web", "ben", true)]).await;
    assert_eq!(state.stars_of("ann").await.unwrap(), [package("left-pad"), package("web")]);
    assert_eq!(state.package(&package("web")).await.unwrap().local.as_ref().unwrap().stars.len(), 2);
    assert_eq!(state.package(&package("left-pad")).await.unwrap().local, None, "a star makes nothing ours");
    commit(&*state, vec![starred("web", "ann", false), starred("left-pad", "ann", false), starred("x", "eve", false)]).await;
    assert!(state.stars_of("ann").await.unwrap().is_empty());
    assert_eq!(state.stars_of("ben").await.unwrap(), [package("web")]);
    assert!(state.stars_of("eve").await.unwrap().is_empty());
}

pub async fn signing_keys_are_kept_for_good(bench: &Bench) {
    let state = bench.open();
    assert!(state.keys().await.unwrap().is_empty());
    for id in ["one", "two"] {
        commit(&*state, vec![Command::KeyMade { key: key(id) }]).await;
    }
    assert_eq!(state.keys().await.unwrap(), [key("one"), key("two")]);
}
