//! Replication groups: what is asked of them, written down as intent.

mod auth;
mod create;
mod lifecycle;
mod modify;
mod replicas;
mod shape;
mod shards;

pub(crate) use create::create;
pub(crate) use lifecycle::{commit, deleted};
pub(crate) use lifecycle::{delete, describe, test_failover};
pub(crate) use modify::modify;
pub(crate) use replicas::{add_replica, decrease_replicas, increase_replicas, remove_replica};
pub(crate) use shape::{endpoint, slots_text};
pub(crate) use shards::reshard;
