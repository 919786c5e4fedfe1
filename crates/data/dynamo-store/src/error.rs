//! What can go wrong in a store.

use quorate_dynamo_lang::{Item, ValidationError};

use crate::spec::TxnId;

/// The store itself failed: nothing about the request.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database below failed.
    #[error("storage: {0}")]
    Engine(#[from] fjall::Error),
    /// Reading or writing a snapshot failed.
    #[error("snapshot: {0}")]
    Io(#[from] std::io::Error),
    /// Bytes on disk, in an effect or in a snapshot are not what this build writes.
    #[error("damaged: {0}")]
    Damaged(&'static str),
    /// An earlier failure stopped this partition.
    #[error("the partition was stopped by an earlier failure")]
    Poisoned,
    /// A snapshot's reading did not end: the partition has no state and waits for another snapshot.
    #[error("the partition is being loaded")]
    Loading,
    /// Another partition of the table on this node holds part of the range.
    #[error("the range overlaps that of another partition of the table")]
    Overlap,
    /// There is another partition with this id.
    #[error("the partition is there already")]
    Exists,
    /// The caller's latch does not cover a key that it writes.
    #[error("a key is written without its latch")]
    NotLatched,
}

impl From<StoreError> for std::io::Error {
    fn from(error: StoreError) -> std::io::Error {
        match error {
            StoreError::Io(error) => error,
            other => std::io::Error::other(other),
        }
    }
}

/// Why a read has no answer.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// AWS's `ValidationException`.
    #[error(transparent)]
    Validation(#[from] ValidationError),
    /// The key's hash position is not in this partition's range.
    #[error("the key belongs to another partition")]
    WrongPartition,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why a write was not evaluated.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The condition does not hold for what is there.
    #[error("the condition does not hold")]
    ConditionFailed {
        /// The item that is there.
        old: Option<Item>,
    },
    /// AWS's `ValidationException`; an item that is too large among them.
    #[error(transparent)]
    Validation(#[from] ValidationError),
    /// A transaction that has not ended holds the item.
    #[error("the item is locked by a transaction")]
    Conflict(TxnId),
    /// The key's hash position is not in this partition's range.
    #[error("the key belongs to another partition")]
    WrongPartition,
    /// Writes of the item are on their way that this one cannot follow on: wait until they have arrived.
    #[error("writes of the item are on their way")]
    OnTheirWay,
    /// The item collection would pass its limit.
    #[error("the item collection is full")]
    CollectionFull,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}
