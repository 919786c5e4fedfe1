//! The process between a node and its engine that kills the engine when it must no longer run.
//!
//! ```text
//!   node ──pipe──▶ guard (own session, subreaper) ──▶ postmaster ──▶ backends
//!         lease N    │ poll: pipe, SIGCHLD, timer
//!         signal INT └ node gone · lease passed · postmaster gone ⇒ SIGKILL to all
//! ```
//!
//! Invariants
//! - The guard exits only when no process below it is left.
//! - It holds an exclusive lock on the member's lock file for as long as it lives, so that two
//!   guards never serve one folder.
//! - It knows nothing of databases: any command can stand in the engine's place.

mod args;
mod client;
mod commands;
mod run;
mod spawn;
mod tree;

pub use client::GuardProgram;
pub(crate) use client::{GuardExit, GuardPipe, GuardedCommand, Signal};
pub use run::main;

/// Exit status: the lease deadline passed.
pub const EXIT_LEASE_LAPSED: u8 = 201;
/// Exit status: the pipe from the node was closed.
pub const EXIT_NODE_GONE: u8 = 202;
/// Exit status: the engine could not be started.
pub const EXIT_NOT_STARTED: u8 = 203;
/// Exit status: another guard holds the lock file.
pub const EXIT_LOCKED: u8 = 204;
/// Exit status: killed on the node's command.
pub const EXIT_KILLED: u8 = 205;
