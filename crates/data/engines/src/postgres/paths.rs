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

use std::env;
use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use crate::account::EngineAccount;
use crate::durable;
use crate::error::EngineError;

/// The longest path that fits a socket address, and the longest name that PostgreSQL puts in its
/// folder.
const SOCKET_PATH_BYTES_MAX: usize = 107;
const SOCKET_NAME: &str = ".s.PGSQL.65535";

/// Certificate, key and authority as files, PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// The certificate chain.
    pub cert: PathBuf,
    /// The private key.
    pub key: PathBuf,
    /// The certificates that the other side must come from.
    pub ca: PathBuf,
}

/// Certificate, key and authority as PEM text.
#[derive(Clone, PartialEq, Eq)]
pub struct TlsPem {
    /// The certificate chain.
    pub cert: String,
    /// The private key.
    pub key: String,
    /// The certificates that the other side must come from.
    pub ca: String,
}

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
    root: PathBuf,
    socket: PathBuf,
}

impl MemberPaths {
    /// The layout below `root`. Touches nothing.
    ///
    /// # Errors
    /// [`EngineError::Io`] when the current folder is unknown and `root` is relative, or when the
    /// socket's path would be too long.
    pub fn new(root: &Path, account: &EngineAccount) -> Result<MemberPaths, EngineError> {
        let root = std::path::absolute(root).map_err(EngineError::io("find the current folder"))?;
        let name = format!("{:016x}", fnv1a(root.as_os_str().as_encoded_bytes()));
        let socket = socket_base(account).join(name);
        if socket.as_os_str().len() + 1 + SOCKET_NAME.len() > SOCKET_PATH_BYTES_MAX {
            return Err(EngineError::io(format!(
                "use {} for sockets",
                socket.display()
            ))(io::Error::new(
                io::ErrorKind::InvalidInput,
                "the path is too long for a socket",
            )));
        }
        Ok(MemberPaths { root, socket })
    }

    /// The member's folder.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// PostgreSQL's data folder.
    #[must_use]
    pub fn data(&self) -> PathBuf {
        self.root.join("data")
    }

    /// Where a base backup grows until it is whole.
    #[must_use]
    pub fn copying(&self) -> PathBuf {
        self.root.join("data.copying")
    }

    /// The file that is there while a rewind is under way.
    #[must_use]
    pub fn rewinding(&self) -> PathBuf {
        self.root.join("data.rewinding")
    }

    /// The marker that tells what the folder is.
    #[must_use]
    pub fn marker(&self) -> PathBuf {
        self.root.join("member.json")
    }

    /// The file that the guard of this folder holds a lock on.
    #[must_use]
    pub fn lock(&self) -> PathBuf {
        self.root.join("guard.lock")
    }

    /// The server's log.
    #[must_use]
    pub fn log(&self) -> PathBuf {
        self.root.join("log/postgres.log")
    }

    /// The folder of the server's Unix socket.
    #[must_use]
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// What the server shows to its clients.
    #[must_use]
    pub fn server_tls(&self) -> TlsFiles {
        self.tls("server")
    }

    /// What this member shows to the server that it copies and follows.
    #[must_use]
    pub fn client_tls(&self) -> TlsFiles {
        self.tls("client")
    }

    fn tls(&self, side: &str) -> TlsFiles {
        let folder = self.root.join("tls");
        TlsFiles {
            cert: folder.join(format!("{side}.crt")),
            key: folder.join(format!("{side}.key")),
            ca: folder.join("ca.crt"),
        }
    }

    /// A name that is this folder's own on this machine: of its control group, for example.
    #[must_use]
    pub fn short_name(&self) -> String {
        format!(
            "quorate-{:016x}",
            fnv1a(self.root.as_os_str().as_encoded_bytes())
        )
    }

    /// Makes the folders, owned by `account`, and checks that it can reach them.
    ///
    /// # Errors
    /// [`EngineError::Unreachable`] names the folder above that shuts the account out;
    /// [`EngineError::Io`].
    pub fn prepare(&self, account: &EngineAccount) -> Result<(), EngineError> {
        account.can_reach(&self.root)?;
        for folder in [
            self.root.clone(),
            self.root.join("tls"),
            self.root.join("log"),
        ] {
            account.make_private_dir(&folder)?;
        }
        account.can_reach(&self.root)?;
        self.prepare_socket(account)
    }

    /// The socket's folder may have been swept away with `/run` or `/tmp` since; made at each
    /// start.
    pub(crate) fn prepare_socket(&self, account: &EngineAccount) -> Result<(), EngineError> {
        let base = self.socket.parent().unwrap_or(Path::new("/"));
        let failed = || EngineError::io(format!("make the socket folder {}", base.display()));
        match DirBuilder::new().mode(0o711).create(base) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                return Err(failed()(error));
            }
            _ => {}
        }
        // The place may be one where everybody can make folders: it must be ours, and no link.
        let found = fs::symlink_metadata(base).map_err(failed())?;
        if !found.is_dir()
            || found.uid() != nix::unistd::geteuid().as_raw()
            || found.mode() & 0o022 != 0
        {
            return Err(failed()(io::Error::new(
                io::ErrorKind::PermissionDenied,
                "it belongs to somebody else: remove it",
            )));
        }
        fs::set_permissions(base, fs::Permissions::from_mode(0o711)).map_err(failed())?;
        account.make_private_dir(&self.socket)
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
        write_tls(&self.server_tls(), account, pem)
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
        write_tls(&self.client_tls(), account, pem)
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
        let failed = || EngineError::io(format!("remove the data below {}", self.root.display()));
        // Under another name first: a removal that is cut short must not leave what looks whole.
        let condemned = self.root.join("data.removing");
        durable::remove_tree(&condemned).map_err(failed())?;
        match fs::rename(self.data(), &condemned) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed()(error)),
            _ => {}
        }
        durable::remove_tree(&condemned).map_err(failed())?;
        durable::remove_tree(&self.copying()).map_err(failed())?;
        durable::remove(&self.rewinding()).map_err(failed())?;
        let _ = fs::remove_dir_all(&self.socket);
        Ok(())
    }

    /// Removes the whole folder of the member. No server may run on it.
    ///
    /// # Errors
    /// [`EngineError::Io`].
    pub fn remove_all(&self) -> Result<(), EngineError> {
        self.remove_data()?;
        durable::remove_tree(&self.root)
            .map_err(EngineError::io(format!("remove {}", self.root.display())))
    }
}

fn write_tls(files: &TlsFiles, account: &EngineAccount, pem: &TlsPem) -> Result<(), EngineError> {
    for (path, text) in [
        (&files.ca, &pem.ca),
        (&files.cert, &pem.cert),
        (&files.key, &pem.key),
    ] {
        durable::write_whole(path, text.as_bytes(), 0o600, account)
            .map_err(EngineError::io(format!("write {}", path.display())))?;
    }
    Ok(())
}

/// A short place for sockets that only this user can write to.
fn socket_base(account: &EngineAccount) -> PathBuf {
    if account.switches() {
        return PathBuf::from("/run/quorate");
    }
    let runtime = env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
    match runtime.filter(|dir| dir.is_absolute() && dir.is_dir() && dir.as_os_str().len() <= 60) {
        Some(dir) => dir.join("quorate"),
        None => PathBuf::from(format!("/tmp/quorate-{}", account.uid())),
    }
}

/// FNV-1a, 64 bits: the same on every machine and in every version, which is all that is asked of
/// it.
pub(super) fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deep_member_still_has_a_short_socket() {
        let account = EngineAccount::resolve(None).unwrap();
        let deep = Path::new("/").join("d".repeat(200)).join("e".repeat(200));
        let paths = MemberPaths::new(&deep, &account).unwrap();
        assert!(paths.socket().join(SOCKET_NAME).as_os_str().len() <= SOCKET_PATH_BYTES_MAX);
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
