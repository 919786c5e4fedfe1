//! Which node gets a member.

use std::cmp::Reverse;

use quorate_base::{NodeId, ZoneName};

/// A node that could run a member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeFacts {
    /// The node.
    pub node: NodeId,
    /// Whether it renews its session.
    pub alive: bool,
    /// Whether it has the engine version that is needed.
    pub has_engine: bool,
    /// How many members of all caches it runs.
    pub members: usize,
}

/// Picks the node of a member: alive and with the engine; in the zone asked for, where that can be had; else where the
/// fewest of `beside` (the zones of the shard's other members) are; of those the one with the fewest members, and the first by name.
#[must_use]
pub fn decide_placement(
    nodes: &[NodeFacts],
    zone: Option<&ZoneName>,
    beside: &[ZoneName],
) -> Option<NodeId> {
    let able = nodes.iter().filter(|n| n.alive && n.has_engine);
    let rank = |facts: &&NodeFacts| {
        let own = facts.node.zone();
        let wanted = zone.is_some_and(|zone| *zone == own);
        let shared = beside.iter().filter(|zone| **zone == own).count();
        (Reverse(wanted), shared, facts.members, facts.node.clone())
    };
    able.min_by_key(rank).map(|facts| facts.node.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn zone(letter: char) -> ZoneName {
        format!("us-east-1{letter}").parse().unwrap()
    }

    fn nodes() -> Vec<NodeFacts> {
        ['a', 'b', 'c']
            .map(|letter| NodeFacts {
                node: zone(letter).node(1),
                alive: true,
                has_engine: true,
                members: 1,
            })
            .into()
    }

    #[test]
    fn members_of_a_shard_are_spread_over_zones() {
        let nodes = nodes();
        let mut zones = Vec::new();
        for _ in 0..6 {
            let node = decide_placement(&nodes, None, &zones).unwrap();
            zones.push(node.zone());
        }
        for letter in ['a', 'b', 'c'] {
            assert_eq!(zones.iter().filter(|z| **z == zone(letter)).count(), 2);
        }
    }

    #[test]
    fn the_zone_asked_for_is_taken_while_it_lives() {
        let mut nodes = nodes();
        let asked = Some(&zone('c')).cloned();
        let beside = [zone('c'), zone('c')];
        let place = |nodes: &[NodeFacts]| decide_placement(nodes, asked.as_ref(), &beside);
        assert_eq!(place(&nodes), Some(zone('c').node(1)));
        nodes[2].alive = false;
        assert_eq!(place(&nodes), Some(zone('a').node(1)));
    }

    #[test]
    fn the_emptiest_able_node_is_taken() {
        let mut nodes = nodes();
        nodes[1].members = 0;
        assert_eq!(decide_placement(&nodes, None, &[]), Some(zone('b').node(1)));
        nodes[1].has_engine = false;
        nodes[0].alive = false;
        assert_eq!(decide_placement(&nodes, None, &[]), Some(zone('c').node(1)));
        nodes[2].has_engine = false;
        assert_eq!(decide_placement(&nodes, None, &[]), None);
    }
}
