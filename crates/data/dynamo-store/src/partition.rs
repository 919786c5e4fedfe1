//! A replica of a partition on this node: its state, and single reads.
//!
//! Invariants: the state in memory is that of the last batch in the database; one batch is applied at a time; after a
//! failure nothing is answered any more.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, Weak};

use fjall::{Database, Keyspace, Readable};
use quorate_dynamo_lang::Item;
use serde::{Deserialize, Serialize};

use crate::bytes::Bytes;
use crate::error::{ReadError, StoreError};
use crate::expected::{Expected, Images};
use crate::latch::{Latch, LatchTable, LatchTimeout};
use crate::layout::{self, Space};
use crate::limits::Limits;
use crate::record;
use crate::spec::{ItemKey, PartitionId, PartitionSpec, SourceId, TxnId};
use crate::store::Registry;
use crate::write::Evaluated;

/// The database that all partitions of a node share.
#[derive(Clone)]
pub(crate) struct Shared {
    pub(crate) db: Database,
    pub(crate) rows: Keyspace,
    pub(crate) limits: Limits,
}

/// What changes with few effects.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Described {
    pub(crate) spec: PartitionSpec,
    /// Raised with each change of the indexes.
    pub(crate) revision: u32,
    /// Raised with each split.
    pub(crate) generation: u32,
    /// Sources that the indexes must fence before they take entries from here.
    pub(crate) fences: Vec<SourceId>,
}

/// Whether there is a state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Status {
    Serving,
    /// A snapshot is being read; its rows are there in part.
    Loading,
    /// The rows are being removed.
    Removing,
}

/// What changes with every batch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Head {
    pub(crate) status: Status,
    pub(crate) mark: Option<Bytes>,
    pub(crate) items: u64,
    pub(crate) bytes: u64,
    pub(crate) outbox_next: u64,
    pub(crate) outbox_len: u64,
    /// Keys that transactions hold.
    pub(crate) locks: u64,
}

impl Head {
    pub(crate) fn empty(status: Status) -> Head {
        Head {
            status,
            mark: None,
            items: 0,
            bytes: 0,
            outbox_next: 1,
            outbox_len: 0,
            locks: 0,
        }
    }
}

/// What readers and evaluations see.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) described: Arc<Described>,
    pub(crate) head: Head,
}

impl State {
    pub(crate) fn spec(&self) -> &PartitionSpec {
        &self.described.spec
    }
}

/// A replica of a partition. Cheap to clone.
#[derive(Clone)]
pub struct Partition {
    pub(crate) inner: Arc<Inner>,
}

impl std::fmt::Debug for Partition {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Partition").field(&self.inner.id.0).finish()
    }
}

pub(crate) struct Inner {
    pub(crate) id: PartitionId,
    pub(crate) shared: Shared,
    pub(crate) registry: Weak<Registry>,
    state: RwLock<Arc<State>>,
    applying: Mutex<()>,
    latches: LatchTable,
    pub(crate) images: Arc<Images>,
    poisoned: AtomicBool,
}

/// How much a partition holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PartitionStats {
    /// Items, or rows of an index. After a split about right: each side starts from what was measured.
    pub items: u64,
    /// Their bytes by DynamoDB's rules.
    pub bytes: u64,
    /// Entries that no index has confirmed.
    pub outbox: u64,
    /// Keys that transactions hold.
    pub locks: u64,
}

/// What one key's row is at one moment.
#[derive(Debug, Clone, PartialEq)]
pub struct ReadItem {
    /// The item.
    pub item: Option<Item>,
    /// Its version; 0 without an item. The upper 48 bits are the writer's milliseconds.
    pub version: u64,
    /// Its size by DynamoDB's rules.
    pub bytes: usize,
    /// The transaction that holds it.
    pub locked: Option<TxnId>,
}

impl Partition {
    pub(crate) fn assemble(
        id: PartitionId,
        shared: &Shared,
        registry: Weak<Registry>,
        described: Arc<Described>,
        head: Head,
    ) -> Partition {
        Partition {
            inner: Arc::new(Inner {
                id,
                shared: shared.clone(),
                registry,
                state: RwLock::new(Arc::new(State { described, head })),
                applying: Mutex::new(()),
                latches: LatchTable::default(),
                images: Arc::default(),
                poisoned: AtomicBool::new(false),
            }),
        }
    }

    /// Its id.
    #[must_use]
    pub fn id(&self) -> PartitionId {
        self.inner.id
    }

    /// What it is at this moment.
    #[must_use]
    pub fn spec(&self) -> PartitionSpec {
        self.inner.state().described.spec.clone()
    }

    /// The name under which it sends index entries.
    #[must_use]
    pub fn source(&self) -> SourceId {
        SourceId {
            partition: self.inner.id,
            generation: self.inner.state().described.generation,
        }
    }

    /// Sources that every index partition must have fenced before it takes entries from here: after a split, batches
    /// that were sent before it may still be on their way.
    #[must_use]
    pub fn fences(&self) -> Vec<SourceId> {
        self.inner.state().described.fences.clone()
    }

    /// Whether the key is in its range at this moment.
    #[must_use]
    pub fn holds(&self, key: &ItemKey) -> bool {
        self.inner.state().spec().range.contains(key.position())
    }

    /// Raised with each change of the indexes.
    #[must_use]
    pub fn revision(&self) -> u32 {
        self.inner.state().described.revision
    }

    /// Up to where the log is applied; nothing before the first batch, and while a snapshot is missing.
    ///
    /// # Errors
    /// When the partition was stopped.
    pub fn mark(&self) -> std::io::Result<Option<Vec<u8>>> {
        self.inner.check_poison()?;
        Ok(self.inner.state().head.mark.clone().map(|mark| mark.0))
    }

    /// Whether a snapshot's reading did not end: there is no state until another one is read.
    #[must_use]
    pub fn is_loading(&self) -> bool {
        self.inner.state().head.status == Status::Loading
    }

    /// How much it holds.
    #[must_use]
    pub fn stats(&self) -> PartitionStats {
        let state = self.inner.state();
        PartitionStats {
            items: state.head.items,
            bytes: state.head.bytes,
            outbox: state.head.outbox_len,
            locks: state.head.locks,
        }
    }

    /// The key of an item or of a key, for latches.
    ///
    /// # Errors
    /// When it does not fit the schema, in AWS's words for a whole item.
    pub fn key(&self, item: &Item) -> Result<ItemKey, ReadError> {
        let state = self.inner.state();
        let spec = state.spec();
        spec.schema.check_item(item)?;
        spec.item_key(item).ok_or(ReadError::WrongPartition)
    }

    /// Waits for the right to write these keys, in one order over all requests and for a bounded time.
    ///
    /// # Errors
    /// When others hold a key for too long.
    pub async fn latch(&self, keys: &[ItemKey]) -> Result<Latch, LatchTimeout> {
        self.inner.latches.lock(keys).await
    }

    /// Has the next writes of `key` evaluated on what `evaluated` makes of it, in the same epoch; for as long as what is
    /// returned is held. To be called under the key's latch, before the effect is proposed.
    #[must_use]
    pub fn expect(&self, key: &ItemKey, epoch: u64, evaluated: &mut Evaluated) -> Option<Expected> {
        let (revision, stored) = evaluated.image.take()?;
        Some(self.inner.images.expect(key, epoch, revision, stored))
    }

    /// Whether writes of one of the keys are on their way.
    #[must_use]
    pub fn expects(&self, keys: &[ItemKey]) -> bool {
        keys.iter().any(|key| self.inner.images.of(key).is_some())
    }

    /// The item of a key.
    ///
    /// # Errors
    /// When the key does not fit, belongs elsewhere, or the store failed.
    pub fn get(&self, key: &Item) -> Result<Option<Item>, ReadError> {
        Ok(self.read(key)?.item)
    }

    /// The item of a key, its version, and whether a transaction holds it: all of one moment.
    ///
    /// # Errors
    /// As `get`.
    pub fn read(&self, key: &Item) -> Result<ReadItem, ReadError> {
        let inner = &self.inner;
        let state = inner.serving()?;
        state.spec().schema.check_key(key)?;
        let key = inner.own_key(&state, key)?;
        let table = state.spec().table;
        let rows = &inner.shared.rows;
        let moment = inner.shared.db.snapshot();
        let stored = moment.get(rows, layout::row(table, Space::Items, &key.0));
        let locked = moment.get(rows, layout::row(table, Space::Locks, &key.0));
        let record = inner.found(stored)?;
        let record = record.map(|bytes| inner.sound(record::decode_record(&bytes)));
        let locked = inner.found(locked)?;
        let locked = locked.map(|bytes| inner.sound(record::decode(&bytes, "lock")));
        let (record, locked) = (record.transpose()?, locked.transpose()?);
        Ok(ReadItem {
            version: record.as_ref().map_or(0, |r| r.version),
            bytes: record.as_ref().map_or(0, |r| r.bytes as usize),
            item: record.map(|r| r.item),
            locked,
        })
    }

    /// How many bytes the item collection of a hash key has: its items and their rows in local indexes. 0 for a table
    /// without local indexes, which does not count them.
    ///
    /// # Errors
    /// As `get`.
    pub fn collection_bytes(&self, key: &Item) -> Result<u64, ReadError> {
        let state = self.inner.serving()?;
        let encoded = state.spec().schema.encode(key);
        let Some(key) = state.spec().item_key(key).zip(encoded) else {
            return Err(ReadError::WrongPartition);
        };
        let (item, parts) = key;
        Ok(self
            .inner
            .collection_bytes(&state, &item.0[..8 + parts.hash.len()])?)
    }
}

impl Inner {
    pub(crate) fn state(&self) -> Arc<State> {
        let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&state)
    }

    pub(crate) fn set_state(&self, described: Arc<Described>, head: Head) {
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        *state = Arc::new(State { described, head });
    }

    /// The right to write batches.
    pub(crate) fn applying(&self) -> MutexGuard<'_, ()> {
        self.applying.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn check_poison(&self) -> Result<(), StoreError> {
        if self.poisoned.load(Ordering::Acquire) {
            return Err(StoreError::Poisoned);
        }
        Ok(())
    }

    /// The state, when there is one to read.
    pub(crate) fn serving(&self) -> Result<Arc<State>, StoreError> {
        self.check_poison()?;
        let state = self.state();
        match state.head.status {
            Status::Serving => Ok(state),
            Status::Loading | Status::Removing => Err(StoreError::Loading),
        }
    }

    /// Stops the partition when `result` is a failure.
    pub(crate) fn sound<T>(&self, result: Result<T, StoreError>) -> Result<T, StoreError> {
        result.inspect_err(|error| {
            tracing::error!(partition = self.id.0, %error, "the partition stops");
            self.poisoned.store(true, Ordering::Release);
        })
    }

    /// What the database answered, as bytes.
    pub(crate) fn found(
        &self,
        answer: fjall::Result<Option<fjall::Slice>>,
    ) -> Result<Option<fjall::Slice>, StoreError> {
        self.sound(answer.map_err(StoreError::Engine))
    }

    /// The key's row key, when it is in the range.
    pub(crate) fn own_key(&self, state: &State, key: &Item) -> Result<ItemKey, ReadError> {
        let spec = state.spec();
        let key = spec.item_key(key).ok_or(ReadError::WrongPartition)?;
        if spec.range.contains(key.position()) {
            Ok(key)
        } else {
            Err(ReadError::WrongPartition)
        }
    }

    pub(crate) fn collection_bytes(
        &self,
        state: &State,
        collection: &[u8],
    ) -> Result<u64, StoreError> {
        let row = layout::row(state.spec().table, Space::Collections, collection);
        let Some(bytes) = self.found(self.shared.rows.get(row))? else {
            return Ok(0);
        };
        self.sound(record::decode(&bytes, "item collection"))
    }
}
