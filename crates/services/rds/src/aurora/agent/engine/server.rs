//! A member's server, whichever of the engines it is: each operation hands on to one of them.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use quorate_engines::postgres::{ExitKind, RunningPostgres};
use quorate_engines::{EngineError, Limits};

use super::mariadb::{self, ClusterMariadb};
use super::postgres;
use crate::agent::driver::StepError;
use crate::aurora::agent::look::Look;
use crate::aurora::agent::member::Member;
use crate::aurora::parameters::MemberParameters;
use crate::catalogue::{Program, find_class};

/// The running engine of a member.
pub(in crate::aurora::agent) struct Engine {
    pub(in crate::aurora::agent) server: Server,
    /// Whether it takes writes.
    pub(in crate::aurora::agent) leads: bool,
    /// Digest of the parameters that it was last given.
    pub(in crate::aurora::agent) digest: String,
}

/// A server process.
#[derive(Clone)]
pub(in crate::aurora::agent) enum Server {
    Postgres(Arc<RunningPostgres>),
    Mariadb(Arc<ClusterMariadb>),
}

/// How an engine ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::aurora::agent) enum Stop {
    /// It ends its connections and writes what it has to.
    InOrder,
    /// As if it had crashed.
    AtOnce,
}

/// What an engine is to be started with.
pub(super) struct Launch {
    pub(super) listen: SocketAddr,
    pub(super) parameters: MemberParameters,
    pub(super) part: Part,
}

/// What an engine is there for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::aurora::agent) enum Part {
    /// It takes writes.
    Writes,
    /// It reads, and follows the writer where one is known.
    Reads(Option<SocketAddr>),
}

/// How an engine that reads stands.
pub(in crate::aurora::agent) struct Following {
    /// Whether it receives the writer's log at this moment.
    pub(in crate::aurora::agent) streams: bool,
    /// Whether it applies nothing of what it receives.
    pub(in crate::aurora::agent) paused: bool,
    /// How far it is behind, in milliseconds; none when that is unknown.
    pub(in crate::aurora::agent) lag_ms: Option<u64>,
    /// What keeps it from following.
    pub(in crate::aurora::agent) trouble: Option<String>,
}

impl Server {
    /// How it ended; none while it runs.
    pub(in crate::aurora::agent) fn exit(&self) -> Option<ExitKind> {
        match self {
            Server::Postgres(server) => server.exit(),
            Server::Mariadb(server) => server.running.exit(),
        }
    }

    pub(in crate::aurora::agent) async fn exited(&self) -> ExitKind {
        match self {
            Server::Postgres(server) => server.exited().await,
            Server::Mariadb(server) => server.running.exited().await,
        }
    }

    /// Where it listens.
    pub(in crate::aurora::agent) async fn address(&self) -> SocketAddr {
        match self {
            Server::Postgres(server) => server.config().await.listen,
            Server::Mariadb(server) => server.running.config().await.listen,
        }
    }

    pub(in crate::aurora::agent) async fn wait_ready(
        &self,
        within: Duration,
    ) -> Result<(), EngineError> {
        match self {
            Server::Postgres(server) => server.wait_ready(within).await,
            Server::Mariadb(server) => server.running.wait_ready(within).await,
        }
    }

    pub(in crate::aurora::agent) async fn kill(&self) {
        match self {
            Server::Postgres(server) => drop(server.kill().await),
            Server::Mariadb(server) => drop(server.running.kill().await),
        }
    }

    /// Ends it; false when it has not ended `within`.
    pub(in crate::aurora::agent) async fn stop(&self, how: Stop, within: Duration) -> bool {
        let stopping = async {
            match self {
                Server::Postgres(server) => postgres::stop(server, how, within).await,
                Server::Mariadb(server) => mariadb::stop(server, how, within).await,
            }
        };
        matches!(tokio::time::timeout(within, stopping).await, Ok(Ok(_)))
    }

    /// How it follows.
    pub(in crate::aurora::agent) async fn following(&self) -> Result<Following, EngineError> {
        match self {
            Server::Postgres(server) => postgres::following(server).await,
            Server::Mariadb(server) => mariadb::following(server).await,
        }
    }

    /// Whether parameters wait for its next start.
    pub(in crate::aurora::agent) async fn pending_restart(&self) -> Result<bool, EngineError> {
        match self {
            Server::Postgres(server) => postgres::pending(server).await,
            Server::Mariadb(server) => Ok(server.running.pending_restart().await),
        }
    }
}

impl Member {
    /// Makes an empty database over the mount.
    pub(in crate::aurora::agent) async fn make_files(&self, look: &Look) -> Result<(), StepError> {
        match program(look) {
            Program::Postgres => self.make_postgres_files(look).await,
            Program::Mariadb => self.make_mariadb_files(look).await,
        }
    }

    /// Starts a server over the mount. It may still recover.
    pub(in crate::aurora::agent) async fn launch(
        &self,
        look: &Look,
        listen: SocketAddr,
        part: Part,
    ) -> Result<Engine, StepError> {
        let parameters = look.parameters()?;
        let digest = parameters.digest.clone();
        let launch = Launch {
            listen,
            parameters,
            part,
        };
        let server = match program(look) {
            Program::Postgres => Server::Postgres(self.launch_postgres(look, launch).await?),
            Program::Mariadb => Server::Mariadb(self.launch_mariadb(look, launch).await?),
        };
        Ok(Engine {
            server,
            leads: part == Part::Writes,
            digest,
        })
    }

    /// Makes a new cluster's accounts and its first database. Can be run again.
    pub(in crate::aurora::agent) async fn make_accounts(
        &self,
        look: &Look,
        server: &Server,
    ) -> Result<(), StepError> {
        match server {
            Server::Postgres(server) => self.make_postgres_roles(look, server).await,
            Server::Mariadb(server) => mariadb::make_accounts(look, server).await,
        }
    }

    /// Gives the master user the password that the record has.
    pub(in crate::aurora::agent) async fn set_password(
        &self,
        look: &Look,
        server: &Server,
    ) -> Result<(), StepError> {
        match server {
            Server::Postgres(server) => postgres::set_password(look, server).await,
            Server::Mariadb(server) => mariadb::set_password(look, server).await,
        }
    }

    /// Gives a running server other parameters.
    pub(in crate::aurora::agent) async fn give_parameters(
        &self,
        look: &Look,
        server: &Server,
        wanted: MemberParameters,
    ) -> Result<(), StepError> {
        match server {
            Server::Postgres(server) => self.give_postgres_parameters(look, server, wanted).await,
            Server::Mariadb(server) => Ok(server.running.set_parameters(wanted.settings).await?),
        }
    }

    /// Whether a server that reads cannot go on, as its writer has been given more of something than it has. Started again
    /// it has as much.
    pub(in crate::aurora::agent) async fn is_outgrown(
        &self,
        look: &Look,
        server: &Server,
    ) -> Result<bool, StepError> {
        match server {
            Server::Postgres(server) => self.is_postgres_outgrown(look, server).await,
            Server::Mariadb(_) => Ok(false),
        }
    }

    /// Points a server that reads at the writer. True when it had another one, or none.
    pub(in crate::aurora::agent) async fn keep_source(
        &self,
        server: &Server,
        writer: SocketAddr,
    ) -> Result<bool, StepError> {
        match server {
            Server::Postgres(server) => self.keep_postgres_upstream(server, writer).await,
            Server::Mariadb(server) => Ok(mariadb::keep_source(server, writer).await?),
        }
    }
}

/// What the cluster runs.
fn program(look: &Look) -> Program {
    Program::of_version(&look.cluster().settings.engine_version)
}

pub(super) fn missing(program: Program, version: &str, package: &str) -> StepError {
    StepError::Host(format!(
        "{} {version} is not on this host: install the package `{package}`",
        program.title()
    ))
}

pub(super) fn limits(look: &Look) -> Limits {
    let class = find_class(&look.member().class);
    Limits {
        cpu: class.as_ref().map(|class| f64::from(class.vcpus)),
        memory_bytes: class.map(|class| class.memory_bytes),
    }
}
