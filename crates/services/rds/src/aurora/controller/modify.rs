//! Pending changes that are due: from `pending` into what is in force.

use quorate_base::is_within_window;
use quorate_control::Stored;

use crate::aurora::controller::cluster::{Told, change};
use crate::aurora::controller::rename::{rename_cluster, rename_member};
use crate::aurora::model::{Cluster, ClusterStatus, MemberDesired, MemberOrder};
use crate::controller::Plan;
use crate::controller::World;
use crate::model::{Desired, EventCategory, Status};

/// The next change of a modification.
pub(super) fn plan_modification(world: &World, stored: &Stored<Cluster>) -> Option<Plan> {
    let cluster = &stored.record;
    if cluster.desired == Desired::Deleted {
        return None;
    }
    let due = cluster.pending.apply_now
        || is_within_window(&cluster.settings.maintenance_window, world.now);
    take_port(world, stored)
        .or_else(|| take_password(world, stored).filter(|_| due))
        .or_else(|| {
            let new_id = cluster.pending.new_id.as_deref().filter(|_| due)?;
            Some(rename_cluster(world, stored, new_id))
        })
        .or_else(|| take_member_changes(world, stored))
}

fn take_password(world: &World, stored: &Stored<Cluster>) -> Option<Plan> {
    let mut record = stored.record.clone();
    record.settings.master_verifier = record.pending.master_verifier.take()?;
    settle_pending(&mut record);
    if record.desired == Desired::Running {
        record.status = ClusterStatus::ResettingMasterCredentials;
    }
    Some(change(world, stored, &record, &[], "new master password"))
}

fn take_port(world: &World, stored: &Stored<Cluster>) -> Option<Plan> {
    let mut record = stored.record.clone();
    let port = record.pending.port.take()?;
    settle_pending(&mut record);
    record.endpoints.writer_port = port;
    record.settings.port_asked = port;
    let what = format!("the cluster endpoint moves to port {port}");
    Some(change(world, stored, &record, &[], &what))
}

/// Whether a member takes changes on: also one that does not start, as that may be what mends it.
fn is_settled(status: Status) -> bool {
    matches!(
        status,
        Status::Available | Status::Renaming | Status::Failed | Status::IncompatibleParameters
    )
}

fn settle_pending(record: &mut Cluster) {
    record.pending.apply_now &= !record.pending.is_empty();
}

fn take_member_changes(world: &World, stored: &Stored<Cluster>) -> Option<Plan> {
    let cluster = &stored.record;
    let due = cluster.members.iter().find(|(_, member)| {
        member.desired == MemberDesired::Running
            && !member.pending.is_empty()
            && is_settled(member.status)
            && (member.pending.apply_now || is_within_window(&member.maintenance_window, world.now))
    });
    let (id, member) = due?;
    if let Some(new_id) = &member.pending.new_id {
        return Some(rename_member(world, stored, id, new_id));
    }
    let mut record = cluster.clone();
    let changed = record.members.get_mut(id)?;
    let pending = std::mem::take(&mut changed.pending);
    changed.class = pending.class?;
    // Another class is another way to start the engine, whatever the parameters say.
    changed.order = Some(MemberOrder::Reboot);
    changed.status = Status::Modifying;
    let message = "Applying modification to the DB instance";
    let told = [Told::member(
        id,
        message,
        EventCategory::ConfigurationChange,
    )];
    let what = format!("{id}: modification taken on");
    Some(change(world, stored, &record, &told, &what))
}
