//! A cluster's volume: its first placement, its growth, the replacement of lost segments.

use std::collections::BTreeSet;

use quorate_base::NodeId;
use quorate_control::{Stored, Txn};
use quorate_volume::protocol::{GroupIndex, MembershipEpoch, VolumeEpoch};

use crate::aurora::decide::repair::{RepairDecision, RepairFacts, apply_repair, decide_repair};
use crate::aurora::decide::segments::{SegmentNode, decide_group};
use crate::aurora::model::{Cluster, Group, SegmentPlace, Volume};
use crate::catalogue::Program;
use crate::controller::Plan;
use crate::controller::World;
use crate::model::Desired;

/// Makes the record of a volume that is not there.
pub(super) fn plan_creation(world: &World, stored: &Stored<Cluster>) -> Option<Plan> {
    let cluster = &stored.record;
    if world.volumes.contains_key(&cluster.resource_id) || cluster.desired == Desired::Deleted {
        return None;
    }
    let config = &world.config.aurora;
    let of_source = cluster.restore.as_ref();
    let own_bytes = Program::of_version(&cluster.settings.engine_version).page_bytes();
    let page_bytes = of_source.map_or(own_bytes, |restore| restore.page_bytes);
    let own_pages = config.pages_per_group(page_bytes);
    let volume = Volume {
        page_bytes,
        pages_per_group: of_source.map_or(own_pages, |restore| restore.pages_per_group),
        groups: vec![new_group(world)?],
        wanted_groups: 1,
        origin: None,
    };
    Some(Plan {
        txn: Txn::new()
            .insert(&cluster.resource_id, &volume)
            .require(stored),
        what: format!("cluster {}: volume placed", stored.id),
    })
}

/// The first change that is due to a volume, if any is.
pub(crate) fn plan_volume(world: &World, stored: &Stored<Volume>) -> Option<Plan> {
    plan_growth(world, stored).or_else(|| plan_repair(world, stored))
}

fn plan_growth(world: &World, stored: &Stored<Volume>) -> Option<Plan> {
    let volume = &stored.record;
    if u32::try_from(volume.groups.len()).ok()? >= volume.wanted_groups {
        return None;
    }
    let mut record = volume.clone();
    record.groups.push(new_group(world)?);
    let what = format!("grows to {} protection groups", record.groups.len());
    Some(change(stored, &record, &what))
}

fn plan_repair(world: &World, stored: &Stored<Volume>) -> Option<Plan> {
    let nodes = nodes(world);
    let silent_ms = |node: &NodeId| world.silent_ms(node);
    for (index, group) in (0..).zip(&stored.record.groups) {
        let group_index = GroupIndex(index);
        let health = |place: &SegmentPlace| {
            let report = world.volume_report(&place.node, &stored.id)?;
            let segment = report.segment(group_index, place.copy)?;
            Some((segment.membership, segment.health))
        };
        let decision = decide_repair(
            group,
            &RepairFacts {
                nodes: &nodes,
                silent_ms: &silent_ms,
                health: &health,
                filled: is_filled(world, stored, group_index, group.epoch),
                replace_after_ms: world.config.aurora.replace_after_ms,
            },
        );
        if let Some(after) = apply_repair(group, &decision) {
            let mut record = stored.record.clone();
            *record.groups.get_mut(usize::try_from(index).ok()?)? = after;
            let what = format!("group {index}: {}", told(&decision));
            return Some(change(stored, &record, &what));
        }
    }
    None
}

/// Whether the writer of the cluster's present epoch says that the group's second set has everything.
fn is_filled(
    world: &World,
    stored: &Stored<Volume>,
    group: GroupIndex,
    membership: MembershipEpoch,
) -> bool {
    let mut clusters = world.clusters.iter();
    let cluster = clusters.find(|cluster| cluster.record.resource_id == stored.id);
    let epoch = cluster.map(|cluster| VolumeEpoch(cluster.record.epoch.0));
    let mut reports = world
        .nodes()
        .filter_map(|(node, _)| world.volume_report(node, &stored.id)?.writer);
    reports
        .any(|writer| Some(writer.epoch) == epoch && writer.filled.contains(&(group, membership)))
}

fn told(decision: &RepairDecision) -> String {
    match decision {
        RepairDecision::Leave => String::from("left as it is"),
        RepairDecision::Replace { away, by } => format!(
            "segment {} on {} is to replace {} on {}",
            by.copy, by.node, away.copy, away.node
        ),
        RepairDecision::Finish => String::from("segment replaced"),
        RepairDecision::GoBack => String::from("replacement given up"),
    }
}

fn change(stored: &Stored<Volume>, record: &Volume, what: &str) -> Plan {
    Plan {
        txn: Txn::new().replace(stored, record),
        what: format!("volume {}: {what}", stored.id),
    }
}

fn new_group(world: &World) -> Option<Group> {
    let places = decide_group(&nodes(world))?;
    Some(Group {
        epoch: MembershipEpoch(1),
        next_copy: u32::try_from(places.len()).ok()?,
        made: BTreeSet::new(),
        sets: vec![places],
    })
}

fn nodes(world: &World) -> Vec<SegmentNode> {
    let held = |node: &NodeId| {
        let groups = world.volumes.values().flat_map(|v| &v.record.groups);
        groups
            .flat_map(Group::segments)
            .filter(|place| place.node == *node)
            .count()
    };
    world
        .nodes()
        .map(|(node, alive)| SegmentNode {
            node: node.clone(),
            alive,
            segments: held(node),
        })
        .collect()
}
