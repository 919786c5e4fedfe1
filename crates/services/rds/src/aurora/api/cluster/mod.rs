//! DB clusters: made, described, changed, deleted.

pub(crate) mod create;
mod delete;
mod describe;
pub(crate) mod lifecycle;
mod modify;
pub(crate) mod offered;
mod read;
pub(crate) mod shape;
pub(crate) mod tags;

pub(crate) use create::create;
pub(crate) use delete::delete;
pub(crate) use describe::describe;
pub(crate) use lifecycle::{failover, reboot, start, stop};
pub(crate) use modify::modify;
pub(crate) use read::{find, id_of};
