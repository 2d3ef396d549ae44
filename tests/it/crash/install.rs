//! What npm does, as far as the server sees it: packument, tarball, integrity; several at a time; what is whole is kept.

use std::collections::BTreeSet;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;

use airlock::model::digest::Digest;
use tokio::sync::watch;
use tokio::task::JoinSet;
use url::Url;

use super::world;
use crate::support::http::Call;
use crate::support::http::Reply;
use crate::support::upstream::Upstream;

/// Packages fetched at once.
const AT_ONCE: usize = 6;
/// How often one package may be told to come again.
const AGAIN_MAX: usize = 50;

/// The server went away before the answer was whole.
#[derive(Debug)]
pub struct Lost;

/// One project's install, over as many lives of the server as it takes.
pub struct Install {
    upstream: Arc<Upstream>,
    packages: usize,
    left: Mutex<BTreeSet<usize>>,
    /// Whether it begins again with nothing kept when everything is there.
    endless: AtomicBool,
    /// Set before the server is killed: from then on answers may be missing.
    pub killed: AtomicBool,
    /// Goes up with every request sent and every part of an answer.
    pub steps: watch::Sender<usize>,
    /// Goes up with every decision that is acknowledged while it runs.
    pub decided: watch::Sender<usize>,
}

impl Install {
    pub fn of(packages: usize, upstream: Arc<Upstream>) -> Arc<Install> {
        Arc::new(Install {
            upstream,
            packages,
            left: Mutex::new((0..packages).collect()),
            endless: AtomicBool::new(false),
            killed: AtomicBool::new(false),
            steps: watch::Sender::new(0),
            decided: watch::Sender::new(0),
        })
    }

    pub fn set_endless(&self, endless: bool) {
        self.endless.store(endless, Ordering::SeqCst);
    }

    /// Sends a request. `Lost` is for those only whose server was killed.
    pub async fn ask(&self, call: Call) -> Result<Reply, Lost> {
        let reply: io::Result<Reply> = call.clone().try_send(|| self.steps.send_modify(|steps| *steps += 1)).await;
        match reply {
            Ok(reply) if reply.complete => Ok(reply),
            Ok(_) | Err(_) if self.killed.load(Ordering::SeqCst) => Err(Lost),
            Ok(reply) => panic!("a server that lives cut its answer to {call:?}: {}", reply.status),
            Err(error) => panic!("a server that lives did not answer {call:?}: {error}"),
        }
    }

    /// Fetches until everything is there, or the server is gone.
    pub fn spawn(self: &Arc<Install>, at: SocketAddr, into: &mut JoinSet<()>) {
        for _ in 0..AT_ONCE {
            let this = Arc::clone(self);
            into.spawn(async move {
                while let Some(index) = this.take() {
                    if this.fetch(at, index).await.is_err() {
                        this.left.lock().unwrap().insert(index);
                        return;
                    }
                }
            });
        }
    }

    fn take(&self) -> Option<usize> {
        let mut left = self.left.lock().unwrap();
        if let Some(index) = left.pop_first() {
            return Some(index);
        }
        if !self.endless.load(Ordering::SeqCst) {
            return None;
        }
        left.extend(0..self.packages);
        left.pop_first()
    }

    pub fn is_complete(&self) -> bool {
        self.left.lock().unwrap().is_empty()
    }

    async fn fetch(&self, at: SocketAddr, index: usize) -> Result<(), Lost> {
        let name = world::name(index);
        let call = Call::get(at, &world::packument_path(index)).header("accept", "application/vnd.npm.install-v1+json");
        let packument = self.patiently(&call).await?.json();
        let version = packument["dist-tags"]["latest"].as_str().unwrap_or_else(|| panic!("{name} has no latest: {packument}"));
        let dist = &packument["versions"][version]["dist"];
        let path = Url::parse(dist["tarball"].as_str().unwrap()).unwrap().path().to_owned();
        let tarball = self.patiently(&Call::get(at, &path)).await?;
        let digest = Digest::of(&tarball.body);
        assert_eq!(digest.sri(), dist["integrity"].as_str().unwrap(), "{name}@{version} was served with other bytes than listed");
        assert_eq!(tarball.body, self.upstream.tarball(&name, version), "{name}@{version}");
        Ok(())
    }

    async fn patiently(&self, call: &Call) -> Result<Reply, Lost> {
        for _ in 0..AGAIN_MAX {
            let reply = self.ask(call.clone()).await?;
            match reply.status {
                200 => return Ok(reply),
                503 => {}
                other => panic!("{other} to {call:?}: {}", reply.text()),
            }
        }
        panic!("told to come again {AGAIN_MAX} times: {call:?}");
    }
}
