//! One Sentinel: its configuration, its process, what it is told to watch, and what it says of that.
//!
//! Owns the times and accounts of Sentinels. Must not know what a watched group is to its owner.
//!
//! A Sentinel writes its own configuration file; what it was told stays with the one who tells. So a start begins
//! with an empty watch list, and with an epoch above any in which this Sentinel may have voted: one that forgot a
//! vote must not give it twice.

mod config;
mod server;
mod watch;

pub use config::SentinelConfig;
pub use server::{RunningSentinel, SentinelEvents, SentinelServer};
pub use watch::{WatchedMaster, WatchedReplica, Watching};

/// The account of clients that ask where primaries and replicas are.
pub const CLIENT_ACCOUNT: &str = "client";
/// How long a primary may be silent before a Sentinel holds it for gone.
pub const DOWN_AFTER_MS: u32 = 1_000;
/// Sentinel's bound on the steps of a failover. Sentinels that all voted for themselves try again after twice this long.
pub const FAILOVER_TIMEOUT_MS: u32 = 2_000;
