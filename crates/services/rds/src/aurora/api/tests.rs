//! Clusters and their members through the service, on a catalog in memory.

mod clusters;
mod endpoints;
mod groups;
mod members;
mod modifications;
mod mysql;
mod snapshots;
mod world;
