//! A member's running engine, whichever it is.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use quorate_base::Epoch;
use quorate_engines::memcached::RunningMemcached;
use quorate_engines::redis::{RunningRedis, ServerInfo};
use quorate_engines::{EngineError, ExitKind};

use crate::catalogue::Directive;

/// How long an engine may take to stop in order.
pub(crate) const STOP_TIMEOUT: Duration = Duration::from_secs(20);

/// The process.
pub(crate) enum Process {
    /// Redis or Valkey.
    Redis(Box<RunningRedis>),
    /// Memcached.
    Memcached(RunningMemcached),
}

/// A running engine and what it was given.
pub(crate) struct Engine {
    pub(crate) process: Process,
    pub(crate) started: u32,
    pub(crate) directives: Vec<Directive>,
    pub(crate) acl: String,
    /// As it was at the last look.
    pub(crate) info: Option<ServerInfo>,
    /// Whom it follows, as far as its agent knows: none when it leads.
    pub(crate) role: Option<SocketAddr>,
    /// When somebody else last changed that, and the record's epoch at that moment.
    pub(crate) moved: Option<(Instant, Epoch)>,
    /// Whether it has all that it ever acknowledged.
    pub(crate) is_whole: bool,
}

impl Engine {
    /// A Redis engine says how it is.
    pub(crate) fn note_info(&mut self, info: ServerInfo, epoch: Epoch) {
        let follows = info.replica.as_ref().and_then(|replica| replica.primary);
        if follows != self.role {
            self.role = follows;
            self.moved = Some((Instant::now(), epoch));
        }
        let replica = info.replica.as_ref();
        self.is_whole |= replica.is_some_and(|replica| replica.linked && !replica.copying);
        self.info = Some(info);
    }

    /// Its agent has just changed whom it follows.
    pub(crate) fn note_role(&mut self, primary: Option<SocketAddr>) {
        self.role = primary;
        self.moved = None;
    }

    pub(crate) fn exit(&self) -> Option<ExitKind> {
        match &self.process {
            Process::Redis(redis) => redis.exit(),
            Process::Memcached(memcached) => memcached.exit(),
        }
    }

    pub(crate) async fn exited(&self) -> ExitKind {
        match &self.process {
            Process::Redis(redis) => redis.exited().await,
            Process::Memcached(memcached) => memcached.exited().await,
        }
    }

    /// Stops it in order; kills it when it does not stop in time.
    pub(crate) async fn end(&self) -> ExitKind {
        let stopped: Result<ExitKind, EngineError> = match &self.process {
            Process::Redis(redis) => redis.stop(STOP_TIMEOUT).await,
            Process::Memcached(memcached) => memcached.stop(STOP_TIMEOUT).await,
        };
        match stopped {
            Ok(kind) => kind,
            Err(_) => self.kill().await,
        }
    }

    pub(crate) async fn kill(&self) -> ExitKind {
        match &self.process {
            Process::Redis(redis) => redis.kill().await,
            Process::Memcached(memcached) => memcached.kill().await,
        }
    }
}
