//! Applying records to pages.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::BytesMut;

use crate::protocol::{Change, Lsn, PageId, Record, SegmentId};

use super::error::StoreError;
use super::kept::{Keep, Kept};
use super::layers::Found;
use super::page_store::{Batch, Meta, SupersededKey, with_zeros, without_zeros};
use super::segment::{Segment, Slot};
use super::segment_store::SegmentStore;

/// Records that are applied with one batch of the database, at most; and bytes of their frames.
const CHUNK_RECORDS_MAX: usize = 1_024;
const CHUNK_BYTES_MAX: usize = 4 << 20;

/// Old versions that are removed with one batch, at most.
const REMOVED_ROWS_MAX: usize = 1_024;

/// A batch for one segment, and how the bytes that are stored change with it.
pub(super) struct PageBatch<'a> {
    pub(super) segment: &'a Segment,
    pub(super) batch: Batch,
    pub(super) added: u64,
    pub(super) removed: u64,
}

impl SegmentStore {
    /// Applies the segment's records at or below `up_to` to its pages, and keeps old versions so that pages can be read at
    /// each LSN from `keep.from` on, and at those of `keep.points` that can be read before. The caller sees to it that the segment has all its records up to there and that none
    /// of them can become void. Then log files that nothing needs any more are removed, see [`SegmentStore::truncate_log`].
    /// Returns the last record that is coalesced. Blocks on disks; one call for a segment runs at a time.
    ///
    /// # Errors
    /// `BadPage` and `BadRecord`: mend it from a peer, then call again; what came before it is coalesced. Else when the
    /// segment is unknown or the store has stopped.
    pub fn coalesce(
        &self,
        segment: &SegmentId,
        up_to: Lsn,
        keep: &Keep,
    ) -> Result<Lsn, StoreError> {
        let segment = self.segment(segment)?;
        let reached = self.coalesce_pages(&segment, up_to, keep)?;
        self.truncate_log()?;
        Ok(reached)
    }

    fn coalesce_pages(
        &self,
        segment: &Arc<Segment>,
        up_to: Lsn,
        keep: &Keep,
    ) -> Result<Lsn, StoreError> {
        let _one = segment.pages();
        let (target, kept) = {
            // With the queue, so that no discard is between its check and its effect.
            let _queue = self.log().queue();
            let mut index = segment.index();
            let target = index.last_up_to(up_to);
            index.coalescing_to = index.coalescing_to.max(target);
            index.keep(keep.from.min(target), &keep.points);
            (target, index.kept())
        };
        // First: a page that becomes zeros has no row that hides what is left of it.
        let mut next = Some(SupersededKey::first(segment.layers().own));
        while let Some(from) = next {
            next = self.remove_superseded(segment, &kept, from)?;
        }
        while self.coalesce_chunk(segment, target, &kept)? {}
        Ok(segment.index().coalesced_to)
    }

    /// Applies some records; false when there were none.
    fn coalesce_chunk(
        &self,
        segment: &Arc<Segment>,
        target: Lsn,
        kept: &Kept,
    ) -> Result<bool, StoreError> {
        let slots = chunk_of(segment, target);
        let Some(last) = slots.last().map(|slot| slot.header.lsn) else {
            return Ok(false);
        };
        let mut by_page: BTreeMap<PageId, Vec<Record>> = BTreeMap::new();
        for slot in &slots {
            // Only a truncation moves a record, and then the index says where to.
            let record = self.attempt(|| {
                let moved = segment.index().slot(slot.header.lsn).cloned();
                self.record_of(segment, moved.as_ref().unwrap_or(slot))
            })?;
            by_page.entry(record.page).or_default().push(record);
        }
        let mut pages = self.page_batch(segment);
        for (page, records) in by_page {
            self.coalesce_page(&mut pages, page, &records, kept)?;
        }
        self.commit(pages, last, kept.oldest)?;
        segment.index().set_coalesced(last);
        Ok(true)
    }

    fn coalesce_page(
        &self,
        pages: &mut PageBatch<'_>,
        page: PageId,
        records: &[Record],
        kept: &Kept,
    ) -> Result<(), StoreError> {
        let store = &self.inner.pages;
        let (layers, page_bytes) = (pages.segment.layers(), pages.segment.page_bytes);
        let found = store.newest_in(&layers, page, Lsn(u64::MAX));
        let found = self.log().progress.sound(found)?;
        let base = found.as_ref().map_or(Lsn(0), |found| found.version.lsn);
        // What another segment sees, too, is neither removed nor superseded.
        let own = found.as_ref().filter(|found| found.is_own);
        let mut before = own.map(|found| (found.version.lsn, found.version.len));
        let mut records = records.iter().filter(|r| r.header.lsn > base).peekable();
        let starts_anew =
            |record: &&Record| matches!(record.change, Change::Image(_) | Change::Discard);
        let bytes = match found {
            Some(Found { version, .. }) if !records.peek().is_some_and(starts_anew) => {
                version.sound(&pages.segment.id)?.1
            }
            _ => bytes::Bytes::new(),
        };
        let mut image: BytesMut = with_zeros(&bytes, page_bytes);
        while let Some(record) = records.next() {
            let lsn = record.header.lsn;
            if !record.change.apply(&mut image) {
                return Err(pages.segment.bad_record(lsn));
            }
            // Who reads sees the last of these only.
            let next = records.peek().map(|next| next.header.lsn);
            if next.is_some_and(|next| !kept.needs(lsn, next)) {
                continue;
            }
            before = self.add_version(pages, page, before, lsn, without_zeros(&image), kept)?;
        }
        Ok(())
    }

    /// Adds a version after the one `before`; the newest one that then is stored.
    fn add_version(
        &self,
        pages: &mut PageBatch<'_>,
        page: PageId,
        before: Option<(Lsn, u64)>,
        lsn: Lsn,
        bytes: &[u8],
        kept: &Kept,
    ) -> Result<Option<(Lsn, u64)>, StoreError> {
        let store = &self.inner.pages;
        let layers = pages.segment.layers();
        let number = layers.own;
        let before = match before {
            Some((old, len)) if !kept.needs(old, lsn) => {
                store.remove(&mut pages.batch, number, page, old);
                pages.removed += len;
                None
            }
            Some((old, len)) => {
                store.supersede(&mut pages.batch, number, lsn, page, old, len);
                Some(old)
            }
            None => None,
        };
        let is_below = || self.log().progress.sound(store.is_below(&layers, page));
        if bytes.is_empty() && !is_below()? {
            // Without a row the page is zeros. A row is needed only to hide an older version, and goes with that.
            if before.is_none() && kept.points.is_empty() {
                return Ok(None);
            }
            store.supersede(&mut pages.batch, number, lsn, page, lsn, 0);
        }
        store.put(&mut pages.batch, number, page, lsn, bytes);
        pages.added += bytes.len() as u64;
        Ok(Some((lsn, bytes.len() as u64)))
    }

    /// Removes some versions that nobody can read; where to go on, if anywhere.
    fn remove_superseded(
        &self,
        segment: &Arc<Segment>,
        kept: &Kept,
        from: SupersededKey,
    ) -> Result<Option<SupersededKey>, StoreError> {
        let mut pages = self.page_batch(segment);
        let store = &self.inner.pages;
        let found = store.remove_superseded(&mut pages.batch, from, kept, REMOVED_ROWS_MAX);
        let removed = self.log().progress.sound(found)?;
        if removed.rows > 0 {
            pages.removed = removed.bytes;
            let coalesced_to = segment.index().coalesced_to;
            self.commit(pages, coalesced_to, kept.oldest)?;
        }
        Ok(removed.next)
    }

    pub(super) fn page_batch<'a>(&self, segment: &'a Segment) -> PageBatch<'a> {
        PageBatch {
            segment,
            batch: self.inner.pages.batch(),
            added: 0,
            removed: 0,
        }
    }

    /// Commits the batch together with what is stored of the segment. Called with the right to write its pages.
    pub(super) fn commit(
        &self,
        mut pages: PageBatch<'_>,
        coalesced_to: Lsn,
        oldest: Lsn,
    ) -> Result<(), StoreError> {
        let segment = pages.segment;
        if segment.index().dropped {
            return Err(StoreError::UnknownSegment(segment.id.clone()));
        }
        let stored = segment.stored_bytes.load(Ordering::Relaxed) + pages.added;
        let stored = stored.saturating_sub(pages.removed);
        let meta = Meta {
            id: segment.id.clone(),
            page_bytes: segment.page_bytes,
            coalesced_to,
            oldest,
            stored_bytes: stored,
        };
        let store = &self.inner.pages;
        store.put_meta(&mut pages.batch, segment.number, &meta);
        self.log().progress.sound(pages.batch.commit())?;
        segment.stored_bytes.store(stored, Ordering::Relaxed);
        Ok(())
    }
}

/// The next records to be applied.
fn chunk_of(segment: &Segment, target: Lsn) -> Vec<Slot> {
    let index = segment.index();
    let mut bytes = 0;
    let coalesced_to = index.coalesced_to;
    let next = index.above(coalesced_to).take_while(|slot| {
        let fits = bytes < CHUNK_BYTES_MAX;
        bytes += slot.len as usize;
        fits && slot.header.lsn <= target
    });
    next.take(CHUNK_RECORDS_MAX).cloned().collect()
}
