//! Pure decisions about caches.
//!
//! Owns what follows from a record and from what was observed. Must not do I/O or read a clock.

pub mod cluster;
pub mod daily;
pub mod endpoints;
#[cfg(test)]
pub(crate) mod fixture;
pub mod member;
pub mod placement;
pub mod slots;
pub mod snapshot;
pub mod status;
