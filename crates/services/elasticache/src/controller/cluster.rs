//! Caches with cluster mode: who leads when too few primaries are left to vote, and which slots move.

use std::collections::BTreeMap;

use quorate_control::Stored;

use crate::controller::plan::{Plan, change, shard_name};
use crate::controller::world::World;
use crate::decide::endpoints::Sight;
use crate::decide::slots::decide_slots;
use crate::decide::status::unsettled;
use crate::model::{
    Cache, Desired, EngineState, MemberNumber, MemberState, Order, Shard, ShardNumber, SlotRange,
};

/// How long a vote may take: a replica asks for votes after about two seconds, and again only six seconds later; while slots
/// move, the epoch that it asks for may be past when it asks.
const VOTE_WAIT_MS: u64 = 7_000;

/// The next change that a cache with cluster mode is due.
pub(crate) fn plan_cluster(world: &World, stored: &Stored<Cache>) -> Option<Plan> {
    let cache = &stored.record;
    if !cache.settings.cluster_mode || cache.desired != Desired::Running {
        return None;
    }
    plan_takeover(world, stored)
        .or_else(|| plan_resharding(world, stored))
        .or_else(|| plan_removal_of_shards(world, stored))
}

/// Names who is to lead a shard whose primary is gone, when not enough primaries are left for a vote or it came to nothing;
/// takes the name back when the primary is there again.
fn plan_takeover(world: &World, stored: &Stored<Cache>) -> Option<Plan> {
    let cache = &stored.record;
    let sights = world.sights(cache);
    let leads = |number: &ShardNumber, shard: &Shard| {
        let at = shard.primary.map(|primary| (*number, primary));
        at.and_then(|at| sights.get(&at)) == Some(&Sight::Leads)
    };
    let shards = &cache.topology.shards;
    let voters = || shards.iter().filter(|(_, shard)| !shard.slots.is_empty());
    let voting = voters().filter(|(number, shard)| leads(number, shard));
    let can_vote = voting.count() * 2 > voters().count();
    for (number, shard) in shards {
        let named = if leads(number, shard) {
            None
        } else {
            // One that is gone itself is given up.
            let answers = |to: &MemberNumber| {
                let sight = sights.get(&(*number, *to));
                matches!(sight, Some(Sight::Leads | Sight::Follows { .. }))
            };
            let named = shard.takeover.filter(answers);
            let wait_ms = if can_vote && !shard.slots.is_empty() {
                VOTE_WAIT_MS
            } else {
                0
            };
            named.or_else(|| successor(world, cache, *number, wait_ms))
        };
        if named == shard.takeover {
            continue;
        }
        let mut record = cache.clone();
        record.topology.shards.get_mut(number)?.takeover = named;
        let what = match named {
            Some(to) => format!("{}: {:03} takes over", shard_name(*number), to.0),
            None => format!("{}: its primary is back", shard_name(*number)),
        };
        return Some(change(world, stored, &record, &[], &what));
    }
    None
}

/// Of the replicas that have all that the primary had and have held it for gone for so long, the one that is furthest.
fn successor(
    world: &World,
    cache: &Cache,
    number: ShardNumber,
    lost_ms_min: u64,
) -> Option<MemberNumber> {
    let shard = cache.topology.shards.get(&number)?;
    let reports = shard.replicas().filter_map(|(member, record)| {
        let report = world.report(cache, number, member, record)?;
        let able = record.state == MemberState::Running
            && report.engine == EngineState::Following
            && report.primary_lost
            && report.primary_lost_ms >= lost_ms_min;
        able.then_some((report.offset, std::cmp::Reverse(member)))
    });
    reports.max().map(|(_, member)| member.0)
}

/// Says which slots each shard is to have, when shards came or are to go; ends that once each has them.
fn plan_resharding(world: &World, stored: &Stored<Cache>) -> Option<Plan> {
    let mut record = stored.record.clone();
    let shards = &mut record.topology.shards;
    if shards.values().any(|shard| shard.slots_wanted.is_some()) {
        let at_end = |shard: &Shard| {
            shard
                .slots_wanted
                .as_ref()
                .is_none_or(|w| shard.slots == *w)
        };
        if !shards.values().all(at_end) {
            return None;
        }
        for shard in shards.values_mut() {
            shard.slots_wanted = None;
        }
        return Some(change(world, stored, &record, &[], "slots have moved"));
    }
    let leaving = going(&record);
    let due = record.topology.shards.iter().any(|(number, shard)| {
        let goes = leaving.contains(number);
        goes != shard.slots.is_empty()
    });
    let settled = unsettled(&record, &world.sights(&record)).is_empty();
    let all_run = record.topology.shards.values().all(|shard| {
        let mut members = shard.members.values();
        members.all(|member| member.state == MemberState::Running)
    });
    if !due || !settled || !all_run {
        return None;
    }
    let has: BTreeMap<ShardNumber, Vec<SlotRange>> = record
        .topology
        .shards
        .iter()
        .map(|(number, shard)| (*number, shard.slots.clone()))
        .collect();
    for (number, slots) in decide_slots(&has, &leaving) {
        record.topology.shards.get_mut(&number)?.slots_wanted = Some(slots);
    }
    Some(change(world, stored, &record, &[], "slots are to move"))
}

/// Lets the members of shards without slots leave; then the shards go.
fn plan_removal_of_shards(world: &World, stored: &Stored<Cache>) -> Option<Plan> {
    let mut record = stored.record.clone();
    let leaving = going(&record);
    let shards = &mut record.topology.shards;
    let busy = shards.values().any(|shard| shard.slots_wanted.is_some());
    if leaving.is_empty() || busy {
        return None;
    }
    let mut told = false;
    for number in &leaving {
        let Some(shard) = shards.get_mut(number) else {
            continue;
        };
        if !shard.slots.is_empty() {
            return None;
        }
        for member in shard.members.values_mut() {
            if member.state != MemberState::Leaving {
                member.state = MemberState::Leaving;
                member.since = world.now;
                told = true;
            }
        }
    }
    if told {
        return Some(change(world, stored, &record, &[], "shards leave"));
    }
    let gone = |number: &ShardNumber| {
        let shard = shards.get(number);
        shard.is_none_or(|shard| shard.members.is_empty())
    };
    if !leaving.iter().all(gone) {
        return None;
    }
    shards.retain(|number, _| !leaving.contains(number));
    record.orders.remove(0);
    Some(change(world, stored, &record, &[], "shards are gone"))
}

/// The shards that are to go.
fn going(cache: &Cache) -> Vec<ShardNumber> {
    match cache.orders.first() {
        Some(Order::RemoveShards(shards)) => shards.clone(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests;
