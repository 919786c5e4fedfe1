//! `IncreaseReplicaCount`, `DecreaseReplicaCount`, and cache clusters that are made into a group or deleted from it.

use std::collections::BTreeMap;

use quorate_base::{Epoch, UnixMillis, ZoneName};
use quorate_control::{Endpoint, EndpointProtocol, Stored, Txn};
use quorate_wire::xml::Element;

use crate::api::cache::{Caches, ClusterRef, reserve};
use crate::api::check;
use crate::api::context::{Context, retry};
use crate::api::error::{ElastiCacheError, Kind};
use crate::api::replication_group::create::{REPLICAS_MAX, check_failover};
use crate::api::replication_group::lifecycle::{commit, require_available, shard_number};
use crate::api::replication_group::shape;
use crate::decide::endpoints::member_endpoint_id;
use crate::model::{Cache, Member, MemberNumber, Order, ShardNumber, Status};

/// What each shard is to have: replicas, and zones for those that come.
type Wanted = BTreeMap<ShardNumber, (u16, Vec<ZoneName>)>;

/// `IncreaseReplicaCount`.
pub(crate) async fn increase_replicas(
    context: &Context<'_>,
) -> Result<Vec<Element>, ElastiCacheError> {
    let name = context.params.required("ReplicationGroupId")?;
    require_immediate(context)?;
    let stored = retry(|| async {
        let caches = Caches::read(context).await?;
        let stored = caches.group(name)?;
        require_available(stored)?;
        let mut cache = stored.record.clone();
        let mut txn = Txn::new();
        for (shard, (wanted, zones)) in wanted(context, &cache)? {
            let has = replicas_of(&cache, shard);
            if wanted <= has {
                return Err(no_change("more", shard, has, wanted));
            }
            if !zones.is_empty() && zones.len() != usize::from(wanted - has) {
                return Err(ElastiCacheError::InvalidCombination(format!(
                    "PreferredAvailabilityZones must have one zone for each of the {} new replica(s).",
                    wanted - has
                )));
            }
            for at in 0..usize::from(wanted - has) {
                let zone = zones.get(at).cloned();
                txn = add_member(context, &stored.id, &mut cache, shard, zone, None, txn)?;
            }
            cache.settings.replicas = wanted;
        }
        cache.status = Status::Modifying;
        commit(context, txn, stored, cache).await
    })
    .await?;
    Ok(vec![shape::to_element(context, &stored)])
}

/// `DecreaseReplicaCount`.
pub(crate) async fn decrease_replicas(
    context: &Context<'_>,
) -> Result<Vec<Element>, ElastiCacheError> {
    let name = context.params.required("ReplicationGroupId")?;
    require_immediate(context)?;
    let named = context
        .texts("ReplicasToRemove", "member")
        .unwrap_or_default();
    let stored = retry(|| async {
        let caches = Caches::read(context).await?;
        let stored = caches.group(name)?;
        require_available(stored)?;
        let mut cache = stored.record.clone();
        let going = if named.is_empty() {
            surplus(context, &cache)?
        } else {
            named_members(&caches, stored, &named)?
        };
        for (shard, members) in going {
            let left = replicas_of(&cache, shard) - u16::try_from(members.len()).unwrap_or(0);
            cache.settings.replicas = left;
            cache.orders.push(Order::Remove(shard, members));
        }
        check_failover(&cache.settings)?;
        cache.status = Status::Modifying;
        commit(context, Txn::new(), stored, cache).await
    })
    .await?;
    Ok(vec![shape::to_element(context, &stored)])
}

/// Adds a replica under an identifier of its own (`CreateCacheCluster` into a group).
pub(crate) async fn add_replica(
    context: &Context<'_>,
    group: &str,
    cluster_id: &str,
    zone: Option<ZoneName>,
) -> Result<Stored<Cache>, ElastiCacheError> {
    retry(|| async {
        let caches = Caches::read(context).await?;
        if caches.is_taken(cluster_id) {
            let id = cluster_id.to_owned();
            return Err(ElastiCacheError::AlreadyExists(Kind::CacheCluster, id));
        }
        let stored = caches.group(group)?;
        require_available(stored)?;
        let mut cache = stored.record.clone();
        let shard = ShardNumber(1);
        if cache.settings.cluster_mode {
            return Err(ElastiCacheError::InvalidCombination(String::from(
                "A replica cannot be created into a group with cluster mode: use IncreaseReplicaCount.",
            )));
        }
        let has = replicas_of(&cache, shard);
        if i64::from(has) >= REPLICAS_MAX {
            return Err(ElastiCacheError::NodeQuota(format!(
                "Replication group {} has {REPLICAS_MAX} replicas, and can have no more.",
                stored.id
            )));
        }
        let id = Some(cluster_id.to_owned());
        let (zone, txn) = (zone.clone(), Txn::new());
        let txn = add_member(context, &stored.id, &mut cache, shard, zone, id, txn)?;
        cache.settings.replicas = has + 1;
        cache.status = Status::Modifying;
        commit(context, txn, stored, cache).await
    })
    .await
}

/// The group without one of its replicas (`DeleteCacheCluster` of a member).
pub(crate) fn remove_replica(
    stored: &Stored<Cache>,
    name: &str,
    shard: ShardNumber,
    member: MemberNumber,
) -> Result<Cache, ElastiCacheError> {
    let refused = |why: String| Err(ElastiCacheError::InvalidState(Kind::CacheCluster, why));
    let mut cache = stored.record.clone();
    let has = replicas_of(&cache, shard);
    if has == 0 {
        return refused(String::from(
            "Cannot delete the cache cluster since it is the only member of a replication group. Delete the replication \
             group instead.",
        ));
    }
    if cache.topology.shards.get(&shard).and_then(|s| s.primary) == Some(member) {
        return refused(format!(
            "Cache cluster {name} is serving as primary for replication group {} and cannot be deleted.",
            stored.id
        ));
    }
    if has == 1 && cache.settings.automatic_failover {
        return refused(format!(
            "Cannot delete the cache cluster because it is the only read replica for replication group {} which has \
             autofailover enabled or pending. You can disable autofailover and then delete this cache cluster. \
             Alternatively, to delete the entire replication group, use DeleteReplicationGroup.",
            stored.id
        ));
    }
    require_available(stored)?;
    cache.settings.replicas = has - 1;
    cache.orders.push(Order::Remove(shard, vec![member]));
    cache.status = Status::Modifying;
    Ok(cache)
}

/// Puts a member into a shard, unplaced, and its endpoint into the transaction.
pub(super) fn add_member(
    context: &Context<'_>,
    id: &str,
    cache: &mut Cache,
    shard_number: ShardNumber,
    zone: Option<ZoneName>,
    cluster_id: Option<String>,
    txn: Txn,
) -> Result<Txn, ElastiCacheError> {
    let port = reserve(context, cache.settings.port_asked)?;
    let shard = cache.topology.shards.entry(shard_number).or_default();
    shard.last_member += 1;
    let number = MemberNumber(shard.last_member);
    let mut member = Member::asked(port, zone, UnixMillis::now());
    member.cluster_id = cluster_id;
    shard.members.insert(number, member);
    let endpoint = Endpoint {
        port,
        targets: Vec::new(),
        epoch: Epoch::FIRST,
        protocol: EndpointProtocol::Opaque,
        cluster: None,
    };
    Ok(txn.insert(&member_endpoint_id(id, shard_number, number), &endpoint))
}

/// Replicas of a shard that are not about to go.
fn replicas_of(cache: &Cache, shard: ShardNumber) -> u16 {
    let shard = cache.topology.shards.get(&shard);
    let count = shard.map_or(0, |shard| shard.members.len().saturating_sub(1));
    u16::try_from(count).unwrap_or(u16::MAX)
}

/// The replicas with the highest numbers of each shard that is to have fewer.
fn surplus(
    context: &Context<'_>,
    cache: &Cache,
) -> Result<Vec<(ShardNumber, Vec<MemberNumber>)>, ElastiCacheError> {
    let mut going = Vec::new();
    for (number, (wanted, _)) in wanted(context, cache)? {
        let has = replicas_of(cache, number);
        if wanted >= has {
            return Err(no_change("fewer", number, has, wanted));
        }
        let shard = cache.topology.shards.get(&number);
        let replicas = shard.into_iter().flat_map(|shard| shard.replicas());
        let mut replicas: Vec<MemberNumber> = replicas.map(|(number, _)| number).collect();
        going.push((number, replicas.split_off(usize::from(wanted))));
    }
    Ok(going)
}

fn named_members(
    caches: &Caches,
    stored: &Stored<Cache>,
    names: &[String],
) -> Result<Vec<(ShardNumber, Vec<MemberNumber>)>, ElastiCacheError> {
    let mut going: BTreeMap<ShardNumber, Vec<MemberNumber>> = BTreeMap::new();
    for name in names {
        let cluster: ClusterRef<'_> = caches.cluster(name)?;
        let member = cluster.member.filter(|_| cluster.stored.id == stored.id);
        let replica = member.filter(|(shard, member)| {
            let shard = stored.record.topology.shards.get(shard);
            shard.is_some_and(|shard| shard.primary != Some(*member))
        });
        let Some((shard, member)) = replica else {
            return Err(ElastiCacheError::InvalidValue(format!(
                "Cache cluster {name} is no read replica of replication group {}.",
                stored.id
            )));
        };
        let members = going.entry(shard).or_default();
        if !members.contains(&member) {
            members.push(member);
        }
    }
    Ok(going.into_iter().collect())
}

/// `NewReplicaCount` for all shards, or `ReplicaConfiguration` for some.
fn wanted(context: &Context<'_>, cache: &Cache) -> Result<Wanted, ElastiCacheError> {
    let params = &context.params;
    let bounds = 0..=REPLICAS_MAX;
    let all = check::number(params, "NewReplicaCount", bounds.clone())?;
    let given = params.structures("ReplicaConfiguration", "ConfigureShard");
    let refused = |why: &str| Err(ElastiCacheError::InvalidCombination(why.to_owned()));
    match (all, given.is_empty()) {
        (Some(_), false) | (None, true) => {
            return refused("Give either NewReplicaCount or ReplicaConfiguration.");
        }
        (Some(count), true) => {
            let shards = cache.topology.shards.keys();
            return Ok(shards.map(|shard| (*shard, (count, Vec::new()))).collect());
        }
        (None, false) => {}
    }
    let mut wanted = Wanted::new();
    for shard in given {
        let number = shard_number(cache, shard.required("NodeGroupId")?)?;
        shard.required("NewReplicaCount")?;
        let count = check::number(&shard, "NewReplicaCount", bounds.clone())?.unwrap_or(0);
        let zones = shard.texts("PreferredAvailabilityZones", "PreferredAvailabilityZone");
        let zones = zones.unwrap_or_default();
        // AWS lists the zones of all members; the last ones are those of the members that come.
        let coming = usize::from(count.saturating_sub(replicas_of(cache, number)));
        let skip = match zones.len() == usize::from(count) + 1 {
            true => zones.len() - coming,
            false => 0,
        };
        let zones: Result<Vec<ZoneName>, ElastiCacheError> = zones
            .into_iter()
            .skip(skip)
            .map(|zone| check::zone(context, zone))
            .collect();
        wanted.insert(number, (count, zones?));
    }
    Ok(wanted)
}

fn require_immediate(context: &Context<'_>) -> Result<(), ElastiCacheError> {
    context.params.required("ApplyImmediately")?;
    if context.flag("ApplyImmediately")? {
        return Ok(());
    }
    Err(ElastiCacheError::InvalidValue(String::from(
        "ApplyImmediately must be true: replicas are not changed in the maintenance window.",
    )))
}

fn no_change(what: &str, shard: ShardNumber, has: u16, wanted: u16) -> ElastiCacheError {
    let why = format!(
        "Shard {:04} has {has} replica(s), and {wanted} is not {what}.",
        shard.0
    );
    if has == wanted {
        ElastiCacheError::NoOperation(why)
    } else {
        ElastiCacheError::InvalidCombination(why)
    }
}
