//! The only wiring: from a configuration to an Airlock that can be asked.

mod trial;

use std::io;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;

use data_encoding::HEXLOWER;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use url::Url;

use crate::access::Access;
use crate::access::AccessError;
use crate::access::oidc::Identities;
use crate::admin::wire::Proof;
use crate::catalog::Catalog;
use crate::clock::Clock;
use crate::config::Config;
use crate::config::storage::ArtifactKind;
use crate::config::storage::StateKind;
use crate::ecosystem::Ecosystem;
use crate::ecosystem::sigstore::root::TrustRoot;
use crate::events::Notices;
use crate::model::package::EcosystemId;
use crate::protocol::npm::Npm;
use crate::quarantine::BeginError;
use crate::quarantine::Ecosystems;
use crate::quarantine::Quarantine;
use crate::quarantine::feeds::Feeds;
use crate::storage::advisories::Advisories;
use crate::storage::blob::Blobs;
use crate::storage::data_dir::OpenError;
use crate::storage::disk::DiskBlobs;
use crate::storage::disk::DiskDocuments;
use crate::storage::disk::KeyFile;
use crate::storage::local;
use crate::storage::local::LocalState;
use crate::storage::pulls::Pulls;
use crate::storage::state;
use crate::storage::state::State;
use crate::upstream::UpstreamError;
use crate::upstream::Upstreams;

pub use self::trial::try_policy;

/// Everything that answers, wired together.
pub struct App {
    pub catalog: Arc<Catalog>,
    pub quarantine: Arc<Quarantine>,
    pub access: Arc<Access>,
    pub state: Arc<dyn State>,
    pub blobs: Arc<dyn Blobs>,
    pub upstreams: Arc<Upstreams>,
    pub pulls: Arc<Pulls>,
    pub clock: Clock,
    /// Random, new at every start: by it an Airlock recognizes itself as its own upstream.
    pub instance: String,
    /// Where the admin token was written, if this start made it.
    pub admin_token: Option<PathBuf>,
    stop: watch::Sender<bool>,
    workers: Mutex<Vec<JoinHandle<()>>>,
}

#[derive(Debug, thiserror::Error)]
pub enum AppError {
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error("the data folder {} cannot be used: {source}; name another with --data-dir", folder.display())]
    Folder { folder: PathBuf, source: io::Error },
    #[error(transparent)]
    Upstream(#[from] UpstreamError),
    #[error("what is stored cannot be taken up: {0}")]
    Begin(#[from] BeginError),
    #[error("the admin token cannot be made: {0}")]
    Access(#[from] AccessError),
    #[error("no random numbers are to be had: {0}")]
    Random(getrandom::Error),
    #[error("the trust root {} cannot be used: {why}; mend or take out upstream.trust_root", path.display())]
    TrustRoot { path: PathBuf, why: String },
    #[error("the start was cut short: {0}")]
    Cut(#[from] tokio::task::JoinError),
}

impl App {
    /// Opens the data folder and wires everything. `upstream` is the registry to gate. Blocks on disk in its own thread.
    pub async fn build(config: &Config, upstream: Url, clock: Clock) -> Result<App, AppError> {
        let mut random = [0_u8; 16];
        getrandom::fill(&mut random).map_err(AppError::Random)?;
        let instance = HEXLOWER.encode(&random);
        let folder = config.storage.data_dir.clone();
        let (StateKind::Sled, ArtifactKind::Disk) = (config.storage.state, config.storage.artifacts);
        let opened = tokio::task::spawn_blocking(move || open(folder)).await??;
        let Opened { state, blobs, documents, pulls } = opened;
        let upstreams = Arc::new(Upstreams::new(&config.upstream, upstream, &instance, clock.clone())?);
        let feeds = feeds(config, &state, &upstreams).await?;
        let notices = Notices::new(&config.notify, &upstreams)?;
        let npm: Arc<dyn Ecosystem> = Arc::new(Npm);
        let ecosystems: Ecosystems = [(EcosystemId::Npm, npm)].into();
        let quarantine = Quarantine::new(
            Arc::clone(&state),
            Arc::clone(&blobs),
            Arc::clone(&upstreams),
            ecosystems,
            Arc::new(config.policy.clone()),
            clock.clone(),
            feeds,
            Arc::new(trust_root(config)?),
        );
        let quarantine = Arc::new(quarantine.telling(notices.ids()));
        quarantine.begin().await?;
        let catalog = Catalog::new(
            Arc::clone(&quarantine),
            Arc::clone(&state),
            Arc::new(documents),
            Arc::clone(&upstreams),
            Arc::clone(&pulls),
            KeyFile::below(&config.storage.data_dir),
            clock.clone(),
            &config.upstream,
        );
        let catalog = Arc::new(catalog.telling(notices));
        catalog.begin().await.map_err(BeginError::from)?;
        let identities = Identities::new(&config.access, &upstreams, &clock)?;
        let access = Access::new(Arc::clone(&state), clock.clone(), &config.access).with_identities(identities);
        let access = Arc::new(access);
        let admin_token = access.bootstrap(&config.storage.data_dir).await?;
        let (stop, _) = watch::channel(false);
        let workers = Mutex::default();
        Ok(App { catalog, quarantine, access, state, blobs, upstreams, pulls, clock, instance, admin_token, stop, workers })
    }

    /// Begins the work besides requests.
    pub fn run_workers(&self) {
        let worker = tokio::spawn(Arc::clone(&self.catalog).work(self.stop.subscribe()));
        self.workers.lock().unwrap_or_else(PoisonError::into_inner).push(worker);
    }

    /// Finishes what is under way and writes down that everything is in order. Requests are over by then.
    pub async fn close(&self) {
        self.stop.send_replace(true);
        let workers = std::mem::take(&mut *self.workers.lock().unwrap_or_else(PoisonError::into_inner));
        for worker in workers {
            if let Err(error) = worker.await {
                tracing::error!(%error, "a worker ended badly");
            }
        }
        self.catalog.finish().await;
        let pulls = Arc::clone(&self.pulls);
        if let Err(error) = tokio::task::spawn_blocking(move || pulls.close()).await {
            tracing::error!(%error, "pulls could not be written down");
        }
        // First, so that an inspection that is still under way records nothing whose blob nobody puts down.
        self.state.close().await;
        self.blobs.close().await;
    }
}

/// Proves the ledger of `folder`, which no Airlock may run on meanwhile. Blocks.
///
/// # Errors
/// There is no ledger, another Airlock runs there, or the ledger is damaged; the error names the place.
pub fn verify(folder: &Path) -> Result<Proof, AppError> {
    // Opening would make an empty one.
    if !folder.join("ledger").is_dir() {
        let source = io::Error::new(io::ErrorKind::NotFound, "there is no ledger in it");
        return Err(AppError::Folder { folder: folder.to_owned(), source });
    }
    let nothing = Proof { sound: false, records: None, head: None, after: None, place: None };
    Ok(match local::verify(folder)? {
        state::Proof::Sound { records, head } => Proof { sound: true, records: Some(records), head: Some(head.hex()), ..nothing },
        state::Proof::Broken { after, place } => Proof { after: Some(after.0), place: Some(place), ..nothing },
    })
}

/// Whose word on provenance counts: the file's that is named, else Sigstore's for the public.
fn trust_root(config: &Config) -> Result<TrustRoot, AppError> {
    let Some(path) = &config.upstream.trust_root else { return Ok(TrustRoot::public()) };
    let unusable = |why: String| AppError::TrustRoot { path: path.clone(), why };
    let text = std::fs::read_to_string(path).map_err(|error| unusable(error.to_string()))?;
    TrustRoot::parse(&text).map_err(|error| unusable(error.to_string()))
}

/// What is known of advisories, and where more is heard.
async fn feeds(config: &Config, state: &Arc<dyn State>, upstreams: &Upstreams) -> Result<Feeds, AppError> {
    let heard = state.feeds().await.map_err(BeginError::from)?;
    let (folder, known) = (config.storage.data_dir.clone(), heard.clone());
    let opened = tokio::task::spawn_blocking(move || Advisories::open(&folder, &known)).await?;
    let advisories = opened.map_err(|source| AppError::Folder { folder: config.storage.data_dir.clone(), source })?;
    let host = config.feeds.osv.url.as_ref().map(|url| upstreams.feed(url)).transpose()?;
    Ok(Feeds::new(advisories, heard, &config.feeds.osv, host))
}

struct Opened {
    state: Arc<dyn State>,
    blobs: Arc<dyn Blobs>,
    documents: DiskDocuments,
    pulls: Arc<Pulls>,
}

fn open(folder: PathBuf) -> Result<Opened, AppError> {
    let state = LocalState::open(&folder)?;
    let unusable = |source| AppError::Folder { folder: folder.clone(), source };
    Ok(Opened {
        state: Arc::new(state),
        blobs: Arc::new(DiskBlobs::open(&folder).map_err(unusable)?),
        documents: DiskDocuments::open(&folder).map_err(unusable)?,
        pulls: Pulls::open(&folder.join("pulls")).map_err(unusable)?,
    })
}
