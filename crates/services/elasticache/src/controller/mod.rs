//! The controller: on the catalog's leader it takes the decisions about caches that are nobody else's.
//!
//! Places members, carries changes out step by step, keeps endpoints and statuses. Who leads a shard is Sentinel's to say.

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

pub use run::{ControllerConfig, run_controller};
pub use upkeep::run_snapshot_upkeep;
