//! Has snapshots taken: names the node for each attempt, and ends those that cannot be taken.

use std::collections::BTreeSet;

use quorate_base::{Epoch, NodeId};
use quorate_control::{Stored, Txn};

use crate::aurora::controller::cluster::change;
use crate::aurora::decide::transfer::{
    ReadingWay, TransferDecision, TransferFacts, decide_reading, decide_transfer,
};
use crate::aurora::model::{Attempt, Cluster, ClusterSnapshot, ClusterStatus, SnapshotStatus};
use crate::aurora::records;
use crate::controller::Plan;
use crate::controller::World;
use crate::events::{cluster_event, snapshot_event};
use crate::model::{Desired, EventCategory};

const NO_READING: &str = "the cluster had no writer that serves";

/// The first change that is due to a snapshot, if any is.
pub(crate) fn plan_snapshot(world: &World, stored: &Stored<ClusterSnapshot>) -> Option<Plan> {
    let snapshot = &stored.record;
    if snapshot.status != SnapshotStatus::Creating {
        return None;
    }
    let cluster = world.cluster_of(&snapshot.cluster_resource_id);
    let Some(cluster) = cluster else {
        return Some(plan_failure(world, stored, None, "its DB cluster is gone"));
    };
    let way = decide_reading(&cluster.record);
    let decision = decide_transfer(&TransferFacts {
        attempt: snapshot.attempt.as_ref(),
        asked_at: snapshot.created_at,
        nodes: &readers_of(world, cluster),
        alive: &world.alive(),
        waits_for: (way == ReadingWay::NotYet).then_some(NO_READING),
        now: world.now,
    });
    let mut next = snapshot.clone();
    match decision {
        TransferDecision::Wait => None,
        TransferDecision::Fail(why) => Some(plan_failure(world, stored, Some(cluster), &why)),
        TransferDecision::Over(why) => {
            next.attempt = snapshot
                .attempt
                .as_ref()
                .map(|a| a.failed(why.clone(), world.now));
            let txn = Txn::new().replace(stored, &next);
            let what = format!("snapshot {}: {why}", stored.id);
            Some(Plan { txn, what })
        }
        TransferDecision::Begin { node, number } => {
            let what = format!("snapshot {}: attempt {number} on {node}", stored.id);
            let (txn, reading_epoch) = open_reading(Txn::new(), cluster, way);
            next.attempt = Some(Attempt {
                number,
                node,
                since: world.now,
                reading_epoch,
                filling_epoch: None,
                run: None,
                failure: None,
                percent: 0,
            });
            let txn = txn.replace(stored, &next);
            Some(Plan { txn, what })
        }
    }
}

/// Adds to a transaction what lets a volume be read: nothing but the condition that its cluster stays as it is, or an epoch
/// for whoever opens it. The next writer's is another one.
pub(super) fn open_reading(
    txn: Txn,
    cluster: &Stored<Cluster>,
    way: ReadingWay,
) -> (Txn, Option<Epoch>) {
    if way != ReadingWay::AtOwnEpoch {
        return (txn.require(cluster), None);
    }
    let own = cluster.record.epoch.next();
    let record = Cluster {
        epoch: own.next(),
        ..cluster.record.clone()
    };
    (records::change_in(txn, cluster, &record), Some(own))
}

/// The nodes that could read a cluster's volume: those that hold its segments, the writer's last.
pub(super) fn readers_of(world: &World, cluster: &Stored<Cluster>) -> Vec<NodeId> {
    let volume = world.volumes.get(&cluster.record.resource_id);
    let holders: BTreeSet<&NodeId> = volume.map(|v| v.record.nodes()).unwrap_or_default();
    let mut nodes: Vec<NodeId> = holders.into_iter().cloned().collect();
    let writer = cluster.record.writer_member().and_then(|m| m.node.as_ref());
    nodes.sort_by_key(|node| Some(node) == writer);
    nodes
}

/// A snapshot that cannot be taken. A cluster that was to go after it stays: its data would be lost.
fn plan_failure(
    world: &World,
    stored: &Stored<ClusterSnapshot>,
    cluster: Option<&Stored<Cluster>>,
    why: &str,
) -> Plan {
    let (owner, now) = (&world.config.owner, world.now);
    let mut next = stored.record.clone();
    next.status = SnapshotStatus::Failed;
    let mut txn = Txn::new().replace(stored, &next);
    let message = format!("{} cluster snapshot failed: {why}", next.word());
    let failure = EventCategory::Failure;
    let (id, event) = snapshot_event(now, owner, &stored.id, &message, failure);
    txn = txn.put(&id, &event);
    if let Some(cluster) = cluster.filter(|c| next.is_final && c.record.desired == Desired::Deleted)
    {
        let mut record = cluster.record.clone();
        record.desired = Desired::Running;
        record.status = ClusterStatus::Available;
        let message = format!(
            "DB cluster was not deleted: its final snapshot {} failed: {why}",
            stored.id
        );
        let (id, event) = cluster_event(now, owner, &cluster.id, &message, failure);
        txn = records::change_in(txn, cluster, &record).put(&id, &event);
    }
    Plan {
        txn,
        what: format!("snapshot {}: failed: {why}", stored.id),
    }
}

/// The end of `backing-up`: when no snapshot is being taken any more.
pub(super) fn plan_backed_up(world: &World, stored: &Stored<Cluster>) -> Option<Plan> {
    let cluster = &stored.record;
    let is_over =
        cluster.status == ClusterStatus::BackingUp && !world.is_backing_up(&cluster.resource_id);
    let record = Cluster {
        status: ClusterStatus::Available,
        ..cluster.clone()
    };
    is_over.then(|| change(world, stored, &record, &[], "backed up"))
}
