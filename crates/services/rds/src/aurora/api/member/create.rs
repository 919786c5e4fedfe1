//! `CreateDBInstance` with `DBClusterIdentifier`.

use quorate_base::UnixMillis;
use quorate_control::Stored;
use quorate_wire::query::Params;
use quorate_wire::xml::Element;

use crate::api::context::{Context, retry};
use crate::api::error::RdsError;
use crate::api::instance::create::parameter_group_for;
use crate::api::instance::{Fleet, check, offered as instance_offered, window};
use crate::api::{identifier, parameter_group, subnet_group};
use crate::aurora::api::member::offered::{self, Asking};
use crate::aurora::api::member::read;
use crate::aurora::api::{capacity, cluster};
use crate::aurora::model::{
    Cluster, ClusterMember, ClusterStatus, MemberDesired, MemberName, PendingMemberChanges,
};
use crate::aurora::records;
use crate::catalogue::{ApiEngine, family_of, matches_version};
use crate::model::{Instance, MemberState, ParametersApplied, Status};

/// A writer and fifteen readers.
const MEMBERS_MAX: usize = 16;
const PROMOTION_TIER_DEFAULT: u8 = 1;
const PROMOTION_TIER_MAX: u8 = 15;

/// Whether a request for a new instance asks for a member of a cluster.
pub(crate) fn is_for_cluster(context: &Context<'_>) -> bool {
    let params = &context.params;
    let engine = params.text("Engine").and_then(ApiEngine::find);
    params.text("DBClusterIdentifier").is_some() || engine.is_some_and(ApiEngine::is_clusters)
}

/// `CreateDBInstance` of a member.
pub(crate) async fn create(context: &Context<'_>) -> Result<Vec<Element>, RdsError> {
    let params = &context.params;
    let id = identifier::instance_id(
        "DBInstanceIdentifier",
        params.required("DBInstanceIdentifier")?,
    )?;
    let cluster_name = params.text("DBClusterIdentifier").ok_or_else(|| {
        RdsError::InvalidCombination(format!(
            "The parameter DBClusterIdentifier must be provided: a DB instance with engine {} is a member of a DB \
             cluster (CreateDBCluster makes one).",
            params.text("Engine").unwrap_or_default()
        ))
    })?;
    let first = cluster::find(context, cluster_name).await?;
    let member = intent(context, &first).await?;
    retry(|| async {
        let fleet = Fleet::read(context).await?;
        let stored = cluster::find(context, cluster_name).await?;
        check_room(&fleet, &stored, &id)?;
        let mut record = stored.record.clone();
        record.members.insert(id.clone(), member.clone());
        let name = MemberName {
            cluster: record.resource_id.clone(),
        };
        let mut txn = records::change(&stored, &record)
            .insert(&id, &name)
            .require_absent::<Instance>(&id);
        // Written again, unchanged: who deletes the group at the same moment reads again and finds the member.
        let group = parameter_group::find(context, &member.parameter_group).await?;
        if let Some(group) = &group.stored {
            txn = txn.replace(group, &group.record);
        }
        context.catalog().commit(txn).await?;
        let fleet = fleet.with_cluster(&stored.id, record);
        read::describe(context, &fleet, &stored.id, &id)
    })
    .await
}

fn check_room(fleet: &Fleet, stored: &Stored<Cluster>, id: &str) -> Result<(), RdsError> {
    if fleet.is_taken(id) {
        return Err(RdsError::InstanceAlreadyExists);
    }
    require_running(stored)?;
    if stored.record.members.len() >= MEMBERS_MAX {
        return Err(RdsError::InstanceQuotaExceeded(format!(
            "DB cluster {} has {MEMBERS_MAX} DB instances already, which is the most that it may have.",
            stored.id
        )));
    }
    Ok(())
}

/// Refuses clusters that are stopped, or on their way there or back, or away.
pub(super) fn require_running(stored: &Stored<Cluster>) -> Result<(), RdsError> {
    let status = stored.record.status;
    match status {
        ClusterStatus::Stopping
        | ClusterStatus::Stopped
        | ClusterStatus::Starting
        | ClusterStatus::Deleting => Err(RdsError::InvalidClusterState(format!(
            "DB cluster {} is not in available state: it is {status}.",
            stored.id
        ))),
        _ => Ok(()),
    }
}

/// The member that is to be made, with a port reserved for its endpoint.
async fn intent(
    context: &Context<'_>,
    cluster: &Stored<Cluster>,
) -> Result<ClusterMember, RdsError> {
    let params = &context.params;
    let tags = context.tags()?;
    check_like_cluster(params, cluster)?;
    offered::check(context, Asking::New)?;
    let settings = &cluster.record.settings;
    let (engine, version) = (&settings.engine, &settings.engine_version);
    instance_offered::check(context, engine, version)?;
    let class = check::class(params.required("DBInstanceClass")?)?;
    let (_, group, _) = subnet_group::find(context, &settings.subnet_group).await?;
    let zone = params
        .text("AvailabilityZone")
        .map(|text| check::zone(context, &group, text))
        .transpose()?;
    capacity::check(context, version, zone.as_ref()).await?;
    let default_group = format!("default.{}", family_of(engine, version));
    let group = params
        .text("DBParameterGroupName")
        .unwrap_or(&default_group);
    let group = parameter_group_for(context, group, engine, version).await?;
    let (_, maintenance_window) = window::checked(
        &settings.backup_window,
        params
            .text("PreferredMaintenanceWindow")
            .unwrap_or(&settings.maintenance_window),
    )?;
    let flag =
        |name: &str, default: bool| params.boolean(name).map(|value| value.unwrap_or(default));
    let now = UnixMillis::now();
    Ok(ClusterMember {
        resource_id: identifier::resource_id("db"),
        created_at: now,
        class: class.name,
        promotion_tier: promotion_tier(params)?.unwrap_or(PROMOTION_TIER_DEFAULT),
        zone,
        parameter_group: group.name,
        maintenance_window,
        auto_minor_version_upgrade: flag("AutoMinorVersionUpgrade", true)?,
        publicly_accessible: flag("PubliclyAccessible", false)?,
        copy_tags_to_snapshot: settings.copy_tags_to_snapshot,
        pending: PendingMemberChanges::default(),
        desired: MemberDesired::Running,
        order: None,
        status: Status::Creating,
        node: None,
        state: MemberState::Placed,
        address: None,
        following: None,
        incarnation: 0,
        since: now,
        endpoint_port: context.reserve_port(settings.port_asked)?,
        tags,
        parameters_applied: ParametersApplied::default(),
    })
}

/// Engine, version, encryption and subnet group are the cluster's: naming others is refused.
fn check_like_cluster(params: &Params<'_>, cluster: &Stored<Cluster>) -> Result<(), RdsError> {
    let settings = &cluster.record.settings;
    let refused = |why: String| Err(RdsError::InvalidCombination(why));
    let engine = params.required("Engine")?;
    if engine != settings.engine {
        return refused(format!(
            "The engine name requested for your DB instance ({engine}) doesn't match the engine name of your DB cluster \
             ({}).",
            settings.engine
        ));
    }
    let version = &settings.engine_version;
    if let Some(asked) = params.text("EngineVersion")
        && !matches_version(version, asked)
    {
        return refused(format!(
            "The engine version that you requested for your DB instance ({asked}) does not match the engine version of \
             your DB cluster ({version})."
        ));
    }
    let encrypted = settings.storage_encrypted;
    if let Some(asked) = params.boolean("StorageEncrypted")?
        && asked != encrypted
    {
        return refused(format!(
            "If you specify storageEncrypted for instance that will be part of cluster it should match cluster setting; \
             requested: {asked}, cluster: {encrypted}"
        ));
    }
    if let Some(asked) = params.text("DBSubnetGroupName")
        && !asked.eq_ignore_ascii_case(&settings.subnet_group)
    {
        return refused(format!(
            "The DB subnet group that you requested for your DB instance ({asked}) does not match the DB subnet group of \
             your DB cluster ({}).",
            settings.subnet_group
        ));
    }
    Ok(())
}

/// `PromotionTier`.
pub(super) fn promotion_tier(params: &Params<'_>) -> Result<Option<u8>, RdsError> {
    let Some(tier) = params.integer("PromotionTier")? else {
        return Ok(None);
    };
    let valid = u8::try_from(tier)
        .ok()
        .filter(|tier| *tier <= PROMOTION_TIER_MAX);
    valid.map(Some).ok_or_else(|| {
        RdsError::InvalidValue(format!(
            "Invalid promotion tier: {tier}. Must be between 0 and {PROMOTION_TIER_MAX}."
        ))
    })
}
