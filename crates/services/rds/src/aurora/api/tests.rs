//! Clusters and their members through the service, on a catalog in memory.

mod clusters;
mod members;
mod world;
