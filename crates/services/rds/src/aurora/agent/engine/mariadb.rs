//! MariaDB as a cluster's engine. One that reads recovers over its view of the volume, which tells it how far the writer's
//! binary log had come there, and follows that log by GTID.
//!
//! The binary log lies on the volume, and a writer sends nobody an event that is not durable: who followed a writer finds
//! what follows in the log of the next one.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rand::RngCore;
use tokio::time::Instant;

use quorate_engines::EngineError;
use quorate_engines::mariadb::{
    Bootstrap, ExitKind, FollowState, MariadbConfig, MariadbHost, MariadbPaths, MariadbRole,
    MariadbServer, PasswordHash, REPLICATION_USER, RunningMariadb, Source, bootstrap, follow,
    follow_state, install_in_place, server_id, set_master_password,
};

use quorate_region::EngineIssuer;

use super::{Following, Launch, Part, Stop, limits, missing};
use crate::agent::driver::StepError;
use crate::aurora::agent::look::Look;
use crate::aurora::agent::member::Member;
use crate::catalogue::{Program, program_version};

/// Bytes of the administrator's password, which each start makes anew.
const ADMIN_PASSWORD_BYTES: usize = 24;

/// A running server, and what is known of how it follows.
pub(in crate::aurora::agent) struct ClusterMariadb {
    pub(super) running: RunningMariadb,
    followed: Mutex<Followed>,
}

#[derive(Default)]
struct Followed {
    /// The writer that it was told to follow.
    source: Option<SocketAddr>,
    /// When it was last seen to have applied all that it had received.
    caught_up: Option<Instant>,
}

impl Member {
    pub(super) async fn make_mariadb_files(&self, look: &Look) -> Result<(), StepError> {
        let (host, paths) = (self.mariadb(look)?, self.mariadb_paths()?);
        Ok(install_in_place(&host, &paths).await?)
    }

    pub(super) async fn launch_mariadb(
        &self,
        look: &Look,
        launch: Launch,
    ) -> Result<Arc<ClusterMariadb>, StepError> {
        let config = MariadbConfig {
            listen: launch.listen,
            server_id: server_id(&self.resource_id),
            parameters: launch.parameters.settings,
            role: match launch.part {
                // A page that the volume has whole is never seen in halves.
                Part::Writes => MariadbRole::Writer {
                    doublewrite: self.layout(look)?.page_bytes != Program::Mariadb.page_bytes(),
                },
                Part::Reads(_) => MariadbRole::Reader,
            },
        };
        let (host, paths) = (self.mariadb(look)?, self.mariadb_paths()?);
        let server = MariadbServer::new(host, paths, limits(look));
        let running = server.launch(config, &admin_password()).await?;
        Ok(Arc::new(ClusterMariadb {
            running,
            followed: Mutex::default(),
        }))
    }

    fn mariadb(&self, look: &Look) -> Result<MariadbHost, StepError> {
        let version = program_version(&look.cluster().settings.engine_version);
        let host = self.host.base.mariadb(version);
        let program = Program::Mariadb;
        host.ok_or_else(|| missing(program, version, program.package()))
    }

    fn mariadb_paths(&self) -> Result<MariadbPaths, EngineError> {
        MariadbPaths::new(self.paths.root(), &self.host.base.account)
    }
}

fn admin_password() -> String {
    let mut bytes = [0; ADMIN_PASSWORD_BYTES];
    rand::rng().fill_bytes(&mut bytes);
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(super) async fn stop(
    server: &ClusterMariadb,
    how: Stop,
    within: Duration,
) -> Result<ExitKind, EngineError> {
    match how {
        Stop::InOrder => server.running.stop(within).await,
        Stop::AtOnce => Ok(server.running.kill().await),
    }
}

pub(super) async fn make_accounts(look: &Look, server: &ClusterMariadb) -> Result<(), StepError> {
    let settings = &look.cluster().settings;
    let want = Bootstrap {
        master_user: settings.master_username.clone(),
        master_hash: PasswordHash::parse(settings.master_verifier.expose())?,
        follower_subject: EngineIssuer::client_subject(REPLICATION_USER),
        database: settings.database_name.clone(),
    };
    Ok(bootstrap(&server.running, &want).await?)
}

pub(super) async fn set_password(look: &Look, server: &ClusterMariadb) -> Result<(), StepError> {
    let settings = &look.cluster().settings;
    let hash = PasswordHash::parse(settings.master_verifier.expose())?;
    Ok(set_master_password(&server.running, &settings.master_username, &hash).await?)
}

pub(super) async fn keep_source(
    server: &ClusterMariadb,
    writer: SocketAddr,
) -> Result<bool, EngineError> {
    let followed = || server.followed.lock().expect("no holder panics");
    if followed().source == Some(writer) {
        return Ok(false);
    }
    follow(&server.running, Source { address: writer }).await?;
    followed().source = Some(writer);
    Ok(true)
}

pub(super) async fn following(server: &ClusterMariadb) -> Result<Following, EngineError> {
    let state = follow_state(&server.running).await?;
    let now = Instant::now();
    let mut followed = server.followed.lock().expect("no holder panics");
    let Some(state) = state else {
        return Ok(Following {
            streams: false,
            paused: false,
            lag_ms: None,
            trouble: None,
        });
    };
    if state.streaming && state.caught_up {
        followed.caught_up = Some(now);
    }
    let behind_for = followed
        .caught_up
        .map(|at| now.saturating_duration_since(at));
    Ok(Following {
        streams: state.streaming,
        paused: false,
        lag_ms: lag_ms(&state, behind_for),
        trouble: state.trouble.map(|trouble| format!("{trouble:?}")),
    })
}

/// The lag at most. The server tells whole seconds; it is not longer than since it was last seen to have all.
fn lag_ms(state: &FollowState, behind_for: Option<Duration>) -> Option<u64> {
    if state.streaming && state.caught_up {
        return Some(0);
    }
    let told = state.seconds.map(|seconds| (seconds + 1) * 1_000);
    let seen = behind_for.and_then(|time| u64::try_from(time.as_millis()).ok());
    match (told, seen) {
        (Some(told), Some(seen)) => Some(told.min(seen)),
        (told, seen) => told.or(seen),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lag_is_what_is_surely_not_exceeded() {
        let state = |caught_up, seconds| FollowState {
            streaming: true,
            caught_up,
            seconds,
            trouble: None,
        };
        let half = Some(Duration::from_millis(500));
        assert_eq!(lag_ms(&state(true, Some(0)), half), Some(0));
        assert_eq!(lag_ms(&state(false, Some(0)), half), Some(500));
        assert_eq!(
            lag_ms(&state(false, Some(0)), Some(Duration::from_secs(9))),
            Some(1_000)
        );
        assert_eq!(lag_ms(&state(false, None), None), None);
    }
}
