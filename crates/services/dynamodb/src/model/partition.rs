//! A partition: a range of a table's hash space and the nodes that hold it.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use quorate_base::NodeId;
use quorate_control::Record;

use crate::model::ids::{IndexNumber, PartitionNumber, TableNumber};

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
