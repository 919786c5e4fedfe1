//! What the log carries: effects, decided by the leader, carried out by every replica.
//!
//! An effect says what the rows are afterwards, not how to compute it: applying one twice from the same state gives the
//! same state. What depends on the state before (counters, positions in the outbox) reads it from rows that are written
//! in the same batch as the mark.

use serde::{Deserialize, Serialize};

use crate::bytes::Bytes;
use crate::error::StoreError;
use crate::record;
use crate::spec::{GlobalIndex, PartitionId, SourceId, TxnId, position_of};

/// One effect. The bytes of those that a caller makes itself come from [`Effect::encode`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Effect {
    /// One item written; made by `evaluate`.
    Write(WriteEffect),
    /// Items locked for a transaction; made by `prepare`.
    Prepare(PrepareEffect),
    /// The transaction's writes take place.
    Commit {
        /// Which.
        txn: TxnId,
    },
    /// The transaction's writes are forgotten.
    Abort {
        /// Which.
        txn: TxnId,
    },
    /// Entries of the outbox have arrived at their indexes.
    TrimOutbox {
        /// The last of them.
        upto: u64,
    },
    /// Entries for an index partition, in their order; those that came before are passed over.
    IndexBatch {
        /// Who sends them.
        source: SourceId,
        /// What `outbox` gave, or those of it that belong to this partition.
        entries: Vec<OutboxEntry>,
    },
    /// Batches of this source with a lower generation are refused from here on.
    Fence {
        /// The source.
        source: SourceId,
    },
    /// The partition gives the upper part of its range to another.
    Split {
        /// The first position of the other.
        at: u64,
        /// The other.
        right: PartitionId,
        /// How many items it gets, as the leader measured.
        right_items: u64,
        /// How many bytes.
        right_bytes: u64,
    },
    /// Other global indexes, another expiry attribute. Refused while a transaction is prepared.
    SetIndexes {
        /// All global indexes.
        global_indexes: Vec<GlobalIndex>,
        /// The expiry attribute.
        ttl_attribute: Option<String>,
    },
    /// Puts items that are there into the outbox for one index. Answers where to go on.
    Backfill {
        /// The index.
        index: u16,
        /// Behind which row; none for the first.
        after: Option<Vec<u8>>,
        /// How many items at most.
        limit: u32,
    },
}

/// One item written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WriteEffect {
    pub(crate) key: Bytes,
    /// The stored item; none for a delete.
    pub(crate) image: Option<Bytes>,
    pub(crate) version: u64,
    /// The partition's index definitions that this was evaluated with.
    pub(crate) revision: u32,
    pub(crate) old_bytes: Option<u32>,
    pub(crate) new_bytes: u32,
    /// What the item collection grows by.
    pub(crate) collection_delta: i64,
    /// Local indexes whose rows change.
    pub(crate) local: Vec<RowChange>,
    /// Global indexes whose rows change.
    pub(crate) global: Vec<RowChange>,
    pub(crate) old_expiry: Option<u64>,
    /// Deleted by the service, because it expired.
    pub(crate) by_service: bool,
}

impl WriteEffect {
    pub(crate) fn position(&self) -> u64 {
        position_of(&self.key.0).unwrap_or(0)
    }
}

/// How one item's row in an index changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RowChange {
    pub(crate) index: u16,
    /// A row that goes.
    pub(crate) gone: Option<Bytes>,
    /// Whether the item, as it is afterwards, is put.
    pub(crate) put: bool,
}

/// Items locked for a transaction.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PrepareEffect {
    pub(crate) txn: TxnId,
    pub(crate) record: TxnRecord,
}

/// A prepared transaction as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct TxnRecord {
    pub(crate) at_ms: u64,
    pub(crate) writes: Vec<WriteEffect>,
    /// Locked keys: those that are written and those that are only checked.
    pub(crate) keys: Vec<Bytes>,
}

/// One change for a global index.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutboxEntry {
    /// Its place in the outbox; grows.
    pub sequence: u64,
    /// The index that it is for.
    pub index: u16,
    pub(crate) version: u64,
    pub(crate) base_position: u64,
    pub(crate) row: Bytes,
    pub(crate) image: Option<Bytes>,
}

impl OutboxEntry {
    /// The hash position in the index, which decides the index's partition.
    #[must_use]
    pub fn position(&self) -> u64 {
        position_of(&self.row.0).unwrap_or(0)
    }

    /// Whether the row goes; otherwise it is put.
    #[must_use]
    pub fn is_removal(&self) -> bool {
        self.image.is_none()
    }

    /// About how many bytes it takes in a batch.
    #[must_use]
    pub fn encoded_bytes(&self) -> usize {
        32 + self.row.0.len() + self.image.as_ref().map_or(0, |image| image.0.len())
    }
}

impl Effect {
    /// The effect as the log carries it.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        record::encode(self)
    }

    /// Reads what `encode` wrote.
    ///
    /// # Errors
    /// When it is damaged or of another format.
    pub fn decode(bytes: &[u8]) -> Result<Effect, StoreError> {
        record::decode(bytes, "effect")
    }

    /// Whether this deletes an item because it expired: the service's own doing, not a user's.
    #[must_use]
    pub fn is_expiry(&self) -> bool {
        matches!(self, Effect::Write(write) if write.by_service)
    }
}

/// What applying one effect came to. The same on every replica.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    /// Done.
    Applied,
    /// Nothing was left to do.
    Ignored,
    /// A key is not in the range any more: the caller looks for the partition again.
    WrongPartition,
    /// The indexes changed after it was evaluated: the caller evaluates again.
    Stale,
    /// Not possible in this state: a locked item, a split outside the range, a fenced source.
    Refused,
    /// Done up to this row; none at the end.
    Next(Option<Vec<u8>>),
}

impl Outcome {
    pub(crate) fn encode(&self) -> Vec<u8> {
        postcard::to_stdvec(self).expect("plain data")
    }

    /// Reads an element of what `apply` returned.
    ///
    /// # Errors
    /// When it is none.
    pub fn decode(bytes: &[u8]) -> Result<Outcome, StoreError> {
        postcard::from_bytes(bytes).map_err(|_| StoreError::Damaged("outcome"))
    }
}
