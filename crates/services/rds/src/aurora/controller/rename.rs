//! New identifiers of clusters and members: the record and everything that names it change in one transaction. What lies
//! on disk lies under resource ids.

use quorate_control::Stored;

use crate::aurora::controller::cluster::{Told, change, tell};
use crate::aurora::model::{Cluster, ClusterOrder, ClusterStatus, MemberName};
use crate::aurora::records;
use crate::controller::Plan;
use crate::controller::World;
use crate::model::{EventCategory, Instance, Status};

pub(super) fn rename_cluster(world: &World, stored: &Stored<Cluster>, new_id: &str) -> Plan {
    let mut record = stored.record.clone();
    record.pending.new_id = None;
    record.pending.apply_now &= !record.pending.is_empty();
    if record.status == ClusterStatus::Renaming {
        record.status = ClusterStatus::Available;
    }
    if world.clusters.iter().any(|cluster| cluster.id == new_id) {
        let message = format!("The DB cluster keeps its name: {new_id} is in use");
        let told = [Told::cluster(&message, EventCategory::Notification)];
        return change(world, stored, &record, &told, "not renamed");
    }
    let message = format!("Renamed DB cluster from {} to {new_id}", stored.id);
    let told = [Told::cluster(&message, EventCategory::Notification)];
    let txn = records::renaming(stored, new_id, &record);
    Plan {
        txn: tell(world, new_id, txn, &told),
        what: format!("cluster {}: renamed to {new_id}", stored.id),
    }
}

pub(super) fn rename_member(
    world: &World,
    stored: &Stored<Cluster>,
    id: &str,
    new_id: &str,
) -> Plan {
    let mut record = stored.record.clone();
    if let Some(member) = record.members.get_mut(id) {
        member.pending.new_id = None;
        member.pending.apply_now &= !member.pending.is_empty();
        if member.status == Status::Renaming {
            member.status = Status::Available;
        }
    }
    if world.is_instance_id_taken(new_id) {
        let message = format!("The DB instance keeps its name: {new_id} is in use");
        let told = [Told::member(id, &message, EventCategory::Notification)];
        return change(world, stored, &record, &told, "not renamed");
    }
    if let Some(member) = record.members.remove(id) {
        record.members.insert(new_id.to_owned(), member);
    }
    if record.is_writer(id) {
        record.writer = Some(new_id.to_owned());
    }
    if let Some(ClusterOrder::Failover { to }) = &mut record.order
        && to.as_deref() == Some(id)
    {
        *to = Some(new_id.to_owned());
    }
    for custom in record.endpoints.custom.values_mut() {
        let names = custom.members.names_mut();
        if names.remove(id) {
            names.insert(new_id.to_owned());
        }
    }
    let name = MemberName {
        cluster: record.resource_id.clone(),
    };
    let message = format!("Renamed instance from {id} to {new_id}");
    let told = [Told::member(new_id, &message, EventCategory::Notification)];
    let txn = records::change(stored, &record)
        .discard::<MemberName>(id)
        .insert(new_id, &name)
        .require_absent::<Instance>(new_id);
    Plan {
        txn: tell(world, &stored.id, txn, &told),
        what: format!("cluster {}: {id} renamed to {new_id}", stored.id),
    }
}
