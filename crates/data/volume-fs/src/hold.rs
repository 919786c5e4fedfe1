//! Writes of which a part has arrived.
//!
//! One `write()` may arrive in pieces. A piece that begins at a page's beginning and ends inside a page opens a hold on its file: what is
//! written from then on is no consistency point, until the rest is there, or it is known that none will come.
//!
//! What shows that none will come: the writing thread does something else than reading (a write may make it read, when its source is mapped
//! memory); another thread does what needs the kernel's lock of the inode all the time (a write, a truncation, a sync); [`HOLD_MS_MAX`] have
//! passed. A read, `stat` or `close` by another thread shows nothing: they go on beside a write.
//!
//! Holds may overlap without end. So that syncs go on, a hold opens only while the chain of those that are open is younger than
//! [`CHAIN_MS_MAX`]; otherwise the write waits until none is open.

use std::collections::HashMap;
use std::time::{Duration, Instant};

/// How long a hold lasts at most, in milliseconds.
pub const HOLD_MS_MAX: u64 = 100;
/// How old a chain of overlapping holds may be for another one to open, in milliseconds.
pub const CHAIN_MS_MAX: u64 = 20;

#[derive(Debug, Clone, Copy)]
struct Hold {
    /// Where the rest would begin.
    next: u64,
    thread: u32,
    ends: Instant,
}

/// The holds that are open.
#[derive(Debug, Default)]
pub(crate) struct Holds {
    open: HashMap<u64, Hold>,
    /// When the first one of the chain opened.
    since: Option<Instant>,
}

impl Holds {
    pub(crate) fn none_open(&self) -> bool {
        self.open.is_empty()
    }

    /// Whether a write from `from` to `to` may be a part of one that has not arrived.
    pub(crate) fn would_open(from: u64, to: u64, page_bytes: u64) -> bool {
        from.is_multiple_of(page_bytes) && !to.is_multiple_of(page_bytes)
    }

    /// Whether the write continues the file's hold.
    pub(crate) fn continues(&self, ino: u64, from: u64, thread: u32) -> bool {
        self.open
            .get(&ino)
            .is_some_and(|hold| hold.next == from && hold.thread == thread)
    }

    /// Whether the chain is too old for another hold.
    pub(crate) fn too_old(&self, now: Instant) -> bool {
        self.since
            .is_some_and(|since| now.duration_since(since) > Duration::from_millis(CHAIN_MS_MAX))
    }

    /// Takes note of a write: opens, goes on with or ends the file's hold.
    pub(crate) fn written(
        &mut self,
        ino: u64,
        (from, to): (u64, u64),
        thread: u32,
        page_bytes: u64,
        now: Instant,
    ) {
        let goes_on = self.continues(ino, from, thread) && !to.is_multiple_of(page_bytes);
        if goes_on {
            let hold = self.open.get_mut(&ino).expect("the hold was found");
            hold.next = to;
            return;
        }
        self.end(ino);
        if Holds::would_open(from, to, page_bytes) {
            let ends = now + Duration::from_millis(HOLD_MS_MAX);
            let hold = Hold {
                next: to,
                thread,
                ends,
            };
            self.open.insert(ino, hold);
            self.since.get_or_insert(now);
        }
    }

    /// Ends the file's hold, if it has one.
    pub(crate) fn end(&mut self, ino: u64) {
        self.open.remove(&ino);
        self.ended();
    }

    /// Ends the holds of a thread that does something else.
    pub(crate) fn end_of_thread(&mut self, thread: u32) {
        self.open.retain(|_, hold| hold.thread != thread);
        self.ended();
    }

    /// Ends the holds whose time is over.
    pub(crate) fn end_overdue(&mut self, now: Instant) {
        self.open.retain(|_, hold| hold.ends > now);
        self.ended();
    }

    /// When the next one is overdue.
    pub(crate) fn next_end(&self) -> Option<Instant> {
        self.open.values().map(|hold| hold.ends).min()
    }

    fn ended(&mut self) {
        if self.open.is_empty() {
            self.since = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: u64 = 8192;

    #[test]
    fn half_a_page_opens_a_hold_and_its_rest_ends_it() {
        let (mut holds, now) = (Holds::default(), Instant::now());
        holds.written(5, (PAGE, PAGE + 4096), 1, PAGE, now);
        assert!(!holds.none_open());
        holds.written(5, (PAGE + 4096, PAGE + 5000), 1, PAGE, now);
        assert!(!holds.none_open());
        holds.written(5, (PAGE + 5000, 2 * PAGE), 1, PAGE, now);
        assert!(holds.none_open());
    }

    #[test]
    fn appends_inside_a_page_and_whole_pages_open_none() {
        let (mut holds, now) = (Holds::default(), Instant::now());
        holds.written(5, (100, 200), 1, PAGE, now);
        holds.written(5, (0, 2 * PAGE), 1, PAGE, now);
        assert!(holds.none_open());
    }

    #[test]
    fn another_thread_ends_nothing_but_the_same_one_does() {
        let (mut holds, now) = (Holds::default(), Instant::now());
        holds.written(5, (0, 100), 1, PAGE, now);
        holds.end_of_thread(2);
        assert!(!holds.none_open());
        holds.end_of_thread(1);
        assert!(holds.none_open());
    }

    #[test]
    fn time_ends_holds_and_old_chains_take_no_more() {
        let (mut holds, now) = (Holds::default(), Instant::now());
        holds.written(5, (0, 100), 1, PAGE, now);
        let later = now + Duration::from_millis(CHAIN_MS_MAX + 1);
        assert!(!holds.too_old(now));
        assert!(holds.too_old(later));
        holds.end_overdue(later);
        assert!(!holds.none_open());
        holds.end_overdue(now + Duration::from_millis(HOLD_MS_MAX));
        assert!(holds.none_open());
        assert!(!holds.too_old(later));
    }
}
