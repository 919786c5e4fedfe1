//! One Memcached server: started with arguments alone, asked for its statistics.
//!
//! Memcached has no passwords in AWS's offer either: whoever reaches it may use it.

use std::ffi::OsString;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::sys::resource::{Resource, getrlimit};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

use crate::account::EngineAccount;
use crate::cgroup::Limits;
use crate::discover_cache::MemcachedInstall;
use crate::durable;
use crate::error::EngineError;
use crate::folder::EngineFolder;
use crate::guard::{GuardProgram, Signal};
use crate::process::{EngineProcess, ExitKind, Launch, millis};
use crate::strays;

const LOOK_PAUSE: Duration = Duration::from_millis(10);
const ANSWER_WAIT: Duration = Duration::from_secs(2);
/// Open files that Memcached has besides its connections, generously.
const OWN_FILES: u64 = 200;
/// Lines of statistics that are read at most.
const STAT_LINES_MAX: usize = 500;

/// What every Memcached node of a host is run with.
#[derive(Debug, Clone)]
pub struct MemcachedHost {
    /// The program.
    pub install: MemcachedInstall,
    /// Whom it runs as.
    pub account: EngineAccount,
    /// What stands between the node and the program.
    pub guard: GuardProgram,
}

/// What a server is started with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemcachedConfig {
    /// Where it listens.
    pub listen: SocketAddr,
    /// Memory for items, in megabytes.
    pub memory_mb: u64,
    /// Clients at a time; fewer where the host does not allow a process so many open files.
    pub connections_max: u64,
    /// Arguments that parameter groups ask for.
    pub arguments: Vec<String>,
}

/// One node's server, running or not.
#[derive(Debug, Clone)]
pub struct MemcachedServer {
    host: MemcachedHost,
    folder: EngineFolder,
}

/// A started server.
#[derive(Debug)]
pub struct RunningMemcached {
    process: EngineProcess,
    listen: SocketAddr,
}

/// What a server tells of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct MemcachedStats {
    /// Items.
    pub items: u64,
    /// Bytes of items.
    pub bytes: u64,
    /// Connections.
    pub connections: u64,
}

impl MemcachedServer {
    /// A server on the folder at `root`. Touches nothing.
    ///
    /// # Errors
    /// [`EngineError::Io`] when the current folder is unknown and `root` is relative.
    pub fn new(host: MemcachedHost, root: &Path) -> Result<MemcachedServer, EngineError> {
        let folder = EngineFolder::new(root, &host.account, "")?;
        Ok(MemcachedServer { host, folder })
    }

    /// Starts the server and waits until it answers, at most `within`.
    ///
    /// # Errors
    /// [`EngineError::AlreadyServed`], [`EngineError::ExitedEarly`], [`EngineError::PortInUse`],
    /// [`EngineError::NotReady`], [`EngineError::Io`].
    pub async fn start(
        &self,
        config: &MemcachedConfig,
        within: Duration,
    ) -> Result<RunningMemcached, EngineError> {
        let account = &self.host.account;
        self.folder.prepare(account)?;
        account.make_private_dir(&self.data())?;
        strays::clear(&self.folder, &self.data(), &[]).await?;
        let process = EngineProcess::launch(Launch {
            guard: &self.host.guard,
            account,
            folder: &self.folder,
            command: self.command(config),
            data: self.data(),
            log: self.folder.root().join("log/server.log"),
            limits: &Limits::default(),
            lease: None,
            listen: config.listen,
        })
        .await?;
        let running = RunningMemcached {
            process,
            listen: config.listen,
        };
        running.wait_ready(within).await?;
        Ok(running)
    }

    fn data(&self) -> PathBuf {
        self.folder.root().join("data")
    }

    fn command(&self, config: &MemcachedConfig) -> Vec<OsString> {
        let mut command: Vec<OsString> = vec![self.host.install.program.clone().into()];
        let fixed = [
            String::from("-l"),
            config.listen.ip().to_string(),
            String::from("-p"),
            config.listen.port().to_string(),
            String::from("-U"),
            String::from("0"),
            String::from("-m"),
            config.memory_mb.to_string(),
            String::from("-c"),
            config.connections_max.min(connections_limit()).to_string(),
        ];
        command.extend(fixed.into_iter().map(OsString::from));
        command.extend(config.arguments.iter().map(OsString::from));
        command
    }

    /// Removes the whole folder. No server may run on it.
    ///
    /// # Errors
    /// [`EngineError::Io`].
    pub fn remove_all(&self) -> Result<(), EngineError> {
        durable::remove_tree(self.folder.root()).map_err(EngineError::io(format!(
            "remove {}",
            self.folder.root().display()
        )))
    }
}

impl RunningMemcached {
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

    /// Stops the server.
    ///
    /// # Errors
    /// [`EngineError::Timeout`] when it has not ended `within`.
    pub async fn stop(&self, within: Duration) -> Result<ExitKind, EngineError> {
        self.process.stop(Signal::Terminate, within).await
    }

    /// Kills the server and waits until it is gone.
    pub async fn kill(&self) -> ExitKind {
        self.process.kill().await
    }

    /// What the server tells of itself.
    ///
    /// # Errors
    /// [`EngineError::Io`] when it does not answer in time.
    pub async fn stats(&self) -> Result<MemcachedStats, EngineError> {
        let asked = tokio::time::timeout(ANSWER_WAIT, ask_stats(self.listen)).await;
        let late = || io::Error::from(io::ErrorKind::TimedOut);
        asked
            .unwrap_or_else(|_| Err(late()))
            .map_err(EngineError::io(format!("ask {} for stats", self.listen)))
    }

    async fn wait_ready(&self, within: Duration) -> Result<(), EngineError> {
        let since = Instant::now();
        loop {
            // Another program may answer at a port that this one could not get: its end comes first.
            if let Some(kind) = self.process.exit() {
                return Err(self.process.explain_end(&kind));
            }
            let silent = match self.stats().await {
                Ok(_) => return Ok(()),
                Err(e) => e.to_string(),
            };
            if since.elapsed() > within {
                return Err(EngineError::NotReady {
                    waited_ms: millis(since.elapsed()),
                    phase: silent,
                    log_tail: self.process.last_words(),
                });
            }
            tokio::time::sleep(LOOK_PAUSE).await;
        }
    }
}

/// Connections for which the host allows a process enough open files. Memcached does not start when it gets too few.
fn connections_limit() -> u64 {
    getrlimit(Resource::RLIMIT_NOFILE)
        .map_or(u64::MAX, |(_, hard)| hard.saturating_sub(OWN_FILES).max(1))
}

async fn ask_stats(at: SocketAddr) -> io::Result<MemcachedStats> {
    let mut stream = BufReader::new(TcpStream::connect(at).await?);
    stream.write_all(b"stats\r\n").await?;
    let mut stats = MemcachedStats::default();
    for _ in 0..STAT_LINES_MAX {
        let mut line = String::new();
        if stream.read_line(&mut line).await? == 0 {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof));
        }
        let mut words = line.split_whitespace();
        match (words.next(), words.next(), words.next()) {
            (Some("END"), _, _) => return Ok(stats),
            (Some("STAT"), Some(name), Some(value)) => {
                let value = value.parse().unwrap_or(0);
                match name {
                    "curr_items" => stats.items = value,
                    "bytes" => stats.bytes = value,
                    "curr_connections" => stats.connections = value,
                    _ => {}
                }
            }
            _ => return Err(io::Error::from(io::ErrorKind::InvalidData)),
        }
    }
    Err(io::Error::from(io::ErrorKind::InvalidData))
}
