//! A region of a drill's own: made for it, and removed after it.

use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use rand::Rng;
use tokio::process::{Child, Command};

use crate::layout::Layout;

/// How long the region may take to answer its first call, and to stop.
const START_TIMEOUT: Duration = Duration::from_secs(60);
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// A `quorate up` on a folder that is removed at the end.
pub(crate) struct OwnRegion {
    folder: PathBuf,
    up: Child,
}

impl OwnRegion {
    /// Starts a region on a new folder and waits until it serves.
    pub(crate) async fn start() -> anyhow::Result<OwnRegion> {
        let name = format!("quorate-drill-{:08x}", rand::rng().random::<u32>());
        // Not below a home folder: the account that engines run as could not reach it.
        let folder = std::env::temp_dir().join(name);
        std::fs::DirBuilder::new().mode(0o711).create(&folder)?;
        let log = std::fs::File::create(folder.join("up.log"))?;
        let up = Command::new("/proc/self/exe")
            .args(["up", "--api", "127.0.0.1:0", "--data"])
            .arg(&folder)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .process_group(0)
            .kill_on_drop(true)
            .spawn()?;
        let mut own = OwnRegion { folder, up };
        let serves = tokio::time::timeout(START_TIMEOUT, own.serves()).await;
        serves.context("the region does not start")??;
        Ok(own)
    }

    /// The folder that it runs on.
    pub(crate) fn layout(&self) -> anyhow::Result<Layout> {
        Layout::new(Some(self.folder.clone()))
    }

    async fn serves(&mut self) -> anyhow::Result<()> {
        loop {
            let log = std::fs::read_to_string(self.folder.join("up.log")).unwrap_or_default();
            if log.contains("API: http://") {
                return Ok(());
            }
            if let Some(status) = self.up.try_wait()? {
                bail!("the region ended with {status}: {log}");
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Stops the region and removes its folder.
    pub(crate) async fn remove(mut self) -> anyhow::Result<()> {
        if let Some(pid) = self.up.id() {
            kill(Pid::from_raw(i32::try_from(pid)?), Signal::SIGINT)?;
        }
        let ended = tokio::time::timeout(START_TIMEOUT, self.up.wait()).await;
        ended.context("the region does not stop")??;
        std::fs::remove_dir_all(&self.folder)
            .with_context(|| format!("cannot remove {}", self.folder.display()))
    }
}
