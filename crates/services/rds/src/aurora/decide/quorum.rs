//! Whether a volume can be opened and written at the moment, as far as the nodes' sessions tell.

use std::collections::BTreeSet;

use quorate_base::NodeId;
use quorate_volume::protocol::{GroupIndex, WRITE_QUORUM};

use crate::aurora::model::{Group, Volume};

/// The first group that takes no writes: of one of its sets, fewer than a write quorum of segments lie on nodes that are
/// alive.
#[must_use]
pub fn unwritable_group(volume: &Volume, alive: &BTreeSet<NodeId>) -> Option<GroupIndex> {
    let mut groups = (0..).map(GroupIndex).zip(&volume.groups);
    let found = groups.find(|(_, group)| !has_write_quorum(group, alive));
    found.map(|(index, _)| index)
}

fn has_write_quorum(group: &Group, alive: &BTreeSet<NodeId>) -> bool {
    group.sets.iter().all(|set| {
        let there = set.iter().filter(|place| alive.contains(&place.node));
        there.count() >= WRITE_QUORUM
    })
}

#[cfg(test)]
mod tests {
    use quorate_volume::protocol::MembershipEpoch;

    use super::*;
    use crate::aurora::model::SegmentPlace;

    /// A set of six with these copies, each on the node of its number.
    fn set(copies: [u32; 6]) -> Vec<SegmentPlace> {
        let place = |copy| SegmentPlace {
            copy,
            node: node(copy),
        };
        copies.map(place).to_vec()
    }

    fn node(number: u32) -> NodeId {
        let zone = char::from(b'a' + u8::try_from(number % 3).unwrap());
        format!("us-east-1{zone}-{}", number / 3 + 1)
            .parse()
            .unwrap()
    }

    fn volume(groups: Vec<Vec<Vec<SegmentPlace>>>) -> Volume {
        let group = |sets| Group {
            epoch: MembershipEpoch(1),
            sets,
            next_copy: 7,
            made: BTreeSet::new(),
        };
        Volume {
            page_bytes: 8192,
            pages_per_group: 1,
            groups: groups.into_iter().map(group).collect(),
            wanted_groups: 1,
            origin: None,
        }
    }

    #[test]
    fn four_segments_of_each_set_of_each_group_must_be_there() {
        const SIX: [u32; 6] = [0, 1, 2, 3, 4, 5];
        const LATER: [u32; 6] = [0, 1, 2, 3, 4, 6];
        let one = || volume(vec![vec![set(SIX)]]);
        let doubled = || volume(vec![vec![set(SIX), set(LATER)]]);
        let two = || volume(vec![vec![set(SIX)], vec![set([6, 7, 8, 9, 10, 11])]]);
        let cases: [(Volume, &[u32], Option<u32>); 9] = [
            (one(), &[0, 1, 2, 3, 4, 5], None),
            (one(), &[0, 1, 4, 5], None),
            (one(), &[0, 1, 4], Some(0)),
            (one(), &[], Some(0)),
            (doubled(), &[0, 1, 2, 3], None),
            (doubled(), &[0, 1, 2, 5], Some(0)),
            (doubled(), &[0, 1, 2, 6], Some(0)),
            (two(), &[0, 1, 2, 3, 6, 7, 8, 9], None),
            (two(), &[0, 1, 2, 3, 6, 7, 8], Some(1)),
        ];
        for (volume, alive, expected) in cases {
            let nodes = alive.iter().copied().map(node).collect();
            let found = unwritable_group(&volume, &nodes);
            assert_eq!(found, expected.map(GroupIndex), "{alive:?}");
        }
    }

    #[test]
    fn a_node_with_two_segments_counts_twice_and_a_volume_without_a_place_is_no_matter() {
        let mut places = set([0, 1, 2, 3, 4, 5]);
        for (place, other) in [(3, 0), (4, 1), (5, 2)] {
            places[place].node = node(other);
        }
        let volume_of_three = volume(vec![vec![places]]);
        let alive = |nodes: &[u32]| nodes.iter().copied().map(node).collect();
        let found = unwritable_group(&volume_of_three, &alive(&[0, 1]));
        assert_eq!(found, None);
        let found = unwritable_group(&volume_of_three, &alive(&[0]));
        assert_eq!(found, Some(GroupIndex(0)));
        assert_eq!(unwritable_group(&volume(Vec::new()), &alive(&[])), None);
    }
}
