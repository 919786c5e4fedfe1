//! A reader's own changes over a view that it may not change: changed pages lie in a local file.
//!
//! Nothing of it outlives the mount: the file is made anew each time, and a sync has nothing to do.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, RwLock};

use bytes::{Bytes, BytesMut};
use quorate_volume::protocol::{Lsn, PageId};
use quorate_volume::{Content, PageWrite, Pages, PagesError, Point};

/// Pages of a base, with changes that lie in a local file.
pub struct Overlay {
    base: Arc<dyn Pages>,
    file: File,
    changed: RwLock<Changed>,
    bytes: AtomicU64,
}

#[derive(Default)]
struct Changed {
    /// Where in the file a page lies, counted in pages; none when it reads as zeros.
    places: HashMap<PageId, Option<u64>>,
    /// Places of pages that were discarded.
    free: Vec<u64>,
    end: u64,
    last: u64,
}

impl Overlay {
    /// An overlay without changes. The file is emptied, or made; it takes room as pages are changed.
    ///
    /// # Errors
    /// When the file cannot be made.
    pub fn new(base: Arc<dyn Pages>, path: &Path) -> io::Result<Overlay> {
        let mut options = File::options();
        options.read(true).write(true).create(true).truncate(true);
        Ok(Overlay {
            base,
            file: options.open(path)?,
            changed: RwLock::default(),
            bytes: AtomicU64::new(0),
        })
    }

    /// Bytes that the local file takes.
    #[must_use]
    pub fn bytes_used(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    fn read_place(&self, place: u64) -> Result<BytesMut, PagesError> {
        let mut page = BytesMut::zeroed(self.page_bytes());
        let offset = place * self.page_bytes() as u64;
        self.file
            .read_exact_at(&mut page, offset)
            .map_err(|error| PagesError::Unavailable(format!("overlay: {error}")))?;
        Ok(page)
    }

    fn apply(&self, changed: &mut Changed, write: PageWrite) -> Result<(), PagesError> {
        let page_bytes = self.page_bytes() as u64;
        if write.page.0 >= self.pages_max() {
            return Err(PagesError::BeyondEnd(write.page));
        }
        let place = changed.places.get(&write.page).copied();
        let (offset, data) = match write.content {
            Content::Discard => {
                changed.free.extend(place.flatten());
                changed.places.insert(write.page, None);
                return Ok(());
            }
            Content::Bytes { offset, data } => (offset, data),
        };
        if let Some(Some(place)) = place {
            return self.put(place * page_bytes + offset as u64, &data);
        }
        let whole = if data.len() as u64 == page_bytes {
            data
        } else {
            let mut page = match place {
                Some(_) => BytesMut::zeroed(self.page_bytes()),
                None => BytesMut::from(self.base.read(write.page)?),
            };
            page[offset..offset + data.len()].copy_from_slice(&data);
            page.freeze()
        };
        let place = changed.free.pop().unwrap_or(changed.end);
        self.put(place * page_bytes, &whole)?;
        changed.end = changed.end.max(place + 1);
        changed.places.insert(write.page, Some(place));
        self.bytes
            .store(changed.end * page_bytes, Ordering::Relaxed);
        Ok(())
    }

    fn put(&self, at: u64, data: &[u8]) -> Result<(), PagesError> {
        let failed = |error: io::Error| match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                PagesError::NoSpace(format!("overlay: {error}"))
            }
            _ => PagesError::Unavailable(format!("overlay: {error}")),
        };
        self.file.write_all_at(data, at).map_err(failed)
    }
}

impl Pages for Overlay {
    fn page_bytes(&self) -> usize {
        self.base.page_bytes()
    }

    fn pages_max(&self) -> u64 {
        self.base.pages_max()
    }

    fn read(&self, page: PageId) -> Result<Bytes, PagesError> {
        let pages = self.read_many(&[page])?;
        Ok(pages.into_iter().next().expect("one page was asked for"))
    }

    fn read_many(&self, pages: &[PageId]) -> Result<Vec<Bytes>, PagesError> {
        let mut found = vec![Bytes::new(); pages.len()];
        let mut of_base = Vec::new();
        {
            let changed = self.changed.read().expect("no write panics half done");
            for (at, page) in pages.iter().enumerate() {
                match changed.places.get(page) {
                    Some(Some(place)) => found[at] = self.read_place(*place)?.freeze(),
                    Some(None) => found[at] = Bytes::from(vec![0; self.page_bytes()]),
                    None => of_base.push(at),
                }
            }
        }
        if !of_base.is_empty() {
            let ids: Vec<PageId> = of_base.iter().map(|at| pages[*at]).collect();
            for (at, page) in of_base.into_iter().zip(self.base.read_many(&ids)?) {
                found[at] = page;
            }
        }
        Ok(found)
    }

    fn write(&self, writes: Vec<PageWrite>, _: Point) -> Result<Lsn, PagesError> {
        let mut changed = self.changed.write().expect("no write panics half done");
        for write in writes {
            self.apply(&mut changed, write)?;
        }
        changed.last += 1;
        Ok(Lsn(changed.last))
    }

    fn sync(&self, _: Lsn) -> Result<(), PagesError> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::MemoryPages;

    fn bytes(page: u64, offset: usize, data: &'static [u8]) -> PageWrite {
        PageWrite {
            page: PageId(page),
            content: Content::Bytes {
                offset,
                data: Bytes::from_static(data),
            },
        }
    }

    #[test]
    fn changes_lie_over_the_base_and_leave_it_alone() {
        let base = Arc::new(MemoryPages::new(4096, 100));
        let first = vec![bytes(1, 0, b"base"), bytes(2, 0, b"base")];
        base.write(first, Point::Consistent).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let overlay = Overlay::new(base.clone(), &folder.path().join("overlay")).unwrap();
        overlay
            .write(
                vec![bytes(1, 2, b"XX"), bytes(9, 4000, b"far")],
                Point::Inside,
            )
            .unwrap();
        assert_eq!(&overlay.read(PageId(1)).unwrap()[..5], b"baXX\0");
        assert_eq!(&overlay.read(PageId(2)).unwrap()[..4], b"base");
        assert_eq!(&overlay.read(PageId(9)).unwrap()[4000..4003], b"far");
        assert_eq!(&base.read(PageId(1)).unwrap()[..4], b"base");
        assert_eq!(overlay.bytes_used(), 2 * 4096);
        let discard = |page| PageWrite {
            page: PageId(page),
            content: Content::Discard,
        };
        overlay
            .write(vec![discard(1), discard(2)], Point::Consistent)
            .unwrap();
        let gone = overlay.read_many(&[PageId(1), PageId(2)]).unwrap();
        assert!(gone.iter().all(|page| page.iter().all(|byte| *byte == 0)));
        overlay
            .write(vec![bytes(2, 1, b"Y")], Point::Consistent)
            .unwrap();
        assert_eq!(&overlay.read(PageId(2)).unwrap()[..5], b"\0Y\0\0\0");
        assert_eq!(overlay.bytes_used(), 2 * 4096, "the room is used again");
        let beyond = overlay.write(vec![bytes(100, 0, b"x")], Point::Consistent);
        assert_eq!(beyond, Err(PagesError::BeyondEnd(PageId(100))));
    }
}
