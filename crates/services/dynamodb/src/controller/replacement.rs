//! Where a replica goes whose node stays away, or has lost what it had. Pure.
//!
//! Invariants
//! - A partition has one move at a time, none while it splits, and none that its other replicas could not agree on.
//! - A replica goes to another node of its zone; where that has none, to a zone that holds no other replica. Where there is
//!   neither it stays where it is, and the partition has a replica less until the node is back.

use std::collections::BTreeMap;

use quorate_base::NodeId;

use crate::controller::placement::Placement;
use crate::model::{HomeId, Move, MoveStage, PartitionRecord, PartitionState};

/// Moves of a region that are under way at a time: each is a copy of a partition over the network.
pub(crate) const MOVES_MAX: usize = 16;

/// Whether a node is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    /// It renews its session.
    Here,
    /// It does not, and may come back.
    Away,
    /// It has been away for so long that its replicas go elsewhere.
    Gone,
}

/// A registered node, as far as the controller knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NodeSeen {
    /// Whether it is there.
    pub presence: Presence,
    /// What its replicas are made in; none before it has told.
    pub home: Option<HomeId>,
}

/// All registered nodes.
pub type Nodes = BTreeMap<NodeId, NodeSeen>;

/// What a partition's move is to become: none when all stays as it is, `Some(None)` when the move is given up.
/// `may_begin` says whether a partition without a move may get one.
#[must_use]
pub fn decide_move(
    record: &PartitionRecord,
    nodes: &Nodes,
    placement: &mut Placement,
    may_begin: bool,
) -> Option<Option<Move>> {
    if record.state != PartitionState::Serving {
        return None;
    }
    let view = View { record, nodes };
    let decided = match &record.moving {
        Some(moving) => view.amend(moving, placement),
        None if may_begin => {
            let mut replicas = record.replicas.iter();
            let begun = replicas.find_map(|node| view.begin(node, placement));
            begun.map(Some)
        }
        None => None,
    };
    if let Some(Some(moving)) = &decided {
        placement.count_newcomer(&moving.joins);
    }
    decided
}

struct View<'a> {
    record: &'a PartitionRecord,
    nodes: &'a Nodes,
}

impl View<'_> {
    fn presence(&self, node: &NodeId) -> Presence {
        self.nodes.get(node).map_or(Presence::Gone, |n| n.presence)
    }

    /// The folder of a node that is there.
    fn home(&self, node: &NodeId) -> Option<HomeId> {
        let seen = self.nodes.get(node)?;
        seen.home.filter(|_| seen.presence == Presence::Here)
    }

    /// Whether the replica can run where it is.
    fn is_sound(&self, node: &NodeId) -> bool {
        let known = self.record.homes.get(node);
        let home = self.home(node);
        home.is_some() && known.is_none_or(|known| home == Some(*known))
    }

    fn begin(&self, node: &NodeId, placement: &Placement) -> Option<Move> {
        let others = self.record.replicas.iter().filter(|other| *other != node);
        let sound = others.filter(|other| self.is_sound(other)).count();
        // The others have to agree on it.
        if 2 * sound <= self.record.replicas.len() {
            return None;
        }
        if self.presence(node) == Presence::Gone {
            return self.substitute(node, None, placement);
        }
        let home = self.home(node)?;
        let lost = self
            .record
            .homes
            .get(node)
            .is_some_and(|known| *known != home);
        lost.then(|| Move {
            leaves: node.clone(),
            joins: node.clone(),
            home,
            stage: MoveStage::Leaving,
        })
    }

    /// What becomes of a move whose newcomer is away or has lost what it had.
    fn amend(&self, moving: &Move, placement: &Placement) -> Option<Option<Move>> {
        if self.presence(&moving.joins) == Presence::Gone {
            let returned = moving.leaves != moving.joins && self.is_sound(&moving.leaves);
            if returned {
                return Some(None);
            }
            let other = self.substitute(&moving.leaves, Some(&moving.joins), placement);
            return other.map(Some);
        }
        let home = self.home(&moving.joins)?;
        // It may have been a voter already: it has to be left out before it begins again.
        (home != moving.home).then(|| {
            Some(Move {
                home,
                stage: MoveStage::Leaving,
                ..moving.clone()
            })
        })
    }

    /// Another node in place of `leaves`.
    fn substitute(
        &self,
        leaves: &NodeId,
        but: Option<&NodeId>,
        placement: &Placement,
    ) -> Option<Move> {
        let replicas = &self.record.replicas;
        let free = self.nodes.keys().filter(|node| {
            !replicas.contains(node) && Some(*node) != but && self.home(node).is_some()
        });
        let others = || replicas.iter().filter(|node| *node != leaves);
        let (own_zone, elsewhere): (Vec<_>, Vec<_>) =
            free.partition(|node| node.zone() == leaves.zone());
        let elsewhere = elsewhere
            .into_iter()
            .filter(|node| others().all(|other| other.zone() != node.zone()));
        let emptiest = |node: &&NodeId| (placement.replicas_on(node), (*node).clone());
        let joins = own_zone.into_iter().min_by_key(emptiest);
        let joins = joins.or_else(|| elsewhere.min_by_key(emptiest))?;
        Some(Move {
            leaves: leaves.clone(),
            joins: joins.clone(),
            home: self.home(joins)?,
            stage: MoveStage::Joining,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{HashRange, IndexNumber, PartitionNumber, TableNumber};
    use Presence::{Away, Gone, Here};

    fn node(name: &str) -> NodeId {
        format!("us-east-1{name}").parse().unwrap()
    }

    /// Nodes with their folders, and whether they are there.
    fn nodes(seen: &[(&str, Presence, u64)]) -> Nodes {
        let seen = seen.iter().map(|(name, presence, home)| {
            let (presence, home) = (*presence, Some(HomeId(*home)));
            (node(name), NodeSeen { presence, home })
        });
        seen.collect()
    }

    fn record(moving: Option<Move>) -> PartitionRecord {
        let replicas = vec![node("a-1"), node("b-1"), node("c-1")];
        PartitionRecord {
            table_name: String::from("t"),
            table: TableNumber(1),
            index: IndexNumber::TABLE,
            range: HashRange::ALL,
            preferred: replicas[0].clone(),
            homes: replicas.iter().cloned().zip((1..).map(HomeId)).collect(),
            replicas,
            state: PartitionState::Serving,
            split_off: None,
            began_with: None,
            backfilled: Default::default(),
            founders: Vec::new(),
            joined: Default::default(),
            moving,
        }
    }

    fn to(leaves: &str, joins: &str, home: u64, stage: MoveStage) -> Option<Move> {
        Some(Move {
            leaves: node(leaves),
            joins: node(joins),
            home: HomeId(home),
            stage,
        })
    }

    fn decide(record: &PartitionRecord, seen: &[(&str, Presence, u64)]) -> Option<Option<Move>> {
        decide_move(record, &nodes(seen), &mut Placement::default(), true)
    }

    const THREE: [(&str, Presence, u64); 3] =
        [("a-1", Here, 1), ("b-1", Here, 2), ("c-1", Here, 3)];

    /// The three nodes, one of them changed, and others.
    fn with(
        changed: (&'static str, Presence, u64),
        more: &[(&'static str, Presence, u64)],
    ) -> Vec<(&'static str, Presence, u64)> {
        let same = THREE.iter().filter(|(name, ..)| *name != changed.0);
        same.chain([&changed]).chain(more).copied().collect()
    }

    #[test]
    fn a_replica_leaves_a_node_that_stays_away() {
        use MoveStage::Joining;
        let gone = ("c-1", Gone, 3);
        let cases = [
            ("all are there", THREE.to_vec(), None),
            (
                "it may come back",
                with(("c-1", Away, 3), &[("c-2", Here, 9)]),
                None,
            ),
            (
                "to its zone",
                with(gone, &[("c-2", Here, 9), ("d-1", Here, 8)]),
                Some(to("c-1", "c-2", 9, Joining)),
            ),
            (
                "to a zone without a replica",
                with(gone, &[("a-2", Here, 9), ("d-1", Here, 8)]),
                Some(to("c-1", "d-1", 8, Joining)),
            ),
            (
                "nowhere",
                with(gone, &[("a-2", Here, 9), ("c-2", Away, 8)]),
                None,
            ),
        ];
        for (case, seen, expected) in cases {
            assert_eq!(decide(&record(None), &seen), expected, "{case}");
        }
    }

    #[test]
    fn nothing_moves_that_the_others_could_not_agree_on() {
        let seen = [
            ("a-1", Here, 1),
            ("b-1", Away, 2),
            ("c-1", Gone, 3),
            ("c-2", Here, 9),
        ];
        assert_eq!(decide(&record(None), &seen), None);
        let lost = [
            ("a-1", Here, 1),
            ("b-1", Here, 20),
            ("c-1", Gone, 3),
            ("c-2", Here, 9),
        ];
        assert_eq!(decide(&record(None), &lost), None, "two of three are lost");
    }

    #[test]
    fn a_partition_that_splits_or_is_made_is_left_alone() {
        let seen = with(("c-1", Gone, 3), &[("c-2", Here, 9)]);
        let right = PartitionNumber(9);
        for state in [
            PartitionState::Creating,
            PartitionState::Splitting { at: 7, right },
        ] {
            let record = PartitionRecord {
                state,
                ..record(None)
            };
            assert_eq!(decide(&record, &seen), None);
        }
        let none = decide_move(
            &record(None),
            &nodes(&seen),
            &mut Placement::default(),
            false,
        );
        assert_eq!(none, None, "enough moves are under way");
    }

    #[test]
    fn a_node_that_comes_back_with_nothing_is_refilled() {
        let seen = with(("b-1", Here, 77), &[]);
        let refill = to("b-1", "b-1", 77, MoveStage::Leaving);
        assert_eq!(decide(&record(None), &seen), Some(refill));
        let away = with(("b-1", Away, 77), &[]);
        assert_eq!(decide(&record(None), &away), None);
    }

    #[test]
    fn a_move_follows_its_newcomer() {
        use MoveStage::{Joining, Leaving};
        let moves = record(to("c-1", "c-2", 9, Joining));
        let gone = ("c-1", Gone, 3);
        let cases = [
            ("on its way", with(gone, &[("c-2", Here, 9)]), None),
            ("away for a while", with(gone, &[("c-2", Away, 9)]), None),
            (
                "wiped",
                with(gone, &[("c-2", Here, 10)]),
                Some(to("c-1", "c-2", 10, Leaving)),
            ),
            (
                "gone, and another is there",
                with(gone, &[("c-2", Gone, 9), ("c-3", Here, 8)]),
                Some(to("c-1", "c-3", 8, Joining)),
            ),
            (
                "gone, and nobody is there",
                with(gone, &[("c-2", Gone, 9)]),
                None,
            ),
            (
                "gone, and the first is back",
                with(("c-1", Here, 3), &[("c-2", Gone, 9)]),
                Some(None),
            ),
            (
                "gone, and the first is back with nothing",
                with(("c-1", Here, 30), &[("c-2", Gone, 9)]),
                None,
            ),
        ];
        for (case, seen, expected) in cases {
            assert_eq!(decide(&moves, &seen), expected, "{case}");
        }
        let refill = record(to("c-1", "c-1", 30, Leaving));
        let seen = with(("c-1", Gone, 30), &[("c-2", Here, 9)]);
        assert_eq!(decide(&refill, &seen), Some(to("c-1", "c-2", 9, Joining)));
    }

    #[test]
    fn replicas_of_a_lost_node_are_spread() {
        let seen = with(("c-1", Gone, 3), &[("c-2", Here, 8), ("c-3", Here, 9)]);
        let mut placement = Placement::new(&[node("c-2"), node("c-3")], []);
        let joins: Vec<_> = (0..4)
            .map(|_| decide_move(&record(None), &nodes(&seen), &mut placement, true))
            .map(|decided| decided.unwrap().unwrap().joins)
            .collect();
        assert_eq!(joins, ["c-2", "c-3", "c-2", "c-3"].map(node));
    }
}
