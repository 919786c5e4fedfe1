//! One partition of a table: items, indexes, deterministic apply.
//!
//! A node has one [`Store`], and in it a [`Partition`] for each replica that it holds. The leader *evaluates* a write
//! under a latch against its own state, which gives an effect; every replica *applies* effects in the log's order.
//!
//! Owns the layout on disk, what an effect means, secondary indexes, locks of transactions and expiry. Must not know of
//! Raft, of HTTP, of other partitions, or of a clock: time comes with each call.
//!
//! ```text
//!   WriteOp ── evaluate (leader, under a latch) ──▶ effect bytes ── the replicated log ──▶ apply (every replica)
//! ```

mod apply;
mod bytes;
mod derive;
mod effect;
mod error;
mod evaluate;
mod expected;
mod index_batch;
mod latch;
mod layout;
mod limits;
mod page;
mod partition;
mod query;
mod range_rows;
mod record;
mod scan;
mod snapshot;
mod spec;
mod split;
mod store;
mod transaction;
mod ttl;
mod work;
mod write;

#[cfg(test)]
mod tests;

pub use effect::{Effect, OutboxEntry, Outcome};
pub use error::{ReadError, StoreError, WriteError};
pub use expected::Expected;
pub use latch::{Latch, LatchTimeout};
pub use limits::Limits;
pub use page::{IndexRef, Page, Wanted};
pub use partition::{Partition, PartitionStats, ReadItem};
pub use query::QueryPlan;
pub use scan::ScanPlan;
pub use spec::{
    GlobalIndex, HashRange, IndexProjection, ItemKey, LocalIndex, PartitionId, PartitionKind,
    PartitionSpec, SourceId, TableKey, TxnId,
};
pub use split::SplitPlan;
pub use store::Store;
pub use transaction::{Lock, Prepared};
pub use write::{Evaluated, IndexUnits, WriteAnswer, WriteOp};
