//! Items that expire, by the time at which they do.

use quorate_dynamo_lang::Item;

use crate::derive;
use crate::error::StoreError;
use crate::layout::{self, Space};
use crate::page::{IndexRef, decode_key};
use crate::partition::Partition;
use crate::record;
use crate::spec::position_of;
use crate::work::Work;

/// What expired longer ago is taken for a mistake and kept. AWS: "Time to Live", five years.
const PAST_S_MAX: u64 = 5 * 365 * 86_400;

impl Partition {
    /// Keys of at most `limit` items whose time was before `now_s`, the earliest first. Each is to be deleted with
    /// [`crate::WriteOp::Expire`], which looks again.
    ///
    /// # Errors
    /// When the store failed.
    pub fn expired(&self, now_s: u64, limit: usize) -> Result<Vec<Item>, StoreError> {
        let state = self.inner.serving()?;
        let spec = state.spec();
        if spec.ttl_attribute.is_none() {
            return Ok(Vec::new());
        }
        let from = layout::expiry_row(spec.table, now_s.saturating_sub(PAST_S_MAX), &[]);
        let to = layout::expiry_row(spec.table, now_s, &[]);
        let key_start = to.len();
        let mut keys = Vec::new();
        for row in self.inner.shared.rows.range(from..to) {
            if keys.len() >= limit {
                break;
            }
            let row = self.inner.sound(row.key().map_err(StoreError::from))?;
            let key = row.get(key_start..).unwrap_or_default();
            if position_of(key).is_some_and(|position| spec.range.contains(position)) {
                let key = decode_key(spec, IndexRef::Table, key);
                keys.push(self.inner.sound(key)?);
            }
        }
        Ok(keys)
    }
}

impl Work<'_> {
    /// Writes the rows about expiry anew: the attribute is another.
    pub(crate) fn index_expiry(&mut self) -> Result<(), StoreError> {
        let (table, range) = (self.spec().table, self.spec().range);
        let prefix = layout::space(table, Space::Expiry);
        for (row, _) in self.prefix(&prefix)? {
            let position = position_of(row.get(prefix.len() + 8..).unwrap_or_default());
            if position.is_some_and(|position| range.contains(position)) {
                self.remove(row);
            }
        }
        if self.spec().ttl_attribute.is_none() {
            return Ok(());
        }
        let (from, to) = layout::positions(table, Space::Items, range);
        let start = layout::space(table, Space::Items).len();
        for (row, value) in self.range(&from, &to, usize::MAX)? {
            let record = record::decode_record(&value)?;
            if let Some(expiry) = derive::expiry(self.spec(), &record.item) {
                let key = row.get(start..).unwrap_or_default();
                self.put(layout::expiry_row(table, expiry, key), Vec::new());
            }
        }
        Ok(())
    }
}
