//! `CreateDBClusterEndpoint`, `ModifyDBClusterEndpoint`, `DeleteDBClusterEndpoint`.

use std::collections::BTreeSet;

use quorate_base::UnixMillis;
use quorate_control::{Endpoint, Stored, Txn};
use quorate_wire::query::Params;
use quorate_wire::xml::Element;

use crate::api::context::{Context, retry};
use crate::api::error::RdsError;
use crate::api::identifier;
use crate::aurora::api::cluster;
use crate::aurora::api::cluster::lifecycle::require_available;
use crate::aurora::api::endpoint::shape;
use crate::aurora::model::{Cluster, CustomEndpoint, CustomEndpointKind, CustomEndpointMembers};
use crate::aurora::records::{self, custom_endpoint_id};

/// AWS's quota.
const PER_CLUSTER_MAX: usize = 5;
const ID: &str = "DBClusterEndpointIdentifier";

/// `CreateDBClusterEndpoint`.
pub(crate) async fn create(context: &Context<'_>) -> Result<Vec<Element>, RdsError> {
    let params = &context.params;
    let name = identifier::cluster_id(ID, params.required(ID)?)?;
    let cluster_name = params.required("DBClusterIdentifier")?;
    let first = cluster::find(context, cluster_name).await?;
    let endpoint = CustomEndpoint {
        resource_id: identifier::resource_id("cluster-endpoint"),
        created_at: UnixMillis::now(),
        kind: kind(params.required("EndpointType")?)?,
        members: members(params)?.unwrap_or_else(everybody),
        port: context.reserve_port(first.record.settings.port_asked)?,
        tags: context.tags()?,
    };
    let cluster = retry(|| async {
        let stored = cluster::find(context, cluster_name).await?;
        require_available(&stored)?;
        let record = &stored.record;
        if context.read::<Endpoint>(&custom_endpoint_id(&name)).await?.is_some() {
            return Err(RdsError::ClusterEndpointAlreadyExists(name.clone()));
        }
        check_members(record, &endpoint.members)?;
        if record.endpoints.custom.len() >= PER_CLUSTER_MAX {
            return Err(RdsError::ClusterEndpointQuotaExceeded(format!(
                "DB cluster {} has {PER_CLUSTER_MAX} custom endpoints already, which is the most that it may have.",
                stored.id
            )));
        }
        let mut record = record.clone();
        record.endpoints.custom.insert(name.clone(), endpoint.clone());
        let txn = Txn::new().require_absent::<Endpoint>(&custom_endpoint_id(&name));
        let txn = records::change_in(txn, &stored, &record);
        context.catalog().commit(txn).await?;
        Ok(stored.id)
    })
    .await?;
    Ok(shape::custom(
        context, &cluster, &name, &endpoint, "creating",
    ))
}

/// `ModifyDBClusterEndpoint`.
pub(crate) async fn modify(context: &Context<'_>) -> Result<Vec<Element>, RdsError> {
    let params = &context.params;
    let kind = params.text("EndpointType").map(kind).transpose()?;
    let members = members(params)?;
    change(context, "modifying", |record, name| {
        if let Some(members) = &members {
            check_members(record, members)?;
        }
        if let Some(endpoint) = record.endpoints.custom.get_mut(name) {
            endpoint.kind = kind.unwrap_or(endpoint.kind);
            if let Some(members) = &members {
                endpoint.members.clone_from(members);
            }
        }
        Ok(())
    })
    .await
}

/// `DeleteDBClusterEndpoint`.
pub(crate) async fn delete(context: &Context<'_>) -> Result<Vec<Element>, RdsError> {
    change(context, "deleting", |record, name| {
        record.endpoints.custom.remove(name);
        Ok(())
    })
    .await
}

/// Reads the cluster of the endpoint that the request names, writes what `edit` makes of it, and describes the endpoint;
/// as it was, when it is gone.
async fn change(
    context: &Context<'_>,
    status: &str,
    edit: impl Fn(&mut Cluster, &str) -> Result<(), RdsError> + Sync,
) -> Result<Vec<Element>, RdsError> {
    let name = context.params.required(ID)?.to_ascii_lowercase();
    retry(|| async {
        let (stored, before) = find(context, &name).await?;
        let mut record = stored.record.clone();
        edit(&mut record, &name)?;
        let after = record.endpoints.custom.get(&name).unwrap_or(&before);
        let shown = shape::custom(context, &stored.id, &name, after, status);
        let txn = records::change(&stored, &record);
        context.catalog().commit(txn).await?;
        Ok(shown)
    })
    .await
}

/// A custom endpoint with its cluster.
async fn find(
    context: &Context<'_>,
    name: &str,
) -> Result<(Stored<Cluster>, CustomEndpoint), RdsError> {
    let clusters: Vec<Stored<Cluster>> = context.list().await?;
    let mut found = clusters.into_iter().filter_map(|stored| {
        let endpoint = stored.record.endpoints.custom.get(name)?.clone();
        Some((stored, endpoint))
    });
    found
        .next()
        .ok_or_else(|| RdsError::ClusterEndpointNotFound(name.to_owned()))
}

fn kind(text: &str) -> Result<CustomEndpointKind, RdsError> {
    match text.to_ascii_uppercase().as_str() {
        "READER" => Ok(CustomEndpointKind::Reader),
        "ANY" => Ok(CustomEndpointKind::Any),
        _ => Err(RdsError::InvalidValue(format!(
            "Invalid value '{text}' for EndpointType. Must be one of: READER, ANY"
        ))),
    }
}

fn everybody() -> CustomEndpointMembers {
    CustomEndpointMembers::AllBut(BTreeSet::new())
}

/// The members that the request lists, one way or the other.
fn members(params: &Params<'_>) -> Result<Option<CustomEndpointMembers>, RdsError> {
    let names = |list: &str| -> Option<BTreeSet<String>> {
        let names = params.texts(list, "member")?.into_iter();
        let names: BTreeSet<String> = names.map(str::to_ascii_lowercase).collect();
        Some(names).filter(|names| !names.is_empty())
    };
    match (names("StaticMembers"), names("ExcludedMembers")) {
        (Some(_), Some(_)) => Err(RdsError::InvalidCombination(String::from(
            "StaticMembers and ExcludedMembers cannot both be specified.",
        ))),
        (Some(names), None) => Ok(Some(CustomEndpointMembers::Static(names))),
        (None, Some(names)) => Ok(Some(CustomEndpointMembers::AllBut(names))),
        (None, None) => Ok(None),
    }
}

fn check_members(cluster: &Cluster, members: &CustomEndpointMembers) -> Result<(), RdsError> {
    let unknown = members
        .names()
        .iter()
        .find(|name| !cluster.members.contains_key(*name));
    match unknown {
        Some(name) => Err(RdsError::InstanceNotFound(name.clone())),
        None => Ok(()),
    }
}
