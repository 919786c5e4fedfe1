//! Starts a server on a member's folder.

use std::ffi::OsString;

use super::ADMIN_USER;
use super::config::MariadbConfig;
use super::install::MariadbInstall;
use super::password::password_hash;
use super::paths::MariadbPaths;
use super::running::RunningMariadb;
use crate::account::EngineAccount;
use crate::cgroup::Limits;
use crate::error::EngineError;
use crate::guard::GuardProgram;
use crate::process::{EngineProcess, Launch};

/// What every MariaDB member of a node is run with.
#[derive(Debug, Clone)]
pub struct MariadbHost {
    /// The programs.
    pub install: MariadbInstall,
    /// Whom they run as.
    pub account: EngineAccount,
    /// What stands between the node and the programs.
    pub guard: GuardProgram,
}

/// One member's server, running or not.
#[derive(Debug, Clone)]
pub struct MariadbServer {
    host: MariadbHost,
    paths: MariadbPaths,
    limits: Limits,
}

impl MariadbServer {
    /// A server on `paths`. Touches nothing.
    #[must_use]
    pub fn new(host: MariadbHost, paths: MariadbPaths, limits: Limits) -> MariadbServer {
        MariadbServer {
            host,
            paths,
            limits,
        }
    }

    /// Starts the server and returns while it may still recover. The configuration is written; processes and files of an
    /// earlier run are cleared away. The administrator comes in with `admin_password` until the server ends: letters and
    /// digits that nobody can guess.
    ///
    /// # Errors
    /// [`EngineError::DataUnusable`], [`EngineError::AlreadyServed`], [`EngineError::Parameter`],
    /// [`EngineError::ExitedEarly`] when the program could not be started at all, [`EngineError::Io`].
    pub async fn launch(
        &self,
        config: MariadbConfig,
        admin_password: &str,
    ) -> Result<RunningMariadb, EngineError> {
        let (paths, account) = (&self.paths, &self.host.account);
        if !paths.holds_data() {
            return Err(EngineError::DataUnusable {
                data: paths.data(),
                why: String::from("there is no database in it"),
            });
        }
        paths.clear(account).await?;
        paths.write(&paths.config(), &config.render(paths)?, account)?;
        paths.write(&paths.init_file(), &admin_account(admin_password), account)?;
        let mut defaults = OsString::from("--defaults-file=");
        defaults.push(paths.config());
        let process = EngineProcess::launch(Launch {
            guard: &self.host.guard,
            account,
            folder: paths.folder(),
            command: vec![self.host.install.server.clone().into(), defaults],
            data: paths.data(),
            log: paths.log(),
            limits: &self.limits,
            lease: None,
            listen: config.listen,
        });
        let process = process.await?;
        Ok(RunningMariadb::adopt(
            process,
            paths.clone(),
            account.clone(),
            config,
            admin_password,
        ))
    }
}

/// What the server runs before it lets anybody in. Nothing of it is logged for followers: each has its own.
fn admin_account(password: &str) -> String {
    let hash = password_hash(password);
    format!(
        "SET SESSION sql_log_bin = 0;\n\
         CREATE OR REPLACE USER {ADMIN_USER}@localhost IDENTIFIED BY PASSWORD '{hash}';\n\
         GRANT ALL PRIVILEGES ON *.* TO {ADMIN_USER}@localhost WITH GRANT OPTION;\n"
    )
}
