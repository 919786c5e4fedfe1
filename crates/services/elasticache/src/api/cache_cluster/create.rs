//! `CreateCacheCluster`.

use quorate_base::ZoneName;
use quorate_wire::xml::Element;

use crate::api::cache::{
    Caches, ClusterRef, Plan, ShardPlan, new_settings, restore_source, write_new, zones_of,
};
use crate::api::cache_cluster::shape;
use crate::api::context::Context;
use crate::api::engines::{self, Engines};
use crate::api::error::ElastiCacheError;
use crate::api::replication_group::add_replica;
use crate::api::{check, tags};
use crate::model::{CacheKind, Engine};

/// Nodes of a Memcached cluster.
pub(super) const NODES_MAX: i64 = 40;

/// `CreateCacheCluster`.
pub(crate) async fn create(context: &Context<'_>) -> Result<Vec<Element>, ElastiCacheError> {
    let params = &context.params;
    let id = check::cache_id("CacheClusterId", params.required("CacheClusterId")?)?;
    if let Some(group) = params.text("ReplicationGroupId") {
        return create_replica(context, &id, group).await;
    }
    let tags = tags::from_params(params)?;
    let source = restore_source(context).await?;
    let base = source.as_ref().map(|snapshot| &snapshot.record.settings);
    let engine = match (params.text("Engine"), base) {
        (Some(name), _) => engines::engine(name)?,
        (None, Some(base)) => base.engine,
        (None, None) => {
            return Err(ElastiCacheError::InvalidValue(String::from(
                "The parameter Engine must be provided and must not be blank.",
            )));
        }
    };
    let nodes = nodes(context, engine)?;
    let zones = zones(context, nodes)?;
    refuse_encryption(context)?;
    if source.is_some() && engine == Engine::Memcached {
        return Err(ElastiCacheError::SnapshotNotSupported);
    }
    let mut settings = new_settings(context, engine, base, false).await?;
    if engine == Engine::Memcached && settings.snapshot_retention_days > 0 {
        return Err(ElastiCacheError::SnapshotNotSupported);
    }
    settings.replicas = nodes - 1;
    settings.zones.clone_from(&zones);
    let version = &settings.engine_version;
    let engines = Engines::read(context).await?;
    engines.check_zones(context, engine, version, &zones)?;
    let plan = Plan {
        kind: match engine {
            Engine::Memcached => CacheKind::Memcached,
            Engine::Redis | Engine::Valkey => CacheKind::LoneNode,
        },
        settings,
        shards: vec![ShardPlan {
            slots: Vec::new(),
            zones: (0..usize::from(nodes))
                .map(|at| zones.get(at).cloned())
                .collect(),
        }],
        restore_from: source.map(|snapshot| snapshot.id),
        tags,
    };
    let stored = write_new(context, &id, plan).await?;
    let cluster = ClusterRef {
        stored: &stored,
        member: None,
    };
    Ok(vec![shape::to_element(context, &id, cluster, false)])
}

async fn create_replica(
    context: &Context<'_>,
    id: &str,
    group: &str,
) -> Result<Vec<Element>, ElastiCacheError> {
    let params = &context.params;
    if params
        .integer("NumCacheNodes")?
        .is_some_and(|nodes| nodes != 1)
    {
        return Err(ElastiCacheError::InvalidCombination(String::from(
            "A cache cluster in a replication group has one node.",
        )));
    }
    let zone = params.text("PreferredAvailabilityZone");
    let zone = zone.map(|zone| check::zone(context, zone)).transpose()?;
    add_replica(context, group, id, zone).await?;
    let caches = Caches::read(context).await?;
    let cluster = caches.cluster(id)?;
    Ok(vec![shape::to_element(context, id, cluster, false)])
}

fn nodes(context: &Context<'_>, engine: Engine) -> Result<u16, ElastiCacheError> {
    let asked = context.params.integer("NumCacheNodes")?.unwrap_or(1);
    if engine != Engine::Memcached && asked != 1 {
        return Err(ElastiCacheError::InvalidValue(format!(
            "NumCacheNodes should be 1 if engine is {engine}: create a replication group for replicas."
        )));
    }
    if asked > NODES_MAX {
        return Err(ElastiCacheError::NodeQuota(format!(
            "A Memcached cluster has at most {NODES_MAX} nodes."
        )));
    }
    let nodes = check::number(&context.params, "NumCacheNodes", 1..=NODES_MAX)?;
    Ok(nodes.unwrap_or(1))
}

/// Zones of the nodes: all in one, one for each, or none asked for.
fn zones(context: &Context<'_>, nodes: u16) -> Result<Vec<ZoneName>, ElastiCacheError> {
    let params = &context.params;
    let refused = |why: String| Err(ElastiCacheError::InvalidCombination(why));
    let each = zones_of(
        context,
        "PreferredAvailabilityZones",
        "PreferredAvailabilityZone",
    )?;
    let one = params.text("PreferredAvailabilityZone");
    let one = one.map(|zone| check::zone(context, zone)).transpose()?;
    if one.is_some() && !each.is_empty() {
        return refused(String::from(
            "Give either PreferredAvailabilityZone or PreferredAvailabilityZones.",
        ));
    }
    if !each.is_empty() && each.len() != usize::from(nodes) {
        return refused(format!(
            "The number of PreferredAvailabilityZones ({}) must equal NumCacheNodes ({nodes}).",
            each.len()
        ));
    }
    match params.text("AZMode") {
        None | Some("single-az") => {}
        Some("cross-az") if nodes > 1 && one.is_none() => {}
        Some("cross-az") => {
            return refused(String::from(
                "AZMode cross-az needs more than one node, and no single PreferredAvailabilityZone.",
            ));
        }
        Some(other) => {
            return Err(ElastiCacheError::InvalidValue(format!(
                "Invalid value '{other}' for AZMode. Valid values are: single-az, cross-az."
            )));
        }
    }
    Ok(match one {
        Some(zone) => vec![zone; usize::from(nodes)],
        None => each,
    })
}

fn refuse_encryption(context: &Context<'_>) -> Result<(), ElastiCacheError> {
    let token = context.params.text("AuthToken").is_some();
    if token || context.flag("TransitEncryptionEnabled")? {
        return Err(ElastiCacheError::InvalidCombination(String::from(
            "A cache cluster outside a replication group has neither encryption in transit nor an AUTH token here: use \
             CreateReplicationGroup.",
        )));
    }
    Ok(())
}
