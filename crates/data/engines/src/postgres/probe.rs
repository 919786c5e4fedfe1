//! Questions to a running server, each one statement with a typed answer.

use std::time::Duration;

use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Row};

use super::position::{TimelineId, WalPosition};
use crate::error::EngineError;

/// Where a server stands in its log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerState {
    /// Whether it follows (or recovers), and takes no writes.
    pub in_recovery: bool,
    /// The timeline of its last checkpoint, or that it receives, whichever is later.
    pub timeline: TimelineId,
    /// The timeline in its control file, which is what a rewind to this server goes by.
    pub checkpoint_timeline: TimelineId,
    /// Its own log up to here is on disk; `None` in recovery.
    pub flush: Option<WalPosition>,
    /// Received from upstream and on disk; `None` when nothing was received since its start.
    pub receive: Option<WalPosition>,
    /// Applied; `None` when nothing was since its start.
    pub replay: Option<WalPosition>,
    /// Whether it streams from an upstream at this moment.
    pub streaming: bool,
    /// Since when it runs: tells one start from another. Microseconds since the Unix epoch.
    pub started_unix_us: i64,
}

impl ServerState {
    /// How far the server has the log on its disk or has applied it.
    #[must_use]
    pub fn position(&self) -> WalPosition {
        [self.flush, self.receive, self.replay]
            .into_iter()
            .flatten()
            .max()
            .unwrap_or_default()
    }
}

/// A follower, as its upstream sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReplicationPeer {
    /// What the follower calls itself.
    pub application_name: String,
    /// The walsender's process id.
    pub pid: i32,
    /// `startup`, `catchup`, `streaming`, `backup` or `stopping`.
    pub state: String,
    /// `async`, `potential`, `sync` or `quorum`.
    pub sync_state: String,
    /// Sent up to here.
    pub sent: Option<WalPosition>,
    /// Written by the follower up to here.
    pub write: Option<WalPosition>,
    /// On the follower's disk up to here.
    pub flush: Option<WalPosition>,
    /// Applied by the follower up to here.
    pub replay: Option<WalPosition>,
    /// How long ago it last answered.
    pub reply_age: Option<Duration>,
}

/// A replication slot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReplicationSlot {
    /// The slot's name.
    pub name: String,
    /// Whether it is a physical one.
    pub physical: bool,
    /// The walsender that uses it.
    pub active_pid: Option<i32>,
    /// The oldest log that is kept for it.
    pub restart: Option<WalPosition>,
    /// `reserved`, `extended`, `unreserved` or `lost`: a lost one cannot be followed through any
    /// more.
    pub wal_status: Option<String>,
}

/// How far a follower lags behind what it knows of its upstream.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FollowerLag {
    /// Bytes of log that the upstream has sent word of and that are not applied.
    pub bytes: u64,
    /// Seconds since the last applied commit was made; 0 when everything received is applied.
    /// `None` when no commit was applied since the start.
    pub seconds: Option<f64>,
    /// Whether it streams at this moment: else the figures stand still while the lag grows.
    pub streaming: bool,
    /// Whether it has stopped to apply what it receives: on order, or because its upstream was given more of something
    /// than it has, as of `max_connections`. Then it goes on once it was started with as much.
    pub paused: bool,
}

/// Where the server stands.
///
/// # Errors
/// [`EngineError::Sql`], [`EngineError::Unexpected`].
pub async fn server_state(client: &Client) -> Result<ServerState, EngineError> {
    const QUERY: &str = "
        SELECT r.rec,
               c.timeline_id,
               CASE WHEN r.rec THEN NULL
                    ELSE ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::int
               END,
               w.received_tli,
               CASE WHEN r.rec THEN NULL ELSE pg_current_wal_flush_lsn()::text END,
               pg_last_wal_receive_lsn()::text,
               CASE WHEN r.rec THEN pg_last_wal_replay_lsn()::text END,
               coalesce(w.status = 'streaming', false),
               (extract(epoch FROM pg_postmaster_start_time()) * 1000000)::int8
          FROM (SELECT pg_is_in_recovery() AS rec) r
         CROSS JOIN pg_control_checkpoint() c
          LEFT JOIN pg_stat_wal_receiver w ON true";
    let row = ask(client, "ask where the server stands", QUERY, &[]).await?;
    let row = row.first().ok_or_else(|| unexpected("no row"))?;
    let control: i32 = get(row, 1)?;
    let current: Option<i32> = get(row, 2)?;
    let received: Option<i32> = get(row, 3)?;
    let timeline = current.or(received).unwrap_or(control).max(control);
    Ok(ServerState {
        in_recovery: get(row, 0)?,
        timeline: timeline_id(timeline)?,
        checkpoint_timeline: timeline_id(control)?,
        flush: position(row, 4)?,
        receive: position(row, 5)?,
        replay: position(row, 6)?,
        streaming: get(row, 7)?,
        started_unix_us: get(row, 8)?,
    })
}

/// The followers of a server.
///
/// # Errors
/// [`EngineError::Sql`], [`EngineError::Unexpected`].
pub async fn replication_peers(client: &Client) -> Result<Vec<ReplicationPeer>, EngineError> {
    const QUERY: &str = "
        SELECT application_name, pid, state, sync_state, sent_lsn::text, write_lsn::text, flush_lsn::text,
               replay_lsn::text, extract(epoch FROM clock_timestamp() - reply_time)::float8
          FROM pg_stat_replication ORDER BY application_name, pid";
    let rows = ask(client, "ask for followers", QUERY, &[]).await?;
    rows.iter()
        .map(|row| {
            let age: Option<f64> = get(row, 8)?;
            Ok(ReplicationPeer {
                application_name: get(row, 0)?,
                pid: get(row, 1)?,
                state: get::<Option<String>>(row, 2)?.unwrap_or_default(),
                sync_state: get::<Option<String>>(row, 3)?.unwrap_or_default(),
                sent: position(row, 4)?,
                write: position(row, 5)?,
                flush: position(row, 6)?,
                replay: position(row, 7)?,
                reply_age: age.and_then(|s| Duration::try_from_secs_f64(s.max(0.0)).ok()),
            })
        })
        .collect()
}

/// The server's replication slots.
///
/// # Errors
/// [`EngineError::Sql`], [`EngineError::Unexpected`].
pub async fn slots(client: &Client) -> Result<Vec<ReplicationSlot>, EngineError> {
    const QUERY: &str = "
        SELECT slot_name::text, slot_type = 'physical', active_pid, restart_lsn::text, wal_status
          FROM pg_replication_slots ORDER BY slot_name";
    let rows = ask(client, "ask for slots", QUERY, &[]).await?;
    rows.iter()
        .map(|row| {
            Ok(ReplicationSlot {
                name: get(row, 0)?,
                physical: get(row, 1)?,
                active_pid: get(row, 2)?,
                restart: position(row, 3)?,
                wal_status: get(row, 4)?,
            })
        })
        .collect()
}

/// Makes a physical slot that keeps the log from this moment on; does nothing when it is there and
/// good.
///
/// # Errors
/// [`EngineError::Sql`].
pub async fn create_slot(client: &Client, name: &str) -> Result<(), EngineError> {
    let there = slots(client).await?;
    match there.iter().find(|slot| slot.name == name) {
        Some(slot) if slot.wal_status.as_deref() != Some("lost") => return Ok(()),
        Some(_) => drop_slot(client, name).await?,
        None => {}
    }
    let doing = format!("make the slot {name}");
    ask(
        client,
        &doing,
        "SELECT pg_create_physical_replication_slot($1, true)",
        &[&name],
    )
    .await?;
    Ok(())
}

/// Drops a slot if it is there; ends the walsender that uses it first.
///
/// # Errors
/// [`EngineError::Sql`] also when a follower keeps coming back to it.
pub async fn drop_slot(client: &Client, name: &str) -> Result<(), EngineError> {
    const TRIES_MAX: u32 = 20;
    let doing = format!("drop the slot {name}");
    let mut tries = 0;
    loop {
        const END: &str = "SELECT pg_terminate_backend(active_pid, 1000) FROM pg_replication_slots
                            WHERE slot_name = $1 AND active_pid IS NOT NULL";
        ask(client, &doing, END, &[&name]).await?;
        const DROP: &str = "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots
                             WHERE slot_name = $1";
        match ask(client, &doing, DROP, &[&name]).await {
            Ok(_) => return Ok(()),
            Err(error) if tries == TRIES_MAX => return Err(error),
            Err(_) => tries += 1,
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// How far a follower lags; `None` on a server that does not follow.
///
/// # Errors
/// [`EngineError::Sql`], [`EngineError::Unexpected`].
pub async fn follower_lag(client: &Client) -> Result<Option<FollowerLag>, EngineError> {
    const QUERY: &str = "
        SELECT pg_is_in_recovery(),
               greatest(w.latest_end_lsn, pg_last_wal_receive_lsn())::text,
               pg_last_wal_replay_lsn()::text,
               extract(epoch FROM clock_timestamp() - pg_last_xact_replay_timestamp())::float8,
               coalesce(w.status = 'streaming', false),
               CASE WHEN pg_is_in_recovery() THEN pg_is_wal_replay_paused() END
          FROM (SELECT 1) one LEFT JOIN pg_stat_wal_receiver w ON true";
    let rows = ask(client, "ask for the lag", QUERY, &[]).await?;
    let row = rows.first().ok_or_else(|| unexpected("no row"))?;
    if !get::<bool>(row, 0)? {
        return Ok(None);
    }
    let replay = position(row, 2)?.unwrap_or_default();
    let bytes = position(row, 1)?.unwrap_or(replay).bytes_since(replay);
    let since: Option<f64> = get(row, 3)?;
    let streaming: bool = get(row, 4)?;
    let seconds = if bytes == 0 && streaming {
        Some(0.0)
    } else {
        since.map(|s| s.max(0.0))
    };
    Ok(Some(FollowerLag {
        bytes,
        seconds,
        streaming,
        paused: get::<Option<bool>>(row, 5)?.unwrap_or(false),
    }))
}

/// Whether this backend waits for the synchronous standby; false when there is no such backend.
///
/// # Errors
/// [`EngineError::Sql`].
pub async fn waiting_for_sync(client: &Client, pid: i32) -> Result<bool, EngineError> {
    Ok(sync_waiters(client).await?.contains(&pid))
}

/// The backends that wait for the synchronous standby.
///
/// # Errors
/// [`EngineError::Sql`].
pub async fn sync_waiters(client: &Client) -> Result<Vec<i32>, EngineError> {
    const QUERY: &str =
        "SELECT pid FROM pg_stat_activity WHERE wait_event = 'SyncRep' ORDER BY pid";
    let rows = ask(client, "ask who waits for the standby", QUERY, &[]).await?;
    rows.iter().map(|row| get(row, 0)).collect()
}

/// Whether this backend is in the part of a commit that must not be cancelled; `None` when there is
/// no such backend.
pub(super) async fn is_committing(client: &Client, pid: i32) -> Result<Option<bool>, EngineError> {
    const QUERY: &str = "SELECT coalesce(wait_event IN ('SyncRep', 'WALSync', 'WALWrite'), false)
                           FROM pg_stat_activity WHERE pid = $1";
    let rows = ask(client, "ask whether a backend commits", QUERY, &[&pid]).await?;
    rows.first().map(|row| get(row, 0)).transpose()
}

/// The names of settings whose configured value waits for a restart.
///
/// # Errors
/// [`EngineError::Sql`].
pub async fn pending_restart(client: &Client) -> Result<Vec<String>, EngineError> {
    const QUERY: &str = "SELECT name FROM pg_settings WHERE pending_restart ORDER BY name";
    let rows = ask(
        client,
        "ask for settings that wait for a restart",
        QUERY,
        &[],
    )
    .await?;
    rows.iter().map(|row| get(row, 0)).collect()
}

async fn ask(
    client: &Client,
    doing: &str,
    query: &str,
    values: &[&(dyn ToSql + Sync)],
) -> Result<Vec<Row>, EngineError> {
    client
        .query(query, values)
        .await
        .map_err(EngineError::sql(doing))
}

fn get<'a, T: tokio_postgres::types::FromSql<'a>>(
    row: &'a Row,
    at: usize,
) -> Result<T, EngineError> {
    row.try_get(at)
        .map_err(EngineError::sql(format!("read column {at} of the answer")))
}

fn position(row: &Row, at: usize) -> Result<Option<WalPosition>, EngineError> {
    let text: Option<&str> = get(row, at)?;
    text.map(|text| text.parse().map_err(unexpected))
        .transpose()
}

fn timeline_id(raw: i32) -> Result<TimelineId, EngineError> {
    u32::try_from(raw)
        .map(TimelineId)
        .map_err(|_| unexpected(format!("timeline {raw}")))
}

fn unexpected(answer: impl Into<String>) -> EngineError {
    EngineError::Unexpected {
        doing: String::from("read the server's answer"),
        answer: answer.into(),
    }
}
