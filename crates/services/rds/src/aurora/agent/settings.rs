//! What a member's engine is configured with.

use std::net::SocketAddr;
use std::time::Duration;

use quorate_engines::postgres::{PostgresConfig, Upstream};

use crate::agent::settings::application_name;
use crate::aurora::agent::look::Look;
use crate::aurora::agent::member::Member;
use crate::aurora::parameters::MemberParameters;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Settings that stand unless a parameter group says otherwise. New log files are sparse and never used twice: the volume
/// keeps what changed of each page, and that is least where nothing was before. Checkpoints are frequent because they
/// bound how long a new writer replays its log.
const DEFAULTS: [(&str, &str); 5] = [
    ("wal_init_zero", "off"),
    ("wal_recycle", "off"),
    ("checkpoint_timeout", "60"),
    ("max_wal_size", "1024"),
    ("wal_keep_size", "1024"),
];

impl Member {
    /// The engine's configuration.
    pub(super) fn configuration(
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
        }
    }

    /// The way to the writer.
    pub(super) fn upstream(&self, writer: SocketAddr) -> Upstream {
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
}
