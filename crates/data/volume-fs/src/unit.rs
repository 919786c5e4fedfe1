//! What one operation writes: data and metadata, added to the log together.

use std::sync::Arc;

use bytes::Bytes;
use quorate_volume::protocol::PageId;
use quorate_volume::{Content, PageWrite};

use crate::rows::{RowId, SLOT_BYTES};

/// Changed bytes that lie nearer to each other are written as one piece: what a record of the log costs by itself.
const GAP_BYTES: usize = 32;

static ZEROS: [u8; 65_536] = [0; 65_536];

/// Zeros, without a copy of their own. `len` is at most a page's length.
pub(crate) fn zeros(len: usize) -> Bytes {
    Bytes::from_static(&ZEROS[..len])
}

/// The page writes of one operation, and the inodes whose sync must cover them.
#[derive(Debug, Default)]
pub(crate) struct Unit {
    writes: Vec<PageWrite>,
    touched: Vec<u64>,
}

impl Unit {
    pub(crate) fn is_empty(&self) -> bool {
        self.writes.is_empty()
    }

    pub(crate) fn touch(&mut self, ino: u64) {
        if !self.touched.contains(&ino) {
            self.touched.push(ino);
        }
    }

    pub(crate) fn bytes(&mut self, page: u64, offset: usize, data: Bytes) {
        self.writes.push(PageWrite {
            page: PageId(page),
            content: Content::Bytes { offset, data },
        });
    }

    pub(crate) fn discard(&mut self, page: u64) {
        self.writes.push(PageWrite {
            page: PageId(page),
            content: Content::Discard,
        });
    }

    pub(crate) fn row_new(&mut self, row: RowId, framed: Vec<u8>) {
        self.bytes(row.page, row.offset(), framed.into());
    }

    /// Writes what differs between the row as it stands and as it shall be. Both have the same length.
    pub(crate) fn row_changed(&mut self, row: RowId, old: &[u8], new: &[u8]) {
        debug_assert_eq!(old.len(), new.len(), "a row keeps its length");
        let mut pieces: Vec<(usize, usize)> = Vec::new();
        for at in (0..new.len()).filter(|&at| old[at] != new[at]) {
            match pieces.last_mut() {
                Some((_, end)) if at < *end + GAP_BYTES => *end = at + 1,
                _ => pieces.push((at, at + 1)),
            }
        }
        for (from, to) in pieces {
            let data = Bytes::copy_from_slice(&new[from..to]);
            self.bytes(row.page, row.offset() + from, data);
        }
    }

    /// Frees a row: the tags of all its slots become zero.
    pub(crate) fn row_freed(&mut self, row: RowId, slots: usize) {
        self.bytes(row.page, row.offset(), zeros((slots - 1) * SLOT_BYTES + 1));
    }

    pub(crate) fn finish(self) -> (Vec<PageWrite>, Vec<u64>) {
        (self.writes, self.touched)
    }
}

/// A name in a folder, shared by the maps that hold it.
pub(crate) type Name = Arc<[u8]>;
