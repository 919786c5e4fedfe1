//! `DeleteDBClusterSnapshot`.

use quorate_control::{Stored, Txn};
use quorate_wire::xml::Element;

use crate::api::context::{Context, retry};
use crate::api::error::RdsError;
use crate::aurora::api::snapshot::read::{find, require_available};
use crate::aurora::api::snapshot::shape;
use crate::aurora::model::{Cluster, ClusterSnapshot, ClusterStatus, SnapshotStatus};
use crate::model::Desired;

/// `DeleteDBClusterSnapshot`. Objects and record go soon afterwards.
pub(crate) async fn delete(context: &Context<'_>) -> Result<Vec<Element>, RdsError> {
    let name = context.params.required("DBClusterSnapshotIdentifier")?;
    retry(|| async {
        let stored = find(context, name).await?;
        if stored.record.automated {
            return Err(RdsError::InvalidClusterSnapshotState(String::from(
                "Only manual snapshots may be deleted.",
            )));
        }
        if stored.record.status != SnapshotStatus::Failed {
            require_available(&stored)?;
        }
        let clusters: Vec<Stored<Cluster>> = context.list().await?;
        if let Some(reader) = clusters.iter().find(|cluster| reads(cluster, &stored.id)) {
            return Err(RdsError::InvalidClusterSnapshotState(format!(
                "DB cluster snapshot {} is being restored to DB cluster {}.",
                stored.id, reader.id
            )));
        }
        let snapshot = ClusterSnapshot {
            status: SnapshotStatus::Deleting,
            ..stored.record.clone()
        };
        let txn = Txn::new().replace(&stored, &snapshot);
        context.catalog().commit(txn).await?;
        Ok(vec![shape::snapshot(context, &stored.id, &snapshot)])
    })
    .await
}

/// Whether a cluster is being filled from a snapshot.
fn reads(cluster: &Stored<Cluster>, snapshot: &str) -> bool {
    let restore = cluster.record.restore.as_ref();
    cluster.record.desired == Desired::Running
        && cluster.record.status != ClusterStatus::IncompatibleRestore
        && restore.and_then(|r| r.source_snapshot()) == Some(snapshot)
}
