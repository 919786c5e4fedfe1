//! Copying segments by their pages, and looking whether pages are sound.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;

use crate::protocol::{Lsn, PageId, SegmentId};

use super::error::StoreError;
use super::layers::{Layers, is_unmoved};
use super::page_store::{Version, with_zeros, without_zeros};
use super::read::check_age;
use super::segment::Segment;
use super::segment_store::SegmentStore;

/// Where reads begin while there is nothing to read.
const UNREADABLE: Lsn = Lsn(u64::MAX);

/// Pages in their newest versions, and where to go on; none at the end.
pub type PagesPart = (Vec<(PageId, Lsn, Bytes)>, Option<PageId>);

/// Damaged pages with the LSNs of their versions, and where to go on; none at the end.
pub type Scrubbed = (Vec<(PageId, Lsn)>, Option<PageId>);

impl SegmentStore {
    /// Puts a version of a page there as a peer has it: while a segment is filled, or to mend a page. Records of the page at
    /// or below `lsn` are in it. Unless it takes the place of the very version that is damaged, reads of the segment begin at
    /// `lsn` from then on. It is on disk once [`SegmentStore::set_base`] or a later truncation of the log has returned.
    /// Blocks on disks.
    ///
    /// # Errors
    /// When `bytes` is longer than a page, the segment is unknown or the store has stopped.
    pub fn put_page(
        &self,
        segment: &SegmentId,
        page: PageId,
        lsn: Lsn,
        bytes: &[u8],
    ) -> Result<(), StoreError> {
        let segment = self.segment(segment)?;
        if bytes.len() > segment.page_bytes as usize {
            return Err(StoreError::Refused("a page of that length"));
        }
        let _one = segment.pages();
        let store = &self.inner.pages;
        let mut pages = self.page_batch(&segment);
        let layers = segment.layers();
        let own = layers.own;
        let found = store.newest_in(&layers, page, lsn);
        let found = self.log().progress.sound(found)?;
        let mut replaces = found.is_some_and(|found| !found.is_own && found.version.lsn == lsn);
        for version in self.versions_of(own, page)? {
            if version.lsn == lsn {
                replaces = true;
                pages.removed += version.len;
            }
            if version.lsn > lsn {
                let (by, len) = (version.lsn, without_zeros(bytes).len() as u64);
                store.supersede(&mut pages.batch, own, by, page, lsn, len);
            }
            if version.lsn < lsn && !replaces {
                store.remove(&mut pages.batch, own, page, version.lsn);
                pages.removed += version.len;
            }
        }
        let (coalesced_to, oldest) = {
            let mut index = segment.index();
            if !replaces {
                index.begin_at(lsn);
            }
            (index.coalesced_to, index.oldest())
        };
        let bytes = without_zeros(bytes);
        store.put(&mut pages.batch, own, page, lsn, bytes);
        pages.added += bytes.len() as u64;
        self.commit(pages, coalesced_to, oldest)
    }

    fn versions_of(&self, layer: u32, page: PageId) -> Result<Vec<Version>, StoreError> {
        let all = self.inner.pages.versions(layer, page);
        let of_page = all.take_while(|version| match version {
            Ok(version) => version.page == page,
            Err(_) => true,
        });
        self.log().progress.sound(of_page.collect())
    }

    /// Pages from `from` on in their newest stored versions, whole: about `bytes_max` bytes of them, at least one if there
    /// is one. Pages without a row are zeros and left out. What is not coalesced is not in them: the receiver takes the
    /// records above this segment's `coalesced_to` besides. While a peer copies, coalesce nothing above where it began, or
    /// what is coalesced behind its back is missing there. Blocks on disks.
    ///
    /// # Errors
    /// `BadPage` when one is damaged; else when the segment is unknown or the store has stopped.
    pub fn pages(
        &self,
        segment: &SegmentId,
        from: PageId,
        bytes_max: usize,
    ) -> Result<PagesPart, StoreError> {
        let segment = self.segment(segment)?;
        let part = self.attempt(|| {
            let layers = segment.layers();
            let part = self.collect_pages(&segment, &layers, from, bytes_max)?;
            Ok(is_unmoved(&segment, &layers).then_some(part))
        })?;
        // What is being removed is not taken for all there is.
        check_age(&segment, Lsn(UNREADABLE.0 - 1))?;
        Ok(part)
    }

    fn collect_pages(
        &self,
        segment: &Segment,
        layers: &Layers,
        from: PageId,
        bytes_max: usize,
    ) -> Result<PagesPart, StoreError> {
        let mut found = Vec::new();
        let mut bytes_left = bytes_max;
        let mut last = None;
        for version in self.inner.pages.versions_in(layers, from) {
            let version = self.log().progress.sound(version)?;
            if last == Some(version.page) {
                continue;
            }
            if !found.is_empty() && bytes_left < segment.page_bytes as usize {
                return Ok((found, Some(version.page)));
            }
            let page = version.page;
            last = Some(page);
            let (lsn, bytes) = version.sound(&segment.id)?;
            if !bytes.is_empty() {
                found.push((page, lsn, with_zeros(&bytes, segment.page_bytes).freeze()));
                bytes_left = bytes_left.saturating_sub(segment.page_bytes as usize);
            }
        }
        Ok((found, None))
    }

    /// Says that all pages are there as of `lsn`: records at or below count as coalesced, reads begin there. All that was put
    /// is on disk when this returns. Blocks on disks.
    ///
    /// # Errors
    /// When more is coalesced already, the segment is unknown or the store has stopped.
    pub fn set_base(&self, segment: &SegmentId, lsn: Lsn) -> Result<(), StoreError> {
        let segment = self.segment(segment)?;
        let _one = segment.pages();
        let oldest = {
            let _queue = self.log().queue();
            let mut index = segment.index();
            if lsn < index.coalesced_to {
                return Err(StoreError::Refused("a base below what is coalesced"));
            }
            index.coalescing_to = index.coalescing_to.max(lsn);
            index.begin_at(lsn);
            index.oldest()
        };
        self.commit(self.page_batch(&segment), lsn, oldest)?;
        self.log().progress.sound(self.inner.pages.persist())?;
        let mut index = segment.index();
        index.set_coalesced(lsn);
        index.set_gone(lsn);
        Ok(())
    }

    /// Removes all pages of the segment and makes it as good as new but for its state and the records above what was
    /// coalesced: to be called before it is filled from a peer, also when an earlier filling did not end. Blocks on disks.
    ///
    /// # Errors
    /// When the segment is unknown or the store has stopped.
    pub fn clear_pages(&self, segment: &SegmentId) -> Result<(), StoreError> {
        let segment = self.segment(segment)?;
        let _layering = self.layering();
        let _one = segment.pages();
        {
            let mut index = segment.index();
            let coalesced_to = index.coalesced_to;
            index.set_gone(coalesced_to);
            index.set_base(Lsn(0), UNREADABLE);
        }
        // Until all rows are gone, that one last, what is left of the pages is not read.
        self.commit(self.page_batch(&segment), Lsn(0), UNREADABLE)?;
        self.empty_layers(&segment)?;
        segment.stored_bytes.store(0, Ordering::Relaxed);
        segment.index().set_base(Lsn(0), Lsn(0));
        Ok(())
    }

    /// Reads up to `pages_max` pages from `from` on, all their versions, and says which are damaged, and where to go on; none
    /// at the end. Blocks on disks.
    ///
    /// # Errors
    /// When the segment is unknown or the store has stopped.
    pub fn scrub(
        &self,
        segment: &SegmentId,
        from: PageId,
        pages_max: usize,
    ) -> Result<Scrubbed, StoreError> {
        let segment = self.segment(segment)?;
        self.attempt(|| {
            let layers = segment.layers();
            let scrubbed = self.scrub_layers(&layers, from, pages_max)?;
            Ok(is_unmoved(&segment, &layers).then_some(scrubbed))
        })
    }

    fn scrub_layers(
        &self,
        layers: &Layers,
        from: PageId,
        pages_max: usize,
    ) -> Result<Scrubbed, StoreError> {
        let mut damaged = Vec::new();
        let mut seen = 0;
        let mut last = None;
        for version in self.inner.pages.versions_in(layers, from) {
            let version = self.log().progress.sound(version)?;
            if last != Some(version.page) {
                if seen == pages_max {
                    return Ok((damaged, Some(version.page)));
                }
                seen += 1;
                last = Some(version.page);
            }
            if version.bytes.is_none() {
                damaged.push((version.page, version.lsn));
            }
        }
        Ok((damaged, None))
    }

    /// Gives back the room of segments that were dropped.
    pub(super) fn remove_dropped(&self) -> Result<(), StoreError> {
        let dropped: Vec<Arc<Segment>> = std::mem::take(&mut *self.dropped());
        if dropped.is_empty() {
            return Ok(());
        }
        let _layering = self.layering();
        for segment in dropped {
            let _one = segment.pages();
            let removed = self.inner.pages.remove_segment(segment.number);
            self.log().progress.sound(removed)?;
        }
        self.sweep_layers()
    }
}
