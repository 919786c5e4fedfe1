//! Histories of client operations and one checker for each promise.
//!
//! Owns what the promises mean, said so precisely that a program can check them. Must not know who ran the
//! operations: a simulated world, a drill on a live region and a benchmark hand in the same histories.

pub mod bank;
pub mod fencing;
pub mod gaps;
pub mod ledger;
pub mod linearizability;
pub mod promotion;
mod write_id;

pub use write_id::WriteId;
