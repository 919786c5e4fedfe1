//! A partition gives the upper part of its range to another.
//!
//! Items stand by table and position, so none of them moves. What is the partition's own goes to the side that it
//! belongs to: outbox entries and prepared transactions by their items' positions; what came from sources, to both.

use fjall::Readable;

use crate::bytes::Bytes;
use crate::effect::{OutboxEntry, Outcome, TxnRecord};
use crate::error::StoreError;
use crate::layout::{self, Space};
use crate::partition::{Described, Head, Partition, Status};
use crate::record;
use crate::spec::{HashRange, PartitionId, SourceId, position_of};
use crate::transaction::txn_of;
use crate::work::Work;

/// Where a partition would be split into halves of about the same bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SplitPlan {
    /// The first position of the upper part.
    pub at: u64,
    /// The upper part's items.
    pub right_items: u64,
    /// The upper part's bytes.
    pub right_bytes: u64,
}

impl Partition {
    /// Reads the whole partition and says where to split it; nothing when all is at one position. Blocks for as long
    /// as a scan does. Writes during the call are not counted.
    ///
    /// # Errors
    /// When the store failed.
    pub fn plan_split(&self) -> Result<Option<SplitPlan>, StoreError> {
        let state = self.inner.serving()?;
        let spec = state.spec();
        let moment = self.inner.shared.db.snapshot();
        let (from, to) = layout::positions(spec.table, Space::Items, spec.range);
        let prefix = layout::space(spec.table, Space::Items).len();
        let rows = || moment.range(&self.inner.shared.rows, from.clone()..to.clone());
        let read = |row: fjall::Guard| -> Result<(u64, u64), StoreError> {
            let (key, value) = row.into_inner()?;
            let position = position_of(key.get(prefix..).unwrap_or_default());
            let record = record::decode_record(&value)?;
            let position = position.ok_or(StoreError::Damaged("row key"))?;
            Ok((position, u64::from(record.bytes)))
        };
        let (mut items, mut bytes) = (0_u64, 0_u64);
        for row in rows() {
            items += 1;
            bytes += self.inner.sound(read(row))?.1;
        }
        let (mut left_items, mut left_bytes, mut last) = (0_u64, 0_u64, None);
        for row in rows() {
            let (position, item_bytes) = self.inner.sound(read(row))?;
            if left_bytes * 2 >= bytes && last.is_some_and(|last| last < position) {
                return Ok(Some(SplitPlan {
                    at: position,
                    right_items: items - left_items,
                    right_bytes: bytes - left_bytes,
                }));
            }
            left_items += 1;
            left_bytes += item_bytes;
            last = Some(position);
        }
        Ok(None)
    }
}

impl Partition {
    /// Reads the upper part of the partition, from `at` on, and says what there is. Blocks for as long as a scan does.
    ///
    /// # Errors
    /// When the store failed.
    pub fn measure_split(&self, at: u64) -> Result<SplitPlan, StoreError> {
        let state = self.inner.serving()?;
        let spec = state.spec();
        let moment = self.inner.shared.db.snapshot();
        let upper = HashRange {
            first: at,
            last: spec.range.last,
        };
        let (from, to) = layout::positions(spec.table, Space::Items, upper);
        let (mut right_items, mut right_bytes) = (0_u64, 0_u64);
        for row in moment.range(&self.inner.shared.rows, from..to) {
            let (_, value) = row.into_inner()?;
            let record = self.inner.sound(record::decode_record(&value))?;
            right_items += 1;
            right_bytes += u64::from(record.bytes);
        }
        Ok(SplitPlan {
            at,
            right_items,
            right_bytes,
        })
    }
}

impl Work<'_> {
    pub(crate) fn apply_split(
        &mut self,
        at: u64,
        right: PartitionId,
        right_items: u64,
        right_bytes: u64,
    ) -> Result<Outcome, StoreError> {
        let range = self.spec().range;
        if at <= range.first || at > range.last || right == self.inner.id {
            return Ok(Outcome::Refused);
        }
        if self.get(&layout::spec_row(right))?.is_some() {
            // No partition is made where another one is, so this one is not where the log thinks that it is.
            return Err(StoreError::Exists);
        }
        let mut left = Described::clone(&self.described);
        left.generation += 1;
        left.spec.range.last = at - 1;
        let mut born = left.clone();
        born.spec.range = HashRange {
            first: at,
            last: range.last,
        };
        born.fences.push(SourceId {
            partition: self.inner.id,
            generation: left.generation,
        });
        let mut head = Head::empty(Status::Serving);
        head.outbox_next = self.head.outbox_next;
        head.items = right_items.min(self.head.items);
        head.bytes = right_bytes.min(self.head.bytes);
        self.head.items -= head.items;
        self.head.bytes -= head.bytes;
        self.describe(left);
        self.move_outbox(at, right, &mut head)?;
        self.move_transactions(at, right, &mut head)?;
        for (row, value) in self.prefix(&layout::sources(self.inner.id))? {
            let source = row.last_chunk().ok_or(StoreError::Damaged("source"))?;
            let source = PartitionId(u64::from_be_bytes(*source));
            self.put(layout::source_row(right, source), value);
        }
        self.born.push((right, born, head));
        Ok(Outcome::Applied)
    }

    fn move_outbox(
        &mut self,
        at: u64,
        right: PartitionId,
        head: &mut Head,
    ) -> Result<(), StoreError> {
        for (row, value) in self.prefix(&layout::outbox(self.inner.id))? {
            let entry: OutboxEntry = record::decode(&value, "outbox entry")?;
            if entry.base_position >= at {
                self.remove(row);
                self.head.outbox_len = self.head.outbox_len.saturating_sub(1);
                head.outbox_len += 1;
                self.put(layout::outbox_row(right, entry.sequence), value);
            }
        }
        Ok(())
    }

    fn move_transactions(
        &mut self,
        at: u64,
        right: PartitionId,
        head: &mut Head,
    ) -> Result<(), StoreError> {
        let upper = |key: &Bytes| position_of(&key.0).is_some_and(|position| position >= at);
        for (row, value) in self.prefix(&layout::transactions(self.inner.id))? {
            let txn = txn_of(&row)?;
            let mut lower: TxnRecord = record::decode(&value, "transaction")?;
            let mut moved = lower.clone();
            lower.keys.retain(|key| !upper(key));
            lower.writes.retain(|write| !upper(&write.key));
            moved.keys.retain(upper);
            moved.writes.retain(|write| upper(&write.key));
            if moved.keys.is_empty() {
                continue;
            }
            let count = moved.keys.len() as u64;
            self.head.locks = self.head.locks.saturating_sub(count);
            head.locks += count;
            self.put_value(layout::transaction_row(right, txn), &moved);
            if lower.keys.is_empty() {
                self.remove(row);
            } else {
                self.put_value(row, &lower);
            }
        }
        Ok(())
    }
}
