//! `ModifyCacheCluster`.

use std::collections::BTreeMap;

use quorate_base::{Epoch, UnixMillis, ZoneName};
use quorate_control::{Endpoint, EndpointProtocol, Stored, Txn};
use quorate_wire::xml::Element;

use crate::api::cache::{
    Caches, ClusterRef, change_settings, change_waiting, finish, hold_parameter_group, reserve,
    zones_of,
};
use crate::api::cache_cluster::create::NODES_MAX;
use crate::api::cache_cluster::lifecycle::{nodes_named, require_available};
use crate::api::cache_cluster::shape;
use crate::api::check;
use crate::api::context::{Context, retry};
use crate::api::error::ElastiCacheError;
use crate::api::replication_group::commit;
use crate::decide::endpoints::member_endpoint_id;
use crate::model::{Cache, CacheKind, Member, MemberNumber, Order, PendingNodes, ShardNumber};

/// The one shard of a Memcached cluster.
const SHARD: ShardNumber = ShardNumber(1);

/// `ModifyCacheCluster`.
pub(crate) async fn modify(context: &Context<'_>) -> Result<Vec<Element>, ElastiCacheError> {
    let name = context.params.required("CacheClusterId")?;
    let stored = retry(|| async {
        let caches = Caches::read(context).await?;
        let cluster = caches.cluster(name)?;
        if cluster.member.is_some() {
            return Err(ElastiCacheError::InvalidCombination(format!(
                "Cache cluster {name} is a member of replication group {}: use ModifyReplicationGroup.",
                cluster.stored.id
            )));
        }
        require_available(name, cluster)?;
        let mut cache = cluster.stored.record.clone();
        change_settings(context, &mut cache)?;
        let group = change_waiting(context, &mut cache).await?;
        let txn = hold_parameter_group(group.as_ref());
        let txn = change_nodes(context, cluster, &mut cache, txn)?;
        finish(context, &mut cache)?;
        commit(context, txn, cluster.stored, cache).await
    })
    .await?;
    let cluster = ClusterRef {
        stored: &stored,
        member: None,
    };
    Ok(vec![shape::to_element(context, &stored.id, cluster, false)])
}

/// `NumCacheNodes`: nodes come and go at once, or wait for the window with ports of their own. Asking for the nodes that are
/// there takes a waiting change back.
fn change_nodes(
    context: &Context<'_>,
    cluster: ClusterRef<'_>,
    cache: &mut Cache,
    mut txn: Txn,
) -> Result<Txn, ElastiCacheError> {
    let params = &context.params;
    let refused = |why: String| Err(ElastiCacheError::InvalidCombination(why));
    let remove = context
        .texts("CacheNodeIdsToRemove", "CacheNodeId")
        .unwrap_or_default();
    let Some(wanted) = check::number(params, "NumCacheNodes", 1..=NODES_MAX)? else {
        if !remove.is_empty() {
            return refused(String::from("CacheNodeIdsToRemove needs NumCacheNodes."));
        }
        return Ok(txn);
    };
    let has = shape::members_of(cluster).len();
    let wanted = usize::from(wanted);
    if cache.kind != CacheKind::Memcached {
        if wanted != 1 {
            return refused(String::from(
                "NumCacheNodes should be 1 if engine is not memcached: create a replication group for replicas.",
            ));
        }
        return Ok(txn);
    }
    if wanted + remove.len() != has && (wanted < has || !remove.is_empty()) {
        return refused(format!(
            "The cluster has {has} node(s): to have {wanted}, CacheNodeIdsToRemove must name {} node(s), and it names {}.",
            has.saturating_sub(wanted),
            remove.len()
        ));
    }
    if let Some(waiting) = cache.pending.nodes.take() {
        for number in waiting.add.keys() {
            txn = txn.discard::<Endpoint>(&member_endpoint_id(&cluster.stored.id, SHARD, *number));
        }
    }
    let going = nodes_named(cluster, &remove)?
        .remove(&SHARD)
        .unwrap_or_default();
    let zones = zones_of(context, "NewAvailabilityZones", "PreferredAvailabilityZone")?;
    let (add, txn) = coming(
        context,
        cluster.stored,
        cache,
        wanted.saturating_sub(has),
        &zones,
        txn,
    )?;
    if add.is_empty() && going.is_empty() {
        return Ok(txn);
    }
    if !context.flag("ApplyImmediately")? {
        cache.pending.nodes = Some(PendingNodes { add, remove: going });
        return Ok(txn);
    }
    cache.settings.replicas = u16::try_from(wanted - 1).unwrap_or(0);
    cache.status = crate::model::Status::Modifying;
    if !going.is_empty() {
        cache.orders.push(Order::Remove(SHARD, going));
    }
    let shard = cache.topology.shards.entry(SHARD).or_default();
    shard.members.extend(add);
    Ok(txn)
}

/// Nodes that come, each with a port, and their endpoints in the transaction.
fn coming(
    context: &Context<'_>,
    stored: &Stored<Cache>,
    cache: &mut Cache,
    count: usize,
    zones: &[ZoneName],
    mut txn: Txn,
) -> Result<(BTreeMap<MemberNumber, Member>, Txn), ElastiCacheError> {
    if !zones.is_empty() && zones.len() != count {
        return Err(ElastiCacheError::InvalidCombination(format!(
            "NewAvailabilityZones must have one zone for each of the {count} new node(s)."
        )));
    }
    let mut add = BTreeMap::new();
    for at in 0..count {
        let port = reserve(context, cache.settings.port_asked)?;
        let shard = cache.topology.shards.entry(SHARD).or_default();
        shard.last_member += 1;
        let number = MemberNumber(shard.last_member);
        let endpoint = Endpoint {
            port,
            targets: Vec::new(),
            epoch: Epoch::FIRST,
            protocol: EndpointProtocol::Opaque,
            cluster: None,
        };
        txn = txn.insert(&member_endpoint_id(&stored.id, SHARD, number), &endpoint);
        let member = Member::asked(port, zones.get(at).cloned(), UnixMillis::now());
        add.insert(number, member);
    }
    Ok((add, txn))
}
