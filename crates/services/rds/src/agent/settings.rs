//! What a member's engine is configured with.

use std::net::{IpAddr, SocketAddr, TcpListener};
use std::time::Duration;

use rand::Rng;

use quorate_base::NodeId;
use quorate_engines::EngineError;
use quorate_engines::postgres::{MemberPaths, PostgresConfig, REPLICATION_ROLE, TlsPem, Upstream};
use quorate_region::IssuedCertificate;

use crate::agent::driver::StepError;
use crate::agent::facts::Look;
use crate::agent::host::AgentHost;
use crate::agent::member::Member;
use crate::decide::member::UpstreamFacts;
use crate::model::Instance;
use crate::parameters::WantedParameters;

/// Engines listen on ports of this range: below the ports that systems give to outgoing connections.
const ENGINE_PORTS: std::ops::Range<u16> = 20_000..30_000;
const PORT_TRIES: u32 = 200;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// What a member calls itself at its upstream: synchronous replication goes by it.
pub(crate) fn application_name(node: &NodeId) -> String {
    format!("quorate_{}", node.as_str().replace('-', "_"))
}

/// The slot through which the standby on this node follows.
pub(crate) fn standby_slot(node: &NodeId) -> String {
    application_name(node)
}

/// The slot through which a read replica follows.
pub(crate) fn replica_slot(resource_id: &str) -> String {
    format!("replica_{}", resource_id.to_lowercase().replace('-', "_"))
}

/// A port on which nothing listens.
pub(crate) fn free_port(ip: IpAddr) -> Option<SocketAddr> {
    let mut random = rand::rng();
    (0..PORT_TRIES)
        .map(|_| SocketAddr::new(ip, random.random_range(ENGINE_PORTS)))
        .find(|address| TcpListener::bind(address).is_ok())
}

impl Member {
    /// Writes where the engine listens, when the catalog has it otherwise. Looked at in every round: the write at the
    /// start may have failed, and whoever has no address is followed by nobody.
    pub(crate) async fn note_address(
        &self,
        look: &Look,
        listen: SocketAddr,
    ) -> Result<(), StepError> {
        let node = self.host.config.node.clone();
        let known = look.instance().topology.members.get(&node);
        if known.is_none_or(|member| member.address == Some(listen)) {
            return Ok(());
        }
        look.change(&self.host, None, |instance| {
            if let Some(member) = instance.topology.members.get_mut(&node) {
                member.address = Some(listen);
            }
        })
        .await
    }

    /// Where the engine listens.
    pub(crate) fn listen_address(
        &self,
        known: Option<SocketAddr>,
    ) -> Result<SocketAddr, EngineError> {
        listen_address(&self.host, known)
    }

    /// The way to an upstream: through the slot that is this member's there.
    pub(crate) fn upstream(&self, instance: &Instance, facts: &UpstreamFacts) -> Upstream {
        let own_instance = facts.lineage.resource_id == self.resource_id;
        let slot = if own_instance {
            standby_slot(&self.host.config.node)
        } else {
            replica_slot(&instance.resource_id)
        };
        let name = if own_instance {
            application_name(&self.host.config.node)
        } else {
            slot.clone()
        };
        Upstream {
            host: facts.address.ip().to_string(),
            port: facts.address.port(),
            server_name: None,
            slot: Some(slot),
            application_name: name,
            tls: self.paths.client_tls(),
            connect_timeout: CONNECT_TIMEOUT,
        }
    }

    /// An upstream that is nobody's: a follower that is about to be promoted has it.
    pub(crate) fn no_upstream(&self) -> Upstream {
        Upstream {
            host: self.host.config.engine_ip.to_string(),
            port: 1,
            server_name: None,
            slot: None,
            application_name: application_name(&self.host.config.node),
            tls: self.paths.client_tls(),
            connect_timeout: CONNECT_TIMEOUT,
        }
    }

    /// The engine's configuration.
    pub(crate) fn configuration(
        &self,
        instance: &Instance,
        wanted: &WantedParameters,
        listen: SocketAddr,
        upstream: Option<Upstream>,
        synchronous_standby: Option<String>,
    ) -> PostgresConfig {
        PostgresConfig {
            listen,
            cluster_name: instance.resource_id.to_lowercase(),
            parameters: wanted.settings.clone(),
            tls: self.paths.server_tls(),
            force_ssl: wanted.force_ssl,
            upstream,
            synchronous_standby,
            full_page_writes: true,
            waits_for_upstream: false,
        }
    }

    /// Makes the folder ready and puts fresh certificates there.
    pub(crate) fn prepare_folder(&self) -> Result<(), EngineError> {
        prepare_folder(&self.host, &self.paths)
    }
}

/// Where an engine listens: the address that the catalog has, when it is free, else another.
pub(crate) fn listen_address(
    host: &AgentHost,
    known: Option<SocketAddr>,
) -> Result<SocketAddr, EngineError> {
    let ip = host.config.engine_ip;
    let known = known.filter(|at| at.ip() == ip && TcpListener::bind(at).is_ok());
    known
        .or_else(|| free_port(ip))
        .ok_or(EngineError::PortInUse {
            address: SocketAddr::new(ip, ENGINE_PORTS.start),
        })
}

/// Makes an engine's folder ready and puts fresh certificates there.
pub(crate) fn prepare_folder(host: &AgentHost, paths: &MemberPaths) -> Result<(), EngineError> {
    paths.prepare(&host.account)?;
    let mut names = host.config.endpoint_names.clone();
    names.push(host.config.engine_ip.to_string());
    names.push(String::from("localhost"));
    names.dedup();
    let issued = |e| EngineError::io("make a certificate")(std::io::Error::other(e));
    let server = host.issuer.server(names).map_err(issued)?;
    paths.write_server_tls(&host.account, &pem(server))?;
    let client = host.issuer.client(REPLICATION_ROLE).map_err(issued)?;
    paths.write_client_tls(&host.account, &pem(client))
}

fn pem(issued: IssuedCertificate) -> TlsPem {
    TlsPem {
        cert: issued.chain_pem,
        key: issued.key_pem,
        ca: issued.root_pem,
    }
}
