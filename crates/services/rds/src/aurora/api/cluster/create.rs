//! `CreateDBCluster`.

use std::collections::BTreeMap;

use quorate_base::{Epoch, UnixMillis, ZoneName};
use quorate_control::{Stored, Txn};
use quorate_wire::xml::Element;

use crate::api::context::{Context, retry};
use crate::api::engines::Engines;
use crate::api::error::RdsError;
use crate::api::instance::create::master;
use crate::api::instance::{check, window};
use crate::api::{identifier, subnet_group};
use crate::aurora::api::capacity;
use crate::aurora::api::cluster::{offered, shape};
use crate::aurora::api::parameter_group;
use crate::aurora::model::{
    Cluster, ClusterEndpoints, ClusterSettings, ClusterStatus, PendingClusterChanges,
};
use crate::aurora::records;
use crate::catalogue::{AURORA_MYSQL, AURORA_POSTGRESQL, ApiEngine, family_of};
use crate::model::{Desired, Tag};

const RETENTION_DAYS_DEFAULT: u32 = 1;

/// `CreateDBCluster`.
pub(crate) async fn create(context: &Context<'_>) -> Result<Vec<Element>, RdsError> {
    let params = &context.params;
    let id = identifier::cluster_id(
        "DBClusterIdentifier",
        params.required("DBClusterIdentifier")?,
    )?;
    let tags = context.tags()?;
    let settings = settings(context).await?;
    check_free(context, &id).await?;
    let cluster = intent(context, settings, tags)?;
    retry(|| async {
        check_free(context, &id).await?;
        let txn = hold_groups(context, Txn::new(), &cluster.settings).await?;
        let txn = records::insertion(txn, &id, &cluster);
        context.catalog().commit(txn).await?;
        Ok(vec![shape::db_cluster(context, &id, &cluster)])
    })
    .await
}

/// Refuses an identifier that is in use, or promised to a cluster that is being renamed.
pub(crate) async fn check_free(context: &Context<'_>, id: &str) -> Result<(), RdsError> {
    let clusters: Vec<Stored<Cluster>> = context.list().await?;
    let taken = clusters
        .iter()
        .any(|cluster| cluster.id == id || cluster.record.pending.new_id.as_deref() == Some(id));
    if taken {
        return Err(RdsError::ClusterAlreadyExists);
    }
    Ok(())
}

/// The groups that settings name are written again, unchanged, with the cluster: whoever deletes one at the same moment
/// then reads again and finds the cluster.
pub(crate) async fn hold_groups(
    context: &Context<'_>,
    mut txn: Txn,
    settings: &ClusterSettings,
) -> Result<Txn, RdsError> {
    let parameter = parameter_group::named(context, &settings.parameter_group).await?;
    if let Some(group) = &parameter.stored {
        txn = txn.replace(group, &group.record);
    }
    let (_, _, subnet) = subnet_group::find(context, &settings.subnet_group).await?;
    if let Some(group) = &subnet {
        txn = txn.replace(group, &group.record);
    }
    Ok(txn)
}

/// The record of a cluster that is to be made, with ports reserved for its endpoints.
pub(crate) fn intent(
    context: &Context<'_>,
    settings: ClusterSettings,
    tags: Vec<Tag>,
) -> Result<Cluster, RdsError> {
    let endpoints = ClusterEndpoints {
        writer_port: context.reserve_port(settings.port_asked)?,
        reader_port: context.reserve_port(settings.port_asked)?,
        custom: BTreeMap::new(),
    };
    Ok(Cluster {
        resource_id: identifier::resource_id("cluster"),
        created_at: UnixMillis::now(),
        settings,
        pending: PendingClusterChanges::default(),
        order: None,
        desired: Desired::Running,
        status: ClusterStatus::Creating,
        status_detail: None,
        endpoints,
        tags,
        epoch: Epoch::FIRST,
        writer: None,
        serving: None,
        failover: None,
        unwritable: None,
        created: false,
        restore: None,
        credentials_applied: None,
        members: BTreeMap::new(),
    })
}

/// Reads and checks everything that a request for a new cluster says.
async fn settings(context: &Context<'_>) -> Result<ClusterSettings, RdsError> {
    let params = &context.params;
    let asked = params.required("Engine")?;
    let clusters = ApiEngine::find(asked).filter(|engine| engine.is_clusters());
    let engine = clusters.ok_or_else(|| {
        RdsError::InvalidValue(format!(
            "Invalid DB engine: {asked}. Clusters of this installation have: {AURORA_MYSQL}, {AURORA_POSTGRESQL}"
        ))
    })?;
    let program = engine.program();
    let engines = Engines::read(context).await?;
    let engine_version = engines.resolve(context, engine, params.text("EngineVersion"))?;
    offered::check(context)?;
    let (master_username, master_verifier) = master(params, program)?;
    let database_name = params.text("DatabaseName");
    database_name
        .map(|name| check::db_name(program, name))
        .transpose()?;
    let group_name = params
        .text("DBSubnetGroupName")
        .unwrap_or(subnet_group::DEFAULT_GROUP);
    let (subnet_group, group, _) = subnet_group::find(context, group_name).await?;
    let zones = zones(context, |text| check::zone(context, &group, text))?;
    capacity::check(context, &engine_version, None).await?;
    let default_group = format!("default.{}", family_of(engine.name(), &engine_version));
    let parameter_group = params
        .text("DBClusterParameterGroupName")
        .unwrap_or(&default_group);
    let parameter_group =
        parameter_group::for_version(context, parameter_group, engine.name(), &engine_version)
            .await?;
    let (backup_window, maintenance_window) = window::checked(
        params
            .text("PreferredBackupWindow")
            .unwrap_or(window::BACKUP_DEFAULT),
        params
            .text("PreferredMaintenanceWindow")
            .unwrap_or(window::MAINTENANCE_DEFAULT),
    )?;
    let flag = |name: &str| params.boolean(name).map(Option::unwrap_or_default);
    Ok(ClusterSettings {
        engine: engine.name().to_owned(),
        engine_version,
        master_username,
        master_verifier,
        database_name: database_name.map(str::to_owned),
        port_asked: check::port(params, "Port")?.unwrap_or(program.port_default()),
        parameter_group: parameter_group.name,
        subnet_group,
        zones,
        backup_retention_days: retention_days(context)?.unwrap_or(RETENTION_DAYS_DEFAULT),
        backup_window,
        maintenance_window,
        storage_encrypted: flag("StorageEncrypted")?,
        storage_type: params.text("StorageType").unwrap_or("aurora").to_owned(),
        copy_tags_to_snapshot: flag("CopyTagsToSnapshot")?,
        deletion_protection: flag("DeletionProtection")?,
        iam_authentication: false,
        security_groups: check::security_groups(params)?.unwrap_or_default(),
    })
}

/// `BackupRetentionPeriod`: clusters always keep backups for a day at least.
pub(crate) fn retention_days(context: &Context<'_>) -> Result<Option<u32>, RdsError> {
    let days = check::retention_days(&context.params)?;
    if days == Some(0) {
        return Err(RdsError::InvalidValue(String::from(
            "Invalid backup retention period: 0. Must be between 1 and 35.",
        )));
    }
    Ok(days)
}

/// The zones asked for; all of the region's where none are.
pub(crate) fn zones(
    context: &Context<'_>,
    check: impl Fn(&str) -> Result<ZoneName, RdsError>,
) -> Result<Vec<ZoneName>, RdsError> {
    let asked = context
        .params
        .texts("AvailabilityZones", "AvailabilityZone")
        .unwrap_or_default();
    if asked.is_empty() {
        return Ok(context.region.zones.clone());
    }
    asked.into_iter().map(check).collect()
}
