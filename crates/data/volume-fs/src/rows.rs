//! The metadata heap: rows in slots of metadata pages.
//!
//! A page is cut into slots of 32 bytes. A slot's first byte is its tag: zero when free, a kind at a row's beginning, `MORE` in the
//! slots that continue it. A row lies within one page, so that freeing, adding and changing one are small page writes.
//!
//! ```text
//! | 1 ino mode uid .. | ff .. size mtime | 3 parent ino "16384" | 0 | 2 ino block page len | 0 |
//! ```

use std::collections::{BTreeMap, BTreeSet};

use crate::error::FsError;

/// Bytes of a slot.
pub(crate) const SLOT_BYTES: usize = 32;
const PAYLOAD_BYTES: usize = SLOT_BYTES - 1;
const MORE: u8 = 0xff;
/// How many pages with room are looked at before the heap grows.
const TRIES_MAX: usize = 32;

/// What a row is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Tag {
    Inode = 1,
    Extent = 2,
    Entry = 3,
}

impl Tag {
    fn of(byte: u8) -> Option<Tag> {
        match byte {
            1 => Some(Tag::Inode),
            2 => Some(Tag::Extent),
            3 => Some(Tag::Entry),
            _ => None,
        }
    }
}

/// Where a row begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct RowId {
    pub(crate) page: u64,
    pub(crate) slot: u16,
}

impl RowId {
    /// Its offset in its page, in bytes.
    pub(crate) fn offset(self) -> usize {
        usize::from(self.slot) * SLOT_BYTES
    }
}

/// Slots that a payload of this many bytes takes.
pub(crate) fn slots_of(payload_bytes: usize) -> usize {
    payload_bytes.div_ceil(PAYLOAD_BYTES)
}

/// A row as it lies in its slots.
pub(crate) fn frame(tag: Tag, payload: &[u8]) -> Vec<u8> {
    let mut framed = Vec::with_capacity(slots_of(payload.len()) * SLOT_BYTES);
    for (index, part) in payload.chunks(PAYLOAD_BYTES).enumerate() {
        framed.push(if index == 0 { tag as u8 } else { MORE });
        framed.extend_from_slice(part);
    }
    framed.resize(slots_of(payload.len()) * SLOT_BYTES, 0);
    framed
}

#[derive(Debug)]
struct Slots {
    used: Box<[bool]>,
    free: usize,
}

impl Slots {
    fn find(&self, count: usize) -> Option<usize> {
        let mut run = 0;
        for (at, used) in self.used.iter().enumerate() {
            run = if *used { 0 } else { run + 1 };
            if run == count {
                return Some(at + 1 - count);
            }
        }
        None
    }
}

/// Which slots are free.
#[derive(Debug)]
pub(crate) struct Rows {
    slots_per_page: usize,
    pages: BTreeMap<u64, Slots>,
    roomy: BTreeSet<u64>,
}

impl Rows {
    pub(crate) fn new(page_bytes: usize) -> Rows {
        Rows {
            slots_per_page: page_bytes / SLOT_BYTES,
            pages: BTreeMap::new(),
            roomy: BTreeSet::new(),
        }
    }

    /// How many pages the heap has.
    pub(crate) fn pages(&self) -> u64 {
        self.pages.len() as u64
    }

    /// Adds a page of zeros.
    pub(crate) fn add_page(&mut self, page: u64) {
        let slots = Slots {
            used: vec![false; self.slots_per_page].into(),
            free: self.slots_per_page,
        };
        self.pages.insert(page, slots);
        self.roomy.insert(page);
    }

    /// Takes `count` slots in a row; none when the heap must grow first.
    pub(crate) fn take(&mut self, count: usize) -> Option<RowId> {
        let found = self.roomy.iter().take(TRIES_MAX).chain(self.roomy.last());
        let (page, slot) = found
            .copied()
            .find_map(|page| Some((page, self.pages[&page].find(count)?)))?;
        self.mark(page, slot, count, true);
        Some(RowId {
            page,
            slot: u16::try_from(slot).expect("a page has at most 2,048 slots"),
        })
    }

    /// Gives a row's slots back.
    pub(crate) fn give(&mut self, row: RowId, count: usize) {
        self.mark(row.page, usize::from(row.slot), count, false);
    }

    fn mark(&mut self, page: u64, slot: usize, count: usize, used: bool) {
        let slots = self.pages.get_mut(&page).expect("rows lie on known pages");
        for entry in &mut slots.used[slot..slot + count] {
            assert_ne!(*entry, used, "a slot is taken and given back in turn");
            *entry = used;
        }
        if used {
            slots.free -= count;
        } else {
            slots.free += count;
        }
        if slots.free == 0 {
            self.roomy.remove(&page);
        } else {
            self.roomy.insert(page);
        }
    }

    /// Adds a page that has rows, and calls `row` with each one and its payload, which zeros may follow.
    ///
    /// # Errors
    /// When the page does not parse, and those of `row`.
    pub(crate) fn load_page(
        &mut self,
        page: u64,
        bytes: &[u8],
        mut row: impl FnMut(RowId, Tag, &[u8]) -> Result<(), FsError>,
    ) -> Result<(), FsError> {
        self.add_page(page);
        let mut payload = Vec::new();
        let mut slot = 0;
        while slot < self.slots_per_page {
            let at = |slot: usize| &bytes[slot * SLOT_BYTES..(slot + 1) * SLOT_BYTES];
            let first = slot;
            let head = at(first);
            slot += 1;
            if head[0] == 0 {
                continue;
            }
            let tag = Tag::of(head[0])
                .ok_or_else(|| FsError::Corrupt(format!("page {page}, slot {first}: no row")))?;
            payload.clear();
            payload.extend_from_slice(&head[1..]);
            while slot < self.slots_per_page && at(slot)[0] == MORE {
                payload.extend_from_slice(&at(slot)[1..]);
                slot += 1;
            }
            self.mark(page, first, slot - first, true);
            let id = RowId {
                page,
                slot: u16::try_from(first).expect("a page has at most 2,048 slots"),
            };
            row(id, tag, &payload)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_found_again_and_freed_slots_are_used_again() {
        let mut rows = Rows::new(4096);
        rows.add_page(7);
        let long = frame(Tag::Entry, &[9; 100]);
        let short = frame(Tag::Extent, &[1; 28]);
        let mut page = vec![0; 4096];
        let mut ids = Vec::new();
        for framed in [&long, &short] {
            let id = rows.take(framed.len() / SLOT_BYTES).unwrap();
            page[id.offset()..id.offset() + framed.len()].copy_from_slice(framed);
            ids.push(id);
        }
        let mut seen = Vec::new();
        let mut loaded = Rows::new(4096);
        loaded
            .load_page(7, &page, |id, tag, payload| {
                seen.push((id, tag, payload.to_vec()));
                Ok(())
            })
            .unwrap();
        assert_eq!(seen.len(), 2);
        assert_eq!((seen[0].0, seen[0].1), (ids[0], Tag::Entry));
        assert_eq!(&seen[0].2[..100], &[9; 100]);
        assert_eq!((seen[1].0, seen[1].1), (ids[1], Tag::Extent));
        loaded.give(ids[0], 4);
        assert_eq!(loaded.take(4), Some(ids[0]));
        assert_eq!(loaded.take(1).unwrap().slot, 5);
    }

    #[test]
    fn a_full_page_yields_nothing() {
        let mut rows = Rows::new(4096);
        rows.add_page(1);
        for _ in 0..64 {
            rows.take(2).unwrap();
        }
        assert_eq!(rows.take(1), None);
    }

    #[test]
    fn bytes_that_are_no_rows_are_an_error() {
        let mut page = vec![0; 4096];
        page[32] = 77;
        let loaded = Rows::new(4096).load_page(1, &page, |_, _, _| Ok(()));
        assert!(matches!(loaded, Err(FsError::Corrupt(_))));
    }
}
