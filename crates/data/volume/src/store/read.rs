//! Reading pages at an LSN, and records.

use std::sync::atomic::Ordering;

use bytes::Bytes;

use crate::protocol::{Lsn, PageId, Record, RecordHeader, SegmentId};

use super::codec::{get_record, open_frame};
use super::entry::{Extent, Following, Usage};
use super::error::StoreError;
use super::layers::is_unmoved;
use super::page_store::with_zeros;
use super::segment::{Segment, Slot};
use super::segment_store::SegmentStore;

/// How often a read begins anew because what it was about to read was moved.
const READ_ATTEMPTS_MAX: usize = 16;

impl SegmentStore {
    /// A page as the records at or below `at` left it, whole; zeros when it was never written. Blocks on disks.
    ///
    /// # Errors
    /// `TooOld`, `BadPage` and `BadRecord` say that a peer has to be asked; else when the segment is unknown or the store
    /// has stopped.
    pub fn read_page(
        &self,
        segment: &SegmentId,
        page: PageId,
        at: Lsn,
    ) -> Result<Bytes, StoreError> {
        let segment = self.segment(segment)?;
        self.attempt(|| self.try_read(&segment, page, at))
    }

    /// None when the log moved beneath it.
    fn try_read(
        &self,
        segment: &Segment,
        page: PageId,
        at: Lsn,
    ) -> Result<Option<Bytes>, StoreError> {
        // In this order: what leaves the index is in the page store before.
        let slots = segment.index().of_page(page, at);
        let progress = &self.log().progress;
        let layers = segment.layers();
        let found = progress.sound(self.inner.pages.newest_in(&layers, page, at))?;
        if !is_unmoved(segment, &layers) {
            return Ok(None);
        }
        // Versions are removed only after `oldest` was raised.
        check_age(segment, at)?;
        let (base, bytes) = match found {
            Some(found) => found.version.sound(&segment.id)?,
            None => (Lsn(0), Bytes::new()),
        };
        let mut image = with_zeros(&bytes, segment.page_bytes);
        for slot in slots.iter().filter(|slot| slot.header.lsn > base) {
            let Some(record) = self.record_of(segment, slot)? else {
                return Ok(None);
            };
            if !record.change.apply(&mut image) {
                return Err(segment.bad_record(record.header.lsn));
            }
        }
        Ok(Some(image.freeze()))
    }

    /// The records above `after`, by LSN: at least one when there is one, no further ones once `bytes_max` bytes are there.
    /// Kept are all records that are not coalesced, and of the others those whose log files have not been removed
    /// ([`super::Options::log_bytes_kept`]). Blocks on disks.
    ///
    /// # Errors
    /// When a record is damaged, the segment is unknown or the store has stopped.
    pub fn records(
        &self,
        segment: &SegmentId,
        after: Lsn,
        bytes_max: usize,
    ) -> Result<Following, StoreError> {
        let segment = self.segment(segment)?;
        self.attempt(|| {
            let slots: Vec<Slot> = {
                let index = segment.index();
                if after < index.gone_to {
                    let above = index.gone_to;
                    return Ok(Some(Following::Gone { above }));
                }
                let mut left = bytes_max;
                let mut first = true;
                let fitting = index.above(after).take_while(|slot| {
                    let fits = first || left >= slot.len as usize;
                    left = left.saturating_sub(slot.len as usize);
                    first = false;
                    fits
                });
                fitting.cloned().collect()
            };
            let mut records = Vec::with_capacity(slots.len());
            for slot in &slots {
                match self.record_of(&segment, slot)? {
                    Some(record) => records.push(record),
                    None => return Ok(None),
                }
            }
            Ok(Some(Following::Records(records)))
        })
    }

    /// The headers of the records above `above`, by LSN, as far as they are kept: see [`SegmentStore::records`].
    ///
    /// # Errors
    /// When the segment is unknown or the store has stopped.
    pub fn headers(
        &self,
        segment: &SegmentId,
        above: Lsn,
    ) -> Result<Vec<RecordHeader>, StoreError> {
        let segment = self.segment(segment)?;
        let index = segment.index();
        Ok(index.above(above).map(|slot| slot.header).collect())
    }

    /// From where to where the segment reaches.
    ///
    /// # Errors
    /// When the segment is unknown or the store has stopped.
    pub fn extent(&self, segment: &SegmentId) -> Result<Extent, StoreError> {
        let segment = self.segment(segment)?;
        let index = segment.index();
        Ok(Extent {
            oldest: index.oldest(),
            records_above: index.gone_to,
            coalesced_to: index.coalesced_to,
            last: index.last(),
        })
    }

    /// How many bytes the segment takes.
    ///
    /// # Errors
    /// When the segment is unknown or the store has stopped.
    pub fn usage(&self, segment: &SegmentId) -> Result<Usage, StoreError> {
        let segment = self.segment(segment)?;
        let page_bytes = segment.stored_bytes.load(Ordering::Relaxed);
        let index = segment.index();
        Ok(Usage {
            waiting_bytes: index.waiting_bytes,
            kept_bytes: index.kept_bytes,
            page_bytes,
        })
    }

    /// The record that the slot stands for; none when its log file was removed meanwhile.
    pub(super) fn record_of(
        &self,
        segment: &Segment,
        slot: &Slot,
    ) -> Result<Option<Record>, StoreError> {
        if let Some(record) = &slot.record {
            return Ok(Some(record.clone()));
        }
        let log = self.log();
        let Some(bytes) = log
            .progress
            .sound(log.files.read(slot.position, slot.len))?
        else {
            return Ok(None);
        };
        let payload = open_frame(&bytes).and_then(|frame| frame.payload);
        let record = payload.and_then(get_record);
        let lsn = slot.header.lsn;
        let record = record.filter(|record| record.header == slot.header);
        record.map(Some).ok_or_else(|| segment.bad_record(lsn))
    }

    pub(super) fn attempt<T>(
        &self,
        mut read: impl FnMut() -> Result<Option<T>, StoreError>,
    ) -> Result<T, StoreError> {
        for _ in 0..READ_ATTEMPTS_MAX {
            if let Some(answer) = read()? {
                return Ok(answer);
            }
        }
        Err(StoreError::Io(std::io::Error::other(
            "the log moves faster than it is read",
        )))
    }
}

/// Whether the segment is there and can be read at `at`.
pub(super) fn check_age(segment: &Segment, at: Lsn) -> Result<(), StoreError> {
    let index = segment.index();
    if index.dropped {
        return Err(StoreError::UnknownSegment(segment.id.clone()));
    }
    if !index.is_read(at) {
        let oldest = index.oldest();
        return Err(StoreError::TooOld { at, oldest });
    }
    Ok(())
}
