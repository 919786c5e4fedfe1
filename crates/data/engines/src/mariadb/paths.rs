//! The folder of one MariaDB member.
//!
//! ```text
//!   ROOT/my.cnf           rendered at each start and change
//!   ROOT/init.sql         the administrator's account, run by the server at its start
//!   ROOT/data/            the data folder; a mount of its own for a member of a cluster
//!   ROOT/tmp/             temporary tables and files: nothing in it outlives the server
//!   ROOT/tls/             certificates
//!   ROOT/log/mariadb.log  and the slow query log
//! ```

use std::path::{Path, PathBuf};

use crate::account::EngineAccount;
use crate::durable;
use crate::error::EngineError;
use crate::folder::{EngineFolder, TlsFiles, TlsPem};
use crate::strays;

const SOCKET_NAME: &str = "mariadb.sock";

/// Where one server keeps its files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MariadbPaths {
    folder: EngineFolder,
}

impl MariadbPaths {
    /// The layout below `root`: lock, certificates and sockets lie where those of any other engine would. Touches nothing.
    ///
    /// # Errors
    /// [`EngineError::Io`] when the current folder is unknown and `root` is relative, or when the socket's path would be
    /// too long.
    pub fn new(root: &Path, account: &EngineAccount) -> Result<MariadbPaths, EngineError> {
        let folder = EngineFolder::new(root, account, SOCKET_NAME)?;
        Ok(MariadbPaths { folder })
    }

    pub(crate) fn folder(&self) -> &EngineFolder {
        &self.folder
    }

    /// The member's folder.
    #[must_use]
    pub fn root(&self) -> &Path {
        self.folder.root()
    }

    /// The server's data folder.
    #[must_use]
    pub fn data(&self) -> PathBuf {
        self.root().join("data")
    }

    /// The server's configuration.
    #[must_use]
    pub fn config(&self) -> PathBuf {
        self.root().join("my.cnf")
    }

    /// What the server runs at its start.
    pub(super) fn init_file(&self) -> PathBuf {
        self.root().join("init.sql")
    }

    /// Temporary tables and files.
    #[must_use]
    pub fn tmp(&self) -> PathBuf {
        self.root().join("tmp")
    }

    /// The server's log.
    #[must_use]
    pub fn log(&self) -> PathBuf {
        self.root().join("log/mariadb.log")
    }

    /// The server's Unix socket.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        self.folder.socket().join(SOCKET_NAME)
    }

    /// What the server shows to its clients.
    #[must_use]
    pub fn server_tls(&self) -> TlsFiles {
        self.folder.tls("server")
    }

    /// What this member shows to the server that it follows.
    #[must_use]
    pub fn client_tls(&self) -> TlsFiles {
        self.folder.tls("client")
    }

    /// Makes the folders, owned by `account`, and checks that it can reach them.
    ///
    /// # Errors
    /// [`EngineError::Unreachable`] names the folder above that shuts the account out; [`EngineError::Io`].
    pub fn prepare(&self, account: &EngineAccount) -> Result<(), EngineError> {
        self.folder.prepare(account)
    }

    /// Writes both sets of certificates.
    ///
    /// # Errors
    /// [`EngineError::Io`].
    pub fn write_tls(
        &self,
        account: &EngineAccount,
        server: &TlsPem,
        client: &TlsPem,
    ) -> Result<(), EngineError> {
        self.server_tls().write(account, server)?;
        self.client_tls().write(account, client)
    }

    /// Whether a server can start on the data folder.
    #[must_use]
    pub fn holds_data(&self) -> bool {
        self.data().join("ibdata1").is_file() && self.data().join("mysql").is_dir()
    }

    /// Makes ready for a start: no process of an earlier run, no socket, no temporary file.
    pub(super) async fn clear(&self, account: &EngineAccount) -> Result<(), EngineError> {
        self.folder.prepare_socket(account)?;
        strays::clear(&self.folder, &self.data(), &[]).await?;
        self.empty_tmp(account)
    }

    pub(super) fn empty_tmp(&self, account: &EngineAccount) -> Result<(), EngineError> {
        durable::remove_tree(&self.tmp())
            .map_err(EngineError::io(format!("empty {}", self.tmp().display())))?;
        account.make_private_dir(&self.tmp())
    }

    pub(super) fn write(
        &self,
        path: &Path,
        text: &str,
        account: &EngineAccount,
    ) -> Result<(), EngineError> {
        durable::write_whole(path, text.as_bytes(), 0o600, account)
            .map_err(EngineError::io(format!("write {}", path.display())))
    }
}
