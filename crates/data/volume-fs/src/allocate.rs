//! Which pages are free.
//!
//! Invariants
//! - Pages at `end` and above were never used, or have been given back; `free` holds the free pages below it, as runs that do not touch.
//! - A free page reads as zeros: whoever gives one back discards it in the same unit.
//!
//! Nothing of this is on the volume: what no extent names is free.

use std::collections::BTreeMap;

use crate::error::FsError;

/// How many free runs are looked at before pages are taken from the end.
const TRIES_MAX: usize = 64;

/// Pages in a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Run {
    pub(crate) start: u64,
    pub(crate) len: u64,
}

impl Run {
    pub(crate) fn end(self) -> u64 {
        self.start + self.len
    }
}

/// The free pages of a volume.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Allocator {
    free: BTreeMap<u64, u64>,
    free_pages: u64,
    end: u64,
    max: u64,
}

impl Allocator {
    /// All pages but those of `used`.
    ///
    /// # Errors
    /// When a page is used twice or lies beyond `max`.
    pub(crate) fn new(mut used: Vec<Run>, max: u64) -> Result<Allocator, FsError> {
        used.sort_unstable();
        let mut space = Allocator {
            free: BTreeMap::new(),
            free_pages: 0,
            end: 0,
            max,
        };
        for run in used {
            if run.start < space.end {
                return Err(FsError::Corrupt(format!("page {} used twice", run.start)));
            }
            if run.len > max || run.start > max - run.len {
                return Err(FsError::Corrupt(format!("page {} too high", run.end())));
            }
            if run.start > space.end {
                space.free.insert(space.end, run.start - space.end);
                space.free_pages += run.start - space.end;
            }
            space.end = run.end();
        }
        Ok(space)
    }

    /// Pages that can be taken.
    pub(crate) fn available(&self) -> u64 {
        self.free_pages + (self.max - self.end)
    }

    /// Pages that are taken.
    pub(crate) fn used(&self) -> u64 {
        self.end - self.free_pages
    }

    /// The free pages below the highest one in use.
    pub(crate) fn free_runs(&self) -> impl Iterator<Item = Run> {
        let runs = self.free.iter();
        runs.map(|(start, len)| Run {
            start: *start,
            len: *len,
        })
    }

    /// Takes up to `want` pages from `start` on, as many as are free there.
    pub(crate) fn take_at(&mut self, start: u64, want: u64) -> Option<Run> {
        if start >= self.end {
            if start > self.end || want == 0 {
                return None;
            }
            return self.take_end(want);
        }
        let (&at, &len) = self.free.range(..=start).next_back()?;
        let len = (at + len).checked_sub(start).filter(|len| *len > 0)?;
        Some(self.cut(at, start, want.min(len)))
    }

    /// Takes up to `want` pages in a row: the lowest run that is long enough, the end, the lowest run of all.
    pub(crate) fn take(&mut self, want: u64) -> Option<Run> {
        let mut runs = self.free.iter().take(TRIES_MAX);
        if let Some((&start, _)) = runs.find(|(_, len)| **len >= want) {
            return Some(self.cut(start, start, want));
        }
        if self.max - self.end >= want {
            return self.take_end(want);
        }
        match self.free.iter().next().map(|(start, len)| (*start, *len)) {
            Some((start, len)) => Some(self.cut(start, start, want.min(len))),
            None => self.take_end(want),
        }
    }

    fn take_end(&mut self, want: u64) -> Option<Run> {
        let len = want.min(self.max - self.end);
        let run = Run {
            start: self.end,
            len,
        };
        self.end += len;
        (len > 0).then_some(run)
    }

    fn cut(&mut self, at: u64, start: u64, len: u64) -> Run {
        let whole = self.free.remove(&at).expect("the run was found");
        if start > at {
            self.free.insert(at, start - at);
        }
        let rest = at + whole - (start + len);
        if rest > 0 {
            self.free.insert(start + len, rest);
        }
        self.free_pages -= len;
        Run { start, len }
    }

    /// Gives pages back.
    pub(crate) fn give(&mut self, run: Run) {
        let (mut start, mut len) = (run.start, run.len);
        if let Some((&before, &pages)) = self.free.range(..start).next_back() {
            assert!(before + pages <= start, "pages are given back once");
            if before + pages == start {
                self.free.remove(&before);
                self.free_pages -= pages;
                (start, len) = (before, len + pages);
            }
        }
        if let Some(pages) = self.free.remove(&run.end()) {
            self.free_pages -= pages;
            len += pages;
        }
        assert!(start + len <= self.end, "only pages that were taken");
        if start + len == self.end {
            self.end = start;
        } else {
            self.free.insert(start, len);
            self.free_pages += len;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(start: u64, len: u64) -> Run {
        Run { start, len }
    }

    #[test]
    fn low_pages_are_taken_first_and_runs_stay_whole() {
        let mut space = Allocator::new(vec![run(0, 2), run(5, 5), run(20, 1)], 100).unwrap();
        assert_eq!((space.used(), space.available()), (8, 92));
        assert_eq!(space.take(2), Some(run(2, 2)));
        assert_eq!(space.take(4), Some(run(10, 4)));
        assert_eq!(space.take(50), Some(run(21, 50)));
        assert_eq!(space.take_at(71, 3), Some(run(71, 3)));
        assert_eq!(space.take_at(80, 3), None);
        assert_eq!(space.take_at(15, 30), Some(run(15, 5)));
        assert_eq!(
            space.take(60),
            Some(run(4, 1)),
            "what is left, lowest first"
        );
    }

    #[test]
    fn pages_given_back_are_joined_and_lower_the_end() {
        let mut space = Allocator::new(vec![run(0, 10)], 100).unwrap();
        space.give(run(4, 2));
        space.give(run(8, 2));
        assert_eq!(space.end, 8);
        space.give(run(6, 2));
        assert_eq!((space.end, space.used()), (4, 4));
        assert!(space.free.is_empty());
    }

    #[test]
    fn a_page_that_is_used_twice_is_an_error() {
        assert!(Allocator::new(vec![run(0, 3), run(2, 1)], 100).is_err());
        assert!(Allocator::new(vec![run(99, 2)], 100).is_err());
    }

    #[test]
    fn a_full_volume_yields_nothing() {
        let mut space = Allocator::new(vec![run(0, 10)], 10).unwrap();
        assert_eq!(space.take(1), None);
    }
}
