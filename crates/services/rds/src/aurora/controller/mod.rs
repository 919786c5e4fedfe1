//! What the controller does about clusters: the first change that is due, to a cluster and to its volume.
//!
//! Carries decisions over into transactions. Each is conditional on the record that it was decided on.

mod backup;
mod cluster;
mod config;
mod member;
mod modify;
mod rename;
mod restore;
mod snapshot;
mod status;
mod upkeep;
mod volume;
mod writer;

pub(crate) use backup::{plan_backup, plan_backup_removal};
pub(crate) use cluster::plan_cluster;
pub use config::AuroraConfig;
pub(crate) use snapshot::plan_snapshot;
pub use upkeep::run_snapshot_upkeep;
pub(crate) use volume::plan_volume;

#[cfg(test)]
mod tests;
