//! Cache clusters: Memcached clusters, lone nodes, and members of replication groups.

mod create;
mod lifecycle;
mod modify;
mod shape;

pub(crate) use create::create;
pub(crate) use lifecycle::{delete, describe, reboot};
pub(crate) use modify::modify;
