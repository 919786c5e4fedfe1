//! `DeleteDBCluster`.

use quorate_wire::xml::Element;

use crate::api::context::Context;
use crate::api::error::RdsError;
use crate::aurora::api::cluster::read::change;
use crate::aurora::model::{ClusterStatus, MemberDesired};
use crate::model::Desired;

/// `DeleteDBCluster`.
pub(crate) async fn delete(context: &Context<'_>) -> Result<Vec<Element>, RdsError> {
    let params = &context.params;
    let skip_snapshot = params.boolean("SkipFinalSnapshot")?.unwrap_or(false);
    let snapshot = params.text("FinalDBSnapshotIdentifier");
    change(context, |stored| {
        let mut cluster = stored.record.clone();
        if cluster.desired == Desired::Deleted {
            return Err(RdsError::InvalidClusterState(format!(
                "Cluster {} is already being deleted.",
                stored.id
            )));
        }
        check_snapshot(skip_snapshot, snapshot)?;
        if cluster.settings.deletion_protection {
            return Err(RdsError::InvalidCombination(String::from(
                "Cannot delete protected Cluster, please disable deletion protection and try again.",
            )));
        }
        let mut members = cluster.members.values();
        if members.any(|member| member.desired != MemberDesired::Deleted) {
            return Err(RdsError::InvalidClusterState(String::from(
                "Cluster cannot be deleted, it still contains DB instances in non-deleting state.",
            )));
        }
        cluster.desired = Desired::Deleted;
        cluster.status = ClusterStatus::Deleting;
        cluster.order = None;
        Ok(cluster)
    })
    .await
}

fn check_snapshot(skip: bool, snapshot: Option<&str>) -> Result<(), RdsError> {
    let refused = |why: &str| Err(RdsError::InvalidCombination(why.to_owned()));
    match snapshot {
        Some(_) if skip => refused(
            "FinalDBSnapshotIdentifier can not be specified when SkipFinalSnapshot is specified.",
        ),
        Some(_) => refused(
            "Snapshots of DB clusters are not offered yet, so a final one cannot be made. To delete the cluster without \
             one, pass SkipFinalSnapshot and leave FinalDBSnapshotIdentifier out.",
        ),
        None if skip => Ok(()),
        None => {
            refused("FinalDBSnapshotIdentifier is required unless SkipFinalSnapshot is specified.")
        }
    }
}
