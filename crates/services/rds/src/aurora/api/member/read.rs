//! Finding the member that a request means, and changing it.

use quorate_control::{Stored, Txn};
use quorate_wire::xml::Element;

use crate::api::context::{Context, retry};
use crate::api::error::RdsError;
use crate::api::instance::Fleet;
use crate::api::instance::fleet::{conflict, id_of};
use crate::aurora::api::member::shape;
use crate::aurora::model::{Cluster, ClusterMember, MemberName};
use crate::aurora::records;

/// Whether the request's `DBInstanceIdentifier` names a member of a cluster.
pub(crate) async fn is_member(context: &Context<'_>) -> Result<bool, RdsError> {
    let Some(name) = context.params.text("DBInstanceIdentifier") else {
        return Ok(false);
    };
    let known = context.read::<MemberName>(&id_of(context, name)).await?;
    Ok(known.is_some())
}

/// The refusal of an action that members do not have.
pub(crate) fn not_for_members(action: &str) -> RdsError {
    match action {
        "StopDBInstance" | "StartDBInstance" => RdsError::InvalidInstanceState(String::from(
            "A DB instance that is a member of a DB cluster cannot be stopped or started by itself: use StopDBCluster and \
             StartDBCluster.",
        )),
        "PromoteReadReplica" => RdsError::InvalidInstanceState(String::from(
            "DB Instance is not a read replica. FailoverDBCluster makes a member of a DB cluster its writer.",
        )),
        other => RdsError::UnknownAction(other.to_owned()),
    }
}

/// A member as it was read, with its cluster.
pub(super) struct Found<'f> {
    pub(super) id: &'f str,
    pub(super) cluster: &'f Stored<Cluster>,
    pub(super) member: &'f ClusterMember,
}

/// Reads the member that the request names, writes what `decide` makes of its cluster, and describes it.
pub(super) async fn change(
    context: &Context<'_>,
    decide: impl Fn(&Fleet, &Found<'_>) -> Result<Cluster, RdsError> + Sync,
) -> Result<Vec<Element>, RdsError> {
    retry(|| async {
        let decide = |fleet: &Fleet, found: &Found<'_>| Ok((decide(fleet, found)?, Txn::new()));
        change_once(context, decide).await
    })
    .await
}

/// One attempt of [`change`], in a transaction that may have more to it.
pub(super) async fn change_once(
    context: &Context<'_>,
    decide: impl Fn(&Fleet, &Found<'_>) -> Result<(Cluster, Txn), RdsError> + Sync,
) -> Result<Vec<Element>, RdsError> {
    let name = context.params.required("DBInstanceIdentifier")?;
    let id = id_of(context, name);
    let fleet = Fleet::read(context).await?;
    let mut members = fleet.members();
    let (stored, member) = members
        .find(|(_, other, _)| *other == id)
        .map(|(cluster, _, member)| (cluster.clone(), member.clone()))
        .ok_or_else(|| RdsError::InstanceNotFound(name.to_owned()))?;
    drop(members);
    let found = Found {
        id: &id,
        cluster: &stored,
        member: &member,
    };
    let (cluster, txn) = decide(&fleet, &found)?;
    let txn = records::change_in(txn, &stored, &cluster);
    context.catalog().commit(txn).await?;
    let fleet = fleet.with_cluster(&stored.id, cluster.clone());
    describe(context, &fleet, &stored.id, &id)
}

/// One member as the API shows it.
pub(super) fn describe(
    context: &Context<'_>,
    fleet: &Fleet,
    cluster: &str,
    id: &str,
) -> Result<Vec<Element>, RdsError> {
    let shown = fleet
        .members()
        .find(|(owner, member, _)| owner.id == cluster && *member == id)
        .map(|(owner, _, member)| shape::db_instance(context, fleet, owner, id, member));
    Ok(vec![shown.ok_or_else(|| conflict::<Cluster>(cluster))?])
}
