//! The administrator's connection to a server on this machine.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Config, NoTls};

use super::{ADMIN_DATABASE, ADMIN_ROLE};
use crate::error::EngineError;

/// The longest that one statement of the administrator runs.
const STATEMENT_TIMEOUT_MS: u32 = 10_000;
/// The longest that the server may take to let the administrator in.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// The database that is there before the administrator's own.
const FIRST_DATABASE: &str = "postgres";

/// Makes the administrator's connections; keeps one of them.
#[derive(Debug)]
pub(super) struct AdminConnections {
    socket: PathBuf,
    port: u16,
    kept: Mutex<Option<Arc<Client>>>,
}

/// Whether the commits of a connection wait for the synchronous standby.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Commits {
    /// They return when they are on this machine's disk: the administrator never hangs on a dead
    /// standby.
    Local,
    /// They wait, whatever the parameters say.
    Synchronous,
}

impl AdminConnections {
    pub(super) fn new(socket: PathBuf, port: u16) -> AdminConnections {
        AdminConnections {
            socket,
            port,
            kept: Mutex::new(None),
        }
    }

    /// The kept connection; a fresh one when it is broken.
    pub(super) async fn kept(&self) -> Result<Arc<Client>, EngineError> {
        let mut kept = self.kept.lock().await;
        if let Some(client) = kept.as_ref().filter(|client| !client.is_closed()) {
            return Ok(Arc::clone(client));
        }
        let client = self.connect_somewhere(Commits::Local).await;
        let client = Arc::new(client.map_err(EngineError::sql("connect as the administrator"))?);
        *kept = Some(Arc::clone(&client));
        Ok(client)
    }

    /// A connection of its own to the administrator's database, or to the first one while that is
    /// not made.
    pub(super) async fn connect_somewhere(
        &self,
        commits: Commits,
    ) -> Result<Client, tokio_postgres::Error> {
        match self.connect(ADMIN_DATABASE, commits).await {
            Err(error) if error.code() == Some(&SqlState::INVALID_CATALOG_NAME) => {
                self.connect(FIRST_DATABASE, commits).await
            }
            other => other,
        }
    }

    /// A connection of its own to one database.
    pub(super) async fn connect(
        &self,
        database: &str,
        commits: Commits,
    ) -> Result<Client, tokio_postgres::Error> {
        let commits = match commits {
            Commits::Local => "local",
            Commits::Synchronous => "on",
        };
        // Statements with verifiers in them stay out of the log.
        let options = format!(
            "-c statement_timeout={STATEMENT_TIMEOUT_MS} -c synchronous_commit={commits} \
             -c log_statement=none -c log_min_duration_statement=-1 -c log_min_error_statement=panic \
             -c default_transaction_read_only=off -c lock_timeout=5000"
        );
        let mut config = Config::new();
        config
            .host_path(&self.socket)
            .port(self.port)
            .user(ADMIN_ROLE)
            .dbname(database)
            .application_name("quorate")
            .connect_timeout(CONNECT_TIMEOUT)
            .options(options);
        let (client, connection) = config.connect(NoTls).await?;
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "an administrator's connection ended");
            }
        });
        Ok(client)
    }
}
