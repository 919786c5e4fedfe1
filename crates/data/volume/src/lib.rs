//! A volume of pages in six copies over three zones: one ordered log, written at four of six, read at three.
//!
//! The words and the rules are those of the Aurora papers (SIGMOD 2017 and 2018); `docs/design/aurora-volume.md` says
//! what is done with them.
//!
//! Must not know PostgreSQL, MariaDB, or what a file is.

mod pages;
pub mod protocol;
pub mod store;

pub use pages::{Content, PageWrite, Pages, PagesError, Point};
