//! A server that has been started.
//!
//! Invariants
//! - Nothing of the server survives [`RunningPostgres`], as nothing does its process.
//! - The configuration changes under one lock, so that files and memory never disagree.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{Mutex, MutexGuard};
use tokio_postgres::Client;
use tokio_postgres::error::SqlState;

use super::admin::{AdminConnections, Commits};
use super::config::PostgresConfig;
use super::paths::MemberPaths;
use crate::account::EngineAccount;
use crate::clock::Deadline;
use crate::durable;
use crate::error::EngineError;
use crate::guard::Signal;
use crate::process::{EngineProcess, ExitKind, millis};

/// The pause between two looks at a server grows from the first to the second.
const LOOK_PAUSE_MIN: Duration = Duration::from_millis(10);
const LOOK_PAUSE_MAX: Duration = Duration::from_millis(50);

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
    process: EngineProcess,
    paths: MemberPaths,
    account: EngineAccount,
    pub(super) config: Mutex<PostgresConfig>,
    commit_guard: Option<PathBuf>,
    pub(super) admin: AdminConnections,
}

/// What a server was started with.
pub(super) struct Launched {
    pub(super) process: EngineProcess,
    pub(super) paths: MemberPaths,
    pub(super) account: EngineAccount,
    pub(super) config: PostgresConfig,
    pub(super) commit_guard: Option<PathBuf>,
}

impl RunningPostgres {
    /// Takes over a server that was just started.
    pub(super) fn adopt(launched: Launched) -> RunningPostgres {
        let Launched {
            process,
            paths,
            account,
            config,
            commit_guard,
        } = launched;
        let admin = AdminConnections::new(paths.socket().to_path_buf(), config.listen.port());
        RunningPostgres {
            process,
            paths,
            account,
            config: Mutex::new(config),
            commit_guard,
            admin,
        }
    }

    /// The process id of the server's first process.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.process.pid()
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
        self.process.exit()
    }

    /// Waits for the server's end: then no process of it is left.
    pub async fn exited(&self) -> ExitKind {
        self.process.exited().await
    }

    /// Moves the deadline after which the guard kills the server; `None` takes it away. Never
    /// blocks. False when the guard could not be told: the older deadline then stands.
    pub fn set_lease(&self, lease: Option<Deadline>) -> bool {
        self.process.set_lease(lease)
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
                return Err(self.process.explain_end(&kind));
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
                        log_tail: self.process.last_words(),
                    });
                }
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LOOK_PAUSE_MAX);
        }
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
        let signal = match mode {
            StopMode::Fast => Signal::Interrupt,
            StopMode::Immediate => Signal::Quit,
        };
        self.process.stop(signal, within).await
    }

    /// Kills the server with all its processes and waits until they are gone.
    pub async fn kill(&self) -> ExitKind {
        self.process.kill().await
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
        if self.process.signal(Signal::Hangup) {
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
        if self.process.signal(Signal::User1) {
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
        self.process.not_running()
    }
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
