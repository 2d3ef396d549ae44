//! Tokens through the store: roles, names, expiry, revocation, the first admin.

use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use super::*;
use crate::access::users::NewUser;
use crate::model::user::Subject;
use crate::model::user::UserChange;
use crate::storage::memory::MemoryState;

fn access_to(state: &Arc<MemoryState>, anonymous: Anonymous) -> (Access, Clock) {
    let clock = Clock::test(Timestamp::parse("2026-11-20T12:00:00Z").unwrap());
    (
        Access::new(
            Arc::clone(state) as Arc<dyn State>,
            clock.clone(),
            &config::access::Access { anonymous, ..config::access::Access::default() },
        ),
        clock,
    )
}

const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

async fn who(access: &Access, authorization: Option<&str>) -> (Option<String>, Roles) {
    let principal = access.identify(authorization, HERE).await.unwrap();
    (principal.name.clone(), principal.roles)
}

fn root() -> By {
    By::themselves("root")
}

fn basic(user: &str, password: &str) -> String {
    format!("Basic {}", data_encoding::BASE64.encode(format!("{user}:{password}").as_bytes()))
}

#[tokio::test]
async fn a_caller_without_a_token_reads_or_does_nothing() {
    let state = Arc::new(MemoryState::new());
    let (access, _) = access_to(&state, Anonymous::Reader);
    assert_eq!(who(&access, None).await, (None, Roles::of(Role::Reader)));
    let (access, _) = access_to(&state, Anonymous::None);
    assert_eq!(who(&access, None).await, (None, Roles::NONE));
}

#[tokio::test]
async fn a_token_is_known_as_bearer_and_as_password() {
    let (access, _) = access_to(&Arc::new(MemoryState::new()), Anonymous::Reader);
    let created = access.create("alice", Role::Approver, None, &root()).await.unwrap();
    assert_eq!(created.text.len(), "airlock_".len() + 12 + 1 + 43);
    let alice = (Some("alice".to_owned()), Roles::of(Role::Approver));
    for good in
        [format!("Bearer {}", created.text), format!("bearer  {}", created.text), basic("any", &created.text), basic("", &created.text)]
    {
        assert_eq!(who(&access, Some(&good)).await, alice, "{good}");
    }
}

#[tokio::test]
async fn everything_else_is_refused_alike() {
    let (access, clock) = access_to(&Arc::new(MemoryState::new()), Anonymous::Reader);
    let text = access.create("alice", Role::Reader, None, &root()).await.unwrap().text;
    let other = access.create("bob", Role::Reader, None, &root()).await.unwrap().text;
    let short = access.create("carol", Role::Reader, Some(clock.now().plus(Duration::from_secs(60))), &root()).await.unwrap().text;
    assert!(access.identify(Some(&format!("Bearer {short}")), HERE).await.is_ok());
    clock.advance(Duration::from_secs(60));
    let mixed = format!("{}_{}", &text[..20], &other[21..]);
    let flipped = format!("{}{}", &text[..text.len() - 1], if text.ends_with('A') { 'E' } else { 'A' });
    let unknown = format!("airlock_000000000000_{}", &text[21..]);
    let said = AccessError::NotValid.to_string();
    for bad in [
        String::new(),
        "Bearer".into(),
        "Bearer ".into(),
        text.clone(),
        format!("Token {text}"),
        format!("Bearer {mixed}"),
        format!("Bearer {flipped}"),
        format!("Bearer {unknown}"),
        format!("Bearer {short}"),
        format!("Bearer {text}x"),
        format!("Bearer {}", "x".repeat(2_000)),
        "Basic %%%".into(),
        basic(&text, ""),
        basic("admin", "admin"),
        "Basic YWxpY2U=".into(),
    ] {
        let error = access.identify(Some(&bad), HERE).await.unwrap_err();
        assert!(matches!(error, AccessError::NotValid), "{bad}: {error}");
        assert_eq!(error.to_string(), said);
    }
}

#[tokio::test]
async fn a_revocation_counts_at_once_and_frees_the_name() {
    let state = Arc::new(MemoryState::new());
    let (access, _) = access_to(&state, Anonymous::Reader);
    let created = access.create("alice", Role::Approver, None, &root()).await.unwrap();
    let bearer = format!("Bearer {}", created.text);
    assert!(matches!(access.create("alice", Role::Reader, None, &root()).await, Err(AccessError::NameTaken(_))));
    access.revoke(&created.token.id, root().actor()).await.unwrap();
    assert!(matches!(access.identify(Some(&bearer), HERE).await, Err(AccessError::NotValid)));
    access.revoke(&created.token.id, root().actor()).await.unwrap();
    access.create("alice", Role::Reader, None, &root()).await.unwrap();
    assert!(matches!(access.revoke("ffffffffffff", root().actor()).await, Err(AccessError::UnknownToken(_))));
    let (again, _) = access_to(&state, Anonymous::Reader);
    assert!(matches!(again.identify(Some(&bearer), HERE).await, Err(AccessError::NotValid)), "after a restart too");
    assert_eq!(again.list().await.unwrap().len(), 2);
}

#[tokio::test]
async fn a_change_that_was_refused_changed_nothing() {
    let state = Arc::new(MemoryState::new());
    let (access, _) = access_to(&state, Anonymous::Reader);
    let created = access.create("alice", Role::Approver, None, &root()).await.unwrap();
    state.close().await;
    assert!(matches!(access.revoke(&created.token.id, root().actor()).await, Err(AccessError::Commit(_))));
    assert!(access.identify(Some(&format!("Bearer {}", created.text)), HERE).await.is_ok());
    assert!(matches!(access.create("bob", Role::Reader, None, &root()).await, Err(AccessError::Commit(_))));
    assert_eq!(access.list().await.unwrap().len(), 1);
}

#[tokio::test]
async fn names_are_people() {
    let (access, clock) = access_to(&Arc::new(MemoryState::new()), Anonymous::Reader);
    for bad in ["", " alice", "alice ", "al\u{e9}", "a\nb", &"x".repeat(65)] {
        assert!(matches!(access.create(bad, Role::Reader, None, &root()).await, Err(AccessError::NotAName)), "{bad:?}");
    }
    assert!(matches!(access.create("Airlock", Role::Reader, None, &root()).await, Err(AccessError::NameReserved(_))));
    assert!(matches!(access.create("x", Role::Reader, Some(clock.now()), &root()).await, Err(AccessError::ExpiryInPast(_))));
    assert!(access.create("Ann Lee (build)", Role::Reader, None, &root()).await.is_ok());
}

#[tokio::test]
async fn the_first_start_leaves_an_admin_and_the_second_does_not() {
    let folder = tempfile::tempdir().unwrap();
    let state = Arc::new(MemoryState::new());
    let (access, _) = access_to(&state, Anonymous::None);
    let path = access.bootstrap(folder.path()).await.unwrap().unwrap();
    assert_eq!(path, folder.path().join("admin-token"));
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let text = std::fs::read_to_string(&path).unwrap();
    let admin = access.identify(Some(&format!("Bearer {}", text.trim())), HERE).await.unwrap();
    assert_eq!((admin.name.as_deref(), admin.roles), (Some("admin"), Roles::of(Role::Admin)));
    let id = access.list().await.unwrap()[0].id.clone();
    assert!(matches!(access.revoke(&id, root().actor()).await, Err(AccessError::LastAdmin)));
    let (again, _) = access_to(&state, Anonymous::None);
    assert_eq!(again.bootstrap(folder.path()).await.unwrap(), None);
    assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
}

#[tokio::test]
async fn a_crash_before_the_commit_costs_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let state = Arc::new(MemoryState::new());
    let (access, _) = access_to(&state, Anonymous::None);
    state.close().await;
    assert!(access.bootstrap(folder.path()).await.is_err());
    let lost = std::fs::read_to_string(folder.path().join("admin-token")).unwrap();
    std::fs::write(folder.path().join("admin-token.new"), "torn").unwrap();
    let (access, _) = access_to(&Arc::new(MemoryState::new()), Anonymous::None);
    let path = access.bootstrap(folder.path()).await.unwrap().unwrap();
    let text = std::fs::read_to_string(path).unwrap();
    assert_ne!(text, lost);
    assert!(access.identify(Some(&format!("Bearer {}", text.trim())), HERE).await.is_ok());
    assert!(access.identify(Some(&format!("Bearer {}", lost.trim())), HERE).await.is_err());
}

fn otto(role: Role, password: &str) -> NewUser {
    NewUser { name: "otto".into(), role, email: None, password: Some(password.into()), oidc: None }
}

async fn behind(access: &Access, authorization: &str) -> Vec<String> {
    access.identify(Some(authorization), HERE).await.unwrap().behind.clone()
}

#[tokio::test]
async fn whoever_made_the_token_that_made_the_token_stands_behind_it() {
    let state = Arc::new(MemoryState::new());
    let (access, _) = access_to(&state, Anonymous::Reader);
    let ann = access.create("ann", Role::Admin, None, &root()).await.unwrap();
    let by_ann = By::caller(&access.identify(Some(&format!("Bearer {}", ann.text)), HERE).await.unwrap()).unwrap();
    let build = access.create("build", Role::Publisher, None, &by_ann).await.unwrap();
    let bearer = format!("Bearer {}", build.text);
    assert_eq!(behind(&access, &bearer).await, ["build", "ann", "root"]);
    assert_eq!(build.token.made_by.as_deref(), Some("ann"));
    access.make_user(otto(Role::Publisher, "a good password"), &by_ann).await.unwrap();
    assert_eq!(behind(&access, &basic("otto", "a good password")).await, ["otto", "ann", "root"]);
    let (again, _) = access_to(&state, Anonymous::Reader);
    assert_eq!(behind(&again, &bearer).await, ["build", "ann", "root"], "after a restart too");
    assert_eq!(behind(&again, &basic("OTTO", "a good password")).await, ["otto", "ann", "root"]);
}

#[tokio::test]
async fn a_password_of_ones_own_is_known_to_nobody_else() {
    let (access, _) = access_to(&Arc::new(MemoryState::new()), Anonymous::Reader);
    access.make_user(otto(Role::Publisher, "given by root"), &root()).await.unwrap();
    let session = async |password: &str| {
        let signed_in = access.sign_in("otto", password, HERE).await.unwrap();
        format!("Bearer {}", access.session_token(&signed_in).await.unwrap().text)
    };
    let old = session("given by root").await;
    assert_eq!(behind(&access, &old).await, ["otto", "root"]);
    access.change_password("otto", "given by root", "chosen by otto", HERE).await.unwrap();
    assert_eq!(behind(&access, &session("chosen by otto").await).await, ["otto"]);
    assert_eq!(behind(&access, &old).await, ["otto", "root"], "who has the session of before may be root");
    let made = Principal { name: Some("otto".into()), ..Principal::anonymous(Roles::of(Role::Publisher)) };
    let made = access.make_own(&made, "chosen by otto", own::Making::default(), HERE).await.unwrap();
    assert_eq!(behind(&access, &format!("Bearer {}", made.text)).await, ["otto"]);
    let reset = vec![UserChange::Password(access.hashed("given by eve").await.unwrap())];
    access.change_user("Otto", reset, &By::themselves("eve")).await.unwrap();
    assert_eq!(behind(&access, &session("given by eve").await).await, ["otto", "eve"]);
}

#[tokio::test]
async fn whom_the_company_vouches_for_nobody_else_stands_for() {
    let state = Arc::new(MemoryState::new());
    let clock = Clock::test(Timestamp::parse("2026-11-20T12:00:00Z").unwrap());
    let issuer = config::access::Issuer { text: "https://login.example/".into(), url: "https://login.example/".parse().unwrap() };
    let oidc = config::access::Oidc {
        issuer,
        client_id: "airlock".into(),
        client_secret: None,
        scopes: Vec::new(),
        name_claim: "name".into(),
        groups_claim: "groups".into(),
        sign_in_for: Duration::from_secs(60),
    };
    let config = config::access::Access { oidc: Some(oidc), registration: Registration::Open, ..config::access::Access::default() };
    let access = Access::new(Arc::clone(&state) as Arc<dyn State>, clock, &config);
    let subject = Subject { issuer: "https://login.example/".into(), subject: "8f1c".into() };
    let person = || oidc::sign_in::Person { subject: subject.clone(), name: "maria".into(), email: None, groups: Vec::new() };
    access.admit(person()).await.unwrap();
    let given = vec![UserChange::Password(access.hashed("given by root").await.unwrap())];
    access.change_user("maria", given, &root()).await.unwrap();
    assert_eq!(access.sign_in("maria", "given by root", HERE).await.unwrap().behind, ["root"]);
    assert_eq!(access.admit(person()).await.unwrap().behind, Vec::<String>::new());
}

#[tokio::test]
async fn a_name_is_one_person_in_whatever_case() {
    let (access, _) = access_to(&Arc::new(MemoryState::new()), Anonymous::Reader);
    let first = access.create("Ann Lee", Role::Approver, None, &root()).await.unwrap();
    assert!(matches!(access.create("ANN LEE", Role::Approver, None, &root()).await, Err(AccessError::NameTaken(_))));
    assert!(
        access.is_anybody("ann lee").await.unwrap() && access.tokens_of("ann lee").await.unwrap() == std::slice::from_ref(&first.token)
    );
    access.revoke(&first.token.id, root().actor()).await.unwrap();
    let own = access.create("ROOT", Role::Admin, None, &root()).await.unwrap();
    assert_eq!((own.token.made_by, own.token.behind), (None, Some(Vec::new())), "who makes it for themselves is nobody else");
    for build in ["ci:acme/web", "CI:acme/web"] {
        assert!(matches!(access.create(build, Role::Approver, None, &root()).await, Err(AccessError::NameReserved(_))), "{build}");
    }
}

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
    let session = access.create("alice", Role::Approver, None, &root()).await.unwrap();
    access.changing.lock().await.undurable.insert(session.token.id.clone());
    access.revoke(&session.token.id, root().actor()).await.unwrap();
    assert!(access.changing.lock().await.undurable.is_empty());
    assert!(state.tokens().await.unwrap()[0].revoked_at.is_some());
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_who_say_the_same_at_once_are_looked_at_once() {
    let (access, _) = access_to(&Arc::new(MemoryState::new()), Anonymous::Reader);
    access.make_user(otto(Role::Publisher, "a good password"), &root()).await.unwrap();
    let access = Arc::new(access);
    let ask = async |name: &str, passwords: Vec<String>| {
        let before = access.passwords.computed();
        let asked = passwords.into_iter().map(|password| {
            let (access, authorization) = (Arc::clone(&access), basic(name, &password));
            tokio::spawn(async move { access.identify(Some(&authorization), HERE).await.map(|principal| principal.roles) })
        });
        let answers = futures_util::future::join_all(asked).await.into_iter().map(Result::unwrap).collect::<Vec<_>>();
        (answers, access.passwords.computed() - before)
    };
    let (answers, computed) = ask("otto", vec!["a good password".to_owned(); 50]).await;
    assert!(answers.iter().all(Result::is_ok), "{answers:?}");
    assert_eq!(computed, 1);
    // Who guesses gets no further at once than one after the other, with one guess or with fifty.
    for (name, guesses) in [("maria", vec!["wrong".to_owned(); 50]), ("eve", (0..50).map(|n| format!("guess {n}")).collect())] {
        let (answers, computed) = ask(name, guesses).await;
        let refused = answers.iter().filter(|answer| matches!(answer, Err(AccessError::NotValid))).count();
        let blocked = answers.iter().filter(|answer| matches!(answer, Err(AccessError::TooManyAttempts(_)))).count();
        assert_eq!((refused, blocked, computed), (10, 40, 10), "{name}: {answers:?}");
    }
    let (answers, computed) = ask("otto", vec!["a good password".to_owned(); 50]).await;
    assert!(answers.iter().all(Result::is_ok) && computed == 0, "what was right a moment ago needs no attempt");
    let (answers, _) = ask("otto", vec!["another".to_owned()]).await;
    assert!(matches!(answers[..], [Err(AccessError::TooManyAttempts(_))]), "twenty failed from here");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_people_behind_one_address_sign_in_at_once() {
    let (access, _) = access_to(&Arc::new(MemoryState::new()), Anonymous::Reader);
    for n in 0..30 {
        let new = NewUser { name: format!("user{n}"), ..otto(Role::Reader, "a good password") };
        access.make_user(new, &root()).await.unwrap();
    }
    let access = Arc::new(access);
    let asked = (0..30).map(|n| {
        let access = Arc::clone(&access);
        tokio::spawn(async move { access.sign_in(&format!("user{n}"), "a good password", HERE).await.map(|signed_in| signed_in.name) })
    });
    for answer in futures_util::future::join_all(asked).await {
        answer.unwrap().unwrap();
    }
}

#[tokio::test]
async fn a_token_made_of_a_sign_in_keeps_its_groups_no_longer_than_that() {
    let (access, clock) = access_to(&Arc::new(MemoryState::new()), Anonymous::Reader);
    access.make_user(otto(Role::Publisher, "a good password"), &root()).await.unwrap();
    let signed_in = access.sign_in("otto", "a good password", HERE).await.unwrap();
    let ends_at = clock.now().plus(signed_in.lives_for);
    let make = async |signed_in: &users::SignedIn, lives_for_days| {
        let session = access.session_token(signed_in).await.unwrap();
        let principal = access.identify(Some(&format!("Bearer {}", session.text)), HERE).await.unwrap();
        let making = own::Making { lives_for_days, ..own::Making::default() };
        access.make_own(&principal, "a good password", making, HERE).await.unwrap().token
    };
    assert_eq!(make(&signed_in, None).await.expires_at, None);
    let vouched = users::SignedIn { groups: vec!["web".into()], ..signed_in };
    for (days, expect) in [(None, ends_at), (Some(3_000), ends_at), (Some(1), clock.now().plus(Duration::from_secs(86_400)))] {
        let made = make(&vouched, days).await;
        assert_eq!((made.groups, made.expires_at), (vec!["web".to_owned()], Some(expect)), "{days:?}");
    }
}

#[test]
fn sign_ins_that_wait_are_counted_by_subscriber() {
    let (access, _) = access_to(&Arc::new(MemoryState::new()), Anonymous::Reader);
    let from = |net: u16, host: u16| IpAddr::from([0x2001, 0xdb8, 0, net, 0, 0, 0, host]);
    for host in 0..10 {
        assert!(access.begin_web(from(1, host), None).is_ok());
    }
    assert!(matches!(access.begin_web(from(1, 99), None), Err(AccessError::TooManySessions)));
    assert!(access.begin_web(from(2, 1), None).is_ok());
}
