//! Turns waiting for the synchronous standby on and off, and proves it.
//!
//! After a reload nothing in SQL tells whether every backend waits already: the switch that they
//! look at (`WalSndCtl->sync_standbys_defined`) is set by the checkpointer some time later. The
//! proof:
//!
//! 1. name a standby that does not exist;
//! 2. commit a probe until one is seen to *wait*: the switch is on. Every commit record written
//!    from here on waits, and every one that did not wait lies before the log's present end, the
//!    *barrier*;
//! 3. name the real standby: the switch stays on between two names;
//! 4. the probe returns and the standby has the log up to the barrier on disk.
//!
//! Invariant: whatever goes wrong, also when the future is dropped, the earlier name stands again.

use std::time::{Duration, Instant};

use tokio::sync::MutexGuard;
use tokio::task::JoinHandle;
use tokio_postgres::Client;

use super::admin::Commits;
use super::config::PostgresConfig;
use super::position::WalPosition;
use super::probe;
use super::running::RunningPostgres;
use crate::error::EngineError;
use crate::process::millis;

/// A name that no standby has.
const NOBODY: &str = "quorate_barrier";
/// Writes to the log and so commits for real, and changes nothing.
const PROBE: &str = "SELECT pg_logical_emit_message(true, 'quorate', 'barrier')";
const PAUSE: Duration = Duration::from_millis(5);

/// The configuration, with the synchronous standby to go back to.
struct Undo<'a> {
    server: &'a RunningPostgres,
    held: MutexGuard<'a, PostgresConfig>,
    previous: Option<String>,
    done: bool,
}

impl Undo<'_> {
    fn name(&mut self, standby: Option<&str>) -> Result<(), EngineError> {
        let mut config = self.held.clone();
        config.synchronous_standby = standby.map(str::to_owned);
        self.server.apply(&mut self.held, config)
    }
}

impl Drop for Undo<'_> {
    fn drop(&mut self) {
        if !self.done {
            let previous = self.previous.take();
            if let Err(error) = self.name(previous.as_deref()) {
                tracing::warn!(%error, "the earlier synchronous standby could not be named again");
            }
        }
    }
}

/// A connection whose commits wait.
struct Probe {
    pid: i32,
    commit: JoinHandle<Result<(), tokio_postgres::Error>>,
}

impl RunningPostgres {
    /// Makes every commit wait for the follower called `application_name`, which must stream
    /// already. When this returns, each commit that was acknowledged before the returned position,
    /// and each one from then on, is on that follower's disk. Writers stall for milliseconds.
    ///
    /// # Errors
    /// [`EngineError::Timeout`] after `within`, [`EngineError::Sql`], [`EngineError::NotRunning`].
    /// Then, and when the future is dropped, the earlier standby is named again.
    pub async fn establish_sync_standby(
        &self,
        application_name: &str,
        within: Duration,
    ) -> Result<WalPosition, EngineError> {
        let work = self.pass_barrier(application_name);
        tokio::time::timeout(within, work)
            .await
            .map_err(|_| EngineError::Timeout {
                doing: format!("see every commit wait for the standby {application_name}"),
                waited_ms: millis(within),
            })?
    }

    async fn pass_barrier(&self, application_name: &str) -> Result<WalPosition, EngineError> {
        let admin = self.admin().await?;
        // Not worth a stall when the standby is not even there.
        while !streams(&admin, application_name).await? {
            tokio::time::sleep(PAUSE).await;
        }
        let held = self.config.lock().await;
        let previous = held.synchronous_standby.clone();
        let mut undo = Undo {
            server: self,
            held,
            previous,
            done: false,
        };
        undo.name(Some(NOBODY))?;
        let probe = self.probe_until_it_waits(&admin).await?;
        let barrier = barrier_position(&admin).await?;
        undo.name(Some(application_name))?;
        loop {
            // A standby answers when it has flushed something: give it something. This commit does
            // not wait.
            admin
                .batch_execute(PROBE)
                .await
                .map_err(EngineError::sql("write to the log"))?;
            let has_it = standby_has(&admin, application_name, barrier).await?;
            if has_it && probe.commit.is_finished() {
                break;
            }
            tokio::time::sleep(PAUSE).await;
        }
        finish(probe.commit).await?;
        undo.done = true;
        Ok(barrier)
    }

    /// Commits until a commit is seen to wait for the standby.
    async fn probe_until_it_waits(&self, admin: &Client) -> Result<Probe, EngineError> {
        loop {
            let probe = self.start_probe().await?;
            while !probe.commit.is_finished() {
                if probe::waiting_for_sync(admin, probe.pid).await? {
                    return Ok(probe);
                }
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            finish(probe.commit).await?;
        }
    }

    async fn start_probe(&self) -> Result<Probe, EngineError> {
        let doing = || EngineError::sql("commit a probe");
        let client = self
            .admin
            .connect_somewhere(Commits::Synchronous)
            .await
            .map_err(doing())?;
        let row = client
            .query_one("SELECT pg_backend_pid()", &[])
            .await
            .map_err(doing())?;
        let pid = row.try_get(0).map_err(doing())?;
        let commit = tokio::spawn(async move { client.batch_execute(PROBE).await });
        Ok(Probe { pid, commit })
    }

    /// Makes commits wait for nobody, and returns when nobody waits any more. To be called only
    /// when it is recorded that the standby is not to be promoted. Stays in force when the future
    /// is dropped.
    ///
    /// # Errors
    /// [`EngineError::Timeout`] after `within`, [`EngineError::Sql`], [`EngineError::NotRunning`].
    pub async fn release_sync_standby(&self, within: Duration) -> Result<(), EngineError> {
        {
            let mut held = self.config.lock().await;
            let mut config = held.clone();
            config.synchronous_standby = None;
            self.apply(&mut held, config)?;
        }
        let work = async {
            let since = Instant::now();
            // Returns when the switch is off, which is when all that waited are let go.
            finish(self.start_probe().await?.commit).await?;
            let admin = self.admin().await?;
            while !probe::sync_waiters(&admin).await?.is_empty() {
                tokio::time::sleep(PAUSE).await;
            }
            tracing::debug!(
                took_ms = millis(since.elapsed()),
                "commits wait for no standby"
            );
            Ok(())
        };
        tokio::time::timeout(within, work)
            .await
            .map_err(|_| EngineError::Timeout {
                doing: String::from("let commits go on without a standby"),
                waited_ms: millis(within),
            })?
    }
}

async fn finish(commit: JoinHandle<Result<(), tokio_postgres::Error>>) -> Result<(), EngineError> {
    match commit.await {
        Ok(result) => result.map_err(EngineError::sql("commit a probe")),
        Err(error) => Err(EngineError::Unexpected {
            doing: String::from("commit a probe"),
            answer: error.to_string(),
        }),
    }
}

async fn streams(admin: &Client, name: &str) -> Result<bool, EngineError> {
    let peers = probe::replication_peers(admin).await?;
    Ok(peers
        .iter()
        .any(|peer| peer.application_name == name && peer.state == "streaming"))
}

async fn standby_has(
    admin: &Client,
    name: &str,
    barrier: WalPosition,
) -> Result<bool, EngineError> {
    let peers = probe::replication_peers(admin).await?;
    Ok(peers.iter().any(|peer| {
        peer.application_name == name
            && peer.sync_state == "sync"
            && peer.flush.is_some_and(|flush| flush >= barrier)
    }))
}

async fn barrier_position(admin: &Client) -> Result<WalPosition, EngineError> {
    let doing = || EngineError::sql("ask for the end of the log");
    let row = admin
        .query_one("SELECT pg_current_wal_insert_lsn()::text", &[])
        .await
        .map_err(doing())?;
    let text: &str = row.try_get(0).map_err(doing())?;
    text.parse().map_err(|answer| EngineError::Unexpected {
        doing: String::from("ask for the end of the log"),
        answer,
    })
}
