//! Which pages a segment has.

use std::collections::BTreeSet;

use crate::protocol::{Lsn, PageId, SegmentId};

use super::error::StoreError;
use super::layers::is_unmoved;
use super::read::check_age;
use super::segment::Segment;
use super::segment_store::SegmentStore;

/// Pages, and where to go on; none at the end.
type PagesListed = (Vec<PageId>, Option<PageId>);

impl SegmentStore {
    /// Pages from `from` on, ascending, up to `pages_max` of them, and where to go on; none at the end. All that are something
    /// else than zeros as of `at` are among them; some that are zeros may be. Blocks on disks.
    ///
    /// # Errors
    /// `TooOld` when versions that old are not kept; else when the segment is unknown or the store has stopped.
    pub fn list_pages(
        &self,
        segment: &SegmentId,
        from: PageId,
        at: Lsn,
        pages_max: usize,
    ) -> Result<PagesListed, StoreError> {
        let segment = self.segment(segment)?;
        self.attempt(|| self.try_list(&segment, from, at, pages_max))
    }

    /// None when pages were moved meanwhile.
    fn try_list(
        &self,
        segment: &Segment,
        from: PageId,
        at: Lsn,
        pages_max: usize,
    ) -> Result<Option<PagesListed>, StoreError> {
        // In this order: what leaves the index is in the page store before.
        let mut pages: BTreeSet<PageId> = segment.index().pages_waiting(from, at);
        let mut seen = 0;
        let mut last = None;
        // Of the waiting ones, those beyond where the stored ones are cut off come with the next part.
        let mut stored_to = None;
        let layers = segment.layers();
        for page in self.inner.pages.pages_stored_in(&layers, from) {
            let page = self.log().progress.sound(page)?;
            if last == Some(page) {
                continue;
            }
            last = Some(page);
            if seen == pages_max {
                stored_to = Some(page);
                break;
            }
            seen += 1;
            pages.insert(page);
        }
        // Versions are removed only after `oldest` was raised.
        check_age(segment, at)?;
        if !is_unmoved(segment, &layers) {
            return Ok(None);
        }
        if let Some(end) = stored_to {
            pages.split_off(&end);
        }
        let next = pages.iter().nth(pages_max).copied().or(stored_to);
        if let Some(next) = next {
            pages.split_off(&next);
        }
        Ok(Some((pages.into_iter().collect(), next)))
    }
}
