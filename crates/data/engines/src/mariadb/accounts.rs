//! The accounts and procedures that every cluster has, as RDS has them. All of it can be run again at any time.
//!
//! The master user has what RDS gives it: not `SUPER`, `FILE` or `SHUTDOWN`. MariaDB cannot keep who may create users and
//! write to the database `mysql` from getting more; what a server can do to its host is bounded by its account, and made
//! harder by `secure_file_priv` and `symbolic_links` (see `config`).

use super::admin::{identifier, literal};
use super::password::PasswordHash;
use super::running::RunningMariadb;
use super::{ADMIN_USER, REPLICATION_USER};
use crate::error::EngineError;

/// What RDS grants to the master user.
const MASTER_PRIVILEGES: &str = "SELECT, INSERT, UPDATE, DELETE, CREATE, DROP, RELOAD, PROCESS, REFERENCES, INDEX, ALTER, \
    SHOW DATABASES, CREATE TEMPORARY TABLES, LOCK TABLES, EXECUTE, REPLICATION SLAVE, BINLOG MONITOR, CREATE VIEW, SHOW VIEW, \
    CREATE ROUTINE, ALTER ROUTINE, CREATE USER, EVENT, TRIGGER, DELETE HISTORY, SLAVE MONITOR";

/// What a cluster's first accounts and database are.
#[derive(Debug, Clone)]
pub struct Bootstrap {
    /// The master user's name.
    pub master_user: String,
    /// The hash of its password.
    pub master_hash: PasswordHash,
    /// The subject of the followers' certificates, as in `/O=Quorate/CN=rdsrepladmin`.
    pub follower_subject: String,
    /// The first database; `None` when none was asked for.
    pub database: Option<String>,
}

/// Makes the accounts, the procedures and the first database of a server that takes writes.
///
/// # Errors
/// [`EngineError::Mysql`], [`EngineError::Timeout`].
pub async fn bootstrap(server: &RunningMariadb, want: &Bootstrap) -> Result<(), EngineError> {
    let run = |doing: &'static str, sql: String| async move { server.run(doing, &sql).await };
    // Those that `mariadb-install-db` makes: the administrator stands in their place.
    let shut = "DELETE FROM mysql.global_priv WHERE Host IN ('localhost', '127.0.0.1', '::1') \
                AND User NOT IN ('mariadb.sys', 'rdsadmin')";
    run("remove the first accounts", shut.to_owned()).await?;
    run(
        "remove the first accounts",
        String::from("FLUSH PRIVILEGES"),
    )
    .await?;
    let follower = format!(
        "CREATE USER IF NOT EXISTS {REPLICATION_USER}@'%' REQUIRE SUBJECT {}",
        literal(&want.follower_subject)?
    );
    run("make the followers' account", follower).await?;
    let follows = format!("GRANT REPLICATION SLAVE ON *.* TO {REPLICATION_USER}@'%'");
    run("make the followers' account", follows).await?;
    let master = account(&want.master_user);
    let made = format!("CREATE USER IF NOT EXISTS {master}");
    run("make the master user", made).await?;
    set_master_password(server, &want.master_user, &want.master_hash).await?;
    let granted = format!("GRANT {MASTER_PRIVILEGES} ON *.* TO {master} WITH GRANT OPTION");
    run("make the master user", granted).await?;
    for (name, what) in [("rds_kill", "CONNECTION"), ("rds_kill_query", "QUERY")] {
        let sql = format!(
            "CREATE OR REPLACE DEFINER = {ADMIN_USER}@localhost PROCEDURE mysql.{name}(IN thread BIGINT) \
             SQL SECURITY DEFINER KILL {what} thread"
        );
        run("make the procedures", sql).await?;
    }
    if let Some(name) = &want.database {
        let sql = format!("CREATE DATABASE IF NOT EXISTS {}", identifier(name));
        run("make the first database", sql).await?;
    }
    run("write tables out", String::from("FLUSH TABLES")).await
}

/// Sets the master user's password.
///
/// # Errors
/// [`EngineError::Mysql`], [`EngineError::Timeout`].
pub async fn set_master_password(
    server: &RunningMariadb,
    master_user: &str,
    hash: &PasswordHash,
) -> Result<(), EngineError> {
    let sql = format!(
        "ALTER USER {} IDENTIFIED BY PASSWORD {}",
        account(master_user),
        literal(hash.expose())?
    );
    server.run("set the master user's password", &sql).await
}

fn account(user: &str) -> String {
    format!("{}@'%'", identifier(user))
}
