//! From a table's name and a key to the node that can answer.
//!
//! Owns the routing table of one process: what the catalog says, and what was learnt from answers. It is never wrong for
//! long: a node that is asked in vain says so, and the next look at the catalog puts it right.

mod calls;
mod routes;
mod silent;

pub(crate) use calls::{Destination, Position};
pub use calls::{PartitionCalls, RouteError};
pub use routes::{PartitionRoute, Routes, TableRoute, Target};
