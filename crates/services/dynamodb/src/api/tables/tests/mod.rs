//! Table operations through the service, on a catalog in memory.

mod bodies;
mod create;
mod lifecycle;
mod resources;
mod ttl;
mod update;
mod world;
