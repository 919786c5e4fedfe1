//! Aurora: DB clusters whose members share one distributed volume.
//!
//! Owns every rule about DB clusters: records, API, decisions. Must not know how a volume keeps its pages, nor start
//! anything: an agent carries out what the records say.
//!
//! An agent changes a cluster only by the functions of [`records`], so that endpoints always say what the cluster does.

#[cfg(test)]
pub(crate) mod fixture;
pub mod model;
pub mod records;
