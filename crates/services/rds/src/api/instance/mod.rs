//! DB instances: made, described, changed, stopped, replicated, deleted.

pub(crate) mod check;
pub(crate) mod create;
mod delete;
mod describe;
pub(crate) mod fleet;
mod lifecycle;
mod modify;
pub(crate) mod offered;
mod plan;
mod replica;
pub(crate) mod shape;
mod storage;
pub(crate) mod window;

pub(crate) use create::create;
pub(crate) use delete::delete;
pub(crate) use describe::describe;
pub(crate) use fleet::Fleet;
pub(crate) use lifecycle::{promote, reboot, start, stop};
pub(crate) use modify::modify;
pub(crate) use replica::create as create_replica;
pub(crate) use storage::StorageType;
