//! Reads ahead: with a page that is missing comes the chunk of pages around it, in one call.
//!
//! An engine that replays its log asks for pages one by one, in no order, and for most of what lies near them sooner or
//! later. A call costs as much as ten pages in it. Whoever reads at random in a volume that is larger than its memory gains
//! nothing: reading ahead is paid with **credit**, which is earned by pages that were read ahead and then asked for, and by
//! each page that was missing. So what is read ahead in vain is, in the long run, at most one page for each that was missing.
//!
//! Invariant: one call at a time is under way for a chunk. Who misses another page of it waits, and looks again.

use std::collections::HashSet;
use std::ops::Range;
use std::sync::{Condvar, Mutex, MutexGuard};

use bytes::Bytes;

use crate::cache::PageCache;
use crate::protocol::PageId;

/// Pages of a chunk: as many as files that grow get in a row.
const CHUNK_PAGES: u64 = 64;
/// Credit at most, and at the beginning, in pages.
const CREDIT_MAX: u64 = 64 * CHUNK_PAGES;
/// What a page earns that was read ahead and is asked for.
const USED_EARNS: u64 = 4;
/// What a page earns that was missing while there was not enough credit.
const MISSED_EARNS: u64 = 1;

/// Who reads ahead what.
pub(crate) struct ReadAhead {
    state: Mutex<State>,
    over: Condvar,
}

struct State {
    credit: u64,
    /// Chunks that are being read.
    under_way: HashSet<u64>,
}

/// What a look into memory found.
pub(crate) struct Looked<'a> {
    /// For each page that is asked for: its bytes, if they are in memory.
    pub(crate) found: Vec<Option<Bytes>>,
    /// Which ones are not, by their place among those that are asked for.
    pub(crate) missing: Vec<usize>,
    /// What to read besides: pages of one group, that of the last one missing.
    pub(crate) others: Vec<PageId>,
    /// To be dropped when `others` are in memory.
    _under_way: Option<UnderWay<'a>>,
}

/// What somebody is to do who misses a page.
enum Turn<'a> {
    /// Read the chunk, and drop this when its pages are in memory.
    Ahead(UnderWay<'a>),
    /// Read what is missing and nothing else.
    Alone,
    /// Look again: somebody has read the chunk meanwhile.
    LookAgain,
}

/// A chunk that is being read.
struct UnderWay<'a> {
    of: &'a ReadAhead,
    chunk: u64,
}

impl Default for ReadAhead {
    fn default() -> ReadAhead {
        ReadAhead {
            state: Mutex::new(State {
                credit: CREDIT_MAX,
                under_way: HashSet::new(),
            }),
            over: Condvar::new(),
        }
    }
}

impl ReadAhead {
    /// Looks for pages in memory, and says what to read. Blocks while somebody else reads what is missing. `memory` hands
    /// its pages to whom it is given.
    pub(crate) fn look(
        &self,
        pages: &[PageId],
        pages_per_group: u64,
        memory: impl Fn(&mut dyn FnMut(&mut PageCache)),
    ) -> Looked<'_> {
        let mut found = vec![None; pages.len()];
        let mut waited = false;
        loop {
            let (mut first, mut missing, mut others) = (0, Vec::new(), Vec::new());
            memory(&mut |cache| {
                for (index, page) in pages.iter().enumerate() {
                    match cache.find(*page) {
                        Some(hit) => {
                            first += u64::from(hit.first);
                            found[index] = Some(hit.bytes);
                        }
                        None if found[index].is_none() => missing.push(index),
                        None => {}
                    }
                }
                let is_other = |page: &PageId| !cache.has(*page) && !pages.contains(page);
                if let Some(last) = missing.last()
                    && (missing.len() as u64) < CHUNK_PAGES
                {
                    let chunk = ReadAhead::chunk(pages[*last], pages_per_group);
                    others = chunk.map(PageId).filter(is_other).collect();
                }
            });
            self.used(first);
            let turn = match missing.last() {
                Some(last) if !others.is_empty() => {
                    self.turn(pages[*last], others.len() as u64, waited)
                }
                _ => Turn::Alone,
            };
            let (others, under_way) = match turn {
                Turn::LookAgain => {
                    waited = true;
                    continue;
                }
                Turn::Ahead(under_way) => (others, Some(under_way)),
                Turn::Alone => (Vec::new(), None),
            };
            return Looked {
                found,
                missing,
                others,
                _under_way: under_way,
            };
        }
    }

    /// The pages of a page's chunk. `pages_per_group` bounds it: a call reads of one group.
    fn chunk(page: PageId, pages_per_group: u64) -> Range<u64> {
        let first = page.0 - page.0 % CHUNK_PAGES;
        let group = page.0 - page.0 % pages_per_group;
        first.max(group)..(first + CHUNK_PAGES).min(group + pages_per_group)
    }

    /// What to do about a missing page whose chunk lacks so many others. Blocks while somebody else reads the chunk, the
    /// first time that is: afterwards `waited` is true.
    fn turn(&self, page: PageId, others: u64, waited: bool) -> Turn<'_> {
        let chunk = page.0 / CHUNK_PAGES;
        let mut state = self.lock();
        if state.under_way.contains(&chunk) {
            if waited {
                return Turn::Alone;
            }
            while state.under_way.contains(&chunk) {
                state = self.over.wait(state).expect("no holder panics");
            }
            return Turn::LookAgain;
        }
        if state.credit < others {
            state.earn(MISSED_EARNS);
            return Turn::Alone;
        }
        state.credit -= others;
        state.under_way.insert(chunk);
        Turn::Ahead(UnderWay { of: self, chunk })
    }

    /// So many pages that were read ahead were asked for.
    fn used(&self, pages: u64) {
        if pages > 0 {
            self.lock().earn(USED_EARNS * pages);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no holder panics")
    }
}

impl State {
    fn earn(&mut self, pages: u64) {
        self.credit = (self.credit + pages).min(CREDIT_MAX);
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.of.lock().under_way.remove(&self.chunk);
        self.of.over.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Misses pages of so many chunks, a page of each, and asks for `of_each` of what was read ahead. How many pages were.
    fn miss(ahead: &ReadAhead, chunks: Range<u64>, of_each: u64) -> u64 {
        let mut pages = 0;
        for chunk in chunks {
            let page = PageId(chunk * CHUNK_PAGES);
            if let Turn::Ahead(_) = ahead.turn(page, CHUNK_PAGES - 1, false) {
                pages += CHUNK_PAGES - 1;
                ahead.used(of_each);
            }
        }
        pages
    }

    #[test]
    fn random_reads_pay_for_a_page_each_at_most() {
        let ahead = ReadAhead::default();
        let misses = 100_000;
        let read = miss(&ahead, 0..misses, 0);
        assert!(read <= misses * MISSED_EARNS + CREDIT_MAX, "{read}");
    }

    #[test]
    fn every_chunk_is_read_while_a_quarter_of_it_is_of_use() {
        let ahead = ReadAhead::default();
        let read = miss(&ahead, 0..10_000, CHUNK_PAGES / 4);
        assert_eq!(read, 10_000 * (CHUNK_PAGES - 1));
    }

    #[test]
    fn reads_that_become_dense_again_are_noticed() {
        let ahead = ReadAhead::default();
        miss(&ahead, 0..10_000, 0);
        let read = miss(&ahead, 0..1_000, CHUNK_PAGES / 2);
        assert!(read > 900 * (CHUNK_PAGES - 1), "{read}");
    }

    #[test]
    fn a_chunk_ends_with_its_group() {
        assert_eq!(ReadAhead::chunk(PageId(70), 1 << 20), 64..128);
        assert_eq!(ReadAhead::chunk(PageId(99), 100), 64..100);
        assert_eq!(ReadAhead::chunk(PageId(101), 100), 100..128);
    }

    #[test]
    fn who_misses_a_page_that_is_on_its_way_waits_for_it() {
        let ahead = ReadAhead::default();
        let Turn::Ahead(first) = ahead.turn(PageId(1), 63, false) else {
            panic!("there is credit");
        };
        assert!(matches!(ahead.turn(PageId(2), 63, true), Turn::Alone));
        assert!(matches!(ahead.turn(PageId(64), 63, false), Turn::Ahead(_)));
        std::thread::scope(|scope| {
            let second = scope.spawn(|| ahead.turn(PageId(2), 63, false));
            drop(first);
            let turn = second.join().unwrap();
            // It may have come after the first had ended.
            assert!(matches!(turn, Turn::LookAgain | Turn::Ahead(_)));
        });
    }
}
