//! The administrator's connection to a server on this machine.

use std::path::PathBuf;
use std::time::Duration;

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Opts, OptsBuilder, Row};
use tokio::sync::Mutex;

use super::ADMIN_USER;
use crate::error::EngineError;
use crate::process::millis;

/// The longest that one statement of the administrator runs, or that the server may take to let it in.
const STATEMENT_TIMEOUT: Duration = Duration::from_secs(10);
const PACKET_BYTES_MAX: usize = 16 << 20;
const IDLE_SECONDS_MAX: usize = 28_800;
/// Statements with hashes in them stay out of the logs.
const QUIET: &str = "SET SESSION sql_log_off = 1, SESSION slow_query_log = 0";

/// Makes the administrator's connections; keeps one of them.
pub(super) struct AdminConnection {
    options: Opts,
    kept: Mutex<Option<Conn>>,
}

impl std::fmt::Debug for AdminConnection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("AdminConnection")
    }
}

impl AdminConnection {
    pub(super) fn new(socket: &std::path::Path, password: &str) -> AdminConnection {
        let socket = PathBuf::from(socket).to_string_lossy().into_owned();
        let options = OptsBuilder::default()
            .socket(Some(socket))
            .user(Some(ADMIN_USER))
            .pass(Some(password))
            .stmt_cache_size(0)
            .max_allowed_packet(Some(PACKET_BYTES_MAX))
            .wait_timeout(Some(IDLE_SECONDS_MAX))
            .setup(vec![QUIET]);
        AdminConnection {
            options: options.into(),
            kept: Mutex::new(None),
        }
    }

    /// Lets a connection be made, and keeps it.
    pub(super) async fn connect(&self) -> Result<(), mysql_async::Error> {
        let connection = Conn::new(self.options.clone()).await?;
        *self.kept.lock().await = Some(connection);
        Ok(())
    }

    /// The rows of one statement.
    ///
    /// # Errors
    /// [`EngineError::Mysql`]; [`EngineError::Timeout`], after which the outcome is unknown.
    pub(super) async fn ask(&self, doing: &str, sql: &str) -> Result<Vec<Row>, EngineError> {
        let mut kept = self.kept.lock().await;
        let asking = async {
            // A connection that does not come back from here is of no more use: it is dropped.
            let mut connection = match kept.take() {
                Some(connection) => connection,
                None => Conn::new(self.options.clone()).await?,
            };
            let rows = connection.query(sql).await;
            if !matches!(&rows, Err(error) if error.is_fatal()) {
                *kept = Some(connection);
            }
            rows
        };
        match tokio::time::timeout(STATEMENT_TIMEOUT, asking).await {
            Ok(rows) => rows.map_err(EngineError::mysql(doing)),
            Err(_) => Err(EngineError::Timeout {
                doing: doing.to_owned(),
                waited_ms: millis(STATEMENT_TIMEOUT),
            }),
        }
    }
}

/// A name in its quotes.
pub(super) fn identifier(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

/// Text in its quotes, whatever `sql_mode` says of backslashes: there may be none.
pub(super) fn literal(text: &str) -> Result<String, EngineError> {
    if text.contains('\\') || text.contains(char::is_control) {
        return Err(EngineError::Parameter {
            parameter: String::from("text"),
            why: String::from("it has a backslash or a control character in it"),
        });
    }
    Ok(format!("'{}'", text.replace('\'', "''")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_texts_stay_in_their_quotes() {
        assert_eq!(identifier("a`; DROP"), "`a``; DROP`");
        assert_eq!(literal("a'b").unwrap(), "'a''b'");
        assert!(literal("a\\'b").is_err());
    }
}
