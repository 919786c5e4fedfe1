//! The ElastiCache API: what AWS clients say, checked and written down as intent.
//!
//! Owns AWS's action names, parameter names, shapes and error codes. Handlers validate, write intent to the catalog and
//! describe it; they start nothing. Must not know how intent is carried out.

mod cache;
mod cache_cluster;
mod check;
mod context;
mod dispatch;
mod engines;
mod error;
mod event;
mod node_type;
mod parameter_group;
mod replication_group;
mod service;
mod snapshot;
mod subnet_group;
mod tags;
mod user;

#[cfg(test)]
mod tests;

pub use error::{ElastiCacheError, Kind};
pub use service::{ElastiCacheRegion, ElastiCacheService};
