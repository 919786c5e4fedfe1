//! DB cluster parameter groups.

mod groups;

pub(crate) use groups::{create, delete, describe_groups, for_version, named};
