//! The DynamoDB API: JSON 1.0 in, JSON 1.0 out.
//!
//! Owns what is said on the wire: names, validation and its order, AWS's words. Must not know where items are.

mod constraints;
mod context;
mod counters;
mod dispatch;
mod encoding;
mod error;
mod figures;
mod items;
mod partiql;
mod service;
mod tables;

pub use counters::{BOUNDS_US, Counters, Counts};
pub use figures::{NoFigures, PartitionFigures, TableFigures};
pub use service::{DynamoDbRegion, DynamoDbService};
