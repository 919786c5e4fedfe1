//! What the folders of all engines have: a lock, a log, certificates, and a short place for sockets.
//!
//! ```text
//!   ROOT/guard.lock       held by the guard that serves the folder
//!   ROOT/tls/             certificates
//!   ROOT/log/             logs
//! ```
//!
//! The socket lies elsewhere: a Unix socket's path is at most 107 bytes.

use std::env;
use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use crate::account::EngineAccount;
use crate::durable;
use crate::error::EngineError;

/// The longest path that fits a socket address.
pub(crate) const SOCKET_PATH_BYTES_MAX: usize = 107;

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

impl TlsFiles {
    /// Writes the files, for `account` alone.
    pub(crate) fn write(&self, account: &EngineAccount, pem: &TlsPem) -> Result<(), EngineError> {
        for (path, text) in [
            (&self.ca, &pem.ca),
            (&self.cert, &pem.cert),
            (&self.key, &pem.key),
        ] {
            durable::write_whole(path, text.as_bytes(), 0o600, account)
                .map_err(EngineError::io(format!("write {}", path.display())))?;
        }
        Ok(())
    }
}

/// Where one engine keeps its files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct EngineFolder {
    root: PathBuf,
    socket: PathBuf,
}

impl EngineFolder {
    /// The layout below `root`; `socket_name` is the longest name that the engine puts in the socket's folder.
    /// Touches nothing.
    ///
    /// # Errors
    /// [`EngineError::Io`] when the current folder is unknown and `root` is relative, or when the
    /// socket's path would be too long.
    pub(crate) fn new(
        root: &Path,
        account: &EngineAccount,
        socket_name: &str,
    ) -> Result<EngineFolder, EngineError> {
        let root = std::path::absolute(root).map_err(EngineError::io("find the current folder"))?;
        let name = format!("{:016x}", fnv1a(root.as_os_str().as_encoded_bytes()));
        let socket = socket_base(account).join(name);
        if socket.as_os_str().len() + 1 + socket_name.len() > SOCKET_PATH_BYTES_MAX {
            return Err(EngineError::io(format!(
                "use {} for sockets",
                socket.display()
            ))(io::Error::new(
                io::ErrorKind::InvalidInput,
                "the path is too long for a socket",
            )));
        }
        Ok(EngineFolder { root, socket })
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// The folder of the engine's Unix socket.
    pub(crate) fn socket(&self) -> &Path {
        &self.socket
    }

    /// The file that the guard of this folder holds a lock on.
    pub(crate) fn lock(&self) -> PathBuf {
        self.root.join("guard.lock")
    }

    pub(crate) fn tls(&self, side: &str) -> TlsFiles {
        let folder = self.root.join("tls");
        TlsFiles {
            cert: folder.join(format!("{side}.crt")),
            key: folder.join(format!("{side}.key")),
            ca: folder.join("ca.crt"),
        }
    }

    /// A name that is this folder's own on this machine: of its control group, for example.
    pub(crate) fn short_name(&self) -> String {
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
    pub(crate) fn prepare(&self, account: &EngineAccount) -> Result<(), EngineError> {
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
pub(crate) fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}
