//! A file system at a mount point, through the kernel's FUSE.

mod mount;
mod options;
mod serve;
mod support;
mod translate;
mod waiting;

pub use mount::{MountError, Mounted, mount};
pub use options::MountOptions;
pub use support::{WhyNot, supported};
