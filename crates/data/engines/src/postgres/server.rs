//! Starts a server on a member's folder.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use super::commit_guard;
use super::config::PostgresConfig;
use super::paths::{DataState, MemberPaths};
use super::running::{Launched, RunningPostgres};
use crate::account::EngineAccount;
use crate::cgroup::Limits;
use crate::clock::Deadline;
use crate::discover::PostgresInstall;
use crate::error::EngineError;
use crate::guard::GuardProgram;
use crate::process::{EngineProcess, Launch};

/// What every member of a node is run with.
#[derive(Debug, Clone)]
pub struct PostgresHost {
    /// The programs.
    pub install: PostgresInstall,
    /// Whom the programs run as.
    pub account: EngineAccount,
    /// What stands between the node and the programs.
    pub guard: GuardProgram,
    /// Where the node keeps the modules that it builds for servers. The account must be able to
    /// reach it, and not to write to it.
    pub modules: PathBuf,
}

/// One member's server, running or not.
#[derive(Debug, Clone)]
pub struct PostgresServer {
    host: PostgresHost,
    paths: MemberPaths,
    limits: Limits,
}

impl PostgresServer {
    /// A server on `paths`. Touches nothing.
    #[must_use]
    pub fn new(host: PostgresHost, paths: MemberPaths, limits: Limits) -> PostgresServer {
        PostgresServer {
            host,
            paths,
            limits,
        }
    }

    /// Starts the server and waits until it accepts connections, at most `within`; kills it
    /// otherwise.
    ///
    /// # Errors
    /// Those of [`PostgresServer::launch`] and [`RunningPostgres::wait_ready`].
    pub async fn start(
        &self,
        config: PostgresConfig,
        lease: Option<Deadline>,
        within: Duration,
    ) -> Result<RunningPostgres, EngineError> {
        let running = self.launch(config, lease).await?;
        running.wait_ready(within).await?;
        Ok(running)
    }

    /// Starts the server and returns while it may still recover, so that the caller can move the
    /// lease meanwhile. The configuration is written; processes and files of an earlier run are
    /// cleared away.
    ///
    /// # Errors
    /// [`EngineError::DataUnusable`], [`EngineError::AlreadyServed`], [`EngineError::Parameter`],
    /// [`EngineError::ExitedEarly`] when the program could not be started at all,
    /// [`EngineError::Io`].
    pub async fn launch(
        &self,
        config: PostgresConfig,
        lease: Option<Deadline>,
    ) -> Result<RunningPostgres, EngineError> {
        let (paths, account) = (&self.paths, &self.host.account);
        let unusable = |why: &str| EngineError::DataUnusable {
            data: paths.data(),
            why: why.to_owned(),
        };
        match paths.data_state() {
            DataState::Whole => {}
            DataState::Missing => return Err(unusable("there is no database in it")),
            DataState::HalfRewound => return Err(unusable("a rewind was cut short")),
        }
        paths.clear(account).await?;
        // On a follower too: it may be promoted, and libraries are loaded at the start only.
        let commit_guard = commit_guard::provide(&self.host, paths).await;
        config.write(
            paths,
            account,
            commit_guard.as_deref(),
            Some(config.upstream.is_some() || config.waits_for_upstream),
        )?;
        let data = paths.data();
        let process = EngineProcess::launch(Launch {
            guard: &self.host.guard,
            account,
            folder: paths.folder(),
            command: postgres_command(&self.host.install, &data),
            data,
            log: paths.log(),
            limits: &self.limits,
            lease,
            listen: config.listen,
        });
        Ok(RunningPostgres::adopt(Launched {
            process: process.await?,
            paths: paths.clone(),
            account: account.clone(),
            config,
            commit_guard,
        }))
    }
}

fn postgres_command(install: &PostgresInstall, data: &std::path::Path) -> Vec<OsString> {
    let program: PathBuf = install.program("postgres");
    vec![program.into(), "-D".into(), data.as_os_str().to_owned()]
}
