//! The controller: on the catalog's leader it takes the decisions about caches that are nobody else's.
//!
//! Places members, carries changes out step by step, keeps endpoints and statuses. Who leads a shard is Sentinel's to say, or
//! the cluster's; only where a cluster has too few primaries for a vote is it the controller's.

mod cluster;
mod endpoints;
mod modify;
mod plan;
mod replace;
mod run;
mod snapshots;
#[cfg(test)]
mod tests;
mod upkeep;
mod world;

pub use plan::Plan;
pub use run::{ControllerConfig, plan_changes, run_controller};
pub use upkeep::run_snapshot_upkeep;
