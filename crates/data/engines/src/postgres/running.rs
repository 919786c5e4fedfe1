//! A server that has been started.
//!
//! Invariants
//! - Dropping [`RunningPostgres`] closes the guard's pipe: nothing of the server survives its
//!   owner.
//! - The configuration changes under one lock, so that files and memory never disagree.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::{Mutex, MutexGuard, watch};
use tokio_postgres::Client;
use tokio_postgres::error::SqlState;

use super::admin::{AdminConnections, Commits};
use super::config::PostgresConfig;
use super::logtail::LogTail;
use super::paths::MemberPaths;
use super::strays;
use crate::account::EngineAccount;
use crate::cgroup;
use crate::clock::Deadline;
use crate::durable;
use crate::error::EngineError;
use crate::guard::{GuardExit, GuardPipe, Guarded, Signal};

/// The pause between two looks at a server grows from the first to the second.
const LOOK_PAUSE_MIN: Duration = Duration::from_millis(10);
const LOOK_PAUSE_MAX: Duration = Duration::from_millis(50);

/// How a server ended.
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

/// How a server is to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopMode {
    /// Roll open transactions back, write a checkpoint, let followers have all of the log.
    Fast,
    /// At once; the next start recovers.
    Immediate,
}

/// A started server.
#[derive(Debug)]
pub struct RunningPostgres {
    pid: Option<u32>,
    paths: MemberPaths,
    account: EngineAccount,
    pipe: GuardPipe,
    log: LogTail,
    pub(super) config: Mutex<PostgresConfig>,
    commit_guard: Option<PathBuf>,
    pub(super) admin: AdminConnections,
    exit: watch::Receiver<Option<ExitKind>>,
    asked: Arc<AtomicU8>,
}

const ASKED_NOTHING: u8 = 0;
const ASKED_STOP: u8 = 1;

/// What a server was started with.
pub(super) struct Launched {
    pub(super) guarded: Guarded,
    pub(super) paths: MemberPaths,
    pub(super) account: EngineAccount,
    pub(super) config: PostgresConfig,
    pub(super) commit_guard: Option<PathBuf>,
    pub(super) log: LogTail,
    pub(super) cgroup: Option<PathBuf>,
}

impl RunningPostgres {
    /// Takes over a server that was just started; its end is watched by a task of its own.
    pub(super) fn watch(launched: Launched) -> RunningPostgres {
        let Launched {
            guarded,
            paths,
            account,
            config,
            commit_guard,
            log,
            cgroup,
        } = launched;
        let pid = guarded.engine_pid;
        let (mut wait, pipe) = guarded.split();
        let (tell, exit) = watch::channel(None);
        let asked = Arc::new(AtomicU8::new(ASKED_NOTHING));
        let (data, its_log, was_asked) = (paths.data(), log.clone(), Arc::clone(&asked));
        tokio::spawn(async move {
            let guard_exit = wait.wait().await;
            if guard_exit == GuardExit::GuardLost {
                let _ = strays::sweep(&data).await;
            }
            if let Some(group) = cgroup {
                cgroup::remove(&group);
            }
            let stop_asked = was_asked.load(Ordering::SeqCst) == ASKED_STOP;
            let kind = exit_kind(guard_exit, stop_asked, &its_log);
            tracing::info!(data = %data.display(), ?kind, "a server has ended");
            tell.send_replace(Some(kind));
        });
        let admin = AdminConnections::new(paths.socket().to_path_buf(), config.listen.port());
        RunningPostgres {
            pid,
            paths,
            account,
            pipe,
            log,
            config: Mutex::new(config),
            commit_guard,
            admin,
            exit,
            asked,
        }
    }

    /// The process id of the server's first process.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.pid
    }

    /// The member's folder.
    #[must_use]
    pub fn paths(&self) -> &MemberPaths {
        &self.paths
    }

    /// The configuration that was last written.
    pub async fn config(&self) -> PostgresConfig {
        self.config.lock().await.clone()
    }

    /// Whether the server has the module that keeps cancels from ending a commit's wait for the
    /// standby.
    #[must_use]
    pub fn guards_commits(&self) -> bool {
        self.commit_guard.is_some()
    }

    /// How the server ended; `None` while it runs.
    #[must_use]
    pub fn exit(&self) -> Option<ExitKind> {
        self.exit.borrow().clone()
    }

    /// Waits for the server's end: then no process of it is left.
    pub async fn exited(&self) -> ExitKind {
        let mut exit = self.exit.clone();
        let lost = || ExitKind::Crashed(String::from("the task that watched it ended"));
        match exit.wait_for(Option::is_some).await {
            Ok(kind) => kind.clone().unwrap_or_else(lost),
            Err(_) => lost(),
        }
    }

    /// Moves the deadline after which the guard kills the server; `None` takes it away. Never
    /// blocks. False when the guard could not be told: the older deadline then stands.
    pub fn set_lease(&self, lease: Option<Deadline>) -> bool {
        self.pipe.set_lease(lease)
    }

    /// Waits until the server accepts connections.
    ///
    /// # Errors
    /// [`EngineError::ExitedEarly`], [`EngineError::NoSpace`], [`EngineError::PortInUse`] when it
    /// ended; [`EngineError::NotReady`] after `within` (it still runs then); [`EngineError::Sql`]
    /// when it refuses the administrator.
    pub async fn wait_ready(&self, within: Duration) -> Result<(), EngineError> {
        let since = Instant::now();
        let mut pause = LOOK_PAUSE_MIN;
        let mut phase = String::from("it does not listen yet");
        loop {
            if let Some(kind) = self.exit() {
                return Err(self.explain_end(kind).await);
            }
            let left = within.saturating_sub(since.elapsed());
            match tokio::time::timeout(left, self.admin.connect_somewhere(Commits::Local)).await {
                Ok(Ok(_)) => return Ok(()),
                Ok(Err(error)) => match error.as_db_error() {
                    Some(db) if *db.code() == SqlState::CANNOT_CONNECT_NOW => {
                        phase = db.detail().unwrap_or(db.message()).to_owned();
                    }
                    Some(_) => return Err(EngineError::sql("connect as the administrator")(error)),
                    None => {}
                },
                Err(_) => {
                    return Err(EngineError::NotReady {
                        waited_ms: millis(since.elapsed()),
                        phase,
                        log_tail: self.log.read(),
                    });
                }
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LOOK_PAUSE_MAX);
        }
    }

    async fn explain_end(&self, kind: ExitKind) -> EngineError {
        let listen = self.config.lock().await.listen;
        self.log
            .explain(format!("{kind:?}"), &self.paths.data(), listen)
    }

    /// The administrator's connection: kept, and made anew when broken. Its statements are bounded
    /// in time, and its commits do not wait for a standby.
    ///
    /// # Errors
    /// [`EngineError::Sql`] when the server does not let it in.
    pub async fn admin(&self) -> Result<Arc<Client>, EngineError> {
        self.admin.kept().await
    }

    /// Stops the server and waits for its end.
    ///
    /// # Errors
    /// [`EngineError::Timeout`] when it has not ended `within`: kill it, or wait on.
    pub async fn stop(&self, mode: StopMode, within: Duration) -> Result<ExitKind, EngineError> {
        self.asked.store(ASKED_STOP, Ordering::SeqCst);
        self.pipe.signal(match mode {
            StopMode::Fast => Signal::Interrupt,
            StopMode::Immediate => Signal::Quit,
        });
        tokio::time::timeout(within, self.exited())
            .await
            .map_err(|_| EngineError::Timeout {
                doing: String::from("stop the server"),
                waited_ms: millis(within),
            })
    }

    /// Kills the server with all its processes and waits until they are gone.
    pub async fn kill(&self) -> ExitKind {
        self.pipe.kill();
        self.exited().await
    }

    /// Writes the configuration anew and has the server read it. Settings that need a restart wait
    /// for it; where to listen, and whether to follow at all, are among them.
    ///
    /// # Errors
    /// [`EngineError::Parameter`], [`EngineError::Io`], [`EngineError::NotRunning`].
    pub async fn reload(&self, config: PostgresConfig) -> Result<(), EngineError> {
        let mut held = self.config.lock().await;
        self.apply(&mut held, config)
    }

    /// As [`RunningPostgres::reload`], and waits until the server has read the files: what is asked of it from then on,
    /// as which settings wait for a restart, is answered by them.
    ///
    /// # Errors
    /// Those of `reload`; [`EngineError::Sql`]; [`EngineError::Timeout`] after `within`.
    pub async fn reload_and_see(
        &self,
        config: PostgresConfig,
        within: Duration,
    ) -> Result<(), EngineError> {
        let admin = self.admin().await?;
        let before = configuration_read_at(&admin).await?;
        let since = Instant::now();
        self.reload(config).await?;
        while configuration_read_at(&admin).await? == before {
            if since.elapsed() > within {
                return Err(EngineError::Timeout {
                    doing: String::from("see the server read its configuration"),
                    waited_ms: millis(within),
                });
            }
            tokio::time::sleep(LOOK_PAUSE_MIN).await;
        }
        Ok(())
    }

    /// The reload itself. Does not wait: the server reads the files a moment later.
    pub(super) fn apply(
        &self,
        held: &mut MutexGuard<'_, PostgresConfig>,
        config: PostgresConfig,
    ) -> Result<(), EngineError> {
        config.write(
            &self.paths,
            &self.account,
            self.commit_guard.as_deref(),
            None,
        )?;
        **held = config;
        if self.pipe.signal(Signal::Hangup) {
            Ok(())
        } else {
            Err(self.not_running())
        }
    }

    /// Ends recovery: the server takes writes, on a timeline of its own. Does nothing on one that
    /// does already. The configuration no longer has an upstream after that. Write a
    /// [`RunningPostgres::checkpoint`] before others rewind to this server.
    ///
    /// # Errors
    /// [`EngineError::Timeout`] when it still recovers after `within`: whether it will take writes
    /// is unknown.
    pub async fn promote(&self, within: Duration) -> Result<(), EngineError> {
        let since = Instant::now();
        let mut ordered = false;
        loop {
            if self.exit().is_some() {
                return Err(self.not_running());
            }
            match self.in_recovery().await {
                Ok(false) => break,
                Ok(true) | Err(EngineError::Sql { .. }) if !ordered => {
                    self.order_promotion()?;
                    ordered = true;
                }
                Ok(true) | Err(EngineError::Sql { .. }) => {}
                Err(other) => return Err(other),
            }
            if since.elapsed() > within {
                return Err(EngineError::Timeout {
                    doing: String::from("promote the server"),
                    waited_ms: millis(within),
                });
            }
            tokio::time::sleep(LOOK_PAUSE_MIN).await;
        }
        let mut held = self.config.lock().await;
        let mut config = held.clone();
        config.upstream = None;
        self.apply(&mut held, config)
    }

    async fn in_recovery(&self) -> Result<bool, EngineError> {
        let asked = EngineError::sql("ask whether the server recovers");
        let row = self
            .admin()
            .await?
            .query_one("SELECT pg_is_in_recovery()", &[])
            .await;
        row.and_then(|row| row.try_get(0)).map_err(asked)
    }

    /// What `pg_ctl promote` does; works also while the server lets nobody in yet.
    fn order_promotion(&self) -> Result<(), EngineError> {
        let file = self.paths.data().join("promote");
        durable::write_whole(&file, b"", 0o600, &self.account)
            .map_err(EngineError::io(format!("write {}", file.display())))?;
        if self.pipe.signal(Signal::User1) {
            Ok(())
        } else {
            Err(self.not_running())
        }
    }

    /// Writes a checkpoint and waits for it.
    ///
    /// # Errors
    /// [`EngineError::Sql`].
    pub async fn checkpoint(&self) -> Result<(), EngineError> {
        let admin = self.admin.connect_somewhere(Commits::Local).await;
        let admin = admin.map_err(EngineError::sql("connect as the administrator"))?;
        // A checkpoint of a large buffer takes as long as it takes.
        admin
            .batch_execute("SET statement_timeout = 0; CHECKPOINT")
            .await
            .map_err(EngineError::sql("write a checkpoint"))
    }

    pub(super) fn not_running(&self) -> EngineError {
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

pub(super) fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

/// When the connection's backend last read the configuration, as text that differs from one time to the next.
async fn configuration_read_at(client: &Client) -> Result<String, EngineError> {
    let doing = || EngineError::sql("ask when the configuration was read");
    let row = client
        .query_one("SELECT pg_conf_load_time()::text", &[])
        .await
        .map_err(doing())?;
    row.try_get(0).map_err(doing())
}
