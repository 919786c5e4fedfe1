//! Aurora: DB clusters whose members share one distributed volume.
//!
//! Owns every rule about DB clusters: records, API, decisions. Must not know how a volume keeps its pages, nor start
//! anything: an agent carries out what the records say.
//!
//! An agent changes a cluster only by the functions of [`records`], so that endpoints always say what the cluster does.

pub mod agent;
pub(crate) mod api;
pub(crate) mod controller;
pub mod decide;
#[cfg(test)]
pub(crate) mod fixture;
pub mod model;
pub mod mount;
pub mod parameters;
pub mod records;

pub use controller::{AuroraConfig, run_snapshot_upkeep};

pub use crate::catalogue::{AURORA_MYSQL, AURORA_POSTGRESQL};
