//! Replacing a segment whose node stays away.
//!
//! ```text
//!  {ABCDEF}  --F silent for long, G free-->  {ABCDEF, ABCDEG}  --G filled-->      {ABCDEG}
//!                                                   |  `------G lost, or F back-->  {ABCDEF}
//! ```
//! While there are two sets, writes need four of both and reads three of either, so that either way out is safe at any
//! moment (the Aurora paper of 2018, section 4.1). One segment of a group is replaced at a time.

use quorate_base::NodeId;
use quorate_volume::protocol::MembershipEpoch;

use crate::aurora::decide::segments::SegmentNode;
use crate::aurora::model::{Group, SegmentHealth, SegmentPlace};

/// What the decision is made of.
pub struct RepairFacts<'a> {
    /// Every node of the region.
    pub nodes: &'a [SegmentNode],
    /// How long a node has been without a session.
    pub silent_ms: &'a dyn Fn(&NodeId) -> u64,
    /// What the node of a segment reports of it: the membership that it goes by, and how it is.
    pub health: &'a dyn Fn(&SegmentPlace) -> Option<(MembershipEpoch, SegmentHealth)>,
    /// Whether the writer of the cluster's present epoch says that the second set has everything, counting by the group's
    /// present membership. Nobody else can: an older writer's records may lie on the first set's quorum alone.
    pub filled: bool,
    /// How long a node may be silent before its segments are made elsewhere.
    pub replace_after_ms: u64,
}

/// What to do about a group's segments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RepairDecision {
    /// Nothing.
    Leave,
    /// Begin to replace a segment: the second set has `by` in its place.
    Replace {
        /// The segment whose node is away.
        away: SegmentPlace,
        /// The segment that is to take its place.
        by: SegmentPlace,
    },
    /// The incoming segment has everything: the second set is the only one.
    Finish,
    /// Back to the first set: its segment returned, or the incoming one is lost.
    GoBack,
}

/// Decides about one group.
#[must_use]
pub fn decide_repair(group: &Group, facts: &RepairFacts<'_>) -> RepairDecision {
    if let Some((incoming, outgoing)) = group.replacement() {
        return under_way(incoming, outgoing, facts);
    }
    let Some(present) = group.sets.first() else {
        return RepairDecision::Leave;
    };
    let is_lost =
        |place: &&SegmentPlace| matches!((facts.health)(place), Some((_, SegmentHealth::Lost)));
    if let Some(lost) = present.iter().find(is_lost) {
        return RepairDecision::Replace {
            away: lost.clone(),
            by: SegmentPlace {
                copy: group.next_copy,
                node: lost.node.clone(),
            },
        };
    }
    let away = present
        .iter()
        .filter(|place| (facts.silent_ms)(&place.node) >= facts.replace_after_ms);
    for away in away {
        let free = facts.nodes.iter().filter(|node| {
            node.alive
                && node.node.zone() == away.node.zone()
                && present.iter().all(|place| place.node != node.node)
        });
        if let Some(node) = free.min_by_key(|node| (node.segments, &node.node)) {
            return RepairDecision::Replace {
                away: away.clone(),
                by: SegmentPlace {
                    copy: group.next_copy,
                    node: node.node.clone(),
                },
            };
        }
    }
    RepairDecision::Leave
}

fn under_way(
    incoming: &SegmentPlace,
    outgoing: &SegmentPlace,
    facts: &RepairFacts<'_>,
) -> RepairDecision {
    let health = |place| (facts.health)(place);
    if facts.filled {
        return RepairDecision::Finish;
    }
    let returned = matches!(health(outgoing), Some((_, SegmentHealth::Sound)))
        && (facts.silent_ms)(&outgoing.node) == 0;
    let lost = (facts.silent_ms)(&incoming.node) >= facts.replace_after_ms;
    if returned || lost {
        RepairDecision::GoBack
    } else {
        RepairDecision::Leave
    }
}

/// The group after a decision, at the next membership epoch. None when nothing changes.
#[must_use]
pub fn apply_repair(group: &Group, decision: &RepairDecision) -> Option<Group> {
    let mut after = group.clone();
    match decision {
        RepairDecision::Leave => return None,
        RepairDecision::Replace { away, by } => {
            let present = after.sets.first()?;
            let replaced = |place: &SegmentPlace| {
                if place == away {
                    by.clone()
                } else {
                    place.clone()
                }
            };
            let to_come: Vec<SegmentPlace> = present.iter().map(replaced).collect();
            after.sets.push(to_come);
            after.next_copy = after.next_copy.max(by.copy) + 1;
        }
        RepairDecision::Finish => {
            after.sets.remove(0);
        }
        RepairDecision::GoBack => after.sets.truncate(1),
    }
    after.epoch = group.epoch.next();
    Some(after)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::aurora::decide::segments::decide_group;

    const AFTER_MS: u64 = 1_000;

    /// Two nodes in zone a, one in b, one in c.
    struct Region {
        nodes: Vec<SegmentNode>,
        silent: BTreeMap<String, u64>,
        health: BTreeMap<u32, (MembershipEpoch, SegmentHealth)>,
        group: Group,
        filled: bool,
    }

    impl Region {
        fn new() -> Region {
            let node = |name: &str| SegmentNode {
                node: format!("us-east-1{name}").parse().unwrap(),
                alive: true,
                segments: 0,
            };
            let placed = ["a-1", "a-2", "b-1", "c-1"].map(node);
            let group = Group {
                epoch: MembershipEpoch(1),
                sets: vec![decide_group(&placed).unwrap()],
                next_copy: 6,
                made: Default::default(),
            };
            let mut nodes = placed.to_vec();
            nodes.push(node("a-3"));
            Region {
                nodes,
                silent: BTreeMap::new(),
                health: BTreeMap::new(),
                group,
                filled: false,
            }
        }

        fn silent(mut self, name: &str, for_ms: u64) -> Region {
            let name = format!("us-east-1{name}");
            let node = self.nodes.iter_mut().find(|n| n.node.as_str() == name);
            node.unwrap().alive = for_ms == 0;
            self.silent.insert(name, for_ms);
            self
        }

        fn reports(mut self, copy: u32, membership: u64, health: SegmentHealth) -> Region {
            self.health
                .insert(copy, (MembershipEpoch(membership), health));
            self
        }

        fn decide(&self) -> RepairDecision {
            let silent = |node: &NodeId| self.silent.get(node.as_str()).copied().unwrap_or(0);
            let health = |place: &SegmentPlace| self.health.get(&place.copy).copied();
            decide_repair(
                &self.group,
                &RepairFacts {
                    nodes: &self.nodes,
                    silent_ms: &silent,
                    health: &health,
                    filled: self.filled,
                    replace_after_ms: AFTER_MS,
                },
            )
        }

        fn step(mut self) -> Region {
            self.group = apply_repair(&self.group, &self.decide()).expect("something to do");
            self
        }
    }

    #[test]
    fn a_segment_is_replaced_in_its_zone_when_its_node_stays_away() {
        let region = Region::new();
        assert_eq!(region.decide(), RepairDecision::Leave);
        let region = region.silent("a-1", AFTER_MS - 1);
        assert_eq!(region.decide(), RepairDecision::Leave);
        let region = region.silent("a-1", AFTER_MS).step();
        let (incoming, outgoing) = region.group.replacement().unwrap();
        assert_eq!((incoming.copy, incoming.node.as_str()), (6, "us-east-1a-3"));
        assert_eq!((outgoing.copy, outgoing.node.as_str()), (0, "us-east-1a-1"));
        assert_eq!(region.group.epoch, MembershipEpoch(2));
        assert_eq!(region.group.next_copy, 7);
        assert_eq!(region.group.segments().len(), 7);
    }

    #[test]
    fn a_segment_that_its_node_has_lost_is_made_there_under_another_number() {
        let region = Region::new().reports(0, 0, SegmentHealth::Lost).step();
        let (incoming, outgoing) = region.group.replacement().unwrap();
        assert_eq!((incoming.copy, outgoing.copy), (6, 0));
        assert_eq!(incoming.node, outgoing.node);
        assert_eq!(region.decide(), RepairDecision::Leave);
    }

    #[test]
    fn a_zone_without_another_node_stays_degraded() {
        let region = Region::new().silent("b-1", 10 * AFTER_MS);
        assert_eq!(region.decide(), RepairDecision::Leave);
    }

    #[test]
    fn the_new_segment_stays_once_it_is_filled_in_the_present_membership() {
        let region = Region::new().silent("a-1", AFTER_MS).step();
        let region = region.reports(6, 2, SegmentHealth::Sound);
        assert_eq!(
            region.decide(),
            RepairDecision::Leave,
            "the writer has to say so"
        );
        let mut region = Region {
            filled: true,
            ..region
        }
        .step();
        region.filled = false;
        assert_eq!(region.group.sets.len(), 1);
        assert!(region.group.sets[0].iter().all(|place| place.copy != 0));
        assert_eq!(region.group.epoch, MembershipEpoch(3));
        assert_eq!(region.decide(), RepairDecision::Leave);
    }

    #[test]
    fn a_node_that_returns_first_keeps_its_segment() {
        let region = Region::new().silent("a-1", AFTER_MS).step();
        let region = region
            .silent("a-1", 0)
            .reports(0, 1, SegmentHealth::Sound)
            .step();
        assert_eq!(region.group.sets.len(), 1);
        assert!(region.group.sets[0].iter().any(|place| place.copy == 0));
        assert_eq!(region.group.next_copy, 7, "a number is given once");
    }

    #[test]
    fn a_lost_replacement_is_given_up_and_another_one_tried() {
        let region = Region::new().silent("a-1", AFTER_MS).step();
        let region = region.silent("a-3", AFTER_MS).step();
        assert_eq!(region.group.sets.len(), 1);
        let region = region.silent("a-3", 0).step();
        assert_eq!(region.group.replacement().unwrap().0.copy, 7);
    }
}
