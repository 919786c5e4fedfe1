//! A partition: a range of a table's hash space and the nodes that hold it.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use quorate_base::NodeId;
use quorate_control::Record;

use crate::model::ids::{IndexNumber, PartitionNumber, TableNumber};
use crate::model::moves::{HomeId, Move, MoveStage, ReplicaRole};

/// Hash positions from `first` to `last`, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct HashRange {
    /// The lowest position.
    pub first: u64,
    /// The highest position.
    pub last: u64,
}

impl HashRange {
    /// The whole hash space.
    pub const ALL: HashRange = HashRange {
        first: 0,
        last: u64::MAX,
    };

    /// Whether the position lies in the range.
    #[must_use]
    pub fn contains(&self, position: u64) -> bool {
        (self.first..=self.last).contains(&position)
    }

    /// Piece `at` of the hash space cut into `count` pieces; none when there is no such piece.
    #[must_use]
    pub fn piece(at: u32, count: u32) -> Option<HashRange> {
        let (at, count) = (u128::from(at), u128::from(count));
        if at >= count {
            return None;
        }
        let edge = |at: u128| at * (u128::from(u64::MAX) + 1) / count;
        Some(HashRange {
            first: u64::try_from(edge(at)).expect("below the end"),
            last: u64::try_from(edge(at + 1) - 1).expect("below the end"),
        })
    }

    /// The hash space cut into `count` ranges of about the same size.
    #[must_use]
    pub fn cut(count: u32) -> Vec<HashRange> {
        let count = count.max(1);
        (0..count)
            .filter_map(|at| HashRange::piece(at, count))
            .collect()
    }
}

/// How far a partition is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum PartitionState {
    /// Placed; its leader has not reported yet.
    Creating,
    /// Its leader serves.
    Serving,
    /// Its leader is to split it: from `at` on, positions go to `right`.
    Splitting {
        /// The first position of the right half.
        at: u64,
        /// The number of the right half, which has no record before the split is done.
        right: PartitionNumber,
    },
}

/// Where a partition is. Id in the catalog: its number in hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartitionRecord {
    /// The table's name.
    pub table_name: String,
    /// The table's number.
    pub table: TableNumber,
    /// The global index that it belongs to, or `IndexNumber::TABLE`.
    pub index: IndexNumber,
    /// Its positions.
    pub range: HashRange,
    /// The nodes of its replicas, in different zones where there are as many.
    pub replicas: Vec<NodeId>,
    /// The replica that leads first.
    pub preferred: NodeId,
    /// How far it is.
    pub state: PartitionState,
    /// The partition that this one was split off, whose replicas make it; none for one that began empty.
    pub split_off: Option<PartitionNumber>,
    /// The positions that it began with, when it has split since: a replica that applies the whole log begins with them.
    #[serde(default)]
    pub began_with: Option<HashRange>,
    /// The global indexes that hold all items that were in this partition before them.
    #[serde(default)]
    pub backfilled: BTreeSet<IndexNumber>,
    /// The folder of each replica's node that the replica was made in: in another one, it has to be made anew.
    #[serde(default)]
    pub homes: BTreeMap<NodeId, HomeId>,
    /// The replicas that it began with, when they have changed since.
    #[serde(default)]
    pub founders: Vec<NodeId>,
    /// The replicas that came later: they began with another one's state.
    #[serde(default)]
    pub joined: BTreeSet<NodeId>,
    /// A replica that is being put elsewhere.
    #[serde(default)]
    pub moving: Option<Move>,
}

impl PartitionRecord {
    /// The replicas that it began with.
    #[must_use]
    pub fn founders(&self) -> &[NodeId] {
        if self.founders.is_empty() {
            &self.replicas
        } else {
            &self.founders
        }
    }

    /// The nodes whose replicas its group is to have as voters.
    #[must_use]
    pub fn wanted(&self) -> Vec<NodeId> {
        let Some(moving) = &self.moving else {
            return self.replicas.clone();
        };
        let mut wanted = self.replicas.clone();
        match moving.stage {
            MoveStage::Leaving => wanted.retain(|n| *n != moving.leaves && *n != moving.joins),
            MoveStage::Joining => {
                wanted.retain(|n| *n != moving.leaves);
                if !wanted.contains(&moving.joins) {
                    wanted.push(moving.joins.clone());
                }
            }
        }
        wanted.sort();
        wanted
    }

    /// Whether the node has a replica, or is to have one.
    #[must_use]
    pub fn places(&self, node: &NodeId) -> bool {
        self.replicas.contains(node) || self.moving.as_ref().is_some_and(|m| m.joins == *node)
    }

    /// What the node is to do about a replica, when what it has on disk was begun as `home`.
    #[must_use]
    pub fn role_of(&self, node: &NodeId, home: HomeId) -> ReplicaRole {
        if let Some(moving) = self.moving.as_ref().filter(|m| m.joins == *node) {
            let now = moving.stage == MoveStage::Joining && moving.home == home;
            return if now {
                ReplicaRole::Joins
            } else {
                ReplicaRole::Waits
            };
        }
        if !self.replicas.contains(node) {
            return ReplicaRole::None;
        }
        match self.homes.get(node) {
            Some(known) if *known != home => ReplicaRole::Waits,
            _ if self.joined.contains(node) => ReplicaRole::Joins,
            _ => ReplicaRole::Founds,
        }
    }

    /// The record after the step of its move that makes the group's voters those that are wanted; none without a move.
    #[must_use]
    pub fn moved_on(&self) -> Option<PartitionRecord> {
        let moving = self.moving.as_ref()?;
        let mut next = self.clone();
        if moving.stage == MoveStage::Leaving {
            next.moving = Some(Move {
                stage: MoveStage::Joining,
                ..moving.clone()
            });
            return Some(next);
        }
        next.moving = None;
        next.founders = self.founders().to_vec();
        next.replicas = self.wanted();
        next.homes.remove(&moving.leaves);
        next.joined.remove(&moving.leaves);
        next.homes.insert(moving.joins.clone(), moving.home);
        next.joined.insert(moving.joins.clone());
        if next.preferred == moving.leaves {
            next.preferred = moving.joins.clone();
        }
        Some(next)
    }
}

impl Record for PartitionRecord {
    const TABLE: &'static str = "dynamodb/partition";
    const VERSION: u32 = 1;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cut_ranges_touch_and_cover_everything() {
        for count in [1, 2, 3, 7, 64, 1000] {
            let ranges = HashRange::cut(count);
            assert_eq!(ranges.len(), count as usize);
            assert_eq!(ranges.first().unwrap().first, 0);
            assert_eq!(ranges.last().unwrap().last, u64::MAX);
            for pair in ranges.windows(2) {
                assert_eq!(pair[0].last + 1, pair[1].first);
            }
        }
    }
}
