//! Adding to the log.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError};

use crate::protocol::{Change, Record, SegmentId};

use super::codec::{Kind, put_create, put_discard, put_record};
use super::entry::{Entry, Position};
use super::error::StoreError;
use super::layers::Layers;
use super::log::Queue;
use super::options::QUEUE_BYTES_MAX;
use super::segment::{Index, Segment, Slot};
use super::segment_store::{Registry, SegmentStore};

/// Bytes that a page can have.
const PAGE_BYTES_MAX: u32 = 1 << 20;

impl SegmentStore {
    /// Adds entries to the log, in their order and after those of calls that have returned. They are read at once, and kept
    /// once [`SegmentStore::synced`] says so. After a crash a part of the call's entries may be there: the first ones. Does
    /// not wait for disks.
    ///
    /// # Errors
    /// When an entry does not fit what the store holds, too much waits, or the store has stopped. Nothing is appended then.
    pub fn append(&self, entries: Vec<Entry>) -> Result<Position, StoreError> {
        let log = self.log();
        log.progress.check()?;
        let mut queue = log.queue();
        let registry = &self.inner.registry;
        {
            let registry = registry.read().unwrap_or_else(PoisonError::into_inner);
            check(&registry, &entries)?;
        }
        if queue.waiting_bytes() > QUEUE_BYTES_MAX {
            return Err(StoreError::Overloaded);
        }
        for entry in entries {
            self.take(&mut queue, entry);
        }
        log.ring();
        Ok(queue.end())
    }

    fn take(&self, queue: &mut Queue, entry: Entry) {
        match entry {
            Entry::Create {
                segment,
                page_bytes,
            } => self.take_create(queue, segment, page_bytes),
            Entry::Drop { segment } => self.take_drop(queue, &segment),
            Entry::Record { segment, record } => {
                let segment = self.known(&segment);
                self.take_record(queue, &segment, record);
            }
            Entry::State { segment, bytes } => {
                let segment = self.known(&segment);
                let mut index = segment.index();
                let (at, _) = queue.push(segment.number, Kind::State, |out| {
                    out.extend_from_slice(&bytes);
                });
                index.state = Some(bytes);
                index.state_at = at;
                index.damage = None;
            }
            Entry::Discard {
                segment,
                above,
                below_epoch,
            } => {
                let segment = self.known(&segment);
                let mut index = segment.index();
                queue.push(segment.number, Kind::Discard, |out| {
                    put_discard(out, above, below_epoch);
                });
                index.discard(above, below_epoch);
            }
        }
    }

    fn known(&self, segment: &SegmentId) -> Arc<Segment> {
        let registry = self.inner.registry.read();
        let registry = registry.unwrap_or_else(PoisonError::into_inner);
        Arc::clone(registry.get(segment).expect("entries were checked"))
    }

    fn take_create(&self, queue: &mut Queue, id: SegmentId, page_bytes: u32) {
        let number = queue.next_number;
        queue.next_number += 1;
        let (create_at, _) = queue.push(number, Kind::Create, |out| {
            put_create(out, &id, page_bytes);
        });
        let mut index = Index::default();
        index.create_at = create_at;
        let segment = Segment::new(
            id.clone(),
            number,
            page_bytes,
            index,
            Layers::own(number),
            0,
        );
        let registry = self.inner.registry.write();
        let mut registry = registry.unwrap_or_else(PoisonError::into_inner);
        registry.insert(id, Arc::new(segment));
    }

    fn take_drop(&self, queue: &mut Queue, id: &SegmentId) {
        let registry = self.inner.registry.write();
        let mut registry = registry.unwrap_or_else(PoisonError::into_inner);
        let segment = registry.remove(id).expect("entries were checked");
        queue.push(segment.number, Kind::Drop, |_| ());
        let mut index = segment.index();
        index.dropped = true;
        index.clear();
        drop(index);
        self.dropped().push(segment);
    }

    pub(super) fn take_record(&self, queue: &mut Queue, segment: &Arc<Segment>, record: Record) {
        let mut index = segment.index();
        let (header, page) = (record.header, record.page);
        if header.lsn <= index.coalesced_to {
            return;
        }
        let (position, len) = queue.push(segment.number, Kind::Record, |out| {
            put_record(out, &record);
        });
        let payload = record.change.payload_bytes();
        index.insert(Slot {
            header,
            page,
            position,
            len,
            record: Some(record),
        });
        drop(index);
        let cache = &self.log().cache;
        cache.hold(Arc::downgrade(segment), header.lsn, position, payload);
    }
}

/// Whether each entry fits what the store holds after the ones before it.
fn check(registry: &Registry, entries: &[Entry]) -> Result<(), StoreError> {
    // Bytes of the pages of segments that these entries make; none for those that they drop.
    let mut changed: HashMap<&SegmentId, Option<u32>> = HashMap::new();
    let page_bytes = |changed: &HashMap<&SegmentId, Option<u32>>, id: &SegmentId| {
        let stored = || registry.get(id).map(|segment| segment.page_bytes);
        changed.get(id).copied().unwrap_or_else(stored)
    };
    for entry in entries {
        let id = entry.segment();
        let there = page_bytes(&changed, id);
        let unknown = || StoreError::UnknownSegment(id.clone());
        match entry {
            Entry::Create { page_bytes, .. } => {
                if there.is_some() {
                    return Err(StoreError::SegmentExists(id.clone()));
                }
                if *page_bytes == 0 || *page_bytes > PAGE_BYTES_MAX {
                    return Err(StoreError::Refused("pages of that size"));
                }
                changed.insert(id, Some(*page_bytes));
            }
            Entry::Drop { .. } => {
                there.ok_or_else(unknown)?;
                changed.insert(id, None);
            }
            Entry::State { .. } => {
                there.ok_or_else(unknown)?;
            }
            Entry::Record { record, .. } => check_record(record, there.ok_or_else(unknown)?)?,
            Entry::Discard { above, .. } => {
                there.ok_or_else(unknown)?;
                let segment = registry.get(id).filter(|_| !changed.contains_key(id));
                let coalescing_to = segment.map(|segment| segment.index().coalescing_to);
                if coalescing_to.is_some_and(|to| *above < to) {
                    return Err(StoreError::Refused("what is coalesced cannot be discarded"));
                }
            }
        }
    }
    Ok(())
}

fn check_record(record: &Record, page_bytes: u32) -> Result<(), StoreError> {
    let page_bytes = page_bytes as usize;
    let fits = match &record.change {
        Change::Mark | Change::Discard => true,
        Change::Image(bytes) => bytes.len() <= page_bytes,
        Change::Spans(spans) => spans
            .iter()
            .all(|span| span.offset as usize + span.bytes.len() <= page_bytes),
    };
    if !fits {
        return Err(StoreError::Refused("a change beyond the page's end"));
    }
    if record.header.lsn.0 == 0 || record.header.lsn.0 == u64::MAX {
        return Err(StoreError::Refused("no record has this LSN"));
    }
    Ok(())
}

impl Entry {
    /// Whose entry it is.
    #[must_use]
    pub fn segment(&self) -> &SegmentId {
        match self {
            Entry::Create { segment, .. }
            | Entry::Record { segment, .. }
            | Entry::State { segment, .. }
            | Entry::Discard { segment, .. }
            | Entry::Drop { segment } => segment,
        }
    }
}
