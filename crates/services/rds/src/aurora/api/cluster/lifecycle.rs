//! `FailoverDBCluster`, `StopDBCluster`, `StartDBCluster`, `RebootDBCluster`: orders, each a status and an intent that the
//! controller carries out.

use quorate_control::Stored;
use quorate_wire::xml::Element;

use crate::api::context::Context;
use crate::api::error::RdsError;
use crate::api::instance::fleet;
use crate::aurora::api::cluster::find;
use crate::aurora::api::cluster::read::{change, change_shown};
use crate::aurora::model::{Cluster, ClusterOrder, ClusterStatus, MemberDesired};
use crate::model::{Desired, Status};

/// `FailoverDBCluster`.
pub(crate) async fn failover(context: &Context<'_>) -> Result<Vec<Element>, RdsError> {
    let target = context.params.text("TargetDBInstanceIdentifier");
    let target = target.map(|name| fleet::id_of(context, name));
    change(context, |stored| {
        require_available(stored)?;
        let mut cluster = stored.record.clone();
        let able = |id: &String| {
            let member = cluster.members.get(id);
            !cluster.is_writer(id) && member.is_some_and(|member| cluster.runs(member))
        };
        match &target {
            Some(to) if !cluster.members.contains_key(to) => {
                return Err(RdsError::InvalidInstanceState(format!(
                    "DB instance {to} is not a member of DB cluster {}.",
                    stored.id
                )));
            }
            Some(to) if !able(to) => {
                return Err(RdsError::InvalidInstanceState(format!(
                    "DB instance {to} cannot take over DB cluster {}: it is not a reader that is available.",
                    stored.id
                )));
            }
            None if !cluster.members.keys().any(able) => {
                return Err(RdsError::InvalidClusterState(format!(
                    "DB cluster {} has no reader that is available to fail over to.",
                    stored.id
                )));
            }
            _ => {}
        }
        cluster.order = Some(ClusterOrder::Failover { to: target.clone() });
        cluster.status = ClusterStatus::FailingOver;
        Ok(cluster)
    })
    .await
}

/// `StopDBCluster`. Its own answer shows the status from before, as AWS's does.
pub(crate) async fn stop(context: &Context<'_>) -> Result<Vec<Element>, RdsError> {
    let decide = |stored: &Stored<Cluster>| {
        require_available(stored)?;
        let mut cluster = stored.record.clone();
        cluster.desired = Desired::Stopped;
        cluster.status = ClusterStatus::Stopping;
        set_members(&mut cluster, Status::Stopping);
        Ok(cluster)
    };
    change_shown(context, decide, |cluster| {
        cluster.status = ClusterStatus::Available;
    })
    .await
}

/// `StartDBCluster`.
pub(crate) async fn start(context: &Context<'_>) -> Result<Vec<Element>, RdsError> {
    change(context, |stored| {
        let mut cluster = stored.record.clone();
        if cluster.status != ClusterStatus::Stopped {
            return Err(wrong_status(stored, "stopped"));
        }
        cluster.desired = Desired::Running;
        cluster.status = ClusterStatus::Starting;
        set_members(&mut cluster, Status::Starting);
        Ok(cluster)
    })
    .await
}

/// `RebootDBCluster`: of clusters that RDS has and that are not Aurora's.
pub(crate) async fn reboot(context: &Context<'_>) -> Result<Vec<Element>, RdsError> {
    find(context, context.params.required("DBClusterIdentifier")?).await?;
    Err(RdsError::InvalidClusterState(String::from(
        "RebootDBCluster isn't supported for Aurora DB clusters: reboot their DB instances with RebootDBInstance.",
    )))
}

fn set_members(cluster: &mut Cluster, status: Status) {
    let members = cluster.members.values_mut();
    for member in members.filter(|member| member.desired == MemberDesired::Running) {
        member.status = status;
        member.order = None;
    }
}

/// Refuses clusters with something under way.
pub(crate) fn require_available(stored: &Stored<Cluster>) -> Result<(), RdsError> {
    if stored.record.status == ClusterStatus::Available {
        return Ok(());
    }
    Err(wrong_status(stored, "available"))
}

fn wrong_status(stored: &Stored<Cluster>, expected: &str) -> RdsError {
    RdsError::InvalidClusterState(format!(
        "DbCluster {} is in {} state but expected it to be one of {expected}.",
        stored.id, stored.record.status
    ))
}
