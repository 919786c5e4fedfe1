//! Throughput limits: how many units a second a table or an index gives.
//!
//! The leader of a table's first partition keeps one bucket for each limit; gateways draw allotments from it and charge
//! what requests cost against them. So the limit is the table's, however many gateways and partitions there are.
//!
//! Owns the arithmetic and the drawing. Must not know what an operation is or what AWS calls a refusal.

mod bucket;
mod limits;

use serde::{Deserialize, Serialize};

pub(crate) use bucket::Buckets;
pub(crate) use limits::Key;
pub use limits::Limits;

/// Thousandths of a unit: units come in halves.
pub(crate) const UNIT: u64 = 1_000;

/// What a limit is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(crate) enum Side {
    Read,
    Write,
}

/// A limit of a table or of a global index.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Limit {
    /// Units a second.
    pub(crate) rate: u64,
    /// Seconds for which unused units are kept.
    pub(crate) burst_s: u64,
}

/// A gateway's question to the bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Draw {
    /// The limit as the gateway's view of the catalog has it.
    pub(crate) limit: Limit,
    /// Thousandths of units that were used beyond the last allotment.
    pub(crate) owed: u64,
    /// Thousandths of units that are asked for.
    pub(crate) want: u64,
}

/// The bucket's answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Drawn {
    /// Thousandths of units, `want` at most.
    pub(crate) granted: u64,
    /// When nothing was granted: how long it makes no sense to ask again.
    pub(crate) wait_ms: u64,
}
