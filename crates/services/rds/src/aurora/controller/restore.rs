//! Has the volume of a cluster filled that begins with a snapshot or with another cluster's volume.

use quorate_control::{Stored, Txn};

use crate::aurora::controller::cluster::{Told, change};
use crate::aurora::controller::snapshot::{open_reading, readers_of};
use crate::aurora::decide::transfer::{
    ReadingWay, TransferDecision, TransferFacts, decide_reading, decide_transfer,
};
use crate::aurora::model::{Attempt, Cluster, ClusterRestore, ClusterStatus};
use crate::aurora::records;
use crate::controller::Plan;
use crate::controller::World;
use crate::model::{Desired, EventCategory};

const NO_VOLUME: &str = "its volume could not be placed";
const NO_SOURCE: &str = "the DB cluster that it is restored from is gone";
const NO_READING: &str = "the DB cluster that it is restored from has no writer that serves";

/// The next step of a restore that is not over.
pub(super) fn plan_restore(world: &World, stored: &Stored<Cluster>) -> Option<Plan> {
    let cluster = &stored.record;
    let restore = cluster.restore.as_ref()?;
    if cluster.desired != Desired::Running || cluster.status == ClusterStatus::IncompatibleRestore {
        return None;
    }
    let source = restore.source_cluster().map(|id| world.cluster_of(id));
    let way = match source {
        None => Ok(ReadingWay::BesideWriter),
        Some(None) => Err(NO_SOURCE),
        Some(Some(source)) => match decide_reading(&source.record) {
            ReadingWay::NotYet => Err(NO_READING),
            way => Ok(way),
        },
    };
    let placed = world.volumes.contains_key(&cluster.resource_id);
    let waits_for = way.err().or((!placed).then_some(NO_VOLUME));
    let decision = decide_transfer(&TransferFacts {
        attempt: restore.attempt.as_ref(),
        asked_at: restore.asked_at,
        nodes: &readers_of(world, stored),
        alive: &world.alive(),
        waits_for,
        now: world.now,
    });
    match decision {
        TransferDecision::Wait => None,
        TransferDecision::Over(why) => {
            let attempt = restore.attempt.as_ref()?.failed(why.clone(), world.now);
            let record = with_attempt(cluster, restore, attempt);
            Some(change(world, stored, &record, &[], &why))
        }
        TransferDecision::Fail(why) => {
            let mut record = cluster.clone();
            record.status = ClusterStatus::IncompatibleRestore;
            record.status_detail = Some(why.clone());
            let message = format!("The DB cluster could not be restored: {why}");
            let told = [Told::cluster(&message, EventCategory::Failure)];
            Some(change(world, stored, &record, &told, &message))
        }
        TransferDecision::Begin { node, number } => {
            let what = format!("cluster {}: restore, attempt {number} on {node}", stored.id);
            let attempt = Attempt {
                number,
                node,
                since: world.now,
                reading_epoch: None,
                filling_epoch: Some(cluster.epoch),
                run: None,
                failure: None,
                percent: 0,
            };
            let txn = begin(world, stored, restore, attempt, way.ok()?)?;
            Some(Plan { txn, what })
        }
    }
}

/// Hands the attempt its epochs: of the volume that is filled, and of the one that is read where nobody writes it.
fn begin(
    world: &World,
    stored: &Stored<Cluster>,
    restore: &ClusterRestore,
    mut attempt: Attempt,
    way: ReadingWay,
) -> Option<Txn> {
    let mut txn = Txn::new();
    if let Some(source) = restore.source_cluster() {
        (txn, attempt.reading_epoch) = open_reading(txn, world.cluster_of(source)?, way);
    }
    let mut record = with_attempt(&stored.record, restore, attempt);
    record.epoch = stored.record.epoch.next();
    Some(records::change_in(txn, stored, &record))
}

fn with_attempt(cluster: &Cluster, restore: &ClusterRestore, attempt: Attempt) -> Cluster {
    Cluster {
        restore: Some(ClusterRestore {
            attempt: Some(attempt),
            ..restore.clone()
        }),
        ..cluster.clone()
    }
}

/// Whether somebody still reads a cluster's volume: it stays meanwhile.
pub(super) fn is_read(world: &World, cluster: &Cluster) -> bool {
    let mut restores = world.clusters.iter().filter_map(|other| {
        let restore = other.record.restore.as_ref()?;
        let fails = other.record.status == ClusterStatus::IncompatibleRestore;
        let is_over = fails || other.record.desired == Desired::Deleted;
        restore.source_cluster().filter(|_| !is_over)
    });
    restores.any(|source| source == cluster.resource_id)
        || world.is_snapshotted(&cluster.resource_id)
}
