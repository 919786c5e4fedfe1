//! What the controller does about tables: pure decisions over what the catalog holds.

mod placement;
mod tables;

pub use placement::{Placement, partition_count};
pub use tables::{TableChange, TableDecision, decide_table};
