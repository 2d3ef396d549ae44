//! A scenario served as a registry over a real socket on 127.0.0.1. Everything can be changed while it runs; every
//! request is counted and kept. Nothing here sleeps: tests open gates and wait for requests.

mod answer;
mod fault;
mod received;
mod serve;

pub use fault::Fault;
pub use fault::Gate;
pub use received::Received;

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;

use airlock::model::time::Timestamp;
use bytes::Bytes;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use url::Url;

use super::scenario::Package;
use super::scenario::Scenario;
use super::scenario::Shape;
use super::within;
use answer::Rendered;
use fault::Planted;

/// A running scenario. Dropping it closes the socket and every connection.
pub struct Upstream {
    address: SocketAddr,
    world: Arc<World>,
    serving: Mutex<Option<JoinHandle<()>>>,
}

pub(super) struct World {
    /// Ends with a slash, prefix included.
    base: String,
    inner: Mutex<Inner>,
    /// How many requests came in so far; watched by those who wait for one.
    arrivals: watch::Sender<usize>,
}

struct Inner {
    now: Timestamp,
    shape: Shape,
    packages: BTreeMap<String, Package>,
    rendered: BTreeMap<(String, super::scenario::Form), Rendered>,
    /// Other documents, by path below the prefix: `/-/npm/v1/keys`.
    documents: BTreeMap<String, Bytes>,
    faults: Vec<Planted>,
    log: Vec<Received>,
}

impl World {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap()
    }
}

impl Scenario {
    pub async fn start(self) -> Upstream {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let inner = Inner {
            now: self.now,
            packages: self.packages,
            rendered: BTreeMap::new(),
            documents: BTreeMap::new(),
            faults: Vec::new(),
            log: Vec::new(),
            shape: self.shape,
        };
        let base = format!("http://{address}{}", inner.shape.prefix);
        assert!(base.ends_with('/'), "a prefix ends with a slash: {base}");
        let world = Arc::new(World { base, inner: Mutex::new(inner), arrivals: watch::Sender::new(0) });
        let serving = tokio::spawn(serve::accept(listener, Arc::clone(&world)));
        Upstream { address, world, serving: Mutex::new(Some(serving)) }
    }
}

impl Upstream {
    /// The registry's address with a slash at its end.
    pub fn url(&self) -> Url {
        Url::parse(&self.world.base).unwrap()
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What `time` counts ages from.
    pub fn now(&self) -> Timestamp {
        self.world.lock().now
    }

    /// Changes a package, or adds one: publish, remove, move a tag, mutate bytes. Seen by the next request.
    pub fn package(&self, name: &str, edit: impl FnOnce(&mut Package)) {
        let mut inner = self.world.lock();
        edit(inner.packages.entry(name.to_owned()).or_insert_with(|| Package::new(name)));
        inner.rendered.retain(|(package, _), _| package != name);
    }

    /// A new release, published this very moment.
    pub fn publish(&self, name: &str, version: &str) {
        self.package(name, |p| _ = p.release(version).age("0s"));
    }

    pub fn remove(&self, name: &str, version: &str) {
        self.package(name, |p| _ = p.remove(version));
    }

    pub fn remove_package(&self, name: &str) {
        let mut inner = self.world.lock();
        inner.packages.remove(name).unwrap();
        inner.rendered.retain(|(package, _), _| package != name);
    }

    /// What `time` says of a release from here on, verbatim.
    pub fn set_time(&self, name: &str, version: &str, time: &str) {
        self.package(name, |p| _ = p.release(version).published(time));
    }

    pub fn shape(&self, edit: impl FnOnce(&mut Shape)) {
        let mut inner = self.world.lock();
        edit(&mut inner.shape);
        inner.rendered.clear();
    }

    /// Any other document, by path below the prefix: `/-/npm/v1/keys`.
    pub fn document(&self, path: &str, body: impl Into<Bytes>) {
        self.world.lock().documents.insert(path.to_owned(), body.into());
    }

    /// The very bytes of a release's tarball as served now.
    pub fn tarball(&self, name: &str, version: &str) -> Bytes {
        self.world.lock().packages[name].find(version).unwrap().tarball().bytes.clone()
    }

    /// Plants a fault on a path, which is compared decoded and below the prefix: `/@acme/web`. A `*` at its end stands
    /// for anything. The first fault that matches and is not used up acts.
    pub fn fault(&self, path: &str, fault: Fault) {
        self.world.lock().faults.push(Planted::new(path, fault));
    }

    /// Makes every request to the path wait, before its answer, until the gate is opened.
    pub fn gate(&self, path: &str) -> Gate {
        let gate = Gate::new();
        self.fault(path, Fault::wait_for(&gate));
        gate
    }

    /// Takes all faults from a path.
    pub fn heal(&self, path: &str) {
        self.world.lock().faults.retain(|planted| planted.path() != path);
    }

    pub fn heal_all(&self) {
        self.world.lock().faults.clear();
    }

    /// All requests so far, oldest first.
    pub fn log(&self) -> Vec<Received> {
        self.world.lock().log.clone()
    }

    /// Requests to a path, decoded and below the prefix: `/@acme/web`.
    pub fn requests(&self, path: &str) -> Vec<Received> {
        self.world.lock().log.iter().filter(|received| received.path == path).cloned().collect()
    }

    pub fn count(&self, path: &str) -> usize {
        self.requests(path).len()
    }

    pub fn forget_requests(&self) {
        self.world.lock().log.clear();
    }

    /// How many requests came in so far, for those who wait for the next ones.
    pub fn arrivals(&self) -> watch::Receiver<usize> {
        self.world.arrivals.subscribe()
    }

    /// Waits until a path has been asked for `count` times.
    pub async fn reached(&self, path: &str, count: usize) {
        let mut arrivals = self.world.arrivals.subscribe();
        let enough = async {
            while self.count(path) < count {
                arrivals.changed().await.unwrap();
            }
        };
        within(&format!("{count} requests to {path}"), enough).await;
    }

    /// Fails if any request carried this text in its path, headers or body, letters compared without case.
    pub fn assert_never_told(&self, secret: &str) {
        let told = self.log().into_iter().find(|received| received.mentions(secret));
        assert!(told.is_none(), "upstream was told {secret:?}: {told:?}");
    }

    /// Connections are refused from here on, and those that are open are cut.
    pub async fn die(&self) {
        let serving = self.serving.lock().unwrap().take().unwrap();
        serving.abort();
        _ = serving.await;
    }

    /// Listens again on the same address.
    pub async fn revive(&self) {
        let listener = TcpListener::bind(self.address).await.unwrap();
        let serving = tokio::spawn(serve::accept(listener, Arc::clone(&self.world)));
        *self.serving.lock().unwrap() = Some(serving);
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        if let Some(serving) = self.serving.lock().unwrap().take() {
            serving.abort();
        }
    }
}
