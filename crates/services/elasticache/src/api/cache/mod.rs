//! What replication groups and cache clusters have in common: they are caches, and members of caches.

mod create;
mod found;
mod modify;
mod request;

pub(crate) use create::{Plan, ShardPlan, reserve, write_new};
pub(crate) use found::{Caches, ClusterRef, member_id};
pub(crate) use modify::{change_settings, change_waiting, finish, hold_parameter_group};
pub(crate) use request::{new_settings, restore_source, zones_of};
