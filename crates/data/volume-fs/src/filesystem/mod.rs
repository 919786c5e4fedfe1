//! The operations on files: each one unit of page writes.
//!
//! One lock covers the change in memory and the unit's way into the log, so that the order in memory is the order of the log. Pages are
//! read, and syncs waited for, without it.

mod attributes;
mod core;
mod data;
mod folders;
mod names;
mod space;
mod sync;

pub use attributes::SetAttributes;
pub use core::{FileSystem, Statistics};
pub use folders::Listed;
pub use names::Owner;
pub use names::RenameHow;
pub use space::{AllocateHow, Seek};
