//! Raft groups with a durable log: the only user of openraft.
//!
//! Owns agreement on an order of commands and their durability. Must not know what a command means. There is one
//! `Group` by itself, with its state in memory, and a `Host` of many groups that share a log, each with a machine that
//! keeps its state on disk.
//!
//! Invariants
//! - A vote or an append is answered after it is on disk.
//! - Commands are applied in the order of the log, each once between two snapshots.
//! - A storage error stops the group: it never answers again in this process.

// The size is that of openraft's own error type, which its traits ask for.
#![allow(clippy::result_large_err)]

mod group;
mod host;
mod log;
mod machine;
mod network;
mod types;

pub use group::{Group, GroupConfig, GroupError, Leadership};
pub use host::{
    Carried, Change, Command, DurableMachine, Faults, GroupId, Host, HostConfig, HostedGroup,
    LogDisk, Network, Origin, Progress, ReadPermit, Rows, Space, Submitted, Traffic,
    simulate_clock, voters_at,
};
pub use machine::StateMachine;
pub use types::{Voter, VoterId, voter_id};
