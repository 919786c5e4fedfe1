//! Every replica's side: carries out effects, in the log's order.
//!
//! Invariants: the outcome depends on the effects alone, so all replicas have the same rows; the rows and the mark are
//! written in one batch; an effect that cannot be read stops the partition, for skipping it would make replicas differ.

use std::io;

use crate::bytes::Bytes;
use crate::derive::{self, View};
use crate::effect::{Effect, OutboxEntry, Outcome, WriteEffect};
use crate::error::StoreError;
use crate::layout::{self, Space};
use crate::partition::{Described, Partition};
use crate::record::{self, Record};
use crate::spec::position_of;
use crate::work::Work;

impl Partition {
    /// Applies effects and notes `mark`, all at once. Gives for each effect the bytes of its [`Outcome`]. Not synced:
    /// see [`crate::Store::flush`]. With the mark that is noted already nothing is done.
    ///
    /// # Errors
    /// When an effect is damaged or the database fails; the partition is stopped then.
    pub fn apply(&self, effects: &[&[u8]], mark: &[u8]) -> io::Result<Vec<Vec<u8>>> {
        let inner = &self.inner;
        let _one = inner.applying();
        inner.check_poison()?;
        let outcomes = inner.sound(self.apply_all(effects, mark))?;
        Ok(outcomes.iter().map(Outcome::encode).collect())
    }

    fn apply_all(&self, effects: &[&[u8]], mark: &[u8]) -> Result<Vec<Outcome>, StoreError> {
        let mut work = Work::begin(&self.inner)?;
        if work.head.mark.as_ref().is_some_and(|noted| noted.0 == mark) {
            return Ok(vec![Outcome::Ignored; effects.len()]);
        }
        let mut outcomes = Vec::with_capacity(effects.len());
        for bytes in effects {
            outcomes.push(work.apply(Effect::decode(bytes)?)?);
        }
        work.head.mark = Some(Bytes(mark.to_vec()));
        work.commit()?;
        Ok(outcomes)
    }
}

impl Work<'_> {
    fn apply(&mut self, effect: Effect) -> Result<Outcome, StoreError> {
        match effect {
            Effect::Write(write) => self.apply_write(write),
            Effect::Prepare(prepare) => self.apply_prepare(prepare),
            Effect::Commit { txn } => self.apply_commit(txn),
            Effect::Abort { txn } => self.apply_abort(txn),
            Effect::TrimOutbox { upto } => self.apply_trim(upto),
            Effect::IndexBatch { source, entries } => self.apply_batch(source, entries),
            Effect::Fence { source } => self.apply_fence(source),
            Effect::Split {
                at,
                right,
                right_items,
                right_bytes,
            } => self.apply_split(at, right, right_items, right_bytes),
            Effect::SetIndexes {
                global_indexes,
                ttl_attribute,
            } => {
                if self.head.locks > 0 {
                    return Ok(Outcome::Refused);
                }
                let mut described = Described::clone(&self.described);
                let expiry_moves = described.spec.ttl_attribute != ttl_attribute;
                described.spec.global_indexes = global_indexes;
                described.spec.ttl_attribute = ttl_attribute;
                described.revision += 1;
                self.describe(described);
                if expiry_moves {
                    self.index_expiry()?;
                }
                Ok(Outcome::Applied)
            }
            Effect::Backfill {
                index,
                after,
                limit,
            } => self.apply_backfill(index, after, limit),
        }
    }

    fn apply_write(&mut self, write: WriteEffect) -> Result<Outcome, StoreError> {
        if !self.spec().range.contains(write.position()) {
            return Ok(Outcome::WrongPartition);
        }
        if write.revision != self.described.revision {
            return Ok(Outcome::Stale);
        }
        self.write(write)?;
        Ok(Outcome::Applied)
    }

    /// Writes an item and what follows from it.
    pub(crate) fn write(&mut self, write: WriteEffect) -> Result<(), StoreError> {
        self.count(&write);
        self.write_collection(&write)?;
        let table = self.spec().table;
        if let Some(expiry) = write.old_expiry {
            self.remove(layout::expiry_row(table, expiry, &write.key.0));
        }
        if !self.spec().local_indexes.is_empty()
            || !write.global.is_empty()
            || self.spec().ttl_attribute.is_some()
        {
            self.write_derived(&write)?;
        }
        let row = layout::row(table, Space::Items, &write.key.0);
        match write.image {
            Some(image) => self.put(row, image.0),
            None => self.remove(row),
        }
        Ok(())
    }

    fn count(&mut self, write: &WriteEffect) {
        let head = &mut self.head;
        if let Some(old) = write.old_bytes {
            head.items = head.items.saturating_sub(1);
            head.bytes = head.bytes.saturating_sub(u64::from(old));
        }
        if write.image.is_some() {
            head.items += 1;
            head.bytes += u64::from(write.new_bytes);
        }
    }

    fn write_collection(&mut self, write: &WriteEffect) -> Result<(), StoreError> {
        if self.spec().local_indexes.is_empty() || write.collection_delta == 0 {
            return Ok(());
        }
        // A collection is named by the first part of its items' keys.
        let hash_end = self.hash_end(&write.key.0)?;
        let collection = &write.key.0[..hash_end];
        let row = layout::row(self.spec().table, Space::Collections, collection);
        let before: u64 = match self.get(&row)? {
            Some(bytes) => record::decode(&bytes, "item collection")?,
            None => 0,
        };
        match before.saturating_add_signed(write.collection_delta) {
            0 => self.remove(row),
            after => self.put_value(row, &after),
        }
        Ok(())
    }

    /// Where the hash part of a row's key ends.
    fn hash_end(&self, key: &[u8]) -> Result<usize, StoreError> {
        let mut rest = key.get(8..).ok_or(StoreError::Damaged("effect"))?;
        for (_, kind) in &self.spec().schema.hash {
            quorate_dynamo_lang::key_codec::decode(*kind, &mut rest)
                .map_err(|_| StoreError::Damaged("effect"))?;
        }
        Ok(key.len() - rest.len())
    }

    /// Writes index rows, outbox entries and the expiry of an item.
    fn write_derived(&mut self, write: &WriteEffect) -> Result<(), StoreError> {
        let record = match &write.image {
            Some(image) => Some(record::decode_record(&image.0)?),
            None => None,
        };
        self.write_local(write, record.as_ref())?;
        for change in &write.global {
            if let Some(gone) = &change.gone {
                let place = (change.index, write.version, write.position());
                self.send(place, gone.clone(), None);
            }
            if change.put
                && let Some(record) = &record
            {
                self.send_item(change.index, write.position(), record);
            }
        }
        if let Some(expiry) = record
            .as_ref()
            .and_then(|record| derive::expiry(self.spec(), &record.item))
        {
            let row = layout::expiry_row(self.spec().table, expiry, &write.key.0);
            self.put(row, Vec::new());
        }
        Ok(())
    }

    fn write_local(
        &mut self,
        write: &WriteEffect,
        record: Option<&Record>,
    ) -> Result<(), StoreError> {
        let described = std::sync::Arc::clone(&self.described);
        let spec = &described.spec;
        for change in &write.local {
            let space = Space::Local(change.index);
            if let Some(gone) = &change.gone {
                self.remove(layout::row(spec.table, space, &gone.0));
            }
            let Some(record) = record.filter(|_| change.put) else {
                continue;
            };
            let index = spec.local_index(change.index);
            let parts = spec.schema.encode(&record.item);
            let (Some(index), Some(parts)) = (index, parts) else {
                return Err(StoreError::Damaged("effect"));
            };
            let Some(key) = derive::local_key(index, write.position(), &parts, &record.item) else {
                return Err(StoreError::Damaged("effect"));
            };
            let view = View::local(spec, index);
            let bytes = view.bytes(&record.item);
            let row = record::encode_record(record.version, bytes, &view.project(&record.item));
            self.put(layout::row(spec.table, space, &key), row);
        }
        Ok(())
    }

    /// Puts the item's row for a global index into the outbox, when it has one.
    pub(crate) fn send_item(&mut self, index: u16, base_position: u64, record: &Record) {
        let described = std::sync::Arc::clone(&self.described);
        let Some(index) = described.spec.global_index(index) else {
            return;
        };
        if let Some(row) = derive::global_key(&described.spec, index, &record.item) {
            let view = View::global(&described.spec, index);
            let (bytes, item) = (view.bytes(&record.item), view.project(&record.item));
            let image = record::encode_record(record.version, bytes, &item);
            let place = (index.id, record.version, base_position);
            self.send(place, Bytes(row), Some(Bytes(image)));
        }
    }

    fn send(
        &mut self,
        (index, version, base_position): (u16, u64, u64),
        row: Bytes,
        image: Option<Bytes>,
    ) {
        let sequence = self.head.outbox_next;
        self.head.outbox_next += 1;
        self.head.outbox_len += 1;
        let entry = OutboxEntry {
            sequence,
            index,
            version,
            base_position,
            row,
            image,
        };
        self.put_value(layout::outbox_row(self.inner.id, sequence), &entry);
    }

    fn apply_backfill(
        &mut self,
        index: u16,
        after: Option<Vec<u8>>,
        limit: u32,
    ) -> Result<Outcome, StoreError> {
        if self.spec().global_index(index).is_none() {
            return Ok(Outcome::Refused);
        }
        let table = self.spec().table;
        let (mut from, to) = layout::positions(table, Space::Items, self.spec().range);
        if let Some(after) = after {
            let mut behind = layout::row(table, Space::Items, &after);
            behind.push(0);
            from = from.max(behind);
        }
        if from >= to {
            return Ok(Outcome::Next(None));
        }
        let prefix = layout::space(table, Space::Items).len();
        let rows = self.range(&from, &to, limit.max(1) as usize)?;
        let full = rows.len() == limit.max(1) as usize;
        let mut last = None;
        for (row, value) in rows {
            let key = row.get(prefix..).unwrap_or_default();
            let position = position_of(key).ok_or(StoreError::Damaged("row key"))?;
            self.send_item(index, position, &record::decode_record(&value)?);
            last = Some(key.to_vec());
        }
        Ok(Outcome::Next(last.filter(|_| full)))
    }
}
