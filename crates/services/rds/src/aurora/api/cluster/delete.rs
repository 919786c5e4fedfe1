//! `DeleteDBCluster`.

use quorate_control::{Stored, Txn};
use quorate_wire::xml::Element;

use crate::api::context::{Context, retry};
use crate::api::error::RdsError;
use crate::aurora::api::cluster::{find, shape};
use crate::aurora::api::snapshot;
use crate::aurora::model::{Cluster, ClusterStatus, MemberDesired};
use crate::aurora::records;
use crate::model::Desired;

const SNAPSHOT: &str = "FinalDBSnapshotIdentifier";

/// `DeleteDBCluster`. A last snapshot is taken when the members are gone; the cluster goes after it.
pub(crate) async fn delete(context: &Context<'_>) -> Result<Vec<Element>, RdsError> {
    let params = &context.params;
    let name = params.required("DBClusterIdentifier")?;
    let skip_snapshot = params.boolean("SkipFinalSnapshot")?.unwrap_or(false);
    let snapshot = params.text(SNAPSHOT);
    if params.boolean("DeleteAutomatedBackups")? == Some(false) {
        return Err(RdsError::InvalidCombination(String::from(
            "DeleteAutomatedBackups=false isn't supported here: automated backups go with their cluster.",
        )));
    }
    retry(|| async {
        let stored = find(context, name).await?;
        let cluster = deleted(&stored, skip_snapshot, snapshot)?;
        let mut txn = Txn::new();
        if let Some(name) = snapshot {
            (_, _, txn) = snapshot::intent(context, &stored, (SNAPSHOT, name), &[], true).await?;
        }
        let txn = records::change_in(txn, &stored, &cluster);
        context.catalog().commit(txn).await?;
        Ok(vec![shape::db_cluster(context, &stored.id, &cluster)])
    })
    .await
}

/// The cluster once it is to go, unless something stands against that.
fn deleted(
    stored: &Stored<Cluster>,
    skip_snapshot: bool,
    snapshot: Option<&str>,
) -> Result<Cluster, RdsError> {
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
    if snapshot.is_some() && cluster.restore.is_some() {
        return Err(RdsError::InvalidClusterState(format!(
            "Cluster {} has nothing to take a final snapshot of yet.",
            stored.id
        )));
    }
    cluster.desired = Desired::Deleted;
    cluster.status = ClusterStatus::Deleting;
    cluster.order = None;
    Ok(cluster)
}

fn check_snapshot(skip: bool, snapshot: Option<&str>) -> Result<(), RdsError> {
    let refused = |why: &str| Err(RdsError::InvalidCombination(why.to_owned()));
    match snapshot {
        Some(_) if skip => refused(
            "FinalDBSnapshotIdentifier can not be specified when SkipFinalSnapshot is specified.",
        ),
        None if !skip => {
            refused("FinalDBSnapshotIdentifier is required unless SkipFinalSnapshot is specified.")
        }
        _ => Ok(()),
    }
}
