//! Why the store does not do what it was asked to.

use std::io;
use std::sync::Arc;

use crate::protocol::{Lsn, PageId, SegmentId};

/// Why the store does not do what it was asked to.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A write or a sync failed earlier: the store answers nothing any more, and its process should end.
    #[error("the segment store has stopped: {0}")]
    Stopped(Arc<str>),
    /// The folder cannot be read or written.
    #[error("segment store: {0}")]
    Io(#[from] io::Error),
    /// The database of pages failed.
    #[error("page store: {0}")]
    Pages(#[from] fjall::Error),
    /// Something on disk was written by a build that this one does not know.
    #[error("{what} has version {version}, which this build does not read")]
    Version {
        /// Which file or row.
        what: &'static str,
        /// Its version.
        version: u32,
    },
    /// No such segment lies here.
    #[error("segment {0} is not on this node")]
    UnknownSegment(SegmentId),
    /// The segment is there already.
    #[error("segment {0} is on this node already")]
    SegmentExists(SegmentId),
    /// The entry contradicts what the store holds; nothing of its call was appended.
    #[error("entry refused: {0}")]
    Refused(&'static str),
    /// More waits to be written than [`super::QUEUE_BYTES_MAX`]; nothing of the call was appended.
    #[error("the log's disk is behind")]
    Overloaded,
    /// Versions below `oldest` are no longer kept.
    #[error("nothing is kept of LSN {at}; reads begin at {oldest}")]
    TooOld {
        /// What was asked for.
        at: Lsn,
        /// The lowest LSN that can be read.
        oldest: Lsn,
    },
    /// The page's checksum does not fit its bytes: take it from a peer and [`super::SegmentStore::put_page`] it.
    #[error("page {page} of {segment} is damaged in its version of LSN {version}")]
    BadPage {
        /// Whose.
        segment: SegmentId,
        /// The page.
        page: PageId,
        /// The version's LSN.
        version: Lsn,
    },
    /// A record's checksum does not fit its bytes: take it from a peer and append it once more.
    #[error("the record of LSN {lsn} of {segment} is damaged in the log")]
    BadRecord {
        /// Whose.
        segment: SegmentId,
        /// Which one.
        lsn: Lsn,
    },
}
