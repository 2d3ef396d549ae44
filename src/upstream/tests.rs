//! The room as its callers see it, over real sockets on this machine.

mod asking;
mod patience;
mod posting;
mod reach;
mod reading;
mod responder;

use std::collections::HashMap;
use std::collections::VecDeque;
use std::io;
use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;

use async_trait::async_trait;
use url::Url;

use crate::clock::Clock;
use crate::config;
use crate::config::upstream::Secret;
use crate::model::package::PackageId;
use crate::model::time::Timestamp;
use crate::upstream::Tuning;
use crate::upstream::Upstreams;
use crate::upstream::guard::Guard;
use crate::upstream::guard::Names;
use crate::upstream::patience::Backoff;

const TOKEN: &str = "canary-token";
const INSTANCE: &str = "airlock-under-test";

fn config() -> config::upstream::Upstream {
    config::upstream::Upstream { token: Some(Secret::new(TOKEN.to_owned())), ..config::upstream::Upstream::default() }
}

fn clock() -> Clock {
    Clock::test(Timestamp::parse("2026-11-27T14:05:00Z").unwrap())
}

fn package(name: &str) -> PackageId {
    PackageId::npm(name).unwrap()
}

fn upstreams(config: &config::upstream::Upstream, base: &str, clock: &Clock, guard: Guard) -> Upstreams {
    let backoff = Backoff { base: Duration::from_micros(1), max: Duration::from_micros(10) };
    Upstreams::build(config, &Url::parse(base).unwrap(), INSTANCE, clock, &Tuning { backoff, guard }).unwrap()
}

fn plain(base: &str) -> Upstreams {
    upstreams(&config(), base, &clock(), Guard::system())
}

/// Names with an answer per lookup; the last one stays.
struct Zone(Mutex<HashMap<String, VecDeque<IpAddr>>>);

impl Zone {
    fn new(names: &[(&str, &[&str])]) -> Arc<Zone> {
        let parse = |answers: &[&str]| answers.iter().map(|answer| answer.parse().unwrap()).collect();
        Arc::new(Zone(Mutex::new(names.iter().map(|(name, answers)| ((*name).to_owned(), parse(answers))).collect())))
    }

    /// A guard for which this machine's 127.0.0.1 is the public internet and all else is private.
    fn guard(self: &Arc<Zone>) -> Guard {
        Guard::new(Arc::clone(self) as Arc<dyn Names>, |address| address == IpAddr::V4(Ipv4Addr::LOCALHOST))
    }

    fn answers_left(&self, name: &str) -> usize {
        self.0.lock().unwrap()[name].len()
    }
}

#[async_trait]
impl Names for Zone {
    async fn addresses(&self, host: &str) -> io::Result<Vec<IpAddr>> {
        let mut zone = self.0.lock().unwrap();
        let answers = zone.get_mut(host).ok_or_else(|| io::Error::other("no such name"))?;
        let first = answers[0];
        if answers.len() > 1 {
            answers.pop_front();
        }
        Ok(vec![first])
    }
}
