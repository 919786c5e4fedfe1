//! `ModifyReplicationGroupShardConfiguration`: shards come without slots and go once they have none; the controller moves
//! the slots.

use quorate_base::{Epoch, ZoneName};
use quorate_control::{Stored, Txn};
use quorate_wire::xml::Element;

use crate::api::cache::Caches;
use crate::api::check;
use crate::api::context::{Context, retry};
use crate::api::error::ElastiCacheError;
use crate::api::replication_group::create::SHARDS_MAX;
use crate::api::replication_group::lifecycle::{commit, require_available, shard_number};
use crate::api::replication_group::replicas::add_member;
use crate::api::replication_group::shape;
use crate::model::{Cache, MemberNumber, Order, ShardNumber, Status};

/// `ModifyReplicationGroupShardConfiguration`.
pub(crate) async fn reshard(context: &Context<'_>) -> Result<Vec<Element>, ElastiCacheError> {
    let params = &context.params;
    let name = params.required("ReplicationGroupId")?;
    params.required("NodeGroupCount")?;
    params.required("ApplyImmediately")?;
    let wanted = check::number(params, "NodeGroupCount", 1..=i64::from(SHARDS_MAX))?.unwrap_or(1);
    if !context.flag("ApplyImmediately")? {
        return Err(ElastiCacheError::InvalidValue(String::from(
            "ApplyImmediately must be true: shards are not changed in the maintenance window.",
        )));
    }
    let stored = retry(|| async {
        let caches = Caches::read(context).await?;
        let stored = caches.group(name)?;
        if !stored.record.settings.cluster_mode {
            return Err(ElastiCacheError::InvalidCombination(format!(
                "Replication group {} has no cluster mode: its one shard can be neither split nor joined.",
                stored.id
            )));
        }
        require_available(stored)?;
        let mut cache = stored.record.clone();
        let has = cache.topology.shards.len();
        let txn = if usize::from(wanted) > has {
            add_shards(context, stored, &mut cache, usize::from(wanted) - has)?
        } else {
            remove_shards(context, &mut cache, has - usize::from(wanted))?;
            Txn::new()
        };
        cache.settings.shards = wanted;
        cache.status = Status::Modifying;
        commit(context, txn, stored, cache).await
    })
    .await?;
    Ok(vec![shape::to_element(context, &stored)])
}

fn add_shards(
    context: &Context<'_>,
    stored: &Stored<Cache>,
    cache: &mut Cache,
    count: usize,
) -> Result<Txn, ElastiCacheError> {
    let given = context
        .params
        .structures("ReshardingConfiguration", "ReshardingConfiguration");
    if !given.is_empty() && given.len() != count {
        return Err(ElastiCacheError::InvalidCombination(format!(
            "ReshardingConfiguration must have one entry for each of the {count} new shard(s)."
        )));
    }
    let last = cache.topology.shards.keys().last().map_or(0, |last| last.0);
    let mut txn = Txn::new();
    for (at, number) in (last + 1..).take(count).enumerate() {
        let zones: Result<Vec<ZoneName>, ElastiCacheError> = given
            .get(at)
            .and_then(|shard| shard.texts("PreferredAvailabilityZones", "AvailabilityZone"))
            .unwrap_or_default()
            .into_iter()
            .map(|zone| check::zone(context, zone))
            .collect();
        let zones = zones?;
        let number = ShardNumber(number);
        for member in 0..=usize::from(cache.settings.replicas) {
            let zone = zones.get(member).cloned();
            txn = add_member(context, &stored.id, cache, number, zone, None, txn)?;
        }
        let shard = cache.topology.shards.entry(number).or_default();
        shard.primary = Some(MemberNumber(1));
        shard.epoch = Epoch::FIRST;
    }
    Ok(txn)
}

fn remove_shards(
    context: &Context<'_>,
    cache: &mut Cache,
    count: usize,
) -> Result<(), ElastiCacheError> {
    if count == 0 {
        return Err(ElastiCacheError::NoOperation(String::from(
            "The group has as many shards as asked for.",
        )));
    }
    let named = |name: &str, item: &str| -> Result<Option<Vec<ShardNumber>>, ElastiCacheError> {
        let names = context.texts(name, item);
        let numbers = names.map(|names| {
            let numbers = names.iter().map(|name| shard_number(cache, name));
            numbers.collect::<Result<Vec<ShardNumber>, ElastiCacheError>>()
        });
        numbers.transpose()
    };
    let remove = named("NodeGroupsToRemove", "NodeGroupToRemove")?;
    let retain = named("NodeGroupsToRetain", "NodeGroupToRetain")?;
    let going = match (remove, retain) {
        (Some(remove), None) => remove,
        (None, Some(retain)) => {
            let all = cache.topology.shards.keys().copied();
            all.filter(|shard| !retain.contains(shard)).collect()
        }
        _ => {
            return Err(ElastiCacheError::InvalidCombination(String::from(
                "Either NodeGroupsToRemove or NodeGroupsToRetain is required to reduce the number of shards.",
            )));
        }
    };
    if going.len() != count {
        return Err(ElastiCacheError::InvalidCombination(format!(
            "{} shard(s) would go where {count} must.",
            going.len()
        )));
    }
    cache.orders.push(Order::RemoveShards(going));
    Ok(())
}
