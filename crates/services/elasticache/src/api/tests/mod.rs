//! Tests of the API against a catalog in memory.

mod access;
mod clusters;
mod groups;
mod replication_groups;
mod snapshots;
mod world;
