//! What is appended to the log, and what is found in it at the start.

use bytes::Bytes;

use crate::protocol::{Lsn, Record, RecordHeader, SegmentId, VolumeEpoch};

/// One thing to be kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// The segment lies here from now on, empty.
    Create {
        /// Which one.
        segment: SegmentId,
        /// Bytes of its pages.
        page_bytes: u32,
    },
    /// A record of the segment. It takes the place of one with the same LSN; at or below the LSN that is coalesced it is
    /// passed over.
    Record {
        /// Whose.
        segment: SegmentId,
        /// The record.
        record: Record,
    },
    /// The state of the segment's protocol, in place of the one before. It also takes back the [`Damage`] that is told.
    State {
        /// Whose.
        segment: SegmentId,
        /// Opaque to the store.
        bytes: Bytes,
    },
    /// Records that were appended before this, lie above `above` and are of an epoch below `below_epoch` are void.
    Discard {
        /// Whose.
        segment: SegmentId,
        /// The highest LSN that stays; not below what is coalesced.
        above: Lsn,
        /// The lowest epoch that stays.
        below_epoch: VolumeEpoch,
    },
    /// The segment goes, with all that it has.
    Drop {
        /// Which one.
        segment: SegmentId,
    },
}

/// How far the log reached after an append. It means something to the store that gave it, until that is closed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position(pub(super) u64);

/// A segment as it was found on disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundSegment {
    /// Which one.
    pub segment: SegmentId,
    /// Bytes of its pages.
    pub page_bytes: u32,
    /// The last state that was appended.
    pub state: Option<Bytes>,
    /// The last record that is coalesced into pages, or the base that was set: the next record's `previous` is this one.
    pub coalesced_to: Lsn,
    /// The lowest LSN that can be read.
    pub oldest: Lsn,
    /// The records above `coalesced_to`, by LSN. There may be holes between them.
    pub headers: Vec<RecordHeader>,
    /// What was lost, when checksums did not fit. Told at each start until a state is appended.
    pub damage: Option<Damage>,
}

/// What a segment lost because its part of the log was damaged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Damage {
    /// The highest record that was appended before the damage. All that followed it in the log is dropped.
    pub sound_to: Lsn,
    /// A [`Entry::Discard`] may be among what was lost: records that are there may be void.
    pub discards_lost: bool,
    /// The state may be older than the last one that was synced, or missing.
    pub state_lost: bool,
}

/// How many bytes a segment takes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// Records in the log that are not coalesced.
    pub waiting_bytes: u64,
    /// Records that are coalesced and still in the log.
    pub kept_bytes: u64,
    /// Pages, before compression; old versions included.
    pub page_bytes: u64,
}

/// From where to where a segment reaches.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Extent {
    /// The lowest LSN that can be read.
    pub oldest: Lsn,
    /// All records above this are in the log.
    pub records_above: Lsn,
    /// The last record that is coalesced, or the base that was set.
    pub coalesced_to: Lsn,
    /// The highest record that was appended, whether or not those below it are there.
    pub last: Lsn,
}

/// An answer to who asks for what follows an LSN.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Following {
    /// These records follow, by LSN; none when nothing does.
    Records(Vec<Record>),
    /// Some of what follows is in pages only: they have to be copied, or records above `above` asked for.
    Gone {
        /// Records above this are there.
        above: Lsn,
    },
}
