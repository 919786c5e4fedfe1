//! The controller: runs where the catalog's leader is, takes decisions and writes them down.
//!
//! Owns placement, failover, statuses and the end of deleted instances. Must not touch an engine. Each write is
//! conditional on the record that it was decided on, so a controller that was deposed does no harm.

mod modify;
mod plan;
mod run;
mod world;

pub(crate) use plan::Plan;
pub use run::{ControllerConfig, run_controller};
pub(crate) use world::World;
