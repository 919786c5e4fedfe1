//! What a file system needs of a volume: pages that are written in one order.
//!
//! Invariants of every implementation
//! - Writes take effect in the order of the calls. After a crash the pages hold what some prefix of the writes made of
//!   them, and that prefix ends at a consistency point.
//! - What `sync` confirmed is in that prefix.
//! - `read` shows every write whose call has returned.

use bytes::Bytes;

use crate::protocol::{Lsn, PageId};

/// Pages in one ordered log. Calls block; they come from many threads.
pub trait Pages: Send + Sync + 'static {
    /// Bytes of a page: a power of two, 4,096 to 65,536.
    fn page_bytes(&self) -> usize;

    /// How many pages there are at most, each of them readable.
    fn pages_max(&self) -> u64;

    /// A page as the last write left it, `page_bytes` long; zeros when it was never written or was discarded.
    ///
    /// # Errors
    /// When the page cannot be had.
    fn read(&self, page: PageId) -> Result<Bytes, PagesError>;

    /// Several pages, in the order asked for. An implementation that can, reads them at once.
    ///
    /// # Errors
    /// When one of them cannot be had.
    fn read_many(&self, pages: &[PageId]) -> Result<Vec<Bytes>, PagesError> {
        pages.iter().map(|page| self.read(*page)).collect()
    }

    /// Adds these writes to the log, as one unit and in their order, and says how far the log then reaches. It does not wait
    /// for disks. With no writes it only marks the point.
    ///
    /// # Errors
    /// When the volume cannot be written any more.
    fn write(&self, writes: Vec<PageWrite>, point: Point) -> Result<Lsn, PagesError>;

    /// Waits until everything up to `lsn` survives any failure that the volume survives. There must be a consistency point
    /// at `lsn` or, soon, above it: without one this waits for it.
    ///
    /// # Errors
    /// When that cannot be had any more: what was written after the last `sync` may be lost.
    fn sync(&self, lsn: Lsn) -> Result<(), PagesError>;
}

/// One change of one page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageWrite {
    /// Which page.
    pub page: PageId,
    /// What becomes of it.
    pub content: Content,
}

/// What becomes of a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// These bytes are at `offset`, the others stay.
    Bytes {
        /// From the beginning of the page, in bytes; the data ends within the page.
        offset: usize,
        /// What is there afterwards.
        data: Bytes,
    },
    /// All zeros; the room is given back.
    Discard,
}

/// What a crash right after a unit of writes leaves behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Point {
    /// Something whole: recovery may end here.
    Consistent,
    /// Something half done, such as half a page of an engine: recovery must not end here.
    Inside,
}

/// Why pages cannot be read or written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PagesError {
    /// Another writer has taken the volume over: nothing that was not synced will survive.
    #[error("the volume has another writer")]
    Fenced,
    /// The page lies beyond the end.
    #[error("page {0} lies beyond the end of the volume")]
    BeyondEnd(PageId),
    /// No room, here or at the segments.
    #[error("no room is left: {0}")]
    NoSpace(String),
    /// This view of the volume is for reading.
    #[error("this view of the volume is for reading only")]
    ReadOnly,
    /// Too few segments answer, or a disk failed.
    #[error("the volume does not answer: {0}")]
    Unavailable(String),
}
