//! Database endpoints: one listener each, connections carried to whoever the catalog says serves.
//!
//! ```text
//! endpoint records ──► follow ──► Slot (target, epoch) ──cut──► connections of older epochs
//!                                  │
//! client ──► listener ──► peek ────┴─ connect (waits, bounded) ──► pump ⇄ database
//! ```
//!
//! The following, listening and cancelling run on the runtime that made the `Relay`; the copying runs on
//! threads of its own (lanes), each a single-threaded runtime, so that no byte waits for another
//! thread to be woken.
//!
//! Invariants
//! - A connection carries bytes only to a target and at an epoch that its slot holds; when either goes it ends at once,
//!   whatever it is doing.
//! - A port stays bound from its reservation or its record's appearance until the record goes.
//! - No wait for a target is longer than `RelayConfig::wait_ms`.

mod cancel;
mod config;
mod connection;
mod follow;
mod lanes;
mod listen;
mod memcached;
mod ports;
mod pump;
mod slot;
mod stats;

#[cfg(test)]
mod tests;

pub use cancel::CancelHandler;
pub use config::RelayConfig;
pub use follow::Relay;
pub use stats::{EndpointReport, RelayStats, RelayStatsRead};
