//! The roles and functions that every instance has, as RDS has them.
//!
//! The master user is no superuser. What it is in RDS it is here as far as PostgreSQL allows.
//! Beware of two ways out:
//! - Before PostgreSQL 16 `CREATEROLE` may grant every role that is no superuser, so also the
//!   predefined roles that run programs and read files. There these roles, and the replication
//!   role, are marked superuser, which is what keeps `CREATEROLE` from handing them out; none of
//!   the first has a login, the last comes with a certificate only.
//! - Who may cancel a backend may make a commit visible that its standby does not have (see
//!   `cancel`) where a server has no module that guards commits. `pg_cancel_backend` is therefore
//!   taken from everyone; `rds_tools.cancel_backend` stands in its place and refuses while the
//!   backend commits. Terminating a backend acknowledges nothing, so that is left alone.
//!
//! All of it can be run again at any time.

use tokio_postgres::Client;

use super::admin::Commits;
use super::running::RunningPostgres;
use super::{ADMIN_DATABASE, ADMIN_ROLE, REPLICATION_ROLE};
use crate::discover::EngineVersion;
use crate::error::EngineError;

/// What an instance's first roles and database are.
#[derive(Debug, Clone)]
pub struct Bootstrap {
    /// The server's version.
    pub version: EngineVersion,
    /// The master user's name.
    pub master_user: String,
    /// Its password's verifier: `SCRAM-SHA-256$…`.
    pub master_verifier: String,
    /// The first database, owned by the master user; `None` when none was asked for.
    pub database: Option<String>,
    /// What else every database is given, as the administrator: SQL that can be run again at any time.
    pub in_each_database: &'static str,
}

/// In every database: cancelling is guarded. `template1` and `template0` hand it on to new ones.
const IN_EACH_DATABASE: &str = "
    REVOKE ALL ON FUNCTION pg_catalog.pg_cancel_backend(integer) FROM PUBLIC;
    CREATE SCHEMA IF NOT EXISTS rds_tools;
    GRANT USAGE ON SCHEMA rds_tools TO PUBLIC;
    CREATE OR REPLACE FUNCTION rds_tools.cancel_backend(target integer) RETURNS boolean
        LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $body$
    DECLARE
        them record;
    BEGIN
        SELECT a.usesysid, a.wait_event, coalesce(r.rolsuper, true) AS super INTO them
          FROM pg_stat_activity a LEFT JOIN pg_roles r ON r.oid = a.usesysid
         WHERE a.pid = target;
        IF NOT FOUND THEN
            RAISE WARNING 'PID % is not a PostgreSQL server process', target;
            RETURN false;
        END IF;
        IF them.super OR NOT (pg_has_role(session_user, them.usesysid, 'MEMBER')
                              OR pg_has_role(session_user, 'pg_signal_backend', 'MEMBER')) THEN
            RAISE EXCEPTION 'permission denied to cancel the backend %', target
                USING ERRCODE = 'insufficient_privilege';
        END IF;
        IF them.wait_event IN ('SyncRep', 'WALSync', 'WALWrite') THEN
            RAISE NOTICE 'backend % commits and cannot be cancelled', target;
            RETURN false;
        END IF;
        RETURN pg_cancel_backend(target);
    END
    $body$;
    REVOKE ALL ON FUNCTION rds_tools.cancel_backend(integer) FROM PUBLIC;
    GRANT EXECUTE ON FUNCTION rds_tools.cancel_backend(integer) TO PUBLIC;
";

/// What a rewind reads at its source (PostgreSQL's manual, `pg_rewind`, \"Notes\").
const REWIND_FUNCTIONS: [&str; 4] = [
    "pg_ls_dir(text, boolean, boolean)",
    "pg_stat_file(text, boolean)",
    "pg_read_binary_file(text)",
    "pg_read_binary_file(text, bigint, bigint, boolean)",
];

/// Predefined roles that reach beyond the database.
const OUTWARD_ROLES: &str =
    "'pg_execute_server_program', 'pg_read_server_files', 'pg_write_server_files'";

/// Makes the roles, the functions and the first database of a server that takes writes.
///
/// # Errors
/// [`EngineError::Sql`]; [`EngineError::Parameter`] when the verifier is none.
pub async fn bootstrap(server: &RunningPostgres, want: &Bootstrap) -> Result<(), EngineError> {
    check_verifier(&want.master_verifier)?;
    let connect = |database: &'static str| async move {
        let made = server.admin.connect(database, Commits::Local).await;
        made.map_err(EngineError::sql(format!(
            "connect to the database {database}"
        )))
    };
    let first = connect("postgres").await?;
    make_roles(&first, want).await?;
    run(
        &first,
        "open template0",
        "ALTER DATABASE template0 ALLOW_CONNECTIONS true",
    )
    .await?;
    for template in ["template0", "template1", "postgres"] {
        let client = connect(template).await?;
        run(&client, "guard cancelling", IN_EACH_DATABASE).await?;
        run(&client, "add the engine's functions", want.in_each_database).await?;
    }
    run(
        &first,
        "close template0",
        "ALTER DATABASE template0 ALLOW_CONNECTIONS false",
    )
    .await?;
    create_database(&first, ADMIN_DATABASE, ADMIN_ROLE).await?;
    let shut = format!("REVOKE ALL ON DATABASE {ADMIN_DATABASE} FROM PUBLIC");
    run(&first, "shut the administrator's database", &shut).await?;
    let admin = connect(ADMIN_DATABASE).await?;
    let mut grants = String::new();
    for function in REWIND_FUNCTIONS {
        grants +=
            &format!("GRANT EXECUTE ON FUNCTION pg_catalog.{function} TO {REPLICATION_ROLE};");
    }
    grants += &format!("GRANT CONNECT ON DATABASE {ADMIN_DATABASE} TO {REPLICATION_ROLE};");
    run(&admin, "let followers rewind", &grants).await?;
    let owner = format!(
        "ALTER DATABASE postgres OWNER TO {}",
        identifier(&want.master_user)
    );
    run(&first, "give the master user its database", &owner).await?;
    if let Some(name) = &want.database {
        create_database(&first, name, &want.master_user).await?;
    }
    Ok(())
}

async fn make_roles(client: &Client, want: &Bootstrap) -> Result<(), EngineError> {
    for role in ["rds_superuser", "rds_replication", "rds_password"] {
        make_role(client, role, "NOLOGIN").await?;
    }
    make_role(client, REPLICATION_ROLE, "LOGIN REPLICATION").await?;
    let mut sql = String::from(
        "GRANT pg_monitor, pg_signal_backend, rds_replication, rds_password TO rds_superuser WITH ADMIN OPTION;",
    );
    for (role, since) in [
        ("pg_checkpoint", 15),
        ("pg_create_subscription", 16),
        ("pg_maintain", 17),
    ] {
        if want.version.major >= since {
            sql += &format!("GRANT {role} TO rds_superuser WITH ADMIN OPTION;");
        }
    }
    if want.version.major < 16 {
        sql += &format!("ALTER ROLE {REPLICATION_ROLE} SUPERUSER;");
        sql += &format!(
            "UPDATE pg_authid SET rolsuper = true WHERE rolname IN ({OUTWARD_ROLES}) AND NOT rolsuper;"
        );
    }
    run(client, "make the roles", &sql).await?;
    make_role(client, &want.master_user, "LOGIN").await?;
    let master = identifier(&want.master_user);
    let sql = format!(
        "ALTER ROLE {master} LOGIN CREATEDB CREATEROLE NOSUPERUSER NOREPLICATION PASSWORD {};
         GRANT rds_superuser TO {master} WITH ADMIN OPTION",
        literal(&want.master_verifier)
    );
    run(client, "make the master user", &sql).await
}

/// Sets the master user's password. Waits for the synchronous standby, as any commit.
///
/// # Errors
/// [`EngineError::Parameter`] when the verifier is none, [`EngineError::Sql`].
pub async fn set_master_password(
    server: &RunningPostgres,
    master_user: &str,
    verifier: &str,
) -> Result<(), EngineError> {
    check_verifier(verifier)?;
    let client = server.admin.connect_somewhere(Commits::Synchronous).await;
    let client = client.map_err(EngineError::sql("connect as the administrator"))?;
    let sql = format!(
        "ALTER ROLE {} PASSWORD {}",
        identifier(master_user),
        literal(verifier)
    );
    run(&client, "set the master user's password", &sql).await
}

/// Makes a database if it is not there.
///
/// # Errors
/// [`EngineError::Sql`].
pub async fn create_database(client: &Client, name: &str, owner: &str) -> Result<(), EngineError> {
    let doing = format!("make the database {name}");
    let there = client
        .query("SELECT 1 FROM pg_database WHERE datname = $1", &[&name])
        .await;
    if there.map_err(EngineError::sql(&*doing))?.is_empty() {
        let sql = format!(
            "CREATE DATABASE {} OWNER {}",
            identifier(name),
            identifier(owner)
        );
        run(client, &doing, &sql).await?;
    }
    Ok(())
}

async fn make_role(client: &Client, name: &str, options: &str) -> Result<(), EngineError> {
    let doing = format!("make the role {name}");
    let there = client
        .query("SELECT 1 FROM pg_roles WHERE rolname = $1", &[&name])
        .await;
    if there.map_err(EngineError::sql(&*doing))?.is_empty() {
        run(
            client,
            &doing,
            &format!("CREATE ROLE {} {options}", identifier(name)),
        )
        .await?;
    }
    Ok(())
}

async fn run(client: &Client, doing: &str, sql: &str) -> Result<(), EngineError> {
    client
        .batch_execute(sql)
        .await
        .map_err(EngineError::sql(doing))
}

/// A clear password must never reach the server: it would end in its log.
fn check_verifier(verifier: &str) -> Result<(), EngineError> {
    let well_formed = verifier.starts_with("SCRAM-SHA-256$")
        && verifier
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"-$:+/=".contains(&b));
    if well_formed {
        Ok(())
    } else {
        Err(EngineError::Parameter {
            parameter: String::from("master password"),
            why: String::from("it is no SCRAM-SHA-256 verifier"),
        })
    }
}

fn identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// With `standard_conforming_strings`, which cannot be turned off for a superuser's session by
/// anyone else.
fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stay_in_their_quotes() {
        assert_eq!(identifier("a\"; DROP"), "\"a\"\"; DROP\"");
        assert_eq!(literal("a'b"), "'a''b'");
    }

    #[test]
    fn a_clear_password_is_refused() {
        assert!(check_verifier("secret").is_err());
        assert!(check_verifier("SCRAM-SHA-256$4096:c2FsdA==$a2V5:c2VydmVy").is_ok());
        assert!(check_verifier("SCRAM-SHA-256$'; DROP ROLE x --").is_err());
    }
}
