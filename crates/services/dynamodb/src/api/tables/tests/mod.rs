//! Table operations through the service, on a catalog in memory.

mod create;
mod lifecycle;
mod world;
