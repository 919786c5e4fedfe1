//! Pages in memory: a writer's that segments may not have yet, and as many others as there is room for.
//!
//! Invariants
//! - A page whose last record stands above VDL stays: no segment may be able to serve it.
//! - Others go by the clock: what was not used since the hand last came by goes first, and what was read ahead counts as
//!   used once somebody has asked for it.
//! - A page that a segment gave is kept only when no newer one can have come and gone meanwhile.

use std::collections::{HashMap, VecDeque};

use bytes::Bytes;

use crate::protocol::{Lsn, PageId};

/// Pages that are looked at for room beside two for each page too many: what is pinned makes making room slower, not longer.
const LOOKS_MAX: usize = 64;

struct Cached {
    bytes: Bytes,
    lsn: Lsn,
    used: bool,
    /// Nobody has asked for it yet.
    ahead: bool,
}

/// A page that was found.
pub(crate) struct Hit {
    pub(crate) bytes: Bytes,
    /// Whether it was read ahead, and this is the first time that somebody asks for it.
    pub(crate) first: bool,
}

/// Pages in memory.
pub(crate) struct PageCache {
    pages: HashMap<PageId, Cached>,
    clock: VecDeque<PageId>,
    pages_max: usize,
    /// The newest record of any page that was let go.
    gone: Lsn,
}

impl PageCache {
    pub(crate) fn new(pages_max: usize) -> PageCache {
        PageCache {
            pages: HashMap::new(),
            clock: VecDeque::new(),
            pages_max,
            gone: Lsn(0),
        }
    }

    pub(crate) fn get(&mut self, page: PageId) -> Option<Bytes> {
        Some(self.find(page)?.bytes)
    }

    pub(crate) fn find(&mut self, page: PageId) -> Option<Hit> {
        let cached = self.pages.get_mut(&page)?;
        cached.used = true;
        Some(Hit {
            bytes: cached.bytes.clone(),
            first: std::mem::take(&mut cached.ahead),
        })
    }

    /// Whether it is there; it does not count as used.
    pub(crate) fn has(&self, page: PageId) -> bool {
        self.pages.contains_key(&page)
    }

    /// The page as a record left it.
    pub(crate) fn written(&mut self, page: PageId, bytes: Bytes, lsn: Lsn) {
        self.put(page, bytes, lsn, false);
    }

    /// The page as a segment gave it, as it was at `at`. False when it may be older than what was let go since: it has to be
    /// fetched again before anything is built on it. What is cached already is as new or newer.
    pub(crate) fn fetched(&mut self, page: PageId, bytes: Bytes, at: Lsn) -> bool {
        if self.gone > at {
            return false;
        }
        if !self.has(page) {
            self.put(page, bytes, Lsn(0), false);
        }
        true
    }

    /// As [`PageCache::fetched`], of a page that nobody has asked for.
    pub(crate) fn fetched_ahead(&mut self, page: PageId, bytes: Bytes, at: Lsn) {
        if self.gone <= at && !self.has(page) {
            self.put(page, bytes, Lsn(0), true);
        }
    }

    fn put(&mut self, page: PageId, bytes: Bytes, lsn: Lsn, ahead: bool) {
        let cached = Cached {
            bytes,
            lsn,
            used: !ahead,
            ahead,
        };
        if self.pages.insert(page, cached).is_none() {
            self.clock.push_back(page);
        }
    }

    /// Lets pages go until there is room, as far as VDL allows.
    pub(crate) fn trim(&mut self, vdl: Lsn) {
        let excess = self.pages.len().saturating_sub(self.pages_max);
        let mut looks = LOOKS_MAX + 2 * excess;
        while self.pages.len() > self.pages_max && looks > 0 {
            looks -= 1;
            let Some(page) = self.clock.pop_front() else {
                return;
            };
            let Some(cached) = self.pages.get_mut(&page) else {
                continue;
            };
            if cached.lsn > vdl || std::mem::take(&mut cached.used) {
                self.clock.push_back(page);
            } else {
                self.gone = self.gone.max(cached.lsn);
                self.pages.remove(&page);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_above_vdl_stay_and_others_go_when_they_are_not_used() {
        let mut cache = PageCache::new(2);
        let page = |n: u8| Bytes::from(vec![n]);
        cache.written(PageId(1), page(1), Lsn(10));
        assert!(cache.fetched(PageId(2), page(2), Lsn(9)));
        assert!(cache.fetched(PageId(3), page(3), Lsn(9)));
        cache.trim(Lsn(9));
        assert_eq!(cache.get(PageId(1)), Some(page(1)));
        assert_eq!(cache.pages.len(), 2);
        cache.fetched(PageId(1), page(9), Lsn(9));
        assert_eq!(cache.get(PageId(1)), Some(page(1)), "the record's is newer");
        cache.fetched(PageId(4), page(4), Lsn(9));
        cache.trim(Lsn(10));
        assert_eq!(cache.pages.len(), 2);
    }

    #[test]
    fn what_was_read_ahead_goes_before_what_was_asked_for() {
        let mut cache = PageCache::new(2);
        let page = |n: u8| Bytes::from(vec![n]);
        cache.fetched_ahead(PageId(1), page(1), Lsn(9));
        cache.fetched_ahead(PageId(2), page(2), Lsn(9));
        assert!(cache.find(PageId(1)).unwrap().first);
        assert!(!cache.find(PageId(1)).unwrap().first);
        cache.fetched(PageId(3), page(3), Lsn(9));
        cache.trim(Lsn(9));
        assert!(cache.has(PageId(1)) && !cache.has(PageId(2)) && cache.has(PageId(3)));
    }

    #[test]
    fn what_was_read_ahead_is_never_older_than_what_was_written() {
        let mut cache = PageCache::new(0);
        cache.written(PageId(1), Bytes::from_static(b"new"), Lsn(10));
        cache.fetched_ahead(PageId(1), Bytes::from_static(b"old"), Lsn(9));
        assert_eq!(cache.get(PageId(1)), Some(Bytes::from_static(b"new")));
        // Let go, and then an older answer arrives.
        cache.trim(Lsn(10));
        cache.trim(Lsn(10));
        assert!(!cache.has(PageId(1)));
        cache.fetched_ahead(PageId(1), Bytes::from_static(b"old"), Lsn(9));
        assert!(!cache.has(PageId(1)));
        cache.fetched_ahead(PageId(1), Bytes::from_static(b"new"), Lsn(10));
        assert!(cache.has(PageId(1)));
    }

    #[test]
    fn many_pages_that_were_fetched_at_once_go_at_once() {
        let mut cache = PageCache::new(10);
        for page in 0..1_000 {
            cache.fetched(PageId(page), Bytes::from_static(b"x"), Lsn(9));
        }
        cache.trim(Lsn(9));
        assert_eq!(cache.pages.len(), 10);
        assert_eq!(cache.clock.len(), 10);
    }

    #[test]
    fn a_page_fetched_before_a_newer_one_was_let_go_is_not_kept() {
        let mut cache = PageCache::new(0);
        cache.written(PageId(1), Bytes::from_static(b"new"), Lsn(10));
        cache.trim(Lsn(10));
        assert_eq!(cache.get(PageId(1)), None);
        assert!(!cache.fetched(PageId(1), Bytes::from_static(b"old"), Lsn(9)));
        assert!(cache.fetched(PageId(1), Bytes::from_static(b"new"), Lsn(10)));
    }
}
