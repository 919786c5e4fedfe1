//! DB instances: made, described, changed, stopped, replicated, deleted.

mod check;
mod create;
mod delete;
mod describe;
mod fleet;
mod lifecycle;
mod modify;
mod offered;
mod plan;
mod replica;
mod shape;
mod storage;
mod window;

pub(crate) use create::create;
pub(crate) use delete::delete;
pub(crate) use describe::describe;
pub(crate) use lifecycle::{promote, reboot, start, stop};
pub(crate) use modify::modify;
pub(crate) use replica::create as create_replica;
pub(crate) use storage::StorageType;
