//! Numbers that nodes know tables, indexes and partitions by. A name can be used again; a number never is.

use std::fmt;

use serde::{Deserialize, Serialize};

use quorate_control::Record;

/// A table's number in this region.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Default,
)]
pub struct TableNumber(pub u64);

/// An index's number within its table; 0 is the table itself.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Default,
)]
pub struct IndexNumber(pub u16);

impl IndexNumber {
    /// The table itself, not an index.
    pub const TABLE: IndexNumber = IndexNumber(0);
}

/// A partition's number in this region; also the number of its Raft group.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Default,
)]
pub struct PartitionNumber(pub u64);

impl PartitionNumber {
    /// The id of its record in the catalog.
    #[must_use]
    pub fn record_id(self) -> String {
        format!("{:016x}", self.0)
    }

    /// The number that a record's id stands for.
    #[must_use]
    pub fn of_record_id(id: &str) -> Option<PartitionNumber> {
        u64::from_str_radix(id, 16).ok().map(PartitionNumber)
    }
}

impl fmt::Display for PartitionNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "p{}", self.0)
    }
}

/// The last numbers that were given out. One record, id `numbers`; every transaction that takes a number replaces it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct IdCounter {
    /// The last table's.
    pub table: u64,
    /// The last partition's.
    pub partition: u64,
}

impl IdCounter {
    /// The record's id.
    pub const ID: &'static str = "numbers";

    /// Takes the next table number.
    pub fn next_table(&mut self) -> TableNumber {
        self.table += 1;
        TableNumber(self.table)
    }

    /// Takes the next partition number.
    pub fn next_partition(&mut self) -> PartitionNumber {
        self.partition += 1;
        PartitionNumber(self.partition)
    }
}

impl Record for IdCounter {
    const TABLE: &'static str = "dynamodb/counter";
    const VERSION: u32 = 1;
}
