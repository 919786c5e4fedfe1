//! A volume that is open for writing.
//!
//! ```text
//!  write ──► change against the cached page ──► LSN ──► log of the page's group ──► one sender for each node
//!  sync  ──► rings the senders, waits until VDL has passed ◄── how far copies reach ◄──┘
//! ```
//!
//! Invariants
//! - Records enter the groups' logs in the order of their LSNs, under one lock.
//! - When one segment says that another writer has a higher epoch, nothing is acknowledged any more.

use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use tokio::runtime::Handle;
use tokio::sync::{Notify, watch};
use tokio::task::AbortHandle;

use quorate_region::transport::Caller;

use crate::ahead::ReadAhead;
use crate::cache::PageCache;
use crate::layout::{Layout, Place};
use crate::pages::{Content, PageWrite, Pages, PagesError, Point};
use crate::protocol::{Change, GroupIndex, Lsn, Membership, PageId, Record, Writer};
use crate::reading::Reading;
use crate::writer::delta;
use crate::writer::group_log::GroupLog;
use crate::writer::send;

/// Bytes of records from which senders are told without anybody waiting for a sync.
const FLUSH_BYTES: usize = 64 << 10;
/// Longest that records wait to be sent while nobody waits for them.
const FLUSH_EVERY: Duration = Duration::from_millis(5);
/// Bytes of records that may wait for a write quorum before whoever writes has to wait.
const WAITING_BYTES_MAX: usize = 256 << 20;
/// How long a write waits for the volume to grow.
const GROW_TIMEOUT: Duration = Duration::from_secs(60);
/// How long a sync waits before the log says for whom.
const TELL_AFTER: Duration = Duration::from_secs(5);
/// Part of the last protection group that may be used before another one is asked for, in hundredths.
const GROW_AT_PERCENT: u64 = 75;

/// What changes while the volume is open.
pub(super) struct Inner {
    pub(super) core: Writer,
    pub(super) logs: BTreeMap<GroupIndex, GroupLog>,
    pub(super) senders: BTreeMap<(GroupIndex, Place), Sender>,
    pub(super) cache: PageCache,
    /// Why nothing can be written any more.
    pub(super) ended: Option<PagesError>,
    unflushed_bytes: usize,
    /// Payload bytes of all records so far.
    pub(super) payload_bytes: u64,
}

/// A sender's task and its bell.
pub(super) struct Sender {
    pub(super) copies: Vec<u32>,
    pub(super) bell: Arc<Notify>,
    pub(super) task: AbortHandle,
}

/// What all parts of an open volume share.
pub(super) struct Shared {
    inner: Mutex<Inner>,
    /// Rings when VDL rises, room is made, groups are added, or the volume ends.
    changed: Condvar,
    pub(super) caller: Arc<Caller>,
    pub(super) reading: Reading,
    pub(super) ahead: ReadAhead,
    /// How many protection groups whoever keeps the catalog is asked for.
    wanted_groups: watch::Sender<u32>,
    ended: watch::Sender<bool>,
    /// Payload bytes that nodes took, for each copy.
    pub(super) sent_bytes: std::sync::atomic::AtomicU64,
}

/// A volume, open for writing. Dropping it ends all sending: what was not synced may be lost.
pub struct Volume {
    pub(super) shared: Arc<Shared>,
    runtime: Handle,
    flusher: AbortHandle,
}

impl Shared {
    pub(super) fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().expect("no holder panics")
    }

    /// Wakes whoever waits for VDL or room.
    pub(super) fn ring(&self) {
        self.changed.notify_all();
    }

    /// Nothing is acknowledged from here on.
    pub(super) fn end(&self, why: PagesError) {
        let mut inner = self.lock();
        if inner.ended.is_none() {
            tracing::warn!(error = %why, "the volume cannot be written any more");
            inner.ended = Some(why);
            self.ended.send_replace(true);
        }
        drop(inner);
        self.ring();
    }
}

impl Inner {
    pub(super) fn flush(&mut self) {
        self.unflushed_bytes = 0;
        for sender in self.senders.values() {
            sender.bell.notify_one();
        }
    }

    fn waiting_bytes(&self) -> usize {
        self.logs.values().map(GroupLog::bytes).sum()
    }

    /// A copy says how far it reaches. True when VDL rises.
    pub(super) fn reached(&mut self, group: GroupIndex, copy: u32, scl: Lsn) -> bool {
        let rises = self.core.reached(group, copy, scl);
        if let Some(log) = self.logs.get_mut(&group) {
            log.trim(self.core.all_have(group), self.core.quorum_has(group));
        }
        rises
    }

    fn append(&mut self, page: PageId, change: Change, point: bool) -> Lsn {
        let allocated = self.core.allocate(page, point);
        let (group, header) = allocated.expect("room and groups were looked at before");
        let record = Record {
            header,
            page,
            change,
        };
        let bytes = record.change.payload_bytes();
        self.unflushed_bytes += bytes;
        self.payload_bytes += bytes as u64;
        self.logs.entry(group).or_default().push(record);
        header.lsn
    }
}

impl Volume {
    pub(super) fn start(
        core: Writer,
        caller: Arc<Caller>,
        reading: Reading,
        cached_pages_max: usize,
    ) -> Volume {
        let groups = reading.layout().groups.len();
        let inner = Inner {
            core,
            logs: BTreeMap::new(),
            senders: BTreeMap::new(),
            cache: PageCache::new(cached_pages_max),
            ended: None,
            unflushed_bytes: 0,
            payload_bytes: 0,
        };
        let shared = Arc::new(Shared {
            inner: Mutex::new(inner),
            changed: Condvar::new(),
            caller,
            reading,
            ahead: ReadAhead::default(),
            wanted_groups: watch::Sender::new(u32::try_from(groups).unwrap_or(u32::MAX)),
            ended: watch::Sender::new(false),
            sent_bytes: std::sync::atomic::AtomicU64::new(0),
        });
        send::arrange(&shared);
        let flushed = shared.clone();
        let flusher = tokio::spawn(async move {
            loop {
                tokio::time::sleep(FLUSH_EVERY).await;
                let mut inner = flushed.lock();
                if inner.unflushed_bytes > 0 {
                    inner.flush();
                }
            }
        });
        Volume {
            shared,
            runtime: Handle::current(),
            flusher: flusher.abort_handle(),
        }
    }

    /// Goes by another layout: groups that were added, segments that take the place of others. Older memberships are ignored.
    pub fn set_layout(&self, layout: Layout) {
        {
            let mut inner = self.shared.lock();
            for (index, group) in &layout.groups {
                if inner.core.has_group(*index) {
                    inner
                        .core
                        .change_membership(*index, group.membership.clone());
                } else {
                    inner.core.add_group(*index, group.membership.clone());
                }
            }
        }
        self.shared.reading.set_layout(layout);
        send::arrange(&self.shared);
        self.shared.ring();
    }

    /// How many protection groups the volume needs: whoever keeps its layout adds them and calls `set_layout`.
    #[must_use]
    pub fn wanted_groups(&self) -> watch::Receiver<u32> {
        self.shared.wanted_groups.subscribe()
    }

    /// Waits until nothing can be written any more, and says why.
    pub async fn ended(&self) -> PagesError {
        let mut ended = self.shared.ended.subscribe();
        // The sender lives as long as `self`.
        let _ = ended.wait_for(|ended| *ended).await;
        let why = self.shared.lock().ended.clone();
        why.unwrap_or(PagesError::Fenced)
    }

    /// Waits until there is room for this many records and every group that they need is there.
    fn wait_for_room<'a>(
        &'a self,
        mut inner: MutexGuard<'a, Inner>,
        writes: &[PageWrite],
    ) -> Result<MutexGuard<'a, Inner>, PagesError> {
        let begun = Instant::now();
        loop {
            if let Some(why) = &inner.ended {
                return Err(why.clone());
            }
            let groups = writes.iter().map(|w| inner.core.group_of(w.page));
            let missing = groups.max().filter(|group| !inner.core.has_group(*group));
            let has_room =
                inner.core.room() >= writes.len() && inner.waiting_bytes() < WAITING_BYTES_MAX;
            if missing.is_none() && has_room {
                return Ok(inner);
            }
            if let Some(group) = missing {
                self.want_groups(group.0.saturating_add(1));
                if begun.elapsed() > GROW_TIMEOUT {
                    return Err(PagesError::NoSpace(format!(
                        "protection group {group} was not made in time"
                    )));
                }
            }
            inner.flush();
            let waited = self.shared.changed.wait_timeout(inner, FLUSH_EVERY * 20);
            inner = waited.expect("no holder panics").0;
        }
    }

    fn want_groups(&self, count: u32) {
        self.shared.wanted_groups.send_if_modified(|wanted| {
            let more = count > *wanted;
            *wanted = count.max(*wanted);
            more
        });
    }

    /// Asks for another group when the last one fills up.
    fn look_ahead(&self, page: PageId) {
        let layout_pages = {
            let wanted = u64::from(*self.shared.wanted_groups.borrow());
            let per_group = self.shared.reading.pages_per_group();
            (wanted.saturating_sub(1) * per_group) + per_group * GROW_AT_PERCENT / 100
        };
        if page.0 >= layout_pages {
            let wanted = *self.shared.wanted_groups.borrow();
            self.want_groups(wanted.saturating_add(1));
        }
    }

    /// Fetches pages that are to be changed in part and are not in memory.
    fn fetch_missing(&self, writes: &[PageWrite]) -> Result<(), PagesError> {
        for write in writes.iter().filter(|write| self.is_partial(write)) {
            if self.shared.lock().cache.get(write.page).is_none() {
                self.read(write.page)?;
            }
        }
        Ok(())
    }

    fn is_partial(&self, write: &PageWrite) -> bool {
        match &write.content {
            Content::Discard => false,
            Content::Bytes { data, .. } => data.len() < self.page_bytes(),
        }
    }

    /// What a write does to its page and what the page is afterwards; none when nothing changes.
    fn changed(&self, inner: &mut Inner, write: &PageWrite) -> Option<(Change, Bytes)> {
        let before = inner.cache.get(write.page);
        let after = match (&write.content, &before) {
            (Content::Discard, _) => Bytes::from(vec![0; self.page_bytes()]),
            (Content::Bytes { data, .. }, _) if data.len() == self.page_bytes() => data.clone(),
            (Content::Bytes { offset, data }, Some(before)) => {
                let mut page = BytesMut::from(&before[..]);
                page[*offset..*offset + data.len()].copy_from_slice(data);
                page.freeze()
            }
            (Content::Bytes { .. }, None) => unreachable!("the page was fetched"),
        };
        let change = match before {
            Some(before) => delta::between(&before, &after)?,
            None => delta::image(&after),
        };
        Some((change, after))
    }
}

impl Pages for Volume {
    fn page_bytes(&self) -> usize {
        self.shared.reading.page_bytes()
    }

    fn pages_max(&self) -> u64 {
        VOLUME_BYTES_MAX / self.page_bytes() as u64
    }

    fn read(&self, page: PageId) -> Result<Bytes, PagesError> {
        let read = self.read_pages(&[page])?.pop();
        Ok(read.expect("as many pages as were asked for"))
    }

    fn read_many(&self, pages: &[PageId]) -> Result<Vec<Bytes>, PagesError> {
        self.read_pages(pages)
    }

    fn write(&self, writes: Vec<PageWrite>, point: Point) -> Result<Lsn, PagesError> {
        let beyond = writes.iter().find(|w| w.page.0 >= self.pages_max());
        if let Some(write) = beyond {
            return Err(PagesError::BeyondEnd(write.page));
        }
        let mut inner = loop {
            self.fetch_missing(&writes)?;
            let mut inner = self.wait_for_room(self.shared.lock(), &writes)?;
            let mut partial = writes.iter().filter(|write| self.is_partial(write));
            if partial.all(|write| inner.cache.get(write.page).is_some()) {
                break inner;
            }
        };
        let is_point = point == Point::Consistent;
        let mut last: Option<PageId> = None;
        // A record is flagged as a point only when it is known to be the unit's last one.
        let mut waiting: Option<(PageId, Change)> = None;
        for write in &writes {
            let Some((change, after)) = self.changed(&mut inner, write) else {
                continue;
            };
            if let Some((page, change)) = waiting.replace((write.page, change)) {
                inner.append(page, change, false);
            }
            // The LSN that its record gets as the next one.
            let lsn = inner.core.next();
            inner.cache.written(write.page, after, lsn);
            last = last.max(Some(write.page));
        }
        match waiting {
            Some((page, change)) => drop(inner.append(page, change, is_point)),
            None if is_point && inner.core.open().is_some() => {
                inner.append(PageId(0), Change::Mark, true);
            }
            None => {}
        }
        if let Some(page) = last {
            self.look_ahead(page);
        }
        let vdl = inner.core.vdl();
        inner.cache.trim(vdl);
        if inner.unflushed_bytes >= FLUSH_BYTES {
            inner.flush();
        }
        Ok(inner.core.last())
    }

    fn sync(&self, lsn: Lsn) -> Result<(), PagesError> {
        let mut inner = self.shared.lock();
        if inner.core.vdl() < lsn {
            inner.flush();
        }
        loop {
            if inner.core.vdl() >= lsn {
                return Ok(());
            }
            if let Some(why) = &inner.ended {
                return Err(why.clone());
            }
            let waited = self.shared.changed.wait_timeout(inner, TELL_AFTER);
            let (woken, timeout) = waited.expect("no holder panics");
            if timeout.timed_out() {
                tell_what_is_missing(&woken.core, lsn);
            }
            inner = woken;
        }
    }
}

/// Says which copies a sync waits for.
fn tell_what_is_missing(core: &Writer, lsn: Lsn) {
    for group in core.groups() {
        let copies = core.membership(group).map(Membership::copies);
        let reached: Vec<String> = copies
            .into_iter()
            .flatten()
            .map(|copy| format!("{copy} at {}", core.reach_of(group, copy)))
            .collect();
        tracing::warn!(
            %lsn, vdl = %core.vdl(), vcl = %core.vcl(), last = %core.last(), %group, complete = %core.quorum_has(group),
            copies = reached.join(", "), "a sync waits for a write quorum"
        );
    }
}

/// Largest volume, as Aurora's: 128 TiB.
pub(crate) const VOLUME_BYTES_MAX: u64 = 128 << 40;

impl Volume {
    pub(super) fn block_on<F: Future>(&self, future: F) -> F::Output {
        self.runtime.block_on(future)
    }
}

impl Drop for Volume {
    fn drop(&mut self) {
        self.flusher.abort();
        for sender in self.shared.lock().senders.values() {
            sender.task.abort();
        }
    }
}
