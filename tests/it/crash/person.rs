//! An approver who decides without a break, and remembers what was acknowledged.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::Mutex;

use serde_json::Value;
use serde_json::json;

use super::install::Install;
use super::world;
use crate::support::http::Call;

/// A release, by the index of its package and its version.
type Subject = (usize, &'static str);

#[derive(Default)]
pub struct Person {
    token: String,
    packages: usize,
    decided: usize,
    /// The reason of every decision that was answered with 200, by release, oldest first.
    acknowledged: BTreeMap<Subject, Vec<(&'static str, String)>>,
}

impl Person {
    /// Decides of the first `packages` packages.
    pub fn of(packages: usize, token: String) -> Arc<Mutex<Person>> {
        Arc::new(Mutex::new(Person { token, packages, ..Person::default() }))
    }

    pub fn count(&self) -> usize {
        self.acknowledged.values().map(Vec::len).sum()
    }

    /// Holds the first release of each package, again and again; approves or rejects the young ones, once.
    fn next(&mut self) -> (Subject, &'static str, String) {
        let turn = self.decided;
        self.decided += 1;
        let index = (turn / 2) % self.packages;
        let reason = format!("decision number {turn}");
        if turn.is_multiple_of(2) || turn >= 2 * self.packages {
            return ((index, world::FIRST), "hold", reason);
        }
        ((index, world::YOUNG), if index.is_multiple_of(2) { "approve" } else { "reject" }, reason)
    }

    /// Makes so many decisions, or as many as the server lives for.
    pub async fn decide(this: &Mutex<Person>, at: SocketAddr, install: &Install, decisions: usize) {
        for _ in 0..decisions {
            let ((index, version), decision, reason) = this.lock().unwrap().next();
            let order = json!({"decision": decision, "reason": reason});
            let token = this.lock().unwrap().token.clone();
            let call = Call::new(at, "POST", &format!("{}/decisions", world::release_path(index, version))).bearer(&token).json(&order);
            let Ok(reply) = install.ask(call).await else { return };
            match reply.status {
                200 => {
                    this.lock().unwrap().acknowledged.entry((index, version)).or_default().push((decision, reason));
                    install.decided.send_modify(|decided| *decided += 1);
                }
                // It was decided in the life before, and the answer was lost with it.
                409 | 422 => {}
                other => panic!("{other} to a decision: {}", reply.text()),
            }
        }
    }

    /// Whether the ledger knows all that was acknowledged. `told`: every reason in it.
    pub fn assert_in(&self, told: &BTreeSet<String>) {
        for (_, reason) in self.acknowledged.values().flatten() {
            assert!(told.contains(reason), "acknowledged and lost: {reason:?}");
        }
    }

    /// Whether one release, `nth` of those decided, stands as was acknowledged.
    pub async fn assert_stands(this: &Mutex<Person>, at: SocketAddr, nth: usize) {
        let (of_nth, token) = {
            let person = this.lock().unwrap();
            let of_nth = person.acknowledged.iter().nth(nth).map(|(subject, decided)| (*subject, decided.clone()));
            (of_nth, person.token.clone())
        };
        let Some(((index, version), decided)) = of_nth else { return };
        let reply = Call::get(at, &world::release_path(index, version)).bearer(&token).send().await;
        assert_eq!(reply.status, 200, "{}", reply.text());
        let view = reply.json();
        let name = world::name(index);
        for (decision, reason) in &decided {
            let events = view["history"].as_array().unwrap();
            let is_it = |event: &Value| event["reason"] == *reason;
            assert!(events.iter().any(is_it), "{name}@{version} lost {decision} {reason:?}: {view:#}");
        }
        let stands = view["standing"].as_str().unwrap();
        let expected: &[&str] = match decided.last().unwrap().0 {
            "hold" => &["held"],
            "reject" => &["rejected"],
            _ => &["admissible", "approved"],
        };
        assert!(expected.contains(&stands), "{name}@{version} is {stands}: {view:#}");
    }

    pub fn subjects(&self) -> usize {
        self.acknowledged.len()
    }
}

/// Every entry of the ledger after `after`, through the API: its hash and the reasons in it.
pub async fn audit(at: SocketAddr, token: &str, after: u64) -> Vec<(u64, String, Vec<String>)> {
    let mut entries = Vec::new();
    let mut after = Some(after);
    while let Some(from) = after {
        let page = Call::get(at, &format!("/-/airlock/v1/audit?after={from}&limit=500")).bearer(token).send().await;
        assert_eq!(page.status, 200, "{}", page.text());
        let page = page.json();
        for entry in page["entries"].as_array().unwrap() {
            let commands = entry["commands"].as_array().unwrap().iter();
            let reasons = commands.filter_map(|command| Some(command["decision"]["reason"].as_str()?.to_owned()));
            entries.push((entry["sequence"].as_u64().unwrap(), entry["hash"].as_str().unwrap().to_owned(), reasons.collect()));
        }
        after = page["next_after"].as_u64();
    }
    entries
}
