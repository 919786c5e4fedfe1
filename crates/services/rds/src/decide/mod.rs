//! The decisions about instances: pure functions of what was observed.
//!
//! Owns who becomes primary, where members go, what a member does next, and which status follows. Must not do
//! any of it: `controller` and `agent` do, and decide nothing.

pub mod failover;
pub mod lifecycle;
pub mod member;
pub mod placement;
pub mod sync;
