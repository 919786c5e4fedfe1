//! Keeping the log short.
//!
//! Files go oldest first. What is still needed of a file is put into the log again, at its end, and synced, before the file
//! is removed: after a crash in between both copies say the same. Old files hold nothing that voids newer entries, so they
//! can go before those that follow.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError};

use crate::protocol::{Lsn, Record};

use super::codec::{Kind, put_create, put_damage, put_record};
use super::entry::Position;
use super::error::StoreError;
use super::log::Queue;
use super::segment::{Segment, Slot};
use super::segment_store::SegmentStore;

/// Bytes of frames that are put into the log again at once.
const CARRIED_BYTES_MAX: usize = 4 << 20;

/// How many times longer than what is needed of it the log may be: each byte is carried on about once for two that go.
const LENGTH_PER_NEEDED: u64 = 3;

/// Files that the log has at most while they are small: each start begins one.
const FILES_MAX: usize = 64;

/// What a segment takes in the log at least.
const SEGMENT_BYTES: u64 = 128;

/// Up to where each segment's pages are on disk, by its number.
type Persisted = HashMap<u32, Lsn>;

impl SegmentStore {
    /// Removes log files from the oldest on, as long as the log has more bytes than [`super::Options::log_bytes_kept`] and
    /// than three times what is needed of it, or is in too many small files. Records that are not coalesced and states in these files are put into the log
    /// again before. Also gives back the room of segments that were dropped. [`SegmentStore::coalesce`] calls it; a node
    /// whose segments only take states calls it by itself now and then. Blocks on disks.
    ///
    /// # Errors
    /// `BadRecord` when a record that is needed is damaged: mend it. Else when the store has stopped.
    pub fn truncate_log(&self) -> Result<(), StoreError> {
        let truncating = self.inner.truncating.lock();
        let _one = truncating.unwrap_or_else(PoisonError::into_inner);
        self.log().progress.check()?;
        self.remove_dropped()?;
        if !self.is_long() {
            return Ok(());
        }
        let persisted = self.persist()?;
        while self.is_long() {
            let [start, end, ..] = self.log().files.starts()[..] else {
                return Ok(());
            };
            self.carry_all(end, &persisted)?;
            let position = self.log().queue().end();
            self.remove_file(start, end, position)?;
        }
        Ok(())
    }

    /// Bytes of the log's files.
    #[must_use]
    pub fn log_bytes(&self) -> u64 {
        let end = self.log().queue().end().0;
        end.saturating_sub(self.log().files.start())
    }

    fn is_long(&self) -> bool {
        let needed: u64 = self
            .all_segments()
            .iter()
            .map(|segment| {
                let index = segment.index();
                let state = index.state.as_ref().map_or(0, |state| state.len() as u64);
                index.waiting_bytes + state + SEGMENT_BYTES
            })
            .sum();
        let options = &self.log().options;
        let bytes = self.log_bytes();
        // Half of them are enough for what there is.
        let in_bits = bytes < options.log_file_bytes * (FILES_MAX as u64 / 2);
        bytes > options.log_bytes_kept.max(LENGTH_PER_NEEDED * needed)
            || (in_bits && self.log().files.starts().len() > FILES_MAX)
    }

    /// Makes pages durable; up to where each segment's are.
    fn persist(&self) -> Result<Persisted, StoreError> {
        let coalesced = self.all_segments().into_iter();
        let coalesced = coalesced.map(|segment| (segment.number, segment.index().coalesced_to));
        let coalesced = coalesced.collect();
        self.log().progress.sound(self.inner.pages.persist())?;
        Ok(coalesced)
    }

    /// Puts what stands before `end` and is needed into the log again.
    fn carry_all(&self, end: u64, persisted: &Persisted) -> Result<(), StoreError> {
        for segment in self.all_segments() {
            let coalesced_to = persisted.get(&segment.number).copied();
            self.step()?;
            self.carry_identity(&segment, end);
            self.carry_records(&segment, end, coalesced_to.unwrap_or_default())?;
        }
        Ok(())
    }

    fn carry_identity(&self, segment: &Segment, end: u64) {
        let log = self.log();
        let mut queue = log.queue();
        let mut index = segment.index();
        if index.dropped {
            return;
        }
        if index.create_at < end {
            let push = |out: &mut Vec<u8>| put_create(out, &segment.id, segment.page_bytes);
            index.create_at = queue.push(segment.number, Kind::Create, push).0;
        }
        let state = index.state.clone().filter(|_| index.state_at < end);
        if let Some(state) = &state {
            let push = |out: &mut Vec<u8>| out.extend_from_slice(state);
            index.state_at = queue.push(segment.number, Kind::State, push).0;
        }
        // A state takes back what damage is told, so that stands behind it.
        if let Some((damage, at)) = index.damage
            && (at < end || state.is_some())
        {
            let push = |out: &mut Vec<u8>| put_damage(out, &damage);
            let at = queue.push(segment.number, Kind::Damage, push).0;
            index.damage = Some((damage, at));
        }
        log.ring();
    }

    fn carry_records(
        &self,
        segment: &Arc<Segment>,
        end: u64,
        coalesced_to: Lsn,
    ) -> Result<(), StoreError> {
        let mut after = coalesced_to;
        loop {
            let slots = chunk_before(segment, after, end);
            let Some(last) = slots.last() else {
                return Ok(());
            };
            after = last.header.lsn;
            let mut records = Vec::with_capacity(slots.len());
            for slot in &slots {
                // Files are removed by this thread only.
                records.extend(self.record_of(segment, slot)?);
            }
            let mut queue = self.log().queue();
            for (slot, record) in slots.iter().zip(records) {
                self.carry_record(&mut queue, segment, slot, record);
            }
            let position = queue.end();
            drop(queue);
            self.log().ring();
            // No more than this waits in memory.
            self.synced_blocking(position)?;
        }
    }

    fn carry_record(&self, queue: &mut Queue, segment: &Arc<Segment>, slot: &Slot, record: Record) {
        let lsn = slot.header.lsn;
        let mut index = segment.index();
        if index.slot(lsn).map(|slot| slot.position) != Some(slot.position) {
            return;
        }
        let push = |out: &mut Vec<u8>| put_record(out, &record);
        let (position, _) = queue.push(segment.number, Kind::Record, push);
        let payload = record.change.payload_bytes();
        index.move_to(record, position);
        drop(index);
        let cache = &self.log().cache;
        cache.hold(Arc::downgrade(segment), lsn, position, payload);
    }

    fn remove_file(&self, start: u64, end: u64, carried: Position) -> Result<(), StoreError> {
        self.step()?;
        self.synced_blocking(carried)?;
        self.step()?;
        for segment in self.all_segments() {
            let mut index = segment.index();
            if let Some(last) = index.last_before(end) {
                index.set_gone(last);
            }
        }
        self.log().progress.sound(self.log().files.remove(start))?;
        self.step()
    }

    fn step(&self) -> Result<(), StoreError> {
        let step = self.log().options.faults.before_step();
        self.log().progress.sound(step)
    }

    /// After damage was found: puts all that is sound into the log again, says that it begins there, and removes the files
    /// before.
    pub(super) fn heal(&self) -> Result<(), StoreError> {
        let truncating = self.inner.truncating.lock();
        let _one = truncating.unwrap_or_else(PoisonError::into_inner);
        let persisted = self.persist()?;
        let begin = self.log().queue().end().0;
        self.carry_all(begin, &persisted)?;
        let mut queue = self.log().queue();
        for segment in self.all_segments() {
            queue.push(segment.number, Kind::Restart, |out| {
                out.extend_from_slice(&begin.to_le_bytes());
            });
        }
        let position = queue.end();
        drop(queue);
        self.log().ring();
        self.synced_blocking(position)?;
        loop {
            match self.log().files.starts()[..] {
                [start, end, ..] if end <= begin => self.remove_file(start, end, position)?,
                _ => return Ok(()),
            }
        }
    }
}

/// Records above `after` that stand before `end`.
fn chunk_before(segment: &Segment, after: Lsn, end: u64) -> Vec<Slot> {
    let index = segment.index();
    let mut bytes = 0;
    let before = index.above(after).filter(|slot| slot.position < end);
    let fitting = before.take_while(|slot| {
        let fits = bytes < CARRIED_BYTES_MAX;
        bytes += slot.len as usize;
        fits
    });
    fitting.cloned().collect()
}
