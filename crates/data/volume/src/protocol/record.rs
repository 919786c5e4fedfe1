//! One record of the log: what happens to one page.

use bytes::{Bytes, BytesMut};
use serde::{Deserialize, Serialize};

use super::{Lsn, PageId, VolumeEpoch};

/// A record: its place in the log and what it does to its page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Its place.
    pub header: RecordHeader,
    /// The page that it changes. It names the protection group, too.
    pub page: PageId,
    /// What it does.
    pub change: Change,
}

/// A record's place in the log. Segments and writers reckon with these alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordHeader {
    /// Its number.
    pub lsn: Lsn,
    /// The record before it in its protection group; 0 for the first one.
    pub previous: Lsn,
    /// The epoch of the writer that made it.
    pub epoch: VolumeEpoch,
    /// Whether recovery may end with it.
    pub consistency_point: bool,
}

/// What a record does to its page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Change {
    /// Nothing: it only marks a consistency point.
    Mark,
    /// Replaces some bytes.
    Spans(Vec<Span>),
    /// Replaces the whole page: these bytes, and zeros up to the page's end.
    Image(Bytes),
    /// Makes the page all zeros and gives its room back.
    Discard,
}

/// Some bytes of a page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Span {
    /// Where they begin, from the beginning of the page.
    pub offset: u32,
    /// The bytes.
    pub bytes: Bytes,
}

impl Change {
    /// Does to `page` what the record says. False when a span does not lie within the page: the record is damaged.
    #[must_use]
    pub fn apply(&self, page: &mut BytesMut) -> bool {
        match self {
            Change::Mark => true,
            Change::Discard => {
                page.fill(0);
                true
            }
            Change::Image(bytes) => {
                let Some(head) = page.get_mut(..bytes.len()) else {
                    return false;
                };
                head.copy_from_slice(bytes);
                page[bytes.len()..].fill(0);
                true
            }
            Change::Spans(spans) => spans.iter().all(|span| {
                let from = span.offset as usize;
                let Some(room) = page.get_mut(from..from + span.bytes.len()) else {
                    return false;
                };
                room.copy_from_slice(&span.bytes);
                true
            }),
        }
    }

    /// Bytes that the change carries.
    #[must_use]
    pub fn payload_bytes(&self) -> usize {
        match self {
            Change::Mark | Change::Discard => 0,
            Change::Image(bytes) => bytes.len(),
            Change::Spans(spans) => spans.iter().map(|span| span.bytes.len()).sum(),
        }
    }
}
