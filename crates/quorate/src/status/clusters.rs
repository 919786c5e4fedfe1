//! The rows of Aurora's clusters, and of their members.

use serde::Serialize;

use quorate_base::{Epoch, NodeId};
use quorate_control::{Session, Stored};
use quorate_rds::aurora::model::{AuroraEngineState, AuroraMemberReport, Cluster, ClusterMember};

use super::region::{ResourceStatus, word};

/// A DB cluster.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct ClusterStatus {
    pub(crate) id: String,
    pub(crate) status: String,
    pub(crate) engine_version: String,
    /// The epoch at which the writer opens the volume.
    pub(crate) epoch: Epoch,
    /// Whether the writer accepts writes at that epoch.
    pub(crate) serving: bool,
    /// The DB instance that writes.
    pub(crate) writer: Option<String>,
    /// The other DB instances.
    pub(crate) readers: Vec<String>,
    pub(crate) writer_port: u16,
    pub(crate) reader_port: u16,
    pub(crate) detail: Option<String>,
}

/// A cluster's own row.
pub(super) fn cluster(stored: &Stored<Cluster>) -> ClusterStatus {
    let cluster = &stored.record;
    ClusterStatus {
        id: stored.id.clone(),
        status: cluster.status.to_string(),
        engine_version: cluster.settings.engine_version.clone(),
        epoch: cluster.epoch,
        serving: cluster.is_serving(),
        writer: cluster.writer.clone(),
        readers: cluster.readers().map(|(id, _)| id.clone()).collect(),
        writer_port: cluster.endpoints.writer_port,
        reader_port: cluster.endpoints.reader_port,
        detail: cluster.status_detail.clone(),
    }
}

/// The members of a cluster.
pub(super) fn members<'a>(
    stored: &Stored<Cluster>,
    session: &impl Fn(&NodeId) -> Option<&'a Session>,
) -> Vec<ResourceStatus> {
    let cluster = &stored.record;
    let row = |(id, member): (&String, &ClusterMember)| {
        let report = report(member, session);
        row(cluster, id, member, report)
    };
    cluster.members.iter().map(row).collect()
}

fn report<'a>(
    member: &ClusterMember,
    session: &impl Fn(&NodeId) -> Option<&'a Session>,
) -> Option<AuroraMemberReport> {
    let session = session(member.node.as_ref()?).filter(|s| s.alive)?;
    let key = AuroraMemberReport::key(&member.resource_id);
    serde_json::from_slice(session.observed.get(&key)?).ok()
}

fn row(
    cluster: &Cluster,
    id: &str,
    member: &ClusterMember,
    report: Option<AuroraMemberReport>,
) -> ResourceStatus {
    let writes = cluster.is_writer(id);
    let engine = report.as_ref().map(|report| report.engine);
    let does = if writes {
        AuroraEngineState::Writing
    } else {
        AuroraEngineState::Reading
    };
    ResourceStatus {
        id: id.to_owned(),
        kind: "db-cluster-member",
        status: member.status.to_string(),
        role: if writes { "writer" } else { "reader" },
        zone: member.node.as_ref().map(NodeId::zone),
        node: member.node.clone(),
        state: word(&member.state),
        engine: engine.map(|engine| word(&engine)),
        epoch: cluster.epoch,
        // All members share one volume: whoever runs over it at this epoch has every acknowledged commit within reach.
        in_sync: engine == Some(does) && cluster.runs(member),
        lag_bytes: None,
        lag_ms: report.as_ref().and_then(|report| report.lag_ms),
        address: member.address,
        endpoint_port: member.endpoint_port,
        detail: report.and_then(|report| report.detail),
    }
}
