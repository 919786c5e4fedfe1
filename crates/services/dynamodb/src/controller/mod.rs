//! The controller: runs where the catalog's leader is, takes decisions and writes them down.
//!
//! Owns where partitions are and how far tables are. Must not touch an item. Each write is conditional on the records
//! that it was decided on, so a controller that was deposed does no harm.

mod absence;
mod placement;
mod replacement;
mod run;
mod tables;

pub use placement::{Placement, partition_count};
pub use replacement::{NodeSeen, Nodes, Presence, decide_move};
pub use run::{ControllerConfig, run_controller};
pub use tables::{TableChange, TableDecision, decide_table};
