//! The calls between a volume's users and the nodes that hold its segments, and between those nodes.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use quorate_base::UnixMillis;

use crate::protocol::{
    Adopt, Append, Complete, GroupIndex, History, Lsn, MembershipEpoch, PageId, Pull, Record,
    Refusal, Sealed, SegmentId, Speaker, VolumeId,
};

/// Takes records: `AppendTo` to `Reached`s, one for each copy that was named.
pub(crate) const APPEND: &str = "volume/append";
/// Promises an epoch: `SealOf` to `Sealed`.
pub(crate) const SEAL: &str = "volume/seal";
/// Tells what a segment has: `SurveyOf` to `Sealed`.
pub(crate) const SURVEY: &str = "volume/survey";
/// Takes a history over: `AdoptBy` to the SCL.
pub(crate) const ADOPT: &str = "volume/adopt";
/// Reads pages: `ReadFrom` to `PagesRead`.
pub(crate) const READ: &str = "volume/read";
/// Gossip: `PullFrom` to `Pulled`.
pub(crate) const PULL: &str = "volume/pull";
/// Copies pages to a segment that has none: `CopyFrom` to `Copied`.
pub(crate) const COPY: &str = "volume/copy";
/// Says which pages there are: `ListFrom` to `PagesListed`.
pub(crate) const LIST: &str = "volume/list";
/// Keeps page versions for a view: `HoldAt` to nothing.
pub(crate) const HOLD: &str = "volume/hold";
/// What a segment is like: `SegmentId` to `SegmentStatus`.
pub(crate) const STATUS: &str = "volume/status";
/// A group's last record at or below an LSN: `TailAt` to an LSN, if it is still known.
pub(crate) const TAIL: &str = "volume/tail";
/// When the VDLs above an LSN were told: `TimesAbove` to `Moment`s, ascending.
pub(crate) const TIMES: &str = "volume/times";

/// Records for copies of a group that lie on one node.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct AppendTo {
    pub(crate) volume: VolumeId,
    pub(crate) group: GroupIndex,
    pub(crate) copies: Vec<u32>,
    pub(crate) append: Append,
}

/// What a sealed segment has.
pub(crate) type SealAnswer = Result<Sealed, SegmentError>;

/// How far a copy's chain reaches on disk, or why it took nothing.
pub(crate) type Reached = Result<Lsn, SegmentError>;

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct SealOf {
    pub(crate) segment: SegmentId,
    pub(crate) speaker: Speaker,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct SurveyOf {
    pub(crate) segment: SegmentId,
    /// The membership that whoever asks goes by.
    pub(crate) membership: MembershipEpoch,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct AdoptBy {
    pub(crate) segment: SegmentId,
    pub(crate) adopt: Adopt,
}

/// Pages as they are at an LSN, of a segment that reaches it: a record of its group.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct ReadFrom {
    pub(crate) segment: SegmentId,
    pub(crate) pages: Vec<PageId>,
    pub(crate) at: Lsn,
}

/// Pages in the order that was asked for, without the zeros at their ends.
pub(crate) type PagesRead = Result<Vec<Bytes>, SegmentError>;

/// The pages from `from` on that may be something else than zeros at an LSN, of a segment that reaches it: a record of its
/// group.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct ListFrom {
    pub(crate) segment: SegmentId,
    pub(crate) from: PageId,
    pub(crate) at: Lsn,
}

/// Some of a segment's pages, ascending.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListedPages {
    /// Runs of pages: the first one, and how many.
    pub runs: Vec<(PageId, u64)>,
    /// Where to go on; none at the end.
    pub next: Option<PageId>,
}

/// A segment's pages.
pub(crate) type PagesListed = Result<ListedPages, SegmentError>;

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct PullFrom {
    pub(crate) segment: SegmentId,
    pub(crate) pull: Pull,
}

/// What a peer has beyond the asker's chain.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct PulledRecords {
    /// The peer's history, when the asker's is older.
    pub(crate) history: Option<History>,
    /// Records in the order of LSNs; fewer than there are when they are many.
    pub(crate) records: Vec<Record>,
    /// The records that follow have become pages: those have to be copied.
    pub(crate) coalesced: bool,
    pub(crate) complete: Complete,
}

/// A peer's records.
pub(crate) type Pulled = Result<PulledRecords, SegmentError>;

/// Pages from `from` on, as they are in the page store. The peer coalesces no further for a while.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct CopyFrom {
    pub(crate) segment: SegmentId,
    pub(crate) from: PageId,
}

/// Some of a peer's pages.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct CopiedPages {
    pub(crate) pages: Vec<(PageId, Lsn, Bytes)>,
    /// Where to go on; none at the end.
    pub(crate) next: Option<PageId>,
    /// Up to which record the pages have everything.
    pub(crate) base: Lsn,
    pub(crate) complete: Complete,
}

pub(crate) type Copied = Result<CopiedPages, SegmentError>;

/// What who holds an LSN needs of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Keeps {
    /// Pages as they are at the LSN.
    Pages,
    /// The records above it besides: they do not become pages.
    Records,
}

/// Page versions at `at` and above are kept for a view, until it is not renewed any more.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct HoldAt {
    pub(crate) volume: VolumeId,
    pub(crate) view: u64,
    /// None: the view has ended.
    pub(crate) at: Option<Lsn>,
    /// What it needs.
    pub(crate) keeps: Keeps,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct TailAt {
    pub(crate) segment: SegmentId,
    pub(crate) lsn: Lsn,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct TimesAbove {
    pub(crate) segment: SegmentId,
    pub(crate) above: Lsn,
}

/// At this moment everything up to this LSN was complete.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Moment {
    /// A VDL.
    pub lsn: Lsn,
    /// By the clock of the node that noted it.
    pub at: UnixMillis,
}

/// What a segment is like.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SegmentStatus {
    /// Bytes of its pages, those that it shares with the segment that it was forked from not among them.
    pub page_bytes: u64,
    /// How far its chain reaches.
    pub scl: Lsn,
    /// The membership that it goes by.
    pub membership: MembershipEpoch,
    /// What it was told to be complete.
    pub complete: Complete,
    /// Up to which record its pages have everything.
    pub coalesced: Lsn,
    /// Whether records are known to exist that it lacks.
    pub lacks_records: bool,
    /// Bytes of records and pages on disk.
    pub bytes: u64,
    /// Pages copied from a peer so far, while it is filled.
    pub pages_copied: Option<u64>,
    /// What is wrong with it.
    pub trouble: Option<String>,
}

/// Why a segment does not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum SegmentError {
    /// The protocol forbids it.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The segment is not on that node.
    #[error("the segment is not here")]
    Elsewhere,
    /// The segment has not everything that is to be read.
    #[error("the segment reaches {0} only")]
    Behind(Lsn),
    /// Versions that old are not kept.
    #[error("versions that old are not kept")]
    TooOld,
    /// The disk failed, or what it holds is damaged.
    #[error("{0}")]
    Disk(String),
}
