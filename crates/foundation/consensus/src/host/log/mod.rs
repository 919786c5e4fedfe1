//! The log that all groups of a host share.
//!
//! Owns one fjall database with two keyspaces: `entries`, under the group's number and the entry's index (8 bytes
//! big-endian each), and `meta`, under the group's number and a kind byte: the vote, the id up to which entries were
//! purged, and the mark that the machine was last flushed at. Each value starts with a format byte.
//!
//! Everything is written by one thread, which takes all that waits, writes it as one batch, syncs once, and only then
//! answers:
//!
//! ```text
//!  group 1 ─ append ─┐                          ┌─ answers group 1
//!  group 2 ─ vote ───┼─► queue ─► batch ─► sync ┼─ answers group 2
//!  group 3 ─ append ─┘                          └─ answers group 3
//! ```
//!
//! Invariants
//! - A vote or an append is answered after a sync that began after it was written.
//! - What one group asked for is written in the order in which it asked.
//! - After a write or a sync that failed nothing is answered any more: the host is poisoned.
//! - Entries that are not written yet are readable from memory.

mod cache;
mod codec;
mod disk;
mod group_log;
mod writer;

pub(crate) use cache::entries_size;
pub use disk::{Change, LogDisk, Rows, Space};
pub(crate) use group_log::GroupLog;
pub(crate) use writer::SharedLog;

pub(crate) use codec::{DecodeError, decode, encode};
