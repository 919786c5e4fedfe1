//! Pages in memory that remember every unit, and can show what a crash would have left.

use std::collections::HashMap;
use std::sync::{Condvar, Mutex, MutexGuard};

use bytes::{Bytes, BytesMut};
use quorate_volume::protocol::{Lsn, PageId};
use quorate_volume::{Content, PageWrite, Pages, PagesError, Point};

/// Pages in memory. A crash leaves what some prefix of the units made, with the prefix ending at a consistency point and holding all
/// that was synced.
pub struct MemoryPages {
    page_bytes: usize,
    pages_max: u64,
    remembers: bool,
    inner: Mutex<Inner>,
    point_set: Condvar,
}

#[derive(Clone, Default)]
struct Inner {
    /// Before the first unit.
    base: HashMap<PageId, Bytes>,
    pages: HashMap<PageId, Bytes>,
    units: Vec<(Vec<PageWrite>, Point)>,
    last: u64,
    /// The highest unit with a consistency point.
    point: u64,
    /// Units up to this one survive.
    synced: u64,
    refusal: Option<PagesError>,
}

impl MemoryPages {
    /// Zeros that remember what is written.
    #[must_use]
    pub fn new(page_bytes: usize, pages_max: u64) -> MemoryPages {
        MemoryPages {
            page_bytes,
            pages_max,
            remembers: true,
            inner: Mutex::default(),
            point_set: Condvar::new(),
        }
    }

    /// Zeros that do not remember how they came to be what they are.
    #[must_use]
    pub fn forgetful(page_bytes: usize, pages_max: u64) -> MemoryPages {
        MemoryPages {
            remembers: false,
            ..MemoryPages::new(page_bytes, pages_max)
        }
    }

    /// How many units were written.
    #[must_use]
    pub fn units(&self) -> usize {
        self.lock().units.len()
    }

    /// The units from `from` on.
    #[must_use]
    pub fn units_from(&self, from: usize) -> Vec<(Vec<PageWrite>, Point)> {
        self.lock().units[from..].to_vec()
    }

    /// How many units survive any crash.
    #[must_use]
    pub fn synced(&self) -> usize {
        usize::try_from(self.lock().synced).expect("units are in memory")
    }

    /// Bytes that were written, those of page writes alone.
    #[must_use]
    pub fn bytes_written(&self) -> usize {
        let inner = self.lock();
        let writes = inner.units.iter().flat_map(|(writes, _)| writes);
        writes
            .map(|write| match &write.content {
                Content::Bytes { data, .. } => data.len(),
                Content::Discard => 0,
            })
            .sum()
    }

    /// How many units a crash may leave, each number, when it comes at or after a moment when [`MemoryPages::synced`] was `synced`.
    #[must_use]
    pub fn crash_points(&self, synced: usize) -> Vec<usize> {
        let inner = self.lock();
        let whole = |at: &usize| *at == 0 || inner.units[at - 1].1 == Point::Consistent;
        (synced..=inner.units.len()).filter(whole).collect()
    }

    /// The pages as the first `units` units made them.
    #[must_use]
    pub fn after(&self, units: usize) -> MemoryPages {
        let inner = self.lock();
        let mut pages = inner.base.clone();
        for (writes, _) in &inner.units[..units] {
            for write in writes {
                apply(&mut pages, write, self.page_bytes);
            }
        }
        let inner = Inner {
            base: pages.clone(),
            pages,
            ..Inner::default()
        };
        MemoryPages {
            inner: Mutex::new(inner),
            ..MemoryPages::new(self.page_bytes, self.pages_max)
        }
    }

    /// Has every write and sync fail from here on, or succeed again.
    pub fn refuse(&self, refusal: Option<PagesError>) {
        self.lock().refusal = refusal;
        self.point_set.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().expect("nobody panics half done")
    }

    fn check(&self, write: &PageWrite) -> Result<(), PagesError> {
        if write.page.0 >= self.pages_max {
            return Err(PagesError::BeyondEnd(write.page));
        }
        if let Content::Bytes { offset, data } = &write.content {
            assert!(offset + data.len() <= self.page_bytes, "within the page");
        }
        Ok(())
    }
}

fn apply(pages: &mut HashMap<PageId, Bytes>, write: &PageWrite, page_bytes: usize) {
    match &write.content {
        Content::Discard => {
            pages.remove(&write.page);
        }
        Content::Bytes { data, .. } if data.len() == page_bytes => {
            pages.insert(write.page, data.clone());
        }
        Content::Bytes { offset, data } => {
            let mut page = match pages.remove(&write.page) {
                Some(page) => page.try_into_mut().unwrap_or_else(BytesMut::from),
                None => BytesMut::zeroed(page_bytes),
            };
            page[*offset..offset + data.len()].copy_from_slice(data);
            pages.insert(write.page, page.freeze());
        }
    }
}

impl Pages for MemoryPages {
    fn page_bytes(&self) -> usize {
        self.page_bytes
    }

    fn pages_max(&self) -> u64 {
        self.pages_max
    }

    fn read(&self, page: PageId) -> Result<Bytes, PagesError> {
        if page.0 >= self.pages_max {
            return Err(PagesError::BeyondEnd(page));
        }
        let found = self.lock().pages.get(&page).cloned();
        Ok(found.unwrap_or_else(|| BytesMut::zeroed(self.page_bytes).freeze()))
    }

    fn write(&self, writes: Vec<PageWrite>, point: Point) -> Result<Lsn, PagesError> {
        let mut inner = self.lock();
        if let Some(refusal) = &inner.refusal {
            return Err(refusal.clone());
        }
        for write in &writes {
            self.check(write)?;
        }
        for write in &writes {
            apply(&mut inner.pages, write, self.page_bytes);
        }
        inner.last += 1;
        if point == Point::Consistent {
            inner.point = inner.last;
            self.point_set.notify_all();
        }
        if self.remembers {
            inner.units.push((writes, point));
        }
        Ok(Lsn(inner.last))
    }

    fn sync(&self, lsn: Lsn) -> Result<(), PagesError> {
        let mut inner = self.lock();
        loop {
            if let Some(refusal) = &inner.refusal {
                return Err(refusal.clone());
            }
            if inner.point >= lsn.0 {
                break;
            }
            let waited = self.point_set.wait(inner);
            inner = waited.expect("nobody panics half done");
        }
        if self.remembers {
            // No further than asked for: the tests want to see what else is not there after a crash.
            let mut reached = lsn.0.max(inner.synced);
            let whole = |at: u64| {
                at == 0 || {
                    let at = usize::try_from(at).expect("units are in memory");
                    inner.units[at - 1].1 == Point::Consistent
                }
            };
            while !whole(reached) {
                reached += 1;
            }
            inner.synced = reached;
        }
        Ok(())
    }
}
