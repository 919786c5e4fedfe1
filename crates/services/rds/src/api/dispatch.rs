//! The one table from action names to handlers.

use quorate_wire::xml::Element;

use crate::api::context::Context;
use crate::api::error::RdsError;
use crate::api::{engines, event, instance, parameter_group, subnet_group, tags};
use crate::aurora::api::{
    cluster, endpoint, member, parameter_group as cluster_group, restore, snapshot, unavailable,
};

/// Carries out one action. The result is what stands in the answer's result element; empty for actions that
/// have none.
pub(crate) async fn dispatch(
    action: &str,
    context: &Context<'_>,
) -> Result<Vec<Element>, RdsError> {
    match action {
        "CreateDBInstance" if member::is_for_cluster(context) => member::create(context).await,
        "CreateDBInstance" => instance::create(context).await,
        "CreateDBInstanceReadReplica" => instance::create_replica(context).await,
        "DescribeDBInstances" => instance::describe(context).await,
        "ModifyDBInstance" | "RebootDBInstance" | "StartDBInstance" | "StopDBInstance"
        | "PromoteReadReplica" | "DeleteDBInstance" => {
            if member::is_member(context).await? {
                on_member(action, context).await
            } else {
                on_instance(action, context).await
            }
        }

        "CreateDBCluster" => cluster::create(context).await,
        "DescribeDBClusters" => cluster::describe(context).await,
        "ModifyDBCluster" => cluster::modify(context).await,
        "FailoverDBCluster" => cluster::failover(context).await,
        "StopDBCluster" => cluster::stop(context).await,
        "StartDBCluster" => cluster::start(context).await,
        "RebootDBCluster" => cluster::reboot(context).await,
        "DeleteDBCluster" => cluster::delete(context).await,
        "CreateDBClusterParameterGroup" => cluster_group::create(context).await,
        "DescribeDBClusterParameterGroups" => cluster_group::describe_groups(context).await,
        "DescribeDBClusterParameters" => cluster_group::describe_parameters(context).await,
        "DescribeEngineDefaultClusterParameters" => cluster_group::describe_defaults(context).await,
        "ModifyDBClusterParameterGroup" => cluster_group::modify(context).await,
        "ResetDBClusterParameterGroup" => cluster_group::reset(context).await,
        "DeleteDBClusterParameterGroup" => cluster_group::delete(context).await,

        "CreateDBClusterEndpoint" => endpoint::create(context).await,
        "DescribeDBClusterEndpoints" => endpoint::describe(context).await,
        "ModifyDBClusterEndpoint" => endpoint::modify(context).await,
        "DeleteDBClusterEndpoint" => endpoint::delete(context).await,

        "DescribeGlobalClusters" => unavailable::describe_global_clusters(context),

        "CreateDBClusterSnapshot" => snapshot::create(context).await,
        "DescribeDBClusterSnapshots" => snapshot::describe(context).await,
        "CopyDBClusterSnapshot" => snapshot::copy(context).await,
        "DeleteDBClusterSnapshot" => snapshot::delete(context).await,
        "DescribeDBClusterSnapshotAttributes" => snapshot::describe_attributes(context).await,
        "ModifyDBClusterSnapshotAttribute" => snapshot::modify_attribute(context).await,
        "RestoreDBClusterFromSnapshot" => restore::restore_from_snapshot(context).await,
        "RestoreDBClusterToPointInTime" => restore::restore_to_point_in_time(context).await,

        "CreateDBSubnetGroup" => subnet_group::create(context).await,
        "DescribeDBSubnetGroups" => subnet_group::describe(context).await,
        "ModifyDBSubnetGroup" => subnet_group::modify(context).await,
        "DeleteDBSubnetGroup" => subnet_group::delete(context).await,

        "CreateDBParameterGroup" => parameter_group::create(context).await,
        "DescribeDBParameterGroups" => parameter_group::describe_groups(context).await,
        "DescribeDBParameters" => parameter_group::describe_parameters(context).await,
        "DescribeEngineDefaultParameters" => parameter_group::describe_defaults(context).await,
        "ModifyDBParameterGroup" => parameter_group::modify(context).await,
        "ResetDBParameterGroup" => parameter_group::reset(context).await,
        "DeleteDBParameterGroup" => parameter_group::delete(context).await,

        "AddTagsToResource" => tags::add(context).await,
        "RemoveTagsFromResource" => tags::remove(context).await,
        "ListTagsForResource" => tags::list(context).await,

        "DescribeDBEngineVersions" => engines::describe_versions(context).await,
        "DescribeOrderableDBInstanceOptions" => engines::describe_orderable(context).await,
        "DescribeEvents" => event::describe(context).await,

        unknown => Err(unavailable::refusal(unknown)
            .unwrap_or_else(|| RdsError::UnknownAction(unknown.to_owned()))),
    }
}

/// Actions on a DB instance of its own.
async fn on_instance(action: &str, context: &Context<'_>) -> Result<Vec<Element>, RdsError> {
    match action {
        "ModifyDBInstance" => instance::modify(context).await,
        "RebootDBInstance" => instance::reboot(context).await,
        "StartDBInstance" => instance::start(context).await,
        "StopDBInstance" => instance::stop(context).await,
        "PromoteReadReplica" => instance::promote(context).await,
        "DeleteDBInstance" => instance::delete(context).await,
        unknown => Err(RdsError::UnknownAction(unknown.to_owned())),
    }
}

/// The same actions on a member of a cluster.
async fn on_member(action: &str, context: &Context<'_>) -> Result<Vec<Element>, RdsError> {
    match action {
        "ModifyDBInstance" => member::modify(context).await,
        "RebootDBInstance" => member::reboot(context).await,
        "DeleteDBInstance" => member::delete(context).await,
        unknown => Err(member::not_for_members(unknown)),
    }
}
