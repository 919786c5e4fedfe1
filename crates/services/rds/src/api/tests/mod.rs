//! The service driven through calls, on a catalog in memory.

mod catalogue;
mod groups;
mod instances;
mod modifications;
mod replicas;
mod unavailable;
pub(crate) mod world;
