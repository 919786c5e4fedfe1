//! `CreateDBInstance`.

use quorate_base::{Epoch, UnixMillis, ZoneName};
use quorate_control::{Endpoint, EndpointProtocol, Stored, Txn};
use quorate_wire::query::Params;
use quorate_wire::xml::Element;

use crate::api::context::{Context, retry};
use crate::api::engines::{Engines, POSTGRES};
use crate::api::error::RdsError;
use crate::api::instance::fleet::Fleet;
use crate::api::instance::storage::{Storage, StorageType};
use crate::api::instance::{check, offered, shape, window};
use crate::api::parameter_group::{self, FoundGroup};
use crate::api::{identifier, subnet_group};
use crate::aurora::model::MemberName;
use crate::catalogue::{ApiEngine, Program, family_of};
use crate::model::{
    Desired, Instance, ParameterGroup, ParametersApplied, PasswordVerifier, PendingChanges,
    Settings, Status, SubnetGroup, Tag, Topology,
};

const RETENTION_DAYS_DEFAULT: u32 = 1;

/// Groups that a new instance refers to. Their records are written again, unchanged, with the instance:
/// whoever deletes one at the same moment then reads again and finds the instance.
#[derive(Default)]
pub(super) struct Groups {
    pub(super) parameter: Option<Stored<ParameterGroup>>,
    pub(super) subnet: Option<Stored<SubnetGroup>>,
}

impl Groups {
    pub(super) fn hold(&self, mut txn: Txn) -> Txn {
        if let Some(group) = &self.parameter {
            txn = txn.replace(group, &group.record);
        }
        if let Some(group) = &self.subnet {
            txn = txn.replace(group, &group.record);
        }
        txn
    }
}

/// `CreateDBInstance`.
pub(crate) async fn create(context: &Context<'_>) -> Result<Vec<Element>, RdsError> {
    let params = &context.params;
    let id = identifier::instance_id(
        "DBInstanceIdentifier",
        params.required("DBInstanceIdentifier")?,
    )?;
    let tags = context.tags()?;
    let settings = settings(context).await?;
    if Fleet::read(context).await?.is_taken(&id) {
        return Err(RdsError::InstanceAlreadyExists);
    }
    let instance = intent(context, settings, tags, None)?;
    retry(|| async {
        let fleet = Fleet::read(context).await?;
        if fleet.is_taken(&id) {
            return Err(RdsError::InstanceAlreadyExists);
        }
        let groups = groups_of(context, &instance.settings).await?;
        insert(context, fleet, &id, &instance, groups.hold(Txn::new())).await
    })
    .await
}

/// The record of an instance that is to be made, with a port reserved for its endpoint.
pub(super) fn intent(
    context: &Context<'_>,
    settings: Settings,
    tags: Vec<Tag>,
    source: Option<String>,
) -> Result<Instance, RdsError> {
    let endpoint_port = context.reserve_port(settings.port_asked)?;
    Ok(Instance {
        resource_id: identifier::resource_id("db"),
        created_at: UnixMillis::now(),
        settings,
        pending: PendingChanges::default(),
        order: None,
        desired: Desired::Running,
        status: Status::Creating,
        status_detail: None,
        source,
        topology: Topology {
            epoch: Epoch::FIRST,
            ..Topology::default()
        },
        endpoint_port,
        tags,
        parameters_applied: ParametersApplied::default(),
        credentials_applied: None,
    })
}

/// Writes the instance with its endpoint, and describes it.
pub(super) async fn insert(
    context: &Context<'_>,
    fleet: Fleet,
    id: &str,
    instance: &Instance,
    txn: Txn,
) -> Result<Vec<Element>, RdsError> {
    let endpoint = Endpoint {
        port: instance.endpoint_port,
        targets: Vec::new(),
        epoch: Epoch::FIRST,
        protocol: EndpointProtocol::Postgres,
        cluster: None,
    };
    let txn = txn
        .insert(id, instance)
        .require_absent::<MemberName>(id)
        .insert(&format!("rds:{id}"), &endpoint);
    context.catalog().commit(txn).await?;
    let fleet = fleet.with(id, instance.clone());
    Ok(vec![shape::db_instance(context, &fleet, id, instance)])
}

/// The groups that settings name, as they are at this moment.
pub(super) async fn groups_of(
    context: &Context<'_>,
    settings: &Settings,
) -> Result<Groups, RdsError> {
    let parameter = parameter_group::find(context, &settings.parameter_group).await?;
    let (_, _, subnet) = subnet_group::find(context, &settings.subnet_group).await?;
    Ok(Groups {
        parameter: parameter.stored,
        subnet,
    })
}

/// The parameter group with this name, for an instance of this engine and version.
pub(crate) async fn parameter_group_for(
    context: &Context<'_>,
    name: &str,
    engine: &str,
    engine_version: &str,
) -> Result<FoundGroup, RdsError> {
    let group = parameter_group::find(context, name).await?;
    let family = family_of(engine, engine_version);
    if group.family != family {
        return Err(RdsError::InvalidCombination(format!(
            "The Parameter Group {} with DBParameterGroupFamily {} cannot be used for this instance. Please use a \
             Parameter Group with DBParameterGroupFamily {family}",
            group.name, group.family
        )));
    }
    Ok(group)
}

/// Reads and checks everything that a request for a new instance says.
async fn settings(context: &Context<'_>) -> Result<Settings, RdsError> {
    let params = &context.params;
    check::engine(params.required("Engine")?)?;
    let class = check::class(params.required("DBInstanceClass")?)?;
    let engines = Engines::read(context).await?;
    let engine_version =
        engines.resolve(context, ApiEngine::Postgres, params.text("EngineVersion"))?;
    offered::check(context, POSTGRES, &engine_version)?;
    let (username, verifier) = master(params, Program::Postgres)?;
    let db_name = params.text("DBName");
    db_name
        .map(|name| check::db_name(Program::Postgres, name))
        .transpose()?;
    let storage = storage(params)?;
    let place = place(context, &engines, &engine_version).await?;
    let default_group = format!("default.{}", family_of(POSTGRES, &engine_version));
    let parameter_group = params
        .text("DBParameterGroupName")
        .unwrap_or(&default_group);
    let parameter_group =
        parameter_group_for(context, parameter_group, POSTGRES, &engine_version).await?;
    let (backup_window, maintenance_window) = window::checked(
        params
            .text("PreferredBackupWindow")
            .unwrap_or(window::BACKUP_DEFAULT),
        params
            .text("PreferredMaintenanceWindow")
            .unwrap_or(window::MAINTENANCE_DEFAULT),
    )?;
    let flag =
        |name: &str, default: bool| params.boolean(name).map(|value| value.unwrap_or(default));
    Ok(Settings {
        engine: POSTGRES.to_owned(),
        engine_version,
        class: class.name,
        allocated_storage_gib: storage.size_gib,
        storage_type: storage.kind.as_str().to_owned(),
        iops: storage.iops,
        max_allocated_storage_gib: storage.size_max_gib,
        storage_encrypted: flag("StorageEncrypted", false)?,
        multi_az: place.multi_az,
        zone: place.zone,
        db_name: db_name.map(str::to_owned),
        master_username: username,
        master_verifier: verifier,
        parameter_group: parameter_group.name,
        subnet_group: place.subnet_group,
        port_asked: check::port(params, "Port")?.unwrap_or(Program::Postgres.port_default()),
        backup_retention_days: check::retention_days(params)?.unwrap_or(RETENTION_DAYS_DEFAULT),
        backup_window,
        maintenance_window,
        auto_minor_version_upgrade: flag("AutoMinorVersionUpgrade", true)?,
        copy_tags_to_snapshot: flag("CopyTagsToSnapshot", false)?,
        deletion_protection: flag("DeletionProtection", false)?,
        publicly_accessible: flag("PubliclyAccessible", false)?,
        iam_authentication: false,
        security_groups: check::security_groups(params)?.unwrap_or_default(),
    })
}

/// Where a new instance may stand.
struct Place {
    subnet_group: String,
    multi_az: bool,
    zone: Option<ZoneName>,
}

/// Checks that the zones, the subnet group and the hosts go together.
async fn place(
    context: &Context<'_>,
    engines: &Engines,
    engine_version: &str,
) -> Result<Place, RdsError> {
    let params = &context.params;
    let group_name = params
        .text("DBSubnetGroupName")
        .unwrap_or(subnet_group::DEFAULT_GROUP);
    let (subnet_group, group, _) = subnet_group::find(context, group_name).await?;
    let multi_az = params.boolean("MultiAZ")?.unwrap_or(false);
    let zone = params
        .text("AvailabilityZone")
        .map(|text| check::zone(context, &group, text))
        .transpose()?;
    if multi_az && zone.is_some() {
        return Err(RdsError::InvalidCombination(String::from(
            "Requesting a specific availability zone is not valid for Multi-AZ instances.",
        )));
    }
    engines.check_capacity(context, engine_version, zone.as_ref(), multi_az)?;
    Ok(Place {
        subnet_group,
        multi_az,
        zone,
    })
}

/// Name and password of the master user.
pub(crate) fn master(
    params: &Params<'_>,
    program: Program,
) -> Result<(String, PasswordVerifier), RdsError> {
    let username = given(params, "MasterUsername")?;
    check::master_username(program, username)?;
    let password = given(params, "MasterUserPassword")?;
    check::password(password)?;
    Ok((username.to_owned(), program.verifier(password)))
}

fn storage(params: &Params<'_>) -> Result<Storage, RdsError> {
    let iops = check::iops(params)?;
    let kind = match params.text("StorageType") {
        Some(text) => StorageType::parse(text)?,
        None if iops.is_some() => StorageType::Io1,
        None => StorageType::Gp2,
    };
    given(params, "AllocatedStorage")?;
    let storage = Storage {
        kind,
        size_gib: check::amount(params, "AllocatedStorage")?.unwrap_or_default(),
        iops,
        size_max_gib: check::amount(params, "MaxAllocatedStorage")?,
    };
    storage.checked()
}

/// A parameter that the service model calls optional and that this engine needs.
fn given<'a>(params: &Params<'a>, name: &str) -> Result<&'a str, RdsError> {
    params.text(name).ok_or_else(|| {
        RdsError::InvalidValue(format!(
            "The parameter {name} must be provided and must not be blank."
        ))
    })
}
