//! Clears a data folder of what an earlier run left: processes, and files that point to them.

use std::fs::{self, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::error::EngineError;
use crate::folder::EngineFolder;

/// How long the guard of a node that has just died may take to finish.
const UNLOCK_WAIT: Duration = Duration::from_secs(3);
/// How long a killed process may take to be gone.
const GONE_WAIT: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(10);

/// Waits for the earlier guard to let go of the folder, kills what no guard looks after in `data`, and
/// removes sockets and the `stale` files that would make an engine believe in an earlier one.
pub(crate) async fn clear(
    folder: &EngineFolder,
    data: &Path,
    stale: &[PathBuf],
) -> Result<(), EngineError> {
    wait_unlocked(folder, data).await?;
    sweep(data).await?;
    let failed = || EngineError::io(format!("clear {}", folder.root().display()));
    for stale in stale {
        match fs::remove_file(stale) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed()(error)),
            _ => {}
        }
    }
    for entry in fs::read_dir(folder.socket())
        .into_iter()
        .flatten()
        .flatten()
    {
        let _ = fs::remove_file(entry.path());
    }
    Ok(())
}

/// Waits until no guard holds the folder.
///
/// # Errors
/// [`EngineError::AlreadyServed`] when one still does after a while.
pub(crate) async fn wait_unlocked(folder: &EngineFolder, data: &Path) -> Result<(), EngineError> {
    let since = Instant::now();
    while is_locked(&folder.lock())? {
        if since.elapsed() > UNLOCK_WAIT {
            return Err(EngineError::AlreadyServed {
                data: data.to_path_buf(),
            });
        }
        tokio::time::sleep(PAUSE).await;
    }
    Ok(())
}

fn is_locked(lock: &Path) -> Result<bool, EngineError> {
    let failed = || EngineError::io(format!("lock {}", lock.display()));
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .open(lock)
        .map_err(failed())?;
    match file.try_lock() {
        Ok(()) => Ok(false),
        Err(fs::TryLockError::WouldBlock) => Ok(true),
        Err(fs::TryLockError::Error(error)) => Err(failed()(error)),
    }
}

/// Kills every process whose working folder is `data`: all of a server's processes have it so.
/// Only to be called when no living guard looks after them.
pub(crate) async fn sweep(data: &Path) -> Result<(), EngineError> {
    let since = Instant::now();
    loop {
        let left = processes_in(data);
        if left.is_empty() {
            return Ok(());
        }
        if since.elapsed() > GONE_WAIT {
            return Err(EngineError::AlreadyServed {
                data: data.to_path_buf(),
            });
        }
        for pid in left {
            tracing::warn!(pid = pid.as_raw(), data = %data.display(), "killing a process that an earlier run left");
            let _ = kill(pid, Signal::SIGKILL);
        }
        tokio::time::sleep(PAUSE).await;
    }
}

fn processes_in(data: &Path) -> Vec<Pid> {
    let Ok(data) = fs::canonicalize(data) else {
        return Vec::new();
    };
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries
        .filter_map(|entry| {
            let pid: i32 = entry.file_name().to_str()?.parse().ok()?;
            let workdir = fs::read_link(entry.path().join("cwd")).ok()?;
            (workdir == data).then(|| Pid::from_raw(pid))
        })
        .collect()
}
