//! A Raft group with a durable log: the only user of openraft.
//!
//! Owns agreement on an order of commands and their durability. Must not know what a command means.
//!
//! Invariants
//! - A vote or an append is answered after it is on disk.
//! - Commands are applied in the order of the log, each once between two snapshots.
//! - A storage error stops the group: it never answers again in this process.

// The size is that of openraft's own error type, which its traits ask for.
#![allow(clippy::result_large_err)]

mod group;
mod log;
mod machine;
mod network;
mod types;

pub use group::{Group, GroupConfig, GroupError, Leadership};
pub use machine::StateMachine;
pub use types::{Voter, VoterId};
