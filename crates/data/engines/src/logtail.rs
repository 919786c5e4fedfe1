//! The engine's log: opened for it, and read for its last words.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom};
use std::net::SocketAddr;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use nix::fcntl::OFlag;

use crate::account::EngineAccount;
use crate::error::EngineError;

/// A log above this size is put aside (one older is kept) when the engine starts.
const LOG_BYTES_MAX: u64 = 64 << 20;
/// How much of the end of the log an error carries.
const TAIL_BYTES: u64 = 4096;

/// A log, and where in it the present run begins.
#[derive(Debug, Clone)]
pub(crate) struct LogTail {
    path: PathBuf,
    from: u64,
}

impl LogTail {
    /// Opens the log for appending, for an engine that runs as `account`.
    pub(crate) fn open(
        path: &Path,
        account: &EngineAccount,
    ) -> Result<(File, LogTail), EngineError> {
        let failed = || EngineError::io(format!("open {}", path.display()));
        if fs::symlink_metadata(path).is_ok_and(|found| found.size() > LOG_BYTES_MAX) {
            fs::rename(path, path.with_extension("log.1")).map_err(failed())?;
        }
        let file = Self::create(path, account).map_err(failed())?;
        let from = file.metadata().map_err(failed())?.size();
        let tail = LogTail {
            path: path.to_path_buf(),
            from,
        };
        Ok((file, tail))
    }

    /// The folder belongs to the engine's account: a link in it must not lead root elsewhere.
    fn create(path: &Path, account: &EngineAccount) -> io::Result<File> {
        let file = OpenOptions::new()
            .append(true)
            .create(true)
            .mode(0o600)
            .custom_flags(OFlag::O_NOFOLLOW.bits())
            .open(path)?;
        account.chown(path)?;
        Ok(file)
    }

    /// What this run has written last.
    pub(crate) fn read(&self) -> String {
        let read = || -> io::Result<Vec<u8>> {
            let mut file = File::open(&self.path)?;
            let end = file.metadata()?.size();
            let from = self.from.max(end.saturating_sub(TAIL_BYTES)).min(end);
            file.seek(SeekFrom::Start(from))?;
            let mut bytes = Vec::new();
            file.take(TAIL_BYTES).read_to_end(&mut bytes)?;
            Ok(bytes)
        };
        let bytes = read().unwrap_or_default();
        String::from_utf8_lossy(&bytes).trim().to_owned()
    }

    /// Turns an engine's early end into the most telling error.
    pub(crate) fn explain(&self, exit: String, data: &Path, listen: SocketAddr) -> EngineError {
        let log_tail = self.read();
        if let Some(line) = log_tail.lines().find(|line| line.contains(NO_SPACE)) {
            return EngineError::NoSpace {
                data: data.to_path_buf(),
                detail: line.to_owned(),
            };
        }
        if log_tail.contains("Address already in use") {
            return EngineError::PortInUse { address: listen };
        }
        EngineError::ExitedEarly { exit, log_tail }
    }

    /// The log's line about a full disk, when this run has written one at its end.
    pub(crate) fn no_space(&self) -> Option<String> {
        let log_tail = self.read();
        let line = log_tail.lines().find(|line| line.contains(NO_SPACE));
        line.map(str::to_owned)
    }
}

/// What the C library says for ENOSPC in the C locale, which engines run in.
pub(crate) const NO_SPACE: &str = "No space left on device";
