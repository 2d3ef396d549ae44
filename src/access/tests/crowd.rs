//! Many at once: who waits has not failed.

use super::*;

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
    // Who guesses gets no further at once than one after the other.
    let (answers, computed) = ask("eve", (0..50).map(|n| format!("guess {n}")).collect()).await;
    let refused = answers.iter().filter(|answer| matches!(answer, Err(AccessError::NotValid))).count();
    let blocked = answers.iter().filter(|answer| matches!(answer, Err(AccessError::TooManyAttempts(_)))).count();
    assert_eq!((refused, blocked, computed), (10, 40, 10), "{answers:?}");
    let (answers, computed) = ask("otto", vec!["a good password".to_owned(); 50]).await;
    assert!(answers.iter().all(Result::is_ok) && computed == 0, "what was right a moment ago needs no attempt");
    let (answers, _) = ask("otto", vec!["another".to_owned()]).await;
    assert!(matches!(answers[..], [Err(AccessError::NotValid)]), "ten failed from here, of another name");
}

/// A forgotten password in a configuration: an install sends it fifty times, and that is no attack.
#[tokio::test]
async fn one_wrong_password_said_many_times_at_once_is_hardly_more_than_one_attempt() {
    let (access, _) = access_to(&Arc::new(MemoryState::new()), Anonymous::Reader);
    access.make_user(otto(Role::Publisher, "a good password"), &root()).await.unwrap();
    let wrong = basic("otto", "wrong");
    let before = access.passwords.computed();
    let asked = (0..50).map(|_| access.identify(Some(&wrong), HERE));
    let answers = futures_util::future::join_all(asked).await;
    assert!(answers.iter().all(|answer| matches!(answer, Err(AccessError::NotValid))), "{answers:?}");
    assert_eq!(access.passwords.computed() - before, 2, "the first, and one of those that came while it was looked at");
    access.identify(Some(&basic("otto", "a good password")), HERE).await.unwrap();
}

/// Else whoever guesses has as many guesses as they like while somebody works: a right one would be told from a wrong one.
#[tokio::test]
async fn what_was_right_a_moment_ago_is_a_guess_from_elsewhere() {
    let (access, _) = access_to(&Arc::new(MemoryState::new()), Anonymous::Reader);
    access.make_user(otto(Role::Publisher, "a good password"), &root()).await.unwrap();
    let right = basic("otto", "a good password");
    access.identify(Some(&right), HERE).await.unwrap();
    let there = IpAddr::from([198, 51, 100, 7]);
    for n in 0..10 {
        let guess = access.identify(Some(&basic("otto", &format!("guess {n}"))), there).await;
        assert!(matches!(guess, Err(AccessError::NotValid)), "{guess:?}");
    }
    let guess = access.identify(Some(&right), there).await;
    assert!(matches!(guess, Err(AccessError::TooManyAttempts(_))), "{guess:?}");
    access.identify(Some(&right), HERE).await.unwrap();
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
