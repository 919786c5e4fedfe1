//! A volume's pages as they are at one LSN, copied: out of a view into files, out of files or a view into another volume.
//!
//! ```text
//!  View ── PageSource (which pages, then their bytes) ──► PartWriter ──► files, wherever they go
//!                                            └─────────► PageSink ◄── PartReader ◄── files
//!                                                           └──► Volume
//! ```
//!
//! Owns the format of the files. Must not know where they are kept, nor what the pages mean.

mod part;
mod sink;
mod source;

pub use part::{PartError, PartReader, PartWriter};
pub use sink::PageSink;
pub use source::PageSource;
