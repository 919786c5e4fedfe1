//! Between a base partition and its global indexes: the outbox here, batches there.
//!
//! A base partition's entries leave in their order. An index partition keeps, for each source, the last sequence that
//! it applied and the lowest generation that it takes. So a batch that comes twice, or from before a split, does nothing.

use serde::{Deserialize, Serialize};

use crate::bytes::Bytes;
use crate::effect::{OutboxEntry, Outcome};
use crate::error::StoreError;
use crate::layout::{self, Space};
use crate::partition::Partition;
use crate::record;
use crate::spec::{PartitionKind, SourceId, position_of};
use crate::work::Work;

/// Entries that one trim removes at most; a sender trims more often than that many come together.
const TRIM_MAX: usize = 65_536;

/// What is known of a source.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Arrived {
    generation: u32,
    last: u64,
}

impl Partition {
    /// Entries of the outbox from sequence `from` on, at most `limit`.
    ///
    /// # Errors
    /// When the store failed.
    pub fn outbox(&self, from: u64, limit: usize) -> Result<Vec<OutboxEntry>, StoreError> {
        self.inner.serving()?;
        let first = layout::outbox_row(self.inner.id, from);
        let end = layout::after(&layout::outbox(self.inner.id));
        let rows = self.inner.shared.rows.range(first..end).take(limit);
        let read = rows.map(|row| record::decode(&row.value()?, "outbox entry"));
        self.inner.sound(read.collect())
    }

    /// How many entries no trim has removed.
    #[must_use]
    pub fn outbox_len(&self) -> u64 {
        self.inner.state().head.outbox_len
    }

    /// The last sequence that this index partition applied from the source's partition; 0 before the first.
    ///
    /// # Errors
    /// When the store failed.
    pub fn arrived(&self, source: SourceId) -> Result<u64, StoreError> {
        self.inner.serving()?;
        let row = layout::source_row(self.inner.id, source.partition);
        let Some(bytes) = self.inner.found(self.inner.shared.rows.get(row))? else {
            return Ok(0);
        };
        let arrived: Arrived = self.inner.sound(record::decode(&bytes, "source"))?;
        Ok(arrived.last)
    }
}

impl Work<'_> {
    pub(crate) fn apply_trim(&mut self, upto: u64) -> Result<Outcome, StoreError> {
        let first = layout::outbox(self.inner.id);
        let behind = layout::outbox_row(self.inner.id, upto.saturating_add(1));
        let rows = self.range(&first, &behind, TRIM_MAX)?;
        let gone = rows.len() as u64;
        for row in rows.into_keys() {
            self.remove(row);
        }
        self.head.outbox_len = self.head.outbox_len.saturating_sub(gone);
        Ok(if gone == 0 {
            Outcome::Ignored
        } else {
            Outcome::Applied
        })
    }

    fn arrived(&self, source: SourceId) -> Result<Arrived, StoreError> {
        let row = layout::source_row(self.inner.id, source.partition);
        match self.get(&row)? {
            Some(bytes) => record::decode(&bytes, "source"),
            None => Ok(Arrived::default()),
        }
    }

    pub(crate) fn apply_fence(&mut self, source: SourceId) -> Result<Outcome, StoreError> {
        let mut arrived = self.arrived(source)?;
        if source.generation <= arrived.generation {
            return Ok(Outcome::Ignored);
        }
        arrived.generation = source.generation;
        let row = layout::source_row(self.inner.id, source.partition);
        self.put_value(row, &arrived);
        Ok(Outcome::Applied)
    }

    pub(crate) fn apply_batch(
        &mut self,
        source: SourceId,
        entries: Vec<OutboxEntry>,
    ) -> Result<Outcome, StoreError> {
        let mut arrived = self.arrived(source)?;
        let is_index = matches!(self.spec().kind, PartitionKind::IndexOf { .. });
        if !is_index || source.generation < arrived.generation {
            return Ok(Outcome::Refused);
        }
        let range = self.spec().range;
        let inside =
            |entry: &OutboxEntry| position_of(&entry.row.0).is_some_and(|p| range.contains(p));
        if !entries.iter().all(inside) {
            return Ok(Outcome::WrongPartition);
        }
        let before = arrived;
        for entry in entries {
            if entry.sequence > arrived.last {
                arrived.last = entry.sequence;
                self.take(entry)?;
            }
        }
        if arrived == before {
            return Ok(Outcome::Ignored);
        }
        arrived.generation = source.generation;
        let row = layout::source_row(self.inner.id, source.partition);
        self.put_value(row, &arrived);
        Ok(Outcome::Applied)
    }

    /// Takes an entry, unless the row is of a later write: after a split a source can send what another one sent.
    fn take(&mut self, entry: OutboxEntry) -> Result<(), StoreError> {
        let row = layout::row(self.spec().table, Space::Items, &entry.row.0);
        if let Some(bytes) = self.get(&row)? {
            let there = record::decode_record(&bytes)?;
            if there.version > entry.version {
                return Ok(());
            }
            self.head.items = self.head.items.saturating_sub(1);
            self.head.bytes = self.head.bytes.saturating_sub(u64::from(there.bytes));
            self.remove(row.clone());
        }
        if let Some(Bytes(image)) = entry.image {
            self.head.items += 1;
            self.head.bytes += u64::from(record::decode_record(&image)?.bytes);
            self.put(row, image);
        }
        Ok(())
    }
}
