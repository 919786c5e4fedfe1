//! `ModifyDBInstance`: reads and checks what is asked; `plan` says what becomes of it.

use quorate_control::{Stored, Txn};
use quorate_wire::xml::Element;

use crate::api::context::{Context, retry};
use crate::api::engines::{Engines, POSTGRES};
use crate::api::error::RdsError;
use crate::api::instance::create::{Groups, parameter_group_for};
use crate::api::instance::fleet::Fleet;
use crate::api::instance::plan::Asked;
use crate::api::instance::{check, offered, shape};
use crate::api::{identifier, subnet_group};
use crate::aurora::model::MemberName;
use crate::catalogue::{ApiEngine, major_of, version_key};
use crate::model::{Instance, PasswordVerifier, Status};

/// `ModifyDBInstance`.
pub(crate) async fn modify(context: &Context<'_>) -> Result<Vec<Element>, RdsError> {
    let params = &context.params;
    let name = params.required("DBInstanceIdentifier")?;
    // Made once: each verifier has a salt of its own.
    let verifier = match params.text("MasterUserPassword") {
        Some(password) => {
            check::password(password)?;
            Some(PasswordVerifier::scram(password))
        }
        None => None,
    };
    let asked = asked(context)?;
    retry(|| async {
        let fleet = Fleet::read(context).await?;
        let stored = fleet.find(context, name)?.clone();
        require_modifiable(&stored)?;
        let mut asked = Asked {
            verifier: verifier.clone(),
            ..asked.clone()
        };
        let txn = refer(context, &fleet, &stored, &mut asked).await?;
        let instance = asked.plan(&stored)?;
        let txn = txn.replace(&stored, &instance);
        context.catalog().commit(txn).await?;
        let fleet = fleet.with(&stored.id, instance.clone());
        Ok(vec![shape::db_instance(
            context, &fleet, &stored.id, &instance,
        )])
    })
    .await
}

/// Instances that are full or do not start can be modified, too: that is how they are mended.
fn require_modifiable(stored: &Stored<Instance>) -> Result<(), RdsError> {
    let able = matches!(
        stored.record.status,
        Status::Available | Status::StorageFull | Status::IncompatibleParameters
    );
    if able {
        return Ok(());
    }
    Err(RdsError::InvalidInstanceState(String::from(
        "Database instance is not in available state.",
    )))
}

/// What the request asks that can be checked by itself.
fn asked(context: &Context<'_>) -> Result<Asked, RdsError> {
    let params = &context.params;
    let class = params
        .text("DBInstanceClass")
        .map(check::class)
        .transpose()?;
    if let Some(engine) = params.text("Engine") {
        check::engine(engine)?;
    }
    let exports = params.structures("CloudwatchLogsExportConfiguration.EnableLogTypes", "member");
    if !exports.is_empty() {
        return Err(RdsError::InvalidCombination(String::from(
            "CloudwatchLogsExportConfiguration is not offered for engine postgres here.",
        )));
    }
    let new_id = params
        .text("NewDBInstanceIdentifier")
        .map(|text| identifier::instance_id("NewDBInstanceIdentifier", text))
        .transpose()?;
    Ok(Asked {
        apply_immediately: params.boolean("ApplyImmediately")?.unwrap_or(false),
        class: class.map(|class| class.name),
        allocated_storage_gib: check::amount(params, "AllocatedStorage")?,
        storage_type: params.text("StorageType").map(str::to_owned),
        iops: check::iops(params)?,
        max_allocated_storage_gib: check::amount(params, "MaxAllocatedStorage")?,
        multi_az: params.boolean("MultiAZ")?,
        engine_version: params.text("EngineVersion").map(str::to_owned),
        allow_major: params.boolean("AllowMajorVersionUpgrade")?.unwrap_or(false),
        verifier: None,
        port: check::port(params, "DBPortNumber")?,
        new_id,
        parameter_group: params.text("DBParameterGroupName").map(str::to_owned),
        subnet_group: params.text("DBSubnetGroupName").map(str::to_owned),
        security_groups: check::security_groups(params)?,
        backup_retention_days: check::retention_days(params)?,
        backup_window: params.text("PreferredBackupWindow").map(str::to_owned),
        maintenance_window: params.text("PreferredMaintenanceWindow").map(str::to_owned),
        auto_minor_version_upgrade: params.boolean("AutoMinorVersionUpgrade")?,
        copy_tags_to_snapshot: params.boolean("CopyTagsToSnapshot")?,
        deletion_protection: params.boolean("DeletionProtection")?,
        publicly_accessible: params.boolean("PubliclyAccessible")?,
    })
}

/// Checks what refers to other records, replaces names by what they mean, and gives the conditions under which
/// that stays true.
async fn refer(
    context: &Context<'_>,
    fleet: &Fleet,
    stored: &Stored<Instance>,
    asked: &mut Asked,
) -> Result<Txn, RdsError> {
    let settings = &stored.record.settings;
    offered::check(context, POSTGRES, &settings.engine_version)?;
    let mut groups = Groups::default();
    if let Some(name) = &asked.parameter_group {
        let group = parameter_group_for(context, name, POSTGRES, &settings.engine_version).await?;
        asked.parameter_group = Some(group.name);
        groups.parameter = group.stored;
    }
    if let Some(name) = &asked.subnet_group {
        let (id, _, group) = subnet_group::find(context, name).await?;
        asked.subnet_group = Some(id);
        groups.subnet = group;
    }
    if asked.multi_az == Some(true) {
        let engines = Engines::read(context).await?;
        engines.check_capacity(context, &settings.engine_version, None, true)?;
    }
    if let Some(version) = &asked.engine_version {
        let current = &settings.engine_version;
        let engines = Engines::read(context).await?;
        asked.engine_version = Some(upgrade_target(
            &engines,
            current,
            version,
            asked.allow_major,
        )?);
    }
    let mut txn = groups.hold(Txn::new());
    if let Some(new_id) = asked.new_id.as_ref().filter(|id| **id != stored.id) {
        let promised = stored.record.pending.new_id.as_ref() == Some(new_id);
        if fleet.is_taken(new_id) && !promised {
            return Err(RdsError::InstanceAlreadyExists);
        }
        txn = txn
            .require_absent::<Instance>(new_id)
            .require_absent::<MemberName>(new_id);
    }
    Ok(txn)
}

/// The version to upgrade to: one that a host has, of the same major version, not older.
fn upgrade_target(
    engines: &Engines,
    current: &str,
    asked: &str,
    allow_major: bool,
) -> Result<String, RdsError> {
    if asked == current || asked == major_of(current) {
        return Ok(current.to_owned());
    }
    let major = major_of(asked) != major_of(current);
    if major && !allow_major {
        return Err(RdsError::InvalidCombination(String::from(
            "The AllowMajorVersionUpgrade flag must be present when upgrading to a new major version.",
        )));
    }
    let newer = version_key(asked) > version_key(current);
    let found = engines
        .versions(ApiEngine::Postgres)
        .any(|version| version == asked);
    if major || !newer || !found {
        return Err(RdsError::InvalidCombination(format!(
            "Cannot find upgrade target from {current} with requested version {asked}."
        )));
    }
    Ok(asked.to_owned())
}
