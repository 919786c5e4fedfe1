//! A volume of pages in six copies over three zones: one ordered log, written at four of six, read at three.
//!
//! The words and the rules are those of the Aurora papers (SIGMOD 2017 and 2018); `docs/design/aurora-volume.md` says
//! what is done with them.
//!
//! Must not know PostgreSQL, MariaDB, or what a file is.

mod ahead;
mod cache;
mod calls;
mod finder;
mod host;
pub mod image;
mod layout;
mod listing;
mod pages;
pub mod protocol;
mod reading;
pub mod redo;
pub mod store;
mod survey;
mod view;
mod writer;

pub use calls::{ListedPages, SegmentError, SegmentStatus};
pub use host::{Birth, Fork, HostError, SegmentHost};
pub use layout::{GroupLayout, Layout, Place};
pub use pages::{Content, PageWrite, Pages, PagesError, Point};
pub use view::View;
pub use writer::{CopyStatus, GroupStatus, OpenError, OpenOptions, Volume, VolumeStatus};
