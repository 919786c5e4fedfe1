//! Snapshots of DB clusters: asked for, described, copied, shared, deleted.

mod attributes;
mod copy;
mod create;
mod delete;
mod describe;
mod read;
mod shape;

pub(crate) use attributes::{describe as describe_attributes, modify as modify_attribute};
pub(crate) use copy::copy;
pub(crate) use create::{create, intent};
pub(crate) use delete::delete;
pub(crate) use describe::describe;
pub(crate) use read::{find, require_available};
