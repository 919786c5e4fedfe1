//! Reads of a writer: from memory, else from a segment that has everything up to VDL.

use std::collections::BTreeMap;

use bytes::Bytes;

use crate::pages::PagesError;
use crate::protocol::{GroupIndex, PageId};
use crate::reading::{PAGES_MAX, ReadPoint};
use crate::writer::volume::Volume;

impl Volume {
    /// Pages as the last writes left them.
    pub(super) fn read_pages(&self, pages: &[PageId]) -> Result<Vec<Bytes>, PagesError> {
        let mut found: Vec<Option<Bytes>> = Vec::with_capacity(pages.len());
        let mut missing: BTreeMap<GroupIndex, Vec<usize>> = BTreeMap::new();
        {
            let mut inner = self.shared.lock();
            for (index, page) in pages.iter().enumerate() {
                let cached = inner.cache.get(*page);
                if cached.is_none() {
                    let group = inner.core.group_of(*page);
                    missing.entry(group).or_default().push(index);
                }
                found.push(cached);
            }
        }
        for (group, indices) in missing {
            for indices in indices.chunks(PAGES_MAX) {
                let wanted: Vec<PageId> = indices.iter().map(|i| pages[*i]).collect();
                let read = self.fetch(group, &wanted)?;
                for (index, bytes) in indices.iter().zip(read) {
                    found[*index] = Some(bytes);
                }
            }
        }
        let found = found
            .into_iter()
            .map(|page| page.expect("cached or fetched"));
        Ok(found.collect())
    }

    /// Pages that are not in memory, so that every record of theirs is at or below VDL.
    fn fetch(&self, group: GroupIndex, pages: &[PageId]) -> Result<Vec<Bytes>, PagesError> {
        if !self.shared.lock().core.has_group(group) {
            let zeros = Bytes::from(vec![0; self.shared.reading.page_bytes()]);
            return Ok(vec![zeros; pages.len()]);
        }
        let point = || {
            let inner = self.shared.lock();
            let complete = inner.core.complete(group);
            Ok(ReadPoint {
                at: complete.vdl,
                need: complete.tail,
            })
        };
        let can = |copy| {
            let inner = self.shared.lock();
            inner.core.reach_of(group, copy) >= inner.core.complete(group).tail
        };
        let (read, at) = self.block_on(self.shared.reading.pages(group, pages, point, can))?;
        let mut inner = self.shared.lock();
        let pages = pages.iter().zip(read);
        let newest = pages.map(|(page, bytes)| {
            if !inner.cache.fetched(*page, bytes.clone(), at) {
                tracing::trace!(%page, "a page was read while newer ones were let go");
            }
            inner.cache.get(*page).unwrap_or(bytes)
        });
        let newest = newest.collect();
        let vdl = inner.core.vdl();
        inner.cache.trim(vdl);
        Ok(newest)
    }
}
