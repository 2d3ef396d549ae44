//! kill -9 of the real binary at 50 random moments of an install of 100 packages, while a person decides. A moment is the
//! n-th thing that happens: a request sent, a part of an answer come, a question heard upstream, a decision acknowledged.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::Ordering;

use tokio::task::JoinSet;

use super::dice::Dice;
use super::install::Install;
use super::person::Person;
use super::person::audit;
use super::world;
use crate::clients::program::client;
use crate::clients::project::Project;
use crate::support::binary::Launch;
use crate::support::binary::Server;
use crate::support::upstream::Upstream;
use crate::support::within;

const KILLS: usize = 50;
/// Of what is counted, so much happens at most until the next kill.
const STEPS_MAX: usize = 80;
const ARRIVALS_MAX: usize = 8;
const DECISIONS_MAX: usize = 6;
/// Decisions under way at once.
const PERSONS: usize = 2;

/// The ledger as far as it was read; what was read once never changes.
#[derive(Default)]
struct Audited {
    last: Option<(u64, String)>,
    reasons: BTreeSet<String>,
}

impl Audited {
    async fn read_on(&mut self, at: SocketAddr, token: &str) {
        let after = self.last.as_ref().map_or(0, |(sequence, _)| sequence - 1);
        for (sequence, hash, reasons) in audit(at, token, after).await {
            if let Some((last, known)) = &self.last {
                if sequence == *last {
                    assert_eq!(hash, *known, "entry {sequence} is another than before");
                    continue;
                }
                assert_eq!(sequence, last + 1, "the ledger has a gap");
            }
            self.reasons.extend(reasons);
            self.last = Some((sequence, hash));
        }
    }
}

struct Round<'r> {
    upstream: &'r Upstream,
    install: &'r Arc<Install>,
    person: &'r Arc<Mutex<Person>>,
}

impl Round<'_> {
    fn begin(&self, at: SocketAddr) -> JoinSet<()> {
        self.install.killed.store(false, Ordering::SeqCst);
        let mut tasks = JoinSet::new();
        self.install.spawn(at, &mut tasks);
        for _ in 0..PERSONS {
            let (person, install) = (Arc::clone(self.person), Arc::clone(self.install));
            tasks.spawn(async move { Person::decide(&person, at, &install, usize::MAX).await });
        }
        tasks
    }

    /// Kills it when, from now on, so many things have happened.
    async fn kill_at(&self, server: Server, dice: &mut Dice) -> Launch {
        let (mut steps, mut arrivals) = (self.install.steps.subscribe(), self.upstream.arrivals());
        let mut decided = self.install.decided.subscribe();
        let (at_step, at_arrival, at_decision) = match dice.below(4) {
            0 => (1 + dice.below(STEPS_MAX), usize::MAX, usize::MAX),
            1 => (usize::MAX, usize::MAX, 1 + dice.below(DECISIONS_MAX)),
            // Once everything is known, nothing is asked of upstream any more.
            _ => (4 * STEPS_MAX, 1 + dice.below(ARRIVALS_MAX), usize::MAX),
        };
        let (first_step, first_arrival, first_decision) = (*steps.borrow(), *arrivals.borrow(), *decided.borrow());
        let mut tasks = self.begin(server.address());
        let moment = async {
            tokio::select! {
                reached = steps.wait_for(|now| *now - first_step >= at_step) => drop(reached.unwrap()),
                reached = arrivals.wait_for(|now| *now - first_arrival >= at_arrival) => drop(reached.unwrap()),
                reached = decided.wait_for(|now| *now - first_decision >= at_decision) => drop(reached.unwrap()),
            }
        };
        within("the moment", moment).await;
        self.install.killed.store(true, Ordering::SeqCst);
        let launch = server.kill();
        within("everyone to notice", async {
            while let Some(ended) = tasks.join_next().await {
                ended.unwrap();
            }
        })
        .await;
        launch
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_install_outlives_50_kills() {
    let mut dice = Dice::thrown("kill");
    let upstream = Arc::new(world::scenario(world::PACKAGES).start().await);
    let install = Install::of(world::PACKAGES, Arc::clone(&upstream));
    install.set_endless(true);
    let mut server = Launch::at(&upstream).start().await;
    let token = server.admin_token();
    let person = Person::of(world::PACKAGES, token.clone());
    let round = Round { upstream: &upstream, install: &install, person: &person };
    let mut audited = Audited::default();
    for kill in 0..KILLS {
        let launch = round.kill_at(server, &mut dice).await;
        if kill.is_multiple_of(5) {
            let folder = launch.data_dir().display().to_string();
            let proof = launch.command(&["audit", "verify", "--data-dir", &folder]).output().unwrap();
            assert!(proof.status.success(), "{}{}", String::from_utf8_lossy(&proof.stdout), String::from_utf8_lossy(&proof.stderr));
        }
        server = launch.start().await;
        assert_eq!(server.admin_token(), token, "the token is the one of the first start");
        server.run(&["audit", "verify"]).await.assert_success().assert_says("The ledger is sound");
        audited.read_on(server.address(), &token).await;
        person.lock().unwrap().assert_in(&audited.reasons);
        let nth = dice.below(person.lock().unwrap().subjects().max(1));
        Person::assert_stands(&person, server.address(), nth).await;
    }
    install.set_endless(false);
    let at = server.address();
    let mut tasks = JoinSet::new();
    install.killed.store(false, Ordering::SeqCst);
    install.spawn(at, &mut tasks);
    tasks.join_all().await;
    assert!(install.is_complete());
    let acknowledged = person.lock().unwrap().count();
    assert!(acknowledged > KILLS / 4, "only {acknowledged} decisions were acknowledged");
    let subjects = person.lock().unwrap().subjects();
    for nth in 0..subjects {
        Person::assert_stands(&person, at, nth).await;
    }
    // All of it once more: what was read piece by piece is still there as a whole.
    let mut whole = Audited::default();
    whole.read_on(at, &token).await;
    person.lock().unwrap().assert_in(&whole.reasons);
    let (_, launch) = server.stop().await;
    let server = launch.start().await;
    server.run(&["audit", "verify"]).await.assert_success();
    Person::assert_stands(&person, server.address(), 0).await;
}

/// Packages of an app that a real npm installs, and how often its registry dies meanwhile.
const APP_PACKAGES: usize = 20;
const APP_KILLS: usize = 3;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_real_npm_install_outlives_kills() {
    let Some(program) = client("npm").await else { return };
    let mut dice = Dice::thrown("npm");
    let upstream = world::scenario(APP_PACKAGES).start().await;
    let names: Vec<String> = (0..APP_PACKAGES).map(world::name).collect();
    let wanted: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "^1.0.0")).collect();
    let mut server = Launch::at(&upstream).start().await;
    let mut project = Project::new(&program, server.url(), &wanted);
    project.set("fetch-retries=0");
    for _ in 0..APP_KILLS {
        let mut arrivals = upstream.arrivals();
        let moment = *arrivals.borrow() + 1 + dice.below(APP_PACKAGES / 2);
        let launch = {
            let installing = project.install();
            tokio::pin!(installing);
            let ended = tokio::select! {
                ended = &mut installing => Some(ended),
                reached = arrivals.wait_for(|now| *now >= moment) => { drop(reached.unwrap()); None }
            };
            let launch = server.kill();
            if ended.is_none() {
                // Whether it noticed or had everything already is chance.
                installing.await;
            }
            launch
        };
        server = launch.start().await;
        server.run(&["audit", "verify"]).await.assert_success();
        project.forget_all_but_the_lockfile(server.url());
        project.set("fetch-retries=0");
    }
    project.install().await.assert_success();
    for name in &names {
        assert_eq!(project.installed(name).as_deref(), Some(world::OPEN), "{name}");
    }
}
