//! What AWS clients say about DB clusters, checked and written down as intent.
//!
//! Owns the parameters and shapes of clusters and their members. Handlers start nothing.

mod backup;
mod capacity;
pub(crate) mod cluster;
pub(crate) mod endpoint;
pub(crate) mod member;
pub(crate) mod parameter_group;
pub(crate) mod restore;
pub(crate) mod snapshot;
pub(crate) mod unavailable;

#[cfg(test)]
mod tests;
