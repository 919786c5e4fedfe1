//! Which node gets a member.

use quorate_base::{NodeId, ZoneName};

/// A node that could hold a member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeFacts {
    /// The node.
    pub node: NodeId,
    /// Whether it renews its session.
    pub alive: bool,
    /// Whether it has the engine version that is needed.
    pub has_engine: bool,
    /// How many members it holds.
    pub members: usize,
}

/// Picks the node for a member: alive, with the engine, in the zone asked for, in none of the zones to avoid;
/// the one with the fewest members, and of those the first by name.
#[must_use]
pub fn decide_placement(
    nodes: &[NodeFacts],
    zone: Option<&ZoneName>,
    avoid: &[ZoneName],
) -> Option<NodeId> {
    nodes
        .iter()
        .filter(|n| n.alive && n.has_engine)
        .filter(|n| zone.is_none_or(|zone| n.node.zone() == *zone))
        .filter(|n| !avoid.contains(&n.node.zone()))
        .min_by(|a, b| (a.members, &a.node).cmp(&(b.members, &b.node)))
        .map(|n| n.node.clone())
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
    fn the_emptiest_node_is_taken_and_the_first_of_equals() {
        let mut nodes = nodes();
        assert_eq!(decide_placement(&nodes, None, &[]), Some(zone('a').node(1)));
        nodes[2].members = 0;
        assert_eq!(decide_placement(&nodes, None, &[]), Some(zone('c').node(1)));
    }

    #[test]
    fn a_standby_goes_to_another_zone() {
        assert_eq!(
            decide_placement(&nodes(), None, &[zone('a')]),
            Some(zone('b').node(1))
        );
    }

    #[test]
    fn the_zone_asked_for_is_taken_or_none() {
        let mut nodes = nodes();
        assert_eq!(
            decide_placement(&nodes, Some(&zone('c')), &[]),
            Some(zone('c').node(1))
        );
        nodes[2].alive = false;
        assert_eq!(decide_placement(&nodes, Some(&zone('c')), &[]), None);
    }

    #[test]
    fn a_node_without_the_engine_is_passed_over() {
        let mut nodes = nodes();
        nodes[0].has_engine = false;
        nodes[1].has_engine = false;
        assert_eq!(decide_placement(&nodes, None, &[]), Some(zone('c').node(1)));
    }
}
