//! The settings of a cluster that is restored: those of its source, unless the request has others.

use quorate_base::ZoneName;
use quorate_wire::xml::Element;

use crate::api::context::{Context, retry};
use crate::api::error::RdsError;
use crate::api::instance::{check, window};
use crate::api::{identifier, subnet_group};
use crate::aurora::api::cluster::create::{check_free, hold_groups, intent, retention_days, zones};
use crate::aurora::api::cluster::{offered, shape};
use crate::aurora::api::{capacity, parameter_group};
use crate::aurora::model::{Cluster, ClusterRestore, ClusterSettings};
use crate::aurora::records;
use crate::catalogue::{family_of, matches_version};
use crate::model::Tag;

/// The identifier of the cluster that is to be made.
pub(super) async fn new_id(context: &Context<'_>) -> Result<String, RdsError> {
    const NAME: &str = "DBClusterIdentifier";
    let id = identifier::cluster_id(NAME, context.params.required(NAME)?)?;
    check_free(context, &id).await?;
    Ok(id)
}

/// Reads and checks everything that a request for a restore says of the new cluster.
pub(super) async fn settings(
    context: &Context<'_>,
    source: &ClusterSettings,
) -> Result<ClusterSettings, RdsError> {
    let params = &context.params;
    offered::check(context)?;
    check_engine(context, source)?;
    let version = &source.engine_version;
    capacity::check(context, version, None).await?;
    let group_name = params
        .text("DBSubnetGroupName")
        .unwrap_or(subnet_group::DEFAULT_GROUP);
    let (subnet_group, group, _) = subnet_group::find(context, group_name).await?;
    let zones: Vec<ZoneName> = zones(context, |text| check::zone(context, &group, text))?;
    // AWS gives restored clusters the default group unless another one is named.
    let default_group = format!("default.{}", family_of(&source.engine, version));
    let parameter_group = params
        .text("DBClusterParameterGroupName")
        .unwrap_or(&default_group);
    let parameter_group =
        parameter_group::for_version(context, parameter_group, &source.engine, version).await?;
    let text = |name: &str, old: &String| params.text(name).unwrap_or(old).to_owned();
    let (backup_window, maintenance_window) = window::checked(
        &text("PreferredBackupWindow", &source.backup_window),
        &text("PreferredMaintenanceWindow", &source.maintenance_window),
    )?;
    let flag = |name: &str, old: bool| Ok::<_, RdsError>(params.boolean(name)?.unwrap_or(old));
    Ok(ClusterSettings {
        port_asked: check::port(params, "Port")?.unwrap_or(source.port_asked),
        parameter_group: parameter_group.name,
        subnet_group,
        zones,
        backup_retention_days: retention_days(context)?.unwrap_or(source.backup_retention_days),
        backup_window,
        maintenance_window,
        storage_type: text("StorageType", &source.storage_type),
        copy_tags_to_snapshot: flag("CopyTagsToSnapshot", source.copy_tags_to_snapshot)?,
        // Protection is not taken over.
        deletion_protection: flag("DeletionProtection", false)?,
        security_groups: check::security_groups(params)?.unwrap_or_default(),
        ..source.clone()
    })
}

/// A restored cluster has engine and version of its source.
fn check_engine(context: &Context<'_>, source: &ClusterSettings) -> Result<(), RdsError> {
    let params = &context.params;
    if let Some(engine) = params.text("Engine").filter(|e| *e != source.engine) {
        return Err(RdsError::InvalidValue(format!(
            "Invalid DB engine: {engine}. The source's is {}.",
            source.engine
        )));
    }
    let current = &source.engine_version;
    match params.text("EngineVersion") {
        Some(asked) if !matches_version(current, asked) => Err(RdsError::InvalidCombination(
            format!("Cannot find upgrade target from {current} with requested version {asked}."),
        )),
        _ => Ok(()),
    }
}

/// Writes the cluster, with what it is to be filled from. `held` gives the conditions under which that stays there.
pub(super) async fn begin<H>(
    context: &Context<'_>,
    id: &str,
    settings: ClusterSettings,
    tags: Vec<Tag>,
    restore: ClusterRestore,
    held: impl Fn() -> H,
) -> Result<Vec<Element>, RdsError>
where
    H: Future<Output = Result<quorate_control::Txn, RdsError>>,
{
    let cluster = Cluster {
        restore: Some(restore),
        ..intent(context, settings, tags)?
    };
    retry(|| async {
        check_free(context, id).await?;
        let txn = hold_groups(context, held().await?, &cluster.settings).await?;
        let txn = records::insertion(txn, id, &cluster);
        context.catalog().commit(txn).await?;
        Ok(vec![shape::db_cluster(context, id, &cluster)])
    })
    .await
}
