//! The protocol of a volume: pure state machines and the nouns they share.
//!
//! `segment` is one copy of a protection group, `opening` and `writer` are a volume's only writer, before and after its
//! recovery. Drivers carry the messages and store what is to be stored; they decide nothing.
//!
//! Must not know sockets, files, clocks, PostgreSQL.

mod history;
mod ids;
mod messages;
mod opening;
mod quorum;
mod record;
mod segment;
mod writer;

pub use history::{Cut, History};
pub use ids::{GroupIndex, Lsn, MembershipEpoch, PageId, SegmentId, VolumeEpoch, VolumeId};
pub use messages::{Adopt, Append, Complete, Pull, Refusal, Sealed, Speaker};
pub use opening::{Found, Opening, Wanted, find};
pub use quorum::{COPIES, Membership, READ_QUORUM, WRITE_QUORUM};
pub use record::{Change, Record, RecordHeader, Span};
pub use segment::{Segment, SegmentState, Stored};
pub use writer::{LSN_ALLOCATION_LIMIT, NoLsn, RecoveredGroup, Writer, group_of};
