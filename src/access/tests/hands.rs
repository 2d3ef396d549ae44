//! Who stands behind what people come in with.

use super::*;
use crate::model::user::Subject;
use crate::model::user::UserChange;

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
