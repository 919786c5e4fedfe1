//! `DescribeCacheClusters`, `RebootCacheCluster`, `DeleteCacheCluster`.

use std::collections::BTreeMap;

use quorate_control::{Stored, Txn};
use quorate_wire::page::PageRequest;
use quorate_wire::query::QueryError;
use quorate_wire::xml::Element;

use crate::api::cache::{Caches, ClusterRef};
use crate::api::cache_cluster::shape;
use crate::api::context::{Context, retry};
use crate::api::error::{ElastiCacheError, Kind};
use crate::api::replication_group::{commit, deleted, remove_replica};
use crate::model::{Cache, CacheKind, MemberNumber, MemberState, Order, ShardNumber, Status};

/// `DescribeCacheClusters`.
pub(crate) async fn describe(context: &Context<'_>) -> Result<Vec<Element>, ElastiCacheError> {
    let page = PageRequest::read(&context.params)?;
    let with_nodes = context.flag("ShowCacheNodeInfo")?;
    let alone = context.flag("ShowCacheClustersNotInReplicationGroups")?;
    let caches = Caches::read(context).await?;
    let mut clusters: Vec<(String, ClusterRef<'_>)> = caches.clusters().collect();
    if alone {
        clusters.retain(|(_, cluster)| cluster.member.is_none());
    }
    if let Some(name) = context.params.text("CacheClusterId") {
        clusters.retain(|(id, _)| id.eq_ignore_ascii_case(name));
        if clusters.is_empty() {
            let name = name.to_owned();
            return Err(ElastiCacheError::NotFound(Kind::CacheCluster, name));
        }
    }
    let page = page.cut(clusters, |(id, _)| id.clone());
    Ok(page.into_result("CacheClusters", |(id, cluster)| {
        shape::to_element(context, &id, cluster, with_nodes)
    }))
}

/// `RebootCacheCluster`.
pub(crate) async fn reboot(context: &Context<'_>) -> Result<Vec<Element>, ElastiCacheError> {
    let given = context.texts("CacheNodeIdsToReboot", "CacheNodeId");
    let nodes = given
        .filter(|nodes| !nodes.is_empty())
        .ok_or_else(|| QueryError::Missing(String::from("CacheNodeIdsToReboot")))?;
    change(context, |name, cluster| {
        require_available(name, cluster)?;
        let mut cache = cluster.stored.record.clone();
        if cache.settings.cluster_mode {
            return Err(ElastiCacheError::InvalidState(
                Kind::CacheCluster,
                String::from(
                    "Nodes of a group with cluster mode are not rebooted: test a failover.",
                ),
            ));
        }
        for (shard, members) in nodes_named(cluster, &nodes)? {
            // Sentinels may take a primary that restarts for lost while it comes back and takes writes: another one leads first.
            cache.orders.extend(hand_over(&cache, shard, &members));
            cache.orders.push(Order::Reboot(shard, members));
        }
        cache.status = Status::Rebooting;
        Ok((Txn::new(), cache))
    })
    .await
}

/// The order that a replica is to lead, where the primary is among the members that restart and may be replaced.
fn hand_over(cache: &Cache, number: ShardNumber, restarting: &[MemberNumber]) -> Option<Order> {
    let shard = cache.topology.shards.get(&number)?;
    let primary = shard.primary.filter(|p| restarting.contains(p));
    let can = cache.settings.automatic_failover && primary.is_some();
    let mut replicas = shard.replicas();
    let next = replicas.find(|(number, member)| {
        member.state == MemberState::Running && !restarting.contains(number)
    });
    let (next, _) = next.filter(|_| can)?;
    Some(Order::MakePrimary(number, next))
}

/// `DeleteCacheCluster`.
pub(crate) async fn delete(context: &Context<'_>) -> Result<Vec<Element>, ElastiCacheError> {
    let name = context.params.required("CacheClusterId")?;
    let (stored, member) = retry(|| async {
        let caches = Caches::read(context).await?;
        let cluster = caches.cluster(name)?;
        let (txn, cache) = match cluster.member {
            None => deleted(context, Kind::CacheCluster, cluster.stored).await?,
            Some(_) if context.params.text("FinalSnapshotIdentifier").is_some() => {
                return Err(ElastiCacheError::InvalidCombination(String::from(
                    "A replica is deleted without a final snapshot: take one with CreateSnapshot.",
                )));
            }
            Some((shard, member)) => (
                Txn::new(),
                remove_replica(cluster.stored, name, shard, member)?,
            ),
        };
        let stored = commit(context, txn, cluster.stored, cache).await?;
        Ok((stored, cluster.member))
    })
    .await?;
    let cluster = ClusterRef {
        stored: &stored,
        member,
    };
    let id = name.to_ascii_lowercase();
    Ok(vec![shape::to_element(context, &id, cluster, false)])
}

/// Refuses clusters with something under way.
pub(super) fn require_available(
    name: &str,
    cluster: ClusterRef<'_>,
) -> Result<(), ElastiCacheError> {
    if cluster.stored.record.status == Status::Available {
        return Ok(());
    }
    Err(ElastiCacheError::InvalidState(
        Kind::CacheCluster,
        format!("Cache cluster {name} is not in available state."),
    ))
}

/// The members that node ids mean.
pub(super) fn nodes_named(
    cluster: ClusterRef<'_>,
    names: &[String],
) -> Result<BTreeMap<ShardNumber, Vec<MemberNumber>>, ElastiCacheError> {
    let memcached = cluster.stored.record.kind == CacheKind::Memcached;
    let members = shape::members_of(cluster);
    let mut found: BTreeMap<ShardNumber, Vec<MemberNumber>> = BTreeMap::new();
    for name in names {
        let named = |number: MemberNumber| match memcached {
            true => format!("{:04}", number.0) == *name,
            false => name == "0001",
        };
        let Some((shard, number, _)) = members.iter().find(|(_, number, _)| named(*number)) else {
            return Err(ElastiCacheError::InvalidValue(format!(
                "The cache cluster has no node {name}."
            )));
        };
        let numbers = found.entry(*shard).or_default();
        if !numbers.contains(number) {
            numbers.push(*number);
        }
    }
    Ok(found)
}

/// Reads the cluster that the request names, writes what `decide` makes of it, and describes it.
async fn change(
    context: &Context<'_>,
    decide: impl Fn(&str, ClusterRef<'_>) -> Result<(Txn, Cache), ElastiCacheError> + Sync,
) -> Result<Vec<Element>, ElastiCacheError> {
    let name = context.params.required("CacheClusterId")?;
    let (stored, member): (Stored<Cache>, _) = retry(|| async {
        let caches = Caches::read(context).await?;
        let cluster = caches.cluster(name)?;
        let (txn, cache) = decide(name, cluster)?;
        let stored = commit(context, txn, cluster.stored, cache).await?;
        Ok((stored, cluster.member))
    })
    .await?;
    let cluster = ClusterRef {
        stored: &stored,
        member,
    };
    let id = name.to_ascii_lowercase();
    Ok(vec![shape::to_element(context, &id, cluster, false)])
}
