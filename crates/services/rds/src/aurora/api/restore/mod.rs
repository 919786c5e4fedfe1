//! Clusters that begin with a snapshot, or with what another cluster has.

mod from_snapshot;
mod point_in_time;
mod settings;

pub(crate) use from_snapshot::restore_from_snapshot;
pub(crate) use point_in_time::restore_to_point_in_time;
