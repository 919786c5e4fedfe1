//! The protocol of a volume: pure state machines and the nouns they share.
//!
//! Must not know sockets, files, clocks, PostgreSQL.

mod ids;
mod record;

pub use ids::{GroupIndex, Lsn, MembershipEpoch, PageId, SegmentId, VolumeEpoch, VolumeId};
pub use record::{Change, Record, RecordHeader, Span};
