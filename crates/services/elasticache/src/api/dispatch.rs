//! The one table from action names to handlers.

use quorate_wire::xml::Element;

use crate::api::context::Context;
use crate::api::error::ElastiCacheError;
use crate::api::{
    cache_cluster, engines, event, node_type, parameter_group, replication_group, snapshot,
    subnet_group, tags, user,
};

/// Carries out one action. The result is what stands in the answer's result element; empty for actions that have none.
pub(crate) async fn dispatch(
    action: &str,
    context: &Context<'_>,
) -> Result<Vec<Element>, ElastiCacheError> {
    match action {
        "CreateReplicationGroup" => replication_group::create(context).await,
        "DescribeReplicationGroups" => replication_group::describe(context).await,
        "ModifyReplicationGroup" => replication_group::modify(context).await,
        "ModifyReplicationGroupShardConfiguration" => replication_group::reshard(context).await,
        "IncreaseReplicaCount" => replication_group::increase_replicas(context).await,
        "DecreaseReplicaCount" => replication_group::decrease_replicas(context).await,
        "TestFailover" => replication_group::test_failover(context).await,
        "DeleteReplicationGroup" => replication_group::delete(context).await,

        "CreateCacheCluster" => cache_cluster::create(context).await,
        "DescribeCacheClusters" => cache_cluster::describe(context).await,
        "ModifyCacheCluster" => cache_cluster::modify(context).await,
        "RebootCacheCluster" => cache_cluster::reboot(context).await,
        "DeleteCacheCluster" => cache_cluster::delete(context).await,
        "ListAllowedNodeTypeModifications" => node_type::list_allowed(context).await,

        "CreateCacheParameterGroup" => parameter_group::create(context).await,
        "DescribeCacheParameterGroups" => parameter_group::describe_groups(context).await,
        "DescribeCacheParameters" => parameter_group::describe_parameters(context).await,
        "DescribeEngineDefaultParameters" => parameter_group::describe_defaults(context).await,
        "ModifyCacheParameterGroup" => parameter_group::modify(context).await,
        "ResetCacheParameterGroup" => parameter_group::reset(context).await,
        "DeleteCacheParameterGroup" => parameter_group::delete(context).await,

        "CreateCacheSubnetGroup" => subnet_group::create(context).await,
        "DescribeCacheSubnetGroups" => subnet_group::describe(context).await,
        "ModifyCacheSubnetGroup" => subnet_group::modify(context).await,
        "DeleteCacheSubnetGroup" => subnet_group::delete(context).await,

        "CreateUser" => user::create(context).await,
        "DescribeUsers" => user::describe(context).await,
        "ModifyUser" => user::modify(context).await,
        "DeleteUser" => user::delete(context).await,
        "CreateUserGroup" => user::create_group(context).await,
        "DescribeUserGroups" => user::describe_groups(context).await,
        "ModifyUserGroup" => user::modify_group(context).await,
        "DeleteUserGroup" => user::delete_group(context).await,

        "CreateSnapshot" => snapshot::create(context).await,
        "DescribeSnapshots" => snapshot::describe(context).await,
        "CopySnapshot" => snapshot::copy(context).await,
        "DeleteSnapshot" => snapshot::delete(context).await,

        "AddTagsToResource" => tags::add(context).await,
        "RemoveTagsFromResource" => tags::remove(context).await,
        "ListTagsForResource" => tags::list(context).await,

        "DescribeCacheEngineVersions" => engines::describe(context).await,
        "DescribeEvents" => event::describe(context).await,

        unknown => Err(ElastiCacheError::UnknownAction(unknown.to_owned())),
    }
}
