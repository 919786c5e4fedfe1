//! Carries out what users ordered and changed, one step at a time.

use quorate_base::is_within_window;
use quorate_control::Stored;

use crate::controller::plan::{Plan, change, shard_name};
use crate::controller::snapshots::plan_snapshot;
use crate::controller::world::World;
use crate::decide::status::unsettled;
use crate::model::{
    Cache, CacheKind, Coordinated, MemberNumber, MemberState, Order, PendingChanges, Shard, Status,
};

/// The oldest order, as far as it is the controller's: `TestFailover` is Sentinel's. Each waits
/// until the one before it is carried out and its members are well again.
pub(crate) fn plan_order(world: &World, stored: &Stored<Cache>) -> Option<Plan> {
    let mut record = stored.record.clone();
    let order = record.orders.first()?.clone();
    if let Order::Snapshot { name, member } = &order {
        return plan_snapshot(world, stored, name, *member);
    }
    let named: &[MemberNumber] = match &order {
        Order::Reboot(_, members) | Order::Remove(_, members) => members,
        _ => &[],
    };
    if !is_well(world, &record, named) {
        return None;
    }
    let what = match &order {
        Order::Reboot(number, members) => {
            let shard = record.topology.shards.get_mut(number)?;
            for member in members {
                if let Some(member) = shard.members.get_mut(member) {
                    member.restarts += 1;
                }
            }
            format!("{}: members restart", shard_name(*number))
        }
        Order::Remove(number, members) => {
            let shard = record.topology.shards.get_mut(number)?;
            let members: Vec<MemberNumber> = members
                .iter()
                .copied()
                .filter(|m| Some(*m) != shard.primary)
                .collect();
            leave(shard, &members, world);
            format!("{}: members leave", shard_name(*number))
        }
        Order::MakePrimary(number, to) => {
            let shard = record.topology.shards.get_mut(number)?;
            if shard.primary != Some(*to) && shard.coordinated.is_none() {
                shard.coordinated = Some(Coordinated {
                    to: *to,
                    released: std::collections::BTreeSet::new(),
                    since: world.now,
                });
            }
            format!("{}: {:03} is to lead", shard_name(*number), to.0)
        }
        // Slots are moved before shards go, which only members can do.
        Order::TestFailover(_) | Order::Snapshot { .. } | Order::RemoveShards(_) => return None,
    };
    record.orders.remove(0);
    if record.kind == CacheKind::Memcached && matches!(order, Order::Remove(..)) {
        record.configuration_version += 1;
    }
    Some(change(world, stored, &record, &[], &what))
}

/// Takes what waits into force, when its time has come.
pub(crate) fn plan_modification(world: &World, stored: &Stored<Cache>) -> Option<Plan> {
    let cache = &stored.record;
    if cache.pending.is_empty() {
        return None;
    }
    let due =
        cache.pending.apply_now || is_within_window(&cache.settings.maintenance_window, world.now);
    if !due || cache.status == Status::Creating {
        return None;
    }
    let mut record = cache.clone();
    let pending = std::mem::take(&mut record.pending);
    apply(&mut record, pending, world);
    record.status = Status::Modifying;
    Some(change(
        world,
        stored,
        &record,
        &[],
        "pending changes are made",
    ))
}

/// Whether nothing is being restarted or handed over, and every member (but for those `named`) whose node is alive is what
/// it should be.
fn is_well(world: &World, cache: &Cache, named: &[MemberNumber]) -> bool {
    let mut shards = cache.topology.shards.values();
    let unwell = unsettled(cache, &world.sights(cache));
    shards.all(|shard| shard.coordinated.is_none())
        && unwell.iter().all(|(_, number)| named.contains(number))
}

fn apply(record: &mut Cache, pending: PendingChanges, world: &World) {
    if let Some(node_type) = pending.node_type {
        // A Redis engine takes its memory in while it runs; Memcached has it from its start.
        record.settings.node_type = node_type;
        if record.kind == CacheKind::Memcached {
            restart_all(record);
        }
    }
    if let Some(version) = pending.engine_version {
        record.settings.engine_version = version;
        restart_all(record);
    }
    if let Some(automatic) = pending.automatic_failover {
        record.settings.automatic_failover = automatic;
    }
    if let Some(nodes) = pending.nodes {
        for shard in record.topology.shards.values_mut() {
            let last = nodes.add.keys().map(|number| number.0).max();
            shard.last_member = shard.last_member.max(last.unwrap_or(0));
            shard.members.extend(nodes.add.clone());
            leave(shard, &nodes.remove, world);
        }
        record.configuration_version += 1;
    }
}

/// Orders that restart all members, one after another: replicas first, and the primary once another one leads.
fn restart_all(record: &mut Cache) {
    for (number, shard) in &record.topology.shards {
        let replicas: Vec<MemberNumber> = shard.replicas().map(|(number, _)| number).collect();
        let restart = |member| Order::Reboot(*number, vec![member]);
        record.orders.extend(replicas.iter().copied().map(restart));
        if let Some(primary) = shard.primary {
            let next = replicas
                .first()
                .filter(|_| record.settings.automatic_failover);
            let hand_over = next.map(|next| Order::MakePrimary(*number, *next));
            record.orders.extend(hand_over);
            record.orders.push(restart(primary));
        }
    }
}

fn leave(shard: &mut Shard, going: &[MemberNumber], world: &World) {
    for number in going {
        if let Some(member) = shard.members.get_mut(number) {
            member.state = MemberState::Leaving;
            member.since = world.now;
        }
    }
}
