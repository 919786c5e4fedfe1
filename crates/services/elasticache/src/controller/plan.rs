//! What the controller does about one cache: the first change that is due.

use quorate_control::{Endpoint, Stored, Txn};

use crate::controller::cluster::plan_cluster;
use crate::controller::endpoints::plan_endpoints;
use crate::controller::modify::{plan_modification, plan_order};
use crate::controller::replace::plan_replacement;
use crate::controller::snapshots::{plan_daily, plan_restored, plan_snapshot};
use crate::controller::world::World;
use crate::decide::placement::decide_placement;
use crate::decide::status::decide_status;
use crate::events::tell;
use crate::model::{Cache, Desired, MemberNumber, Shard, ShardNumber};

/// One change.
pub struct Plan {
    /// What makes it.
    pub txn: Txn,
    /// What it is, for the log.
    pub what: String,
}

/// The first change that is due to a cache, if any is.
pub(crate) fn plan_cache(world: &World, stored: &Stored<Cache>) -> Option<Plan> {
    if let Desired::Deleted { final_snapshot } = &stored.record.desired {
        return match final_snapshot {
            Some(name) => plan_snapshot(world, stored, name, None),
            None => plan_removal(world, stored),
        };
    }
    plan_place(world, stored)
        .or_else(|| plan_replacement(world, stored))
        .or_else(|| plan_cluster(world, stored))
        .or_else(|| plan_order(world, stored))
        .or_else(|| plan_modification(world, stored))
        .or_else(|| plan_endpoints(world, stored))
        .or_else(|| plan_restored(world, stored))
        .or_else(|| plan_daily(world, stored))
        .or_else(|| plan_status(world, stored))
}

/// Replaces the record and tells events.
pub(crate) fn change(
    world: &World,
    stored: &Stored<Cache>,
    record: &Cache,
    told: &[&str],
    what: &str,
) -> Plan {
    let txn = Txn::new().replace(stored, record);
    let event = |txn, message: &&str| tell(txn, world.now, &stored.id, record, message);
    Plan {
        txn: told.iter().fold(txn, event),
        what: format!("{}: {what}", stored.id),
    }
}

/// The zones of the shard's members, but for this one.
pub(crate) fn zones_beside(shard: &Shard, but: MemberNumber) -> Vec<quorate_base::ZoneName> {
    let others = shard.members.iter().filter(|(number, _)| **number != but);
    others.filter_map(|(_, member)| member.zone()).collect()
}

/// Gives members that have no node one.
fn plan_place(world: &World, stored: &Stored<Cache>) -> Option<Plan> {
    let cache = &stored.record;
    let places = world.places(cache.settings.engine, &cache.settings.engine_version);
    let mut record = cache.clone();
    let mut placed = Vec::new();
    for (number, shard) in &mut record.topology.shards {
        let unplaced: Vec<MemberNumber> = shard
            .members
            .iter()
            .filter(|(_, member)| member.node.is_none())
            .map(|(number, _)| *number)
            .collect();
        for member_number in unplaced {
            let beside = zones_beside(shard, member_number);
            let Some(member) = shard.members.get_mut(&member_number) else {
                continue;
            };
            let node = decide_placement(&places, member.zone_asked.as_ref(), &beside);
            let Some(node) = node else {
                continue;
            };
            placed.push(format!("{}/{} on {node}", number.0, member_number.0));
            member.node = Some(node);
            member.since = world.now;
        }
    }
    (!placed.is_empty()).then(|| {
        change(
            world,
            stored,
            &record,
            &[],
            &format!("placed {}", placed.join(", ")),
        )
    })
}

fn plan_status(world: &World, stored: &Stored<Cache>) -> Option<Plan> {
    let next = decide_status(
        &stored.record,
        &world.sights(&stored.record),
        &world.watched(&stored.id),
    )?;
    let mut record = stored.record.clone();
    record.status = next.to;
    record.status_detail = None;
    let told: Vec<&str> = next.message.into_iter().collect();
    Some(change(
        world,
        stored,
        &record,
        &told,
        &format!("status {:?}", next.to),
    ))
}

/// A deleted cache is gone when every member whose node is alive has removed what it has; a node that comes back later
/// finds a folder that nobody wants and removes it.
fn plan_removal(world: &World, stored: &Stored<Cache>) -> Option<Plan> {
    let cache = &stored.record;
    let mut members = cache
        .topology
        .shards
        .values()
        .flat_map(|shard| shard.members.values());
    if members.any(|member| {
        member
            .node
            .as_ref()
            .is_some_and(|node| world.is_alive(node))
    }) {
        return None;
    }
    let txn = Txn::new().remove(stored);
    let own = world
        .endpoints
        .keys()
        .filter(|id| is_endpoint_of(id, &stored.id));
    let txn = own.fold(txn, |txn, id| txn.discard::<Endpoint>(id));
    Some(Plan {
        txn: tell(txn, world.now, &stored.id, cache, "Deleted"),
        what: format!("{}: removed", stored.id),
    })
}

/// Whether the endpoint belongs to the cache.
pub(crate) fn is_endpoint_of(endpoint: &str, cache: &str) -> bool {
    let rest = endpoint
        .strip_prefix("elasticache:")
        .and_then(|rest| rest.strip_prefix(cache));
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with([':', '/']))
}

/// `0001`, for words in the log.
pub(crate) fn shard_name(number: ShardNumber) -> String {
    format!("{:04}", number.0)
}
