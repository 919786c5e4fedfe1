//! Starts a Sentinel and holds it while it runs.

use std::fs;
use std::time::Duration;

use futures_util::StreamExt;

use super::config::{SentinelConfig, epoch_in};
use crate::cgroup::Limits;
use crate::error::EngineError;
use crate::guard::Signal;
use crate::process::{EngineProcess, ExitKind, Launch};
use crate::redis::{AGENT_ACCOUNT, RedisClient, RedisHost, RedisPaths, wait_ready};

/// Sentinel's own periods suit a primary that may be silent for 30 s. Here it asks servers for replicas and tells others of
/// itself more often (by itself every 10 s and 2 s: so long it could promote nobody after it was told of a primary), pings
/// and asks for other opinions more often than each second, and promotes nobody for 2 s rather than 30 s after it was paused
/// itself.
///
/// Five pings are how old the INFO of a replica may be that is to be promoted, and in a failover INFO is asked for once a
/// second: with pings every 0.2 s there was often none to promote, and the next try came 4 s later.
const PERIODS: [&str; 10] = [
    "info-period",
    "1000",
    "publish-period",
    "500",
    "ping-period",
    "400",
    "ask-period",
    "100",
    "tilt-period",
    "2000",
];
/// What a Sentinel says when it holds another server for the primary.
const TURNS: [&str; 1] = ["+switch-master"];

/// A Sentinel, running or not.
#[derive(Debug, Clone)]
pub struct SentinelServer {
    host: RedisHost,
    paths: RedisPaths,
}

/// What a Sentinel says by itself, as it says it.
pub struct SentinelEvents(redis::aio::PubSub);

impl SentinelEvents {
    /// Waits until it says that another server is the primary; false when the connection has ended.
    pub async fn turned(&mut self) -> bool {
        self.0.on_message().next().await.is_some()
    }
}

/// A started Sentinel.
#[derive(Debug)]
pub struct RunningSentinel {
    process: EngineProcess,
    client: RedisClient,
}

impl SentinelServer {
    /// A Sentinel on `paths`. Touches nothing.
    #[must_use]
    pub fn new(host: RedisHost, paths: RedisPaths) -> SentinelServer {
        SentinelServer { host, paths }
    }

    /// Starts the Sentinel, which watches nothing yet, and waits until it answers, at most `within`.
    ///
    /// # Errors
    /// As a Redis server's start.
    pub async fn start(
        &self,
        mut config: SentinelConfig,
        within: Duration,
    ) -> Result<RunningSentinel, EngineError> {
        let (paths, account) = (&self.paths, &self.host.account);
        paths.prepare(account)?;
        paths.clear().await?;
        match fs::read_to_string(paths.config()) {
            Ok(earlier) => config.epoch = config.epoch.max(epoch_in(&earlier) + 1),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => {
                let doing = format!("read {}", paths.config().display());
                return Err(EngineError::io(doing)(error));
            }
        }
        paths.write(&paths.acl(), &config.acl(), account)?;
        paths.write(&paths.config(), &config.render(paths)?, account)?;
        let process = EngineProcess::launch(Launch {
            guard: &self.host.guard,
            account,
            folder: paths.folder(),
            command: vec![
                self.host.install.program.clone().into(),
                paths.config().into(),
                "--sentinel".into(),
            ],
            data: paths.data(),
            log: paths.log(),
            limits: &Limits::default(),
            lease: None,
            listen: config.listen,
        })
        .await?;
        let running = RunningSentinel {
            process,
            client: RedisClient::new(paths.socket(), AGENT_ACCOUNT, &config.inner_password)?,
        };
        wait_ready(&running.process, &running.client, within).await?;
        let mut periods = vec!["SENTINEL", "DEBUG"];
        periods.extend(PERIODS);
        if let Err(e) = running.client.ask::<()>(&periods).await {
            tracing::warn!(error = %e, "a Sentinel keeps its own periods: it learns of replicas more slowly");
        }
        Ok(running)
    }
}

impl RunningSentinel {
    /// The way to ask it something.
    #[must_use]
    pub fn client(&self) -> &RedisClient {
        &self.client
    }

    /// Follows what the Sentinel says of changes of primaries.
    ///
    /// # Errors
    /// [`EngineError::Redis`].
    pub async fn events(&self) -> Result<SentinelEvents, EngineError> {
        self.client.subscribe(&TURNS).await.map(SentinelEvents)
    }

    /// The process id of the Sentinel.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.process.pid()
    }

    /// How the Sentinel ended; `None` while it runs.
    #[must_use]
    pub fn exit(&self) -> Option<ExitKind> {
        self.process.exit()
    }

    /// Waits for the Sentinel's end.
    pub async fn exited(&self) -> ExitKind {
        self.process.exited().await
    }

    /// Stops the Sentinel.
    ///
    /// # Errors
    /// [`EngineError::Timeout`] when it has not ended `within`.
    pub async fn stop(&self, within: Duration) -> Result<ExitKind, EngineError> {
        self.process.stop(Signal::Terminate, within).await
    }

    /// Kills the Sentinel and waits until it is gone.
    pub async fn kill(&self) -> ExitKind {
        self.process.kill().await
    }
}
