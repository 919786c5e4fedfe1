//! Replicas that are put elsewhere, and the folders that replicas are in.
//!
//! ```text
//! a node stays away:                 moving{leaves, joins, Joining} --newcomer is a voter--> no move, other replicas
//! a node comes back with nothing:    moving{leaves = joins, Leaving} --it is no voter--> Joining --it is one--> no move
//! ```
//!
//! Invariant: a replica whose log is lost does not run before a quorum of the others has agreed that it is no voter: it has
//! forgotten what it voted for and acknowledged (Ongaro's thesis, 3.8, rests on that not being forgotten).

use serde::{Deserialize, Serialize};

use quorate_base::NodeId;
use quorate_control::Record;

/// Names what a node has on disk: drawn when its folder is made, so that a folder that was lost is not taken for the one
/// that is there in its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct HomeId(pub u64);

/// The folder that a node has its replicas in. Id in the catalog: the node's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeHome {
    /// The folder's name for itself.
    pub home: HomeId,
}

impl Record for NodeHome {
    const TABLE: &'static str = "dynamodb/home";
    const VERSION: u32 = 1;
}

/// How far a move is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum MoveStage {
    /// The group is to be without both replicas: the one that joins may have been a voter and has lost its log.
    Leaving,
    /// The newcomer is to be a voter, and the other one none.
    Joining,
}

/// A replica that is being put elsewhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Move {
    /// The node that gives its replica up.
    pub leaves: NodeId,
    /// The node that gets one: the same, when it has lost what it had.
    pub joins: NodeId,
    /// The folder that the newcomer is made in.
    pub home: HomeId,
    /// How far it is.
    pub stage: MoveStage,
}

/// What a node is to do about a partition's replica.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReplicaRole {
    /// It has none.
    None,
    /// It runs one that was there when the group began.
    Founds,
    /// It runs one that came later, with another one's state.
    Joins,
    /// It is to have one, and not to run it yet: what it had is lost.
    Waits,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{HashRange, IndexNumber, PartitionRecord, PartitionState, TableNumber};

    fn node(name: &str) -> NodeId {
        format!("us-east-1{name}").parse().unwrap()
    }

    fn nodes(names: &[&str]) -> Vec<NodeId> {
        names.iter().map(|name| node(name)).collect()
    }

    fn record(moving: Option<Move>) -> PartitionRecord {
        let replicas = nodes(&["a-1", "b-1", "c-1"]);
        PartitionRecord {
            table_name: String::from("t"),
            table: TableNumber(1),
            index: IndexNumber::TABLE,
            range: HashRange::ALL,
            preferred: replicas[2].clone(),
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

    fn moving(leaves: &str, joins: &str, home: u64, stage: MoveStage) -> Option<Move> {
        Some(Move {
            leaves: node(leaves),
            joins: node(joins),
            home: HomeId(home),
            stage,
        })
    }

    #[test]
    fn a_replica_moves_to_another_node_in_one_step() {
        let moves = record(moving("c-1", "c-2", 7, MoveStage::Joining));
        assert_eq!(moves.wanted(), nodes(&["a-1", "b-1", "c-2"]));
        let roles = |of: &PartitionRecord| {
            ["a-1", "c-1", "c-2"].map(|n| {
                let home = [("a-1", 1), ("c-1", 3), ("c-2", 7)];
                let home = home.iter().find(|(name, _)| *name == n).unwrap().1;
                of.role_of(&node(n), HomeId(home))
            })
        };
        use ReplicaRole::{Founds, Joins, None as Nothing, Waits};
        assert_eq!(roles(&moves), [Founds, Founds, Joins]);
        assert_eq!(moves.role_of(&node("c-2"), HomeId(8)), Waits);
        let done = moves.moved_on().unwrap();
        assert_eq!(roles(&done), [Founds, Nothing, Joins]);
        assert_eq!(done.replicas, nodes(&["a-1", "b-1", "c-2"]));
        assert_eq!(done.founders(), nodes(&["a-1", "b-1", "c-1"]));
        assert_eq!(done.preferred, node("c-2"));
        assert_eq!(done.moved_on(), None);
    }

    #[test]
    fn a_replica_that_lost_its_log_leaves_before_it_joins() {
        use ReplicaRole::{Joins, Waits};
        assert_eq!(record(None).role_of(&node("c-1"), HomeId(9)), Waits);
        let leaves = record(moving("c-1", "c-1", 9, MoveStage::Leaving));
        assert_eq!(leaves.wanted(), nodes(&["a-1", "b-1"]));
        assert_eq!(leaves.role_of(&node("c-1"), HomeId(9)), Waits);
        let joins = leaves.moved_on().unwrap();
        assert_eq!(joins.wanted(), nodes(&["a-1", "b-1", "c-1"]));
        assert_eq!(joins.role_of(&node("c-1"), HomeId(9)), Joins);
        assert_eq!(joins.role_of(&node("c-1"), HomeId(10)), Waits);
        let done = joins.moved_on().unwrap();
        assert_eq!(done.replicas, record(None).replicas);
        assert_eq!(done.role_of(&node("c-1"), HomeId(9)), Joins);
        assert_eq!(done.role_of(&node("c-1"), HomeId(3)), Waits);
    }

    #[test]
    fn a_newcomer_that_lost_its_log_is_left_out_too() {
        let leaves = record(moving("c-1", "c-2", 9, MoveStage::Leaving));
        assert_eq!(leaves.wanted(), nodes(&["a-1", "b-1"]));
    }

    #[test]
    fn records_without_moves_are_read_as_they_were() {
        let mut json = serde_json::to_value(record(None)).unwrap();
        for later in ["homes", "founders", "joined", "moving"] {
            json.as_object_mut().unwrap().remove(later);
        }
        let read: PartitionRecord = serde_json::from_value(json).unwrap();
        assert_eq!(read.role_of(&node("a-1"), HomeId(5)), ReplicaRole::Founds);
    }
}
