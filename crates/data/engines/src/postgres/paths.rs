//! The folder of one member.
//!
//! ```text
//!   ROOT/member.json      what this folder is (see `marker`)
//!   ROOT/guard.lock       held by the guard that serves it
//!   ROOT/data/            PGDATA
//!   ROOT/data.copying/    a base backup that has not finished
//!   ROOT/data.rewinding   there while a rewind is under way
//!   ROOT/tls/             server and client certificates
//!   ROOT/log/postgres.log
//! ```
//!
//! The socket lies elsewhere: a Unix socket's path is at most 107 bytes.
//! Invariant: `data/` is whole unless `data.rewinding` is there too.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::account::EngineAccount;
use crate::durable;
use crate::error::EngineError;
use crate::folder::{EngineFolder, TlsFiles, TlsPem};
use crate::strays;

/// The longest name that PostgreSQL puts in its socket's folder.
const SOCKET_NAME: &str = ".s.PGSQL.65535";

/// What stands in a member's data folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DataState {
    /// Nothing: make one with `initdb` or a base backup.
    Missing,
    /// A data folder that a server can start on.
    Whole,
    /// A rewind was begun and not finished: only a fresh copy helps.
    HalfRewound,
}

/// Where one member keeps its files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberPaths {
    folder: EngineFolder,
}

impl MemberPaths {
    /// The layout below `root`. Touches nothing.
    ///
    /// # Errors
    /// [`EngineError::Io`] when the current folder is unknown and `root` is relative, or when the
    /// socket's path would be too long.
    pub fn new(root: &Path, account: &EngineAccount) -> Result<MemberPaths, EngineError> {
        let folder = EngineFolder::new(root, account, SOCKET_NAME)?;
        Ok(MemberPaths { folder })
    }

    /// What all engines' folders have.
    pub(crate) fn folder(&self) -> &EngineFolder {
        &self.folder
    }

    /// The member's folder.
    #[must_use]
    pub fn root(&self) -> &Path {
        self.folder.root()
    }

    /// PostgreSQL's data folder.
    #[must_use]
    pub fn data(&self) -> PathBuf {
        self.root().join("data")
    }

    /// Where a base backup grows until it is whole.
    #[must_use]
    pub fn copying(&self) -> PathBuf {
        self.root().join("data.copying")
    }

    /// The file that is there while a rewind is under way.
    #[must_use]
    pub fn rewinding(&self) -> PathBuf {
        self.root().join("data.rewinding")
    }

    /// The marker that tells what the folder is.
    #[must_use]
    pub fn marker(&self) -> PathBuf {
        self.root().join("member.json")
    }

    /// The file that the guard of this folder holds a lock on.
    #[must_use]
    pub fn lock(&self) -> PathBuf {
        self.folder.lock()
    }

    /// The server's log.
    #[must_use]
    pub fn log(&self) -> PathBuf {
        self.root().join("log/postgres.log")
    }

    /// The folder of the server's Unix socket.
    #[must_use]
    pub fn socket(&self) -> &Path {
        self.folder.socket()
    }

    /// What the server shows to its clients.
    #[must_use]
    pub fn server_tls(&self) -> TlsFiles {
        self.folder.tls("server")
    }

    /// What this member shows to the server that it copies and follows.
    #[must_use]
    pub fn client_tls(&self) -> TlsFiles {
        self.folder.tls("client")
    }

    /// A name that is this folder's own on this machine: of its control group, for example.
    #[must_use]
    pub fn short_name(&self) -> String {
        self.folder.short_name()
    }

    /// Makes the folders, owned by `account`, and checks that it can reach them.
    ///
    /// # Errors
    /// [`EngineError::Unreachable`] names the folder above that shuts the account out;
    /// [`EngineError::Io`].
    pub fn prepare(&self, account: &EngineAccount) -> Result<(), EngineError> {
        self.folder.prepare(account)
    }

    /// Makes ready for a start: no process of an earlier run, no file that would make a server believe in one.
    pub(super) async fn clear(&self, account: &EngineAccount) -> Result<(), EngineError> {
        self.folder.prepare_socket(account)?;
        // The process ids in these files may belong to anybody by now.
        let stale = ["postmaster.pid", "promote"].map(|name| self.data().join(name));
        strays::clear(&self.folder, &self.data(), &stale).await
    }

    /// Writes the certificates that the server shows to its clients.
    ///
    /// # Errors
    /// [`EngineError::Io`].
    pub fn write_server_tls(
        &self,
        account: &EngineAccount,
        pem: &TlsPem,
    ) -> Result<(), EngineError> {
        self.server_tls().write(account, pem)
    }

    /// Writes the certificates that this member shows to its upstream.
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

    /// What stands in the data folder.
    #[must_use]
    pub fn data_state(&self) -> DataState {
        if !self.data().join("PG_VERSION").is_file() {
            DataState::Missing
        } else if self.rewinding().exists() {
            DataState::HalfRewound
        } else {
            DataState::Whole
        }
    }

    /// Removes the data folder, an unfinished copy, and the socket's folder; keeps logs and
    /// certificates. No server may run on it.
    ///
    /// # Errors
    /// [`EngineError::Io`].
    pub fn remove_data(&self) -> Result<(), EngineError> {
        let failed = || EngineError::io(format!("remove the data below {}", self.root().display()));
        // Under another name first: a removal that is cut short must not leave what looks whole.
        let condemned = self.root().join("data.removing");
        durable::remove_tree(&condemned).map_err(failed())?;
        match fs::rename(self.data(), &condemned) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed()(error)),
            _ => {}
        }
        durable::remove_tree(&condemned).map_err(failed())?;
        durable::remove_tree(&self.copying()).map_err(failed())?;
        durable::remove(&self.rewinding()).map_err(failed())?;
        let _ = fs::remove_dir_all(self.socket());
        Ok(())
    }

    /// Removes the whole folder of the member. No server may run on it.
    ///
    /// # Errors
    /// [`EngineError::Io`].
    pub fn remove_all(&self) -> Result<(), EngineError> {
        self.remove_data()?;
        durable::remove_tree(self.root())
            .map_err(EngineError::io(format!("remove {}", self.root().display())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deep_member_still_has_a_short_socket() {
        let account = EngineAccount::resolve(None).unwrap();
        let deep = Path::new("/").join("d".repeat(200)).join("e".repeat(200));
        let paths = MemberPaths::new(&deep, &account).unwrap();
        assert!(
            paths.socket().join(SOCKET_NAME).as_os_str().len()
                <= crate::folder::SOCKET_PATH_BYTES_MAX
        );
        let other = MemberPaths::new(&deep.join("x"), &account).unwrap();
        assert_ne!(paths.socket(), other.socket());
    }

    #[test]
    fn a_rewind_that_was_cut_short_is_seen() {
        let account = EngineAccount::resolve(None).unwrap();
        let root = tempfile::tempdir().unwrap();
        let paths = MemberPaths::new(root.path(), &account).unwrap();
        assert_eq!(paths.data_state(), DataState::Missing);
        fs::create_dir(paths.data()).unwrap();
        fs::write(paths.data().join("PG_VERSION"), "15\n").unwrap();
        assert_eq!(paths.data_state(), DataState::Whole);
        fs::write(paths.rewinding(), "").unwrap();
        assert_eq!(paths.data_state(), DataState::HalfRewound);
        paths.remove_data().unwrap();
        assert_eq!(paths.data_state(), DataState::Missing);
    }
}
