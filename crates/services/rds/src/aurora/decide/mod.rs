//! Pure decisions about clusters: who writes, where segments lie, which status follows.
//!
//! Functions over records and facts. Must not know clocks, catalogs, sessions.

pub mod backup;
pub mod fork;
pub mod lifecycle;
pub mod member;
pub mod quorum;
pub mod repair;
pub mod segments;
pub mod transfer;
pub mod writer;
