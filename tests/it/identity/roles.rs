//! What roles of users, tokens and groups give together.

use std::time::Duration;

use airlock::access::Access;
use airlock::access::users::SignedIn;
use airlock::clock::Clock;
use airlock::config::access::Group;
use airlock::model::package::PackageName;
use airlock::model::pattern::PackagePattern;
use airlock::model::token::Role;
use serde_json::json;

use super::PASSWORD;
use super::airlock;
use super::edit;
use super::make_user;
use super::sign_in;
use super::whoami;
use crate::support::scenario::Scenario;

#[tokio::test]
async fn a_users_role_of_the_moment_counts_for_every_token() {
    let airlock = airlock().await;
    make_user(&airlock, "maria", "approver").await;
    let maria = sign_in(&airlock, "maria").await;
    let queue = || airlock.call("GET", "/-/airlock/v1/queue").bearer(&maria).send();
    assert_eq!(queue().await.status, 200);
    assert_eq!(edit(&airlock, "maria", &json!({"role": "publisher"})).await.status, 200);
    let refused = queue().await;
    assert!(refused.status == 403 && refused.text().contains("yours is publisher"), "{}", refused.text());
    assert_eq!(edit(&airlock, "maria", &json!({"disabled": true})).await.json()["disabled_at"], json!(airlock.now().to_string()));
    assert_eq!(whoami(&airlock, &maria).await.status, 401, "at once");
    let airlock = airlock.restart().await;
    assert_eq!(whoami(&airlock, &maria).await.status, 401, "and after a restart");
    assert_eq!(edit(&airlock, "maria", &json!({"disabled": false})).await.status, 200);
    assert_eq!(whoami(&airlock, &maria).await.status, 200);
}

#[tokio::test]
async fn a_group_gives_its_role_to_its_members_while_it_says_so() {
    let group = |role| Group { role, members: vec!["Maria".into()], claims: Vec::new(), packages: Vec::new() };
    let airlock = Scenario::new().gated_by(|config| _ = config.access.groups.insert("reviewers".into(), group(Role::Approver))).await;
    make_user(&airlock, "maria", "publisher").await;
    make_user(&airlock, "otto", "publisher").await;
    let (maria, otto) = (sign_in(&airlock, "maria").await, sign_in(&airlock, "otto").await);
    let status = async |airlock: &crate::support::airlock::Airlock, token: &str| {
        airlock.call("GET", "/-/airlock/v1/queue").bearer(token).send().await.status
    };
    assert_eq!((status(&airlock, &maria).await, status(&airlock, &otto).await), (200, 403));
    let airlock = airlock.restart_with(|config| config.access.groups.clear()).await;
    assert_eq!(status(&airlock, &maria).await, 403);
}

/// What a caller may publish, as access says it; that publishing asks it is tried where publishing is.
#[tokio::test]
async fn a_group_publishes_its_scope_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = airlock::config::Config::default();
    config.storage.data_dir = folder.path().to_owned();
    let packages = vec![PackagePattern::parse("@acme/*").unwrap()];
    let web = Group { role: Role::Publisher, members: vec!["maria".into()], claims: vec!["acme-web".into()], packages };
    config.access.groups.insert("web".into(), web);
    let app = airlock::app::App::build(&config, "http://127.0.0.1:9/".parse().unwrap(), Clock::system()).await.unwrap();
    let access: &Access = &app.access;
    let new = |name: &str, role| airlock::access::users::NewUser {
        name: name.into(),
        role,
        email: None,
        password: Some(PASSWORD.into()),
        oidc: None,
    };
    let by = airlock::access::by::By::airlock();
    for (name, role) in [("maria", Role::Reader), ("otto", Role::Publisher), ("lisa", Role::Reader)] {
        access.make_user(new(name, role), &by).await.unwrap();
    }
    let (ours, other) = (PackageName::npm("@acme/web").unwrap(), PackageName::npm("left-pad").unwrap());
    // By membership, by role, by a claim of the identity provider, by nothing.
    for (name, groups, reaches, oversteps) in [
        ("maria", vec![], (true, false), (true, false)),
        ("otto", vec![], (true, true), (false, false)),
        ("otto", vec!["web"], (true, true), (true, false)),
        ("lisa", vec!["web"], (true, false), (true, false)),
        ("lisa", vec!["gone"], (false, false), (false, false)),
        ("lisa", vec![], (false, false), (false, false)),
    ] {
        let groups = groups.into_iter().map(str::to_owned).collect();
        let signed_in = SignedIn { name: name.into(), groups, lives_for: Duration::from_secs(60), behind: Vec::new() };
        let created = access.session_token(&signed_in).await.unwrap();
        let address = std::net::Ipv4Addr::LOCALHOST.into();
        let principal = access.identify(Some(&format!("Bearer {}", created.text)), address).await.unwrap();
        assert_eq!((principal.reaches(&ours), principal.reaches(&other)), reaches, "{signed_in:?}");
        assert_eq!((principal.oversteps(&ours), principal.oversteps(&other)), oversteps, "{signed_in:?}");
        assert_eq!(principal.roles.covers(Role::Publisher), reaches.0, "{signed_in:?}");
        assert_eq!(principal.behind, [name]);
    }
    app.close().await;
}

#[tokio::test]
async fn who_made_a_token_stands_behind_it() {
    let airlock = airlock().await;
    make_user(&airlock, "root", "admin").await;
    let root = sign_in(&airlock, "root").await;
    let made = airlock.call("POST", "/-/airlock/v1/tokens").bearer(&root).json(&json!({"name": "ci", "role": "publisher"})).send().await;
    assert_eq!(made.status, 201, "{}", made.text());
    let found = crate::support::binary::files_below(&airlock.data_dir().join("ledger")).into_iter().any(|file| {
        let bytes = std::fs::read(file).unwrap();
        let text = br#""made_by":"root""#;
        bytes.windows(text.len()).any(|window| window == text)
    });
    assert!(found, "it is in the ledger, where separation of duties reads it");
}
