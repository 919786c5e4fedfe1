//! A volume's log, read beside its writer and kept in files, so that a volume can be filled up to any moment of it.
//!
//! ```text
//!  segments ── RedoSource (what is complete) ── RedoReading (one order) ──► RedoWriter ──► files, wherever they go
//!                                                                 PageSink::apply ◄── RedoReader ◄── files
//! ```
//!
//! Invariants
//! - Only what lies at or below a VDL is read: nothing of it is ever cut off by a recovery.
//! - Each record is followed by the one that follows it in the log: LSNs have no gaps between cuts, so nothing can be
//!   missing unnoticed, of whichever protection group.
//!
//! Owns the format of the files. Must not know where they are kept.

mod file;
mod source;
mod walk;

pub use crate::calls::Moment;
pub use file::{RedoEntry, RedoError, RedoHeader, RedoReader, RedoWriter};
pub use source::{Complete, ReadError, RedoReading, RedoSource};
