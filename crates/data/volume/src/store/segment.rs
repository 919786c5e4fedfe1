//! What is known of one segment in memory: where each of its records stands in the log, by LSN and by page.
//!
//! ```text
//!      gone_to            coalesced_to
//!  ───────┼────────────────────┼──────────────────────▶ LSN
//!   in    │ in pages, still    │ in the log only
//!   pages │ in the log         │
//! ```
//!
//! Invariants
//! - All records above `gone_to` that this segment has are in `records`; those above `coalesced_to` also in `by_page`.
//! - A record that is not yet written to a file is in memory.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

use crate::protocol::{Lsn, PageId, Record, RecordHeader, SegmentId, VolumeEpoch};

use super::entry::{Damage, FoundSegment};
use super::error::StoreError;
use super::kept::Kept;
use super::layers::Layers;

/// One segment of the node.
pub(super) struct Segment {
    pub(super) id: SegmentId,
    pub(super) number: u32,
    pub(super) page_bytes: u32,
    index: Mutex<Index>,
    pages: Mutex<()>,
    layers: Mutex<Arc<Layers>>,
    /// Bytes of the pages that are stored; changed with `pages` held.
    pub(super) stored_bytes: AtomicU64,
}

impl Segment {
    pub(super) fn new(
        id: SegmentId,
        number: u32,
        page_bytes: u32,
        index: Index,
        layers: Layers,
        stored_bytes: u64,
    ) -> Segment {
        Segment {
            id,
            number,
            page_bytes,
            index: Mutex::new(index),
            pages: Mutex::default(),
            layers: Mutex::new(Arc::new(layers)),
            stored_bytes: AtomicU64::new(stored_bytes),
        }
    }

    /// What it says of itself to whoever begins to use it.
    pub(super) fn tells(&self) -> FoundSegment {
        let index = self.index();
        let coalesced_to = index.coalesced_to;
        FoundSegment {
            segment: self.id.clone(),
            page_bytes: self.page_bytes,
            state: index.state.clone(),
            coalesced_to,
            oldest: index.oldest(),
            headers: index.above(coalesced_to).map(|slot| slot.header).collect(),
            damage: index.damage.map(|(damage, _)| damage),
        }
    }

    /// Held shortly; never over a disk.
    pub(super) fn index(&self) -> MutexGuard<'_, Index> {
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn bad_record(&self, lsn: Lsn) -> StoreError {
        let segment = self.id.clone();
        StoreError::BadRecord { segment, lsn }
    }

    /// Where its pages lie. They stay there while the right to write them is held.
    pub(super) fn layers(&self) -> Arc<Layers> {
        let layers = self.layers.lock();
        Arc::clone(&layers.unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn set_layers(&self, layers: Layers) {
        let mut held = self.layers.lock().unwrap_or_else(PoisonError::into_inner);
        *held = Arc::new(layers);
    }

    /// The right to write pages. Taken before the index.
    pub(super) fn pages(&self) -> MutexGuard<'_, ()> {
        self.pages.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A record in the log.
#[derive(Debug, Clone)]
pub(super) struct Slot {
    pub(super) header: RecordHeader,
    pub(super) page: PageId,
    /// Where its frame stands.
    pub(super) position: u64,
    /// Bytes of the frame.
    pub(super) len: u32,
    /// The record, while it is in memory.
    pub(super) record: Option<Record>,
}

#[derive(Debug, Default)]
pub(super) struct Index {
    records: BTreeMap<Lsn, Slot>,
    /// The records above `coalesced_to`, ascending.
    by_page: HashMap<PageId, Vec<Lsn>>,
    pub(super) state: Option<Bytes>,
    /// Where the frames stand that make the segment, its state, its damage.
    pub(super) create_at: u64,
    pub(super) state_at: u64,
    pub(super) damage: Option<(Damage, u64)>,
    pub(super) coalesced_to: Lsn,
    /// Up to where somebody is coalescing: nothing below may be discarded.
    pub(super) coalescing_to: Lsn,
    /// What can be read.
    kept: Kept,
    pub(super) gone_to: Lsn,
    /// Bytes of the frames above `coalesced_to`, and of those at or below.
    pub(super) waiting_bytes: u64,
    pub(super) kept_bytes: u64,
    pub(super) dropped: bool,
}

impl Index {
    /// Adds a record, in place of one with its LSN. False when it is coalesced already.
    pub(super) fn insert(&mut self, slot: Slot) -> bool {
        let (lsn, page) = (slot.header.lsn, slot.page);
        if lsn <= self.coalesced_to {
            return false;
        }
        self.remove(lsn);
        self.waiting_bytes += u64::from(slot.len);
        self.records.insert(lsn, slot);
        let of_page = self.by_page.entry(page).or_default();
        let place = of_page.partition_point(|other| *other < lsn);
        of_page.insert(place, lsn);
        true
    }

    fn remove(&mut self, lsn: Lsn) {
        let Some(slot) = self.records.remove(&lsn) else {
            return;
        };
        if lsn <= self.coalesced_to {
            self.kept_bytes -= u64::from(slot.len);
            return;
        }
        self.waiting_bytes -= u64::from(slot.len);
        self.remove_from_page(slot.page, lsn);
    }

    fn remove_from_page(&mut self, page: PageId, lsn: Lsn) {
        if let Some(of_page) = self.by_page.get_mut(&page) {
            of_page.retain(|other| *other != lsn);
            if of_page.is_empty() {
                self.by_page.remove(&page);
            }
        }
    }

    /// The lowest records of a page: one cut for all of them.
    fn remove_from_page_up_to(&mut self, page: PageId, to: Lsn) {
        if let Some(of_page) = self.by_page.get_mut(&page) {
            of_page.drain(..of_page.partition_point(|lsn| *lsn <= to));
            if of_page.is_empty() {
                self.by_page.remove(&page);
            }
        }
    }

    /// Drops records above `above` of an epoch below `below_epoch`.
    pub(super) fn discard(&mut self, above: Lsn, below_epoch: VolumeEpoch) {
        let void: Vec<Lsn> = self
            .records
            .range(above.next()..)
            .filter(|(_, slot)| slot.header.epoch < below_epoch)
            .map(|(lsn, _)| *lsn)
            .collect();
        for lsn in void {
            self.remove(lsn);
        }
    }

    /// Notes that all up to `to` is in pages.
    pub(super) fn set_coalesced(&mut self, to: Lsn) {
        let from = self.coalesced_to;
        if to <= from {
            return;
        }
        let moved: Vec<(PageId, u32)> = self
            .records
            .range(from.next()..=to)
            .map(|(_, slot)| (slot.page, slot.len))
            .collect();
        for (page, len) in moved {
            self.waiting_bytes -= u64::from(len);
            self.kept_bytes += u64::from(len);
            self.remove_from_page_up_to(page, to);
        }
        self.coalesced_to = to;
        self.coalescing_to = self.coalescing_to.max(to);
    }

    /// Forgets the records at or below `to`, which are in pages.
    pub(super) fn set_gone(&mut self, to: Lsn) {
        self.gone_to = self.gone_to.max(to);
        while let Some((lsn, _)) = self.records.first_key_value() {
            let lsn = *lsn;
            if lsn > self.gone_to {
                return;
            }
            self.remove(lsn);
        }
    }

    /// At the start: forgets coalesced records that the chain of the last one does not reach, as files that held others
    /// between them may be gone.
    pub(super) fn set_gone_by_chain(&mut self) {
        let mut lsn = self.coalesced_to;
        while let Some(slot) = self.records.get(&lsn) {
            if slot.header.previous >= lsn {
                break;
            }
            lsn = slot.header.previous;
        }
        self.set_gone(lsn);
    }

    /// Nothing is left but the state.
    pub(super) fn clear(&mut self) {
        self.records.clear();
        self.by_page.clear();
        self.waiting_bytes = 0;
        self.kept_bytes = 0;
        self.coalesced_to = Lsn(0);
        self.coalescing_to = Lsn(0);
        self.gone_to = Lsn(0);
        self.kept = Kept::default();
    }

    /// Where the pages begin, and reads.
    pub(super) fn set_base(&mut self, coalesced_to: Lsn, oldest: Lsn) {
        self.coalesced_to = coalesced_to;
        self.coalescing_to = coalesced_to;
        self.kept.begin_at(oldest);
    }

    pub(super) fn kept(&self) -> Kept {
        self.kept.clone()
    }

    /// The LSN from which on all can be read.
    pub(super) fn oldest(&self) -> Lsn {
        self.kept.oldest
    }

    pub(super) fn is_read(&self, at: Lsn) -> bool {
        self.kept.is_read(at)
    }

    /// Reads begin at `from`, but for those at points that are kept.
    pub(super) fn keep(&mut self, from: Lsn, points: &[Lsn]) {
        self.kept.advance(from, points);
    }

    /// Reads begin here at the earliest.
    pub(super) fn begin_at(&mut self, oldest: Lsn) {
        let oldest = self.kept.oldest.max(oldest);
        self.kept.begin_at(oldest);
    }

    /// The highest record whose frame stands before `position`.
    pub(super) fn last_before(&self, position: u64) -> Option<Lsn> {
        let before = self
            .records
            .values()
            .filter(|slot| slot.position < position);
        before.map(|slot| slot.header.lsn).max()
    }

    /// The records above `after`, by LSN.
    pub(super) fn above(&self, after: Lsn) -> impl Iterator<Item = &Slot> {
        self.records.range(after.next()..).map(|(_, slot)| slot)
    }

    /// The records of a page that are not coalesced, up to `at`.
    pub(super) fn of_page(&self, page: PageId, at: Lsn) -> Vec<Slot> {
        let of_page = self.by_page.get(&page).map_or(&[][..], Vec::as_slice);
        let wanted = of_page.iter().take_while(|lsn| **lsn <= at);
        wanted.map(|lsn| self.records[lsn].clone()).collect()
    }

    /// The pages from `from` on of which a record at or below `at` is not coalesced, ascending.
    pub(super) fn pages_waiting(&self, from: PageId, at: Lsn) -> BTreeSet<PageId> {
        let changed = self.by_page.iter().filter(|(page, lsns)| {
            **page >= from && lsns.first().is_some_and(|first| *first <= at)
        });
        changed.map(|(page, _)| *page).collect()
    }

    pub(super) fn slot(&self, lsn: Lsn) -> Option<&Slot> {
        self.records.get(&lsn)
    }

    /// The highest record.
    pub(super) fn last(&self) -> Lsn {
        let last = self.records.last_key_value().map(|(lsn, _)| *lsn);
        last.unwrap_or_default().max(self.coalesced_to)
    }

    /// The highest record at or below `lsn`, or what is coalesced.
    pub(super) fn last_up_to(&self, lsn: Lsn) -> Lsn {
        let last = self.records.range(..=lsn).next_back().map(|(lsn, _)| *lsn);
        last.unwrap_or_default().max(self.coalesced_to)
    }

    /// The record was put into the log again.
    pub(super) fn move_to(&mut self, record: Record, position: u64) {
        if let Some(slot) = self.records.get_mut(&record.header.lsn) {
            slot.position = position;
            slot.record = Some(record);
        }
    }

    /// Takes the record out of memory; it can be read from the log.
    pub(super) fn let_go(&mut self, lsn: Lsn, position: u64) {
        if let Some(slot) = self
            .records
            .get_mut(&lsn)
            .filter(|slot| slot.position == position)
        {
            slot.record = None;
        }
    }
}
