//! The file system over a volume that stock engines run on: files, folders and links, kept in a volume's pages.
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
