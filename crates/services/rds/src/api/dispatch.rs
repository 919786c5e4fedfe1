//! The one table from action names to handlers.

use quorate_wire::xml::Element;

use crate::api::context::Context;
use crate::api::error::RdsError;
use crate::api::{engines, event, instance, parameter_group, subnet_group, tags};

/// Carries out one action. The result is what stands in the answer's result element; empty for actions that
/// have none.
pub(crate) async fn dispatch(
    action: &str,
    context: &Context<'_>,
) -> Result<Vec<Element>, RdsError> {
    match action {
        "CreateDBInstance" => instance::create(context).await,
        "CreateDBInstanceReadReplica" => instance::create_replica(context).await,
        "DescribeDBInstances" => instance::describe(context).await,
        "ModifyDBInstance" => instance::modify(context).await,
        "RebootDBInstance" => instance::reboot(context).await,
        "StartDBInstance" => instance::start(context).await,
        "StopDBInstance" => instance::stop(context).await,
        "PromoteReadReplica" => instance::promote(context).await,
        "DeleteDBInstance" => instance::delete(context).await,

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

        unknown => Err(RdsError::UnknownAction(unknown.to_owned())),
    }
}
