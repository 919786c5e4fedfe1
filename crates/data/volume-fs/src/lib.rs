//! The file system over a volume that stock engines run on: files, folders and links, kept in a volume's pages.
//!
//! ```text
//!  page 0        superblock: magic, version, where the metadata pages are
//!  some pages    metadata: rows for inodes, extents and names, all of them in memory while mounted
//!  the others    blocks of files, one block a page; or free, and zeros
//! ```
//!
//! - An operation is one unit in the volume's ordered log: its data and the changed bytes of its rows. There is no journal. Whatever prefix of
//!   the log survives, if it ends at a consistency point it is a sound file system.
//! - What can be told from the rest is not written: free pages, link counts, and times by themselves.
//! - A free page reads as zeros, so that room made ahead for a file costs a few bytes.
//!
//! Must not know replication rules.

mod allocate;
mod check;
mod error;
mod extents;
mod filesystem;
pub mod fuse;
pub mod hold;
mod inode;
mod load;
mod mapping;
mod overlay;
mod records;
mod rows;
mod state;
mod superblock;
pub mod testing;
mod unit;

pub use error::FsError;
pub use filesystem::{
    AllocateHow, FileSystem, Listed, Owner, RenameHow, Seek, SetAttributes, Statistics,
};
pub use inode::{Attributes, Ino};
pub use overlay::Overlay;
