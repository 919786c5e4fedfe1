//! A mount process, as its agent holds it.
//!
//! Invariant: nothing of it outlives [`MountProcess`]: its standard input closes, which it ends at.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use nix::mount::{MntFlags, umount2};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::sync::{mpsc, watch};

use quorate_engines::EngineError;
use quorate_volume::VolumeStatus;
use quorate_volume::protocol::Lsn;

use crate::aurora::mount::{MOUNT_COMMAND, MountNews, MountOrder, MountSpec};

/// Orders that wait to be written to the process.
const ORDERS_MAX: usize = 16;
/// How long a mount process has to end once it is told to.
const END_TIMEOUT: Duration = Duration::from_secs(5);

/// What a mount process has told so far.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct MountState {
    /// Where the opening of the volume stands.
    pub(super) opening: Option<String>,
    /// What the volume held when it was mounted; none before.
    pub(super) mounted: Option<Lsn>,
    /// How the volume stands, from a writer.
    pub(super) volume: Option<VolumeStatus>,
    /// When it told so, from the start of the process.
    pub(super) volume_at: Duration,
    /// Bytes of a reader's own pages.
    pub(super) overlay_bytes: u64,
    /// Why it is over.
    pub(super) ended: Option<String>,
}

/// A running mount process.
pub(super) struct MountProcess {
    child: Child,
    mountpoint: PathBuf,
    orders: mpsc::Sender<MountOrder>,
    state: watch::Receiver<MountState>,
}

impl MountProcess {
    /// Starts a process that mounts what `spec` says; its log goes to `log`.
    pub(super) async fn start(spec: &MountSpec, log: &Path) -> Result<MountProcess, EngineError> {
        let failed = || EngineError::io(format!("mount {}", spec.mountpoint.display()));
        take_away(&spec.mountpoint);
        let log = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(log)
            .map_err(failed())?;
        let mut child = Command::new("/proc/self/exe")
            .arg(MOUNT_COMMAND)
            .env_clear()
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::from(log))
            .kill_on_drop(true)
            .spawn()
            .map_err(failed())?;
        let mut stdin = child.stdin.take().expect("it was piped");
        let stdout = child.stdout.take().expect("it was piped");
        write_line(&mut stdin, spec).await.map_err(failed())?;
        let (orders, waiting) = mpsc::channel(ORDERS_MAX);
        let (told, state) = watch::channel(MountState::default());
        tokio::spawn(give_orders(stdin, waiting));
        tokio::spawn(hear(stdout, told));
        Ok(MountProcess {
            child,
            mountpoint: spec.mountpoint.clone(),
            orders,
            state,
        })
    }

    pub(super) fn state(&self) -> watch::Receiver<MountState> {
        self.state.clone()
    }

    pub(super) fn orders(&self) -> mpsc::Sender<MountOrder> {
        self.orders.clone()
    }

    /// Kills the process, as a crash would. The mount stays, and gives errors to whoever uses it, until it is taken away.
    pub(super) fn crash(&mut self) {
        if let Err(e) = self.child.start_kill() {
            tracing::warn!(error = %e, "a mount process cannot be killed");
        }
    }

    /// Takes the mount away. No engine may run on it any more.
    pub(super) async fn end(mut self) {
        // Its standard input closes when the last sender of orders goes; the signal does not wait for those.
        let pid = self.child.id().and_then(|pid| i32::try_from(pid).ok());
        if let Some(pid) = pid {
            let pid = nix::unistd::Pid::from_raw(pid);
            // It may have ended already.
            let _ = nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM);
        }
        if tokio::time::timeout(END_TIMEOUT, self.child.wait())
            .await
            .is_err()
            && let Err(e) = self.child.kill().await
        {
            tracing::error!(error = %e, "a mount process does not end");
        }
        take_away(&self.mountpoint);
    }
}

/// Takes away what is mounted there. A mount whose process was killed stays until somebody does; most often there is none.
pub(super) fn take_away(mountpoint: &Path) {
    let _ = umount2(mountpoint, MntFlags::MNT_DETACH);
}

async fn write_line<T: serde::Serialize>(stdin: &mut ChildStdin, line: &T) -> std::io::Result<()> {
    let mut line = serde_json::to_vec(line)?;
    line.push(b'\n');
    stdin.write_all(&line).await
}

async fn give_orders(mut stdin: ChildStdin, mut waiting: mpsc::Receiver<MountOrder>) {
    while let Some(order) = waiting.recv().await {
        if let Err(e) = write_line(&mut stdin, &order).await {
            return tracing::debug!(error = %e, "a mount process takes no orders any more");
        }
    }
}

async fn hear(stdout: ChildStdout, told: watch::Sender<MountState>) {
    let started = Instant::now();
    let mut lines = BufReader::new(stdout).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        match serde_json::from_str(&line) {
            Ok(news) => {
                told.send_modify(|state| take(state, news, started.elapsed()));
            }
            Err(e) => tracing::error!(error = %e, "a mount process says what nobody knows"),
        }
    }
    told.send_modify(|state| {
        let why = || String::from("the mount process has ended");
        state.ended.get_or_insert_with(why);
    });
}

fn take(state: &mut MountState, news: MountNews, at: Duration) {
    match news {
        MountNews::Opening(progress) => state.opening = Some(progress),
        MountNews::Mounted { at } => state.mounted = Some(at),
        MountNews::Status(status) => {
            state.volume = Some(status);
            state.volume_at = at;
        }
        MountNews::Overlay(bytes) => state.overlay_bytes = bytes,
        MountNews::Ended { why, .. } => state.ended = Some(why),
    }
}
