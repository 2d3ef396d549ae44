//! The first admin token of an instance, left in a file for the person who started it.
//!
//! The file is written whole and synced before the token is committed. A crash in between leaves a file whose token
//! nobody knows and an instance without tokens, so the next start does both again; never a token whose secret is lost.

use std::fs;
use std::io;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::path::PathBuf;

use crate::access::Access;
use crate::access::AccessError;
use crate::access::token;
use crate::model::actor::Actor;
use crate::model::token::Role;
use crate::storage::state::CommitError;
use crate::storage::state::Condition;

/// The name of the first token, and of the person it stands for.
pub const ADMIN: &str = "admin";

/// The file in the data folder, readable by its owner only: the token and a line end.
pub const FILE: &str = "admin-token";

impl Access {
    /// Makes the first admin token when no token was ever made; the file it lies in, if it did.
    pub async fn bootstrap(&self, data_dir: &Path) -> Result<Option<PathBuf>, AccessError> {
        let changing = self.changing.lock().await;
        if self.known().await?.load().has_tokens() {
            return Ok(None);
        }
        let mut created = token::mint(ADMIN, Role::Admin, self.clock.now(), None)?;
        created.token.behind = Some(Vec::new());
        let path = data_dir.join(FILE);
        write_whole(path.clone(), format!("{}\n", created.text))
            .await
            .map_err(|source| AccessError::File { path: path.clone(), source })?;
        match self.commit_created(&created, vec![Condition::NoTokens], Actor::Airlock, &changing).await {
            Ok(()) => Ok(Some(path)),
            // Somebody else was first; the file would only mislead.
            Err(AccessError::Commit(CommitError::Conflict(_))) => {
                tokio::fs::remove_file(&path).await.map_err(|source| AccessError::File { path, source })?;
                Ok(None)
            }
            Err(other) => Err(other),
        }
    }
}

/// Under a temporary name that nobody else can have opened, synced, renamed, the folder synced.
async fn write_whole(path: PathBuf, text: String) -> io::Result<()> {
    let write = move || {
        let temporary = path.with_extension("new");
        match fs::remove_file(&temporary) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
        let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&temporary, &path)?;
        fs::File::open(path.parent().unwrap_or(Path::new(".")))?.sync_all()
    };
    tokio::task::spawn_blocking(write).await.map_err(io::Error::other)?
}
