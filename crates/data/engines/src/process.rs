//! One engine below its guard: started, watched to its end, told to stop.
//!
//! Invariant: dropping an [`EngineProcess`] closes the guard's pipe, so nothing of the engine survives its owner.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::watch;

use crate::account::EngineAccount;
use crate::cgroup::{self, Limits};
use crate::clock::Deadline;
use crate::error::EngineError;
use crate::folder::EngineFolder;
use crate::guard::{GuardExit, GuardPipe, GuardProgram, GuardedCommand, Signal};
use crate::logtail::LogTail;
use crate::strays;

/// How an engine ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ExitKind {
    /// As it was asked to.
    Stopped,
    /// It was killed, as asked.
    Killed,
    /// By itself, or by somebody else; with its exit and the end of its log.
    Crashed(String),
    /// The disk is full; with the log's line.
    NoSpace(String),
    /// The deadline passed that was last set.
    LeaseLapsed,
    /// The pipe to the guard was closed.
    NodeGone,
}

/// What an engine is started with.
pub(crate) struct Launch<'a> {
    pub(crate) guard: &'a GuardProgram,
    pub(crate) account: &'a EngineAccount,
    pub(crate) folder: &'a EngineFolder,
    pub(crate) command: Vec<OsString>,
    /// The working folder of all of the engine's processes, and of no other's.
    pub(crate) data: PathBuf,
    pub(crate) log: PathBuf,
    pub(crate) limits: &'a Limits,
    pub(crate) lease: Option<Deadline>,
    /// Where it is to listen.
    pub(crate) listen: SocketAddr,
}

/// A started engine.
#[derive(Debug)]
pub(crate) struct EngineProcess {
    pid: Option<u32>,
    pipe: GuardPipe,
    log: LogTail,
    data: PathBuf,
    listen: SocketAddr,
    exit: watch::Receiver<Option<ExitKind>>,
    stop_asked: Arc<AtomicBool>,
}

impl EngineProcess {
    /// Starts the engine; its end is watched by a task of its own. The folder was cleared before.
    ///
    /// # Errors
    /// [`EngineError::AlreadyServed`]; [`EngineError::ExitedEarly`] when the program could not be started at all;
    /// [`EngineError::Io`].
    pub(crate) async fn launch(launch: Launch<'_>) -> Result<EngineProcess, EngineError> {
        let Launch { data, listen, .. } = launch;
        let group = cgroup::prepare(&launch.folder.short_name(), launch.limits);
        let (output, log) = LogTail::open(&launch.log, launch.account)?;
        let command = GuardedCommand {
            guard: launch.guard,
            account: launch.account,
            command: launch.command,
            workdir: data.clone(),
            lock: Some(launch.folder.lock()),
            cgroup: group.clone(),
            lease: launch.lease,
            output,
        };
        let guarded = command.spawn().await.map_err(EngineError::io(format!(
            "start the guard of {}",
            data.display()
        )))?;
        if guarded.engine_pid.is_none() {
            return Err(match guarded.wait().await {
                GuardExit::Locked => EngineError::AlreadyServed { data },
                exit => log.explain(exit.to_string(), &data, listen),
            });
        }
        let pid = guarded.engine_pid;
        let (mut wait, pipe) = guarded.split();
        let (tell, exit) = watch::channel(None);
        let stop_asked = Arc::new(AtomicBool::new(false));
        let (its_data, its_log, asked) = (data.clone(), log.clone(), Arc::clone(&stop_asked));
        tokio::spawn(async move {
            let guard_exit = wait.wait().await;
            if guard_exit == GuardExit::GuardLost {
                let _ = strays::sweep(&its_data).await;
            }
            if let Some(group) = group {
                cgroup::remove(&group);
            }
            let kind = exit_kind(guard_exit, asked.load(Ordering::SeqCst), &its_log);
            tracing::info!(data = %its_data.display(), ?kind, "an engine has ended");
            tell.send_replace(Some(kind));
        });
        Ok(EngineProcess {
            pid,
            pipe,
            log,
            data,
            listen,
            exit,
            stop_asked,
        })
    }

    /// The process id of the engine's first process.
    pub(crate) fn pid(&self) -> Option<u32> {
        self.pid
    }

    /// How the engine ended; `None` while it runs.
    pub(crate) fn exit(&self) -> Option<ExitKind> {
        self.exit.borrow().clone()
    }

    /// Waits for the engine's end: then no process of it is left.
    pub(crate) async fn exited(&self) -> ExitKind {
        let mut exit = self.exit.clone();
        let lost = || ExitKind::Crashed(String::from("the task that watched it ended"));
        match exit.wait_for(Option::is_some).await {
            Ok(kind) => kind.clone().unwrap_or_else(lost),
            Err(_) => lost(),
        }
    }

    /// Moves the deadline after which the guard kills the engine; `None` takes it away. Never blocks. False when the
    /// guard could not be told: the older deadline then stands.
    pub(crate) fn set_lease(&self, lease: Option<Deadline>) -> bool {
        self.pipe.set_lease(lease)
    }

    /// Sends a signal to the engine's first process. Never blocks.
    pub(crate) fn signal(&self, signal: Signal) -> bool {
        self.pipe.signal(signal)
    }

    /// Stops the engine by a signal and waits for its end.
    ///
    /// # Errors
    /// [`EngineError::Timeout`] when it has not ended `within`.
    pub(crate) async fn stop(
        &self,
        signal: Signal,
        within: Duration,
    ) -> Result<ExitKind, EngineError> {
        self.stop_asked.store(true, Ordering::SeqCst);
        self.pipe.signal(signal);
        let ended = tokio::time::timeout(within, self.exited());
        ended.await.map_err(|_| EngineError::Timeout {
            doing: String::from("stop the server"),
            waited_ms: millis(within),
        })
    }

    /// Kills the engine with all its processes and waits until they are gone.
    pub(crate) async fn kill(&self) -> ExitKind {
        self.pipe.kill();
        self.exited().await
    }

    /// What this run has written last.
    pub(crate) fn last_words(&self) -> String {
        self.log.read()
    }

    /// The most telling error for an end that nobody asked for.
    pub(crate) fn explain_end(&self, kind: &ExitKind) -> EngineError {
        self.log
            .explain(format!("{kind:?}"), &self.data, self.listen)
    }

    /// The error for a question to an engine that is gone.
    pub(crate) fn not_running(&self) -> EngineError {
        EngineError::NotRunning {
            detail: self
                .exit()
                .map_or_else(|| String::from("its guard is gone"), |k| format!("{k:?}")),
        }
    }
}

fn exit_kind(exit: GuardExit, stop_asked: bool, log: &LogTail) -> ExitKind {
    match exit {
        GuardExit::LeaseLapsed => ExitKind::LeaseLapsed,
        GuardExit::NodeGone => ExitKind::NodeGone,
        GuardExit::Killed => ExitKind::Killed,
        GuardExit::Ended(_) if stop_asked => ExitKind::Stopped,
        other => match log.no_space() {
            Some(line) => ExitKind::NoSpace(line),
            None => ExitKind::Crashed(format!("{other}; its last words:\n{}", log.read())),
        },
    }
}

pub(crate) fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}
