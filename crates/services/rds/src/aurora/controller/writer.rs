//! Changes of writer.

use quorate_base::NodeId;
use quorate_control::Stored;

use crate::aurora::controller::cluster::{Told, change};
use crate::aurora::controller::member::{elsewhere, place};
use crate::aurora::controller::status::is_writable;
use crate::aurora::decide::writer::{WriterDecision, WriterFacts, decide_writer};
use crate::aurora::model::{Cluster, ClusterFailover, ClusterOrder, ClusterStatus};
use crate::aurora::records::set_state;
use crate::controller::Plan;
use crate::controller::World;
use crate::model::{EventCategory, MemberState};

/// Shortest time between two attempts to mount a writer again in place.
const REMOUNT_PAUSE_MS: u64 = 2_000;

/// The change of writer that is due.
pub(super) fn plan_writer(world: &World, stored: &Stored<Cluster>) -> Option<Plan> {
    let cluster = &stored.record;
    let decision = decide_writer(&WriterFacts {
        cluster,
        alive: &world.alive(),
        writer_gave_up: writer_gave_up(world, cluster),
        writable: is_writable(world, cluster),
    });
    match decision {
        WriterDecision::Stay => None,
        WriterDecision::Begin { member } => {
            let mut record = cluster.clone();
            record.writer = Some(member.clone());
            Some(change(
                world,
                stored,
                &record,
                &[],
                &format!("{member} is the writer at epoch {}", record.epoch),
            ))
        }
        WriterDecision::Promote { to, reason } => {
            let (_, from) = writer(cluster)?;
            let target = cluster.members.get(&to)?.node.as_ref()?;
            let message = format!("{} failover to DB instance: {to}", started(from, target));
            let record = next_epoch(world, cluster, &to, reason);
            Some(told(world, stored, &record, &message, &to, reason))
        }
        // The attempt before may have failed the same way: the next one waits a little.
        WriterDecision::Remount { .. } if is_under_way(world, cluster) => None,
        WriterDecision::Remount { reason } => {
            let (id, _) = writer(cluster)?;
            let record = next_epoch(world, cluster, id, reason);
            let message = format!("Promoting previous primary again: {id}");
            Some(told(world, stored, &record, &message, id, reason))
        }
        WriterDecision::PlaceAnew { reason } => {
            let (id, from) = writer(cluster)?;
            let node = elsewhere(world, cluster, from)?;
            let message = format!("{} failover to DB instance: {id}", started(from, &node));
            let mut record = next_epoch(world, cluster, id, reason);
            place(record.members.get_mut(id)?, node, world.now);
            Some(told(world, stored, &record, &message, id, reason))
        }
        WriterDecision::DropOrder => {
            let mut record = cluster.clone();
            record.order = None;
            let message = "Cluster failover failed. Check the health of your cluster instances and try again.";
            let told = [Told::cluster(message, EventCategory::Failover)];
            Some(change(world, stored, &record, &told, "no failover"))
        }
    }
}

fn is_under_way(world: &World, cluster: &Cluster) -> bool {
    let failover = cluster.failover.as_ref();
    failover.is_some_and(|f| world.now.millis_since(f.started_at) < REMOUNT_PAUSE_MS)
}

/// Whether the writer's agent reports that it will not open the volume at the present epoch again.
pub(super) fn writer_gave_up(world: &World, cluster: &Cluster) -> bool {
    let report = cluster
        .writer_member()
        .and_then(|member| world.member_report(member.node.as_ref()?, &member.resource_id));
    report.is_some_and(|report| report.gave_up && report.epoch == cluster.epoch)
}

fn writer(cluster: &Cluster) -> Option<(&String, &NodeId)> {
    let id = cluster.writer.as_ref()?;
    Some((id, cluster.members.get(id)?.node.as_ref()?))
}

fn started(from: &NodeId, to: &NodeId) -> &'static str {
    if from.zone() == to.zone() {
        "Started same AZ"
    } else {
        "Started cross AZ"
    }
}

/// The cluster with this writer at the next epoch. No engine runs at it yet, so no endpoint leads anywhere.
fn next_epoch(world: &World, cluster: &Cluster, writer: &str, reason: &str) -> Cluster {
    let mut record = cluster.clone();
    record.epoch = cluster.epoch.next();
    record.failover = Some(ClusterFailover {
        from: cluster.writer.clone().unwrap_or_default(),
        reason: reason.to_owned(),
        started_at: world.now,
    });
    record.writer = Some(writer.to_owned());
    record.serving = None;
    record.order = record
        .order
        .filter(|order| !matches!(order, ClusterOrder::Failover { .. }));
    record.status_detail = Some(reason.to_owned());
    if record.status == ClusterStatus::Available {
        record.status = ClusterStatus::FailingOver;
    }
    for member in record.members.values_mut() {
        if member.state == MemberState::Running {
            set_state(member, MemberState::Building, world.now);
        }
    }
    record
}

fn told(
    world: &World,
    stored: &Stored<Cluster>,
    record: &Cluster,
    message: &str,
    to: &str,
    reason: &str,
) -> Plan {
    let told = [Told::cluster(message, EventCategory::Failover)];
    let what = format!("{to} writes at epoch {}: {reason}", record.epoch);
    change(world, stored, record, &told, &what)
}
