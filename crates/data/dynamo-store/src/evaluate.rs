//! The leader's side: what a write does, given what is there.
//!
//! Reads the partition's state and writes nothing. The caller holds the latch of the key, so that nothing changes
//! between here and the effect's application.

use std::borrow::Cow;

use quorate_dynamo_lang::{
    EncodedKey, ITEM_BYTES_MAX, Item, KeySchema, ValidationError, item_bytes, key_codec,
};

use crate::bytes::Bytes;
use crate::derive::{self, View};
use crate::effect::{Effect, RowChange, WriteEffect};
use crate::error::{ReadError, StoreError, WriteError};
use crate::latch::Latch;
use crate::layout::{self, Space};
use crate::partition::{Inner, Partition, State};
use crate::record::{self, Record};
use crate::spec::{ItemKey, PartitionKind, PartitionSpec, TxnId};
use crate::write::{Evaluated, IndexUnits, WriteAnswer, WriteOp};

/// Bytes of a write unit.
const UNIT_BYTES: usize = 1_024;

impl Partition {
    /// Evaluates a write at `now_ms` against what is there. Nothing is written: the effect is to be proposed, and the
    /// latch to be held until it is applied or known to be lost.
    ///
    /// # Errors
    /// When the write is refused, belongs elsewhere, or the store failed.
    pub fn evaluate(
        &self,
        now_ms: u64,
        op: &WriteOp,
        latch: &Latch,
    ) -> Result<Evaluated, WriteError> {
        self.evaluate_on(None, now_ms, op, latch)
    }

    /// As `evaluate`, on what is expected of the item in `epoch` (see `expect`). A refusal, too, then counts only if what
    /// was expected comes to pass.
    ///
    /// # Errors
    /// As `evaluate`; `OnTheirWay` when the indexes changed since what is expected was evaluated.
    pub fn evaluate_after(
        &self,
        epoch: u64,
        now_ms: u64,
        op: &WriteOp,
        latch: &Latch,
    ) -> Result<Evaluated, WriteError> {
        self.evaluate_on(Some(epoch), now_ms, op, latch)
    }

    fn evaluate_on(
        &self,
        epoch: Option<u64>,
        now_ms: u64,
        op: &WriteOp,
        latch: &Latch,
    ) -> Result<Evaluated, WriteError> {
        let state = self.inner.serving()?;
        let one = Evaluation {
            inner: &self.inner,
            state: &state,
            now_ms,
            own: None,
            epoch,
        }
        .run(op, latch)?;
        let image = one.write.as_ref().map(|w| (w.revision, w.image.clone()));
        Ok(Evaluated {
            effect: one.write.map(|write| Effect::Write(write).encode()),
            answer: one.answer,
            image,
        })
    }
}

/// What one evaluation looks at.
pub(crate) struct Evaluation<'a> {
    pub(crate) inner: &'a Inner,
    pub(crate) state: &'a State,
    pub(crate) now_ms: u64,
    /// The transaction whose locks are no conflict.
    pub(crate) own: Option<TxnId>,
    /// The epoch whose expected images count; none when only what is stored does.
    pub(crate) epoch: Option<u64>,
}

/// What came of one operation.
pub(crate) struct OneWrite {
    pub(crate) key: ItemKey,
    pub(crate) write: Option<WriteEffect>,
    pub(crate) answer: WriteAnswer,
}

/// The item afterwards.
struct Change<'a> {
    item: Option<Cow<'a, Item>>,
    updated_old: Option<Item>,
    updated_new: Option<Item>,
    is_update: bool,
}

impl<'a> Change<'a> {
    fn to(item: Option<Cow<'a, Item>>) -> Change<'a> {
        Change {
            item,
            updated_old: None,
            updated_new: None,
            is_update: false,
        }
    }
}

impl Evaluation<'_> {
    pub(crate) fn run(&self, op: &WriteOp, latch: &Latch) -> Result<OneWrite, WriteError> {
        let (key, parts) = self.key(op)?;
        if !latch.covers(&key) {
            return Err(StoreError::NotLatched.into());
        }
        self.check_lock(&key)?;
        let old = self.old(&key)?;
        let old_item = old.as_ref().map(|record| &record.item);
        if op.condition().is_some_and(|c| !c.eval(old_item)) {
            return Err(WriteError::ConditionFailed {
                old: old.map(|record| record.item),
            });
        }
        let change = self.change(op, old_item)?;
        let new_item = change.item.as_deref();
        let new_bytes = new_item.map_or(0, item_bytes);
        self.check_item(new_item, new_bytes, change.is_update)?;
        let mut answer = WriteAnswer {
            old_bytes: old.as_ref().map_or(0, |record| record.bytes as usize),
            new_bytes,
            ..WriteAnswer::default()
        };
        let write = if new_item == old_item {
            self.answer_collection(&key, &parts, 0, &mut answer)?;
            None
        } else {
            let mut write = self.write(op, &key, &parts, old.as_ref(), new_item, &mut answer);
            write.new_bytes = u32::try_from(new_bytes).unwrap_or(u32::MAX);
            self.answer_collection(&key, &parts, write.collection_delta, &mut answer)?;
            Some(write)
        };
        answer.updated_old = change.updated_old;
        answer.updated_new = change.updated_new;
        if change.is_update {
            answer.new = change.item.map(Cow::into_owned);
        }
        answer.old = old.map(|record| record.item);
        Ok(OneWrite { key, write, answer })
    }

    fn spec(&self) -> &PartitionSpec {
        self.state.spec()
    }

    fn key(&self, op: &WriteOp) -> Result<(ItemKey, EncodedKey), WriteError> {
        let spec = self.spec();
        if spec.kind != PartitionKind::Base {
            return Err(WriteError::WrongPartition);
        }
        match op {
            WriteOp::Put { item, .. } => spec.schema.check_item(item)?,
            other => spec.schema.check_key(other.key())?,
        }
        let parts = spec.schema.encode(op.key());
        let parts = parts.ok_or(WriteError::WrongPartition)?;
        let position = key_codec::hash_position(&parts.hash);
        if !spec.range.contains(position) {
            return Err(WriteError::WrongPartition);
        }
        let mut key = Vec::with_capacity(8 + parts.hash.len() + parts.range.len());
        key.extend_from_slice(&position.to_be_bytes());
        key.extend_from_slice(&parts.hash);
        key.extend_from_slice(&parts.range);
        Ok((ItemKey(key), parts))
    }

    fn check_lock(&self, key: &ItemKey) -> Result<(), WriteError> {
        if self.state.head.locks == 0 {
            return Ok(());
        }
        let row = layout::row(self.spec().table, Space::Locks, &key.0);
        let Some(bytes) = self.inner.found(self.inner.shared.rows.get(row))? else {
            return Ok(());
        };
        let txn: TxnId = self.inner.sound(record::decode(&bytes, "lock"))?;
        if Some(txn) == self.own {
            return Ok(());
        }
        Err(WriteError::Conflict(txn))
    }

    fn old(&self, key: &ItemKey) -> Result<Option<Record>, WriteError> {
        let expected = self.epoch.and_then(|epoch| {
            let image = self.inner.images.of(key)?;
            (image.epoch == epoch).then_some(image)
        });
        let Some(image) = expected else {
            return Ok(self.stored(key)?);
        };
        if image.revision != self.state.described.revision {
            return Err(WriteError::OnTheirWay);
        }
        let record = image
            .stored
            .map(|bytes| self.inner.sound(record::decode_record(&bytes.0)));
        Ok(record.transpose()?)
    }

    fn stored(&self, key: &ItemKey) -> Result<Option<Record>, StoreError> {
        let row = layout::row(self.spec().table, Space::Items, &key.0);
        let stored = self.inner.found(self.inner.shared.rows.get(row))?;
        let record = stored.map(|bytes| self.inner.sound(record::decode_record(&bytes)));
        record.transpose()
    }

    fn change<'o>(&self, op: &'o WriteOp, old: Option<&Item>) -> Result<Change<'o>, WriteError> {
        Ok(match op {
            WriteOp::Put { item, .. } => Change::to(Some(Cow::Borrowed(item))),
            WriteOp::Delete { .. } => Change::to(None),
            WriteOp::Check { .. } => Change::to(old.cloned().map(Cow::Owned)),
            WriteOp::Expire { now_s, .. } => {
                let expired = |item: &&Item| {
                    derive::expiry(self.spec(), item).is_some_and(|expiry| expiry < *now_s)
                };
                let kept = old.filter(|item| !expired(item));
                Change::to(kept.cloned().map(Cow::Owned))
            }
            WriteOp::Update { key, update, .. } => {
                update.check_keys(self.spec().schema.attributes().map(|(name, _)| name))?;
                let updated = update.apply(old, key)?;
                Change {
                    item: updated.stored.then_some(Cow::Owned(updated.item)),
                    updated_old: updated.updated_old,
                    updated_new: updated.updated_new,
                    is_update: true,
                }
            }
        })
    }

    fn check_item(
        &self,
        item: Option<&Item>,
        bytes: usize,
        is_update: bool,
    ) -> Result<(), ValidationError> {
        let Some(item) = item else {
            return Ok(());
        };
        for index in &self.spec().local_indexes {
            if item.contains_key(&index.range.0) {
                let schema = KeySchema {
                    hash: Vec::new(),
                    range: vec![index.range.clone()],
                };
                schema.check_indexed(&index.name, item)?;
            }
        }
        for index in &self.spec().global_indexes {
            index.schema.check_indexed(&index.name, item)?;
        }
        if bytes > ITEM_BYTES_MAX {
            return Err(ValidationError::new(if is_update {
                "Item size to update has exceeded the maximum allowed size"
            } else {
                "Item size has exceeded the maximum allowed size"
            }));
        }
        Ok(())
    }

    fn write(
        &self,
        op: &WriteOp,
        key: &ItemKey,
        parts: &EncodedKey,
        old: Option<&Record>,
        new: Option<&Item>,
        answer: &mut WriteAnswer,
    ) -> WriteEffect {
        let spec = self.spec();
        let old_item = old.map(|record| &record.item);
        // Above the version that is there, even when this clock is behind the one that wrote it.
        let version = (self.now_ms << 16).max(old.map_or(0, |record| record.version + 1));
        let mut rows = IndexRows {
            old: old_item,
            new,
            units: &mut answer.index_units,
            delta: 0,
        };
        let mut local = Vec::new();
        for index in &spec.local_indexes {
            let view = View::local(spec, index);
            let position = key.position();
            let row = |item: &Item| derive::local_key(index, position, parts, item);
            local.extend(rows.change(index.id, true, &view, row));
        }
        let local_delta = rows.delta;
        let mut global = Vec::new();
        for index in &spec.global_indexes {
            let view = View::global(spec, index);
            let row = |item: &Item| derive::global_key(spec, index, item);
            global.extend(rows.change(index.id, false, &view, row));
        }
        let (old_bytes, new_bytes) = (answer.old_bytes, answer.new_bytes);
        WriteEffect {
            image: new.map(|item| Bytes(record::encode_record(version, new_bytes, item))),
            key: Bytes(key.0.clone()),
            version,
            revision: self.state.described.revision,
            old_bytes: old.map(|record| record.bytes),
            new_bytes: 0,
            collection_delta: signed(new_bytes) - signed(old_bytes) + local_delta,
            local,
            global,
            old_expiry: old_item.and_then(|item| derive::expiry(spec, item)),
            by_service: matches!(op, WriteOp::Expire { .. }),
        }
    }

    /// Says how large the item collection becomes, and refuses when it grows past its limit.
    fn answer_collection(
        &self,
        key: &ItemKey,
        parts: &EncodedKey,
        delta: i64,
        answer: &mut WriteAnswer,
    ) -> Result<(), WriteError> {
        if self.spec().local_indexes.is_empty() {
            return Ok(());
        }
        let collection = &key.0[..8 + parts.hash.len()];
        let before = self.inner.collection_bytes(self.state, collection)?;
        let after = before.saturating_add_signed(delta);
        if delta > 0 && after > self.inner.shared.limits.collection_bytes_max {
            return Err(WriteError::CollectionFull);
        }
        answer.collection_bytes = Some(after);
        Ok(())
    }
}

impl From<ReadError> for WriteError {
    fn from(error: ReadError) -> WriteError {
        match error {
            ReadError::Validation(error) => WriteError::Validation(error),
            ReadError::WrongPartition => WriteError::WrongPartition,
            ReadError::Store(error) => WriteError::Store(error),
        }
    }
}

/// An item size; far below the limits of either type.
fn signed(bytes: usize) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

/// Compares an item's rows in indexes, before and afterwards.
struct IndexRows<'a> {
    old: Option<&'a Item>,
    new: Option<&'a Item>,
    units: &'a mut Vec<IndexUnits>,
    /// What the rows grow by, together.
    delta: i64,
}

impl IndexRows<'_> {
    fn change(
        &mut self,
        index: u16,
        local: bool,
        view: &View<'_>,
        row: impl Fn(&Item) -> Option<Vec<u8>>,
    ) -> Option<RowChange> {
        let old = self.old.and_then(|item| row(item).zip(Some(item)));
        let new = self.new.and_then(|item| row(item).zip(Some(item)));
        let bytes = |side: &Option<(Vec<u8>, &Item)>| side.as_ref().map_or(0, |s| view.bytes(s.1));
        let (old_bytes, new_bytes) = (bytes(&old), bytes(&new));
        let moved = match (&old, &new) {
            (None, None) => return None,
            (Some(a), Some(b)) if a.0 == b.0 && view.same(a.1, b.1) => return None,
            (Some(a), Some(b)) => a.0 != b.0,
            _ => true,
        };
        let units = |bytes: usize| bytes.div_ceil(UNIT_BYTES).max(1) as u64;
        let cost = if moved {
            old.iter().map(|_| units(old_bytes)).sum::<u64>()
                + new.iter().map(|_| units(new_bytes)).sum::<u64>()
        } else {
            units(old_bytes.max(new_bytes))
        };
        self.units.push(IndexUnits {
            index,
            local,
            units: cost,
        });
        self.delta += signed(new_bytes) - signed(old_bytes);
        Some(RowChange {
            index,
            gone: old.filter(|_| moved).map(|(row, _)| Bytes(row)),
            put: new.is_some(),
        })
    }
}
