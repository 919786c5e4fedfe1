//! What can go wrong with an engine, in words that say what to do next.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

/// A failed operation on an engine, its folder or its account.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The operating system refused something.
    #[error("{doing}: {source}")]
    Io {
        /// What was being done, with the path.
        doing: String,
        /// The system's error.
        source: io::Error,
    },
    /// The account that engines run as is missing and could not be made.
    #[error(
        "engines cannot run as root and the account `{name}` cannot be used: {why}. Create it with \
         `useradd --system --no-create-home --shell /usr/sbin/nologin {name}`, or name another \
         account in the configuration"
    )]
    Account {
        /// The account's name.
        name: String,
        /// What failed.
        why: String,
    },
    /// A folder above the data shuts the engine account out.
    #[error(
        "the account `{account}` cannot enter `{blocking}`, so engines cannot reach `{path}`: choose a \
         data folder elsewhere (for example under /var/lib), or run `chmod o+x {blocking}`"
    )]
    Unreachable {
        /// The engine account.
        account: String,
        /// The first folder that it may not enter.
        blocking: PathBuf,
        /// The path that was wanted.
        path: PathBuf,
    },
    /// No usable PostgreSQL is installed.
    #[error("no PostgreSQL found: {detail}; install it with `apt-get install postgresql`")]
    NotInstalled {
        /// Where was looked, and what was incomplete there.
        detail: String,
    },
    /// A server is not installed.
    #[error(
        "no {server} found in Debian's folders and on PATH; install it with `apt-get install {package}`"
    )]
    ServerMissing {
        /// What was looked for.
        server: String,
        /// Debian's package.
        package: String,
    },
    /// A setting's name or value cannot be written to a configuration file.
    #[error("parameter `{parameter}` cannot be set: {why}")]
    Parameter {
        /// The setting's name.
        parameter: String,
        /// Why it was refused.
        why: String,
    },
    /// Another live process serves this data folder.
    #[error("`{data}` is served by another process; stop the node that runs it first")]
    AlreadyServed {
        /// The data folder.
        data: PathBuf,
    },
    /// The data folder is missing, or was left half made.
    #[error("`{data}` cannot be started: {why}; copy it afresh from the primary")]
    DataUnusable {
        /// The data folder.
        data: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// Another program listens on the engine's address.
    #[error("{address} is in use by another program: free the port or choose another")]
    PortInUse {
        /// The address that was wanted.
        address: SocketAddr,
    },
    /// The disk is full.
    #[error("no space is left on the disk of `{data}`: make room there. {detail}")]
    NoSpace {
        /// The data folder.
        data: PathBuf,
        /// The engine's own words.
        detail: String,
    },
    /// The engine ended before it accepted connections.
    #[error("the engine ended before it served ({exit}); its last words:\n{log_tail}")]
    ExitedEarly {
        /// How it ended.
        exit: String,
        /// The end of its log.
        log_tail: String,
    },
    /// The engine lives but does not accept connections in time.
    #[error("the engine does not serve after {waited_ms} ms ({phase}); its log says:\n{log_tail}")]
    NotReady {
        /// How long was waited.
        waited_ms: u64,
        /// What it said that it was doing.
        phase: String,
        /// The end of its log.
        log_tail: String,
    },
    /// The engine is not running (any more).
    #[error("the engine is not running: {detail}")]
    NotRunning {
        /// How it ended, or what was found gone.
        detail: String,
    },
    /// A tool (`initdb`, `pg_basebackup`, …) failed.
    #[error("{tool} failed ({exit}): {detail}")]
    Tool {
        /// The tool's name.
        tool: &'static str,
        /// How it ended.
        exit: String,
        /// The end of what it printed.
        detail: String,
    },
    /// Something did not come true in time. Its outcome is unknown.
    #[error("{doing} did not finish within {waited_ms} ms")]
    Timeout {
        /// What was waited for.
        doing: String,
        /// How long was waited.
        waited_ms: u64,
    },
    /// The engine refused a statement, or the connection to it broke.
    #[error("{doing}: {}", sql_words(source))]
    Sql {
        /// What was being done.
        doing: String,
        /// The driver's error.
        source: tokio_postgres::Error,
    },
    /// A MariaDB server refused a statement, or the connection to it broke.
    #[error("{doing}: {source}")]
    Mysql {
        /// What was being done.
        doing: String,
        /// The driver's error.
        source: mysql_async::Error,
    },
    /// A Redis server or Sentinel refused a command, or the connection to it broke.
    #[error("{doing}: {source}")]
    Redis {
        /// What was being done.
        doing: String,
        /// The driver's error.
        source: redis::RedisError,
    },
    /// The engine or a tool answered something that this program does not understand.
    #[error("{doing}: unexpected answer: {answer}")]
    Unexpected {
        /// What was being done.
        doing: String,
        /// What came back.
        answer: String,
    },
}

impl EngineError {
    /// Adds what was being done to an error of the operating system.
    pub fn io(doing: impl Into<String>) -> impl FnOnce(io::Error) -> EngineError {
        let doing = doing.into();
        move |source| EngineError::Io { doing, source }
    }

    /// Adds what was being done to an error of MariaDB's driver.
    pub(crate) fn mysql(
        doing: impl Into<String>,
    ) -> impl FnOnce(mysql_async::Error) -> EngineError {
        let doing = doing.into();
        move |source| EngineError::Mysql { doing, source }
    }

    /// Adds what was being done to an error of the Redis driver.
    pub(crate) fn redis(doing: impl Into<String>) -> impl FnOnce(redis::RedisError) -> EngineError {
        let doing = doing.into();
        move |source| EngineError::Redis { doing, source }
    }

    /// Adds what was being done to an error of the SQL driver.
    pub(crate) fn sql(
        doing: impl Into<String>,
    ) -> impl FnOnce(tokio_postgres::Error) -> EngineError {
        let doing = doing.into();
        move |source| EngineError::Sql { doing, source }
    }
}

/// The driver's `Display` says only "db error": prefer the server's own message.
fn sql_words(error: &tokio_postgres::Error) -> String {
    error.as_db_error().map_or_else(
        || error.to_string(),
        |db| format!("{}: {} ({})", db.severity(), db.message(), db.code().code()),
    )
}
