//! A region at one moment, and the rows of its nodes and instances.

use serde::Serialize;

use quorate_base::{Epoch, NodeId, RegionName, ZoneName};
use quorate_control::{NodeRecord, Remote, Session, Stored};
use quorate_dynamodb::survey::{Surveyor, TableSurvey};
use quorate_elasticache::model::{Cache, Sentinel, Watched};
use quorate_rds::aurora::model::{Cluster, Volume};
use quorate_rds::model::{Instance, MemberReport, Role};

use super::caches;
use super::clusters::{self, ClusterStatus};
use super::volumes::{self, ClusterVolume};

/// A region.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct RegionStatus {
    pub(crate) region: RegionName,
    /// The node whose voter leads the catalog.
    pub(crate) leader: NodeId,
    /// The leader's term.
    pub(crate) term: u64,
    pub(crate) nodes: Vec<NodeStatus>,
    pub(crate) resources: Vec<ResourceStatus>,
    /// Aurora's clusters; their members are among the resources.
    pub(crate) clusters: Vec<ClusterStatus>,
    /// The volumes of clusters: `volume show` tells of them.
    #[serde(skip)]
    pub(crate) volumes: Vec<ClusterVolume>,
    /// The Sentinels that fail caches over, where there are any.
    pub(crate) sentinels: Vec<SentinelStatus>,
    /// DynamoDB's tables with their partitions; empty where nobody was asked about them.
    pub(crate) tables: Vec<TableSurvey>,
}

/// A node.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct NodeStatus {
    pub(crate) node: NodeId,
    pub(crate) zone: ZoneName,
    pub(crate) address: std::net::SocketAddr,
    pub(crate) alive: bool,
    pub(crate) voter: bool,
    pub(crate) silent_ms: Option<u64>,
}

/// The Sentinels on one node.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct SentinelStatus {
    pub(crate) node: NodeId,
    pub(crate) zone: ZoneName,
    /// Where clients ask it about caches without transit encryption.
    pub(crate) address: Option<std::net::SocketAddr>,
    /// Where clients ask it, by TLS, about caches with it.
    pub(crate) tls_address: Option<std::net::SocketAddr>,
    /// What it says of each cache that it watches; empty while its node is away.
    pub(crate) caches: std::collections::BTreeMap<String, Watched>,
}

/// One member of a resource.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct ResourceStatus {
    pub(crate) id: String,
    pub(crate) kind: &'static str,
    pub(crate) status: String,
    pub(crate) role: &'static str,
    /// None until the member has a place.
    pub(crate) node: Option<NodeId>,
    pub(crate) zone: Option<ZoneName>,
    /// How far the member's copy is, in the catalog's words.
    pub(crate) state: String,
    /// What the node reports of the engine; none when it does not report.
    pub(crate) engine: Option<String>,
    pub(crate) epoch: Epoch,
    pub(crate) in_sync: bool,
    pub(crate) lag_bytes: Option<u64>,
    pub(crate) lag_ms: Option<u64>,
    pub(crate) address: Option<std::net::SocketAddr>,
    pub(crate) endpoint_port: u16,
    pub(crate) detail: Option<String>,
}

/// Asks the region's leader and reads the catalog; with a surveyor, asks the nodes about their partitions too.
pub(crate) async fn region_status(
    region: &RegionName,
    remote: &std::sync::Arc<Remote>,
    surveyor: Option<&Surveyor>,
) -> anyhow::Result<RegionStatus> {
    let sessions = remote.sessions().await?;
    let catalog = remote.catalog();
    let nodes = catalog.list::<NodeRecord>().await?;
    let instances = catalog.list::<Instance>().await?;
    let clusters = catalog.list::<Cluster>().await?;
    let stored_volumes = catalog.list::<Volume>().await?;
    let caches = catalog.list::<Cache>().await?;
    let sentinels = catalog.list::<Sentinel>().await?;
    let tables = match surveyor {
        Some(surveyor) => surveyor.survey().await?,
        None => Vec::new(),
    };
    let session = |node: &NodeId| sessions.sessions.iter().find(|s| s.node == *node);
    Ok(RegionStatus {
        region: region.clone(),
        leader: sessions.leader.clone(),
        term: sessions.term,
        nodes: nodes
            .into_iter()
            .filter_map(|stored| node_status(stored, |node| session(node)))
            .collect(),
        resources: instances
            .iter()
            .flat_map(|stored| members(stored, &session))
            .chain(
                clusters
                    .iter()
                    .flat_map(|stored| clusters::members(stored, &session)),
            )
            .chain(
                caches
                    .iter()
                    .flat_map(|stored| caches::members(stored, &session)),
            )
            .collect(),
        volumes: volumes::of_clusters(&clusters, &stored_volumes, &sessions),
        clusters: clusters.iter().map(clusters::cluster).collect(),
        sentinels: sentinels
            .iter()
            .filter_map(|stored| caches::sentinel(stored, &session))
            .collect(),
        tables,
    })
}

fn node_status<'a>(
    stored: Stored<NodeRecord>,
    session: impl Fn(&NodeId) -> Option<&'a Session>,
) -> Option<NodeStatus> {
    let node: NodeId = stored.id.parse().ok()?;
    let session = session(&node);
    Some(NodeStatus {
        zone: node.zone(),
        address: stored.record.address,
        alive: session.is_some_and(|s| s.alive),
        voter: stored.record.voter,
        silent_ms: session.and_then(|s| s.silent_ms),
        node,
    })
}

fn members<'a>(
    stored: &Stored<Instance>,
    session: &impl Fn(&NodeId) -> Option<&'a Session>,
) -> Vec<ResourceStatus> {
    let instance = &stored.record;
    let topology = &instance.topology;
    let row = |node: &NodeId| {
        let member = topology.members.get(node)?;
        let session = session(node).filter(|s| s.alive);
        let report: Option<MemberReport> = session
            .and_then(|s| s.observed.get(&MemberReport::key(&instance.resource_id)))
            .and_then(|bytes| serde_json::from_slice(bytes).ok());
        let role = match topology.role_of(node)? {
            Role::Primary if instance.source.is_some() => "replica",
            Role::Primary => "primary",
            Role::Standby => "standby",
        };
        Some(ResourceStatus {
            id: stored.id.clone(),
            kind: "db-instance",
            status: instance.status.to_string(),
            role,
            node: Some(node.clone()),
            zone: Some(node.zone()),
            state: word(&member.state),
            engine: report.as_ref().map(|r| word(&r.engine)),
            epoch: topology.epoch,
            in_sync: topology.in_sync,
            lag_bytes: report.as_ref().and_then(|r| r.lag_bytes),
            lag_ms: report.as_ref().and_then(|r| r.lag_ms),
            address: member.address,
            endpoint_port: instance.endpoint_port,
            detail: report.and_then(|r| r.detail),
        })
    };
    topology.members.keys().filter_map(row).collect()
}

/// The word that a state is written with.
pub(super) fn word(state: &impl Serialize) -> String {
    match serde_json::to_value(state) {
        Ok(serde_json::Value::String(word)) => word,
        _ => String::from("?"),
    }
}
