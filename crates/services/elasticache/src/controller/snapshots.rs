//! Has snapshots taken: on request, each day, and of a cache that goes; and lets go of the one that a cache began with.

use std::collections::BTreeMap;

use quorate_control::{Stored, Txn};

use crate::controller::plan::{Plan, change};
use crate::controller::world::World;
use crate::decide::daily::decide_daily;
use crate::decide::snapshot::{Taking, decide_taking};
use crate::events::tell;
use crate::model::{
    Cache, CacheKind, Desired, MemberNumber, MemberState, Order, ShardNumber, Snapshot,
    SnapshotSource, SnapshotStatus, Status,
};

/// The next step of a snapshot that the cache's oldest order, or its deletion, asks for.
pub(crate) fn plan_snapshot(
    world: &World,
    stored: &Stored<Cache>,
    name: &str,
    asked: Option<(ShardNumber, MemberNumber)>,
) -> Option<Plan> {
    let found = world.snapshots.get(name);
    let own = |s: &&Stored<Snapshot>| {
        s.record.resource_id == stored.record.resource_id
            && s.record.status == SnapshotStatus::Creating
    };
    let Some(snapshot) = found.filter(own) else {
        // It has failed, or is gone: nobody waits for it.
        let record = ended(&stored.record, false);
        return Some(change(world, stored, &record, &[], "no snapshot is taken"));
    };
    let cache = &stored.record;
    let sights = world.sights(cache);
    let mut next = snapshot.record.clone();
    match decide_taking(cache, &snapshot.record, asked, &sights, world.now) {
        Taking::Wait => None,
        Taking::Note(shard, taker) => {
            let what = format!("{}: snapshot {name}: {taker:?}", stored.id);
            next.takers.insert(shard, taker);
            let txn = Txn::new().require(stored).replace(snapshot, &next);
            Some(Plan { txn, what })
        }
        Taking::Complete => {
            next.status = SnapshotStatus::Available;
            next.shards.sort();
            let message = outcome(stored, name, "succeeded");
            Some(end(world, stored, snapshot, &next, &message))
        }
        Taking::Fail(why) => {
            next.status = SnapshotStatus::Failed;
            let mut message = format!("{}: {why}", outcome(stored, name, "failed"));
            if cache.desired != Desired::Running {
                message.push_str(". The cache is not deleted");
            }
            Some(end(world, stored, snapshot, &next, &message))
        }
    }
}

/// AWS's sentence.
fn outcome(stored: &Stored<Cache>, name: &str, outcome: &str) -> String {
    let what = match stored.record.kind {
        CacheKind::ReplicationGroup => "replication group",
        CacheKind::LoneNode | CacheKind::Memcached => "cache cluster",
    };
    let id = &stored.id;
    format!("Snapshot {outcome} for snapshot with ID '{name}' of {what} with ID '{id}'")
}

fn end(
    world: &World,
    stored: &Stored<Cache>,
    snapshot: &Stored<Snapshot>,
    next: &Snapshot,
    message: &str,
) -> Plan {
    let next = Snapshot {
        takers: BTreeMap::new(),
        ..next.clone()
    };
    let record = ended(&stored.record, next.status == SnapshotStatus::Available);
    let txn = Txn::new().replace(stored, &record).replace(snapshot, &next);
    Plan {
        txn: tell(txn, world.now, &stored.id, &record, message),
        what: format!("{}: {message}", stored.id),
    }
}

/// The cache once its snapshot is taken, or cannot be. One that was to go after a last snapshot stays when there is none:
/// its data would be lost.
fn ended(cache: &Cache, taken: bool) -> Cache {
    let mut cache = cache.clone();
    match (&cache.desired, taken) {
        (Desired::Running, _) => {
            cache.orders.remove(0);
        }
        (Desired::Deleted { .. }, true) => {
            cache.desired = Desired::Deleted {
                final_snapshot: None,
            };
        }
        (Desired::Deleted { .. }, false) => {
            cache.desired = Desired::Running;
            cache.status = Status::Available;
        }
    }
    cache
}

/// Orders the snapshot of the day.
pub(crate) fn plan_daily(world: &World, stored: &Stored<Cache>) -> Option<Plan> {
    let cache = &stored.record;
    let automated = world.snapshots.values().filter(|s| {
        s.record.source == SnapshotSource::Automated && s.record.resource_id == cache.resource_id
    });
    let newest = automated.map(|snapshot| snapshot.record.created_at).max();
    let name = decide_daily(&stored.id, cache, newest, world.now)?;
    if world.snapshots.contains_key(&name) {
        return None;
    }
    let snapshot = Snapshot {
        cache: stored.id.clone(),
        resource_id: cache.resource_id.clone(),
        kind: cache.kind,
        settings: cache.settings.clone(),
        copied_from: None,
        source: SnapshotSource::Automated,
        status: SnapshotStatus::Creating,
        created_at: world.now,
        shards: Vec::new(),
        takers: BTreeMap::new(),
        tags: Vec::new(),
    };
    let mut record = cache.clone();
    record.status = Status::Snapshotting;
    record.orders.push(Order::Snapshot {
        name: name.clone(),
        member: None,
    });
    let what = format!("{}: snapshot {name} is ordered", stored.id);
    let txn = Txn::new().replace(stored, &record).insert(&name, &snapshot);
    Some(Plan { txn, what })
}

/// Lets go of the snapshot that a cache began with, once all of its first members run.
pub(crate) fn plan_restored(world: &World, stored: &Stored<Cache>) -> Option<Plan> {
    let cache = &stored.record;
    cache.restore_from.as_ref()?;
    let mut shards = cache.topology.shards.values();
    let runs = shards.all(|shard| {
        let primary = shard.primary_member();
        primary.is_some_and(|member| member.state == MemberState::Running)
    });
    let record = Cache {
        restore_from: None,
        ..cache.clone()
    };
    runs.then(|| {
        change(
            world,
            stored,
            &record,
            &[],
            "it runs with its snapshot's data",
        )
    })
}
