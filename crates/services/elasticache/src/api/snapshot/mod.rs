//! Snapshots: asked for, described, copied, deleted.

mod lifecycle;
mod shape;

pub(crate) use lifecycle::{copy, create, delete, describe, intent};
