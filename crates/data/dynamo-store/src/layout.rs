//! Where each row is in the store's one keyspace.
//!
//! ```text
//! 00 [partition 8] 00                        what the partition is
//! 00 [partition 8] 01                        its head: mark, counters, status
//! 00 [partition 8] 02 [sequence 8]           outbox
//! 00 [partition 8] 03 [source partition 8]   what came from a source
//! 00 [partition 8] 04 [transaction 16]       a prepared transaction
//! 01 [table 8] 00 [position 8] [hash] [range]                   an item
//! 01 [table 8] 01 [position 8] [hash] [range]                   a lock
//! 01 [table 8] 02 [position 8] [hash]                           an item collection's bytes
//! 01 [table 8] 03 [expiry 8] [position 8] [hash] [range]        an item that expires
//! 01 [table 8] 04 [index 2] [position 8] [hash] [index range] [range]   a local index's row
//! ```
//!
//! Items stand by table and position, not by partition: a split moves none. All is in one keyspace because the database
//! flushes each keyspace by itself: a mark in a second one could outlive the rows that it speaks of.

use quorate_dynamo_lang::key_codec::after_prefix;

use crate::spec::{HashRange, PartitionId, TableKey, TxnId};

const PARTITIONS: u8 = 0;
const ROWS: u8 = 1;
const SPEC: u8 = 0;
const HEAD: u8 = 1;
const OUTBOX: u8 = 2;
const SOURCES: u8 = 3;
const TRANSACTIONS: u8 = 4;

/// The kinds of rows that a table has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Space {
    Items,
    Locks,
    Collections,
    Expiry,
    Local(u16),
}

impl Space {
    fn write(self, out: &mut Vec<u8>) {
        match self {
            Space::Items => out.push(0),
            Space::Locks => out.push(1),
            Space::Collections => out.push(2),
            Space::Expiry => out.push(3),
            Space::Local(index) => {
                out.push(4);
                out.extend_from_slice(&index.to_be_bytes());
            }
        }
    }
}

/// What all rows of the space start with.
pub(crate) fn space(table: TableKey, space: Space) -> Vec<u8> {
    let mut out = Vec::with_capacity(64);
    out.push(ROWS);
    out.extend_from_slice(&table.0.to_be_bytes());
    space.write(&mut out);
    out
}

/// The row of `key` in the space.
pub(crate) fn row(table: TableKey, kind: Space, key: &[u8]) -> Vec<u8> {
    let mut out = space(table, kind);
    out.extend_from_slice(key);
    out
}

/// The row that says when the item of `key` expires.
pub(crate) fn expiry_row(table: TableKey, expiry_s: u64, key: &[u8]) -> Vec<u8> {
    let mut out = space(table, Space::Expiry);
    out.extend_from_slice(&expiry_s.to_be_bytes());
    out.extend_from_slice(key);
    out
}

/// The first row of the range, and the first behind it.
pub(crate) fn positions(table: TableKey, kind: Space, range: HashRange) -> (Vec<u8>, Vec<u8>) {
    let from = row(table, kind, &range.first.to_be_bytes());
    let to = match range.last.checked_add(1) {
        Some(next) => row(table, kind, &next.to_be_bytes()),
        None => after(&space(table, kind)),
    };
    (from, to)
}

/// The first key behind all that start with `prefix`, which is one of a row.
pub(crate) fn after(prefix: &[u8]) -> Vec<u8> {
    after_prefix(prefix).expect("no row starts with 255")
}

fn of_partition(id: PartitionId, kind: u8, rest: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(10 + rest.len());
    out.push(PARTITIONS);
    out.extend_from_slice(&id.0.to_be_bytes());
    out.push(kind);
    out.extend_from_slice(rest);
    out
}

pub(crate) fn spec_row(id: PartitionId) -> Vec<u8> {
    of_partition(id, SPEC, &[])
}

pub(crate) fn head_row(id: PartitionId) -> Vec<u8> {
    of_partition(id, HEAD, &[])
}

pub(crate) fn outbox(id: PartitionId) -> Vec<u8> {
    of_partition(id, OUTBOX, &[])
}

pub(crate) fn outbox_row(id: PartitionId, sequence: u64) -> Vec<u8> {
    of_partition(id, OUTBOX, &sequence.to_be_bytes())
}

pub(crate) fn sources(id: PartitionId) -> Vec<u8> {
    of_partition(id, SOURCES, &[])
}

pub(crate) fn source_row(id: PartitionId, source: PartitionId) -> Vec<u8> {
    of_partition(id, SOURCES, &source.0.to_be_bytes())
}

pub(crate) fn transactions(id: PartitionId) -> Vec<u8> {
    of_partition(id, TRANSACTIONS, &[])
}

pub(crate) fn transaction_row(id: PartitionId, txn: TxnId) -> Vec<u8> {
    of_partition(id, TRANSACTIONS, &txn.0.to_be_bytes())
}

/// What all rows about partitions start with.
pub(crate) fn partitions() -> [u8; 1] {
    [PARTITIONS]
}

/// The partition whose specification stands in this row, if it is such a row.
pub(crate) fn is_spec_row(key: &[u8]) -> Option<PartitionId> {
    match key {
        [PARTITIONS, id @ .., SPEC] => Some(PartitionId(u64::from_be_bytes(id.try_into().ok()?))),
        _ => None,
    }
}
