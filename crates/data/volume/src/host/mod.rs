//! A node's segments: they take records, answer reads, fill their gaps from one another, turn records into pages.

mod answer;
mod arrange;
mod cell;
mod coalesce;
mod fill;
mod fork;
mod gossip;
mod holds;
mod list;
mod segment_host;
mod times;

pub use arrange::Birth;
pub use fork::Fork;
pub use segment_host::{HostError, SegmentHost};
