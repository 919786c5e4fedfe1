//! Statuses of clusters and of members.

use quorate_control::Stored;

use crate::aurora::controller::cluster::{Told, change};
use crate::aurora::controller::writer::writer_gave_up;
use crate::aurora::decide::lifecycle::{decide_cluster_status, decide_member_status};
use crate::aurora::decide::quorum::unwritable_group;
use crate::aurora::model::{Cluster, ClusterStatus, STORAGE_DETAIL, few_segments};
use crate::controller::Plan;
use crate::controller::World;
use crate::model::{EventCategory, Status};

/// The end of a change of writer, or the cluster's next status.
pub(super) fn plan_status(world: &World, stored: &Stored<Cluster>) -> Option<Plan> {
    plan_failover_end(world, stored).or_else(|| plan_next_status(world, stored))
}

fn plan_failover_end(world: &World, stored: &Stored<Cluster>) -> Option<Plan> {
    let cluster = &stored.record;
    cluster.failover.as_ref().filter(|_| cluster.is_serving())?;
    let mut record = cluster.clone();
    record.failover = None;
    record.status_detail = None;
    if record.status == ClusterStatus::FailingOver {
        record.status = ClusterStatus::Available;
    }
    let message = format!(
        "Completed failover to DB instance: {}",
        cluster.writer.as_deref().unwrap_or_default()
    );
    let told = [Told::cluster(&message, EventCategory::Failover)];
    Some(change(world, stored, &record, &told, "failover completed"))
}

fn plan_next_status(world: &World, stored: &Stored<Cluster>) -> Option<Plan> {
    let cluster = &stored.record;
    let placed = world
        .volumes
        .get(&cluster.resource_id)
        .is_some_and(|volume| !volume.record.groups.is_empty());
    let next = decide_cluster_status(cluster, &world.alive(), placed)?;
    let mut record = cluster.clone();
    record.status = next.to;
    if next.to == ClusterStatus::Stopped {
        // What runs next mounts anew, and may do so only at an epoch that nobody has had.
        record.epoch = cluster.epoch.next();
        record.serving = None;
        record.failover = None;
    }
    let told: Vec<Told<'_>> = next
        .message
        .iter()
        .map(|message| Told::cluster(message, next.category))
        .collect();
    let what = format!("status {}", next.to);
    Some(change(world, stored, &record, &told, &what))
}

/// Whether the cluster's volume can be opened: nodes with enough of its segments were heard of.
pub(super) fn is_writable(world: &World, cluster: &Cluster) -> bool {
    let volume = world.volumes.get(&cluster.resource_id);
    volume.is_none_or(|volume| unwritable_group(&volume.record, &world.heard()).is_none())
}

/// Agents find in the record that the volume takes no writes.
pub(super) fn plan_unwritable(world: &World, stored: &Stored<Cluster>) -> Option<Plan> {
    let cluster = &stored.record;
    let volume = world.volumes.get(&cluster.resource_id);
    let unwritable = volume.and_then(|volume| unwritable_group(&volume.record, &world.alive()));
    // The writer's node is there and its engine is not: nobody is to follow it, and no endpoint leads there.
    let is_over = unwritable.is_some() && cluster.is_serving() && writer_gave_up(world, cluster);
    if unwritable == cluster.unwritable && !is_over {
        return None;
    }
    let what = unwritable.map_or_else(
        || String::from("every protection group has a write quorum again"),
        |group| format!("protection group {group} has no write quorum"),
    );
    let mut record = cluster.clone();
    record.unwritable = unwritable;
    if is_over {
        record.serving = None;
    }
    Some(change(world, stored, &record, &[], &what))
}

/// That the volume takes no writes stands in the cluster's detail, while nodes are away or the writer's agent says so. It
/// goes before the reason of a failover under way, which waits for the same segments.
pub(super) fn plan_storage_detail(world: &World, stored: &Stored<Cluster>) -> Option<Plan> {
    let cluster = &stored.record;
    let report = cluster
        .writer_member()
        .and_then(|member| world.member_report(member.node.as_ref()?, &member.resource_id));
    let of_storage = |detail: &String| detail.starts_with(STORAGE_DETAIL);
    let told = report.and_then(|report| report.detail).filter(of_storage);
    let seen = cluster.unwritable.map(few_segments);
    let is_seen = seen.is_some();
    let told = seen.or(told);
    let present = cluster.status_detail.as_ref();
    if !(is_seen || present.is_none_or(of_storage)) || present == told.as_ref() {
        return None;
    }
    let what = told.clone().unwrap_or_else(|| "storage is back".to_owned());
    let mut record = cluster.clone();
    let failover = cluster.failover.as_ref();
    record.status_detail = told.or(failover.map(|failover| failover.reason.clone()));
    Some(change(world, stored, &record, &[], &what))
}

/// The next status of the first member that has one.
pub(super) fn plan_member_status(world: &World, stored: &Stored<Cluster>) -> Option<Plan> {
    let cluster = &stored.record;
    let (id, next) = cluster
        .members
        .iter()
        .find_map(|(id, member)| Some((id, decide_member_status(cluster, id, member)?)))?;
    let mut record = cluster.clone();
    record.members.get_mut(id)?.status = next.to;
    let of_member = format!("{id}: ");
    let about_it = |detail: &String| detail.starts_with(&of_member);
    if next.to == Status::Available && record.status_detail.as_ref().is_some_and(about_it) {
        record.status_detail = None;
    }
    let told: Vec<Told<'_>> = next
        .message
        .iter()
        .map(|message| Told::member(id, message, next.category))
        .collect();
    let what = format!("{id} {}", next.to);
    Some(change(world, stored, &record, &told, &what))
}
