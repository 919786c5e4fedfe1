//! Starts a server on a member's folder, and holds it while it runs.

use std::time::{Duration, Instant};

use super::AGENT_ACCOUNT;
use super::client::{RedisClient, Unready};
use super::config::RedisConfig;
use super::paths::RedisPaths;
use crate::account::EngineAccount;
use crate::cgroup::Limits;
use crate::clock::Deadline;
use crate::discover_cache::RedisInstall;
use crate::error::EngineError;
use crate::guard::{GuardProgram, Signal};
use crate::process::{EngineProcess, ExitKind, Launch, millis};

/// The pause between two looks at a server grows from the first to the second.
const LOOK_PAUSE_MIN: Duration = Duration::from_millis(5);
const LOOK_PAUSE_MAX: Duration = Duration::from_millis(50);

/// What every Redis member of a node is run with.
#[derive(Debug, Clone)]
pub struct RedisHost {
    /// The program.
    pub install: RedisInstall,
    /// Whom it runs as.
    pub account: EngineAccount,
    /// What stands between the node and the program.
    pub guard: GuardProgram,
}

/// One member's server, running or not.
#[derive(Debug, Clone)]
pub struct RedisServer {
    host: RedisHost,
    paths: RedisPaths,
    limits: Limits,
}

/// A started server.
#[derive(Debug)]
pub struct RunningRedis {
    process: EngineProcess,
    client: RedisClient,
    paths: RedisPaths,
    account: EngineAccount,
}

impl RedisServer {
    /// A server on `paths`. Touches nothing.
    #[must_use]
    pub fn new(host: RedisHost, paths: RedisPaths, limits: Limits) -> RedisServer {
        RedisServer {
            host,
            paths,
            limits,
        }
    }

    /// Starts the server with this configuration and these accounts (see `acl_file`). Returns while it may still load.
    /// Processes of an earlier run are cleared away.
    ///
    /// # Errors
    /// [`EngineError::AlreadyServed`], [`EngineError::Parameter`], [`EngineError::ExitedEarly`],
    /// [`EngineError::Io`].
    pub async fn launch(
        &self,
        config: &RedisConfig,
        acl: &str,
        lease: Option<Deadline>,
    ) -> Result<RunningRedis, EngineError> {
        let (paths, account) = (&self.paths, &self.host.account);
        paths.prepare(account)?;
        paths.clear().await?;
        paths.write(&paths.acl(), acl, account)?;
        paths.write(&paths.config(), &config.render(paths)?, account)?;
        let process = EngineProcess::launch(Launch {
            guard: &self.host.guard,
            account,
            folder: paths.folder(),
            command: vec![
                self.host.install.program.clone().into(),
                paths.config().into(),
            ],
            data: paths.data(),
            log: paths.log(),
            limits: &self.limits,
            lease,
            listen: config.listen,
        });
        Ok(RunningRedis {
            process: process.await?,
            client: RedisClient::new(paths.socket(), AGENT_ACCOUNT, &config.inner_password)?,
            paths: paths.clone(),
            account: account.clone(),
        })
    }
}

impl RunningRedis {
    /// The way to ask it something.
    #[must_use]
    pub fn client(&self) -> &RedisClient {
        &self.client
    }

    /// The process id of the server.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.process.pid()
    }

    /// How the server ended; `None` while it runs.
    #[must_use]
    pub fn exit(&self) -> Option<ExitKind> {
        self.process.exit()
    }

    /// Waits for the server's end.
    pub async fn exited(&self) -> ExitKind {
        self.process.exited().await
    }

    /// Moves the deadline after which the guard kills the server; `None` takes it away. False when the guard could not
    /// be told.
    pub fn set_lease(&self, lease: Option<Deadline>) -> bool {
        self.process.set_lease(lease)
    }

    /// Waits until the server answers and has loaded its data.
    ///
    /// # Errors
    /// [`EngineError::ExitedEarly`], [`EngineError::NoSpace`], [`EngineError::PortInUse`] when it ended;
    /// [`EngineError::NotReady`] after `within` (it still runs then); [`EngineError::Redis`] when it refuses the account.
    pub async fn wait_ready(&self, within: Duration) -> Result<(), EngineError> {
        wait_ready(&self.process, &self.client, within).await
    }

    /// Writes the accounts anew and has the server read them.
    ///
    /// # Errors
    /// [`EngineError::Io`]; [`EngineError::Redis`] when the server refuses them: the older ones then stand.
    pub async fn set_accounts(&self, acl: &str) -> Result<(), EngineError> {
        self.paths.write(&self.paths.acl(), acl, &self.account)?;
        self.client.load_acl().await
    }

    /// Stops the server: it waits for its replicas, saves its data, and ends.
    ///
    /// # Errors
    /// [`EngineError::Timeout`] when it has not ended `within`: kill it, or wait on.
    pub async fn stop(&self, within: Duration) -> Result<ExitKind, EngineError> {
        self.process.stop(Signal::Terminate, within).await
    }

    /// Kills the server and waits until it is gone.
    pub async fn kill(&self) -> ExitKind {
        self.process.kill().await
    }
}

/// Waits until a process answers to its client.
pub(crate) async fn wait_ready(
    process: &EngineProcess,
    client: &RedisClient,
    within: Duration,
) -> Result<(), EngineError> {
    let since = Instant::now();
    let mut pause = LOOK_PAUSE_MIN;
    loop {
        if let Some(kind) = process.exit() {
            return Err(process.explain_end(&kind));
        }
        let phase = match client.is_ready().await {
            Ok(()) => return Ok(()),
            Err(Unready::Refused(e)) => return Err(EngineError::redis("log in")(e)),
            Err(Unready::Loading) => String::from("it loads its data"),
            Err(Unready::Silent(e)) => e.to_string(),
        };
        if since.elapsed() > within {
            return Err(EngineError::NotReady {
                waited_ms: millis(since.elapsed()),
                phase,
                log_tail: process.last_words(),
            });
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LOOK_PAUSE_MAX);
    }
}
