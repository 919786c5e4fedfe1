//! A volume as it was at one LSN, for reading: what readers stand on.
//!
//! Segments keep page versions at the view's LSN while it renews its hold. It needs no writer, and a writer's end does not
//! touch it: everything at or below a VDL stays for ever.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use tokio::runtime::Handle;
use tokio::task::AbortHandle;
use tokio::time::Instant;

use quorate_base::NodeId;
use quorate_region::transport::Caller;

use crate::ahead::ReadAhead;
use crate::cache::PageCache;
use crate::calls::{Keeps, ListedPages};
use crate::finder::Finder;
use crate::layout::Layout;
use crate::pages::{PageWrite, Pages, PagesError, Point};
use crate::protocol::{Complete, GroupIndex, Lsn, PageId, group_of};
use crate::reading::{PAGES_MAX, ReadPoint, Reading};

/// Pause before it is tried again to find a point to read at.
const TRY_AGAIN: Duration = Duration::from_millis(100);
/// Time between two renewals of the hold.
pub(crate) const RENEW_EVERY: Duration = Duration::from_secs(10);
/// Tries to find a point to read at.
const TRIES_MAX: usize = 50;

/// A volume at one LSN.
pub struct View {
    reading: Arc<Reading>,
    runtime: Handle,
    at: Lsn,
    tails: BTreeMap<GroupIndex, Lsn>,
    finder: Arc<Finder>,
    renewing: AbortHandle,
    /// For whoever reads page by page; none: pages are read in bulk.
    memory: Option<Memory>,
}

/// What was read ahead. It is what it was at the view's LSN for ever.
struct Memory {
    cache: Mutex<PageCache>,
    ahead: ReadAhead,
}

impl View {
    /// Opens a view at the newest LSN that segments know to be complete. `id` names the view among all of the volume's.
    ///
    /// # Errors
    /// When some group's segments do not answer.
    pub async fn open(
        caller: Arc<Caller>,
        layout: Layout,
        own: NodeId,
        id: u64,
    ) -> Result<View, PagesError> {
        let finder = Finder::new(caller, layout, id);
        let mut found = None;
        for _ in 0..TRIES_MAX {
            found = finder.find().await;
            if found.is_some() {
                break;
            }
            tokio::time::sleep(TRY_AGAIN).await;
        }
        let (at, tails) = found.ok_or_else(|| {
            let why = "some protection group's segments do not say what is complete";
            PagesError::Unavailable(String::from(why))
        })?;
        Ok(View::start(finder, own, at, tails))
    }

    /// Opens a view that has all that was acknowledged before the call. With a writer at work this waits until segments
    /// know so much to be complete. Without one they may never come to know: then the volume has to be opened first.
    ///
    /// # Errors
    /// When three segments of each group do not answer and know it within `within`.
    pub async fn open_acknowledged(
        caller: Arc<Caller>,
        layout: Layout,
        own: NodeId,
        id: u64,
        within: Duration,
    ) -> Result<View, PagesError> {
        let finder = Finder::new(caller, layout, id);
        let deadline = Instant::now() + within;
        let mut bound: Option<Lsn> = None;
        loop {
            // Each of them is a bound for what was acknowledged before the first.
            bound = match (bound, finder.reached().await) {
                (Some(bound), Some(newer)) => Some(bound.min(newer)),
                (bound, newer) => bound.or(newer),
            };
            if let Some(bound) = bound
                && let Some((at, tails)) = finder.find().await
                && at >= bound
            {
                return Ok(View::start(finder, own, at, tails));
            }
            if Instant::now() > deadline {
                let why = "segments do not know all that was acknowledged to be complete";
                return Err(PagesError::Unavailable(String::from(why)));
            }
            tokio::time::sleep(TRY_AGAIN).await;
        }
    }

    /// Opens a view that has all that was acknowledged, where nobody writes and nobody may be able to: three segments of each
    /// group are enough. It may have what a later recovery cuts off; whoever reads it has to begin again when a writer is
    /// there.
    ///
    /// # Errors
    /// When three segments of each group do not answer within `within`.
    pub async fn open_surviving(
        caller: Arc<Caller>,
        layout: Layout,
        own: NodeId,
        id: u64,
        within: Duration,
    ) -> Result<View, PagesError> {
        let finder = Finder::new(caller, layout, id);
        let deadline = Instant::now() + within;
        loop {
            if let Some(found) = finder.survey().await {
                finder.hold(Some(found.vdl), &BTreeSet::new()).await;
                return Ok(View::start(finder, own, found.vdl, found.tails));
            }
            if Instant::now() > deadline {
                let why = "some protection group has no three segments that answer";
                return Err(PagesError::Unavailable(String::from(why)));
            }
            tokio::time::sleep(TRY_AGAIN).await;
        }
    }

    fn start(finder: Finder, own: NodeId, at: Lsn, tails: BTreeMap<GroupIndex, Lsn>) -> View {
        let reading = Reading::new(finder.caller.clone(), finder.layout.clone(), own);
        let finder = Arc::new(finder);
        let renewed = finder.clone();
        let renewing = tokio::spawn(async move {
            loop {
                tokio::time::sleep(RENEW_EVERY).await;
                renewed.hold(Some(at), &BTreeSet::new()).await;
            }
        });
        View {
            reading: Arc::new(reading),
            runtime: Handle::current(),
            at,
            tails,
            finder,
            renewing: renewing.abort_handle(),
            memory: None,
        }
    }

    /// Has the view read ahead, with so many bytes of pages in memory.
    #[must_use]
    pub fn reading_ahead(mut self, cache_bytes: usize) -> View {
        self.memory = Some(Memory {
            cache: Mutex::new(PageCache::new(cache_bytes / self.reading.page_bytes())),
            ahead: ReadAhead::default(),
        });
        self
    }

    /// Pages of a protection group.
    #[must_use]
    pub fn pages_per_group(&self) -> u64 {
        self.reading.pages_per_group()
    }

    /// The protection groups that the view has.
    #[must_use]
    pub fn groups(&self) -> Vec<GroupIndex> {
        self.tails.keys().copied().collect()
    }

    /// Has segments keep the records above the view, too, so that they can be forked as of it; waits for all that answer.
    pub async fn keep_records(&self) {
        let places = self.finder.layout.groups.values();
        let places = places.flat_map(|group| group.places.values().cloned());
        self.finder
            .hold_and_keep(Some(self.at), Keeps::Records, &places.collect())
            .await;
    }

    /// What is complete of each group as of the view.
    #[must_use]
    pub fn complete(&self) -> BTreeMap<GroupIndex, Complete> {
        let complete = |(group, tail): (&GroupIndex, &Lsn)| {
            let (vdl, tail) = (self.at, *tail);
            (*group, Complete { vdl, tail })
        };
        self.tails.iter().map(complete).collect()
    }

    /// The next pages of a group from `from` on: all that are something else than zeros are among them. Blocks.
    ///
    /// # Errors
    /// When no segment of the group answers.
    pub fn list(&self, group: GroupIndex, from: PageId) -> Result<ListedPages, PagesError> {
        let Some(need) = self.tails.get(&group).copied() else {
            return Ok(ListedPages {
                runs: Vec::new(),
                next: None,
            });
        };
        let point = ReadPoint { at: self.at, need };
        self.runtime.block_on(self.reading.list(group, from, point))
    }

    /// What is read.
    #[must_use]
    pub fn at(&self) -> Lsn {
        self.at
    }

    /// Goes by another layout: segments that have taken the place of others.
    pub fn set_layout(&self, layout: Layout) {
        self.reading.set_layout(layout);
    }

    fn fetch(&self, group: GroupIndex, pages: &[PageId]) -> Result<Vec<Bytes>, PagesError> {
        let Some(need) = self.tails.get(&group).copied() else {
            let zeros = Bytes::from(vec![0; self.page_bytes()]);
            return Ok(vec![zeros; pages.len()]);
        };
        let point = || Ok(ReadPoint { at: self.at, need });
        let read = self.reading.pages(group, pages, point, |_| true);
        Ok(self.runtime.block_on(read)?.0)
    }

    /// Pages as they were.
    fn read_pages(&self, pages: &[PageId]) -> Result<Vec<Bytes>, PagesError> {
        let Some(Memory { cache, ahead }) = &self.memory else {
            return self.read_from_segments(pages);
        };
        let cache = || cache.lock().expect("no holder panics");
        let memory = |look: &mut dyn FnMut(&mut PageCache)| look(&mut cache());
        let looked = ahead.look(pages, self.reading.pages_per_group(), memory);
        let mut found = looked.found;
        let mut wanted: Vec<PageId> = looked.missing.iter().map(|i| pages[*i]).collect();
        wanted.extend(&looked.others);
        let mut read = self.read_from_segments(&wanted)?;
        let read_ahead = read.split_off(looked.missing.len());
        for (index, bytes) in looked.missing.into_iter().zip(read) {
            found[index] = Some(bytes);
        }
        {
            let mut cache = cache();
            for (page, bytes) in looked.others.iter().zip(read_ahead) {
                cache.fetched_ahead(*page, bytes, self.at);
            }
            cache.trim(self.at);
        }
        let found = found
            .into_iter()
            .map(|page| page.expect("cached or fetched"));
        Ok(found.collect())
    }

    fn read_from_segments(&self, pages: &[PageId]) -> Result<Vec<Bytes>, PagesError> {
        let mut groups: BTreeMap<GroupIndex, Vec<usize>> = BTreeMap::new();
        let per_group = self.reading.pages_per_group();
        for (index, page) in pages.iter().enumerate() {
            groups
                .entry(group_of(*page, per_group))
                .or_default()
                .push(index);
        }
        let mut found = vec![Bytes::new(); pages.len()];
        for (group, indices) in groups {
            for indices in indices.chunks(PAGES_MAX) {
                let wanted: Vec<PageId> = indices.iter().map(|i| pages[*i]).collect();
                for (index, bytes) in indices.iter().zip(self.fetch(group, &wanted)?) {
                    found[*index] = bytes;
                }
            }
        }
        Ok(found)
    }
}

impl Drop for View {
    fn drop(&mut self) {
        self.renewing.abort();
    }
}

impl Pages for View {
    fn page_bytes(&self) -> usize {
        self.reading.page_bytes()
    }

    fn pages_max(&self) -> u64 {
        crate::writer::VOLUME_BYTES_MAX / self.page_bytes() as u64
    }

    fn read(&self, page: PageId) -> Result<Bytes, PagesError> {
        let read = self.read_pages(&[page])?.pop();
        Ok(read.expect("as many pages as were asked for"))
    }

    fn read_many(&self, pages: &[PageId]) -> Result<Vec<Bytes>, PagesError> {
        self.read_pages(pages)
    }

    fn write(&self, _: Vec<PageWrite>, _: Point) -> Result<Lsn, PagesError> {
        Err(PagesError::ReadOnly)
    }

    fn sync(&self, _: Lsn) -> Result<(), PagesError> {
        Ok(())
    }
}
