//! Where the six segments of a protection group lie: two in each of three zones.

use std::collections::BTreeMap;

use quorate_base::{NodeId, ZoneName};

use crate::aurora::model::SegmentPlace;

/// Zones of a group.
const ZONES: usize = 3;
/// Segments of a group that must be there for it to take writes.
const WRITE_QUORUM: usize = 4;

/// A node that could hold segments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SegmentNode {
    /// The node.
    pub node: NodeId,
    /// Whether it renews its session.
    pub alive: bool,
    /// How many segments it holds, of all volumes.
    pub segments: usize,
}

/// Places a group: two segments in each of three zones, on two nodes of the zone when two are alive, else on one. A zone
/// that is away gets its two all the same, and has them filled when it returns. None when there are fewer than three
/// zones, or too few nodes alive for the group to take writes.
#[must_use]
pub fn decide_group(nodes: &[SegmentNode]) -> Option<Vec<SegmentPlace>> {
    let mut zones: BTreeMap<ZoneName, Vec<&SegmentNode>> = BTreeMap::new();
    for node in nodes {
        zones.entry(node.node.zone()).or_default().push(node);
    }
    let mut zones: Vec<Vec<&SegmentNode>> = zones.into_values().map(by_preference).collect();
    // Zones with a node alive first; of those, the emptiest. The sort is stable: equals stay in the order of names.
    zones.sort_by_key(|zone| (!zone[0].alive, zone[0].segments));
    if zones.len() < ZONES {
        return None;
    }
    let chosen: Vec<&SegmentNode> = zones
        .iter()
        .take(ZONES)
        .flat_map(|zone| pair(zone))
        .collect();
    if chosen.iter().filter(|node| node.alive).count() < WRITE_QUORUM {
        return None;
    }
    let places = (0..).zip(chosen).map(|(copy, node)| SegmentPlace {
        copy,
        node: node.node.clone(),
    });
    Some(places.collect())
}

fn by_preference(mut zone: Vec<&SegmentNode>) -> Vec<&SegmentNode> {
    zone.sort_by_key(|node| (!node.alive, node.segments, &node.node));
    zone
}

/// The two nodes of a zone; one of them twice when it is the only one that can be counted on.
fn pair<'n>(zone: &[&'n SegmentNode]) -> [&'n SegmentNode; 2] {
    let first = zone[0];
    let second = zone.get(1).filter(|node| node.alive == first.alive);
    [first, second.copied().unwrap_or(first)]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nodes(names: &[&str]) -> Vec<SegmentNode> {
        let node = |name: &&str| SegmentNode {
            node: format!("us-east-1{name}").parse().unwrap(),
            alive: true,
            segments: 0,
        };
        names.iter().map(node).collect()
    }

    fn placed(nodes: &[SegmentNode]) -> Option<Vec<String>> {
        let places = decide_group(nodes)?;
        assert!(places.iter().map(|place| place.copy).eq(0..6));
        let name = |place: &SegmentPlace| place.node.as_str().replace("us-east-1", "");
        Some(places.iter().map(name).collect())
    }

    #[test]
    fn a_zone_with_one_node_gets_both_segments_there() {
        let places = placed(&nodes(&["a-1", "b-1", "c-1"])).unwrap();
        assert_eq!(places, ["a-1", "a-1", "b-1", "b-1", "c-1", "c-1"]);
    }

    #[test]
    fn a_zone_with_several_nodes_spreads_over_the_emptiest_two() {
        let mut nodes = nodes(&["a-1", "a-2", "a-3", "b-1", "c-1", "c-2"]);
        nodes[0].segments = 2;
        nodes[5].alive = false;
        let places = placed(&nodes).unwrap();
        assert_eq!(places, ["a-2", "a-3", "b-1", "b-1", "c-1", "c-1"]);
    }

    #[test]
    fn a_zone_that_is_away_gets_its_segments_while_a_write_quorum_is_alive() {
        let mut nodes = nodes(&["a-1", "b-1", "c-1"]);
        nodes[1].alive = false;
        let places = placed(&nodes).unwrap();
        assert_eq!(places, ["a-1", "a-1", "c-1", "c-1", "b-1", "b-1"]);
        nodes[0].alive = false;
        assert_eq!(placed(&nodes), None);
    }

    #[test]
    fn fewer_than_three_zones_hold_no_volume() {
        assert_eq!(placed(&nodes(&["a-1", "a-2", "b-1", "b-2"])), None);
    }

    #[test]
    fn of_more_than_three_zones_the_emptiest_are_taken() {
        let mut nodes = nodes(&["a-1", "b-1", "c-1", "d-1"]);
        nodes[0].segments = 6;
        let places = placed(&nodes).unwrap();
        assert_eq!(places, ["b-1", "b-1", "c-1", "c-1", "d-1", "d-1"]);
    }
}
