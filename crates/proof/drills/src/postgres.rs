//! The ledger as a table of a PostgreSQL instance, reached over TLS through its endpoint.
//!
//! A write is three round trips, `BEGIN`, `INSERT`, `COMMIT`, so that it is known for each error whether the commit
//! had been asked for.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use quorate_oracle::WriteId;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use tokio_postgres::error::{Severity, SqlState};
use tokio_postgres::{Client, Config, Statement};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::region::Boxed;
use crate::workload::{Ledger, Session, WriteEnd};

/// Longest time until a connection is there, TLS and authentication included.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Longest wait for one round trip of a write. Above any failover: a client that hangs is a finding.
const WRITE_TIMEOUT: Duration = Duration::from_secs(30);
/// Longest time until the rows are read back.
const READ_TIMEOUT: Duration = Duration::from_secs(120);

const CREATE: &str = "CREATE TABLE IF NOT EXISTS quorate_ledger (run bigint NOT NULL, id bigint NOT NULL, \
     written_at timestamptz NOT NULL DEFAULT clock_timestamp())";
const INSERT: &str = "INSERT INTO quorate_ledger (run, id) VALUES ($1, $2)";
const SELECT: &str = "SELECT id FROM quorate_ledger WHERE run = $1";

/// How a database is reached.
#[derive(Clone)]
pub struct PostgresTarget {
    /// Name or address of the endpoint; the server's certificate must bear it.
    pub host: String,
    /// Port of the endpoint.
    pub port: u16,
    /// The database to write to.
    pub database: String,
    /// Who writes.
    pub user: String,
    /// Their password.
    pub password: String,
    /// The region's CA, PEM.
    pub ca_pem: String,
}

impl std::fmt::Debug for PostgresTarget {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{}@{}:{}/{}",
            self.user, self.host, self.port, self.database
        )
    }
}

impl PostgresTarget {
    /// Opens a connection whose server's certificate is verified in full.
    ///
    /// # Errors
    /// When the CA is no PEM, or there is no connection within five seconds.
    pub async fn connect(&self) -> anyhow::Result<Client> {
        let mut config = Config::new();
        config
            .host(&self.host)
            .port(self.port)
            .dbname(&self.database)
            .user(&self.user)
            .password(&self.password)
            .application_name("quorate-drill")
            .ssl_mode(tokio_postgres::config::SslMode::Require);
        let tls = MakeRustlsConnect::new(self.tls()?);
        let (client, connection) = tokio::time::timeout(CONNECT_TIMEOUT, config.connect(tls))
            .await
            .context("no connection in time")??;
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection ended");
            }
        });
        Ok(client)
    }

    fn tls(&self) -> anyhow::Result<rustls::ClientConfig> {
        let mut roots = rustls::RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(self.ca_pem.as_bytes()) {
            roots
                .add(certificate.context("the CA is no PEM")?)
                .context("the CA is no certificate")?;
        }
        anyhow::ensure!(!roots.is_empty(), "the CA holds no certificate");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        Ok(rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .context("TLS versions")?
            .with_root_certificates(roots)
            .with_no_client_auth())
    }
}

/// The rows of one run in the table `quorate_ledger`.
#[derive(Debug, Clone)]
pub struct PostgresLedger {
    target: PostgresTarget,
    run: i64,
}

impl PostgresLedger {
    /// Makes the table, if it is not there, and a run of its own in it: rows of earlier runs do not count.
    ///
    /// # Errors
    /// When the database cannot be reached or refuses.
    pub async fn prepare(target: PostgresTarget) -> anyhow::Result<PostgresLedger> {
        let client = target.connect().await?;
        client
            .batch_execute(CREATE)
            .await
            .context("make the table of the ledger")?;
        let row = client
            .query_one("SELECT coalesce(max(run), 0) + 1 FROM quorate_ledger", &[])
            .await
            .context("find the number of the run")?;
        let run = row.try_get(0)?;
        Ok(PostgresLedger { target, run })
    }
}

impl Ledger for PostgresLedger {
    fn connect(&self) -> Boxed<'_, anyhow::Result<Box<dyn Session>>> {
        Box::pin(async move {
            let client = self.target.connect().await?;
            let insert = tokio::time::timeout(CONNECT_TIMEOUT, client.prepare(INSERT))
                .await
                .context("no prepared statement in time")??;
            let session = PostgresSession {
                client,
                insert,
                run: self.run,
            };
            Ok(Box::new(session) as Box<dyn Session>)
        })
    }

    fn read_back(&self) -> Boxed<'_, anyhow::Result<Vec<WriteId>>> {
        Box::pin(async move {
            let client = self.target.connect().await?;
            let rows = tokio::time::timeout(READ_TIMEOUT, client.query(SELECT, &[&self.run]))
                .await
                .context("the rows were not read back in time")??;
            let id = |row: tokio_postgres::Row| -> anyhow::Result<WriteId> {
                let id: i64 = row.try_get(0)?;
                Ok(WriteId(u64::try_from(id)?))
            };
            rows.into_iter().map(id).collect()
        })
    }
}

struct PostgresSession {
    client: Client,
    insert: Statement,
    run: i64,
}

impl PostgresSession {
    /// Everything before the commit.
    async fn insert(&self, id: WriteId) -> anyhow::Result<()> {
        let id = i64::try_from(id.0)?;
        self.client.batch_execute("BEGIN").await?;
        self.client.execute(&self.insert, &[&self.run, &id]).await?;
        Ok(())
    }
}

impl Session for PostgresSession {
    fn write(&mut self, id: WriteId) -> Boxed<'_, WriteEnd> {
        Box::pin(async move {
            match tokio::time::timeout(WRITE_TIMEOUT, self.insert(id)).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => return WriteEnd::failed(format!("{error:#}")),
                Err(_) => return WriteEnd::failed(String::from("no answer to the insert in time")),
            }
            match tokio::time::timeout(WRITE_TIMEOUT, self.client.batch_execute("COMMIT")).await {
                Ok(Ok(())) => WriteEnd::acknowledged(),
                Ok(Err(error)) if rolled_back(&error) => WriteEnd::failed(error.to_string()),
                Ok(Err(error)) => WriteEnd::unknown(error.to_string()),
                Err(_) => WriteEnd::unknown(String::from("no answer to the commit in time")),
            }
        })
    }
}

/// Whether a failed `COMMIT` is certain not to have committed.
fn rolled_back(error: &tokio_postgres::Error) -> bool {
    error
        .as_db_error()
        .is_some_and(|db| says_rolled_back(db.parsed_severity(), db.code()))
}

/// Only an `ERROR` of the classes 23 (a constraint that is checked at commit) and 40 (rolled back) says so. A
/// session that is ended (`FATAL`, class 57) may have committed: it can be ended while it waits for the standby.
fn says_rolled_back(severity: Option<Severity>, code: &SqlState) -> bool {
    let class = code.code().get(..2);
    severity == Some(Severity::Error)
        && matches!(class, Some("23" | "40"))
        && *code != SqlState::T_R_STATEMENT_COMPLETION_UNKNOWN
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_rollback_that_the_server_tells_is_a_failure() {
        let says = says_rolled_back;
        assert!(says(
            Some(Severity::Error),
            &SqlState::T_R_SERIALIZATION_FAILURE
        ));
        assert!(says(Some(Severity::Error), &SqlState::UNIQUE_VIOLATION));
        assert!(!says(Some(Severity::Fatal), &SqlState::ADMIN_SHUTDOWN));
        assert!(!says(Some(Severity::Error), &SqlState::QUERY_CANCELED));
        assert!(!says(
            Some(Severity::Error),
            &SqlState::T_R_STATEMENT_COMPLETION_UNKNOWN
        ));
        assert!(!says(None, &SqlState::UNIQUE_VIOLATION));
    }

    #[tokio::test]
    async fn a_ca_that_holds_no_certificate_is_refused() {
        let target = PostgresTarget {
            host: String::from("localhost"),
            port: 1,
            database: String::from("postgres"),
            user: String::from("writer"),
            password: String::from("secret"),
            ca_pem: String::new(),
        };
        let error = target.connect().await.err().unwrap();
        assert!(error.to_string().contains("no certificate"), "{error}");
        assert!(!format!("{target:?}").contains("secret"));
    }
}
