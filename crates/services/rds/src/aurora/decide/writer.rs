//! Who writes a cluster's volume.
//!
//! Invariants
//! - What keeps two writers apart is the volume epoch, not this decision: each one here costs one epoch, and segments
//!   refuse the older one. So a decision may be taken on a guess, and any member can take over without loss.
//! - A cluster that should not run, or whose volume is being filled, gets no new writer. Nor does one whose volume cannot be
//!   opened: a reader that is made the writer stops to read, and would wait for segments that are away.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use quorate_base::NodeId;

use crate::aurora::model::{Cluster, ClusterMember, ClusterOrder, MemberDesired};
use crate::catalogue::find_class;
use crate::model::Desired;

/// What the decision is made of: one consistent look at the catalog and at the leader's sessions.
#[derive(Debug, Clone)]
pub struct WriterFacts<'a> {
    /// The cluster.
    pub cluster: &'a Cluster,
    /// The nodes that renew their sessions.
    pub alive: &'a BTreeSet<NodeId>,
    /// Whether the writer's agent reports, of the present epoch, that mount or engine ended for good.
    pub writer_gave_up: bool,
    /// Whether every protection group has a write quorum of segments on nodes that were heard of and are alive.
    pub writable: bool,
}

/// What to do about the writer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WriterDecision {
    /// Nothing.
    Stay,
    /// The cluster has no writer: this member becomes it, at the present epoch.
    Begin {
        /// The member.
        member: String,
    },
    /// This member becomes the writer, at the next epoch.
    Promote {
        /// The member.
        to: String,
        /// Why, in a few words.
        reason: &'static str,
    },
    /// The writer mounts again where it is, at the next epoch.
    Remount {
        /// Why, in a few words.
        reason: &'static str,
    },
    /// The writer's node is lost and nobody else can take over: the writer is made on another node, at the next epoch.
    PlaceAnew {
        /// Why, in a few words.
        reason: &'static str,
    },
    /// The failover that was ordered has nobody to go to any more.
    DropOrder,
}

const SILENT: &str = "the writer's node does not answer";
const GAVE_UP: &str = "the database engine of the writer stopped";
const DELETED: &str = "the writer is being deleted";
const ORDERED: &str = "a user asked for it";

/// Decides who writes.
#[must_use]
pub fn decide_writer(facts: &WriterFacts<'_>) -> WriterDecision {
    let cluster = facts.cluster;
    if cluster.desired != Desired::Running || cluster.restore.is_some() {
        return WriterDecision::Stay;
    }
    let writer = cluster.writer_member();
    if cluster.order.is_some() && (writer.is_none() || cluster.unwritable.is_some()) {
        return WriterDecision::DropOrder;
    }
    if !facts.writable {
        return WriterDecision::Stay;
    }
    let Some(writer) = writer else {
        return first_writer(facts);
    };
    let Some(node) = &writer.node else {
        return WriterDecision::Stay;
    };
    let promote = |to: &String, reason| WriterDecision::Promote {
        to: to.clone(),
        reason,
    };
    let running = best_reader(facts, None).filter(|(_, member)| cluster.runs(member));
    if !facts.alive.contains(node) {
        return match best_reader(facts, None) {
            Some((to, _)) => promote(to, SILENT),
            None if writer.desired == MemberDesired::Deleted => WriterDecision::Stay,
            None => WriterDecision::PlaceAnew { reason: SILENT },
        };
    }
    if facts.writer_gave_up && writer.desired == MemberDesired::Running {
        return match running {
            Some((to, _)) => promote(to, GAVE_UP),
            None => WriterDecision::Remount { reason: GAVE_UP },
        };
    }
    if writer.desired == MemberDesired::Deleted {
        return match best_reader(facts, None) {
            Some((to, _)) => promote(to, DELETED),
            None => WriterDecision::Stay,
        };
    }
    match &cluster.order {
        None => WriterDecision::Stay,
        Some(ClusterOrder::Failover { to }) => {
            let best = best_reader(facts, to.as_deref());
            match best.filter(|(_, member)| cluster.runs(member)) {
                Some((to, _)) => promote(to, ORDERED),
                None => WriterDecision::DropOrder,
            }
        }
    }
}

/// Of the members that have a place, the one that was asked for first.
fn first_writer(facts: &WriterFacts<'_>) -> WriterDecision {
    let placed = facts
        .cluster
        .members
        .iter()
        .filter(|(_, member)| can_lead(facts, member));
    placed
        .min_by_key(|(id, member)| (member.created_at, *id))
        .map_or(WriterDecision::Stay, |(id, _)| WriterDecision::Begin {
            member: id.clone(),
        })
}

/// The reader that takes over: one that runs before one that does not, the lowest tier, the largest class, the first
/// by name. With `only`, that one or none.
fn best_reader<'a>(
    facts: &WriterFacts<'a>,
    only: Option<&str>,
) -> Option<(&'a String, &'a ClusterMember)> {
    let cluster = facts.cluster;
    let memory = |class: &str| find_class(class).map_or(0, |class| class.memory_bytes);
    cluster
        .readers()
        .filter(|(id, member)| only.is_none_or(|only| only == *id) && can_lead(facts, member))
        .min_by_key(|(id, member)| {
            (
                !cluster.runs(member),
                member.promotion_tier,
                Reverse(memory(&member.class)),
                *id,
            )
        })
}

fn can_lead(facts: &WriterFacts<'_>, member: &ClusterMember) -> bool {
    let alive = |node: &NodeId| facts.alive.contains(node);
    member.desired == MemberDesired::Running && member.node.as_ref().is_some_and(alive)
}

#[cfg(test)]
mod tests;
