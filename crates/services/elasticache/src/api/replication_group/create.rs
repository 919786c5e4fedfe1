//! `CreateReplicationGroup`.

use quorate_base::ZoneName;
use quorate_control::Stored;
use quorate_wire::xml::Element;

use crate::api::cache::{Plan, ShardPlan, new_settings, restore_source, write_new, zones_of};
use crate::api::context::Context;
use crate::api::engines::{self, Engines};
use crate::api::error::ElastiCacheError;
use crate::api::replication_group::{auth, shape};
use crate::api::{check, tags};
use crate::catalogue::version_key;
use crate::model::{CacheKind, Engine, Settings, SlotRange, Snapshot};

/// Members of a shard, the primary among them.
const MEMBERS_MAX: u16 = 6;
/// Replicas of a shard.
pub(super) const REPLICAS_MAX: i64 = 5;
/// Shards of a group.
pub(super) const SHARDS_MAX: u16 = 500;
const SLOTS: u32 = 16_384;
/// The first version that cluster mode is offered with.
const CLUSTER_VERSION_MIN: &str = "7.0";

/// `CreateReplicationGroup`.
pub(crate) async fn create(context: &Context<'_>) -> Result<Vec<Element>, ElastiCacheError> {
    let params = &context.params;
    let parameter = "ReplicationGroupId";
    let id = check::cache_id(parameter, params.required(parameter)?)?;
    let description = params.required("ReplicationGroupDescription")?.to_owned();
    let tags = tags::from_params(params)?;
    let source = restore_source(context).await?;
    let base = source.as_ref().map(|snapshot| &snapshot.record.settings);
    let engine = match params.text("Engine") {
        Some(name) => engines::engine(name)?,
        None => base.map_or(Engine::Redis, |base| base.engine),
    };
    if engine == Engine::Memcached {
        return Err(ElastiCacheError::InvalidValue(String::from(
            "The engine of a replication group is redis or valkey: use CreateCacheCluster for memcached.",
        )));
    }
    let layout = Layout::read(context, source.as_ref())?;
    let mut settings = new_settings(context, engine, base, layout.cluster_mode).await?;
    require_cluster_version(&settings)?;
    settings.description = description;
    settings.shards = layout.shards;
    settings.replicas = layout.replicas;
    settings.transit_encryption = transit_encryption(context)?;
    settings.auth = auth::of_new(context, engine, settings.transit_encryption).await?;
    settings.zones.clone_from(&layout.zones);
    failover(context, &layout, &mut settings).await?;
    let plan = Plan {
        kind: CacheKind::ReplicationGroup,
        shards: layout.plan(),
        settings,
        restore_from: source.map(|snapshot| snapshot.id),
        tags,
    };
    let stored = write_new(context, &id, plan).await?;
    Ok(vec![shape::to_element(context, &stored)])
}

/// `TransitEncryptionEnabled` and `TransitEncryptionMode`.
fn transit_encryption(context: &Context<'_>) -> Result<bool, ElastiCacheError> {
    let enabled = context.flag("TransitEncryptionEnabled")?;
    match context.params.text("TransitEncryptionMode") {
        None => Ok(enabled),
        Some("required") if enabled => Ok(true),
        Some("required" | "preferred") if !enabled => Err(ElastiCacheError::InvalidCombination(
            String::from("TransitEncryptionMode needs TransitEncryptionEnabled as true."),
        )),
        Some(mode) => Err(ElastiCacheError::InvalidCombination(format!(
            "TransitEncryptionMode {mode} is not offered here: engines listen either with TLS or without. Use required."
        ))),
    }
}

/// Reads and checks automatic failover and Multi-AZ.
async fn failover(
    context: &Context<'_>,
    layout: &Layout,
    settings: &mut Settings,
) -> Result<(), ElastiCacheError> {
    let params = &context.params;
    let asked = params.boolean("AutomaticFailoverEnabled")?;
    if layout.cluster_mode && asked == Some(false) {
        return Err(ElastiCacheError::InvalidValue(String::from(
            "Redis with cluster mode enabled cannot be created with auto failover turned off.",
        )));
    }
    settings.automatic_failover = asked.unwrap_or(layout.cluster_mode);
    settings.multi_az = context.flag("MultiAZEnabled")?;
    let engines = Engines::read(context).await?;
    check_failover(settings)?;
    if settings.automatic_failover && !layout.cluster_mode {
        engines.check_sentinels(context)?;
    }
    let (engine, version) = (settings.engine, &settings.engine_version);
    engines.check_zones(context, engine, version, &layout.zones)
}

/// Checks that automatic failover and Multi-AZ have the replicas and the zones that they need.
pub(super) fn check_failover(settings: &Settings) -> Result<(), ElastiCacheError> {
    let refused = |why: &str| Err(ElastiCacheError::InvalidCombination(why.to_owned()));
    if settings.automatic_failover && settings.replicas == 0 && !settings.cluster_mode {
        return refused(
            "When using automatic failover, there must be at least 2 cache clusters in the replication group.",
        );
    }
    if settings.multi_az && !settings.automatic_failover {
        return refused("Automatic failover must be enabled to enable Multi-AZ.");
    }
    if settings.multi_az && settings.replicas == 0 {
        return refused("Multi-AZ needs at least one replica in each shard.");
    }
    let first = settings.zones.first();
    let one_zone = settings.zones.len() > 1 && settings.zones.iter().all(|z| Some(z) == first);
    if settings.multi_az && one_zone {
        return refused("Multi-AZ needs members in more than one availability zone.");
    }
    Ok(())
}

/// How many members of how many shards, and where.
struct Layout {
    cluster_mode: bool,
    shards: u16,
    replicas: u16,
    /// Zones of the members, shard by shard; empty where none were asked for.
    zones: Vec<ZoneName>,
    /// Slots of each shard, where they were asked for or a snapshot has them.
    slots: Option<Vec<Vec<SlotRange>>>,
}

impl Layout {
    fn read(
        context: &Context<'_>,
        source: Option<&Stored<Snapshot>>,
    ) -> Result<Layout, ElastiCacheError> {
        let params = &context.params;
        let shards = check::number(params, "NumNodeGroups", 1..=i64::from(SHARDS_MAX))?;
        let replicas = check::number(params, "ReplicasPerNodeGroup", 0..=REPLICAS_MAX)?;
        let members = check::number(params, "NumCacheClusters", 1..=i64::from(MEMBERS_MAX))?;
        if members.is_some() && (shards.is_some_and(|n| n > 1) || replicas.is_some()) {
            return refused(
                "Use NumCacheClusters without cluster mode, or NumNodeGroups and ReplicasPerNodeGroup.",
            );
        }
        let cluster_mode = is_cluster_mode(context, shards, source)?;
        if cluster_mode && !context.region.cluster_mode {
            return refused(
                "Cluster mode is not offered here yet: create the group with NumCacheClusters, or with NumNodeGroups 1 \
                 and a parameter group without cluster mode.",
            );
        }
        let of_snapshot = source.filter(|source| source.record.settings.cluster_mode);
        let slots = of_snapshot.map(|source| {
            let shards = source.record.shards.iter();
            shards
                .map(|(_, slots, ..)| slots.clone())
                .collect::<Vec<_>>()
        });
        let from_snapshot = slots
            .as_ref()
            .and_then(|slots| u16::try_from(slots.len()).ok());
        let mut layout = Layout {
            cluster_mode,
            shards: shards.or(from_snapshot).unwrap_or(1),
            replicas: replicas.unwrap_or_else(|| members.map_or(0, |members| members - 1)),
            zones: zones_of(context, "PreferredCacheClusterAZs", "AvailabilityZone")?,
            slots,
        };
        layout.read_configuration(context)?;
        layout.check_zones()?;
        Ok(layout)
    }

    /// `NodeGroupConfiguration`: zones and replicas, the same number in each shard.
    fn read_configuration(&mut self, context: &Context<'_>) -> Result<(), ElastiCacheError> {
        let given = context
            .params
            .structures("NodeGroupConfiguration", "NodeGroupConfiguration");
        if given.is_empty() {
            return Ok(());
        }
        if given.len() != usize::from(self.shards) {
            return refused(
                "NodeGroupConfiguration must have one entry for each of NumNodeGroups.",
            );
        }
        for (at, shard) in given.iter().enumerate() {
            if shard.text("Slots").is_some() {
                return refused(
                    "Slots in NodeGroupConfiguration is not offered here: they are spread evenly.",
                );
            }
            let replicas = check::number(shard, "ReplicaCount", 0..=REPLICAS_MAX)?;
            let replicas = replicas.unwrap_or(self.replicas);
            if at > 0 && replicas != self.replicas {
                return refused("All shards of a new group have the same number of replicas here.");
            }
            self.replicas = replicas;
            let primary = shard.text("PrimaryAvailabilityZone");
            let others = shard.texts("ReplicaAvailabilityZones", "AvailabilityZone");
            for zone in primary.into_iter().chain(others.unwrap_or_default()) {
                self.zones.push(check::zone(context, zone)?);
            }
        }
        Ok(())
    }

    fn check_zones(&self) -> Result<(), ElastiCacheError> {
        let members = usize::from(self.shards) * (usize::from(self.replicas) + 1);
        if self.zones.is_empty() || self.zones.len() == members {
            return Ok(());
        }
        refused(&format!(
            "The number of availability zones ({}) must equal the number of cache clusters ({members}).",
            self.zones.len()
        ))
    }

    fn plan(&self) -> Vec<ShardPlan> {
        let members = usize::from(self.replicas) + 1;
        let shard = |at: u16| ShardPlan {
            slots: match &self.slots {
                _ if !self.cluster_mode => Vec::new(),
                Some(slots) if slots.len() == usize::from(self.shards) => {
                    slots[usize::from(at)].clone()
                }
                _ => vec![even_slots(at, self.shards)],
            },
            zones: (0..members)
                .map(|member| self.zones.get(usize::from(at) * members + member).cloned())
                .collect(),
        };
        (0..self.shards).map(shard).collect()
    }
}

/// Whether the request means a group with cluster mode: by its parameter group, its shards, or the snapshot.
fn is_cluster_mode(
    context: &Context<'_>,
    shards: Option<u16>,
    source: Option<&Stored<Snapshot>>,
) -> Result<bool, ElastiCacheError> {
    let params = &context.params;
    let group = params.text("CacheParameterGroupName");
    let by_group = group.is_some_and(|group| group.to_ascii_lowercase().ends_with(".cluster.on"));
    let by_shards = shards.is_some_and(|shards| shards > 1);
    let by_source = source.is_some_and(|source| source.record.settings.cluster_mode);
    match params.text("ClusterMode") {
        Some("enabled") => Ok(true),
        Some("disabled") if by_shards || by_group => refused(
            "ClusterMode disabled does not go with several shards or a cluster parameter group.",
        ),
        Some("disabled") | None => Ok(by_group || by_shards || by_source),
        Some(other) => Err(ElastiCacheError::InvalidValue(format!(
            "Invalid value '{other}' for ClusterMode. Valid values here are: enabled, disabled."
        ))),
    }
}

/// Cluster mode needs what versions before 7.0 have not: a port for the bus that is chosen, and shards that keep their
/// replicas when they have no slots.
fn require_cluster_version(settings: &Settings) -> Result<(), ElastiCacheError> {
    let version = &settings.engine_version;
    if settings.cluster_mode && version_key(version) < version_key(CLUSTER_VERSION_MIN) {
        return Err(ElastiCacheError::InvalidCombination(format!(
            "Cluster mode needs version {CLUSTER_VERSION_MIN} or newer of the engine here; this would be {version}."
        )));
    }
    Ok(())
}

/// The slots of one of several shards that have as many each, but for one.
pub(super) fn even_slots(at: u16, shards: u16) -> SlotRange {
    let edge = |at: u32| u16::try_from(at * SLOTS / u32::from(shards)).unwrap_or(u16::MAX);
    SlotRange {
        first: edge(u32::from(at)),
        last: edge(u32::from(at) + 1) - 1,
    }
}

fn refused<T>(why: &str) -> Result<T, ElastiCacheError> {
    Err(ElastiCacheError::InvalidCombination(why.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_spread_without_a_gap() {
        for shards in [1, 2, 3, 7, 90, 500] {
            let mut next = 0;
            for at in 0..shards {
                let range = even_slots(at, shards);
                assert_eq!(range.first, next, "{shards}");
                assert!(range.last >= range.first);
                next = range.last + 1;
            }
            assert_eq!(next, 16_384);
        }
    }
}
