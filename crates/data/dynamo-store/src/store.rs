//! All partitions' replicas on one node, in one fjall database.
//!
//! Owns which partitions there are. Batches are not synced when they are applied: the replicated log is the truth, and
//! after a crash it is applied again from each partition's mark. The log must be kept up to the last [`Store::flush`].
//!
//! Invariant: no two partitions of one table have a hash position in common.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use fjall::{Database, KeyspaceCreateOptions, PersistMode};

use crate::error::StoreError;
use crate::layout;
use crate::limits::Limits;
use crate::partition::{Described, Head, Partition, Shared, Status};
use crate::range_rows;
use crate::record;
use crate::spec::{PartitionId, PartitionSpec};

/// The partitions that are open.
#[derive(Default)]
pub(crate) struct Registry {
    partitions: Mutex<BTreeMap<PartitionId, Partition>>,
    /// Held while a partition is made, so that two cannot take one range.
    creating: Mutex<()>,
}

impl Registry {
    pub(crate) fn partitions(&self) -> MutexGuard<'_, BTreeMap<PartitionId, Partition>> {
        self.partitions
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Opens a partition; one that is open already stays as it is.
    pub(crate) fn add(
        self: &Arc<Registry>,
        shared: &Shared,
        id: PartitionId,
        described: Described,
        head: Head,
    ) -> Partition {
        let registry = Arc::downgrade(self);
        let open = || Partition::assemble(id, shared, registry, Arc::new(described), head);
        self.partitions().entry(id).or_insert_with(open).clone()
    }
}

/// The store of one node. Cheap to clone.
#[derive(Clone)]
pub struct Store {
    shared: Shared,
    registry: Arc<Registry>,
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Store").field(&self.partitions()).finish()
    }
}

impl Store {
    /// Opens the store in `folder`, which is made when it is not there.
    ///
    /// # Errors
    /// When the database cannot be opened, or holds what this build does not read.
    pub fn open(folder: &Path) -> Result<Store, StoreError> {
        Store::open_with(folder, Limits::default())
    }

    /// As `open`, with other limits.
    ///
    /// # Errors
    /// As `open`.
    pub fn open_with(folder: &Path, limits: Limits) -> Result<Store, StoreError> {
        // Journal writes wait in memory for a flush: what a crash takes, the log brings again.
        let db = Database::builder(folder)
            .manual_journal_persist(true)
            .open()?;
        let rows = db.keyspace("rows", KeyspaceCreateOptions::default)?;
        let store = Store {
            shared: Shared { db, rows, limits },
            registry: Arc::default(),
        };
        store.load()?;
        Ok(store)
    }

    fn load(&self) -> Result<(), StoreError> {
        let mut ids = Vec::new();
        for row in self.shared.rows.prefix(layout::partitions()) {
            ids.extend(layout::is_spec_row(&row.key()?));
        }
        for id in ids {
            let read = |row: Vec<u8>| self.shared.rows.get(row);
            let spec = read(layout::spec_row(id))?.ok_or(StoreError::Damaged("partition"))?;
            let head = read(layout::head_row(id))?.ok_or(StoreError::Damaged("head"))?;
            let described: Described = record::decode(&spec, "partition")?;
            let head: Head = record::decode(&head, "head")?;
            if head.status == Status::Removing {
                range_rows::remove_partition(&self.shared, id, &described.spec)?;
                continue;
            }
            self.registry.add(&self.shared, id, described, head);
        }
        Ok(())
    }

    /// The partition, when this node has a replica of it.
    ///
    /// # Errors
    /// None at present; a partition may have to be read.
    pub fn partition(&self, id: PartitionId) -> Result<Option<Partition>, StoreError> {
        Ok(self.registry.partitions().get(&id).cloned())
    }

    /// Makes an empty partition. It is on disk after the next flush.
    ///
    /// # Errors
    /// When there is one with the id, or one of the table with part of the range.
    pub fn create(&self, id: PartitionId, spec: PartitionSpec) -> Result<Partition, StoreError> {
        let creating = &self.registry.creating;
        let _one = creating.lock().unwrap_or_else(PoisonError::into_inner);
        {
            let partitions = self.registry.partitions();
            if partitions.contains_key(&id) {
                return Err(StoreError::Exists);
            }
            let overlaps = partitions.values().any(|other| {
                let other = other.spec();
                other.table == spec.table && other.range.overlaps(&spec.range)
            });
            if overlaps {
                return Err(StoreError::Overlap);
            }
        }
        // What an older replica left behind must not come to life.
        range_rows::remove_range(&self.shared, &spec, spec.range)?;
        let described = Described {
            spec,
            revision: 0,
            generation: 0,
            fences: Vec::new(),
        };
        let head = Head::empty(Status::Serving);
        let mut batch = self.shared.db.batch();
        let rows = &self.shared.rows;
        batch.insert(rows, layout::spec_row(id), record::encode(&described));
        batch.insert(rows, layout::head_row(id), record::encode(&head));
        batch.commit()?;
        Ok(self.registry.add(&self.shared, id, described, head))
    }

    /// Removes the partition and all its rows. After a crash in the middle it is gone too.
    ///
    /// # Errors
    /// When the database fails.
    pub fn remove(&self, id: PartitionId) -> Result<(), StoreError> {
        let Some(partition) = self.registry.partitions().remove(&id) else {
            return Ok(());
        };
        let inner = &partition.inner;
        let _one = inner.applying();
        let state = inner.state();
        let head = Head::empty(Status::Removing);
        inner.set_state(Arc::clone(&state.described), head.clone());
        let row = layout::head_row(id);
        self.shared.rows.insert(row, record::encode(&head))?;
        range_rows::remove_partition(&self.shared, id, state.spec())
    }

    /// Syncs all that is applied to disk. Blocks; the log may be purged up to the marks from before the call.
    ///
    /// # Errors
    /// When the sync fails: the database then takes no more writes.
    pub fn flush(&self) -> Result<(), StoreError> {
        Ok(self.shared.db.persist(PersistMode::SyncAll)?)
    }

    /// The partitions that this node has replicas of.
    #[must_use]
    pub fn partitions(&self) -> Vec<PartitionId> {
        self.registry.partitions().keys().copied().collect()
    }
}
