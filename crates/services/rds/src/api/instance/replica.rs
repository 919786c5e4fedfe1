//! `CreateDBInstanceReadReplica`.

use quorate_base::Arn;
use quorate_control::{Stored, Txn};
use quorate_wire::query::QueryError;
use quorate_wire::xml::Element;

use crate::api::context::{Context, retry};
use crate::api::engines::{Engines, POSTGRES};
use crate::api::error::RdsError;
use crate::api::instance::create::{groups_of, insert, intent, parameter_group_for};
use crate::api::instance::fleet::{Fleet, conflict};
use crate::api::instance::lifecycle::require_available;
use crate::api::instance::storage::{Storage, StorageType};
use crate::api::instance::{check, offered};
use crate::api::{identifier, subnet_group};
use crate::catalogue::{Program, major_of, version_key};
use crate::model::{Instance, Settings};

/// How many replicas one source may have.
const REPLICAS_MAX: usize = 15;
/// How many replicas may stand in one line under a source that is none.
const DEPTH_MAX: usize = 3;
/// The first version whose replicas may have replicas.
const CASCADE_SINCE: [u64; 2] = [14, 1];

/// `CreateDBInstanceReadReplica`.
pub(crate) async fn create(context: &Context<'_>) -> Result<Vec<Element>, RdsError> {
    let params = &context.params;
    let id = identifier::instance_id(
        "DBInstanceIdentifier",
        params.required("DBInstanceIdentifier")?,
    )?;
    let tags = context.tags()?;
    let source_name = source_name(context)?;
    let first = Fleet::read(context).await?;
    let source = first.find(context, source_name)?;
    check_source(&first, source)?;
    let settings = settings(context, source).await?;
    if first.is_taken(&id) {
        return Err(RdsError::InstanceAlreadyExists);
    }
    let instance = intent(context, settings, tags, Some(source.id.clone()))?;
    retry(|| async {
        let fleet = Fleet::read(context).await?;
        if fleet.is_taken(&id) {
            return Err(RdsError::InstanceAlreadyExists);
        }
        let source = fleet.find(context, source_name)?.clone();
        check_source(&fleet, &source)?;
        if instance.source.as_ref() != Some(&source.id) {
            return Err(conflict::<Instance>(&source.id));
        }
        let groups = groups_of(context, &instance.settings).await?;
        // The source is written again, unchanged: two replicas made at once then count each other.
        let txn = groups.hold(Txn::new()).replace(&source, &source.record);
        insert(context, fleet, &id, &instance, txn).await
    })
    .await
}

/// The source's name as given; sources in other regions are refused.
fn source_name<'a>(context: &Context<'a>) -> Result<&'a str, RdsError> {
    let name = context
        .params
        .text("SourceDBInstanceIdentifier")
        .ok_or_else(|| QueryError::Missing(String::from("SourceDBInstanceIdentifier")))?;
    if let Ok(arn) = name.parse::<Arn>()
        && arn.region != context.region.name
    {
        return Err(RdsError::InvalidValue(format!(
            "Read replicas in another region than their source are not offered yet: {name} is in {}.",
            arn.region
        )));
    }
    Ok(name)
}

fn check_source(fleet: &Fleet, source: &Stored<Instance>) -> Result<(), RdsError> {
    let refused = |why: String| Err(RdsError::InvalidInstanceState(why));
    require_available(source)?;
    let settings = &source.record.settings;
    if settings.backup_retention_days == 0 {
        return refused(String::from(
            "Automated backups are not enabled for this database instance. To enable automated backups, use \
             ModifyDBInstance to set the backup retention period to a non-zero value.",
        ));
    }
    let depth = fleet.depth_of(&source.id) + 1;
    if depth > 1 && version_key(&settings.engine_version) < CASCADE_SINCE.to_vec() {
        return refused(format!(
            "Read replicas of a read replica need PostgreSQL 14.1 or later; {} runs {}.",
            source.id, settings.engine_version
        ));
    }
    if depth > DEPTH_MAX {
        return refused(format!(
            "DB instance {} is read replica {} in its line already: at most {DEPTH_MAX} may follow one another.",
            source.id,
            depth - 1
        ));
    }
    if fleet.replicas_of(&source.id).count() >= REPLICAS_MAX {
        return Err(RdsError::InstanceQuotaExceeded(format!(
            "DB instance {} has {REPLICAS_MAX} read replicas already, which is the most that it may have.",
            source.id
        )));
    }
    Ok(())
}

/// The source's settings with what the request overrides.
async fn settings(context: &Context<'_>, source: &Stored<Instance>) -> Result<Settings, RdsError> {
    let params = &context.params;
    let mut settings = source.record.settings.clone();
    offered::check(context, POSTGRES, &settings.engine_version)?;
    if params.boolean("MultiAZ")? == Some(true) {
        return Err(RdsError::InvalidCombination(String::from(
            "Multi-AZ read replicas are not offered yet: create the replica without MultiAZ.",
        )));
    }
    settings.multi_az = false;
    if let Some(name) = params.text("DBInstanceClass") {
        settings.class = check::class(name)?.name;
    }
    if let Some(name) = params.text("DBParameterGroupName") {
        let group = parameter_group_for(context, name, POSTGRES, &settings.engine_version).await?;
        settings.parameter_group = group.name;
    }
    let group_name = params
        .text("DBSubnetGroupName")
        .unwrap_or(&settings.subnet_group);
    let (subnet_group, group, _) = subnet_group::find(context, group_name).await?;
    settings.subnet_group = subnet_group;
    settings.zone = params
        .text("AvailabilityZone")
        .map(|text| check::zone(context, &group, text))
        .transpose()?;
    let engines = Engines::read(context).await?;
    engines.check_capacity(
        context,
        &settings.engine_version,
        settings.zone.as_ref(),
        false,
    )?;
    override_storage(context, &mut settings)?;
    settings.port_asked = check::port(params, "Port")?.unwrap_or(Program::Postgres.port_default());
    // As in AWS, replicas begin without backups, without protection and without copied tags.
    settings.backup_retention_days = 0;
    settings.deletion_protection = params.boolean("DeletionProtection")?.unwrap_or(false);
    settings.copy_tags_to_snapshot = params.boolean("CopyTagsToSnapshot")?.unwrap_or(false);
    if let Some(upgrade) = params.boolean("AutoMinorVersionUpgrade")? {
        settings.auto_minor_version_upgrade = upgrade;
    }
    if let Some(public) = params.boolean("PubliclyAccessible")? {
        settings.publicly_accessible = public;
    }
    if let Some(groups) = check::security_groups(params)? {
        settings.security_groups = groups;
    }
    if params.text("ReplicaMode").is_some() {
        return Err(RdsError::InvalidCombination(format!(
            "ReplicaMode is not offered for engine postgres {}.",
            major_of(&settings.engine_version)
        )));
    }
    Ok(settings)
}

fn override_storage(context: &Context<'_>, settings: &mut Settings) -> Result<(), RdsError> {
    let params = &context.params;
    let asked = params.text("StorageType");
    let iops = check::iops(params)?;
    let kept_iops = settings.iops.filter(|_| asked.is_none());
    let storage = Storage {
        kind: StorageType::parse(asked.unwrap_or(&settings.storage_type))?,
        size_gib: check::amount(params, "AllocatedStorage")?
            .unwrap_or(settings.allocated_storage_gib),
        iops: iops.or(kept_iops),
        size_max_gib: check::amount(params, "MaxAllocatedStorage")?
            .or(settings.max_allocated_storage_gib),
    };
    if storage.size_gib < settings.allocated_storage_gib {
        return Err(RdsError::InvalidCombination(format!(
            "The read replica's storage of {} GiB is smaller than its source's of {} GiB.",
            storage.size_gib, settings.allocated_storage_gib
        )));
    }
    let storage = storage.checked()?;
    settings.allocated_storage_gib = storage.size_gib;
    storage.kind.as_str().clone_into(&mut settings.storage_type);
    settings.iops = storage.iops;
    settings.max_allocated_storage_gib = storage.size_max_gib;
    Ok(())
}
