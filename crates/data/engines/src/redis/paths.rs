//! The folder of one Redis member, or of one Sentinel.
//!
//! ```text
//!   ROOT/server.conf     rendered at each start; a server rewrites it when Sentinel tells it to
//!   ROOT/users.acl       accounts
//!   ROOT/data/           the working folder: dump.rdb, nodes.conf of a cluster
//!   ROOT/tls/            certificates
//!   ROOT/log/server.log
//! ```

use std::fs;
use std::path::{Path, PathBuf};

use crate::account::EngineAccount;
use crate::durable;
use crate::error::EngineError;
use crate::folder::{EngineFolder, TlsFiles, TlsPem};
use crate::strays;

const SOCKET_NAME: &str = "server.sock";

/// Where one server keeps its files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RedisPaths {
    folder: EngineFolder,
}

impl RedisPaths {
    /// The layout below `root`. Touches nothing.
    ///
    /// # Errors
    /// [`EngineError::Io`] when the current folder is unknown and `root` is relative, or when the socket's path would be
    /// too long.
    pub fn new(root: &Path, account: &EngineAccount) -> Result<RedisPaths, EngineError> {
        let folder = EngineFolder::new(root, account, SOCKET_NAME)?;
        Ok(RedisPaths { folder })
    }

    pub(crate) fn folder(&self) -> &EngineFolder {
        &self.folder
    }

    /// The member's folder.
    #[must_use]
    pub fn root(&self) -> &Path {
        self.folder.root()
    }

    /// The server's working folder.
    #[must_use]
    pub fn data(&self) -> PathBuf {
        self.root().join("data")
    }

    /// The snapshot that the server writes, and loads at its start.
    #[must_use]
    pub fn rdb(&self) -> PathBuf {
        self.data().join("dump.rdb")
    }

    /// The server's configuration.
    #[must_use]
    pub fn config(&self) -> PathBuf {
        self.root().join("server.conf")
    }

    /// The server's accounts.
    #[must_use]
    pub fn acl(&self) -> PathBuf {
        self.root().join("users.acl")
    }

    /// The server's log.
    #[must_use]
    pub fn log(&self) -> PathBuf {
        self.root().join("log/server.log")
    }

    /// The server's Unix socket.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        self.folder.socket().join(SOCKET_NAME)
    }

    /// What the server shows to whom it talks to.
    #[must_use]
    pub fn tls(&self) -> TlsFiles {
        self.folder.tls("server")
    }

    /// What the server of a cluster shows to the servers that it connects to.
    #[must_use]
    pub fn client_tls(&self) -> TlsFiles {
        self.folder.tls("client")
    }

    /// Makes the folders, owned by `account`, and checks that it can reach them.
    ///
    /// # Errors
    /// [`EngineError::Unreachable`], [`EngineError::Io`].
    pub fn prepare(&self, account: &EngineAccount) -> Result<(), EngineError> {
        self.folder.prepare(account)?;
        account.make_private_dir(&self.data())
    }

    /// Writes the server's certificates.
    ///
    /// # Errors
    /// [`EngineError::Io`].
    pub fn write_tls(&self, account: &EngineAccount, pem: &TlsPem) -> Result<(), EngineError> {
        self.tls().write(account, pem)
    }

    /// Writes what the server of a cluster shows to the servers that it connects to.
    ///
    /// # Errors
    /// [`EngineError::Io`].
    pub fn write_client_tls(
        &self,
        account: &EngineAccount,
        pem: &TlsPem,
    ) -> Result<(), EngineError> {
        self.client_tls().write(account, pem)
    }

    /// Makes ready for a start: no process of an earlier run, and no socket.
    pub(crate) async fn clear(&self) -> Result<(), EngineError> {
        strays::clear(&self.folder, &self.data(), &[]).await
    }

    pub(crate) fn write(
        &self,
        path: &Path,
        text: &str,
        account: &EngineAccount,
    ) -> Result<(), EngineError> {
        durable::write_whole(path, text.as_bytes(), 0o600, account)
            .map_err(EngineError::io(format!("write {}", path.display())))
    }

    /// Removes the data. No server may run on it.
    ///
    /// # Errors
    /// [`EngineError::Io`].
    pub fn remove_data(&self) -> Result<(), EngineError> {
        let data = self.data();
        let failed = EngineError::io(format!("remove {}", data.display()));
        durable::remove_tree(&data).map_err(failed)
    }

    /// Removes the whole folder and its socket. No server may run on it.
    ///
    /// # Errors
    /// [`EngineError::Io`].
    pub fn remove_all(&self) -> Result<(), EngineError> {
        let failed = || EngineError::io(format!("remove {}", self.root().display()));
        match fs::remove_dir_all(self.folder.socket()) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(failed()(error));
            }
            _ => {}
        }
        durable::remove_tree(self.root()).map_err(failed())
    }
}
