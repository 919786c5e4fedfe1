//! A server that follows another one's binary log by GTID.

use std::net::SocketAddr;

use mysql_async::Row;

use super::REPLICATION_USER;
use super::admin::literal;
use super::running::RunningMariadb;
use crate::error::EngineError;

/// The server to follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Source {
    /// Where it listens.
    pub address: SocketAddr,
}

/// How a follower stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FollowState {
    /// Whether it receives and applies at this moment.
    pub streaming: bool,
    /// Whether all that it received is applied.
    pub caught_up: bool,
    /// Whole seconds since the last applied event was logged; none when that is unknown.
    pub seconds: Option<u64>,
    /// What keeps it from following.
    pub trouble: Option<Trouble>,
}

/// What keeps a follower from following.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// The source refuses, or lacks what is asked of it.
    Receiving(u32),
    /// What was received cannot be applied.
    Applying(u32),
}

/// Has the server follow `source`, from where its own files end. It may have followed another one before.
///
/// # Errors
/// [`EngineError::Mysql`], [`EngineError::Timeout`].
pub async fn follow(server: &RunningMariadb, source: Source) -> Result<(), EngineError> {
    let doing = "follow the writer";
    server.run(doing, "STOP SLAVE").await?;
    // The files are the writer's: what it had logged is what they hold. Later the server notes its own progress.
    let begun = server.ask(doing, "SELECT @@GLOBAL.gtid_slave_pos").await?;
    if text(&begun, "@@GLOBAL.gtid_slave_pos").is_none_or(|position| position.is_empty()) {
        server
            .run(
                doing,
                "SET GLOBAL gtid_slave_pos = @@GLOBAL.gtid_binlog_pos",
            )
            .await?;
    }
    let tls = server.paths().client_tls();
    let file = |path: &std::path::Path| literal(&path.to_string_lossy());
    let sql = format!(
        "CHANGE MASTER TO MASTER_HOST = {}, MASTER_PORT = {}, MASTER_USER = '{REPLICATION_USER}', MASTER_SSL = 1, \
         MASTER_SSL_CA = {}, MASTER_SSL_CERT = {}, MASTER_SSL_KEY = {}, MASTER_SSL_VERIFY_SERVER_CERT = 1, \
         MASTER_USE_GTID = slave_pos, MASTER_CONNECT_RETRY = 1",
        literal(&source.address.ip().to_string())?,
        source.address.port(),
        file(&tls.ca)?,
        file(&tls.cert)?,
        file(&tls.key)?,
    );
    server.run(doing, &sql).await?;
    server.run(doing, "START SLAVE").await
}

/// How the follower stands; none when it was never told to follow.
///
/// # Errors
/// [`EngineError::Mysql`], [`EngineError::Timeout`].
pub async fn follow_state(server: &RunningMariadb) -> Result<Option<FollowState>, EngineError> {
    let doing = "ask how the follower stands";
    let status = server.ask(doing, "SHOW SLAVE STATUS").await?;
    if status.is_empty() {
        return Ok(None);
    }
    let applied = server.ask(doing, "SELECT @@GLOBAL.gtid_slave_pos").await?;
    let applied = text(&applied, "@@GLOBAL.gtid_slave_pos").unwrap_or_default();
    let get = |column: &str| text(&status, column).unwrap_or_default();
    let number = |column: &str| get(column).parse::<u64>().ok();
    let errno = |column: &str| number(column).and_then(|n| u32::try_from(n).ok());
    let receiving = errno("Last_IO_Errno").filter(|errno| *errno != 0);
    let applying = errno("Last_SQL_Errno").filter(|errno| *errno != 0);
    Ok(Some(FollowState {
        streaming: get("Slave_IO_Running") == "Yes" && get("Slave_SQL_Running") == "Yes",
        caught_up: get("Gtid_IO_Pos") == applied,
        seconds: number("Seconds_Behind_Master"),
        trouble: applying
            .map(Trouble::Applying)
            .or(receiving.map(Trouble::Receiving)),
    }))
}

/// The text of a column of the first row, whatever its type.
fn text(rows: &[Row], column: &str) -> Option<String> {
    let row = rows.first()?;
    let at = row
        .columns_ref()
        .iter()
        .position(|c| c.name_str() == column)?;
    row.get_opt::<Option<String>, usize>(at)?.ok().flatten()
}
