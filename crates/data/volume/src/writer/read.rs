//! Reads of a writer: from memory, else from a segment that has everything up to VDL.

use std::collections::BTreeMap;

use bytes::Bytes;

use crate::cache::PageCache;
use crate::pages::PagesError;
use crate::protocol::{GroupIndex, PageId, group_of};
use crate::reading::{PAGES_MAX, ReadPoint};
use crate::writer::volume::Volume;

impl Volume {
    /// Pages as the last writes left them.
    pub(super) fn read_pages(&self, pages: &[PageId]) -> Result<Vec<Bytes>, PagesError> {
        let per_group = self.shared.reading.pages_per_group();
        let memory = |look: &mut dyn FnMut(&mut PageCache)| look(&mut self.shared.lock().cache);
        let looked = self.shared.ahead.look(pages, per_group, memory);
        let mut found = looked.found;
        let of_others = looked.others.first();
        let of_others = of_others.map(|page| group_of(*page, per_group));
        let mut groups: BTreeMap<GroupIndex, Vec<usize>> = BTreeMap::new();
        for index in looked.missing {
            let group = group_of(pages[index], per_group);
            groups.entry(group).or_default().push(index);
        }
        for (group, indices) in groups {
            for indices in indices.chunks(PAGES_MAX) {
                let wanted: Vec<PageId> = indices.iter().map(|i| pages[*i]).collect();
                let ahead = match of_others {
                    Some(of_others) if of_others == group => &looked.others[..],
                    _ => &[],
                };
                let read = self.fetch(group, &wanted, ahead)?;
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

    /// Pages that are not in memory, so that every record of theirs is at or below VDL. Those of `ahead` are put into
    /// memory only.
    fn fetch(
        &self,
        group: GroupIndex,
        wanted: &[PageId],
        ahead: &[PageId],
    ) -> Result<Vec<Bytes>, PagesError> {
        if !self.shared.lock().core.has_group(group) {
            let zeros = Bytes::from(vec![0; self.shared.reading.page_bytes()]);
            return Ok(vec![zeros; wanted.len()]);
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
        let pages: Vec<PageId> = wanted.iter().chain(ahead).copied().collect();
        let reading = self.shared.reading.pages(group, &pages, point, can);
        let (mut read, at) = self.block_on(reading)?;
        let read_ahead = read.split_off(wanted.len());
        let mut inner = self.shared.lock();
        let read = wanted.iter().zip(read);
        let newest = read.map(|(page, bytes)| {
            if !inner.cache.fetched(*page, bytes.clone(), at) {
                tracing::trace!(%page, "a page was read while newer ones were let go");
            }
            inner.cache.get(*page).unwrap_or(bytes)
        });
        let newest = newest.collect();
        for (page, bytes) in ahead.iter().zip(read_ahead) {
            inner.cache.fetched_ahead(*page, bytes, at);
        }
        let vdl = inner.core.vdl();
        inner.cache.trim(vdl);
        Ok(newest)
    }
}
