//! PostgreSQL as a cluster's engine. One that reads is a hot standby, streaming from the writer.
//!
//! A new writer goes on in the same log, and has sent nobody more than is durable: who followed the one before follows it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use quorate_engines::EngineError;
use quorate_engines::postgres::{
    Bootstrap, ExitKind, PostgresConfig, PostgresHost, PostgresServer, PostgresTools,
    RunningPostgres, StopMode, Upstream, bootstrap, follower_lag, pending_restart,
    set_master_password,
};

use super::functions::AURORA_FUNCTIONS;
use super::{Following, Launch, Part, Stop, limits, missing};
use crate::agent::driver::StepError;
use crate::agent::settings::application_name;
use crate::aurora::agent::look::Look;
use crate::aurora::agent::member::Member;
use crate::aurora::parameters::MemberParameters;
use crate::catalogue::Program;
use crate::parameters::{falls_short, raise_to};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a server may take to read its configuration again.
const RELOAD_TIMEOUT: Duration = Duration::from_secs(10);

/// Settings that stand unless a parameter group says otherwise. New log files are sparse and never used twice: the volume
/// keeps what changed of each page, and that is least where nothing was before. Checkpoints are frequent because they
/// bound how long a new writer replays its log. A tablespace lies in the volume with the rest: a link to a place of this
/// member's would lead nowhere on another one.
///
/// Before it replays its log, a server syncs all files that it finds, one after the other. All that a mount finds is in the
/// volume for good, and what is written later survives with the next sync of any file, as the volume has one log: asking the
/// file system as a whole is enough.
const DEFAULTS: [(&str, &str); 7] = [
    ("allow_in_place_tablespaces", "on"),
    ("recovery_init_sync_method", "syncfs"),
    ("wal_init_zero", "off"),
    ("wal_recycle", "off"),
    ("checkpoint_timeout", "60"),
    ("max_wal_size", "1024"),
    ("wal_keep_size", "1024"),
];

impl Member {
    pub(super) async fn make_postgres_files(&self, look: &Look) -> Result<(), StepError> {
        Ok(self.postgres_tools(look)?.initdb_in_place().await?)
    }

    pub(super) async fn launch_postgres(
        &self,
        look: &Look,
        launch: Launch,
    ) -> Result<Arc<RunningPostgres>, StepError> {
        let mut wanted = launch.parameters;
        if launch.part != Part::Writes {
            let floors = self.postgres_tools(look)?.controldata().await?.floors;
            raise_to(&mut wanted.settings, &floors);
        }
        let upstream = match launch.part {
            Part::Writes | Part::Reads(None) => None,
            Part::Reads(Some(writer)) => Some(self.upstream(writer)),
        };
        let mut config = self.configuration(look, wanted, launch.listen, upstream);
        config.waits_for_upstream = launch.part == Part::Reads(None);
        let host = self.postgres(look)?;
        let server = PostgresServer::new(host, self.paths.clone(), limits(look));
        Ok(Arc::new(server.launch(config, None).await?))
    }

    pub(super) async fn make_postgres_roles(
        &self,
        look: &Look,
        server: &RunningPostgres,
    ) -> Result<(), StepError> {
        let settings = &look.cluster().settings;
        let want = Bootstrap {
            version: self.postgres(look)?.install.version(),
            master_user: settings.master_username.clone(),
            master_verifier: settings.master_verifier.expose().to_owned(),
            database: settings.database_name.clone(),
            in_each_database: AURORA_FUNCTIONS,
        };
        bootstrap(server, &want).await?;
        // Whatever is in force from here on was written by this epoch's writer, and has to survive it.
        Ok(server.checkpoint().await?)
    }

    pub(super) async fn give_postgres_parameters(
        &self,
        look: &Look,
        server: &RunningPostgres,
        wanted: MemberParameters,
    ) -> Result<(), StepError> {
        let current = server.config().await;
        let config = self.configuration(look, wanted, current.listen, current.upstream);
        Ok(server.reload_and_see(config, RELOAD_TIMEOUT).await?)
    }

    pub(super) async fn keep_postgres_upstream(
        &self,
        server: &RunningPostgres,
        writer: SocketAddr,
    ) -> Result<bool, StepError> {
        let wanted = self.upstream(writer);
        let mut config = server.config().await;
        if config.upstream.as_ref() == Some(&wanted) {
            return Ok(false);
        }
        config.upstream = Some(wanted);
        server.reload(config).await?;
        Ok(true)
    }

    /// Whether the writer was given more of something than this reader has room for.
    pub(super) async fn is_postgres_outgrown(
        &self,
        look: &Look,
        server: &RunningPostgres,
    ) -> Result<bool, StepError> {
        let floors = self.postgres_tools(look)?.controldata().await?.floors;
        Ok(falls_short(&server.config().await.parameters, &floors))
    }

    fn configuration(
        &self,
        look: &Look,
        wanted: MemberParameters,
        listen: SocketAddr,
        upstream: Option<Upstream>,
    ) -> PostgresConfig {
        let mut parameters = wanted.settings;
        for (name, value) in DEFAULTS {
            parameters
                .entry(name.to_owned())
                .or_insert_with(|| value.to_owned());
        }
        PostgresConfig {
            listen,
            cluster_name: look.cluster().resource_id.to_lowercase(),
            parameters,
            tls: self.paths.server_tls(),
            force_ssl: wanted.force_ssl,
            upstream,
            synchronous_standby: None,
            full_page_writes: false,
            waits_for_upstream: false,
        }
    }

    /// The way to the writer.
    fn upstream(&self, writer: SocketAddr) -> Upstream {
        Upstream {
            host: writer.ip().to_string(),
            port: writer.port(),
            server_name: None,
            slot: None,
            application_name: format!(
                "{}_{}",
                application_name(&self.host.base.config.node),
                self.resource_id.to_lowercase().replace('-', "_")
            ),
            tls: self.paths.client_tls(),
            connect_timeout: CONNECT_TIMEOUT,
        }
    }

    fn postgres(&self, look: &Look) -> Result<PostgresHost, StepError> {
        let version = &look.cluster().settings.engine_version;
        self.host.base.postgres(version).ok_or_else(|| {
            let major = version.split('.').next().unwrap_or(version);
            missing(Program::Postgres, version, &format!("postgresql-{major}"))
        })
    }

    fn postgres_tools(&self, look: &Look) -> Result<PostgresTools, StepError> {
        Ok(PostgresTools::new(self.postgres(look)?, self.paths.clone()))
    }
}

pub(super) async fn stop(
    server: &RunningPostgres,
    how: Stop,
    within: Duration,
) -> Result<ExitKind, EngineError> {
    let mode = match how {
        Stop::InOrder => StopMode::Fast,
        Stop::AtOnce => StopMode::Immediate,
    };
    server.stop(mode, within).await
}

pub(super) async fn set_password(look: &Look, server: &RunningPostgres) -> Result<(), StepError> {
    let settings = &look.cluster().settings;
    let verifier = settings.master_verifier.expose();
    Ok(set_master_password(server, &settings.master_username, verifier).await?)
}

pub(super) async fn pending(server: &RunningPostgres) -> Result<bool, EngineError> {
    let pending = pending_restart(&*server.admin().await?).await?;
    Ok(!pending.is_empty())
}

#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a lag of years is cut short"
)]
pub(super) async fn following(server: &RunningPostgres) -> Result<Following, EngineError> {
    let lag = follower_lag(&*server.admin().await?).await?;
    let seconds = lag.and_then(|lag| lag.seconds);
    Ok(Following {
        streams: lag.is_some_and(|lag| lag.streaming),
        paused: lag.is_some_and(|lag| lag.paused),
        lag_ms: seconds.map(|seconds| (seconds.max(0.0) * 1_000.0) as u64),
        trouble: None,
    })
}
