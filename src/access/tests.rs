//! Tokens through the store: roles, names, expiry, revocation, the first admin.

mod crowd;
mod hands;
mod lasting;

use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use super::*;
use crate::access::users::NewUser;
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
