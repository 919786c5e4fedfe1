//! Members: where they run, and how they leave.

use quorate_base::{NodeId, UnixMillis, ZoneName};
use quorate_control::Stored;

use crate::aurora::controller::cluster::{Told, change, tell};
use crate::aurora::model::{Cluster, ClusterMember, MemberDesired, MemberName};
use crate::aurora::records::{self, set_state};
use crate::controller::Plan;
use crate::controller::World;
use crate::decide::placement::{NodeFacts, decide_placement};
use crate::model::{Desired, EventCategory, MemberState};

/// Endpoints lead away from members whose node is silent. Their agents say `Running` again when they are back.
pub(super) fn plan_silence(world: &World, stored: &Stored<Cluster>) -> Option<Plan> {
    let mut record = stored.record.clone();
    let mut silent = Vec::new();
    for (id, member) in &mut record.members {
        let away = member.node.as_ref().is_some_and(|n| !world.is_alive(n));
        if away && member.state == MemberState::Running {
            set_state(member, MemberState::Building, world.now);
            silent.push(id.as_str());
        }
    }
    if silent.is_empty() {
        return None;
    }
    let what = format!("the node of {} does not answer", silent.join(", "));
    Some(change(world, stored, &record, &[], &what))
}

/// Takes a deleted member out of the cluster once its node has let go of it, or is away: it then finds when it returns
/// that nobody wants what it has.
pub(super) fn plan_departure(world: &World, stored: &Stored<Cluster>) -> Option<Plan> {
    let cluster = &stored.record;
    let gone = |(id, member): &(&String, &ClusterMember)| {
        member.node.as_ref().is_none_or(|n| !world.is_alive(n)) && records::may_let_go(cluster, id)
    };
    let (id, _) = cluster.members.iter().find(gone)?;
    let mut record = cluster.clone();
    record.members.remove(id);
    for custom in record.endpoints.custom.values_mut() {
        custom.members.names_mut().remove(id);
    }
    if cluster.is_writer(id) {
        // The next writer mounts anew, and may do so only at an epoch that nobody has had.
        record.writer = None;
        record.serving = None;
        record.failover = None;
        record.epoch = cluster.epoch.next();
    }
    let txn = records::change(stored, &record).discard::<MemberName>(id);
    let told = [Told::member(
        id,
        "DB instance deleted",
        EventCategory::Deletion,
    )];
    Some(Plan {
        txn: tell(world, &stored.id, txn, &told),
        what: format!("cluster {}: {id} is gone", stored.id),
    })
}

/// Gives a node to a member that has none, and another one to a reader whose node stays away.
pub(super) fn plan_placement(world: &World, stored: &Stored<Cluster>) -> Option<Plan> {
    let cluster = &stored.record;
    if cluster.desired != Desired::Running {
        return None;
    }
    let wanted = |member: &ClusterMember| member.desired == MemberDesired::Running;
    for (id, member) in cluster.members.iter().filter(|(_, member)| wanted(member)) {
        let node = match &member.node {
            None => for_member(world, cluster, id, member),
            Some(away)
                if !cluster.is_writer(id)
                    && world.silent_ms(away) >= world.config.aurora.replace_after_ms =>
            {
                elsewhere(world, cluster, away)
            }
            Some(_) => None,
        };
        let Some(node) = node else {
            continue;
        };
        let mut record = cluster.clone();
        let what = format!("{id} placed on {node}");
        place(record.members.get_mut(id)?, node, world.now);
        return Some(change(world, stored, &record, &[], &what));
    }
    None
}

/// Puts a member on a node, where it begins with nothing.
pub(super) fn place(member: &mut ClusterMember, node: NodeId, now: UnixMillis) {
    member.node = Some(node);
    member.address = None;
    member.following = None;
    // A number that nothing earlier on the same node carries: seconds of the clock.
    member.incarnation = u32::try_from(now.0 / 1_000).unwrap_or(u32::MAX);
    member.state = MemberState::Placed;
    member.since = now;
}

/// A node in the zone asked for; else in a zone that has no other member of the cluster; else any.
fn for_member(
    world: &World,
    cluster: &Cluster,
    id: &str,
    member: &ClusterMember,
) -> Option<NodeId> {
    let places = places(world, cluster);
    if let Some(zone) = &member.zone {
        return decide_placement(&places, Some(zone), &[]);
    }
    let others = cluster.members.iter().filter(|(other, _)| *other != id);
    let taken: Vec<ZoneName> = others
        .filter_map(|(_, other)| other.node.as_ref().map(NodeId::zone))
        .collect();
    decide_placement(&places, None, &taken).or_else(|| decide_placement(&places, None, &[]))
}

/// A node for a member that loses the one it has: in a zone where the cluster has no member, in another zone, or at
/// least another node.
pub(super) fn elsewhere(world: &World, cluster: &Cluster, away: &NodeId) -> Option<NodeId> {
    let mut places = places(world, cluster);
    places.retain(|place| place.node != *away);
    let nodes = cluster.members.values().filter_map(|m| m.node.as_ref());
    let taken: Vec<ZoneName> = nodes.map(NodeId::zone).collect();
    decide_placement(&places, None, &taken)
        .or_else(|| decide_placement(&places, None, &[away.zone()]))
        .or_else(|| decide_placement(&places, None, &[]))
}

fn places(world: &World, cluster: &Cluster) -> Vec<NodeFacts> {
    world.mount_places(&cluster.settings.engine_version)
}
