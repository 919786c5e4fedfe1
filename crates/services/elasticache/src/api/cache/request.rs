//! What every request for a new cache says.

use quorate_base::ZoneName;
use quorate_control::Stored;

use crate::api::context::Context;
use crate::api::engines::Engines;
use crate::api::error::{ElastiCacheError, Kind};
use crate::api::parameter_group::{self, FoundGroup};
use crate::api::{check, subnet_group};
use crate::catalogue::{default_group, family_of};
use crate::model::{Auth, Engine, Settings, Snapshot, SnapshotStatus};

/// Ports of AWS's defaults.
const REDIS_PORT: u16 = 6379;
const MEMCACHED_PORT: u16 = 11_211;

/// Parameters of AWS's that nothing here stands behind: a request that gives one is refused rather than half obeyed.
const NOT_OFFERED: [&str; 6] = [
    "GlobalReplicationGroupId",
    "PrimaryClusterId",
    "ServerlessCacheSnapshotName",
    "OutpostMode",
    "PreferredOutpostArn",
    "DataTieringEnabled",
];

/// The snapshot that a new cache begins with, if the request names one.
pub(crate) async fn restore_source(
    context: &Context<'_>,
) -> Result<Option<Stored<Snapshot>>, ElastiCacheError> {
    if context.texts("SnapshotArns", "SnapshotArn").is_some() {
        return Err(ElastiCacheError::InvalidCombination(String::from(
            "SnapshotArns is not offered here: name a snapshot of this region in SnapshotName.",
        )));
    }
    let Some(name) = context.params.text("SnapshotName") else {
        return Ok(None);
    };
    let read = context.read::<Snapshot>(&name.to_ascii_lowercase()).await?;
    let snapshot =
        read.ok_or_else(|| ElastiCacheError::NotFound(Kind::Snapshot, name.to_owned()))?;
    if snapshot.record.status != SnapshotStatus::Available {
        return Err(ElastiCacheError::InvalidState(
            Kind::Snapshot,
            format!("Snapshot {} is not in available state.", snapshot.id),
        ));
    }
    Ok(Some(snapshot))
}

/// The settings of a new cache of one node, checked; what the request leaves out is taken from `base`.
pub(crate) async fn new_settings(
    context: &Context<'_>,
    engine: Engine,
    base: Option<&Settings>,
    cluster_mode: bool,
) -> Result<Settings, ElastiCacheError> {
    refuse_not_offered(context)?;
    let params = &context.params;
    let node_type = params
        .text("CacheNodeType")
        .or(base.map(|base| base.node_type.as_str()))
        .ok_or_else(|| {
            ElastiCacheError::InvalidValue(String::from(
                "The parameter CacheNodeType must be provided and must not be blank.",
            ))
        })?;
    let node_type = check::node_type(node_type)?;
    let engines = Engines::read(context).await?;
    let engine_version = engines.resolve(context, engine, params.text("EngineVersion"))?;
    let parameter_group = group_for(context, engine, &engine_version, cluster_mode).await?;
    let subnets = params
        .text("CacheSubnetGroupName")
        .unwrap_or(subnet_group::DEFAULT_GROUP);
    let (subnet_group, _) = subnet_group::find(context, subnets).await?;
    let (snapshot_window, maintenance_window) = check::windows(
        params
            .text("SnapshotWindow")
            .unwrap_or(check::SNAPSHOT_WINDOW),
        params
            .text("PreferredMaintenanceWindow")
            .unwrap_or(check::MAINTENANCE_WINDOW),
    )?;
    let port = match engine {
        Engine::Redis | Engine::Valkey => REDIS_PORT,
        Engine::Memcached => MEMCACHED_PORT,
    };
    let text = |name: &str| params.text(name).map(str::to_owned);
    Ok(Settings {
        description: String::new(),
        engine,
        engine_version,
        node_type: node_type.name.to_owned(),
        cluster_mode,
        shards: 1,
        replicas: 0,
        automatic_failover: false,
        multi_az: false,
        zones: Vec::new(),
        port_asked: check::port(params)?.unwrap_or(port),
        auth: Auth::None,
        transit_encryption: false,
        at_rest_encryption: context.flag("AtRestEncryptionEnabled")?,
        kms_key: text("KmsKeyId"),
        parameter_group: parameter_group.name,
        subnet_group,
        security_groups: context
            .texts("SecurityGroupIds", "SecurityGroupId")
            .unwrap_or_default(),
        snapshot_retention_days: check::retention_days(params)?.unwrap_or(0),
        snapshot_window,
        maintenance_window,
        auto_minor_version_upgrade: params.boolean("AutoMinorVersionUpgrade")?.unwrap_or(true),
        notification_topic_arn: text("NotificationTopicArn"),
    })
}

/// The parameter group that the request names, or the default one, for an engine's version.
async fn group_for(
    context: &Context<'_>,
    engine: Engine,
    version: &str,
    cluster_mode: bool,
) -> Result<FoundGroup, ElastiCacheError> {
    let family = family_of(engine, version).ok_or_else(|| {
        ElastiCacheError::InvalidCombination(format!(
            "{engine} {version} is too old to be offered: no parameter group family is known for it."
        ))
    })?;
    let default = default_group(&family, cluster_mode);
    let name = context.params.text("CacheParameterGroupName");
    let group = parameter_group::find(context, name.unwrap_or(&default)).await?;
    require_family(&group, &family, engine, version)?;
    let for_cluster = group.name.ends_with(".cluster.on");
    if group.stored.is_none() && for_cluster != cluster_mode {
        return Err(ElastiCacheError::InvalidCombination(format!(
            "The parameter group {} is for caches {} cluster mode.",
            group.name,
            if for_cluster { "with" } else { "without" }
        )));
    }
    Ok(group)
}

/// Refuses a parameter group of another family.
pub(super) fn require_family(
    group: &FoundGroup,
    family: &str,
    engine: Engine,
    version: &str,
) -> Result<(), ElastiCacheError> {
    if group.family == family {
        return Ok(());
    }
    Err(ElastiCacheError::InvalidCombination(format!(
        "Expected a parameter group of family {family} but found one of family {}: {} {version} cannot use {}.",
        group.family, engine, group.name
    )))
}

fn refuse_not_offered(context: &Context<'_>) -> Result<(), ElastiCacheError> {
    let params = &context.params;
    let given = |name: &&&str| {
        let text = params.text(name);
        text.is_some_and(|text| text != "false")
    };
    let logs = params.structures(
        "LogDeliveryConfigurations",
        "LogDeliveryConfigurationRequest",
    );
    let name = match NOT_OFFERED.iter().find(given) {
        Some(name) => Some(*name),
        None if !logs.is_empty() => Some("LogDeliveryConfigurations"),
        None => None,
    };
    if let Some(name) = name {
        return Err(ElastiCacheError::InvalidCombination(format!(
            "{name} is not offered here: leave it out."
        )));
    }
    for (name, only) in [("NetworkType", "ipv4"), ("IpDiscovery", "ipv4")] {
        if params.text(name).is_some_and(|asked| asked != only) {
            return Err(ElastiCacheError::InvalidCombination(format!(
                "{name} can be {only} alone: endpoints have IPv4 addresses."
            )));
        }
    }
    Ok(())
}

/// The zones of a list in the request; none where it is not given.
pub(crate) fn zones_of(
    context: &Context<'_>,
    name: &str,
    item: &str,
) -> Result<Vec<ZoneName>, ElastiCacheError> {
    let given = context.texts(name, item).unwrap_or_default();
    let zones = given.iter().map(|zone| check::zone(context, zone));
    zones.collect()
}
