//! DB instances that are members of a cluster: made, described, changed, deleted.

mod create;
mod delete;
mod modify;
mod offered;
mod read;
mod shape;

pub(crate) use create::{create, is_for_cluster};
pub(crate) use delete::delete;
pub(crate) use modify::{modify, reboot};
pub(crate) use read::{is_member, not_for_members};
pub(crate) use shape::{as_instance, with_membership};
