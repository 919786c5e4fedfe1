//! The segments of one node: their records in one log, their pages in one database.
//!
//! ```text
//!  append ─┐                                   ┌─ records, headers (gossip)
//!  append ─┼─► queue ─► batch, one sync ─► log ┤
//!  append ─┘      (one thread)                 └─ coalesce ─► pages (fjall) ─► read_page, pages
//!                                                    └─► log files that nothing needs are removed
//! ```
//!
//! How it is used
//! - [`SegmentStore::open`] says what was found. [`SegmentStore::append`] adds [`Entry`]s in the order of the calls, for any
//!   segments together, and returns at once with a [`Position`]; [`SegmentStore::synced`] waits for it. What is appended is
//!   read at once, before it is on disk.
//! - [`SegmentStore::read_page`] reads a page at an LSN. [`SegmentStore::records`] and [`SegmentStore::headers`] serve peers.
//! - [`SegmentStore::list_pages`] says which pages there are.
//! - [`SegmentStore::coalesce`] applies records to pages and truncates the log. Nothing of this happens by itself: the caller
//!   calls it for each segment every now and then.
//! - A segment that a peer's log cannot fill is filled from its pages: [`SegmentStore::clear_pages`], then
//!   [`SegmentStore::put_page`] with what the peer's [`SegmentStore::pages`] gives, then [`SegmentStore::set_base`] with the
//!   peer's coalesced LSN from when the copy began, then records from there on.
//! - `append`, `synced`, `headers`, `extent` and `usage` do not block on disks. All else does: from a task, call it through
//!   `tokio::task::spawn_blocking`.
//!
//! Owns the folder: `log/` and `pages/`. Must not know quorums, completeness, epochs beyond comparing them: the caller says
//! which records are void, what may be coalesced, and who reads where.
//!
//! Invariants
//! - After a write or a sync that failed every call fails: nothing is tried again. The process should end and open anew.
//! - A record is in the log until it is in pages that are on disk. A version of a page stays while somebody may read it.
//! - A torn end of the log is cut off, since it was never confirmed; any other damage is told, see [`Damage`]. A bit that flips
//!   in the very last batch looks like a torn end.
//! - Memory: the headers of all records in the log, [`Options::record_cache_bytes_max`] of their contents, and what waits to
//!   be written, up to [`QUEUE_BYTES_MAX`].

mod append;
mod cache;
mod coalesce;
mod codec;
mod copy;
mod entry;
mod error;
mod faults;
mod kept;
mod layers;
mod list;
mod log;
mod log_files;
mod open;
mod options;
mod page_store;
mod progress;
mod read;
mod replay;
mod segment;
mod segment_store;
mod truncate;
mod walk;

#[cfg(test)]
mod tests;

pub(crate) use codec::{get_record, put_record};
pub use copy::{PagesPart, Scrubbed};
pub use entry::{Damage, Entry, Extent, Following, FoundSegment, Position, Usage};
pub use error::StoreError;
pub use faults::Faults;
pub use kept::Keep;
pub use options::{Options, QUEUE_BYTES_MAX};
pub use segment_store::SegmentStore;
