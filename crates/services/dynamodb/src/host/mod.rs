//! The node's side: the replicas that are placed here, what they answer, what their leaders do by themselves.
//!
//! Owns the way from a question to a partition's state, and from a write to a command in the partition's log. Must not
//! know what a request looked like.
//!
//! Invariants
//! - An effect is applied only in the term of the leader that evaluated it: the command names the term.
//! - A write is evaluated on what all writes before it make of its item: on the applied state, or on the expected image
//!   of one that is before it in the log of the same term, in which none is lost alone.
//! - A leader evaluates nothing before it has applied all that earlier leaders had committed.

mod duties;
mod feed;
mod heat;
mod home;
mod known;
mod machine;
mod moves;
mod partition_host;
mod removal;
mod replica;
mod settling;
#[doc(hidden)]
pub mod simulated;
mod spec;
mod splits;
mod spread;
mod transactions;

pub use heat::HeatLimits;
pub use machine::SplitDone;
pub use partition_host::{HostConfig, HostError, PartitionHost};
