//! The writing side of a volume: takes it over, hands records to its segments, knows when they are durable.

mod delta;
mod group_log;
mod open;
mod read;
mod send;
mod status;
mod volume;

pub use open::{OpenError, OpenOptions};
pub use status::{CopyStatus, GroupStatus, VolumeStatus};
pub(crate) use volume::VOLUME_BYTES_MAX;
pub use volume::Volume;
