//! `ModifyDBCluster`.

use quorate_control::{Endpoint, Stored, Txn};
use quorate_wire::xml::Element;

use crate::api::context::{Context, retry};
use crate::api::error::RdsError;
use crate::api::identifier;
use crate::api::instance::{check, window};
use crate::aurora::api::cluster::create::{check_free, retention_days};
use crate::aurora::api::cluster::lifecycle::require_available;
use crate::aurora::api::cluster::{find, offered, shape};
use crate::aurora::api::parameter_group;
use crate::aurora::model::{Cluster, ClusterSettings, ClusterStatus};
use crate::aurora::records::{self, writer_endpoint_id};
use crate::catalogue::{Program, matches_version};

/// What a request asks that can be checked by itself.
struct Asked {
    apply_now: bool,
    password: Option<String>,
    port: Option<u16>,
    new_id: Option<String>,
    parameter_group: Option<String>,
    backup_retention_days: Option<u32>,
    backup_window: Option<String>,
    maintenance_window: Option<String>,
    storage_type: Option<String>,
    copy_tags_to_snapshot: Option<bool>,
    deletion_protection: Option<bool>,
    security_groups: Option<Vec<String>>,
}

/// `ModifyDBCluster`.
pub(crate) async fn modify(context: &Context<'_>) -> Result<Vec<Element>, RdsError> {
    let params = &context.params;
    let name = params.required("DBClusterIdentifier")?;
    let asked = asked(context)?;
    retry(|| async {
        let stored = find(context, name).await?;
        require_available(&stored)?;
        check_version(context, &stored.record.settings)?;
        let txn = refer(context, &stored, &asked).await?;
        let cluster = planned(&asked, &stored.record)?;
        let txn = records::change_in(txn, &stored, &cluster);
        context.catalog().commit(txn).await?;
        Ok(vec![shape::db_cluster(context, &stored.id, &cluster)])
    })
    .await
}

fn asked(context: &Context<'_>) -> Result<Asked, RdsError> {
    let params = &context.params;
    offered::check(context)?;
    for name in ["DBInstanceParameterGroupName", "DBSubnetGroupName"] {
        if params.text(name).is_some() {
            return Err(RdsError::InvalidCombination(format!(
                "{name} cannot be changed of a DB cluster here."
            )));
        }
    }
    let password = params.text("MasterUserPassword");
    password.map(check::password).transpose()?;
    let new_id = params
        .text("NewDBClusterIdentifier")
        .map(|text| identifier::cluster_id("NewDBClusterIdentifier", text))
        .transpose()?;
    let text = |name: &str| params.text(name).map(str::to_owned);
    Ok(Asked {
        apply_now: params.boolean("ApplyImmediately")?.unwrap_or(false),
        password: password.map(str::to_owned),
        port: check::port(params, "Port")?,
        new_id,
        parameter_group: text("DBClusterParameterGroupName"),
        backup_retention_days: retention_days(context)?,
        backup_window: text("PreferredBackupWindow"),
        maintenance_window: text("PreferredMaintenanceWindow"),
        storage_type: text("StorageType"),
        copy_tags_to_snapshot: params.boolean("CopyTagsToSnapshot")?,
        deletion_protection: params.boolean("DeletionProtection")?,
        security_groups: check::security_groups(params)?,
    })
}

/// A cluster keeps its version until upgrades are offered.
fn check_version(context: &Context<'_>, settings: &ClusterSettings) -> Result<(), RdsError> {
    let current = &settings.engine_version;
    match context.params.text("EngineVersion") {
        Some(asked) if !matches_version(current, asked) => Err(RdsError::InvalidCombination(
            format!("Cannot find upgrade target from {current} with requested version {asked}."),
        )),
        _ => Ok(()),
    }
}

/// Checks what refers to other records, and gives the conditions under which that stays true.
async fn refer(
    context: &Context<'_>,
    stored: &Stored<Cluster>,
    asked: &Asked,
) -> Result<Txn, RdsError> {
    let mut txn = Txn::new();
    let cluster = &stored.record;
    if let Some(name) = &asked.parameter_group {
        let settings = &cluster.settings;
        let (engine, version) = (&settings.engine, &settings.engine_version);
        let group = parameter_group::for_version(context, name, engine, version).await?;
        if let Some(group) = &group.stored {
            txn = txn.replace(group, &group.record);
        }
    }
    if let Some(new_id) = asked.new_id.as_ref().filter(|id| **id != stored.id) {
        if cluster.pending.new_id.as_ref() != Some(new_id) {
            check_free(context, new_id).await?;
        }
        txn = txn.require_absent::<Cluster>(new_id);
    }
    if let Some(port) = asked.port {
        let own = writer_endpoint_id(&stored.id);
        let endpoints: Vec<Stored<Endpoint>> = context.list().await?;
        let taken =
            |endpoint: &Stored<Endpoint>| endpoint.record.port == port && endpoint.id != own;
        if endpoints.iter().any(taken) {
            return Err(RdsError::InvalidValue(format!(
                "Port {port} is in use by another endpoint of this region."
            )));
        }
    }
    Ok(txn)
}

/// The cluster with what takes effect at once in its settings, and the rest waiting.
fn planned(asked: &Asked, cluster: &Cluster) -> Result<Cluster, RdsError> {
    let mut record = cluster.clone();
    let settings = &mut record.settings;
    let (backup, maintenance) = window::checked(
        asked
            .backup_window
            .as_deref()
            .unwrap_or(&settings.backup_window),
        asked
            .maintenance_window
            .as_deref()
            .unwrap_or(&settings.maintenance_window),
    )?;
    settings.backup_window = backup;
    settings.maintenance_window = maintenance;
    set(&mut settings.parameter_group, lower(&asked.parameter_group));
    set(
        &mut settings.backup_retention_days,
        asked.backup_retention_days,
    );
    set(&mut settings.storage_type, asked.storage_type.clone());
    set(
        &mut settings.copy_tags_to_snapshot,
        asked.copy_tags_to_snapshot,
    );
    set(&mut settings.deletion_protection, asked.deletion_protection);
    set(&mut settings.security_groups, asked.security_groups.clone());
    let pending = &mut record.pending;
    pending.apply_now |= asked.apply_now;
    if let Some(password) = &asked.password {
        let program = Program::of_version(&cluster.settings.engine_version);
        pending.master_verifier = Some(program.verifier(password));
    }
    if asked.new_id.is_some() {
        pending.new_id.clone_from(&asked.new_id);
    }
    if let Some(port) = asked
        .port
        .filter(|port| *port != cluster.endpoints.writer_port)
    {
        // A port never waits.
        pending.port = Some(port);
        record.status = ClusterStatus::Modifying;
    }
    if pending.is_empty() {
        pending.apply_now = false;
    } else if pending.apply_now {
        record.status = if pending.new_id.is_some() {
            ClusterStatus::Renaming
        } else if pending.master_verifier.is_some() {
            ClusterStatus::ResettingMasterCredentials
        } else {
            ClusterStatus::Modifying
        };
    }
    Ok(record)
}

fn lower(name: &Option<String>) -> Option<String> {
    name.as_ref().map(|name| name.to_ascii_lowercase())
}

fn set<T>(to: &mut T, by: Option<T>) {
    if let Some(by) = by {
        *to = by;
    }
}
