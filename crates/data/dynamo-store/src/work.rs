//! One batch while it is put together: what is written so far, read before what is in the database.
//!
//! Owns that a batch has each row once. Nothing is written before `commit`, and then all of it or nothing.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use serde::Serialize;

use crate::error::StoreError;
use crate::layout;
use crate::partition::{Described, Head, Inner};
use crate::record;
use crate::spec::{PartitionId, PartitionSpec};

pub(crate) struct Work<'a> {
    pub(crate) inner: &'a Inner,
    pub(crate) described: Arc<Described>,
    pub(crate) head: Head,
    rows: HashMap<Vec<u8>, Option<Vec<u8>>>,
    /// Partitions that a split made.
    pub(crate) born: Vec<(PartitionId, Described, Head)>,
    described_changed: bool,
}

impl<'a> Work<'a> {
    pub(crate) fn begin(inner: &'a Inner) -> Result<Work<'a>, StoreError> {
        let state = inner.serving()?;
        Ok(Work {
            inner,
            described: Arc::clone(&state.described),
            head: state.head.clone(),
            rows: HashMap::new(),
            born: Vec::new(),
            described_changed: false,
        })
    }

    pub(crate) fn spec(&self) -> &PartitionSpec {
        &self.described.spec
    }

    pub(crate) fn describe(&mut self, described: Described) {
        self.described = Arc::new(described);
        self.described_changed = true;
    }

    pub(crate) fn get(&self, row: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        if let Some(staged) = self.rows.get(row) {
            return Ok(staged.clone());
        }
        let found = self.inner.shared.rows.get(row)?;
        Ok(found.map(|bytes| bytes.to_vec()))
    }

    pub(crate) fn put(&mut self, row: Vec<u8>, value: Vec<u8>) {
        self.rows.insert(row, Some(value));
    }

    pub(crate) fn put_value<T: Serialize>(&mut self, row: Vec<u8>, value: &T) {
        self.put(row, record::encode(value));
    }

    pub(crate) fn remove(&mut self, row: Vec<u8>) {
        self.rows.insert(row, None);
    }

    /// The first `limit` rows from `from` up to `to`, which is not included.
    pub(crate) fn range(
        &self,
        from: &[u8],
        to: &[u8],
        limit: usize,
    ) -> Result<BTreeMap<Vec<u8>, Vec<u8>>, StoreError> {
        let inside = |row: &[u8]| from <= row && row < to;
        let staged: Vec<_> = self.rows.iter().filter(|(row, _)| inside(row)).collect();
        let mut found = BTreeMap::new();
        // Each staged row hides at most one of the database's.
        let enough = limit.saturating_add(staged.len());
        for row in self.inner.shared.rows.range(from..to).take(enough) {
            let (key, value) = row.into_inner()?;
            found.insert(key.to_vec(), value.to_vec());
        }
        for (row, value) in staged {
            match value {
                Some(value) => found.insert(row.clone(), value.clone()),
                None => found.remove(row),
            };
        }
        if let Some(cut) = found.keys().nth(limit).cloned() {
            found.split_off(&cut);
        }
        Ok(found)
    }

    /// All rows that start with `prefix`.
    pub(crate) fn prefix(&self, prefix: &[u8]) -> Result<BTreeMap<Vec<u8>, Vec<u8>>, StoreError> {
        self.range(prefix, &layout::after(prefix), usize::MAX)
    }

    /// Writes the batch, and then lets readers see the state that it makes.
    pub(crate) fn commit(self) -> Result<(), StoreError> {
        let rows = &self.inner.shared.rows;
        let mut batch = self.inner.shared.db.batch();
        for (row, value) in self.rows {
            match value {
                Some(value) => batch.insert(rows, row, value),
                None => batch.remove(rows, row),
            }
        }
        let id = self.inner.id;
        batch.insert(rows, layout::head_row(id), record::encode(&self.head));
        if self.described_changed {
            let row = layout::spec_row(id);
            batch.insert(rows, row, record::encode(&*self.described));
        }
        for (id, described, head) in &self.born {
            batch.insert(rows, layout::spec_row(*id), record::encode(described));
            batch.insert(rows, layout::head_row(*id), record::encode(head));
        }
        batch.commit()?;
        self.inner.set_state(self.described, self.head);
        for (id, described, head) in self.born {
            if let Some(registry) = self.inner.registry.upgrade() {
                registry.add(&self.inner.shared, id, described, head);
            }
        }
        Ok(())
    }
}
