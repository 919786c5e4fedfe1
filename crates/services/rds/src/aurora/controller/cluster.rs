//! The first change that is due to a cluster.

use quorate_control::{Stored, Txn};

use crate::aurora::controller::volume::plan_creation;
use crate::aurora::controller::{member, modify, restore, snapshot, status, writer};
use crate::aurora::model::{Cluster, Volume};
use crate::aurora::records;
use crate::controller::Plan;
use crate::controller::World;
use crate::events::{cluster_event, instance_event};
use crate::model::{Desired, EventCategory};

/// Something to tell of a change: of the cluster, or of one of its members.
pub(super) struct Told<'a> {
    pub(super) member: Option<&'a str>,
    pub(super) message: &'a str,
    pub(super) category: EventCategory,
}

impl<'a> Told<'a> {
    pub(super) fn cluster(message: &'a str, category: EventCategory) -> Told<'a> {
        Told {
            member: None,
            message,
            category,
        }
    }

    pub(super) fn member(member: &'a str, message: &'a str, category: EventCategory) -> Told<'a> {
        Told {
            member: Some(member),
            message,
            category,
        }
    }
}

/// The first change that is due to a cluster, if any is.
pub(crate) fn plan_cluster(world: &World, stored: &Stored<Cluster>) -> Option<Plan> {
    if stored.record.desired == Desired::Deleted && stored.record.members.is_empty() {
        let is_read = restore::is_read(world, &stored.record);
        return (!is_read).then(|| plan_removal(world, stored));
    }
    plan_creation(world, stored)
        .or_else(|| restore::plan_restore(world, stored))
        .or_else(|| status::plan_unwritable(world, stored))
        .or_else(|| writer::plan_writer(world, stored))
        .or_else(|| member::plan_silence(world, stored))
        .or_else(|| member::plan_departure(world, stored))
        .or_else(|| member::plan_placement(world, stored))
        .or_else(|| modify::plan_modification(world, stored))
        .or_else(|| snapshot::plan_backed_up(world, stored))
        .or_else(|| status::plan_status(world, stored))
        .or_else(|| status::plan_member_status(world, stored))
        .or_else(|| status::plan_storage_detail(world, stored))
}

/// Replaces the record with what follows from it, and tells events.
pub(super) fn change(
    world: &World,
    stored: &Stored<Cluster>,
    record: &Cluster,
    told: &[Told<'_>],
    what: &str,
) -> Plan {
    Plan {
        txn: tell(world, &stored.id, records::change(stored, record), told),
        what: format!("cluster {}: {what}", stored.id),
    }
}

/// Adds events to a transaction. `cluster` is the identifier under which the cluster is told of.
pub(super) fn tell(world: &World, cluster: &str, txn: Txn, told: &[Told<'_>]) -> Txn {
    told.iter().fold(txn, |txn, told| {
        let owner = &world.config.owner;
        let (id, event) = match told.member {
            Some(member) => instance_event(world.now, owner, member, told.message, told.category),
            None => cluster_event(world.now, owner, cluster, told.message, told.category),
        };
        txn.put(&id, &event)
    })
}

/// A deleted cluster goes with its endpoints and its volume once it has no members. Nodes drop the segments of volumes
/// that are not in the catalog.
fn plan_removal(world: &World, stored: &Stored<Cluster>) -> Plan {
    let txn = records::removal(stored).discard::<Volume>(&stored.record.resource_id);
    let told = Told::cluster("DB cluster deleted", EventCategory::Deletion);
    Plan {
        txn: tell(world, &stored.id, txn, &[told]),
        what: format!("cluster {}: removed", stored.id),
    }
}
